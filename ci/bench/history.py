"""History from the sources to Gold, on an empty lake: what the whole run, each program and each of its steps cost.

The programs run as they always do, started by `run-pipeline` and several at a time; each of them goes through the launcher. The
servers of the sources run on the same processors.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from bench import measure, report
from bench.measure import Cost
from bench.report import Finding
from bench.setup import FOLDER, Part, Setup, scratch, settle
from proofs import day, places

LAKE = FOLDER / "lake"
SECONDS_AIM = 60


def once(setup: Setup, folder: Path) -> tuple[Cost, list[Cost]]:
    """Runs history into an empty lake; returns the cost of run-pipeline with all its children, and that of each step."""
    records = folder / "steps.jsonl"
    records.unlink(missing_ok=True)
    shutil.rmtree(LAKE, ignore_errors=True)
    wrapped = day.programs(folder / "programs", setup.programs, dict.fromkeys(day.PROGRAMS, measure.wrapper(records)))
    command = day.command(places.HISTORY, LAKE, programs=wrapped)
    settle()
    whole, _ = measure.run(folder, setup.program("run-pipeline"), *command[1:], env=setup.env)
    return whole, measure.costs(records)


def measured(setup: Setup) -> Part:
    """Runs history some times and prints the medians."""
    folder = scratch("history")
    wholes, runs = [], []
    for number in range(setup.runs):
        whole, steps = once(setup, folder)
        report.say(f"history, run {number + 1} of {setup.runs}: {len(steps)} steps in {whole.seconds:.1f} s")
        wholes.append(whole)
        runs.append(steps)
    found = measure.steps(runs)
    whole = measure.medians(wholes)
    show(found, whole, setup.runs)
    return [Finding(f"history in {whole.seconds:.1f} s (aim {SECONDS_AIM})", whole.seconds <= SECONDS_AIM)], found


def show(found: list[Cost], whole: Cost, runs: int) -> None:
    """Prints one line per step, one per program, and the whole."""
    rows = [line(one, one.table) for name in day.PROGRAMS for one in found if one.program == name]
    report.table(f"history, each step (medians of {runs}; memory: the highest)", HEAD, rows)
    rows = [line(total([one for one in found if one.program == name]), "") for name in day.PROGRAMS]
    rows.append(line(whole, "all together"))
    report.table("history, each program: its steps summed, the highest memory; all together: by the clock", HEAD, rows)


HEAD = ("program", "table", "seconds", "CPU seconds", "peak MB")


def line(one: Cost, table: str) -> tuple[str, ...]:
    """Returns the row of a table."""
    return one.program, table, report.seconds(one.seconds), report.seconds(one.cpu_seconds), report.megabytes(one.peak_bytes)


def total(of: list[Cost]) -> Cost:
    """Returns the sums of a program's steps; of memory the highest."""
    seconds, cpu = sum(one.seconds for one in of), sum(one.cpu_seconds for one in of)
    return Cost(of[0].program, "", seconds, cpu, max(one.peak_bytes for one in of))
