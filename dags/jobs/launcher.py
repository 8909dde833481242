"""Entry point of an EMR Serverless job: runs an ordered list of Sluice's programs and leaves what became of them.

EMR Serverless starts Spark drivers only, so a driver that never opens a SparkContext stands between it and the programs.
It has `run-pipeline attempt` create `ops/attempts/<run_id>/<attempt>.json` below the lake: that file is what a scheduler
reads. `dags/README.md` says what the arguments and the file hold. Standard library only: nothing else is sure to be there.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

PROGRAMS = frozenset({
    "catalog-sync", "dq-check", "goldify", "ingest-fx", "ingest-hubspot", "ingest-kafka", "ingest-redshift",
    "ingest-snowflake", "lineage-emit", "run-pipeline", "silverize",
})
# In an image of our own; where EMR unpacks an archive.
DIRECTORIES = ("/opt/sluice/bin", "./environment/bin")
RECORDER = "run-pipeline"

OK, BUG, CONFIG, TRANSIENT, NOTHING = 0, 1, 2, 75, 99
FAULTS = {1: "bug", 2: "config", 65: "data", 75: "transient"}
# Ended by SIGINT, SIGKILL (also what the kernel does when memory is short) and SIGTERM: nobody has to mend anything.
KILLED = frozenset({130, 137, 143})
# What a program gets to give up its commit and tell its end: out of time; or when the job is ended, and is gone itself after 120 s.
GRACE_SECONDS, ENDING_SECONDS = 30, 90

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
    arguments: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name for people, and what the step's run id is derived from."""
        return f"{self.program} {self.table}" if self.table else self.program


@dataclass
class Ending:
    """What became of a step."""

    step: Step
    state: str = "not_run"
    exit: Optional[int] = None
    fault: Optional[str] = None
    why: Optional[str] = None
    started_at: Optional[str] = None
    ended_at: Optional[str] = None
    duration_ms: Optional[int] = None
    summary: Optional[dict[str, Any]] = None


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
    "timeout_seconds": (lambda v: is_whole(v, 1), "a whole number from 1", True),
    "arguments": (lambda v: isinstance(v, list) and all(a == "" or is_text(a) for a in v), "a list of texts", True),
}


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


def step_of(text: str) -> Step:
    """Reads the description of a step."""
    return Step(**given(text, "--step", STEP))


def command(job: Job, step: Step, contracts: str, summary: str, versions: dict[str, int]) -> list[str]:
    """The step's command, its program by name."""
    if step.table is None:
        return [step.program, *step.arguments]
    run_id = uuid.uuid5(job.run_id, step.name)
    parts = [step.program, step.table, "--window", job.window, "--lake", job.lake, "--contracts", contracts]
    parts += ["--secrets", job.secrets] if job.secrets else []
    parts += ["--run-id", str(run_id), "--attempt", str(job.attempt), "--output", "json", "--summary-to", summary]
    for table in (table for table in step.inputs if table in versions):
        parts += ["--input", f"{table}@{versions[table]}"]
    return parts + step.arguments


def directory_of(job: Job, steps: list[Step]) -> str:
    """The directory of the programs: one that holds all of them, so that no two releases meet in a job."""
    needed = sorted({RECORDER, *(step.program for step in steps)})
    missing: dict[str, list[str]] = {}
    for place in [job.programs] if job.programs else DIRECTORIES:
        missing[place] = [program for program in needed if not os.path.isfile(os.path.join(place, program))]
        if not missing[place]:
            for program in needed:
                _executable(os.path.join(place, program))
            return os.path.abspath(place)
    said = "; ".join(f"{place} has no {', '.join(names)}" for place, names in missing.items())
    raise Refused(f"failed to find the programs: {said}")


def _executable(path: str) -> None:
    """An archive may have lost the bit."""
    try:
        if not os.access(path, os.X_OK):
            os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
    except OSError as error:
        raise Refused(f"failed to make {path} executable: {error.strerror}") from error


@dataclass
class Launcher:
    """Runs the steps of a job and remembers what became of them."""

    job: Job
    endings: list[Ending]
    directory: str
    scratch: str
    started_at: str
    versions: dict[str, int]
    exit: int = OK
    why: Optional[str] = None
    signal: Optional[signal.Signals] = None
    child: Optional[subprocess.Popen] = None

    def signalled(self, number: int, _frame: Any) -> None:
        """Hands a signal on; a step that does not listen is killed while its end can still be told."""
        self.signal = signal.Signals(number)
        if self.child is not None:
            self.child.send_signal(number)
        signal.alarm(ENDING_SECONDS)

    def run(self) -> None:
        """Runs the steps up to the first that does not end with 0."""
        for number, ending in enumerate(self.endings, 1):
            if self.signal is not None:
                self.exit, self.why = 128 + self.signal, f"{self.signal.name} came before `{ending.step.name}` was started"
                return
            self._run(number, ending)
            if ending.exit != OK:
                self.exit, self.why = ending.exit, ending.why
                return

    def _run(self, number: int, ending: Ending) -> None:
        step, summary = ending.step, os.path.join(self.scratch, f"summary-{number}.json")
        parts = command(self.job, step, contracts_of(self.job, self.directory), summary, self.versions)
        say(f"step {number} of {len(self.endings)}: {step.name}")
        ending.started_at, began = now(), time.monotonic()
        self._settle(ending, self._process(ending, parts), summary)
        ending.ended_at, ending.duration_ms = now(), round((time.monotonic() - began) * 1000)

    def _process(self, ending: Ending, parts: list[str]) -> int:
        # A step without a table finds lake and contracts here; the archive brings a driver to where no loader looks.
        found = {"LAKE_URI": self.job.lake, "LAKE_CONTRACTS": contracts_of(self.job, self.directory)}
        driver = os.path.join(os.path.dirname(self.directory), "lib", "libadbc_driver_snowflake.so")
        drivers = {"SNOWFLAKE_DRIVER": driver} if os.path.isfile(driver) else {}
        program = os.path.join(self.directory, parts[0])
        try:
            child = subprocess.Popen([program, *parts[1:]], stdin=subprocess.DEVNULL, env={**drivers, **os.environ, **found})
        except OSError as error:
            ending.why = f"`{ending.step.name}` could not be started: {error.strerror}"
            return CONFIG
        self.child = child
        # A signal that came while the process was being made found nobody to hand it to.
        if self.signal is not None:
            child.send_signal(self.signal)
        try:
            code = child.wait(ending.step.timeout_seconds)
        except subprocess.TimeoutExpired:
            stop(child)
            ending.why = f"`{ending.step.name}` took longer than {ending.step.timeout_seconds} s and was stopped"
            return TRANSIENT
        finally:
            self.child = None
        if code < 0:
            ending.why = f"`{ending.step.name}` was ended by {signal.Signals(-code).name}"
        return code if code >= 0 else 128 - code

    def _settle(self, ending: Ending, code: int, summary: str) -> None:
        step = ending.step
        ending.summary = read(summary) if step.table else None
        if code == OK and step.table and ending.summary is None:
            code, ending.why = BUG, f"`{step.name}` ended with 0 but left no summary"
        elif code != OK and ending.why is None:
            ending.why = f"`{step.name}` ended with {code}"
        ending.exit, ending.fault = code, fault_of(code)
        ending.state = {OK: "ok", NOTHING: "skipped"}.get(code, "failed")
        version = (ending.summary or {}).get("table_version")
        if code == OK and is_whole(version):
            self.versions[step.table] = version
        if ending.why:
            say(ending.why)

    def record(self) -> int:
        """Leaves what became of the job below the lake; returns how the launcher ends."""
        path = os.path.join(self.scratch, "attempt.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.document(), file, separators=(",", ":"))
        parts = [os.path.join(self.directory, RECORDER), "attempt", "--record", path, "--lake", self.job.lake,
                 "--run-id", str(self.job.run_id), "--attempt", str(self.job.attempt)]
        # In a session of its own: who stops the job's processes must not stop what tells of it.
        code = subprocess.run(parts, stdin=subprocess.DEVNULL, start_new_session=True, check=False).returncode
        code = code if code >= 0 else 128 - code
        if code != OK:
            say(f"the attempt could not be left: `{RECORDER} attempt` ended with {code}")
        # What failed first is what a person must know.
        return self.exit if code == OK or self.exit not in (OK, NOTHING) else code

    def document(self) -> dict[str, Any]:
        """What is left below the lake."""
        job, steps = self.job, []
        for ending in self.endings:
            step, told = ending.step, {key: value for key, value in vars(ending).items() if key != "step"}
            run_id = str(uuid.uuid5(job.run_id, step.name)) if step.table else None
            steps.append({"program": step.program, "table": step.table, "run_id": run_id, **told})
        return {
            "schema_version": 1,
            "job": job.job, "run_id": str(job.run_id), "attempt": job.attempt, "release": job.release, "window": job.window,
            "started_at": self.started_at, "ended_at": now(),
            "exit": self.exit, "fault": fault_of(self.exit), "why": self.why,
            "signal": self.signal.name if self.signal else None,
            "steps": steps, "versions": self.versions,
        }


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
    """What a program said of itself; nothing where it did not get that far."""
    try:
        with open(path, encoding="utf-8") as file:
            said = json.load(file)
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def now() -> str:
    """The present instant, UTC."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def say(text: str) -> None:
    """Tells people; stdout belongs to the programs."""
    print(f"launcher: {text}", file=sys.stderr, flush=True)


def show(job: Job, texts: list[str]) -> int:
    """Prints what would be started."""
    for number, step in enumerate(map(step_of, texts), 1):
        print(json.dumps(command(job, step, job.contracts or "contracts", f"summary-{number}.json", job.versions)))
    return OK


def launch(job: Job, texts: list[str]) -> int:
    """Runs a job."""
    started_at, steps, refused = now(), [], None
    try:
        steps = [step_of(text) for text in texts]
        directory = directory_of(job, steps)
    except Refused as error:
        refused = str(error)
        say(refused)
        # Without the recorder nothing can be left; with it, a scheduler learns that trying again is of no use.
        directory = directory_of(job, [])
    with tempfile.TemporaryDirectory(prefix="sluice-") as scratch:
        launcher = Launcher(job, [Ending(step) for step in steps], directory, scratch, started_at, dict(job.versions))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, launcher.signalled)
        signal.signal(signal.SIGALRM, lambda *_: launcher.child and launcher.child.kill())
        if refused is None:
            launcher.run()
        else:
            launcher.exit, launcher.why = CONFIG, refused
        return launcher.record()


def main(argv: list[str]) -> int:
    """Runs or shows a job; returns the exit code."""
    parser = argparse.ArgumentParser(prog="launcher.py", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--job", required=True, metavar="JSON", help="what all steps have in common")
    parser.add_argument("--step", required=True, metavar="JSON", action="append", help="a step (repeatable, in order)")
    parser.add_argument("--show", action="store_true", help="print the commands and start nothing")
    args = parser.parse_args(argv)
    try:
        job = job_of(args.job)
        return show(job, args.step) if args.show else launch(job, args.step)
    except Refused as error:
        say(str(error))
        return CONFIG


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
