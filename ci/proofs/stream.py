"""Proves the stream: `python -m proofs.stream --programs DIR [--minutes N] [--rate N]` (ci/stream starts it).

A producer publishes order events at an even rate; the launcher runs the job of `lake_stream` as Airflow renders it: `ingest-kafka
--continuous` lands them, and turns beside it bring them to Silver. Every minute one of its processes is killed (SIGKILL): the stream, a
program of a turn, the launcher, in turn; what the scheduler would start again is started again, as the next attempt. At the end every
record must be there once, in Bronze and in Silver, and soon enough; small files must be few.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench import topic as topics
from bench.setup import contracts_of
from deltalake import DeltaTable

from proofs import ending, places, stream_job, stream_judge
from proofs import stream_figures as figures

FOLDER = places.PROOFS / "stream"
LAKE = FOLDER / "lake"
JOB = "stream_kafka_orders"
KILL_EVERY_SECONDS = 60
KINDS = ("stream", "turn", "launcher")
# Attempts beyond those that kills ask for: one that ends by itself again and again is not brought to life for ever.
FAILURES_MAX = 3
# What is under way when a producer ends is there within so many seconds, or never.
CATCH_UP_SECONDS_MAX = 300
# Of the events per second that were asked for: the last ones are flushed when no more are made.
RATE_SHARE_MIN = 0.95
LOOK_SECONDS = 0.2
# What the gates of Silver compare orders with, by the jobs that bring it.
KNOWN = {
    "bronze_snowflake": {"bronze_snowflake_customers", "bronze_snowflake_products"}, "bronze_ecb": {"bronze_fx_rates"},
    "silver_snowflake": {"silver_customers", "silver_products"}, "silver_ecb": {"silver_fx_rates"},
}  # fmt: skip


@dataclass
class Bench:
    """The job of the proof, and what was found wrong."""

    programs: Path
    contracts: Path
    problems: list[str] = field(default_factory=list)
    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))

    def attempts(self, task: str, window: str) -> stream_job.Attempts:
        """Returns the attempts of a task, none of them started."""
        name = task.rpartition(".")[2]
        return stream_job.Attempts(name, stream_job.rendered(task), LAKE, self.programs, self.contracts, window, FOLDER)


def prepared(bench: Bench) -> dict[str, list[int]]:
    """Brings customers, products and rates into the lake as `lake_daily` does, and returns whom and what there is."""
    for job, tables in KNOWN.items():
        attempts = bench.attempts(f"lake_daily.{job}", places.HISTORY)
        # The versions that Airflow would hand over are the newest ones here.
        attempts.arguments = [pair for pair in attempts.arguments if json.loads(pair[1])["table"] in tables]
        code = attempts.start().process.wait()
        if code != 0:
            raise SystemExit(f"stream: the job {job} ended with {code}; see {FOLDER / job}.log")
    return {"customers": _numbers("customers", "customer_id"), "products": _numbers("products", "product_id")}


def _numbers(table: str, column: str) -> list[int]:
    found = DeltaTable(LAKE / "silver" / table).to_pyarrow_table(columns=[column]).column(0).to_pylist()
    return sorted(int(one) for one in found)


def kept_alive(bench: Bench, attempts: stream_job.Attempts, producer: subprocess.Popen, every: float) -> stream_job.Running:
    """Keeps the job alive until the producer ends, killing one of its processes on the way; returns the last attempt."""
    running, due, failures = attempts.start(), time.monotonic() + every, 0
    kinds = [kind for _ in range(1000) for kind in KINDS]
    while producer.poll() is None:
        if time.monotonic() >= due and running.kill(kinds[sum(bench.kills.values())]):
            kind, due = kinds[sum(bench.kills.values())], due + every
            bench.kills[kind] += 1
            if kind == "launcher":
                # Its programs live on while the next attempt begins.
                dead, running = running, attempts.start()
                dead.process.wait()
                dead.sweep()
            elif kind == "stream":
                # The launcher says so, and the scheduler starts the next attempt.
                ended = running.process.wait()
                if ended != 128 + signal.SIGKILL:
                    bench.problems.append(f"the launcher ended with {ended} when the stream was killed")
                running = attempts.start()
        if running.process.poll() is not None:
            failures += 1
            bench.problems.append(f"the job ended by itself with {running.process.returncode}; see {FOLDER / JOB}.log")
            if failures > FAILURES_MAX:
                break
            running = attempts.start()
        time.sleep(LOOK_SECONDS)
    return running


def ended(bench: Bench, attempts: stream_job.Attempts, running: stream_job.Running, sent: int) -> None:
    """Waits until all is in Bronze and Silver, then ends the job as a scheduler does."""
    give_up_at = time.monotonic() + CATCH_UP_SECONDS_MAX
    while time.monotonic() < give_up_at and running.process.poll() is None:
        landed = figures.accepted(LAKE / figures.BRONZE) >= sent and not figures.behind(LAKE)
        # Not in the middle of a turn: its gates must be seen to end well.
        if landed and figures.is_gated(LAKE) and set(running.programs()) <= {stream_job.STREAMING}:
            break
        time.sleep(LOOK_SECONDS)
    running.process.send_signal(signal.SIGTERM)
    code = running.process.wait(CATCH_UP_SECONDS_MAX)
    record = attempts.record(attempts.number) or {}
    if code != 0 or record.get("signal") != "SIGTERM":
        bench.problems.append(f"the job ended with {code} on SIGTERM: {record.get('why')}")
    landing = (record.get("steps") or [{}])[0]
    if "commits" not in ((landing.get("summary") or {}).get("facts") or {}):
        bench.problems.append("the stream left no summary on SIGTERM")


def proved(bench: Bench, topic: str, rate: int, seconds: int) -> None:
    """Publishes, streams, kills, and judges."""
    known = prepared(bench)
    arguments = [os.environ["KAFKA_BOOTSTRAP"], topic, "--rate", str(rate), "--seconds", str(seconds)]
    command = [sys.executable, "-m", "proofs.stream_producer", *arguments]
    producer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert producer.stdin
    with producer.stdin:
        json.dump(known, producer.stdin)
    attempts = bench.attempts(f"lake_stream.{JOB}", f"{datetime.now(UTC):%Y-%m-%d}")
    every = min(KILL_EVERY_SECONDS, seconds / 4)
    try:
        running = kept_alive(bench, attempts, producer, every)
        producer.stdin = None
        told = json.loads(producer.communicate()[0])
        ended(bench, attempts, running, told["sent"])
    finally:
        producer.kill()
        # They are in groups of their own, and would outlive a proof that is stopped.
        attempts.sweep()
    killed = ", ".join(f"{kind} {times}" for kind, times in bench.kills.items())
    print(f"published {told['sent']:,} records in {told['seconds']} s: {told['sent'] / told['seconds']:,.0f} per second; killed: {killed}")
    kills = sum(bench.kills.values())
    if kills < int(seconds / every) - 1:
        bench.problems.append(f"only {kills} kills in {seconds} s, and one is due every {every:.0f} s")
    if told["sent"] < RATE_SHARE_MIN * rate * told["seconds"]:
        bench.problems.append(f"the producer came to {told['sent'] / told['seconds']:,.0f} events/s, less than {rate:,}")
    bench.problems += stream_judge.judged(LAKE, told, attempts.records(), attempts.number)


def main() -> int:
    """Runs the proof."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=int, default=5_000)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    topics.drop("stream.")
    name = f"{topics.PREFIX}stream.{os.getpid()}"
    topics.make(name)
    bench = Bench(options.programs, contracts_of(FOLDER, name))
    try:
        proved(bench, name, options.rate, int(options.minutes * 60))
    finally:
        topics.drop("stream.")
    return ending.told("stream", f"{options.rate:,} events/s for {options.minutes:g} min, {sum(bench.kills.values())} times SIGKILL", bench.problems)


if __name__ == "__main__":
    raise SystemExit(main())
