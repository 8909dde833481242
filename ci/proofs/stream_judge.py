"""What must hold of a lake after the proof of the stream: every record once, soon, in few files, and turns that did their work."""

from __future__ import annotations

import math
from pathlib import Path

from deltalake import DeltaTable

from proofs import stream_figures as figures

BRONZE_SECONDS_MAX, SILVER_SECONDS_MAX = 10, 60
FLUSH_SECONDS, SMALL_FILES_MAX = 5, 32


def judged(lake: Path, told: dict, records: list[dict], attempts: int) -> list[str]:
    """Prints what was found and returns what is wrong."""
    return [*_rows(lake, told), *_delays(lake), *_files(lake, told, attempts), *_turns(records)]


def _rows(lake: Path, told: dict) -> list[str]:
    """Every record is there once, in both layers."""
    problems, sent = [], told["sent"]
    if told["failed"]:
        problems.append(f"the producer could not publish {told['failed']} records")
    rows, offsets, highest = figures.bronze_rows(DeltaTable(lake / figures.BRONZE).file_uris())
    print(f"Bronze: {sent:,} records published, {rows:,} rows, {offsets:,} different offsets of {highest:,}: {sent - offsets} lost, {rows - offsets} doubled")
    if not sent == rows == offsets == highest:
        problems.append("records are lost or doubled in Bronze")
    rows, orders, paid = figures.silver_rows(DeltaTable(lake / figures.SILVER).file_uris())
    print(f"Silver: {told['placed']:,} orders placed, {rows:,} rows, {orders:,} different orders; {told['paid']:,} paid, {paid:,} rows say so")
    if not told["placed"] == rows == orders or told["paid"] != paid:
        problems.append("orders are lost or doubled in Silver")
    rows, lines = figures.item_rows(DeltaTable(lake / figures.ITEMS).file_uris())
    print(f"Silver: {told['lines']:,} lines ordered, {rows:,} rows, {lines:,} different lines")
    if not told["lines"] == rows == lines:
        problems.append("lines of orders are lost or doubled in Silver")
    return problems


def _delays(lake: Path) -> list[str]:
    """Records are soon enough in both layers."""
    problems = []
    bronze, orders, waiting = figures.delays(lake, figures.SILVER)
    _, items, _ = figures.delays(lake, figures.ITEMS)
    limits = (("Bronze", bronze, BRONZE_SECONDS_MAX), ("Silver, orders", orders, SILVER_SECONDS_MAX), ("Silver, lines", items, SILVER_SECONDS_MAX))
    for layer, delays, most in limits:
        median, p95, highest = figures.seconds(delays)
        print(f"{layer}: from produced to committed {median:.2f} s (median), {p95:.2f} s (p95), {highest:.2f} s (highest); p95 must be < {most} s")
        if p95 >= most or not len(delays):
            problems.append(f"p95 to {layer} is {p95:.2f} s, of {len(delays)} records")
    if waiting:
        problems.append(f"{waiting} records are in no Silver commit")
    return problems


def _files(lake: Path, told: dict, attempts: int) -> list[str]:
    """Commits and small files are bounded."""
    problems = []
    log = figures.entries(lake / figures.BRONZE)
    commits = sum(bool(entry.brings) for entry in log)
    compactions = sum(bool(entry.goes) for entry in log)
    small, most, at_end = figures.live_files(log)
    # Two days meet at midnight, and each has small files of its own.
    days = len({path.split("/")[0] for entry in log for path in entry.comes})
    bound = days * (SMALL_FILES_MAX + 1) + math.ceil(told["sent"] / figures.SMALL_ROWS)
    print(f"files of Bronze: {commits} commits and {compactions} compactions; small at once: {max(small)} at most; in all: {most} at most, {at_end} at the end (bound {bound})")
    if max(small) > days * (SMALL_FILES_MAX + 1) or most > bound:
        problems.append("there are too many small files")
    # Each start may find what waits, and the last one ends what is left.
    commits_max = told["seconds"] / FLUSH_SECONDS + 2 * attempts + 2
    if commits > commits_max:
        problems.append(f"{commits} commits in {told['seconds']} s are more than one per {FLUSH_SECONDS} s")
    for name, table in (("orders", figures.SILVER), ("lines", figures.ITEMS), ("verdicts", figures.VERDICTS)):
        small, most, at_end = figures.live_files(figures.entries(lake / table))
        print(f"files of {name}: small at once: {max(small)} at most; in all: {most} at most, {at_end} at the end")
        # The bound is kept before a run, of each partition; the run itself adds what it writes.
        partitions = len({Path(uri).parent for uri in DeltaTable(lake / table).file_uris()})
        if max(small) > (partitions + 1) * SMALL_FILES_MAX:
            problems.append(f"there are too many small files of {name}")
    return problems


def _turns(records: list[dict]) -> list[str]:
    """Turns were taken, and each of their steps ended well at least once, gates too."""
    turns = [record["turns"] for record in records]
    took = [step["duration_ms"] / 1000 for turn in turns for step in turn["steps"] if step["state"] == "ok"]
    taken, interrupted = (sum(turn[key] for turn in turns) for key in ("taken", "interrupted"))
    print(f"turns: {taken} taken, {interrupted} interrupted (of the attempts that left a record); the longest last step took {max(took, default=0):.1f} s")
    done = {f"{step['program']} {step['table']}" for turn in turns for step in turn["steps"] if step["state"] == "ok"}
    missing = {f"{step['program']} {step['table']}" for turn in turns for step in turn["steps"]} - done
    return [f"{step} never ended well" for step in sorted(missing)] + ([] if taken else ["no turn was taken"])
