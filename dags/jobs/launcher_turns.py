"""Turns: steps that the launcher takes again and again beside one that is kept alive, such as a stream's way on to Silver.

A turn that finds nothing new costs one process. One that was interrupted is tried again; any other failure ends the job.
"""

from __future__ import annotations

import datetime
import threading
import time
from dataclasses import dataclass
from typing import Any, Optional

from launcher_order import BUG, KILLED, NOTHING, OK, TRANSIENT, Job, Order, Step, identity_in_turn
from launcher_process import Ending, Processes, say

# Interrupted turns in a row, after which whoever started the job tries: with turns of a minute, what is away for so long is no hiccup.
TRIES_MAX = 10
# The step that turns stand beside makes its table first.
SETTLE_SECONDS = 5


@dataclass
class Course:
    """How a step fares over the turns: its last run, and what it was given when it last ended well."""

    step: Step
    ending: Ending
    turn: Optional[int] = None
    runs: int = 0
    given: Optional[dict[str, int]] = None
    version: Optional[int] = None
    done_at: float = 0.0

    def is_due(self, given: dict[str, int], at: float) -> bool:
        """Whether there may be something to do: it never ended well, or its inputs are others and it is time again."""
        if self.given is None:
            return True
        # Without a known input it is the step's own business to see what is new.
        return (not given or given != self.given) and at - self.done_at >= (self.step.every_seconds or 0)


def rest_after(took: float, seconds: int) -> float:
    """Returns the time until the next turn: turns begin at an interval, or at once after one that took longer."""
    return max(0.0, seconds - took)


class Turns:
    """Takes turns in a thread of its own until it is told to end, or one fails."""

    def __init__(self, job: Job, order: Order, processes: Processes) -> None:
        self.job, self.processes, self.seconds = job, processes, order.turn_seconds
        self.courses = [Course(step, Ending(step)) for step in order.turn]
        self.number, self.tries, self.taken, self.interrupted = 1, 1, 0, 0
        # Exit code of the job, and why.
        self.failed: Optional[tuple[int, str]] = None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._take, name="turns", daemon=True)

    def begin(self) -> None:
        """Begins with the first turn."""
        self.thread.start()

    def end(self) -> None:
        """Ends the turn under way and takes no other; what it did not get to is there for the next job."""
        self.over.set()
        if self.thread.ident is not None:
            self.processes.stop()
            self.thread.join()

    def versions(self) -> dict[str, int]:
        """Returns the newest version of each table that a step has told."""
        found: dict[str, int] = {}
        for course in self.courses:
            if course.version is not None and course.step.table:
                # A gate that is not in each turn has judged an older one than the turn has built.
                found[course.step.table] = max(course.version, found.get(course.step.table, 0))
        return found

    def told(self) -> dict[str, Any]:
        """Returns how they went as it is left below the lake: a day of turns is not more than one."""
        steps = [{"turn": course.turn, "runs": course.runs, **course.ending.told()} for course in self.courses]
        return {"every_seconds": self.seconds, "taken": self.taken, "interrupted": self.interrupted, "steps": steps}

    def _is_over(self) -> bool:
        return self.over.is_set() or self.processes.signal is not None

    def _take(self) -> None:
        try:
            rest: float = SETTLE_SECONDS
            while not self.over.wait(rest) and not self._is_over():
                began = time.monotonic()
                self._count(*self._turn())
                if self.failed:
                    break
                rest = rest_after(time.monotonic() - began, self.seconds)
        except Exception as error:
            # A thread that dies unseen would be a stream without turns.
            self.failed = BUG, f"the turns broke: {error!r}"
        if self.failed:
            say(self.failed[1])
            # The step beside them ends as it would for the scheduler, and so does the job.
            self.processes.stop()

    def _count(self, code: int, why: str) -> None:
        """Notes how a turn ended; what it was told to end with is nobody's fault."""
        if self._is_over():
            return
        if code in (OK, NOTHING):
            self.number, self.tries, self.taken = self.number + 1, 1, self.taken + 1
        elif code == TRANSIENT or code in KILLED:
            self.interrupted += 1
            if self.tries >= TRIES_MAX:
                self.failed = TRANSIENT, f"{self.tries} tries of a turn in a row were interrupted, at last: {why}"
            self.tries += 1
        else:
            self.failed = code, why

    def _turn(self) -> tuple[int, str]:
        """Takes one turn, up to the first step that does not end with 0."""
        at, versions = datetime.datetime.now(datetime.timezone.utc), dict(self.job.versions)
        for course in self.courses:
            given = {table: versions[table] for table in course.step.inputs if table in versions}
            if not course.is_due(given, time.monotonic()):
                if course.version is not None and course.step.table:
                    versions.setdefault(course.step.table, course.version)
                continue
            if self._is_over():
                break
            began = time.monotonic()
            ending = Ending(course.step)
            course.ending, course.turn, course.runs = ending, self.number, course.runs + 1
            known = identity_in_turn(self.job, course.step, self.number, self.tries, at)
            self.processes.run(ending, known, versions)
            if ending.exit != OK:
                return ending.exit or BUG, ending.why or ""
            course.given, course.done_at = given, began
            course.version = versions.get(course.step.table or "")
        return OK, ""
