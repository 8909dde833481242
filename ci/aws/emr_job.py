"""One job run: its states, its attempts one after the other, its end.

States and their order are those of the service's guide (SUBMITTED, QUEUED, PENDING, SCHEDULED, RUNNING, then SUCCESS, FAILED, or
CANCELLING and CANCELLED; a job that is out of time is cancelled). Texts of `stateDetails` are near those that users report; code
must not depend on them, there or here.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import emr_driver
import emr_faults
from emr_driver import Driver

ENDED = ("SUCCESS", "FAILED", "CANCELLED")
# Between two looks at a process that neither ended nor was asked to.
POLL_SECONDS = 0.05
# What a STREAMING job may fail in an hour unless its retry policy says otherwise.
FAILED_ATTEMPTS_PER_HOUR = 5
TIMEOUT_MINUTES = 720


@dataclass(frozen=True)
class Pace:
    """How fast the service's time goes: a worker's start, a minute of a time limit, the grace of a cancelled driver."""

    start_seconds: float = 0.0
    minute_seconds: float = 60.0
    grace_seconds: float = 10.0


@dataclass(frozen=True)
class Places:
    """Where jobs run, archives are unpacked and faults are planted."""

    jobs: Path
    unpacked: Path
    faults: Path


@dataclass
class Attempt:
    """One try of a job."""

    number: int
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    state: str = "SUBMITTED"
    details: str = ""


class Job:
    """A job run that executes in a thread of its own."""

    def __init__(self, number: str, request: dict, application: object, places: Places, pace: Pace) -> None:
        self.id, self.request, self.application, self.places, self.pace = number, request, application, places, pace
        self.created_at = datetime.now(UTC)
        self.attempts = [Attempt(1)]
        self.started_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.grace_seconds = pace.grace_seconds
        self._changing = threading.Lock()
        self._cancelled = threading.Event()
        self._driver: Driver | None = None
        self._thread = threading.Thread(target=self._run, name=f"job-{number}", daemon=True)

    def start(self) -> None:
        """Begins the first attempt."""
        self._thread.start()

    @property
    def attempt(self) -> Attempt:
        """Returns the newest attempt, whose state is the job's."""
        return self.attempts[-1]

    @property
    def name(self) -> str:
        """Returns the job's name, or nothing."""
        return self.request.get("name") or ""

    @property
    def streaming(self) -> bool:
        """Returns whether the job is to be kept alive."""
        return self.request.get("mode") == "STREAMING"

    @property
    def timeout_minutes(self) -> int:
        """Returns the job's time limit; 0 is none."""
        asked = self.request.get("executionTimeoutMinutes")
        return asked if asked is not None else (0 if self.streaming else TIMEOUT_MINUTES)

    def cancel(self, grace_seconds: float | None = None) -> bool:
        """Asks the job to end; False when it has ended already."""
        with self._changing:
            if self.attempt.state in ENDED:
                return False
            if grace_seconds is not None:
                self.grace_seconds = grace_seconds
            self._set("CANCELLING", "Job run cancellation was requested.")
            self._cancelled.set()
            return True

    def abandon(self) -> None:
        """Ends the job's processes: the service itself is stopping."""
        self._cancelled.set()
        if self._driver:
            self._driver.kill()

    def seconds(self) -> int:
        """Returns how long the job has run, from its first worker to its end."""
        if not self.started_at:
            return 0
        return int(((self.ended_at or datetime.now(UTC)) - self.started_at).total_seconds() + 0.999)

    def _run(self) -> None:
        slots = getattr(self.application, "slots", None)
        # One that is cancelled while it waits has no slot to give back.
        held = slots is None or slots.acquire(blocking=False)
        if not held:
            self._move("QUEUED")
        while not held and not self._cancelled.is_set():
            held = slots.acquire(timeout=POLL_SECONDS)
        try:
            for number in count(1):
                if number > 1:
                    self.attempts.append(Attempt(number))
                state, details = self._attempt()
                if state != "FAILED" or not self._again():
                    break
                self._move(state, details)
        finally:
            if slots and held:
                slots.release()
        self.ended_at = datetime.now(UTC)
        self._move(state, details)

    def _again(self) -> bool:
        policy = self.request.get("retryPolicy") or {}
        if not self.streaming:
            return self.attempt.number < (policy.get("maxAttempts") or 1)
        hour = 3600 * self.pace.minute_seconds / 60
        recent = [one for one in self.attempts if (datetime.now(UTC) - one.created_at).total_seconds() < hour]
        return len(recent) < (policy.get("maxFailedAttemptsPerHour") or FAILED_ATTEMPTS_PER_HOUR)

    def _attempt(self) -> tuple[str, str]:
        fault = emr_faults.take(self.places.faults, emr_faults.IN_ATTEMPT, self.name)
        self._move("PENDING")
        self._move("SCHEDULED")
        never = fault is not None and fault.kind == emr_faults.NEVER_STARTING
        if self._cancelled.wait(None if never else self.pace.start_seconds):
            return "CANCELLED", "Job run was cancelled before it started."
        self.started_at = self.started_at or datetime.now(UTC)
        try:
            driver = self._drive()
        # Whatever it is: a job whose thread has died would never end.
        except Exception as error:
            return "FAILED", f"Job execution failed, the driver could not be started: {error}"
        self._driver = driver
        self._move("RUNNING")
        return self._watch(driver, fault)

    def _drive(self) -> Driver:
        overrides = (self.request.get("configurationOverrides") or {}).get("applicationConfiguration")
        wanted = emr_driver.plan(
            self.request.get("jobDriver") or {}, getattr(self.application, "runtime_configuration", None), overrides
        )
        return Driver(wanted, self.places.jobs / self.id / str(self.attempt.number), self.places.unpacked)

    def _watch(self, driver: Driver, fault: emr_faults.Fault | None) -> tuple[str, str]:
        started = time.monotonic()
        limit = self.timeout_minutes * self.pace.minute_seconds or float("inf")
        while True:
            code = driver.wait(POLL_SECONDS)
            if code is not None:
                return _ended(code)
            ran = time.monotonic() - started
            if self._cancelled.is_set():
                driver.terminate(self.grace_seconds)
                return "CANCELLED", "Job run was cancelled."
            if ran > limit:
                self._move("CANCELLING")
                driver.terminate(self.grace_seconds)
                return "CANCELLED", f"Job run exceeded its execution timeout of {self.timeout_minutes} minutes."
            if fault and ran >= fault.after_seconds:
                outcome, fault = _strike(driver, fault)
                if outcome:
                    return outcome

    def _move(self, state: str, details: str = "") -> None:
        """Changes the state; one that is being cancelled goes nowhere but to its end."""
        with self._changing:
            if self.attempt.state == "CANCELLING" and state not in ENDED:
                return
            self._set(state, details)

    def _set(self, state: str, details: str) -> None:
        self.attempt.state, self.attempt.details = state, details
        self.attempt.updated_at = datetime.now(UTC)


def _ended(code: int) -> tuple[str, str]:
    if code == 0:
        return "SUCCESS", ""
    text = "Job execution failed, please check complete logs in configured logging destination."
    return "FAILED", f"{text} ExitCode: {code}."


def _strike(driver: Driver, fault: emr_faults.Fault) -> tuple[tuple[str, str] | None, emr_faults.Fault | None]:
    """Lets a fault happen; returns how the attempt ended, if it did, and the fault when it is still to come."""
    match fault.kind:
        case emr_faults.LOST:
            driver.kill()
            return ("FAILED", "Job execution failed, the driver was lost."), None
        case emr_faults.ORPHANED:
            return ("FAILED", "Job execution failed, the driver does not answer."), None
        case emr_faults.PROGRAM_KILLED:
            return None, None if driver.kill_program() else fault
    return None, None
