"""Glue says of every table what its Delta log says: `python -m proofs.catalog --lake s3://BUCKET/PREFIX [--database-prefix P]`.

deltalake Python reads the logs, boto3 the catalog; where both are is in the usual `AWS_*` variables (moto: one `AWS_ENDPOINT_URL`;
another S3 server beside it: `AWS_ENDPOINT_URL_GLUE`). Columns, types, partition keys, place, SerDe path, owner, classes of
columns and the synced version are compared, both ways: no table without an entry, no entry without a table.
"""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import Any

import boto3
from deltalake import DeltaTable
from deltalake.schema import ArrayType, MapType, PrimitiveType, StructType
from proofs import ending, lake, places, stores

LAYERS = ("bronze", "silver", "gold")
HIVE = {"byte": "tinyint", "short": "smallint", "integer": "int", "long": "bigint", "timestamp_ntz": "timestamp"}
SAME = {"string", "float", "double", "boolean", "binary", "date", "timestamp"}
DECIMAL = re.compile(r"decimal\((\d+),\s*(\d+)\)")
TABLE_PARAMETERS = {"EXTERNAL": "TRUE", "table_type": "DELTA", "spark.sql.sources.provider": "delta", "classification": "delta"}
SERDE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
COMMENT_MAX = 255

Entry = dict[str, Any]


def hive(kind: PrimitiveType | ArrayType | MapType | StructType) -> str:
    """Returns Hive's name of a type as deltalake has it."""
    match kind:
        case ArrayType():
            return f"array<{hive(kind.element_type)}>"
        case MapType():
            return f"map<{hive(kind.key_type)},{hive(kind.value_type)}>"
        case StructType():
            return f"struct<{','.join(f'{one.name}:{hive(one.type)}' for one in kind.fields)}>"
    if kind.type in SAME:
        return kind.type
    decimal = DECIMAL.fullmatch(kind.type)
    return "decimal({},{})".format(*decimal.groups()) if decimal else HIVE[kind.type]


def glue() -> Any:
    """Returns a client of the catalog that the programs see, too: they know the region by this variable."""
    return boto3.client("glue", region_name=os.environ.get("AWS_REGION"))


def entries(database: str) -> dict[str, Entry]:
    """Returns the entries of a database by name; none where there is no such database."""
    client, found = glue(), {}
    try:
        for page in client.get_paginator("get_tables").paginate(DatabaseName=database):
            found |= {one["Name"]: one for one in page["TableList"]}
    except client.exceptions.EntityNotFoundException:
        return {}
    return found


def all_entries(prefix: str) -> dict[str, Entry]:
    """Returns the entries of all layers by name."""
    return {name: entry for layer in LAYERS for name, entry in entries(f"{prefix}{layer}").items()}


def named(columns: list[dict]) -> list[tuple[str, str]]:
    """Returns names and types of Glue's columns."""
    return [(one["Name"], one.get("Type", "")) for one in columns]


def problems_of(entry: Entry, table: DeltaTable, place: str) -> list[str]:
    """Returns in what an entry is not what the Delta log says."""
    keys = list(table.metadata().partition_columns)
    types = {field.name: hive(field.type) for field in table.schema().fields}
    storage, parameters = entry["StorageDescriptor"], entry.get("Parameters", {})
    comments = [one.get("Comment", "") for one in storage["Columns"] + entry["PartitionKeys"]]
    expected = {
        "columns": ([(name, kind) for name, kind in types.items() if name not in keys], named(storage["Columns"])),
        "partition keys": ([(name, types[name]) for name in keys], named(entry["PartitionKeys"])),
        "location": (place, storage["Location"]),
        "SerDe path": (place, storage["SerdeInfo"]["Parameters"].get("path")),
        "SerDe": (SERDE, storage["SerdeInfo"]["SerializationLibrary"]),
        "table type": ("EXTERNAL_TABLE", entry["TableType"]),
        "parameters": (TABLE_PARAMETERS, {key: parameters.get(key) for key in TABLE_PARAMETERS}),
        "version": (str(table.version()), parameters.get("sluice.delta_version")),
        "table id": (str(table.metadata().id), parameters.get("sluice.delta_id")),
        "long comments": ([], [text for text in comments if len(text.encode()) > COMMENT_MAX]),
    }
    return [f"{what} is {found}, not {wanted}" for what, (wanted, found) in expected.items() if found != wanted]


def contract_file(contracts: Path, name: str) -> str:
    """Returns the text of a table's contract."""
    layer, rest = name.split("_", 1)
    below = f"{rest}.odcs.yaml" if layer == "bronze" else f"{rest}/contract.odcs.yaml"
    return (contracts / layer / below).read_text()


def words_problems(contracts: Path, name: str, entry: Entry) -> list[str]:
    """Returns in what owner and classes of an entry are not those of the contract; its lines are read as text, without our parser."""
    text = contract_file(contracts, name)
    owner = re.search(r"^team: \{name: ([^,}]+)", text, re.M)
    declared = re.split(r"^      - name: ", text.split("\nslaProperties:")[0].split("\n    quality:\n")[0], flags=re.M)[1:]
    classes = {one.split("\n", 1)[0].strip(): (re.search(r"^        classification: (\w+)", one, re.M) or [None, None])[1] for one in declared}
    wrong = [] if not owner or entry.get("Owner") == owner[1] else [f"owner is {entry.get('Owner')}, not {owner[1]}"]
    for column in entry["StorageDescriptor"]["Columns"] + entry["PartitionKeys"]:
        wanted = classes.get(column["Name"], "unknown")
        found = column.get("Parameters", {}).get("classification")
        if found != wanted or (wanted and not column.get("Comment", "").startswith(f"[{wanted}]")):
            wrong.append(f"class of {column['Name']} is {found}, not {wanted}")
    return wrong


def compare(where: stores.Place, prefix: str, contracts: Path = places.CONTRACTS) -> list[str]:
    """Returns what Glue and the Delta logs do not agree about."""
    tables = {place: table for place, table in lake.tables(where) if place.split("/")[0] in LAYERS}
    found = all_entries(prefix)
    wrong = [] if tables else [f"{where}: no tables"]
    for place, table in tables.items():
        name = place.replace("/", "_", 1)
        entry = found.pop(name, None)
        if entry is None:
            wrong.append(f"{name}: no entry")
            continue
        if entry["DatabaseName"] != prefix + place.split("/")[0]:
            wrong.append(f"{name}: in database {entry['DatabaseName']}")
        wrong += [f"{name}: {text}" for text in problems_of(entry, table, str(where / place)) + words_problems(contracts, name, entry)]
    wrong += [f"{name}: an entry without a table" for name in found]
    print(f"catalog: {len(tables)} tables, {sum(len(table.schema().fields) for table in tables.values())} columns compared")
    return wrong


def main() -> int:
    """Prints what differs; 1 when something does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=stores.place, required=True)
    parser.add_argument("--database-prefix", default="sluice_")
    options = parser.parse_args()
    return ending.told("catalog", f"Glue against the Delta logs of {options.lake}", compare(options.lake, options.database_prefix))


if __name__ == "__main__":
    raise SystemExit(main())
