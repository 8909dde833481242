"""Writes `$SLUICE_HOME/sources/data/`: everything that the sources will publish, and a manifest of what is in it.

    ci/sources/generate [--profile full|small] [--data DIR]

Deterministic: no clock, no random numbers, no hash order. Data that is up to date (same code, lock and profile) stays.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import shutil
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

import behavior
import changes
import hubspot_files
import identities
import journey
import ledger
import manifest
import moved_orders
import movements
import places
import planted
import planted_behavior
import planted_campaigns
import planted_dirt
import planted_late
import planted_margins
import planted_touches
import planted_visits_late
import rates
import stream
import warehouse
from events import EventLog, Record
from planted_warehouse import PlantedOrders, plant_orders

STAMP = ".stamp"
EVENT_SCHEMA = pa.schema([
    ("seq", pa.int64()), ("partition", pa.int32()), ("offset", pa.int64()), ("key", pa.binary()), ("value", pa.binary()),
    ("timestamp_ms", pa.int64()),
])  # fmt: skip

People = dict[int, tuple[identities.Person, int]]


@dataclass(frozen=True)
class StreamSide:
    """What the topic will hold, and what of it is planted."""

    records: list[Record]
    planted_orders: dict[str, list[str]]
    moved_orders: dict[str, list[str]]


@dataclass(frozen=True)
class WarehouseSide:
    """What of the written tables is planted: kinds, rows that break a rule, rows that replace newer ones."""

    kinds: list[manifest.RowKinds]
    broken: dict[str, ledger.Keys]
    older: dict[str, dict[str, ledger.Keys]]


def stamp(profile: str) -> str:
    """Returns a hash of everything that the data depends on: this module, what it imports, and the lock."""
    digest = hashlib.sha256(profile.encode())
    for file in sorted([*own_modules(Path(__file__).resolve()), places.REPOSITORY / "ci" / "requirements.txt"]):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def own_modules(module: Path) -> set[Path]:
    """Returns a module and those of this folder that it imports, so that a change of a server leaves the data alone."""
    found, waiting = set(), [module]
    while waiting:
        file = waiting.pop()
        if file in found or not file.is_file():
            continue
        found.add(file)
        for node in ast.walk(ast.parse(file.read_text())):
            names = (
                [node.module]
                if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in getattr(node, "names", ())]
            )
            waiting += [file.with_name(f"{name}.py") for name in names if name]
    return found


def generate(profile: str, data: Path) -> bool:
    """Makes `data` hold the profile; returns whether anything had to be written."""
    wanted = stamp(profile)
    if (data / STAMP).is_file() and (data / STAMP).read_text() == wanted:
        return False
    # Written beside it and renamed, so that nobody reads half a data set.
    scratch = data.with_name(data.name + ".part")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    write(journey.SIZES[profile], scratch)
    (scratch / STAMP).write_text(wanted)
    shutil.rmtree(data, ignore_errors=True)
    scratch.rename(data)
    return True


def write(sizes: journey.Sizes, data: Path) -> None:
    """Writes all files of a profile."""
    connection = journey.open_journey(sizes)
    households = connection.execute("SELECT customer_id, age, income FROM households ORDER BY customer_id").fetchall()
    people = {key: (identities.person(key, key, age, income, sizes.settled), key) for key, age, income in households}
    products = planted.choose_products(connection)

    visits = planted_behavior.Visits(planted_campaigns.targeted(connection))
    campaigns = planted_campaigns.plant_campaigns(connection, visits)
    customers = warehouse.changeable(connection, "CUSTOMERS", 104, len(people))
    emails = {key: str(people[key][0]["EMAIL"]) for key in customers}

    stream_side = write_stream(connection, sizes, people, products, data)
    warehouse_side = write_tables(connection, sizes, people, products, campaigns, data)
    touched = write_behavior(connection, sizes, visits, stream_side.moved_orders, campaigns.reached, data)
    crm_side = hubspot_files.write_crm(emails, sizes, data)
    served = rates.published_rates(sizes.profile)
    rates.write_rates(served, data)

    counted: ledger.Ledger = {}
    ledger.kafka_ledger(counted, stream_side.records)
    ledger.warehouse_ledger(counted, data, warehouse_side.broken, warehouse_side.older)
    ledger.behavior_ledger(counted, data, visits.rows)
    hubspot_files.crm_ledger(counted, data, crm_side.broken)
    for batch, by_table in rates.rates_ledger(served).items():
        counted[batch] |= {table: {"bronze_fx_rates": buckets} for table, buckets in by_table.items()}
    document = {
        "profile": sizes.profile,
        "windows": {batch: manifest.window_of(batch) for batch in places.BATCHES},
        "real": manifest.real_totals(connection),
        "ledger": ledger.summed(counted),
        "ledger_by_input": ledger.by_input(counted),
        "events": manifest.event_kinds(stream_side.records),
        "warehouse": manifest.row_kinds(warehouse_side.kinds),
        "behavior": manifest.visit_kinds(behavior.real_kinds(connection), visits.rows),
        "touched_orders": touched,
        "hubspot": manifest.row_kinds([crm_side.kinds]),
        "fx": {
            "revised": {"batch": rates.REVISED_IN, "cell": rates.REVISION},
            "published_late": {"batch": rates.REVISED_IN, "cell": rates.MISSING_UNTIL_REVISED},
            "lapsed": {"batch": places.HISTORY, "last_cell": rates.LAST_OF_LAPSED},
        },
        "planted_orders": {
            "stream": stream_side.planted_orders,
            "warehouse": manifest.planted_warehouse_orders(warehouse_side.kinds[0]),
        },
        "moved_orders": stream_side.moved_orders,
        "publication": manifest.publication(stream_side.records, data, crm_side.readable),
    }
    manifest.check_identities(connection, data)
    hubspot_files.check_contacts(connection, data)
    (data / "manifest.json").write_text(manifest.render(document) + "\n")


def write_stream(
    connection: duckdb.DuckDBPyConnection, sizes: journey.Sizes, people: People, products: list, data: Path
) -> StreamSide:
    """Writes each batch's `events.parquet`."""
    log = EventLog()
    stream.publish_real(log, stream.stream_orders(connection))
    planter = planted.Planter(log, products, sorted(people))
    planted.plant_history(planter)
    planted.plant(planter, [*planted_dirt.STORIES, *planted_late.STORIES, *movements.STORIES], sizes)
    moved = moved_orders.move_real(planter, connection, sizes)
    planted_margins.plant_returns(planter)
    records = log.published()
    for batch in places.BATCHES:
        rows = [event_row(seq, record) for seq, record in enumerate(records) if record.batch == batch]
        (data / batch).mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pylist(rows, schema=EVENT_SCHEMA)
        pq.write_table(table, data / batch / "events.parquet", compression="zstd")
    return StreamSide(records, planter.orders, moved)


def event_row(seq: int, record: Record) -> dict:
    """Returns a record with what Kafka will answer when all are published in this order."""
    return {
        "seq": seq,
        "partition": record.partition,
        "offset": record.offset,
        "key": record.key,
        "value": record.value,
        "timestamp_ms": (record.arrives_at - datetime(1970, 1, 1)) // timedelta(milliseconds=1),
    }


def write_tables(
    connection: duckdb.DuckDBPyConnection,
    sizes: journey.Sizes,
    people: People,
    products: list,
    campaigns: planted_campaigns.Campaigns,
    data: Path,
) -> WarehouseSide:
    """Writes each batch's warehouse tables."""
    customers = sorted(people)
    orders = PlantedOrders(products, customers)
    plant_orders(orders)
    planted_margins.plant_sales(orders)
    customer_changes = changes.plan_customers(warehouse.changeable(connection, "CUSTOMERS", 102, 1000), sizes)
    product_ids = warehouse.changeable(connection, "PRODUCTS", 103, 1000)
    wanted = ", ".join(map(str, product_ids))
    rows = warehouse.as_written(connection, "PRODUCTS", f"PRODUCT_ID IN ({wanted})")
    product_rows = {row["PRODUCT_ID"]: row for row in rows}
    product_changes = changes.plan_products(product_ids, sizes)
    new = {
        table: {day: [first + place] for place, day in enumerate(places.DAYS)}
        for table, first in (("CUSTOMERS", changes.FIRST_NEW_CUSTOMER), ("PRODUCTS", changes.FIRST_NEW_PRODUCT))
    }
    orders.rows[places.HISTORY]["CUSTOMERS"] = [
        *(first_row(*people[key]) for key in customers),
        *(first_row(*identities.neighbour(key)) for key in identities.NEIGHBOURS),
    ]
    for day, rows in changes.apply_customers(customer_changes, people, new["CUSTOMERS"]).items():
        orders.rows[day]["CUSTOMERS"] = rows
    for day, rows in changes.apply_products(product_changes, product_rows, new["PRODUCTS"]).items():
        orders.rows[day]["PRODUCTS"] = rows
    shared = planted_margins.plant_products(orders)
    for batch, by_table in campaigns.rows.items():
        orders.rows.setdefault(batch, {}).update(by_table)
    warehouse.write_warehouse(connection, orders.rows, data)
    inserted = {
        day: {
            "customer_new": list(map(str, new["CUSTOMERS"][day])),
            "product_new": list(map(str, new["PRODUCTS"][day])),
        }
        for day in places.DAYS
    } | {places.HISTORY: {"customer_neighbours": list(map(str, identities.NEIGHBOURS))}}
    older = {
        "CUSTOMERS": customer_changes.of_kind("customer_older_replaces_newer"),
        "PRODUCTS": product_changes.of_kind("product_older_replaces_newer"),
    } | campaigns.older
    return WarehouseSide(
        [orders.kinds, customer_changes.kinds(), product_changes.kinds(), inserted, shared, campaigns.kinds],
        orders.broken,
        older,
    )


def write_behavior(
    connection: duckdb.DuckDBPyConnection,
    sizes: journey.Sizes,
    visits: planted_behavior.Visits,
    moved: dict[str, list[str]],
    reached: set[int],
    data: Path,
) -> dict[str, list[str]]:
    """Writes each batch's events; returns the real orders whose touches are planted, by kind."""
    behavior.make_real(connection)
    planted_behavior.tell(visits, [*planted_behavior.STORIES, *planted_visits_late.STORIES], sizes)
    touched = planted_touches.plant_touches(visits, connection, sizes, moved, reached)
    behavior.write_events(connection, visits.rows, data)
    return touched


def first_row(clean: identities.Person, number: int) -> dict:
    """Returns a customer's row of history, updated some time on the first day of 2017."""
    minute = journey.spread(number, 85, 1440)
    start = places.WINDOWS[places.HISTORY][0]
    return identities.as_written(clean, number) | {"UPDATED_AT": start + timedelta(minutes=minute)}


def main() -> None:
    """Generates and says what there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", choices=sorted(journey.SIZES), default="full")
    parser.add_argument("--data", type=Path, default=places.DATA)
    args = parser.parse_args()
    started = time.monotonic()
    made = generate(args.profile, args.data.resolve())
    verb = "generated" if made else "is up to date"
    print(f"sources: {args.profile} data {verb} in {time.monotonic() - started:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
