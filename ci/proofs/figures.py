"""Figures by which two engines show that they read the same column: each as Trino's SQL and as Python's sum of the same values.

Numbers, days, instants and truth values are counted, summed exactly and have a smallest and a largest. Texts and bytes have no
sum, and one of floating point numbers depends on the order of adding: of these the numbers that make them up are summed, a
print that no changed value leaves as it was. Of lists, maps and structs rows and different values count.
"""

from __future__ import annotations

import functools
import json
import math
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal

import pyarrow as pa
from deltalake.schema import ArrayType, MapType, PrimitiveType, StructType

DeltaType = PrimitiveType | ArrayType | MapType | StructType
Value = int | float | Decimal | str | bytes
EXACT = Context(prec=100)
# Sums of floating point numbers depend on the order in which an engine adds.
RELATIVE = 1e-9
# Trino knows instants of a Delta table to the millisecond, and rounds to the nearest, a half upwards.
MICROS_OF_A_MILLI = 1000
SAME_NAME = ("double", "boolean", "date")
TRINO_NAMES = {
    "byte": "tinyint", "short": "smallint", "integer": "integer", "long": "bigint", "float": "real", "string": "varchar",
    "binary": "varbinary", "timestamp": "timestamp(3) with time zone", "timestamp_ntz": "timestamp(6)",
}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """How values of a kind are compared: `{c}` in SQL is the column, and `of` makes the same of one value from Arrow."""

    value: str
    of: Callable[[object], Value]
    summed: bool = True
    # The whole number that stands for a value in the print.
    printed: str = ""
    printed_of: Callable[[object], int] | None = None


def _millis(micros: object) -> int:
    return (int(micros) + MICROS_OF_A_MILLI // 2) // MICROS_OF_A_MILLI


def _bits(number: object) -> int:
    return struct.unpack(">q", struct.pack(">d", number))[0]


def _letters(text: object) -> int:
    return zlib.crc32(str(text).encode())


KINDS = {
    "whole": Kind("CAST({c} AS DECIMAL(38, 0))", int),
    "decimal": Kind("{c}", Decimal),
    "floating": Kind("CAST({c} AS DOUBLE)", float, printed="from_big_endian_64(to_ieee754_64(CAST({c} AS DOUBLE)))", printed_of=_bits),
    "boolean": Kind("CAST({c} AS DECIMAL(38, 0))", int),
    "date": Kind("CAST(date_diff('day', DATE '1970-01-01', {c}) AS DECIMAL(38, 0))", int),
    "instant": Kind("CAST(date_diff('millisecond', TIMESTAMP '1970-01-01 00:00:00 UTC', {c}) AS DECIMAL(38, 0))", _millis),
    "string": Kind("{c}", str, summed=False, printed="crc32(to_utf8({c}))", printed_of=_letters),
    "binary": Kind("{c}", bytes, summed=False, printed="crc32({c})", printed_of=zlib.crc32),
}
OF_TYPE = {
    "byte": "whole", "short": "whole", "integer": "whole", "long": "whole", "float": "floating", "double": "floating",
    "boolean": "boolean", "date": "date", "timestamp": "instant", "string": "string", "binary": "binary",
}  # fmt: skip
# Arrow's values of these are objects of Python's calendar, which knows neither all days nor a number for each.
AS_NUMBER = {"date": pa.int32(), "timestamp": pa.int64()}


def trino_name(kind: DeltaType) -> str:
    """Returns the name that Trino has for a type of a Delta schema."""
    match kind:
        case ArrayType():
            return f"array({trino_name(kind.element_type)})"
        case MapType():
            return f"map({trino_name(kind.key_type)}, {trino_name(kind.value_type)})"
        case StructType():
            return f"row({', '.join(f'{one.name} {trino_name(one.type)}' for one in kind.fields)})"
    if kind.type in SAME_NAME or kind.type.startswith("decimal("):
        return kind.type.replace(" ", "")
    return TRINO_NAMES[kind.type]


def kind_of(kind: DeltaType) -> Kind | None:
    """Returns how values of a type are compared; none for types that hold others."""
    if not isinstance(kind, PrimitiveType):
        return None
    return KINDS["decimal" if kind.type.startswith("decimal") else OF_TYPE[kind.type]]


def expressions(column: str, kind: DeltaType) -> dict[str, str]:
    """Returns the figures of a column as SQL of Trino, by name."""
    quoted, how = '"{}"'.format(column.replace('"', '""')), kind_of(kind)
    found = {"count": f"count({quoted})", "different": f"count(DISTINCT {quoted})"}
    if how is None:
        return found
    value = how.value.format(c=quoted)
    found |= {"min": f"min({value})", "max": f"max({value})"}
    if how.summed:
        found["sum"] = f"sum({value})"
    if how.printed:
        found["print"] = f"sum(CAST({how.printed.format(c=quoted)} AS DECIMAL(38, 0)))"
    return found


def of_arrow(column: pa.ChunkedArray, kind: DeltaType) -> dict[str, Value | None]:
    """Computes the figures of a column by name from what deltalake read."""
    how = kind_of(kind)
    if how is None:
        held = [json.dumps(value, default=str, sort_keys=True) for value in column.to_pylist() if value is not None]
        return {"count": len(held), "different": len(set(held))}
    if kind.type in AS_NUMBER:
        column = (column.cast(pa.timestamp("us", "UTC")) if kind.type == "timestamp" else column).cast(AS_NUMBER[kind.type])
    values = [how.of(value) for value in column.to_pylist() if value is not None]
    found = {"count": len(values), "different": len(set(values)), "min": min(values, default=None), "max": max(values, default=None)}
    if how.summed:
        found["sum"] = total(values)
    if how.printed_of:
        found["print"] = total([how.printed_of(value) for value in values])
    return found


def total(values: list) -> int | float | Decimal | None:
    """Adds numbers without losing a digit; none make no sum, as in SQL."""
    if not values:
        return None
    if isinstance(values[0], float):
        return math.fsum(values)
    if isinstance(values[0], Decimal):
        return functools.reduce(EXACT.add, values)
    return sum(values)


def alike(figure: str, one: Value | None, other: Value | None) -> bool:
    """Says whether two engines found the same; sums of floating point numbers may differ by what comes of another order."""
    if figure == "sum" and isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=RELATIVE)
    return one == other
