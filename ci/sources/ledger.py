"""The expected ledger, counted from what was planted.

Rules (the unit is a source row; a `superseded` or `duplicate` row is one because it was planted as one):

* Kafka: Bronze accepts every record. In Silver each record goes where its story says (`events.Record.expected`).
* Snowflake: a window reads [FROM - 2 h, TO) on UPDATED_AT of what the warehouse holds then: the batch's own rows, and
  the rows of earlier batches that no later one replaced and that stand within those two hours. Bronze accepts all.
  In Silver the batch's own rows are accepted; the rows that come again are duplicates; rows planted as broken are
  quarantined each time they land; a row planted as older than its predecessor is superseded in the current table
  and accepted in the history.
* FX: see `rates.rates_ledger`.
* silver_orders and silver_order_items have two inputs; the ledger adds them, `ledger_by_input` keeps them apart.

The numbers hold when every window runs once, in order, and each day is ingested before the next is published.
Not done here: running anything that decodes, deduplicates or orders.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import duckdb

import places
import tables
from events import ITEMS, MOVEMENTS, ORDERS, Record, total

BUCKETS = ("accepted", "quarantined", "duplicate", "superseded", "filtered", "held")
Keys = set[tuple[int, ...]]
# batch -> table -> input -> buckets
Ledger = dict[str, dict[str, dict[str, Counter]]]

# warehouse table -> Silver table, and its history where there is one
_SILVER = {
    "CUSTOMERS": ("silver_customers", "silver_customers_history"),
    "PRODUCTS": ("silver_products", "silver_products_history"),
    "ORDERS": (ORDERS, None),
    "ORDER_ITEMS": (ITEMS, None),
}


def kafka_ledger(ledger: Ledger, records: list[Record]) -> None:
    """Adds the stream's rows."""
    for batch in places.BATCHES:
        own = [record for record in records if record.batch == batch]
        _put(ledger, batch, "bronze_kafka_orders", places.TOPIC, Counter(accepted=len(own)))
        for table in (ORDERS, ITEMS, MOVEMENTS):
            _put(ledger, batch, table, "bronze_kafka_orders", total(own, table))


def warehouse_ledger(ledger: Ledger, data: Path, broken: dict[str, Keys], older: dict[str, dict[str, Keys]]) -> None:
    """Adds the warehouse's rows; `older` is table -> batch -> keys of rows that replace newer ones."""
    for table in tables.CONTRACTED:
        current, history = _SILVER[table]
        for batch in places.BATCHES:
            fresh, again = landed_keys(data, table, batch)
            own_broken, again_broken = (keys & broken.get(table, set()) for keys in (fresh[1], again[1]))
            superseded = fresh[1] & older.get(table, {}).get(batch, set())
            bronze = f"bronze_snowflake_{table.lower()}"
            _put(ledger, batch, bronze, table, Counter(accepted=fresh[0] + again[0]))
            counted = Counter(
                accepted=fresh[0] - len(own_broken) - len(superseded),
                quarantined=len(own_broken) + len(again_broken),
                duplicate=again[0] - len(again_broken),
                superseded=len(superseded),
            )
            _put(ledger, batch, current, bronze, counted)
            if history:
                versions = counted | Counter(accepted=counted["accepted"] + len(superseded))
                del versions["superseded"]
                _put(ledger, batch, history, bronze, versions)


def landed_keys(data: Path, table: str, batch: str) -> tuple[tuple[int, Keys], tuple[int, Keys]]:
    """Returns count and keys of the rows that a batch brings, and of those that its window reads again.

    The keys of planted rows are what the ledger needs; real keys are left out where there are a million of them.
    """
    start, end = places.WINDOWS[batch]
    files = [places.warehouse_file(name, table, data) for name in places.batches_up_to(batch)]
    keys = ", ".join(tables.KEYS[table])
    connection = duckdb.connect()
    # A later file's row replaces an earlier one's.
    again = connection.execute(
        " UNION ALL ".join(
            f"SELECT {keys} FROM read_parquet('{file}') AS earlier WHERE UPDATED_AT >= ? "
            + " ".join(
                f"AND NOT EXISTS (FROM read_parquet('{later}') AS later WHERE "
                + " AND ".join(f"later.{key} = earlier.{key}" for key in tables.KEYS[table])
                + ")"
                for later in files[place + 1 :]
            )
            for place, file in enumerate(files[:-1])
        )
        or f"SELECT {keys} FROM read_parquet('{files[0]}') WHERE false AND UPDATED_AT >= ?",
        [start - places.LOOKBACK] * max(1, len(files) - 1),
    ).fetchall()
    outside = connection.execute(
        f"SELECT count(*) FROM read_parquet('{files[-1]}') WHERE UPDATED_AT < ? OR UPDATED_AT >= ?",
        [start - places.LOOKBACK, end],
    ).fetchone()
    if outside != (0,):
        raise AssertionError(f"{batch}/{table}: {outside} rows outside the window that must read them")
    count, planted = _own_keys(connection, files[-1], table)
    return (count, planted), (len(again), set(again))


def _own_keys(connection: duckdb.DuckDBPyConnection, file: Path, table: str) -> tuple[int, Keys]:
    keys = ", ".join(tables.KEYS[table])
    count = connection.execute(f"SELECT count(*) FROM read_parquet('{file}')").fetchone()
    condition = "ORDER_ID BETWEEN 80000000000 AND 89999999999" if table.startswith("ORDER") else "true"
    planted = connection.execute(f"SELECT {keys} FROM read_parquet('{file}') WHERE {condition}").fetchall()
    return (count or (0,))[0], set(planted)


def _put(ledger: Ledger, batch: str, table: str, source: str, counted: Counter) -> None:
    ledger.setdefault(batch, {}).setdefault(table, {})[source] = counted


def with_read(counted: Counter) -> dict[str, int]:
    """Returns all buckets, and their sum as `read`."""
    return {"read": sum(counted.values())} | {bucket: counted[bucket] for bucket in BUCKETS}


def summed(ledger: Ledger) -> dict[str, dict[str, dict[str, int]]]:
    """Returns batch -> table -> buckets over all inputs."""
    return {
        batch: {table: with_read(sum(inputs.values(), Counter())) for table, inputs in sorted(by_table.items())}
        for batch, by_table in ledger.items()
    }


def by_input(ledger: Ledger) -> dict[str, dict[str, dict[str, dict[str, int]]]]:
    """Returns batch -> table -> input -> buckets."""
    return {
        batch: {
            table: {source: with_read(counted) for source, counted in inputs.items()}
            for table, inputs in sorted(by_table.items())
        }
        for batch, by_table in ledger.items()
    }
