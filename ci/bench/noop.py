"""Each program run again for a window that is done, one at a time and each under a run id of its own; then the whole day.

No table may get a new version by it: that is checked, since a run that does something is no measure of one that does nothing.
"""

from __future__ import annotations

from bench import history, measure, report
from bench.measure import Cost
from bench.report import Finding
from bench.setup import Part, Setup, options, scratch
from proofs import day, lake, places


def plan(setup: Setup) -> list[tuple[str, str]]:
    """Returns the day's steps, each as program and table."""
    folder = scratch("plan")
    _, printed = measure.run(
        folder, setup.program("run-pipeline"), "plan", "--window", places.HISTORY, "--contracts", str(places.CONTRACTS),
        "--output", "json", env=setup.env,
    )  # fmt: skip
    return [(step["program"], step["table"]) for step in measure.summary(printed)["steps"]]


def measured(setup: Setup, filled: bool) -> Part:
    """Runs every step again some times; `filled` says that the lake holds this invocation's history."""
    folder = scratch("noop")
    if not filled:
        report.say("noop: running history once, so that there is nothing left to do")
        history.once(setup, folder)
    before = lake.versions(history.LAKE)
    steps = plan(setup)
    runs, wholes = [], []
    for number in range(setup.runs):
        runs.append([again(setup, program, table) for program, table in steps])
        command = day.command(places.HISTORY, history.LAKE, programs=setup.programs)
        wholes.append(measure.run(folder, command[0], *command[1:], env=setup.env)[0])
        report.say(f"noop, run {number + 1} of {setup.runs}: {len(steps)} steps, {sum(one.seconds for one in runs[-1]):.1f} s one after the other")
    after = lake.versions(history.LAKE)
    changed = sorted(place for place in after if after[place] != before.get(place))
    found = measure.steps(runs)
    show(found, measure.medians(wholes), setup.runs)
    text = "a no-op run changes no table" + (f" ({', '.join(changed)} changed)" if changed else "")
    return [Finding(text, not changed, bound=True)], found


def again(setup: Setup, program: str, table: str) -> Cost:
    """Runs one step again, without a run id: the program makes a new one."""
    folder = history.LAKE.parent / "noop"
    arguments = (table, "--window", places.HISTORY, *options(history.LAKE))
    return measure.run(folder, setup.program(program), *arguments, env=setup.env)[0]


def show(found: list[Cost], whole: Cost, runs: int) -> None:
    """Prints one line per program and one for the whole day."""
    rows = []
    for name in day.PROGRAMS:
        own = sorted((one for one in found if one.program == name), key=lambda one: one.seconds)
        slowest = own[-1]
        rows.append(
            (name, str(len(own)), report.seconds(measure.median(one.seconds for one in own)), report.seconds(slowest.seconds),
             slowest.table, report.megabytes(max(one.peak_bytes for one in own)))
        )  # fmt: skip
    rows.append(("run-pipeline day", str(len(found)), report.seconds(whole.seconds), "", "the whole day again", ""))
    head = ("program", "tables", "seconds", "slowest", "table", "peak MB")
    report.table(f"no-op run of each program, alone (medians of {runs}, then over its tables)", head, rows)
