"""A lake made by the real programs, read by Trino over Glue: `python -m proofs.trino_drills [--bucket BUCKET] [--programs DIR]`.

Days run from local sources into a bucket, `catalog-sync` describes them, and each time both catalog and Trino are held against
what deltalake Python reads: as the day left the tables; after contracts and tables gained a column and the next day filled it;
after two syncs at once; after another writer added nested columns and rows. That a comparison that holds means something is
shown by tables in which one value of each column is another one. Databases, lake and sources are of its own.
"""

from __future__ import annotations

import argparse
import math
import time
import uuid
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake
from proofs import catalog, day, evolution, places, stores, trino_reader
from proofs.catalog_drills import OK, World, agrees, expect

FOLDER = places.PROOFS / "trino"
FOREIGN = "gold/dim_date"
AT_ONCE = 2
# One table of each layer, with all types of columns between them.
TAMPERED = ("bronze/kafka_orders", "silver/orders", "gold/product_performance")


def read_alike(world: World) -> bool:
    """Says whether Trino over Glue reads what deltalake reads."""
    wrong = trino_reader.compare(trino_reader.of_environment(), world.lake, world.prefix)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return not wrong


def synced(world: World, when: str) -> None:
    """One sync, then both comparisons."""
    code, said, text = world.sync()
    counts = said.get("tables", {})
    expect(f"{when}: a sync, exit {code}: {counts}", code == OK and not counts.get("skipped") and agrees(world), text)
    expect(f"{when}: Trino reads what deltalake reads", read_alike(world))


def synced_twice_at_once(world: World, when: str) -> None:
    """Two syncs of the same changes at the same time, then both comparisons."""
    before = world.versions()
    codes = world.at_once(AT_ONCE)
    changed = sum(version != before.get(name) for name, version in world.versions().items())
    expect(f"{when}: {AT_ONCE} syncs at once, exits {codes}: {changed} entries changed", codes == [OK] * AT_ONCE and changed and agrees(world))
    expect(f"{when}: Trino reads what deltalake reads", read_alike(world))


def gained(world: World) -> None:
    """Stops when the new column is not in Glue with its class, or holds nothing that Trino could sum."""
    server = trino_reader.of_environment()
    for place in evolution.GAINED:
        name = place.replace("/", "_", 1)
        entry = world.entry(name)
        column = next((one for one in entry["StorageDescriptor"]["Columns"] if one["Name"] == evolution.COLUMN), {})
        class_ = column.get("Parameters", {}).get("classification")
        filled = server.rows(f'SELECT count({evolution.COLUMN}) FROM "{entry["DatabaseName"]}"."{name}"')[0][0]
        expect(f"{name}.{evolution.COLUMN} is {column.get('Type')}, {class_}, filled in {filled} rows",
               (column.get("Type"), class_) == (evolution.COLUMN_TYPE.lower(), evolution.CLASS) and filled > 0)  # fmt: skip


def noticed(world: World) -> None:
    """Lets Glue lead to tables with another value in each column: each must be named, and the next sync leads back."""
    server = trino_reader.of_environment()
    for place in TAMPERED:
        name, table = place.replace("/", "_", 1), world.table(place)
        arrow = table.to_pyarrow_table()
        write_deltalake(f"{world.lake}/tampered/{place}", pa.table([tampered(column) for column in arrow.columns], schema=arrow.schema))
        lead_to(world.entry(name), f"{world.lake}/tampered/{place}")
        problems, _ = trino_reader.problems_of(server, world.entry(name), table)
        named = {field.name for field in table.schema().fields if any(f" of {field.name} differs" in one for one in problems)}
        there = {column for column in arrow.column_names if arrow.column(column).null_count < arrow.num_rows}
        expect(f"{name}: another value in each of {len(there)} columns is noticed", named == there, named ^ there)
    synced(world, "led astray")


def lead_to(entry: catalog.Entry, path: str) -> None:
    """Writes another path to a table's SerDe, which is where Trino finds the table."""
    kept = ("Name", "StorageDescriptor", "PartitionKeys", "TableType", "Parameters")
    changed = {key: entry[key] for key in kept}
    changed["StorageDescriptor"]["SerdeInfo"]["Parameters"]["path"] = path
    catalog.glue().update_table(DatabaseName=entry["DatabaseName"], TableInput=changed)


def tampered(column: pa.ChunkedArray) -> pa.Array:
    """Returns a column in which the first value that is there is the next one that its type knows."""
    values = column.to_pylist()
    for at, value in enumerate(values):
        if value is not None:
            values[at] = following(value)
            break
    return pa.array(values, column.type)


def following(value: object) -> object:
    """Returns another value, as near as can be."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return math.nextafter(value, math.inf)
        case Decimal():
            return value + Decimal((0, (1,), value.as_tuple().exponent))
        case datetime():
            return value + timedelta(milliseconds=1)
        case date():
            return value + timedelta(days=1)
        case bytes():
            return value + b"~"
    return f"{value}~"


def story(world: World, programs: Path, env: dict[str, str]) -> None:
    """Goes through all of it."""
    print("the first days:", flush=True)
    env = day.staged(world.lake, programs, env)
    synced(world, "the first days")
    print("a column more:", flush=True)
    world.contracts = evolution.contracts(FOLDER / "contracts")
    evolution.widen(world.lake)
    evolution.rebuild(world.lake, places.DAYS[0], env, programs, world.contracts)
    day.must(day.run(places.DAYS[1], world.lake, programs=programs, env=env, contracts=world.contracts), f"window {places.DAYS[1]}")
    synced(world, "a column more")
    gained(world)
    print("another day:", flush=True)
    day.sources("advance", places.DAYS[2])
    day.must(day.run(places.DAYS[2], world.lake, programs=programs, env=env, contracts=world.contracts), f"window {places.DAYS[2]}")
    synced_twice_at_once(world, "another day")
    print("another writer:", flush=True)
    count = evolution.foreign_rows(world.lake, FOREIGN)
    synced_twice_at_once(world, f"{len(evolution.NESTED)} columns and {count} rows by another writer")
    print("led astray:", flush=True)
    noticed(world)


def main() -> int:
    """Goes through the story on a lake of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bucket", default="lake")
    parser.add_argument("--programs", type=Path, default=places.HOME / "bin")
    options = parser.parse_args()
    started, mark = time.monotonic(), uuid.uuid4().hex[:12]
    world = World(stores.Bucket(f"s3://{options.bucket}/proofs/trino-{mark}"), f"proof_{mark}_", options.programs)
    try:
        story(world, options.programs, day.environment())
        count, layers = len(catalog.all_entries(world.prefix)), ", ".join(catalog.LAYERS)
    finally:
        world.wipe()
    print(f"trino: {count} tables of {layers} are read over Glue as deltalake reads them, after each change ({time.monotonic() - started:.0f} s)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
