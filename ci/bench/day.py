"""The benchmark of a day: `python -m bench.day --programs DIR [--part PART]... [--runs N] [--profile small|full]`.

Prints one table per part and ends with one line: bounds fail it, aims are met or missed. The sources must be up, at history.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from bench import history, kafka, noop, report, silver
from bench.report import Finding
from bench.setup import SIZES, Setup, memory
from proofs import day, places

PARTS = ("history", "kafka", "silver", "noop")


def parse() -> argparse.Namespace:
    """Returns the options."""
    parser = argparse.ArgumentParser(prog="ci/bench/day", description=__doc__)
    parser.add_argument("--programs", type=Path, required=True, help="directory of the programs")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part (repeatable)")
    parser.add_argument("--runs", type=int, default=3, help="how often each is measured (default: 3)")
    parser.add_argument("--profile", choices=sorted(SIZES), default="full", help="how much data (default: full)")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error("--runs must be 1 or more")
    return options


def measured(setup: Setup, parts: list[str]) -> list[Finding]:
    """Measures the parts; what is again after history comes right after it, while its lake is there."""
    parted = []
    if "history" in parts:
        parted.append(history.measured(setup))
    if "noop" in parts:
        parted.append(noop.measured(setup, filled="history" in parts))
    if "kafka" in parts:
        parted.append(kafka.measured(setup))
    if "silver" in parts:
        parted.append(silver.measured(setup))
    every = [cost for _, costs in parted for cost in costs]
    return [memory(every), *(finding for findings, _ in parted for finding in findings)]


def main() -> int:
    """Measures; 1 when a bound is broken."""
    started = time.monotonic()
    options = parse()
    setup = Setup(options.programs.resolve(), options.runs, SIZES[options.profile], day.environment() | day.connections())
    report.say(f"{options.profile} data, {os.cpu_count()} processors, programs of {setup.programs}, lakes in {places.HOME / 'runs'}")
    findings = measured(setup, options.part or list(PARTS))
    return report.close(findings, time.monotonic() - started)


if __name__ == "__main__":
    raise SystemExit(main())
