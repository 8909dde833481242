"""Answers one SQL query over the tables of a lake: see `ci/query`."""

from __future__ import annotations

import argparse
import os
import re
import sys
from datetime import datetime

import duckdb
from deltalake import DeltaTable

from proofs import lake, places, stores
from proofs.stores import Place

ROWS_MAX = 1_000


def main() -> int:
    """Prints the answer; 2 when the question or the lake cannot be read."""
    parser = argparse.ArgumentParser(prog="ci/query", description=__doc__)
    parser.add_argument("sql", nargs="?", help="one query")
    parser.add_argument("--tables", action="store_true", help="list the tables instead")
    parser.add_argument("--lake", type=stores.place, default=os.environ.get("LAKE_URI") or str(places.HOME / "lake"))
    options = parser.parse_args()
    if bool(options.sql) == options.tables:
        parser.error("give a query, or --tables")
    if not stores.tables(options.lake):
        print(f"error: no lake in {options.lake}: run ci/demo, or name one with --lake", file=sys.stderr)
        return 2
    try:
        answer = listed(options.lake) if options.tables else asked(options.lake, options.sql)
    except duckdb.Error as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        print("\n".join(answer), flush=True)
    except BrokenPipeError:
        # Whoever reads has seen enough; nothing is left to be flushed at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def listed(folder: Place) -> list[str]:
    """Returns one line per table: its name and rows."""
    rows = []
    for place, table in lake.tables(folder):
        counts = table.get_add_actions(flatten=True).column("num_records").to_pylist()
        rows.append((place.replace("/", "_", 1), f"{sum(counts):,}"))
    return laid_out(["table", "rows"], rows)


def asked(folder: Place, sql: str) -> list[str]:
    """Returns the answer's lines. Only tables that the query names are opened."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    words = set(re.findall(r"[a-z_0-9]+", sql.lower()))
    for place in stores.tables(folder):
        name = place.replace("/", "_", 1)
        if name in words:
            connection.register(name, DeltaTable(str(folder / place)).to_pyarrow_dataset())
    answer = connection.execute(sql)
    names = [column[0] for column in answer.description or ()]
    reader = answer.to_arrow_reader(ROWS_MAX)
    rows = [row for batch in reader for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)]
    lines = laid_out(names, [tuple(shown(value) for value in row) for row in rows[:ROWS_MAX]])
    return lines + ([f"... {len(rows) - ROWS_MAX:,} more rows"] if len(rows) > ROWS_MAX else [])


def shown(value: object) -> str:
    """Returns a value for people."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case bytes():
            return value.decode(errors="replace")
        case _:
            return str(value)


def laid_out(names: list[str], rows: list[tuple[str, ...]]) -> list[str]:
    """Returns a table with a head, as wide as its values; numbers stand right."""
    columns = list(zip(*rows, strict=True)) if rows else [() for _ in names]
    widths = [max(len(name), *(len(value) for value in column), 0) for name, column in zip(names, columns, strict=True)]
    right = [bool(column) and all(re.fullmatch(r"-?[\d,.]+(e-?\d+)?|null", value) for value in column) for column in columns]
    lines = [tuple(names), tuple("-" * width for width in widths), *rows]
    return [
        "  ".join(
            value.rjust(width) if is_right else value.ljust(width)
            for value, width, is_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    ]


if __name__ == "__main__":
    raise SystemExit(main())
