"""Trino reads by Glue what deltalake Python reads: `python -m proofs.trino_reader --lake s3://BUCKET/PREFIX [--database-prefix P]`.

Every table of Glue's databases is asked in SQL and compared with the table at its place: version, columns and their types, rows,
and of each column the figures of `proofs.figures`. Trino takes a table's place from Glue and all else from its Delta log, so what
Glue says of columns is for `proofs.catalog`. It needs Trino at SLUICE_AWS_TRINO_PORT (`ci/aws-local start`).
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from itertools import islice

import pyarrow as pa
import trino
from deltalake import DeltaTable
from proofs import catalog, ending, figures, lake, stores

CATALOG = "delta"
# Read by everything that reads Delta at all: no deletion vectors, no column mapping, no other kind of checkpoint.
PROTOCOL = (1, 2)
# Each different-values count of a query is a stage of its own.
COLUMNS_A_QUERY = 16


class Trino:
    """A Trino with the catalog that `ci/aws-local` gives it."""

    def __init__(self, port: int) -> None:
        self._connection = trino.dbapi.connect(host="127.0.0.1", port=port, user="proofs", catalog=CATALOG, max_attempts=1)

    def rows(self, query: str) -> list[list]:
        """Runs a query and returns its rows."""
        cursor = self._connection.cursor()
        cursor.execute(query)
        return cursor.fetchall()

    def tables(self, database: str) -> set[str]:
        """Returns the names of a database's tables."""
        return {name for (name,) in self.rows(f'SHOW TABLES FROM "{database}"')}

    def columns(self, table: str) -> list[tuple[str, str]]:
        """Returns names and types of a table's columns."""
        return [(name, kind) for name, kind, *_ in self.rows(f"DESCRIBE {table}")]

    def version(self, database: str, name: str) -> int:
        """Returns the newest version that Trino knows of a table."""
        return self.rows(f'SELECT max(version) FROM "{database}"."{name}$history"')[0][0]


def of_environment() -> Trino:
    """Returns the Trino that the environment names."""
    return Trino(int(os.environ["SLUICE_AWS_TRINO_PORT"]))


def asked(server: Trino, source: str, table: DeltaTable) -> tuple[int, dict[str, dict[str, figures.Value | None]]]:
    """Returns rows and figures of a table as Trino has them, by column and figure."""
    found, rows, fields = {}, 0, iter(table.schema().fields)
    while some := list(islice(fields, COLUMNS_A_QUERY)):
        wanted = {field.name: figures.expressions(field.name, field.type) for field in some}
        selected = ", ".join(one for of_column in wanted.values() for one in of_column.values())
        rows, *values = server.rows(f"SELECT count(*), {selected} FROM {source}")[0]
        answers = iter(values)
        found |= {name: {figure: next(answers) for figure in of_column} for name, of_column in wanted.items()}
    return rows, found


def columns_problems(server: Trino, source: str, table: DeltaTable) -> list[str]:
    """Returns in what Trino's columns are not those of the Delta log; Trino folds names."""
    wanted = [(field.name.lower(), figures.trino_name(field.type).lower()) for field in table.schema().fields]
    found = [(name, kind.replace('"', "").lower()) for name, kind in server.columns(source)]
    return [] if found == wanted else [f"columns are {sorted(set(found) - set(wanted))}, not {sorted(set(wanted) - set(found))}"]


def differences(table: DeltaTable, rows: int, found: dict[str, dict]) -> Iterator[str]:
    """Yields in what Trino's figures are not those of what deltalake reads."""
    arrow: pa.Table = table.to_pyarrow_table()
    if rows != arrow.num_rows:
        yield f"{rows} rows, not {arrow.num_rows}"
    for field in table.schema().fields:
        for figure, wanted in figures.of_arrow(arrow.column(field.name), field.type).items():
            other = found[field.name][figure]
            # Figures tell values of people, too: which one differs is said, and not its value where it is one.
            if not figures.alike(figure, wanted, other):
                yield f"{figure} of {field.name} differs" + (f": {other}, not {wanted}" if figure in ("count", "different", "sum") else "")


def problems_of(server: Trino, entry: catalog.Entry, table: DeltaTable) -> tuple[list[str], str]:
    """Compares one table; returns what is wrong, and what was compared."""
    database, name = entry["DatabaseName"], entry["Name"]
    source, protocol = f'"{database}"."{name}"', table.protocol()
    found = (protocol.min_reader_version, protocol.min_writer_version)
    wrong = [] if found == PROTOCOL else [f"reader and writer versions are {found}, not {PROTOCOL}: features {protocol.reader_features}"]
    try:
        version = server.version(database, name)
        wrong += columns_problems(server, source, table)
        rows, answers = asked(server, source, table)
    except trino.exceptions.TrinoQueryError as error:
        return [*wrong, f"Trino cannot read it: {error.message}"], "not read"
    told = entry["Parameters"]["sluice.delta_version"]
    if not version == table.version() == int(told):
        wrong.append(f"Trino reads version {version}, deltalake {table.version()}, and Glue tells {told}")
    compared = sum(len(one) for one in answers.values())
    return wrong + list(differences(table, rows, answers)), f"version {version:>4} {rows:>9,} rows {len(answers):>3} columns {compared:>4} figures"


def compare(server: Trino, where: stores.Place, prefix: str) -> list[str]:
    """Returns in what Trino over Glue and deltalake Python do not agree about a lake."""
    tables = {place.replace("/", "_", 1): table for place, table in lake.tables(where) if place.split("/")[0] in catalog.LAYERS}
    found = catalog.all_entries(prefix)
    seen = {name for database in {entry["DatabaseName"] for entry in found.values()} for name in server.tables(database)}
    wrong = [f"{name}: in {have} and not in {lack}" for have, lack, names in (
        ("the lake", "Glue", tables.keys() - found), ("Glue", "the lake", found.keys() - tables), ("Glue", "Trino", found.keys() - seen),
    ) for name in sorted(names)]  # fmt: skip
    for name in sorted(tables.keys() & found.keys() & seen):
        problems, text = problems_of(server, found[name], tables[name])
        print(f"  {name:<32} {text}{'' if not problems else '  DIFFERS'}", flush=True)
        wrong += [f"{name}: {problem}" for problem in problems]
    return wrong if tables else [f"{where}: no tables"]


def main() -> int:
    """Prints a line per table; 1 when something differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=stores.place, required=True)
    parser.add_argument("--database-prefix", default="sluice_")
    options = parser.parse_args()
    started = time.monotonic()
    wrong = compare(of_environment(), options.lake, options.database_prefix)
    return ending.told("trino", f"Trino over Glue against deltalake on {options.lake} ({time.monotonic() - started:.0f} s)", wrong)


if __name__ == "__main__":
    raise SystemExit(main())
