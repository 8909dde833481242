"""Silver's decode and upsert of order events beside DuckDB doing the same: `silver_orders`, on two processors.

The events stand in a Bronze table of two versions, one half each (see `orders.py`). `silverize` consumes the first into a table that is
not there yet and the second into what that made: it changes most rows and adds others. DuckDB runs `silver_duckdb.sql` over the same
files, once per half too. Both are processes of their own, whose start is in their seconds. Their tables must be equal row by row, but
for who wrote a row and when.

What `silverize` does beyond it has no twin in the script, since all events here are good: numbers and nulls of the wrong type, held
rows, the ledger, and a commit that proves itself. DuckDB writes one Parquet file with the same compression, and no log.
"""

from __future__ import annotations

import itertools
import shutil
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
from deltalake import DeltaTable

from bench import measure, orders, report, topic
from bench.measure import Cost
from bench.report import Finding
from bench.setup import Part, Setup, contracts_of, options, scratch, settle
from proofs import lake

BRONZE = "bronze_kafka_orders"
# Of the second, what was placed on the first day is late: both values occur.
WINDOWS = ("2017-12-30", "2018-01-01")
HALVES = ("first half, no table yet", "second half, upsert")
SCRIPT = Path(__file__).with_name("silver_duckdb.py")
EXAMPLES_MAX = 3


@dataclass
class Bronze:
    """The events in Bronze: per half the version that it made and the files that this version added."""

    lake: Path
    contracts: Path
    versions: list[int] = field(default_factory=list)
    files: list[list[str]] = field(default_factory=list)


def landed(setup: Setup, folder: Path) -> Bronze:
    """Publishes, lands and checks the events, half by half."""
    count = setup.sizes.silver
    # A name of its own each time: a topic that was dropped under the same name may not be gone yet.
    topic.drop("silver.")
    name = f"{topic.PREFIX}silver.{time.time_ns()}"
    topic.make(name)
    bronze = Bronze(folder / "lake", contracts_of(folder, name))
    records = orders.records(count)
    for window, part, upto in zip(WINDOWS, (count // 2, count - count // 2), (count // 2, count), strict=True):
        report.say(f"silver: publishing and landing order events up to {upto:,}")
        topic.fill(name, itertools.islice(records, part), upto)
        arguments = (BRONZE, "--window", window, *options(bronze.lake, bronze.contracts))
        _, printed = measure.run(folder, setup.program("ingest-kafka"), *arguments, env=setup.env)
        # Silver reads a version that has passed.
        measure.run(folder, setup.program("dq-check"), *arguments, env=setup.env)
        bronze.versions.append(measure.summary(printed)["table_version"])
        table = DeltaTable(str(bronze.lake / "bronze" / "kafka_orders"))
        bronze.files.append(sorted(set(table.file_uris()) - {file for files in bronze.files for file in files}))
    topic.drop("silver.")
    return bronze


def silverized(setup: Setup, folder: Path, bronze: Bronze) -> list[Cost]:
    """Runs silverize over both halves, from nothing."""
    for layer in ("silver", "quarantine", "held"):
        shutil.rmtree(bronze.lake / layer, ignore_errors=True)
    costs = []
    for window, version in zip(WINDOWS, bronze.versions, strict=True):
        settle()
        arguments = ("silver_orders", "--window", window, "--input", f"{BRONZE}@{version}", *options(bronze.lake, bronze.contracts))
        costs.append(measure.run(folder, setup.program("silverize"), *arguments, env=setup.env)[0])
    return costs


def ducked(setup: Setup, folder: Path, bronze: Bronze) -> tuple[list[Cost], Path]:
    """Runs the script over both halves, from nothing; returns the costs and the table."""
    costs, stored = [], None
    for number, files in enumerate(bronze.files):
        output = folder / f"duckdb-{number}.parquet"
        output.unlink(missing_ok=True)
        settle()
        known = ("--stored", str(stored)) if stored else ()
        arguments = ("-I", str(SCRIPT), "--output", str(output), *known, *files)
        # Python finds its packages by the name that it is called by.
        cost, _ = measure.run(folder, sys.executable, *arguments, env=setup.env, name=sys.executable)
        costs.append(replace(cost, program="duckdb"))
        stored = output
    return costs, stored


def differences(bronze: Bronze, other: Path) -> list[str]:
    """Returns what differs between the two tables: columns, rows of the one, rows of the other."""
    files = DeltaTable(str(bronze.lake / "silver" / "orders")).file_uris()
    connection = duckdb.connect()
    sources = {"silverize": f"read_parquet({files})", "duckdb": f"read_parquet('{other}')"}
    shapes = {
        name: [(row[0], row[1]) for row in connection.execute(f"DESCRIBE FROM {source}").fetchall()]
        for name, source in sources.items()
    }  # fmt: skip
    if shapes["silverize"] != shapes["duckdb"]:
        return [f"columns: {shapes}"]
    columns = ", ".join(name for name, _ in shapes["duckdb"] if name not in lake.RUN_COLUMNS)
    found = []
    for name, rival in (("silverize", "duckdb"), ("duckdb", "silverize")):
        query = f"SELECT {columns} FROM {sources[name]} EXCEPT ALL SELECT {columns} FROM {sources[rival]}"
        orders_only = connection.execute(f"SELECT order_id FROM ({query}) ORDER BY order_id").fetchall()
        if orders_only:
            found.append(f"{len(orders_only)} rows only of {name}, such as orders {orders_only[:EXAMPLES_MAX]}")
    return found


def measured(setup: Setup) -> Part:
    """Runs both some times in turn, compares their tables and prints the medians."""
    folder = scratch("silver")
    bronze = landed(setup, folder)
    ours, theirs = [], []
    with measure.two_processors():
        for number in range(setup.runs):
            ours.append(silverized(setup, folder, bronze))
            costs, output = ducked(setup, folder, bronze)
            theirs.append(costs)
            seconds = [sum(one.seconds for one in runs[-1]) for runs in (ours, theirs)]
            report.say(f"silver, run {number + 1} of {setup.runs}: silverize {seconds[0]:.2f} s, DuckDB {seconds[1]:.2f} s")
    wrong = differences(bronze, output)
    for text in wrong:
        report.say(f"silver: {text}")
    show(setup, ours, theirs)
    return findings(ours, theirs, wrong), [both(ours)]


def show(setup: Setup, ours: list[list[Cost]], theirs: list[list[Cost]]) -> None:
    """Prints each half and both."""
    rows = []
    for runs in (ours, theirs):
        halves = [measure.medians([one[at] for one in runs]) for at in range(len(HALVES))]
        rows += [line(one, text, setup.sizes.silver // 2) for one, text in zip(halves, HALVES, strict=True)]
        rows.append(line(both(runs), "both", setup.sizes.silver))
    head = ("program", "events", "events/s", "seconds", "CPU seconds", "peak MB")
    report.table(f"silver: {setup.sizes.silver:,} order events into silver_orders, two processors (medians of {setup.runs})", head, rows)


def both(runs: list[list[Cost]]) -> Cost:
    """Returns the medians of the two halves together."""
    together = (
        Cost(one[0].program, one[0].table, sum(half.seconds for half in one), sum(half.cpu_seconds for half in one),
             max(half.peak_bytes for half in one))
        for one in runs
    )  # fmt: skip
    return measure.medians(list(together))


def line(one: Cost, events: str, count: int) -> tuple[str, ...]:
    """Returns the row of a table."""
    speed = f"{count / one.seconds:,.0f}"
    return one.program, events, speed, report.seconds(one.seconds), report.seconds(one.cpu_seconds), report.megabytes(one.peak_bytes)


def findings(ours: list[list[Cost]], theirs: list[list[Cost]], wrong: list[str]) -> list[Finding]:
    """Returns the bound of equal output, and both times."""
    own, other = both(ours), both(theirs)
    text = f"silverize {own.seconds:.1f} s beside DuckDB's {other.seconds:.1f} s ({own.seconds / other.seconds:.2f} x)"
    return [
        Finding("silverize and DuckDB make the same table", not wrong, bound=True),
        Finding(text, None),
    ]
