"""Runs programs and says what each cost: wall seconds, CPU seconds, peak memory. All through `launcher.py`."""

from __future__ import annotations

import json
import os
import shlex
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launcher.py")
THREADS = 2


@dataclass(frozen=True)
class Cost:
    """What one run of a program cost."""

    program: str
    # The table that it was run for; empty for those that have none.
    table: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int


def cost(record: dict) -> Cost:
    """Returns the cost that a line of the launcher tells."""
    first = record["arguments"][0] if record["arguments"] else ""
    table = first if first.startswith(("bronze_", "silver_", "gold_")) else ""
    return Cost(record["program"], table, record["seconds"], record["cpu_seconds"], record["peak_bytes"])


def costs(records: Path) -> list[Cost]:
    """Returns the costs in a file that the launcher wrote."""
    return [cost(json.loads(line)) for line in records.read_text().splitlines()]


def launched(records: Path, name: str, executable: Path | str, *arguments: str) -> list[str]:
    """Returns the command line that runs a program through the launcher."""
    return [sys.executable, "-I", "-S", str(LAUNCHER), str(records), name, str(executable), *arguments]


def run(scratch: Path, executable: Path | str, *arguments: str, env: Mapping[str, str], name: str = "") -> tuple[Cost, str]:
    """Runs a program to its good end; returns what it cost and what it printed."""
    records = scratch / "one-run.jsonl"
    records.unlink(missing_ok=True)
    command = launched(records, name or Path(executable).name, executable, *arguments)
    done = subprocess.run(command, env=env, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"bench: {shlex.join([str(executable), *arguments])} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return costs(records)[0], done.stdout


def wrapper(records: Path) -> str:
    """Returns the script that stands for a program in a directory of `proofs.day.programs`."""
    return f'exec {shlex.join(launched(records, "{program}", "{real}"))} "$@"\n'


def summary(stdout: str) -> dict:
    """Returns the summary, which is the last line that a program prints as JSON."""
    return json.loads(stdout.splitlines()[-1])


def median(values: Iterable[float]) -> float:
    """Returns the median."""
    return statistics.median(values)


def medians(of: list[Cost]) -> Cost:
    """Returns the median of each figure over the runs of one step, but for memory: there the highest counts."""
    seconds, cpu = median(one.seconds for one in of), median(one.cpu_seconds for one in of)
    return Cost(of[0].program, of[0].table, seconds, cpu, max(one.peak_bytes for one in of))


def steps(runs: Iterable[list[Cost]]) -> list[Cost]:
    """Returns the medians of each step over some runs, in the order of the first one's end."""
    found: dict[tuple[str, str], list[Cost]] = {}
    for one in (one for run_costs in runs for one in run_costs):
        found.setdefault((one.program, one.table), []).append(one)
    return [medians(of) for of in found.values()]


@contextmanager
def two_processors() -> Iterator[None]:
    """Keeps everything that is started meanwhile on two processors, so that it is the same contest on a larger machine."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(before)[:THREADS]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
