"""Judges a lake: each table's type and rows against the oracle's."""

from pathlib import Path

from oracle import compare, lake
from oracle.compare import Comparison
from oracle.tables import ATTRIBUTION_SHARES


def expected_columns(table, names):
    """Returns {column: SQL over the oracle's table} in the types that the lake must show."""
    return {name: compare.shown_as(name, table.columns[name]) for name in names}


def judge(bench, one_lake, table):
    """Compares one table of the lake with the oracle's."""
    expected = bench.get(table.name)
    delta_table = one_lake.table(table)
    if delta_table is None:
        rows = bench.connection.execute(f"SELECT count(*) FROM {expected}").fetchone()[0]
        result = Comparison(rows, 0)
        result.add(max(rows, 1), "the table is missing")
        return result
    found = lake.column_types(delta_table)
    missing = [name for name in table.columns if name not in found and name not in table.optional]
    wrong = [name for name in table.columns if name in found and not lake.is_type(found[name], table.columns[name])]
    extra = [name for name in found if name not in table.columns and not name.startswith("_") and not table.open_ended]
    names = [name for name in table.columns if name in found]
    if set(table.key) <= set(names):
        lake.register(bench.connection, delta_table, {name: table.columns[name] for name in names}, "found")
        result = compare.compare(bench.connection, table, expected_columns(table, names), expected, "found")
        bench.connection.execute("DROP VIEW found")
        bench.connection.unregister("found_arrow")
    else:
        result = Comparison(bench.connection.execute(f"SELECT count(*) FROM {expected}").fetchone()[0], 0)
    shape = Comparison(result.rows_expected, result.rows_found)
    shape.add(len(missing), *(f"column {name}: expected {table.columns[name]}, found no such column" for name in missing))
    shape.add(len(wrong), *(f"column {name}: expected {table.columns[name]}, found {found[name]}" for name in wrong))
    shape.add(len(extra), *(f"column {name}: expected no such column, found {found[name]}" for name in extra))
    shape.add(result.differences, *result.shown)
    return shape


def judge_all(bench, one_lake):
    """Yields (table, comparison) for every table that is judged."""
    for table in bench.tables:
        yield table, judge(bench, one_lake, table)


def judge_shares(bench, path):
    """Compares a Parquet file with the shares of every order, model and touch; both may hold amounts as decimals."""
    table = ATTRIBUTION_SHARES
    casts = ", ".join(f"TRY_CAST({name} AS {lake.sql_type(kind)}) AS {name}" for name, kind in table.columns.items())
    bench.connection.execute(f"CREATE OR REPLACE TEMP VIEW found_shares AS SELECT {casts} FROM read_parquet('{path}')")
    expected = expected_columns(table, table.columns)
    return compare.compare(bench.connection, table, expected, bench.get(table.name), "found_shares")


def save(bench, folder):
    """Writes the expected tables as Parquet, one file per table, in the types that the lake must show, and what they are made of."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    attributed = any(table.name == "gold_marketing_attribution" for table in bench.tables)
    for table in (*bench.tables, *((ATTRIBUTION_SHARES,) if attributed else ())):
        names = [name for name in table.columns if name not in table.optional]
        columns = ", ".join(f"{sql} AS {name}" for name, sql in expected_columns(table, names).items())
        path = Path(folder) / f"{table.name}.parquet"
        bench.connection.execute(f"COPY (SELECT {columns} FROM {bench.get(table.name)} ORDER BY ALL) TO '{path}' (FORMAT parquet)")
