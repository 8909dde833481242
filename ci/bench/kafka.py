"""`ingest-kafka` beside a consumer that does nothing with what it reads: records per second, CPU seconds, memory.

Both read the same topic from its first record to its end, in turn, as processes of their own: starting, connecting and asking for
watermarks is in their seconds. `ingest-kafka` lands into a lake that is not there yet. The broker runs on the same processors.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from bench import measure, orders, report, topic
from bench.measure import Cost
from bench.report import Finding
from bench.setup import BARE_CONSUMER, Part, Setup, contracts_of, options, scratch, settle

TABLE = "bronze_kafka_orders"
WINDOW = "2017-12-30"
ROWS_PER_SECOND_AIM = 200_000
# kafka-delta-ingest 0.4.0 on such a machine with such events (release build with LTO, 283 bytes each).
PEER_ROWS_PER_SECOND = 41_000
PEER_TIMES_AIM = 5


def published(setup: Setup) -> str:
    """Returns the topic with the events; an earlier invocation may have filled it. Its name says what is in it."""
    made_by = hashlib.sha256(Path(orders.__file__).read_bytes()).hexdigest()[:8]
    name = f"{topic.PREFIX}orders.{setup.sizes.kafka}.{made_by}"
    topic.drop("orders.", kept=name)
    if topic.exists(name):
        if topic.count(name) == setup.sizes.kafka:
            report.say(f"{name}: is there")
            return name
        # Cut off while it was filled.
        topic.drop("orders.")
    report.say(f"{name}: publishing {setup.sizes.kafka:,} order events")
    topic.make(name)
    topic.fill(name, orders.records(setup.sizes.kafka), setup.sizes.kafka)
    return name


def measured(setup: Setup) -> Part:
    """Runs both some times in turn and prints the medians."""
    folder = scratch("kafka")
    name = published(setup)
    contracts = contracts_of(folder, name)
    bare = setup.program(BARE_CONSUMER) if setup.program(BARE_CONSUMER).exists() else None
    if bare is None:
        report.say(f"{BARE_CONSUMER} is not in {setup.programs}: ci/build --release makes it; it is left out")
    ours, theirs, size = [], [], 0
    for number in range(setup.runs):
        if bare is not None:
            cost, size = consumed(setup, folder, bare, name)
            theirs.append(cost)
        ours.append(ingested(setup, folder, contracts))
        report.say(f"kafka, run {number + 1} of {setup.runs}: ingest-kafka {ours[-1].seconds:.2f} s")
    own = measure.medians(ours)
    other = measure.medians(theirs) if theirs else None
    show(setup, own, other, size)
    return findings(setup, own, other), [own]


def consumed(setup: Setup, folder: Path, bare: Path, name: str) -> tuple[Cost, int]:
    """Runs the bare consumer; returns its cost and the bytes that it read."""
    settle()
    cost, printed = measure.run(folder, bare, setup.bootstrap, name, env=setup.env)
    read = json.loads(printed)
    if read["rows"] != setup.sizes.kafka:
        raise SystemExit(f"bench: {BARE_CONSUMER} read {read['rows']} records, the topic holds {setup.sizes.kafka}")
    return cost, read["bytes"]


def ingested(setup: Setup, folder: Path, contracts: Path) -> Cost:
    """Runs ingest-kafka into a new lake."""
    lake = folder / "lake"
    shutil.rmtree(lake, ignore_errors=True)
    settle()
    cost, printed = measure.run(folder, setup.program("ingest-kafka"), TABLE, "--window", WINDOW, *options(lake, contracts), env=setup.env)
    accepted = measure.summary(printed)["ledger"]["accepted"]
    if accepted != setup.sizes.kafka:
        raise SystemExit(f"bench: ingest-kafka landed {accepted} records, the topic holds {setup.sizes.kafka}")
    return cost


def show(setup: Setup, own: Cost, other: Cost | None, size: int) -> None:
    """Prints both, and how many times the bare consumer's cost ours is."""
    count = setup.sizes.kafka
    rows = [
        (one.program, f"{count / one.seconds:,.0f}", report.seconds(one.seconds), report.seconds(one.cpu_seconds), report.megabytes(one.peak_bytes))
        for one in (own, other)
        if one is not None
    ]
    if other is not None:
        times = (f"{a / b:.2f}" for a, b in ((other.seconds, own.seconds), (own.seconds, other.seconds), (own.cpu_seconds, other.cpu_seconds)))
        rows.append(("ingest-kafka / bare", *times, f"{own.peak_bytes / other.peak_bytes:.2f}"))
    about = f", {size / count:.0f} bytes each" if size else ""
    head = ("consumer", "records/s", "seconds", "CPU seconds", "peak MB")
    report.table(f"kafka: {count:,} order events{about} (medians of {setup.runs}; memory: the highest)", head, rows)


def findings(setup: Setup, own: Cost, other: Cost | None) -> list[Finding]:
    """Returns the aims of speed."""
    speed = setup.sizes.kafka / own.seconds
    beside = f", {speed * other.seconds / setup.sizes.kafka:.0%} of a bare consumer" if other is not None else ""
    times = speed / PEER_ROWS_PER_SECOND
    return [
        Finding(f"ingest-kafka {speed:,.0f} records/s{beside} (aim {ROWS_PER_SECOND_AIM:,})", speed >= ROWS_PER_SECOND_AIM),
        Finding(f"{times:.1f} x kafka-delta-ingest's {PEER_ROWS_PER_SECOND:,} (aim {PEER_TIMES_AIM})", times >= PEER_TIMES_AIM),
    ]
