"""Proves the stream: `python -m proofs.stream --programs DIR [--minutes N] [--rate N]` (ci/stream starts it).

A producer publishes order events at an even rate; `ingest-kafka --continuous` lands them and is killed (SIGKILL) every minute and
started again; beside it a loop of `dq-check` and `silverize` brings Silver up to date. At the end every record must be there once,
in Bronze and in Silver, and soon enough; small files must be few.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench import topic as topics
from bench.setup import contracts_of
from deltalake import DeltaTable

from proofs import ending, places
from proofs import stream_figures as figures

FOLDER = places.PROOFS / "stream"
TABLE, SILVER = "bronze_kafka_orders", "silver_orders"
KILL_EVERY_SECONDS = 60
BRONZE_SECONDS_MAX, SILVER_SECONDS_MAX = 10, 60
FLUSH_SECONDS, SMALL_FILES_MAX = 5, 32
# What is under way when a producer ends is there within so many seconds, or never.
CATCH_UP_SECONDS_MAX = 180
LOOK_SECONDS = 0.2


@dataclass
class Bench:
    """Programs, lake and topic of the proof, and what was found wrong."""

    programs: Path
    topic: str
    bootstrap: str
    contracts: Path
    lake: Path = FOLDER / "lake"
    problems: list[str] = field(default_factory=list)
    turns: list[float] = field(default_factory=list)

    def command(self, program: str, table: str, *more: str) -> list[str]:
        """Returns a command line; the window is the present day, whose end has not come."""
        common = ("--window", f"{datetime.now(UTC):%Y-%m-%d}", "--lake", str(self.lake), "--contracts", str(self.contracts))
        return [str(self.programs / program), table, *common, "--output", "json", *more]

    def stream(self) -> subprocess.Popen:
        """Starts the stream."""
        command = self.command("ingest-kafka", TABLE, "--bootstrap", self.bootstrap, "--continuous", "-v")
        log = (FOLDER / "stream.log").open("ab")
        return subprocess.Popen(command, stdout=(FOLDER / "stream.out").open("ab"), stderr=log)

    def turn(self) -> None:
        """Checks what is new in Bronze and brings it to Silver."""
        started = time.monotonic()
        for program, table in (("dq-check", TABLE), ("silverize", SILVER)):
            done = subprocess.run(self.command(program, table), text=True, capture_output=True, check=False)
            if done.returncode != 0:
                self.problems.append(f"{program} {table} ended with {done.returncode}: {done.stderr[-600:]}")
                return
        self.turns.append(time.monotonic() - started)

    def landed(self) -> int:
        """Returns how many records are in Bronze, by its log."""
        return figures.accepted(self.lake / figures.BRONZE)


def silver_loop(bench: Bench, over: threading.Event) -> None:
    """Takes turns until the stream is over and a last one has seen all of it."""
    while not over.is_set():
        if bench.landed():
            bench.turn()
        over.wait(1.0)
    bench.turn()


def killed_every_minute(bench: Bench, producer: subprocess.Popen, every: float) -> tuple[subprocess.Popen, int]:
    """Keeps a stream alive until the producer ends, killing it on the way; returns the last one and how many died."""
    process, kills = bench.stream(), 0
    due = time.monotonic() + every
    while producer.poll() is None:
        if process.poll() is not None:
            bench.problems.append(f"the stream ended by itself with {process.returncode}; see {FOLDER / 'stream.log'}")
            process = bench.stream()
        if time.monotonic() >= due:
            process.send_signal(signal.SIGKILL)
            process.wait()
            process, kills, due = bench.stream(), kills + 1, due + every
        time.sleep(LOOK_SECONDS)
    return process, kills


def ended(bench: Bench, process: subprocess.Popen, sent: int) -> None:
    """Waits until all is in Bronze, then ends the stream as a scheduler does."""
    give_up_at = time.monotonic() + CATCH_UP_SECONDS_MAX
    while bench.landed() < sent and time.monotonic() < give_up_at and process.poll() is None:
        time.sleep(LOOK_SECONDS)
    process.send_signal(signal.SIGTERM)
    code = process.wait(CATCH_UP_SECONDS_MAX)
    if code != 0:
        bench.problems.append(f"the stream ended with {code} on SIGTERM")
    last = (FOLDER / "stream.out").read_text().splitlines()
    if not last or "commits" not in json.loads(last[-1])["facts"]:
        bench.problems.append("the stream left no summary on SIGTERM")


def judge_rows(bench: Bench, told: dict) -> None:
    """Every record is there once, in both layers."""
    sent = told["sent"]
    if told["failed"]:
        bench.problems.append(f"the producer could not publish {told['failed']} records")
    rows, offsets, highest = figures.bronze_rows(DeltaTable(bench.lake / figures.BRONZE).file_uris())
    print(f"Bronze: {sent:,} records published, {rows:,} rows, {offsets:,} different offsets of {highest:,}: {sent - offsets} lost, {rows - offsets} doubled")
    if not sent == rows == offsets == highest:
        bench.problems.append("records are lost or doubled in Bronze")
    rows, orders, paid = figures.silver_rows(DeltaTable(bench.lake / figures.SILVER).file_uris())
    print(f"Silver: {told['placed']:,} orders placed, {rows:,} rows, {orders:,} different orders; {told['paid']:,} paid, {paid:,} rows say so")
    if not told["placed"] == rows == orders or told["paid"] != paid:
        bench.problems.append("orders are lost or doubled in Silver")


def judge_delays(bench: Bench) -> None:
    """Records are soon enough in both layers."""
    bronze, silver, waiting = figures.delays(bench.lake)
    for layer, delays, most in (("Bronze", bronze, BRONZE_SECONDS_MAX), ("Silver", silver, SILVER_SECONDS_MAX)):
        median, p95, highest = figures.seconds(delays)
        print(f"{layer}: from produced to committed {median:.2f} s (median), {p95:.2f} s (p95), {highest:.2f} s (highest); p95 must be < {most} s")
        if p95 >= most:
            bench.problems.append(f"p95 to {layer} is {p95:.2f} s")
    if waiting:
        bench.problems.append(f"{waiting} records are in no Silver commit")
    if bench.turns:
        turns = sorted(bench.turns)
        print(f"turns of dq-check and silverize: {len(turns)}, {turns[len(turns) // 2]:.1f} s (median), {turns[-1]:.1f} s (longest)")


def judge_files(bench: Bench, told: dict, kills: int) -> None:
    """Commits and small files are bounded."""
    log = figures.entries(bench.lake / figures.BRONZE)
    commits = sum(bool(entry.brings) for entry in log)
    compactions = sum(bool(entry.goes) for entry in log)
    small, most, at_end = figures.live_files(log)
    # Two days meet at midnight, and each has small files of its own.
    days = len({path.split("/")[0] for entry in log for path in entry.comes})
    bound = days * (SMALL_FILES_MAX + 1) + math.ceil(told["sent"] / figures.SMALL_ROWS)
    print(f"files of Bronze: {commits} commits and {compactions} compactions; small at once: {max(small)} at most; in all: {most} at most, {at_end} at the end (bound {bound})")
    if max(small) > days * (SMALL_FILES_MAX + 1) or most > bound:
        bench.problems.append("there are too many small files")
    # Each start may find what waits, and the last one ends what is left.
    commits_max = told["seconds"] / FLUSH_SECONDS + 2 * (kills + 1) + 2
    if commits > commits_max:
        bench.problems.append(f"{commits} commits in {told['seconds']} s are more than one per {FLUSH_SECONDS} s")
    small, most, at_end = figures.live_files(figures.entries(bench.lake / figures.SILVER))
    print(f"files of Silver: small at once: {max(small)} at most; in all: {most} at most, {at_end} at the end")
    # The bound is kept before a run; the run itself adds what it writes.
    if max(small) > 2 * SMALL_FILES_MAX:
        bench.problems.append("there are too many small files in Silver")


def proved(bench: Bench, rate: int, seconds: int) -> int:
    """Publishes, streams, kills, and judges; returns how often the stream was killed."""
    arguments = [bench.bootstrap, bench.topic, "--rate", str(rate), "--seconds", str(seconds)]
    producer = subprocess.Popen([sys.executable, "-m", "proofs.stream_producer", *arguments], stdout=subprocess.PIPE, text=True)
    over = threading.Event()
    loop = threading.Thread(target=silver_loop, args=(bench, over), daemon=True)
    loop.start()
    process, kills = killed_every_minute(bench, producer, min(KILL_EVERY_SECONDS, seconds / 2))
    told = json.loads(producer.communicate()[0])
    ended(bench, process, told["sent"])
    over.set()
    loop.join()
    print(f"published {told['sent']:,} records in {told['seconds']} s: {told['sent'] / told['seconds']:,.0f} per second; the stream was killed {kills} times")
    judge_rows(bench, told)
    judge_delays(bench)
    judge_files(bench, told, kills)
    return kills


def main() -> int:
    """Runs the proof."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=int, default=5_000)
    options = parser.parse_args()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    topics.drop("stream.")
    name = f"{topics.PREFIX}stream.{os.getpid()}"
    topics.make(name)
    bench = Bench(options.programs, name, os.environ["KAFKA_BOOTSTRAP"], contracts_of(FOLDER, name))
    try:
        kills = proved(bench, options.rate, int(options.minutes * 60))
    finally:
        topics.drop("stream.")
    return ending.told("stream", f"{options.rate:,} events/s for {options.minutes:g} min, {kills} times SIGKILL", bench.problems)


if __name__ == "__main__":
    raise SystemExit(main())
