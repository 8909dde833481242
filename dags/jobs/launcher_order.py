"""What the launcher is asked for: the job, its steps and its turns, and the commands that they become. Pure; no process, no clock."""

from __future__ import annotations

import datetime
import json
import re
import uuid
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

PROGRAMS = frozenset({
    "catalog-sync", "dq-check", "goldify", "ingest-fx", "ingest-hubspot", "ingest-kafka", "ingest-redshift",
    "ingest-snowflake", "lineage-emit", "run-pipeline", "silverize",
})

OK, BUG, CONFIG, TRANSIENT, NOTHING = 0, 1, 2, 75, 99
FAULTS = {1: "bug", 2: "config", 65: "data", 75: "transient"}
# Ended by SIGINT, SIGKILL (also what the kernel does when memory is short) and SIGTERM: nobody has to mend anything.
KILLED = frozenset({130, 137, 143})

# Where a step without a table needs the job's window, its arguments have this.
WINDOW = "{window}"

TABLE = re.compile(r"[a-z][a-z0-9_]*")


class Refused(Exception):
    """The job cannot be run as it is described: a person must edit something."""


@dataclass(frozen=True)
class Job:
    """What all steps have in common."""

    schema_version: int
    job: str
    run_id: uuid.UUID
    attempt: int
    release: str
    lake: str
    window: str
    contracts: Optional[str] = None
    secrets: Optional[str] = None
    programs: Optional[str] = None
    versions: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One process."""

    program: str
    table: Optional[str] = None
    work: Optional[str] = None
    inputs: list[str] = field(default_factory=list)
    timeout_seconds: Optional[int] = None
    every_seconds: Optional[int] = None
    arguments: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name for people, and what the step's run id is derived from."""
        return f"{self.program} {self.table}" if self.table else self.program


@dataclass(frozen=True)
class Order:
    """A whole job: steps one after another, and what is done again and again beside the last one."""

    steps: list[Step]
    turn: list[Step] = field(default_factory=list)
    turn_seconds: int = 0


@dataclass(frozen=True)
class Identity:
    """What a process is known by, and the window that it is for."""

    run_id: uuid.UUID
    attempt: int
    window: str


def fault_of(code: int) -> Optional[str]:
    """Who has to act, in the words of the programs."""
    if code in (OK, NOTHING):
        return None
    return FAULTS[TRANSIENT] if code in KILLED else FAULTS.get(code, FAULTS[BUG])


def is_text(value: Any) -> bool:
    """Whether it can be an argument of a process."""
    return isinstance(value, str) and value != "" and "\0" not in value


def is_table(value: Any) -> bool:
    """Whether it names a table; a name that looks like an option would be one."""
    return is_text(value) and TABLE.fullmatch(value) is not None


def is_whole(value: Any, least: int = 0) -> bool:
    """Whether it is a whole number of at least this."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


SECONDS = (lambda v: is_whole(v, 1), "a whole number from 1", True)
# Key: what holds of its value, in words, and whether it may be absent.
JOB = {
    "schema_version": (lambda v: is_whole(v, 1) and v == 1, "1", False),
    **{key: (is_text, "a text", False) for key in ("job", "run_id", "release", "lake", "window")},
    "attempt": (lambda v: is_whole(v, 1), "a whole number from 1", False),
    **{key: (is_text, "a text", True) for key in ("contracts", "secrets", "programs")},
    "versions": (lambda v: isinstance(v, dict) and all(is_table(t) and is_whole(n) for t, n in v.items()),
                 'tables with their versions, such as {"silver_orders": 3}', True),
}
STEP = {
    "program": (lambda v: is_text(v) and v in PROGRAMS, f"one of {', '.join(sorted(PROGRAMS))}", False),
    "table": (is_table, "the name of a table", True),
    "work": (is_text, "a text", True),
    "inputs": (lambda v: isinstance(v, list) and all(map(is_table, v)), "a list of names of tables", True),
    "timeout_seconds": SECONDS,
    "arguments": (lambda v: isinstance(v, list) and all(a == "" or is_text(a) for a in v), "a list of texts", True),
}
# Of a turn every step has a table: by its versions it is known whether there is anything to do.
TURN = {**STEP, "table": (is_table, "the name of a table", False), "every_seconds": SECONDS}


def given(text: str, option: str, keys: dict[str, tuple[Callable[[Any], bool], str, bool]]) -> dict[str, Any]:
    """Reads an option's JSON object; null is as good as absent."""
    try:
        said = json.loads(text)
    except ValueError as error:
        raise Refused(f"{option} is no JSON: {error}") from error
    if not isinstance(said, dict):
        raise Refused(f"{option} is no JSON object")
    for key in sorted(set(said) - set(keys)):
        raise Refused(f"{option} has an unknown key `{key}`; known are {', '.join(keys)}")
    for key, (holds, words, absent) in keys.items():
        value = said.get(key)
        if not (absent if value is None else holds(value)):
            raise Refused(f"{option}: `{key}` must be {words}")
    return {key: value for key, value in said.items() if value is not None}


def job_of(text: str) -> Job:
    """Reads the description of the job."""
    said = given(text, "--job", JOB)
    try:
        return Job(**{**said, "run_id": uuid.UUID(said["run_id"])})
    except ValueError as error:
        raise Refused("--job: `run_id` must be a UUID") from error


def order_of(steps: list[str], turn: list[str], turn_seconds: Optional[int]) -> Order:
    """Reads the descriptions of the steps."""
    if bool(turn) != is_whole(turn_seconds, 1):
        raise Refused("--turn and --turn-seconds, a whole number from 1, go together")
    read = [Step(**given(text, "--step", STEP)) for text in steps]
    return Order(read, [Step(**given(text, "--turn", TURN)) for text in turn], turn_seconds or 0)


def identity(job: Job, step: Step) -> Identity:
    """Returns what a step is known by: the same in each attempt of the job."""
    return Identity(uuid.uuid5(job.run_id, step.name), job.attempt, job.window)


def identity_in_turn(job: Job, step: Step, number: int, tries: int, at: datetime.datetime) -> Identity:
    """Returns what a step of a turn is known by: a turn that is tried again has the same run, and another attempt of it."""
    name = f"{step.name} attempt {job.attempt} turn {number}"
    return Identity(uuid.uuid5(job.run_id, name), tries, window_at(job.window, at))


def window_at(window: str, at: datetime.datetime) -> str:
    """Returns the window that holds an instant, of a row of windows like the job's, which is the first: a stream has the same row."""
    day, _, end = window.partition("/")
    try:
        start = _instant(day)
        length = _instant(end) - start if end else datetime.timedelta(days=1)
    except ValueError:
        # The program says what is wrong with it.
        return window
    if at < start + length or length <= datetime.timedelta(0):
        return window
    start += (at - start) // length * length
    return f"{start:%Y-%m-%d}" if not end else f"{start:%Y-%m-%dT%H:%M:%SZ}/{start + length:%Y-%m-%dT%H:%M:%SZ}"


def _instant(text: str) -> datetime.datetime:
    at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return at.astimezone(datetime.timezone.utc) if at.tzinfo else at.replace(tzinfo=datetime.timezone.utc)


def command(job: Job, step: Step, known: Identity, places: tuple[str, str], versions: dict[str, int]) -> list[str]:
    """The step's command, its program by name; the places are those of the contracts and of the summary."""
    if step.table is None:
        return [step.program, *(job.window if word == WINDOW else word for word in step.arguments)]
    contracts, summary = places
    parts = [step.program, step.table, "--window", known.window, "--lake", job.lake, "--contracts", contracts]
    if job.secrets:
        parts += ["--secrets", job.secrets]
    parts += ["--run-id", str(known.run_id), "--attempt", str(known.attempt), "--output", "json", "--summary-to", summary]
    for table in step.inputs:
        if table in versions:
            parts += ["--input", f"{table}@{versions[table]}"]
    return parts + step.arguments
