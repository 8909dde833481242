"""`catalog-sync` on a lake of its own: `python -m proofs.catalog_drills --bucket BUCKET [--killed]`; endpoints as for `proofs.catalog`.

Entries are made, kept, evolved, synced by several at once, pruned; entries of others are left alone; what is refused says why.
With `--killed` the test build is killed at every fault point of the program instead, every time that it passes it, and run again.
After each step every entry must be what deltalake Python reads from the Delta logs. Databases and lake have names of their own
and are deleted at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
import uuid
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, Field, Schema, write_deltalake
from deltalake.schema import PrimitiveType, StructType
from proofs import catalog, places, stores
from proofs.evolution import NESTED

OK, CONFIG, DATA, TRANSIENT = 0, 2, 65, 75
TABLES = ("bronze/fx_rates", "silver/fx_rates", "silver/customers", "gold/dim_date")
# Rounds of two syncs at once, each after a change; and how many make the same entries at once.
ROUNDS, MAKERS = 6, 4
DELTA = {"STRING": "string", "INT": "integer", "BIGINT": "long", "DOUBLE": "double", "BOOLEAN": "boolean", "DATE": "date", "TIMESTAMP": "timestamp", "BINARY": "binary"}


@dataclass
class World:
    """A lake and the databases that belong to it."""

    lake: stores.Bucket
    prefix: str
    programs: Path
    columns: dict[str, list[dict]] = field(default_factory=dict)
    contracts: Path = places.CONTRACTS
    env: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def create(self, place: str) -> DeltaTable:
        """Makes an empty table with the columns of its contract."""
        columns = [Field(one["name"], PrimitiveType(DELTA.get(one["type"], one["type"].lower()))) for one in self.columns[place]]
        parts = ["_ingest_date", "_source"] if place.startswith("bronze/") else []
        return DeltaTable.create(str(self.lake / place), schema=Schema(columns), partition_by=parts)

    def table(self, place: str) -> DeltaTable:
        """Opens a table."""
        return DeltaTable(str(self.lake / place))

    def command(self, *arguments: str) -> list[str]:
        """Returns the command line of a sync."""
        program = str(self.programs / "catalog-sync")
        options = ("--lake", str(self.lake), "--database-prefix", self.prefix, "--contracts", str(self.contracts), "--output", "json")
        return [program, *options, *arguments]

    def sync(self, *arguments: str, env: dict[str, str] | None = None) -> tuple[int, dict, str]:
        """Runs a sync; returns exit code, its last line, and what it said to people."""
        done = subprocess.run(self.command(*arguments), env=env or self.env, text=True, capture_output=True, check=False)
        lines = done.stdout.splitlines()
        return done.returncode, json.loads(lines[-1]) if lines else {}, done.stderr

    def at_once(self, count: int) -> list[int]:
        """Runs several syncs at the same time; returns their exit codes."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started = [subprocess.Popen(self.command(), env=self.env, **quiet) for _ in range(count)]
        return [one.wait() for one in started]

    def versions(self) -> dict[str, str]:
        """Returns Glue's own version of every entry."""
        return {name: entry["VersionId"] for name, entry in catalog.all_entries(self.prefix).items()}

    def entry(self, name: str) -> catalog.Entry:
        """Returns an entry."""
        return catalog.all_entries(self.prefix)[name]

    def put(self, name: str, like: str, location: str | None = None) -> None:
        """Puts an entry beside those of the sync, made like one of them."""
        other = self.entry(like)
        kept = ("StorageDescriptor", "PartitionKeys", "TableType", "Parameters")
        made = {"Name": name, **{key: other[key] for key in kept}}
        if location:
            made["StorageDescriptor"] = made["StorageDescriptor"] | {"Location": location}
        catalog.glue().create_table(DatabaseName=other["DatabaseName"], TableInput=made)

    def wipe(self) -> None:
        """Deletes databases and lake."""
        glue = catalog.glue()
        for layer in catalog.LAYERS:
            for name in catalog.entries(f"{self.prefix}{layer}"):
                glue.delete_table(DatabaseName=f"{self.prefix}{layer}", Name=name)
            try:
                glue.delete_database(Name=f"{self.prefix}{layer}")
            except glue.exceptions.EntityNotFoundException:
                pass
        self.lake.delete()


def expect(what: str, holds: bool, more: object = "") -> None:
    """Stops the proof when something does not hold."""
    if not holds:
        raise SystemExit(f"catalog-drills: {what}: does not hold {more}")
    print(f"  {what}", flush=True)


def agrees(world: World) -> bool:
    """Says whether every entry is what its Delta log says."""
    wrong = catalog.compare(world.lake, world.prefix, world.contracts)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return not wrong


def made(world: World) -> None:
    """Entries come into being once, whoever makes them."""
    for place in TABLES:
        world.create(place)
    code, said, text = world.sync("--dry-run")
    expect(f"a dry run: exit {code}, nothing is written", code == OK and not said["written"] and world.versions() == {}, text)
    codes = world.at_once(MAKERS)
    expect(f"{MAKERS} syncs make the same entries at once: exits {codes}", codes == [OK] * MAKERS and agrees(world))
    before = world.versions()
    code, said, text = world.sync()
    counts = said["tables"]
    expect(f"another one writes nothing: {counts['unchanged']} unchanged, {counts['skipped']} without a table",
           code == OK and not said["written"] and counts["unchanged"] == len(TABLES) and world.versions() == before, text)  # fmt: skip


def evolved(world: World) -> None:
    """Versions and columns follow the logs, also nested ones and for two at once."""
    world.table("silver/fx_rates").alter.set_table_properties({"delta.appendOnly": "false"})
    code, said, text = world.sync("silver_fx_rates")
    expect("a new version of the same columns is noted", code == OK and said["tables"]["updated"] == 1 and agrees(world), text)
    world.table("gold/dim_date").alter.add_columns(NESTED)
    code, said, text = world.sync()
    expect(f"{len(NESTED)} columns of nested and other types are taken over", code == OK and said["tables"]["updated"] == 1 and agrees(world), text)
    for number in range(ROUNDS):
        for place in TABLES:
            world.table(place).alter.add_columns([Field(f"round_{number}", PrimitiveType("string"))])
        codes = world.at_once(2)
        expect(f"two at once, round {number + 1}: exits {codes}", codes == [OK, OK] and agrees(world))


def pruned(world: World) -> None:
    """Columns and entries go with `--prune` only, and those of others never."""
    write_deltalake(str(world.lake / "silver/fx_rates"), pa.table({"date": pa.array([], pa.date32())}), mode="overwrite", schema_mode="overwrite")
    before = len(world.entry("silver_fx_rates")["StorageDescriptor"]["Columns"])
    code, _, text = world.sync()
    after = len(world.entry("silver_fx_rates")["StorageDescriptor"]["Columns"])
    expect(f"columns that went are kept: {after}", code == OK and after == before, text)
    world.put("silver_old", "silver_fx_rates")
    world.put("silver_others", "silver_fx_rates", "s3://another/silver/fx_rates")
    code, said, text = world.sync()
    expect("an entry without a contract is told", code == OK and said["tables"]["left"] == 1 and not said["written"], text)
    code, said, text = world.sync("--prune")
    names = set(world.versions())
    expect("pruned: it is gone, that of another lake is not", code == OK and "silver_old" not in names and "silver_others" in names, text)
    catalog.glue().delete_table(DatabaseName=f"{world.prefix}silver", Name="silver_others")
    expect("pruned: columns are those of the log", agrees(world))


def refused(world: World) -> None:
    """What cannot be done says why, and nothing else suffers."""
    world.create("silver/orders")
    world.put("silver_orders", "silver_fx_rates", "s3://another/silver/orders")
    foreign = world.versions()["silver_orders"]
    world.table("silver/customers").alter.add_columns([Field("late", PrimitiveType("string"))])
    code, _, text = world.sync()
    expect(f"an entry of another lake is in the way: exit {code}, it stays, and the others are synced",
           code == CONFIG and "silver_orders" in text and "--database-prefix" in text and world.versions()["silver_orders"] == foreign
           and "late" in {one["Name"] for one in world.entry("silver_customers")["StorageDescriptor"]["Columns"]}, text)  # fmt: skip
    catalog.glue().delete_table(DatabaseName=f"{world.prefix}silver", Name="silver_orders")
    world.table("silver/customers").alter.add_columns([Field("odd", StructType([Field("a:b", PrimitiveType("string"))]))])
    code, _, text = world.sync()
    expect(f"a type without a name: exit {code}, column and table are named", code == DATA and "`odd` of `silver_customers`" in text
           and "silver_orders" in world.versions(), text)  # fmt: skip
    bare = {key: value for key, value in world.env.items() if key not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")}
    nowhere = {"AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere", "AWS_EC2_METADATA_DISABLED": "true"}
    code, _, text = world.sync("--retries-max", "0", env=bare | nowhere)
    expect(f"without credentials: exit {code}", code == CONFIG and "hint:" in text, text)
    down = world.env | {"AWS_ENDPOINT_URL_GLUE": "http://127.0.0.1:9"}
    code, _, text = world.sync("--retries-max", "0", env=down)
    expect(f"the catalog is down: exit {code}", code == TRANSIENT, text)


def killed(world: World) -> None:
    """Dies wherever it can, and the next sync makes of what is there what an undisturbed one would."""
    for place in TABLES:
        world.create(place)
    listed = subprocess.run([str(world.programs / "all-clis"), "fault-points"], text=True, capture_output=True, check=True).stdout.split()
    points = [point for point in listed if point.startswith("catalog.")]
    expect(f"the test build has points of its own: {', '.join(points)}", len(points) > 1)
    for point in points:
        for number in count(1):
            unfinished(world)
            code, _, text = world.sync("--prune", env=world.env | {"SLUICE_FAULT": f"{point}#{number}"})
            if code >= 0:
                break
            again, _, said = world.sync("--prune")
            third, written, _ = world.sync("--prune")
            expect(f"killed at {point}, time {number}: the next sync ends it, another one writes nothing",
                   (again, third) == (OK, OK) and not written["written"] and agrees(world), said)  # fmt: skip
        expect(f"{point} was passed {number - 1} times", code == OK and number > 1, text)


def unfinished(world: World) -> None:
    """Leaves something of every kind to do: a database and its entries to make, an entry to replace, one to drop."""
    code, _, text = world.sync("--prune")
    if code != OK:
        raise SystemExit(f"catalog-drills: the sync before ended with {code}:\n{text}")
    world.put("silver_old", "silver_fx_rates")
    world.table("silver/customers").alter.set_table_properties({"delta.appendOnly": "false"})
    glue = catalog.glue()
    for name in catalog.entries(f"{world.prefix}gold"):
        glue.delete_table(DatabaseName=f"{world.prefix}gold", Name=name)
    glue.delete_database(Name=f"{world.prefix}gold")


def contract_columns(programs: Path) -> dict[str, list[dict]]:
    """Returns the columns of every contract, by the table's place."""
    command = [str(programs / "run-pipeline"), "check", "--output", "json", "--contracts", str(places.CONTRACTS)]
    text = subprocess.run(command, text=True, capture_output=True, check=True).stdout
    tables = [json.loads(line) for line in text.splitlines()]
    return {table["place"]: table["columns"] for table in tables}


def main() -> int:
    """Goes through all drills on one lake."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bucket", default="lake")
    parser.add_argument("--killed", action="store_true", help="kill the test build at every fault point of catalog-sync")
    options = parser.parse_args()
    started, mark = time.monotonic(), uuid.uuid4().hex[:12]
    programs = places.HOME / ("bin-faults" if options.killed else "bin")
    world = World(stores.Bucket(f"s3://{options.bucket}/proofs/catalog-{mark}"), f"proof_{mark}_", programs, contract_columns(programs))
    drills = (killed,) if options.killed else (made, evolved, pruned, refused)
    try:
        for drill in drills:
            print(f"{drill.__name__}:")
            drill(world)
    finally:
        world.wipe()
    print(f"catalog-drills: {len(drills)} drills hold: entries equal the Delta logs after every step ({time.monotonic() - started:.0f} s)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
