"""Server processes of one home: started once, found again by their pid files, stopped for certain.

A pid file holds the hour of the process's start too, so a pid that the system gave to somebody else is never killed. Every server
leads a session of its own, which is how what a killed one leaves behind is found; a job's processes are known by their HOME.
Neither command line nor environment would do: Airflow's processes write their title over both.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import places

POLL_SECONDS = 0.1
STOP_SECONDS_MAX = 20
# Where /proc/PID/stat shows the session and the hour of the start, counted from the state.
SESSION, BORN = 3, 19


def pid_file(name: str) -> Path:
    """Returns where a server's pid stands."""
    return places.AWS / "pids" / name


def _stat(pid: int) -> list[str]:
    """Returns state, parent, group, session and so on, as /proc shows them; empty for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def running(name: str) -> int | None:
    """Returns the pid of a server that runs, or None."""
    try:
        pid, born = pid_file(name).read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    stat = _stat(int(pid))
    return int(pid) if stat and stat[0] != "Z" and stat[BORN] == born else None


def every_process() -> list[int]:
    """Returns the servers of this home, with all that they started, jobs included."""
    sessions = _sessions()
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        pid = int(place.name)
        stat = _stat(pid)
        if stat and stat[0] != "Z" and (stat[SESSION] in sessions or _a_jobs(pid)):
            found.append(pid)
    return found


def _sessions() -> set[str]:
    """Returns our sessions; the pid of a dead leader is given to nobody as long as a process is in its session."""
    ours = set()
    for file in pid_file("any").parent.glob("*"):
        pid, born = file.read_text().split()
        stat = _stat(int(pid))
        if not stat or stat[BORN] == born:
            ours.add(pid)
    return ours


def _a_jobs(pid: int) -> bool:
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(one.startswith(f"HOME={places.JOBS}/".encode()) for one in variables)


def start(name: str, command: list[str], environment: dict[str, str], folder: Path | None = None) -> None:
    """Starts a server that outlives this process, with its output in `logs/<name>.log`."""
    places.LOGS.mkdir(parents=True, exist_ok=True)
    pid_file(name).parent.mkdir(parents=True, exist_ok=True)
    with (places.LOGS / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder or places.AWS, env=environment, stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    pid_file(name).write_text(f"{process.pid} {_stat(process.pid)[BORN]}")


def wait_until(name: str, answers: Callable[[], bool], seconds: float) -> None:
    """Asks until the server answers; fails with the end of its log when it dies or stays silent."""
    give_up_at = time.monotonic() + seconds
    while not answers():
        dead = running(name) is None
        if dead or time.monotonic() > give_up_at:
            log = places.LOGS / f"{name}.log"
            what = "ended" if dead else f"did not answer within {seconds:.0f} s"
            lines = log.read_text(errors="replace").splitlines()[-20:]
            raise SystemExit("\n".join([f"aws-local: {name} {what}; its log {log} ends with:", *lines]))
        time.sleep(POLL_SECONDS)


def stop_all() -> int:
    """Stops everything of this home, by force where it does not go by itself; returns how many there were."""
    first = every_process()
    for pid in first:
        send(pid, signal.SIGTERM)
    give_up_at = time.monotonic() + STOP_SECONDS_MAX
    while left := every_process():
        if time.monotonic() > give_up_at:
            for pid in left:
                send(pid, signal.SIGKILL)
        time.sleep(POLL_SECONDS)
    for file in pid_file("any").parent.glob("*"):
        file.unlink()
    return len(first)


def send(pid: int, what: signal.Signals) -> None:
    """Signals a process; one that went meanwhile is fine."""
    with suppress(ProcessLookupError):
        os.kill(pid, what)


def port(name: str) -> int:
    """Returns a server's port: that of the last start when it is still free, else another free one."""
    known = json.loads(places.PORTS.read_text()) if places.PORTS.is_file() else {}
    taken = {number for other, number in known.items() if other != name}
    for wanted in (known.get(name, 0), 0, 0, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            number = int(probe.getsockname()[1])
        if number not in taken:
            places.PORTS.write_text(json.dumps(known | {name: number}))
            return number
    raise SystemExit("aws-local: no free port on 127.0.0.1")
