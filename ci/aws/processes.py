"""Server processes of one home: started once, found again by their pid files, stopped for certain.

A pid file names a process only together with its environment, in which `SLUICE_STACK` is this home's folder: Airflow renames its
processes, so a command line tells nothing, and a pid that the system gave to somebody else is never killed. Whatever they
start inherits the mark, so what a killed server leaves behind is found too.
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
MARK = "SLUICE_STACK"


def pid_file(name: str) -> Path:
    """Returns where a server's pid stands."""
    return places.AWS / "pids" / name


def running(name: str) -> int | None:
    """Returns the pid of a server that runs, or None."""
    try:
        pid = int(pid_file(name).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return pid if _ours(pid) else None


def _ours(pid: int) -> bool:
    mark = f"{MARK}={places.AWS}".encode()
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z" and mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def every_process() -> list[int]:
    """Returns the servers of this home, with all that they started, jobs included."""
    found = [int(place.name) for place in Path("/proc").glob("[0-9]*")]
    return [pid for pid in found if pid != os.getpid() and (_ours(pid) or _works_in_jobs(pid))]


def _works_in_jobs(pid: int) -> bool:
    """A job's environment is its own, so it is known by the folder that it works in."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(places.JOBS)
    except OSError:
        return False


def start(name: str, command: list[str], environment: dict[str, str], folder: Path | None = None) -> None:
    """Starts a server that outlives this process, with its output in `logs/<name>.log`."""
    places.LOGS.mkdir(parents=True, exist_ok=True)
    pid_file(name).parent.mkdir(parents=True, exist_ok=True)
    with (places.LOGS / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder or places.AWS, env={**environment, MARK: str(places.AWS)}, stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    pid_file(name).write_text(str(process.pid))


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
