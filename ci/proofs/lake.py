"""Reads all tables of a lake with the `deltalake` package and compares two lakes row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from deltalake import DeltaTable
from proofs import stores
from proofs.stores import LAYERS, Place

# Differs between two runs that did the same: who ran and when.
RUN_COLUMNS = frozenset({"_run_id", "_ingested_at"})
OPS_COLUMNS = {
    "ops/dq_verdicts": frozenset({"run_id", "checked_at"}),
    "ops/ledger": frozenset({"run_id"}),
    "ops/runs": frozenset({"run_id", "attempt", "duration_ms", "peak_rss_bytes", "bytes_written", "facts"}),
}
# What a ledger counts: rows that were read, and what became of each.
BUCKETS = ("read", "accepted", "quarantined", "duplicate", "superseded", "filtered", "held")
EXAMPLES_MAX = 3
EXAMPLE_LENGTH = 300


def tables(lake: Place) -> Iterator[tuple[str, DeltaTable]]:
    """Returns every table with its place in the lake, such as `silver/orders`."""
    for place in stores.tables(lake):
        yield place, DeltaTable(str(lake / place))


def versions(lake: Place) -> dict[str, int]:
    """Returns the version of every table."""
    return {place: table.version() for place, table in tables(lake)}


def rows(table: DeltaTable, leave_out: frozenset[str] = frozenset()) -> Counter[tuple]:
    """Returns the rows as a multiset, without some columns; every value as text that is exact."""
    arrow = table.to_pyarrow_table()
    kept = sorted(name for name in arrow.column_names if name not in leave_out)
    columns = [[None if value is None else str(value) for value in arrow.column(name).to_pylist()] for name in kept]
    return Counter(zip(*columns, strict=True)) if columns else Counter()


def left_out(place: str) -> frozenset[str]:
    """Returns the columns of a table that differ between equal runs."""
    return RUN_COLUMNS | OPS_COLUMNS.get(place, frozenset())


def contents(lake: Place, layers: tuple[str, ...] = LAYERS) -> dict[str, Counter[tuple]]:
    """Returns the rows of all tables, without what differs between equal runs."""
    found = {}
    for place, table in tables(lake):
        if place.split("/")[0] in layers:
            found[place] = rows(table, left_out(place))
    return found


def contents_of(lake: Place, places: tuple[str, ...], leave_out: frozenset[str] = frozenset()) -> dict[str, Counter[tuple]]:
    """Returns the rows of some tables, without what differs between equal runs; one that is not there has none."""
    return {
        place: rows(DeltaTable(str(lake / place)), left_out(place) | leave_out) if is_there(lake, place) else Counter()
        for place in places
    }


def is_there(lake: Place, place: str) -> bool:
    """Whether a table is there."""
    return any(file.startswith("_delta_log/") for file in stores.of(lake / place).files())


def differences(expected: dict[str, Counter[tuple]], found: dict[str, Counter[tuple]]) -> list[str]:
    """Returns one line per table that differs, with examples; empty when all are equal."""
    lines = []
    for place in sorted(expected.keys() | found.keys()):
        # A table that nobody needed yet is as good as an empty one.
        before, after = expected.get(place, Counter()), found.get(place, Counter())
        missing, extra = before - after, after - before
        if missing or extra:
            lines.append(f"{place}: {missing.total()} rows missing, {extra.total()} rows too many")
            lines += [f"    - {str(row)[:EXAMPLE_LENGTH]}" for row in list(missing)[:EXAMPLES_MAX]]
            lines += [f"    + {str(row)[:EXAMPLE_LENGTH]}" for row in list(extra)[:EXAMPLES_MAX]]
    return lines
