"""Server processes: started once, found again by their pid files, stopped for certain.

A pid file names a process only together with its command line (which holds the sources' folder), so that a pid that
the system gave to somebody else is never killed.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import places

# Between two questions to a server that does not answer yet.
POLL_SECONDS = 0.05
STOP_SECONDS_MAX = 15
START_SECONDS_MAX = 90


def pid_file(name: str) -> Path:
    """Returns where a server's pid stands."""
    return places.SOURCES / "pids" / name


def running(name: str) -> int | None:
    """Returns the pid of a server that runs, or None."""
    try:
        pid = int(pid_file(name).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return pid if pid in _own_processes() else None


def _own_processes() -> dict[int, str]:
    """Returns the processes whose command line names this sources' folder."""
    return {
        pid: command
        for pid, command in _all_processes().items()
        if f"{places.SOURCES}{os.sep}" in command or command.endswith(str(places.SOURCES))
    }


def _all_processes() -> dict[int, str]:
    """Returns the command line of every process, but for those that wait to be reaped."""
    listed = subprocess.run(["ps", "-eww", "-o", "pid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    found = {}
    for line in listed.splitlines():
        pid, status, command = line.split(maxsplit=2)
        if not status.startswith("Z"):
            found[int(pid)] = command
    return found


def strays(programs: tuple[str, ...]) -> list[int]:
    """Returns servers of these sources that no pid file names: their starter was killed before it could write one."""
    known = {running(file.name) for file in pid_file("any").parent.glob("*")}
    commands = _own_processes().items()
    return [
        pid for pid, command in commands if pid not in known and any(program in command.split() for program in programs)
    ]


def end_titled(title: str) -> None:
    """Ends the processes whose title begins so, by force when they do not go by themselves: children of a killed server."""
    how, kill_at = signal.SIGTERM, time.monotonic() + STOP_SECONDS_MAX
    while pids := [pid for pid, command in _all_processes().items() if command.startswith(title)]:
        if time.monotonic() > kill_at:
            how = signal.SIGKILL
        for pid in pids:
            send(pid, how)
        time.sleep(POLL_SECONDS)


def start(name: str, command: list[str]) -> int:
    """Starts a server that outlives this process, with its output in `logs/<name>.log`, and returns its pid."""
    places.LOGS.mkdir(parents=True, exist_ok=True)
    pid_file(name).parent.mkdir(parents=True, exist_ok=True)
    with (places.LOGS / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    pid_file(name).write_text(str(process.pid))
    return process.pid


def wait_until(name: str, answers: Callable[[], bool]) -> None:
    """Asks until the server answers; fails with the end of its log when it dies or stays silent."""
    give_up_at = time.monotonic() + START_SECONDS_MAX
    while not answers():
        dead = running(name) is None
        if dead or time.monotonic() > give_up_at:
            log = (places.LOGS / f"{name}.log").read_text(errors="replace").splitlines()[-20:]
            what = "ended" if dead else f"did not answer within {START_SECONDS_MAX} s"
            raise SystemExit("\n".join([f"sources: {name} {what}; its log ends with:", *log]))
        time.sleep(POLL_SECONDS)


def stop(name: str, how: signal.Signals = signal.SIGTERM) -> bool:
    """Stops a server, by force when it does not go by itself; returns whether there was one."""
    pid = running(name)
    if pid is not None:
        end(pid, how)
    pid_file(name).unlink(missing_ok=True)
    return pid is not None


def end(pid: int, how: signal.Signals = signal.SIGTERM) -> None:
    """Ends a process of these sources and waits until it is gone."""
    kill_at = time.monotonic() + STOP_SECONDS_MAX
    send(pid, how)
    while pid in _own_processes():
        if time.monotonic() > kill_at:
            send(pid, signal.SIGKILL)
        time.sleep(POLL_SECONDS)


def send(pid: int, what: signal.Signals) -> None:
    """Signals a process; one that went meanwhile is fine."""
    with suppress(ProcessLookupError):
        os.kill(pid, what)


def free_port(wanted: int | None = None) -> int:
    """Returns `wanted` when it is free, else another free port: a restarted server keeps its address if it can."""
    for port in (wanted or 0, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise SystemExit("sources: no free port on 127.0.0.1")
