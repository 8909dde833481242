"""A stream, and a Silver table that is compacted, killed at every fault point and started again: a case of `ci/crash`.

No day of the small slice makes a table of so many small files that they are put together. Here a stream does so after its third
commit, since it may keep two, and `silverize` does so with a table that 33 runs have brought up to date before. Wherever one of them
dies, no record may be lost or doubled, nor may a reader find one so, and the next start goes on.

Nothing here is personal, and no row is moved on its way, so neither mutations nor a search for leaks are run.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import unquote

from bench.setup import contracts_of
from deltalake import DeltaTable

from proofs import by_hand, day, lake, places, stores
from proofs import topic as topics
from proofs.by_hand import Bench, Case
from proofs.stores import Place

FOLDER = places.PROOFS / "by-hand" / "streaming"
LOG = FOLDER / "stream.log"
BRONZE, SILVER = "bronze_kafka_orders", "silver_orders"
RECORDS, ORDERS, ASIDE = "bronze/kafka_orders", "silver/orders", "quarantine/orders"

# A window that holds the present, whenever that is: its partition does not end while the stream runs.
NOW = "2026-01-01/2126-01-01"
# The least that the program takes, so that there are many commits; and how many there are when nothing disturbs them.
FLUSH_ROWS, COMMITS = 1_000, 5
# The third commit makes one small file too many.
STREAM_FILES_MAX = 2
OWN = ("stream.", "compact.")
# From the second time on every commit is like the one before.
TIMES_MAX = 2
# In ci/test: rows without what is told of them, and files without their commit.
SAMPLE = ("stream.commit.after", "compact.write.after")
SECONDS_MAX = 120
LOOK_SECONDS = 0.1
# What the stream says once it has looked at the topic, and how much of what it says is shown.
LOOKED, SAID_MAX = "gauges read", 1_000

# As `silverize` has it: more small files than these are put together before a run.
SILVER_FILES_MAX = 32
TURN_ROWS = 10


@dataclass
class Stream:
    """A topic that holds all its records, and contracts by which Bronze gets them."""

    bench: Bench
    topic: str
    contracts: Path
    sent: int

    def run(self, target: Place, fault: str = "") -> int:
        """Streams until everything has landed, then ends the stream as a scheduler does; returns how it ended."""
        command = [
            str(self.bench.programs / "ingest-kafka"), BRONZE, "--window", NOW, "--lake", str(target), "--contracts", str(self.contracts),
            "--continuous", "--flush-rows", str(FLUSH_ROWS), "--flush-seconds", "1", "--small-files-max", str(STREAM_FILES_MAX), "-v",
        ]  # fmt: skip
        env = self.bench.env | ({"SLUICE_FAULT": fault} if fault else {})
        give_up_at = time.monotonic() + SECONDS_MAX
        with LOG.open("wb") as log:
            process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=log)
        try:
            # Before it has looked once it does not listen to signals yet.
            while not (LOOKED in LOG.read_text() and accepted(target) == self.sent):
                if process.poll() is not None or time.monotonic() > give_up_at:
                    break
                time.sleep(LOOK_SECONDS)
            process.send_signal(signal.SIGTERM)
            return process.wait(SECONDS_MAX)
        finally:
            process.kill()

    def seen(self, target: Place) -> list[str]:
        """Returns what a reader finds wrong who comes at any moment."""
        if not lake.is_there(target, RECORDS):
            return []
        table = DeltaTable(str(target / RECORDS))
        offsets = [(row["_partition"], row["_offset"]) for row in table.to_pyarrow_table(columns=["_partition", "_offset"]).to_pylist()]
        highest: dict[int, int] = {}
        for partition, offset in offsets:
            highest[partition] = max(offset, highest.get(partition, -1))
        wrong = [] if len(offsets) == len(set(offsets)) else [f"{len(offsets) - len(set(offsets))} records are doubled"]
        if sum(offset + 1 for offset in highest.values()) != len(set(offsets)):
            wrong.append("records before the last one are lost")
        if accepted(target) != len(offsets):
            wrong.append(f"the books say that {accepted(target)} records were accepted, {len(offsets)} are there")
        return wrong + rewritten(target, RECORDS)[1]

    def ended(self, target: Place, expected: by_hand.Rows) -> list[str]:
        """Starts the stream on a lake and lets it end well; returns what is wrong then."""
        code = self.run(target)
        if code != 0:
            return [f"the next start ended with {code}: {LOG.read_text()[-SAID_MAX:]}"]
        wrong = self.seen(target) + lake.differences(expected, lake.contents_of(target, (RECORDS,)))
        # SIGTERM may come before the last commit's compaction.
        files = len(DeltaTable(str(target / RECORDS)).file_uris())
        return wrong + ([f"{files} files are left"] if files > STREAM_FILES_MAX + 1 else [])


def accepted(target: Place) -> int:
    """Returns the records that the commits to Bronze say they accepted."""
    return sum(summary["ledger"]["accepted"] for _, summary in by_hand.summaries(target, RECORDS))


def rewritten(target: Place, place: str) -> tuple[int, list[str]]:
    """Returns how often a table was compacted, and which of these commits changed the number of rows."""
    store, count, wrong = stores.of(target / place), 0, []
    rows: dict[str, int] = {}
    for file in (file for file in store.files() if file.startswith("_delta_log/") and file.endswith(".json")):
        actions = [json.loads(line) for line in store.read(file).decode().splitlines()]
        comes = [action["add"] for action in actions if "add" in action]
        goes = [action["remove"] for action in actions if "remove" in action]
        # Writers do not agree about which characters of a path they escape.
        rows |= {unquote(add["path"]): json.loads(add["stats"])["numRecords"] for add in comes}
        if comes and not any(action["dataChange"] for action in comes + goes):
            count += 1
            if sum(rows[unquote(add["path"])] for add in comes) != sum(rows[unquote(remove["path"])] for remove in goes):
                wrong.append(f"{place}, {file}: a compaction has changed the number of rows")
    return count, wrong


def stream_killed(bench: Bench) -> list[str]:
    """Kills a stream at every point of its own, and goes on; returns what was wrong."""
    name = f"proof.stream.{os.getpid()}"
    stream = Stream(bench, name, contracts_of(FOLDER / "stream", name), FLUSH_ROWS * COMMITS)
    topics.create(bench.env["KAFKA_BOOTSTRAP"], name)
    try:
        for partition in range(topics.PARTITIONS):
            topics.produce(bench.env["KAFKA_BOOTSTRAP"], name, partition, topics.plain(stream.sent // topics.PARTITIONS))
        return killed_everywhere(stream)
    finally:
        topics.drop(bench.env["KAFKA_BOOTSTRAP"], name)


def killed_everywhere(stream: Stream) -> list[str]:
    """Runs a stream undisturbed, then once for each point and time."""
    bench = stream.bench
    undisturbed = day.fresh(bench.lakes / "stream-undisturbed")
    code = stream.run(undisturbed)
    expected, compactions = lake.contents_of(undisturbed, (RECORDS,)), rewritten(undisturbed, RECORDS)[0]
    if code or accepted(undisturbed) != stream.sent or not compactions:
        done = f"{accepted(undisturbed)} of {stream.sent} records and {compactions} compactions"
        return [f"the undisturbed stream ended with {code}, {done}: {LOG.read_text()[-SAID_MAX:]}"]
    wrong = stream.seen(undisturbed)
    kills: Counter[str] = Counter()
    for point in (point for point in bench.listed("fault-points") if point.startswith(SAMPLE if bench.sample else OWN)):
        for number in range(1, 2 if bench.sample else TIMES_MAX + 1):
            target = day.fresh(bench.lakes / "stream-run")
            code = stream.run(target, f"{point}#{number}")
            if code >= 0:
                wrong += [f"{point}, time {number}: ended with {code} instead of a kill: {LOG.read_text()[-SAID_MAX:]}"] if code else []
                break
            kills[point] += 1
            problems = stream.seen(target) + stream.ended(target, expected)
            wrong += [f"{point}, time {number}: {line}" for line in problems]
        wrong += [] if kills[point] else [f"{point} was not reached"]
    print(f"  stream: killed {kills.total()} times at {len(kills)} points ({', '.join(f'{p} {n}' for p, n in kills.items())})", flush=True)
    return wrong


def silver_killed(bench: Bench) -> list[str]:
    """Kills `silverize` at every point while it has small files to put together, and new rows to take in."""
    name = f"proof.compaction.{os.getpid()}"
    contracts = contracts_of(FOLDER / "silver", name)
    topics.create(bench.env["KAFKA_BOOTSTRAP"], name)
    try:
        start = scattered(bench, name, contracts)
    finally:
        topics.drop(bench.env["KAFKA_BOOTSTRAP"], name)

    def read(target: Place) -> list[str]:
        count, wrong = rewritten(target, ORDERS)
        return wrong if count <= 1 else [*wrong, f"{count} compactions have committed"]

    build = partial(command, "silverize", SILVER, contracts)
    case = Case("compaction", start, build, (ORDERS, ASIDE), ("compact.", "silver.", "table."), (), read, people=False)
    return by_hand.killed(bench, case)


def command(program: str, table: str, contracts: Path, target: Place) -> list[str]:
    """Returns the program and arguments of one run on a table."""
    return [program, table, "--window", places.DAYS[0], "--lake", str(target), "--contracts", str(contracts)]


def scattered(bench: Bench, topic: str, contracts: Path) -> Place:
    """Makes a lake whose Silver table has one small file more than it may, and whose Bronze table has new rows."""
    start = day.fresh(bench.lakes / "compaction-start")
    turns = SILVER_FILES_MAX + 1
    for turn in range(turns + 1):
        # The last events are of new orders, and of some that an older file holds: it is put together with others, and then changed.
        numbers, hour = range(turn * TURN_ROWS, (turn + 1) * TURN_ROWS), 0
        if turn == turns:
            numbers, hour = range(turns * TURN_ROWS - TURN_ROWS // 2, (turns + 1) * TURN_ROWS), 1
        topics.produce(bench.env["KAFKA_BOOTSTRAP"], topic, 0, topics.orders(numbers, hour))
        for program, table in (("ingest-kafka", BRONZE), ("silverize", SILVER))[: 2 if turn < turns else 1]:
            done = bench.run(*command(program, table, contracts, start))
            if done.returncode != 0:
                raise SystemExit(f"compaction: {program} ended with {done.returncode}:\n{done.stderr}")
    files = len(DeltaTable(str(start / ORDERS)).file_uris())
    if files != turns:
        raise SystemExit(f"compaction: {turns} runs have left {files} files")
    return start


def proved(bench: Bench) -> list[str]:
    """Both at once: the stream waits for its next look most of the time. Returns what was wrong."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name in ("stream", "silver"):
        (FOLDER / name).mkdir(parents=True)
    # The small sample leaves out Silver: its 33 runs take longer than all else in it.
    cases = (stream_killed,) if bench.sample else (stream_killed, silver_killed)
    with ThreadPoolExecutor() as threads:
        started = [threads.submit(case, bench) for case in cases]
        return [line for one in started for line in one.result()]
