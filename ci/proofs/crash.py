"""Kills programs at every fault point, resumes, and compares all tables with those of an undisturbed run.

`python -m proofs.crash [--sample]`: fault point x program (on one lake every program dies once, at a point of its own, and
is tried again), two copies of every program at once, a contract that is
mended between crash and retry; a replay, a rotation, a delivery of lineage, a stream and a compaction, killed everywhere. `python -m
proofs.crash --random N`: whole runs killed at N random moments. With `--lake s3://BUCKET/PREFIX` all lakes stand there instead of in a
directory.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from proofs import by_hand, day, delivery, lake, lineage, places, replay, rotation, stores, streaming
from proofs.stores import Place

DAY = places.DAYS[1]
FOLDER = places.PROOFS / "crash"
# One file for each program that has died on the lake in hand.
DEAD = FOLDER / "dead"
# What a killed program ends with, so that run-pipeline tries it again.
TRANSIENT = 75
Case = tuple[str, str]
# The fault points of a program's own crate start with its source or layer; all others may be reached by any program.
OWNERS = {
    "fx": ("ingest-fx",), "hubspot": ("ingest-hubspot",), "kafka": ("ingest-kafka",), "snowflake": ("ingest-snowflake",),
    "redshift": ("ingest-redshift",), "dq": ("dq-check",), "silver": ("silverize",), "gold": ("goldify",),
    "pipeline": ("run-pipeline",), "edge": day.PROGRAMS,
}  # fmt: skip
# Programs that commit more than once in a run: what is left over, then the data; one record after the other.
SECOND_COMMIT = ("silverize", "goldify", "run-pipeline")
# No day reads Redshift by UNLOAD, or writes to a catalog: ci/unload --killed and ci/catalog --killed kill there.
ELSEWHERE = ("redshift.unload.", "redshift.clean.", "catalog.")
INGEST = ("ingest-fx", "ingest-hubspot", "ingest-kafka", "ingest-snowflake", "ingest-redshift")
# How often a lake is killed at random before it is compared.
KILLS_A_LAKE = 8
# Points of the small sample in ci/test: the commit that everything relies on, in one program of each kind.
BETWEEN = ("silver.quarantine.after", "silver.held.after")
SAMPLE = (("table.commit.before", "ingest-kafka"), ("table.commit.after", "silverize"), ("table.commit.before", "goldify"))


@dataclass
class Bench:
    """A lake before the day, the day's tables when nothing disturbs it, and what came of each case."""

    lakes: Place
    programs: Path
    env: dict[str, str]
    starts: dict[str, tuple[Place | None, str]] = field(default_factory=dict)
    expected: dict[str, dict[str, Counter[tuple]]] = field(default_factory=dict)
    sample: bool = False

    def begin(self, name: str, start: Place | None, window: str) -> None:
        """Runs a window undisturbed from a start (none: an empty lake) and keeps its tables."""
        self.starts[name] = (start, window)
        undisturbed = self.fresh(name, self.lakes / f"undisturbed-{name}")
        day.must(day.run(window, undisturbed, programs=self.programs, env=self.env), f"the undisturbed run of {window}")
        self.expected[name] = contents(undisturbed)

    def fresh(self, name: str, target: Place | None = None) -> Place:
        """Returns a lake as it is before the window of a start."""
        start, target = self.starts[name][0], target or self.lakes / "run"
        return day.copy(start, target) if start else day.fresh(target)

    def resume(self, name: str, target: Place, contracts: Path = places.CONTRACTS) -> list[str]:
        """Runs the window again with nothing armed; returns how the tables differ from the undisturbed ones."""
        window = self.starts[name][1]
        ended = day.run(window, target, programs=self.programs, env=self.env, more=("--resume",), contracts=contracts)
        if ended.code != 0:
            return [f"the resumed run ended with {ended.code}", *ended.stderr.splitlines()[-8:]]
        return self.differences(name, target)

    def differences(self, name: str, target: Place, *, copies: bool = False) -> list[str]:
        """Returns how the tables differ from the undisturbed ones, and what is wrong with what the runs told of themselves.

        `copies` says that two processes at once were one attempt, on purpose.
        """
        told = lineage.run_problems([event for _, event in lineage.outbox(target)], copies=copies)
        return lake.differences(self.expected[name], contents(target)) + list(told)


def contents(folder: Place) -> dict[str, Counter[tuple]]:
    """Returns the rows of all tables that hold data or verdicts. `ops/runs` and `ops/ledger` repeat the log commit by
    commit, and a crash between two commits of one program may add one: their sums are compared instead."""
    found = lake.contents(folder, ("bronze", "silver", "gold", "quarantine", "held"))
    for place, table in lake.tables(folder):
        if place in ("ops/dq_verdicts", "ops/quality_scores"):
            found[place] = lake.rows(table, lake.left_out(place) | {"version"})
        if place == "ops/ledger":
            kept = [row for row in table.to_pyarrow_table().to_pylist() if not row["table"].startswith(("quarantine_", "held_"))]
            found[place] = Counter(tuple(str(row[name]) for name in sorted(row) if name != "run_id") for row in kept)
    return found


def prepare(lakes: Place, programs: Path) -> Bench:
    """Makes the lake before the day, and both undisturbed runs."""
    base = lakes / "base"
    bench = Bench(lakes, programs, day.staged(base, programs, day.environment()))
    bench.begin("day", base, DAY)
    bench.begin("new", None, places.FIRST)
    return bench


def fault_points(programs: Path) -> list[str]:
    """Returns the fault points that registered themselves."""
    text = subprocess.run([str(programs / "all-clis"), "fault-points"], text=True, capture_output=True, check=True).stdout
    return text.split()


def cases(programs: Path, sample: bool) -> list[Case]:
    """Returns the (fault point, program) pairs that can meet."""
    points = fault_points(programs)
    if not points:
        raise SystemExit("crash: no fault point registered itself; build with ci/build --faults")
    if sample:
        return [case for case in SAMPLE if case[0] in points]
    found = []
    for point in points:
        prefix = point.split(".")[0]
        if prefix in by_hand.OWN or point.startswith(ELSEWHERE):
            continue  # no day passes it
        owners = INGEST if prefix == "bronze" else OWNERS.get(prefix, (*day.PROGRAMS, "run-pipeline"))
        found += [(point, program) for program in owners]
        if point.startswith("table.commit."):
            found += [(f"{point}#2", program) for program in SECOND_COMMIT]
    return found


def rounds(left: list[Case]) -> Iterator[dict[str, str]]:
    """Deals the pairs to as few lakes as there can be when each program dies once on each: program to point."""
    points = {program: [point for point, other in left if other == program] for program in dict.fromkeys(program for _, program in left)}
    for row in zip_longest(*points.values()):
        yield {program: point for program, point in zip(points, row, strict=True) if point}


def armed(bench: Bench, victims: dict[str, str], *, once: bool = True) -> Path:
    """Returns a directory of programs in which each victim dies at its point: once, and is tried again, or every time.

    Children of run-pipeline do not inherit its fault. Two processes of one program at the same time may both die.
    """
    shutil.rmtree(DEAD, ignore_errors=True)
    DEAD.mkdir(parents=True)
    scripts = dict.fromkeys(day.PROGRAMS, 'unset SLUICE_FAULT\nexec -a {program} "{real}" "$@"\n')
    for program, point in victims.items():
        scripts[program] = f'unset SLUICE_FAULT\n[[ -e "{DEAD}/{program}" ]] || export SLUICE_FAULT="{point}"\n'
        scripts[program] += '( exec -a {program} "{real}" "$@" )\ncode=$?\n'
        scripts[program] += f'if ((code > 128)); then touch "{DEAD}/{program}"; exit {TRANSIENT}; fi\n' if once else ""
        scripts[program] += 'exit "$code"\n'
    return day.programs(FOLDER / "programs", bench.programs, scripts)


def dead() -> set[str]:
    """Returns the victims that have died."""
    return {marker.name for marker in DEAD.iterdir()}


def killed(bench: Bench, name: str, victims: dict[str, str]) -> tuple[set[str], list[str]]:
    """Kills each program at its point in one window; returns which died, and how the tables differ afterwards."""
    target = bench.fresh(name)
    programs = armed(bench, victims)
    while True:
        before = dead()
        ended = day.run(bench.starts[name][1], target, programs=programs, env=bench.env, more=("--resume", "--retry-seconds", "0"))
        if ended.code == 0:
            return dead(), bench.differences(name, target)
        # Who starts all others is started again from here.
        if "run-pipeline" not in dead() - before:
            return dead(), [f"the run ended with {ended.code}", *ended.stderr.splitlines()[-8:]]


def twice(bench: Bench) -> list[str]:
    """Starts every program as two copies at once; both must end well, and the tables must be the undisturbed ones."""
    script = '( exec -a {program} "{real}" "$@" >/dev/null ) & other=$!\n( exec -a {program} "{real}" "$@" ); code=$?\n'
    script += 'wait "$other" || exit $?\nexit "$code"\n'
    programs = day.programs(FOLDER / "programs", bench.programs, dict.fromkeys(day.PROGRAMS, script))
    wrong = []
    for name, (_, window) in bench.starts.items():
        target = bench.fresh(name)
        ended = day.run(window, target, programs=programs, env=bench.env)
        wrong += [f"two copies, {window}: ended with {ended.code}\n{ended.stderr}"] if ended.code else []
        wrong += bench.differences(name, target, copies=True)
    return wrong


def mended(bench: Bench) -> list[str]:
    """A contract that quarantines too much, a crash between quarantine and data, the contract mended, a retry."""
    between = [point for point in fault_points(bench.programs) if point in BETWEEN]
    if not between:
        return ["no fault point stands between quarantine and data"]
    contracts = FOLDER / "contracts"
    shutil.rmtree(contracts, ignore_errors=True)
    shutil.copytree(places.CONTRACTS, contracts)
    contract = contracts / "silver" / "order_items" / "contract.odcs.yaml"
    broken = replay.quarantines_too_much()
    wrong = []
    for point in between:
        contract.write_text(broken)
        target = bench.fresh("day")
        programs = armed(bench, {"silverize": point}, once=False)
        ended = day.run(DAY, target, programs=programs, env=bench.env, contracts=contracts, more=("--retries", "0"))
        if ended.outcomes().get("silver_order_items", "").startswith("failed"):
            # The mended contract is the repository's own.
            wrong += bench.resume("day", target)
        else:
            wrong.append(f"{point} was not reached")
    return wrong


def by_hand_of(bench: Bench) -> by_hand.Bench:
    """Returns the bench of what people start by hand."""
    return by_hand.Bench(bench.lakes, bench.programs, bench.env, bench.sample)


def replayed(bench: Bench) -> list[str]:
    """A day under a contract that quarantines too much, the contract mended, a replay that is killed."""
    return replay.proved(by_hand_of(bench), bench.lakes / "base", bench.lakes / "undisturbed-day")


def rotated(bench: Bench) -> list[str]:
    """Another token key after an undisturbed day, in a rotation that is killed."""
    return rotation.proved(by_hand_of(bench), bench.lakes / "undisturbed-day")


def delivered(bench: Bench) -> list[str]:
    """Lineage of an undisturbed day, by deliveries that are killed."""
    return delivery.proved(by_hand_of(bench), bench.lakes / "undisturbed-day")


def streamed(bench: Bench) -> list[str]:
    """A stream and a compaction of Silver, on lakes and topics of their own."""
    return streaming.proved(by_hand_of(bench))


def matrix(bench: Bench) -> int:
    """Prints the matrix; returns the number of cases that left other tables."""
    left = cases(bench.programs, bench.sample)
    results: dict[str, dict[str, str]] = {}
    for point, program in left:
        results.setdefault(point, {})[program] = "-"
    for name in bench.starts:
        for victims in rounds(left):
            died, wrong = killed(bench, name, victims)
            outcome = "same" if not wrong else "DIFFERENT"
            for program in died or victims if wrong else died:
                results[victims[program]][program] = outcome
            shown = ", ".join(f"{program} at {victims[program]}" for program in sorted(died)) or "nobody"
            print(f"  {bench.starts[name][1]}: killed {shown}: {outcome}", *wrong, sep="\n    ", flush=True)
        # What this window does not pass, the next one may.
        left = [(point, program) for point, program in left if results[point][program] == "-"]
    programs = (*day.PROGRAMS, "run-pipeline")
    width = max(map(len, results))
    print(f"\n{'fault point':<{width}}  " + "  ".join(programs))
    for point, row in results.items():
        shown = [row.get(program, "").ljust(len(program)) for program in programs]
        print(f"{point:<{width}}  " + "  ".join(shown))
    outcomes = [outcome for row in results.values() for outcome in row.values()]
    unreached = [point for point, row in results.items() if not bench.sample and all(outcome == "-" for outcome in row.values())]
    for point in unreached:
        print(f"NOT REACHED by any program: {point}")
    wrong = outcomes.count("DIFFERENT") + len(unreached)
    same = outcomes.count("same")
    print(f"crash matrix: {same} kills at {len(results)} points left the tables of an undisturbed run, {wrong} did not")
    return wrong


def whole_runs(bench: Bench) -> int:
    """Two copies at once, the mended contract, and what people start by hand; returns how many left other tables."""
    wrong = 0
    everything = (
        ("every program as two copies at once", twice),
        ("a contract mended between crash and retry", mended),
        ("a replay killed everywhere", replayed),
        ("a rotation of the token key killed everywhere", rotated),
        ("deliveries of lineage killed everywhere", delivered),
        ("a stream and a compaction killed everywhere", streamed),
    )
    for name, case in everything:
        found = case(bench)
        print(f"{name}: {'same' if not found else 'DIFFERENT'}", *found, sep="\n  ", flush=True)
        wrong += bool(found)
    return wrong


def at_random(bench: Bench, count: int, seed: int, in_a_row: int) -> int:
    """Kills whole runs at random moments; returns the number of lakes that came out different.

    A lake is killed some times on its way: each run but the first goes on where the one before was killed, and the last one ends
    it. So a kill costs the work that it undoes, not a day of its own; kills are spread over the whole day all the same, and
    also meet runs that make up for a kill. Then all tables must be those of the undisturbed run.
    """
    choose = random.Random(seed)
    whole, again = timed(bench)
    print(f"  a day takes {whole:.1f} s, one that is done already {again:.1f} s", flush=True)
    kills = lakes = wrong = 0
    while kills < count:
        target, reached, moments = bench.fresh("day"), 0.0, []
        for share in sorted(choose.random() for _ in range(min(in_a_row, count - kills))):
            # What is done answers at once; then the run comes as far again as no run has come before.
            moment = again * reached + whole * (share - reached)
            if not interrupted(bench, target, moment):
                break
            moments.append(f"{moment:.2f}")
            reached = share
        found = bench.resume("day", target)
        kills, lakes, wrong = kills + len(moments), lakes + 1, wrong + bool(found)
        state = "same" if not found else "DIFFERENT"
        print(f"  {kills:>3}/{count} kills; this lake's after {', '.join(moments)} s: {state}", *found, sep="\n    ", flush=True)
        if lakes > count:
            raise SystemExit("crash: runs end before they can be killed")
    print(f"crash at random: {kills} kills, {lakes - wrong} of {lakes} lakes have the tables of an undisturbed run (seed {seed})")
    return wrong


def timed(bench: Bench) -> tuple[float, float]:
    """Returns how long a day takes, and one that is done already."""
    target, seconds = bench.fresh("day"), []
    for _ in range(2):
        started = time.monotonic()
        day.must(day.run(DAY, target, programs=bench.programs, env=bench.env, more=("--resume",)), "the timed run")
        seconds.append(time.monotonic() - started)
    return seconds[0], seconds[1]


def interrupted(bench: Bench, target: Place, moment: float) -> bool:
    """Runs the day and kills its whole process group at a moment; says whether it still ran."""
    command = day.command(DAY, target, programs=bench.programs, more=("--resume",))
    process = subprocess.Popen(command, env=bench.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        process.wait(timeout=moment)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def main() -> int:
    """Runs one of the two proofs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=stores.place, default=FOLDER, help="where the lakes stand: a directory or s3://BUCKET/PREFIX")
    parser.add_argument("--sample", action="store_true", help="a few cells of the matrix, for ci/test")
    parser.add_argument("--without-matrix", action="store_true", help="only two copies at once, the mended contract, and what people start by hand")
    parser.add_argument("--random", type=int, metavar="N", help="instead of the matrix: kill at N random moments")
    parser.add_argument("--kills-a-lake", type=int, default=KILLS_A_LAKE, metavar="K", help="random kills of a lake before it is compared")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.monotonic()
    bench = prepare(options.lake, places.HOME / "bin-faults")
    bench.sample = options.sample
    if options.random:
        wrong = at_random(bench, options.random, options.seed, options.kills_a_lake)
    else:
        wrong = (0 if options.without_matrix else matrix(bench)) + whole_runs(bench)
    print(f"crash: {'FAILED' if wrong else 'holds'} after {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
