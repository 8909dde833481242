"""Runs one step of the launcher as a process and notes what became of it; signals reach all that run."""

from __future__ import annotations

import datetime
import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any, Callable, Optional

from launcher_order import BUG, CONFIG, NOTHING, OK, TRANSIENT, Identity, Job, Step, command, fault_of, is_whole

# What a program gets to give up its commit and tell its end: out of time; or when the job is ended, and is gone itself after 120 s.
GRACE_SECONDS, ENDING_SECONDS = 30, 90
# The machine has no room for a process now; it may have some later.
FULL = frozenset({errno.EAGAIN, errno.ENOMEM})


@dataclass
class Ending:
    """What became of a step."""

    step: Step
    run_id: Optional[str] = None
    state: str = "not_run"
    exit: Optional[int] = None
    fault: Optional[str] = None
    why: Optional[str] = None
    started_at: Optional[str] = None
    ended_at: Optional[str] = None
    duration_ms: Optional[int] = None
    summary: Optional[dict[str, Any]] = None

    def told(self) -> dict[str, Any]:
        """Returns it as it is left below the lake."""
        return {"program": self.step.program, "table": self.step.table,
                **{key: value for key, value in vars(self).items() if key != "step"}}


class Processes:
    """The processes of a job: one, and one beside it while there are turns."""

    def __init__(self, job: Job, directory: str, scratch: str) -> None:
        self.job, self.directory, self.scratch = job, directory, scratch
        self.contracts = contracts_of(job, directory)
        self.signal: Optional[signal.Signals] = None
        self.stopped = False
        self.children: set[subprocess.Popen] = set()

    def signalled(self, number: int, _frame: Any) -> None:
        """Hands a signal on; what does not listen is killed while its end can still be told.

        It runs between any two instructions of the main thread, so it takes no lock.
        """
        self.signal = signal.Signals(number)
        for child in list(self.children):
            child.send_signal(number)
        signal.alarm(ENDING_SECONDS)

    def overdue(self, _number: int, _frame: Any) -> None:
        """Kills what works on although a signal was handed on to it; no more than that handler does it take a lock."""
        for child in list(self.children):
            child.kill()

    def stop(self) -> None:
        """Stops all that run, and what is just being started, and waits for the end of those that are seen."""
        self.stopped = True
        for child in list(self.children):
            stop(child)

    def run(self, ending: Ending, known: Identity, versions: dict[str, int], begun: Callable[[], None] = lambda: None) -> None:
        """Runs a step to its end; a version that it tells is one of `versions` from then on. `begun` is called once it runs."""
        step = ending.step
        summary = os.path.join(self.scratch, f"summary-{known.run_id}-{known.attempt}.json")
        parts = command(self.job, step, known, (self.contracts, summary), versions)
        ending.run_id = str(known.run_id) if step.table else None
        ending.started_at, began = now(), time.monotonic()
        self._settle(ending, self._process(ending, parts, begun), read(summary) if step.table else None)
        ending.ended_at, ending.duration_ms = now(), round((time.monotonic() - began) * 1000)
        version = (ending.summary or {}).get("table_version")
        if ending.exit == OK and is_whole(version):
            versions[step.table] = version

    def _process(self, ending: Ending, parts: list[str], begun: Callable[[], None]) -> int:
        # A step without a table finds lake and contracts here; the archive brings a driver to where no loader looks.
        found = {"LAKE_URI": self.job.lake, "LAKE_CONTRACTS": self.contracts}
        driver = os.path.join(os.path.dirname(self.directory), "lib", "libadbc_driver_snowflake.so")
        drivers = {"SNOWFLAKE_DRIVER": driver} if os.path.isfile(driver) else {}
        program = os.path.join(self.directory, parts[0])
        try:
            child = subprocess.Popen([program, *parts[1:]], stdin=subprocess.DEVNULL, env={**drivers, **os.environ, **found})
        except OSError as error:
            ending.why = f"`{ending.step.name}` could not be started: {error.strerror}"
            return TRANSIENT if error.errno in FULL else CONFIG
        self.children.add(child)
        # A signal that came while the process was being made found nobody to hand it to.
        if self.signal is not None or self.stopped:
            child.send_signal(self.signal or signal.SIGTERM)
        begun()
        try:
            code = child.wait(ending.step.timeout_seconds)
        except subprocess.TimeoutExpired:
            stop(child)
            ending.why = f"`{ending.step.name}` took longer than {ending.step.timeout_seconds} s and was stopped"
            return TRANSIENT
        finally:
            self.children.discard(child)
        if code < 0:
            ending.why = f"`{ending.step.name}` was ended by {signal.Signals(-code).name}"
        return code if code >= 0 else 128 - code

    def _settle(self, ending: Ending, code: int, summary: Optional[dict[str, Any]]) -> None:
        step, ending.summary = ending.step, summary
        if code == OK and step.table and summary is None:
            code, ending.why = BUG, f"`{step.name}` ended with 0 but left no summary"
        elif code != OK and ending.why is None:
            ending.why = f"`{step.name}` ended with {code}"
        ending.exit, ending.fault = code, fault_of(code)
        ending.state = {OK: "ok", NOTHING: "skipped"}.get(code, "failed")
        if ending.why:
            say(ending.why)


def stop(child: subprocess.Popen) -> None:
    """Stops a process, at last by force, and waits for its end."""
    child.terminate()
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def contracts_of(job: Job, directory: str) -> str:
    """The contracts that came with the programs, where the job names no others."""
    return job.contracts or os.path.join(os.path.dirname(directory), "contracts")


def read(path: str) -> Optional[dict[str, Any]]:
    """What a program said of itself, which nobody needs a second time; nothing where it did not get that far."""
    try:
        with open(path, encoding="utf-8") as file:
            said = json.load(file)
        os.unlink(path)
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def now() -> str:
    """The present instant, UTC."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def say(text: str) -> None:
    """Tells people; stdout belongs to the programs."""
    print(f"launcher: {text}", file=sys.stderr, flush=True)
