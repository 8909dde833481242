"""What people start by hand, killed at every fault point that it passes and every time that it passes it, and mutated.

Each command is run once undisturbed, then once per point and time: killed there, looked at as a reader would, and run again.
The tables must be those of the undisturbed run, and in between no table may show a state that is neither the old nor the new one.
"""

from __future__ import annotations

import json
import subprocess
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from proofs import day, lake, pii, stores
from proofs.stores import Place

# The first words of points that no day passes: a case must pass them.
OWN = ("replay", "rotate", "emit", "compact", "stream")
REFUSED = 65
# More often no command passes a point on the small slice.
TIMES_MAX = 50
# What the project's own code says, all of it.
TALKATIVE = "info," + ",".join(f"{crate}=trace" for crate in ("goldify", "silverize", "lake_core", "lake_edge", "lake_sql", "lake_table"))
Rows = dict[str, Counter[tuple]]


@dataclass
class Bench:
    """Where lakes stand, and what runs on them."""

    lakes: Place
    programs: Path
    env: dict[str, str]
    # Kills only at the points of these programs' own and at commits.
    sample: bool = False

    def listed(self, what: str) -> list[str]:
        """Returns the fault points, or the operators, that registered themselves."""
        return subprocess.run([str(self.programs / "all-clis"), what], text=True, capture_output=True, check=True).stdout.split()

    def run(self, program: str, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a program to its end."""
        command = [str(self.programs / program), *arguments]
        return subprocess.run(command, env=self.env | (env or {}), text=True, capture_output=True, check=False)


@dataclass
class Case:
    """A command, the lake that it starts from, the tables that it changes, and the first words of its points and operators."""

    name: str
    start: Place
    command: Callable[[Place], list[str]]
    places: tuple[str, ...]
    points: tuple[str, ...]
    operators: tuple[str, ...]
    # What a reader finds wrong who comes at any moment.
    read: Callable[[Place], list[str]]
    # Whether its lake holds people, whose values are then searched for in all that the command left.
    people: bool = True

    def contents(self, target: Place) -> Rows:
        """Returns the rows of the tables that the command changes."""
        return lake.contents_of(target, self.places)


def killed(bench: Bench, case: Case) -> list[str]:
    """Kills the command wherever it can be killed; returns what was wrong afterwards."""
    undisturbed = day.copy(case.start, bench.lakes / f"{case.name}-undisturbed")
    before = case.contents(undisturbed)
    done = bench.run(*case.command(undisturbed), env={"RUST_LOG": TALKATIVE})
    if done.returncode != 0:
        return [f"the undisturbed {case.name} ended with {done.returncode}", done.stderr]
    after = case.contents(undisturbed)
    wrong = [] if before != after else [f"the undisturbed {case.name} changed nothing"]
    wrong += judged(case, undisturbed) + (leaks(bench, undisturbed, done) if case.people else []) + twice(bench, case, after)
    kills: Counter[str] = Counter()
    for point in points(bench, case):
        for time in count(1):
            target = day.copy(case.start, bench.lakes / f"{case.name}-run")
            died = bench.run(*case.command(target), env={"SLUICE_FAULT": f"{point}#{time}"})
            if died.returncode >= 0:
                wrong += [] if died.returncode == 0 else [f"{point}: ended with {died.returncode} instead of a kill", died.stderr]
                break
            kills[point] += 1
            wrong += [f"{point}, time {time}: {line}" for line in resumed(bench, case, target, (before, after))]
            if time == TIMES_MAX:
                wrong.append(f"{point} is passed more than {TIMES_MAX} times")
                break
        if point.split(".")[0] in OWN and not kills[point]:
            wrong.append(f"{point} was not reached")
    print(f"  {case.name}: killed {kills.total()} times at {len(kills)} points ({', '.join(f'{p} {n}' for p, n in kills.items())})", flush=True)
    return wrong


def points(bench: Bench, case: Case) -> list[str]:
    """Returns the fault points that the command may pass."""
    found = [point for point in bench.listed("fault-points") if point.startswith(case.points)]
    return [point for point in found if not bench.sample or point.startswith((*OWN, "table.commit."))]


def resumed(bench: Bench, case: Case, target: Place, states: tuple[Rows, Rows]) -> list[str]:
    """Looks at a lake on which the command was killed, and runs it again, twice; returns what is wrong."""
    before, after = states
    wrong = halfway(case, target, states) + case.read(target)
    again = bench.run(*case.command(target))
    wrong += [f"the second try ended with {again.returncode}", again.stderr] if again.returncode else []
    wrong += lake.differences(after, case.contents(target)) + judged(case, target)
    commits = logged(target)
    third = bench.run(*case.command(target))
    if third.returncode or logged(target) != commits:
        wrong.append(f"the third try ended with {third.returncode}, or committed something")
    return wrong


def twice(bench: Bench, case: Case, after: Rows) -> list[str]:
    """Starts the command as two copies at once; returns what is wrong."""
    target = day.copy(case.start, bench.lakes / f"{case.name}-run")
    program, *arguments = case.command(target)
    command = [str(bench.programs / program), *arguments, "--run-id", str(uuid.uuid4())]
    started = [subprocess.Popen(command, env=bench.env, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(2)]
    said = [process.communicate()[1] for process in started]
    ended = [process.returncode for process in started]
    wrong = [f"two copies ended with {ended}", *said] if any(ended) else []
    return wrong + [f"two copies: {line}" for line in lake.differences(after, case.contents(target)) + judged(case, target)]


def halfway(case: Case, target: Place, states: tuple[Rows, Rows]) -> list[str]:
    """Returns the tables that show neither the old state nor the new one."""
    found = case.contents(target)
    return [f"{place} is halfway" for place in case.places if found.get(place) not in [rows.get(place) for rows in states]]


def judged(case: Case, target: Place) -> list[str]:
    """Returns what is wrong with a lake on which the command has ended: what a reader sees, and the books of its commits."""
    wrong = case.read(target)
    for place in case.places:
        for version, summary in summaries(target, place):
            ledger = summary["ledger"]
            if ledger["read"] != sum(ledger[bucket] for bucket in lake.BUCKETS[1:]):
                wrong.append(f"{place} version {version} is not balanced: {ledger}")
    return wrong


def logged(target: Place) -> list[str]:
    """Returns the entries of all tables' logs."""
    return [file for file in stores.of(target).files() if stores.LOG in file and file.endswith(".json")]


def summaries(target: Place, place: str) -> list[tuple[int, dict]]:
    """Returns what each commit of a table says of itself, from the log's own files."""
    found = []
    store = stores.of(target / place)
    for file in (file for file in store.files() if file.startswith("_delta_log/") and file.endswith(".json")):
        for line in store.read(file).decode().splitlines():
            summary = json.loads(line).get("commitInfo", {}).get("sluice")
            if summary:
                found.append((int(Path(file).stem), summary))
    return found


def leaks(bench: Bench, target: Place, done: subprocess.CompletedProcess[str]) -> list[str]:
    """Searches what the command said and, in a directory, all that it recorded for personal values, as `proofs.pii` does."""
    said = (("what it said", line) for line in (done.stdout + done.stderr).splitlines())
    searched = [("said", said)] + (pii.everywhere(target, bench.programs) if isinstance(target, Path) else [])
    values = pii.every(pii.known(target))
    found = [hit for _, texts in searched for hit in pii.search(texts, values)[1]]
    return [f"a personal value stands in {place}" for place, _ in found[:10]]


def mutated(bench: Bench, case: Case) -> int:
    """Drops, then doubles, one row at each operator; returns how often that was neither refused nor without any effect."""
    target = day.copy(case.start, bench.lakes / "run")
    before = case.contents(target)
    undisturbed = bench.run(*case.command(target))
    if undisturbed.returncode != 0:
        raise SystemExit(f"the undisturbed {case.name} ended with {undisturbed.returncode}:\n{undisturbed.stderr}")
    states = before, case.contents(target)
    wrong = refused = tried = 0
    for name in (name for name in bench.listed("operators") if name.startswith(case.operators)):
        for what in ("drop", "double"):
            target = day.copy(case.start, bench.lakes / "run")
            ended = bench.run(*case.command(target), env={"SLUICE_MUTATE": f"{name}:{what}"})
            tried += 1
            refused += ended.returncode == REFUSED
            # Where no row passes, or the row counts for nothing, the tables are those of the undisturbed run.
            holds = case.contents(target) == states[1] if ended.returncode == 0 else ended.returncode == REFUSED
            if not holds or halfway(case, target, states):
                wrong += 1
                print(f"  {case.name}, {name} {what}: {ended.returncode} NOT REFUSED\n{ended.stderr[-2000:]}", flush=True)
    counted = f"{refused} of {tried} mutations ended with {REFUSED}, {tried - refused - wrong} had no effect, {wrong} went through"
    print(f"  {case.name}: {counted}", flush=True)
    if not refused:
        raise SystemExit(f"mutations: the {case.name} passes no operator")
    return wrong
