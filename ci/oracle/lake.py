"""Reads a lake's Delta tables with the `deltalake` package, from a directory or an S3 endpoint."""

import json
from pathlib import Path

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

INTEGERS = ("byte", "short", "integer", "long")


class Lake:
    """A lake by its URI; S3 settings come from the usual AWS_* variables."""

    def __init__(self, uri):
        self.uri = uri.rstrip("/")

    def exists(self):
        """Whether there is such a directory; of a bucket only its tables can say."""
        return "://" in self.uri or Path(self.uri).is_dir()

    def table(self, table):
        """Returns the Delta table, null where there is none."""
        uri = f"{self.uri}/{table.place}"
        if "://" not in uri and not (Path(uri) / "_delta_log").is_dir():
            return None
        try:
            return DeltaTable(uri)
        except TableNotFoundError:
            return None


def column_types(delta_table):
    """Returns {column: Delta type}; a type that is no single word is shown as its JSON."""
    fields = json.loads(delta_table.schema().to_json())["fields"]
    return {one["name"]: one["type"] if isinstance(one["type"], str) else json.dumps(one["type"]) for one in fields}


def is_type(found, wanted):
    """Whether a Delta type is the wanted one; `whole` is any integer type."""
    return found in INTEGERS if wanted == "whole" else found == wanted


def sql_type(kind):
    """Returns DuckDB's type for one of the types that the tables are described with; instants are naive UTC inside."""
    if kind.startswith("decimal"):
        return kind.upper()
    return {
        "string": "VARCHAR",
        "integer": "INTEGER",
        "long": "BIGINT",
        "whole": "BIGINT",
        "boolean": "BOOLEAN",
        "double": "DOUBLE",
        "date": "DATE",
        "timestamp": "TIMESTAMP",
    }[kind]


def register(connection, delta_table, columns, view):
    """Makes the table's columns, cast to the types wanted, a view of the database; what cannot be cast is null."""
    arrow = delta_table.to_pyarrow_table(columns=list(columns))
    connection.register(f"{view}_arrow", arrow)
    casts = ", ".join(f"TRY_CAST({name} AS {sql_type(kind)}) AS {name}" for name, kind in columns.items())
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT {casts} FROM {view}_arrow")
