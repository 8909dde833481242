"""Two tables, row by row: as multisets keyed by the key, each column to its last digit."""

import re
from dataclasses import dataclass, field

SHOWN_MAX = 5
# How far doubles may be apart, by the larger of the two.
RELATIVE = 1e-9
DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")


@dataclass
class Comparison:
    """What came out of comparing one table."""

    rows_expected: int
    rows_found: int
    differences: int = 0
    shown: list = field(default_factory=list)

    def add(self, count, *lines):
        """Counts differences; the first few are shown."""
        self.differences += count
        self.shown.extend(lines[: max(0, SHOWN_MAX - len(self.shown))])


def shown_as(column, kind):
    """Returns SQL that turns the oracle's integer of the last digit into the decimal that the lake must show."""
    match = DECIMAL.fullmatch(kind)
    if not match:
        return column
    digits = int(match[2])
    last_digit = f"CAST('0.{'1'.rjust(digits, '0')}' AS DECIMAL({digits + 1},{digits}))"
    return f"CAST(CAST({column} AS DECIMAL(20,0)) * {last_digit} AS {kind.upper()})"


def numbered(connection, relation, table, expressions):
    """Returns SQL for a relation whose rows have `copy`: 1, and 2, 3, ... for further rows of the same key."""
    key = ", ".join(table.key)
    columns = ", ".join(f"{expression} AS {name}" for name, expression in expressions.items())
    total, distinct = connection.execute(
        f"SELECT count(*), (SELECT count(*) FROM (SELECT DISTINCT {key} FROM {relation})) FROM {relation}"
    ).fetchone()
    copy = "1"
    if total != distinct:
        copy = f"row_number() OVER (PARTITION BY {key} ORDER BY {', '.join(expressions)})"
    return f"SELECT {columns}, {copy} AS copy FROM {relation}", total


def unequal(table, name):
    """Returns SQL for whether a column differs: to the last digit, but for doubles and columns that need only be near."""
    expected, found = f"e.{name}", f"f.{name}"
    apart = f"{expected} IS DISTINCT FROM {found}"
    if table.columns[name] == "double":
        apart += f" AND COALESCE(abs({expected} - {found}) > {RELATIVE} * greatest(abs({expected}), abs({found})), true)"
    elif name in table.near:
        apart += f" AND COALESCE(abs({expected} - {found}) > {table.near[name]}, true)"
    return f"({apart})"


def compare(connection, table, columns, expected, found):
    """Compares two relations of the database over these columns: {column: SQL of the expected side}."""
    left, rows_expected = numbered(connection, expected, table, columns)
    right, rows_found = numbered(connection, found, table, {name: name for name in columns})
    result = Comparison(rows_expected, rows_found)
    same_key = " AND ".join([f"e.{name} IS NOT DISTINCT FROM f.{name}" for name in table.key] + ["e.copy = f.copy"])
    values = [name for name in columns if name not in table.key]
    differs = " OR ".join(unequal(table, name) for name in values) or "false"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE different AS SELECT e.copy IS NOT NULL AS in_expected, f.copy IS NOT NULL AS in_found, "
        f"{', '.join(f'COALESCE(e.{name}, f.{name}) AS {name}' for name in table.key)}, COALESCE(e.copy, f.copy) AS copy, "
        f"{', '.join(f'e.{name} AS e_{name}, f.{name} AS f_{name}, {unequal(table, name)} AS d_{name}' for name in values)} "
        f"FROM ({left}) e FULL JOIN ({right}) f ON {same_key} WHERE e.copy IS NULL OR f.copy IS NULL OR {differs}"
    )
    count = connection.execute("SELECT count(*) FROM different").fetchone()[0]
    order = ", ".join((*table.key, "copy"))
    rows = connection.execute(f"SELECT * FROM different ORDER BY {order} LIMIT {SHOWN_MAX}").fetchall()
    result.add(count, *(described(table, values, row) for row in rows))
    return result


def described(table, values, row):
    """Returns one line on one differing row: key + column + expected + found."""
    in_expected, in_found, *rest = row
    key = ", ".join(f"{name}={value}" for name, value in zip(table.key, rest))
    copy, *pairs = rest[len(table.key) :]
    if copy > 1:
        key += f", copy {copy} of this key"
    if not in_found:
        return f"{key}: expected a row, found none"
    if not in_expected:
        return f"{key}: expected no row, found one"
    wrong = [
        f"{name} expected {expected!s}, found {found!s}"
        for name, expected, found, differs in zip(values, pairs[::3], pairs[1::3], pairs[2::3])
        if differs
    ]
    return f"{key}: {'; '.join(wrong)}"
