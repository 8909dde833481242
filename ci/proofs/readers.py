"""Independent readers agree on every table: rows, sums of every number, rows per partition; columns are the contract's.

`python -m proofs.readers --lake DIR [--spark PYTHON --jars DIR]`: deltalake Python reads the schema, then deltalake (through
PyArrow), Polars, DuckDB and Spark each compute the same figures with engines of their own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import duckdb
import duckdb_extension_delta
import polars as pl
import pyarrow.compute as pc
from deltalake import DeltaTable
from proofs import lake, places

Figures = dict[str, str]
# Beside the sums, which are named like their columns.
ROWS, PARTITIONS = "number of rows", "rows per partition"
NUMERIC = ("byte", "short", "integer", "long", "decimal")


def numbers(table: DeltaTable) -> list[str]:
    """Returns the columns whose sum is exact."""
    fields = json.loads(table.schema().to_json())["fields"]
    return [one["name"] for one in fields if isinstance(one["type"], str) and one["type"].startswith(NUMERIC)]


def text(value: object) -> str:
    """Returns a sum without trailing zeros; nothing summed is 0."""
    return f"{Decimal(str(value if value is not None else 0)).normalize():f}"


def partitions_text(counts: list[tuple]) -> str:
    """Returns rows per partition in an order of its own."""
    return "; ".join(sorted("/".join(map(str, values)) + f"={count}" for *values, count in counts))


def by_deltalake(folder: Path, columns: list[str], parts: list[str]) -> Figures:
    """Reads with delta-rs and sums with Arrow."""
    arrow = DeltaTable(str(folder)).to_pyarrow_table(columns=columns + parts)
    sums = {name: text(pc.sum(arrow.column(name)).as_py()) for name in columns}
    counts = arrow.group_by(parts).aggregate([([], "count_all")]).to_pylist() if parts else []
    rows = [(*[row[name] for name in parts], row["count_all"]) for row in counts]
    return {ROWS: str(arrow.num_rows), PARTITIONS: partitions_text(rows)} | sums


def by_polars(folder: Path, columns: list[str], parts: list[str]) -> Figures:
    """Reads and sums with Polars."""
    frame = pl.scan_delta(str(folder))
    wide = [pl.col(name).cast(pl.Int64) if kind.is_integer() else pl.col(name) for name, kind in frame.collect_schema().items() if name in columns]
    totals = frame.select(pl.len().alias(ROWS), *[one.sum() for one in wide]).collect()
    counts = frame.group_by(parts).agg(pl.len()).collect().rows() if parts else []
    sums = {name: text(totals[name][0]) for name in columns}
    return {ROWS: str(totals[ROWS][0]), PARTITIONS: partitions_text(counts)} | sums


def by_duckdb(folder: Path, columns: list[str], parts: list[str]) -> Figures:
    """Reads with delta-kernel and sums with DuckDB."""
    connection = duckdb_connection()
    sums = "".join(f', sum("{name}")' for name in columns)
    row = connection.execute(f"SELECT count(*){sums} FROM delta_scan('{folder}')").fetchone()
    quoted = ", ".join(f'"{name}"' for name in parts)
    counts = connection.execute(f"SELECT {quoted}, count(*) FROM delta_scan('{folder}') GROUP BY {quoted}").fetchall() if parts else []
    return {ROWS: str(row[0]), PARTITIONS: partitions_text(counts)} | {name: text(value) for name, value in zip(columns, row[1:], strict=True)}


def duckdb_connection() -> duckdb.DuckDBPyConnection:
    """Returns a connection with the delta extension that comes as a wheel: nothing is downloaded."""
    shipped = Path(duckdb_extension_delta.__file__).parent / "extensions" / f"v{duckdb.__version__}" / "delta.duckdb_extension"
    connection = duckdb.connect()
    connection.execute(f"LOAD '{shipped}'")
    return connection


READERS = {"deltalake": by_deltalake, "polars": by_polars, "duckdb": by_duckdb}


def by_spark(python: str, jars: str, wanted: dict[str, dict]) -> dict[str, Figures]:
    """Asks Spark for the same figures, in an environment and a process of its own."""
    script = Path(__file__).with_name("spark_figures.py")
    done = subprocess.run([python, str(script), jars], input=json.dumps(wanted), text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"readers: Spark failed:\n{done.stderr[-3000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    return {
        place: {
            ROWS: str(figures["rows"]),
            PARTITIONS: partitions_text([tuple(row) for row in figures["partitions"]]),
            **{name: text(value) for name, value in figures["sums"].items()},
        }
        for place, figures in found.items()
    }


def contract_columns(programs: Path) -> dict[str, list[str]]:
    """Returns the columns of every contract, by the table's place."""
    command = [str(programs / "run-pipeline"), "check", "--output", "json", "--contracts", str(places.CONTRACTS)]
    text = subprocess.run(command, text=True, capture_output=True, check=True).stdout
    tables = [json.loads(line) for line in text.splitlines()]
    return {table["place"]: [f"{one['name']} {one['type']}" for one in table["columns"]] for table in tables}


def table_columns(table: DeltaTable) -> list[str]:
    """Returns a table's columns in the words of contracts."""
    words = {"integer": "INT", "long": "BIGINT"}
    fields = json.loads(table.schema().to_json())["fields"]
    return [f"{one['name']} {words.get(one['type'], str(one['type']).upper().replace(' ', ''))}" for one in fields]


def column_problems(folder: Path, contracts: dict[str, list[str]]) -> list[str]:
    """Compares contracts and tables both ways."""
    tables = {place: table for place, table in lake.tables(folder) if place.split("/")[0] in ("bronze", "silver", "gold")}
    wrong = [f"{place}: contract without table" for place in sorted(contracts.keys() - tables.keys())]
    wrong += [f"{place}: table without contract" for place in sorted(tables.keys() - contracts.keys())]
    for place in sorted(contracts.keys() & tables.keys()):
        found = table_columns(tables[place])
        if found != contracts[place]:
            wrong.append(f"{place}: contract {sorted(set(contracts[place]) - set(found))} but table {sorted(set(found) - set(contracts[place]))}")
    return wrong


def main() -> int:
    """Prints one line per table; 1 when readers or columns disagree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, default=places.HOME / "lake")
    parser.add_argument("--spark", metavar="PYTHON")
    parser.add_argument("--jars")
    options = parser.parse_args()
    started = time.monotonic()
    found: dict[str, dict[str, Figures]] = {}
    wanted = {}
    for place, table in lake.tables(options.lake):
        folder, parts = options.lake / place, list(table.metadata().partition_columns)
        columns = [name for name in numbers(table) if name not in parts]
        wanted[place] = {"path": str(folder), "columns": columns, "partitions": parts}
        found[place] = {reader: read(folder, columns, parts) for reader, read in READERS.items()}
    if options.spark:
        for place, figures in by_spark(options.spark, options.jars, wanted).items():
            found[place]["spark"] = figures
    contracts = contract_columns(places.HOME / "bin")
    wrong = column_problems(options.lake, contracts)
    for place, figures in found.items():
        first = figures["deltalake"]
        unlike = [f"{reader}: {name} is {one[name]}, not {first[name]}" for reader, one in figures.items() for name in first if one.get(name) != first[name]]
        wrong += [f"{place}: {line}" for line in unlike]
        print(f"{place:<32} {first[ROWS]:>10} rows, {len(first) - 2:>2} sums, {len(figures)} readers {'agree' if not unlike else 'DISAGREE'}")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    readers = [*READERS, *(["spark"] if options.spark else [])]
    print(f"readers: {'FAILED' if wrong else 'agree'}: {', '.join(readers)} on {len(found)} tables; {len(contracts)} contracts against columns; {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
