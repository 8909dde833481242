"""One drill: a fault meets a job of a DAG run, and Airflow's state, the attempts' records and the tables must be what they should.

A drill runs one job of `lake_daily` (rates of the ECB: two steps, and a source that is a file) with all other tasks marked as done.
Its tables are held against those of the same steps run once by the launcher alone, on a lake in a directory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import rates
from proofs import airflow, day, door, lake, places
from proofs.airflow import Run
from proofs.door import Door
from proofs.stores import Bucket, Place

DAY = places.DAYS[0]
# When the runs are for; of the quarter of an hour before the second one no source has anything.
INSTANTS = {"lake_daily": datetime(2017, 12, 31, 2, tzinfo=UTC), "lake_behavior": datetime(2018, 6, 1, tzinfo=UTC)}
JOB, TABLE, AT = "bronze_ecb", "bronze_fx_rates", "bronze/fx_rates"
LAYERS = ("bronze", "silver", "gold", "quarantine", "held")
VERDICTS = "ops/dq_verdicts"
# Where `ci/aws-local fault` plants them.
FAULTS = places.HOME / "aws" / "faults"
ENDED = ("SUCCESS", "FAILED", "CANCELLED")
# After the driver has started: the program is at the door by then, or will come to it.
STRIKE_SECONDS = 1
RETRY_SECONDS = 2
STRAGGLER_SECONDS_MAX = 90
LOOK_SECONDS = 0.2
# Given the service's runs so far, the door and the lake.
Opens = Callable[[list[dict], Door, Bucket], bool]


def first_has_ended(runs: list[dict], _door: Door, _lake: Bucket) -> bool:
    """Whether the service shows the end of the first attempt."""
    return bool(runs) and runs[0]["state"] in ENDED


def second_asks_too(runs: list[dict], asked: Door, _lake: Bucket) -> bool:
    """Whether the second attempt stands at the door, where the first one waits."""
    return len(runs) > 1 and max(asked.asked_at) > runs[1]["createdAt"].timestamp()


def another_record_is_there(runs: list[dict], _door: Door, target: Bucket) -> bool:
    """Leaves, where the first attempt's record will be looked for, one that tells of success and is of another attempt."""
    if not runs:
        return False
    run_id = runs[0]["name"].split(".")[2]
    record = {"schema_version": 1, "job": JOB, "run_id": run_id, "attempt": 7, "exit": 0, "steps": [], "versions": {TABLE: 777}}
    target.write(f"ops/attempts/{run_id}/1.json", json.dumps(record).encode())
    return True


@dataclass(frozen=True)
class Drill:
    """A fault, and what must come of it."""

    name: str
    story: str
    # What goes wrong: in the service, at the source's door until it opens, in the source's file, in a program.
    fault: str = ""
    times: int = 1
    before: str = door.OPEN
    opens: Opens = first_has_ended
    broken: bool = False
    scripts: dict[str, str] = field(default_factory=dict)
    dag: str = "lake_daily"
    job: str = JOB
    # What must come of it: the task, the service's runs, the exit codes that attempts left; an attempt that is not named left nothing.
    state: str = "success"
    tries: int = 2
    runs: tuple[str, ...] = ("FAILED", "SUCCESS")
    exits: dict[int, tuple[int, ...]] = field(default_factory=dict)
    # Both attempts were at work at the same time.
    together: bool = False

    @property
    def stem(self) -> str:
        """Returns what the names of the service's runs begin with, whatever the DAG run."""
        return f"{self.dag}.{self.job}."


@dataclass
class World:
    """What drills share."""

    lakes: Bucket
    programs: Path
    scratch: Path
    # The file of the source as it should be, and one of which every rate is unreadable.
    files: dict[bool, bytes]
    controls: dict[bool, Place] = field(default_factory=dict)

    def control(self, broken: bool) -> Place:
        """Returns the lake of an undisturbed run on a file; made once."""
        if broken not in self.controls:
            self.controls[broken] = _undisturbed(self, broken)
        return self.controls[broken]


def _undisturbed(world: World, broken: bool) -> Place:
    """Runs the job's steps with the launcher alone; returns the lake."""
    target = day.fresh(world.scratch / f"control-{'broken' if broken else 'good'}")
    server, address = Door(world.files[broken]).serve()
    job = next(job for job in airflow.jobs("lake_daily") if job["job"] == JOB)
    told = {
        "schema_version": 1, "job": JOB, "run_id": str(uuid.uuid4()), "attempt": 1, "release": "here", "lake": str(target),
        "window": DAY, "contracts": str(places.CONTRACTS), "programs": str(world.programs),
    }  # fmt: skip
    command = [sys.executable, str(places.ROOT / "dags" / "jobs" / "launcher.py"), "--job", json.dumps(told)]
    for step in job["steps"]:
        command += ["--step", json.dumps(step)]
    env = day.environment() | {"FX_URL": address}
    done = subprocess.run(command, env=env, text=True, capture_output=True, check=False)
    server.shutdown()
    if done.returncode != (65 if broken else 0):
        raise SystemExit(f"the undisturbed run ended with {done.returncode}:\n{done.stderr}")
    return target


def run(drill: Drill, world: World) -> list[str]:
    """Runs a drill and prints what came of it; returns what is wrong."""
    began = time.monotonic()
    target = day.fresh(world.lakes / drill.name)
    before = len(airflow.job_runs(drill.stem))
    source = Door(world.files[drill.broken], drill.before, lambda asked: drill.opens(airflow.job_runs(drill.stem)[before:], asked, target))
    server, address = source.serve()
    if drill.fault:
        _plant(drill)
    jobs = [drill.job, *(_at_the_end(drill) if drill.state == "failed" else [])]
    more = airflow.only(*jobs) if len(airflow.jobs(drill.dag)) > 1 else []
    ended = airflow.test(drill.dag, INSTANTS[drill.dag], env=day.environment() | _settings(drill, world, target, address), more=more)
    wrong = _left_behind(drill, ended, target)
    server.shutdown()
    wrong += _unmet()
    wrong += _states(drill, ended, target) + _effect(drill, target, world)
    exits = ", ".join(f"{number}: {code}" for number, code in _exits(drill, ended, target).items())
    runs = " ".join(run["state"] for run in ended.job_runs(drill.job)) or "none"
    found = ended.tasks[drill.job]
    print(
        f"  {'ok   ' if not wrong else 'WRONG'} {drill.name:<15} {drill.story}: {found.state} at try {found.tries}, "
        f"service's runs {runs}, exits by attempt {exits}; {time.monotonic() - began:.0f} s",
        flush=True,
    )
    return [f"{drill.name}: {one}" for one in wrong] + ([f"{drill.name}: read {ended.log}"] if wrong else [])


def _plant(drill: Drill) -> None:
    command = [str(places.ROOT / "ci" / "aws-local"), "fault", drill.fault, "--job", drill.stem]
    command += ["--times", str(drill.times), "--after-seconds", str(STRIKE_SECONDS)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def _unmet() -> list[str]:
    """Takes back the faults that nobody met, so that the next drill does not; returns what that means for this one."""
    left = sorted(FAULTS.glob("*.json"))
    for file in left:
        file.unlink()
    return [f"{len(left)} faults were met by nobody"] if left else []


def _settings(drill: Drill, world: World, target: Place, address: str) -> dict[str, str]:
    """Returns what Airflow is told for this drill alone."""
    connections = json.loads(os.environ["AIRFLOW__SLUICE__DRIVER_ENV"]) | {"FX_URL": address}
    found = {"AIRFLOW__SLUICE__LAKE": str(target), "AIRFLOW__SLUICE__DRIVER_ENV": json.dumps(connections)}
    found["AIRFLOW__SLUICE__RETRY_SECONDS"] = str(RETRY_SECONDS)
    if drill.scripts:
        folder = day.programs(world.scratch / f"programs-{drill.name}", world.programs, drill.scripts)
        found |= {"AIRFLOW__SLUICE__PROGRAMS": str(folder), "AIRFLOW__SLUICE__CONTRACTS": str(places.CONTRACTS)}
    return found


def _left_behind(drill: Drill, ended: Run, target: Place) -> list[str]:
    """Waits for the record of each attempt that must leave one: one that Airflow gave up may still be at work."""
    give_up_at = time.monotonic() + STRAGGLER_SECONDS_MAX
    for attempt in drill.exits:
        while ended.record(target, drill.job, attempt) is None:
            if time.monotonic() > give_up_at:
                return [f"attempt {attempt} left no record within {STRAGGLER_SECONDS_MAX} s"]
            time.sleep(LOOK_SECONDS)
    return []


def _exits(drill: Drill, ended: Run, target: Place) -> dict[int, int | None]:
    """Returns the exit code that each attempt left."""
    records = {number: ended.record(target, drill.job, number) for number in range(1, drill.tries + 1)}
    return {number: record["exit"] if record else None for number, record in records.items()}


def _states(drill: Drill, ended: Run, target: Place) -> list[str]:
    """Returns where Airflow, the service or the records are not as they must be."""
    found, failed = ended.tasks[drill.job], drill.state == "failed"
    wrong = []
    if (found.state, found.tries) != (drill.state, drill.tries):
        wrong.append(f"the task is {found.state} at try {found.tries}, not {drill.state} at try {drill.tries}")
    if (ended.state, ended.code != 0) != ("failed" if failed else "success", failed):
        wrong.append(f"the run is {ended.state}, and `airflow dags test` ended with {ended.code}")
    runs = tuple(run["state"] for run in ended.job_runs(drill.job))
    if runs != drill.runs:
        wrong.append(f"the service's runs are {runs}, not {drill.runs}")
    for number, code in _exits(drill, ended, target).items():
        if code not in drill.exits.get(number, (None,)):
            wrong.append(f"attempt {number} left exit {code}, not {drill.exits.get(number)}")
    if failed:
        wrong += [f"{job} is {ended.tasks[job].state}" for job in _behind(drill) if ended.tasks[job].state != "upstream_failed"]
        # What became of a day is published however it ended, and does not make it a good one.
        wrong += [f"{job} is {ended.tasks[job].state}" for job in _at_the_end(drill) if ended.tasks[job].state != "success"]
        wrong += [f"{place} has no rows" for place, rows in lake.contents_of(target, airflow.PUBLISHED).items() if not rows]
    if drill.together:
        first, second = (ended.record(target, drill.job, number) for number in (1, 2))
        if not (first and second and first["ended_at"] > second["started_at"]):
            wrong.append("the first attempt had ended before the second began")
    last = ended.record(target, drill.job, drill.tries) or {}
    if drill.state == "success" and (not found.versions or found.versions != last.get("versions")):
        wrong.append(f"handed on {found.versions}, and the last attempt left {last.get('versions')}")
    return wrong


def _behind(drill: Drill) -> list[str]:
    """Returns the jobs that wait for the drill's, directly or not."""
    found: set[str] = {drill.job}
    for job in airflow.jobs(drill.dag):
        if found & set(job["after"]) and job["tables"]:
            found.add(job["job"])
    return sorted(found - {drill.job})


def _at_the_end(drill: Drill) -> list[str]:
    """Returns the jobs without tables, which run however those before them ended."""
    return [job["job"] for job in airflow.jobs(drill.dag) if not job["tables"]]


def _effect(drill: Drill, target: Place, world: World) -> list[str]:
    """Returns where the tables are not those of one undisturbed run, rows and number of commits."""
    found = lake.contents(target, LAYERS)
    if drill.state == "skipped":
        return [f"{place} has {rows.total()} rows" for place, rows in found.items() if rows]
    control = world.control(drill.broken)
    expected = lake.contents(control, LAYERS)
    wrong = lake.differences(expected, found)
    if not _some(expected):
        wrong.append("the undisturbed run left no rows, so nothing is compared")
    verdicts = (lake.contents_of(one, (VERDICTS,)) for one in (control, target))
    wrong += lake.differences(*verdicts)
    versions = [lake.versions(one).get(AT) for one in (control, target)]
    if versions[0] != versions[1]:
        wrong.append(f"{AT} is at version {versions[1]}, and {versions[0]} after one run")
    return wrong


def _some(contents: dict[str, Counter]) -> bool:
    return any(rows.total() for rows in contents.values())


def files(scratch: Path) -> dict[bool, bytes]:
    """Returns the ECB's file of the day, and the same with every rate unreadable, by the generator of the sources."""
    good = rates.published_rates("small")[DAY]
    unreadable = rates.Rates(good.currencies, {date: tuple("?" for _ in values) for date, values in good.values.items()})
    rates.write_rates({"good": good, "broken": unreadable}, scratch)
    return {broken: (scratch / name / "fx" / "eurofxref-hist.zip").read_bytes() for name, broken in (("good", False), ("broken", True))}
