"""The expected ledger, counted from what was planted.

Rules (the unit is a source row; a `superseded` or `duplicate` row is one because it was planted as one):

* Kafka: Bronze accepts every record. In Silver each record goes where its story says (`events.Record.expected`).
* Snowflake: a window reads [FROM - 2 h, TO) on UPDATED_AT of what the warehouse holds then: the batch's own rows, and
  the rows of earlier batches that no later one replaced and that stand within those two hours. Bronze accepts all.
  In Silver the batch's own rows are accepted; the rows that come again are duplicates; rows planted as broken are
  quarantined each time they land; a row planted as older than its predecessor is superseded in the current table
  and accepted in the history.
* Redshift: a window reads [FROM - 2 h, TO) on loaded_at: the batch's own rows, and those of earlier batches within the two
  hours. Bronze accepts all. In Silver own rows go where their story says, real ones are accepted (held when they are older
  than the late window of history: `places.held_before`). A row that comes again is quarantined if it is broken, held if it
  is behind the late window by now, superseded if a later row of its event is known, else a duplicate.
* FX: see `rates.rates_ledger`.
* HubSpot (counted in `hubspot_files`): a window reads live objects that were last changed in [FROM - 1 h, TO), what is
  archived now and was not known to be, and one row for each object that was known as live and is gone; of associations
  one row for each that is new, removed or of other types. Bronze accepts all. In Silver the batch's own rows are accepted,
  live or not; objects that come again by the lookback are duplicates; a company planted as broken is quarantined.
* silver_orders and silver_order_items have two inputs; the ledger adds them, `ledger_by_input` keeps them apart.

The numbers hold when every window runs once, in order, and each day is ingested before the next is published.
Not done here: running anything that decodes, deduplicates or orders.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path

import duckdb

import behavior
import places
import tables
from events import ITEMS, MOVEMENTS, ORDERS, Record, total

BUCKETS = ("accepted", "quarantined", "duplicate", "superseded", "filtered", "held")
# What the behaviour system calls its table.
EVENTS = f"{behavior.SCHEMA}.{behavior.TABLE}"
Keys = set[tuple]
# batch -> table -> input -> buckets
Ledger = dict[str, dict[str, dict[str, Counter]]]

# warehouse table -> Silver table, and its history where there is one
_SILVER = {
    "CUSTOMERS": ("silver_customers", "silver_customers_history"),
    "PRODUCTS": ("silver_products", "silver_products_history"),
    "ORDERS": (ORDERS, None),
    "ORDER_ITEMS": (ITEMS, None),
    "CAMPAIGNS": ("silver_campaigns", None),
    "CAMPAIGN_TARGETS": ("silver_campaign_targets", None),
    "COUPON_REDEMPTIONS": ("silver_coupon_redemptions", None),
}


def kafka_ledger(ledger: Ledger, records: list[Record]) -> None:
    """Adds the stream's rows."""
    for batch in places.BATCHES:
        own = [record for record in records if record.batch == batch]
        put(ledger, batch, "bronze_kafka_orders", places.TOPIC, Counter(accepted=len(own)))
        for table in (ORDERS, ITEMS, MOVEMENTS):
            put(ledger, batch, table, "bronze_kafka_orders", total(own, table))


def warehouse_ledger(ledger: Ledger, data: Path, broken: dict[str, Keys], older: dict[str, dict[str, Keys]]) -> None:
    """Adds the warehouse's rows; `older` is table -> batch -> keys of rows that replace newer ones."""
    for table, (current, history) in _SILVER.items():
        for batch in places.BATCHES:
            fresh, again = landed_keys(data, table, batch)
            own_broken, again_broken = (keys & broken.get(table, set()) for keys in (fresh[1], again[1]))
            superseded = fresh[1] & older.get(table, {}).get(batch, set())
            bronze = f"bronze_snowflake_{table.lower()}"
            put(ledger, batch, bronze, table, Counter(accepted=fresh[0] + again[0]))
            counted = Counter(
                accepted=fresh[0] - len(own_broken) - len(superseded),
                quarantined=len(own_broken) + len(again_broken),
                duplicate=again[0] - len(again_broken),
                superseded=len(superseded),
            )
            put(ledger, batch, current, bronze, counted)
            if history:
                versions = counted | Counter(accepted=counted["accepted"] + len(superseded))
                del versions["superseded"]
                put(ledger, batch, history, bronze, versions)


def behavior_ledger(ledger: Ledger, data: Path, planted: list[behavior.Row]) -> None:
    """Adds the behaviour rows."""
    for batch in places.BATCHES:
        own = Counter(row.verdict for row in planted if row.batch == batch)
        rows, held = _real_events(data, batch, [row for row in planted if row.batch == batch])
        counted = own + Counter(accepted=rows - held, held=held) + _events_again(data, batch, planted)
        put(ledger, batch, "bronze_redshift_events", EVENTS, Counter(accepted=sum(counted.values())))
        put(ledger, batch, "silver_behavior_events", "bronze_redshift_events", counted)


def _real_events(data: Path, batch: str, planted: list[behavior.Row]) -> tuple[int, int]:
    """Returns how many real rows a batch brings, and how many of them are held."""
    start, end = places.WINDOWS[batch]
    count, held, outside = duckdb.connect().execute(
        f"""
        SELECT count(*), count(*) FILTER (event_ts < ?), count(*) FILTER (loaded_at < ? OR loaded_at >= ?)
        FROM read_parquet('{behavior.events_file(batch, data)}')
        """,
        [places.held_before(batch), start - places.LOOKBACK, end],
    ).fetchall()[0]
    if outside:
        raise AssertionError(f"{batch}: {outside} events outside the window that must read them")
    return count - len(planted), held - sum(_happened_before(row, places.held_before(batch)) for row in planted)


def _events_again(data: Path, batch: str, planted: list[behavior.Row]) -> Counter:
    """Returns the buckets of the rows of earlier batches that the lookback reads again."""
    start, edge = places.WINDOWS[batch][0], places.held_before(batch)
    earlier = places.batches_up_to(batch)[:-1]
    known = [row for row in planted if row.batch in earlier]
    newest: dict[object, datetime] = {}
    for row in known:
        if row.verdict == "accepted":
            newest[_event_id(row)] = max(newest.get(_event_id(row), datetime.min), _loaded_at(row))
    counted: Counter = Counter()
    for row in known:
        if _loaded_at(row) < start - places.LOOKBACK:
            continue
        if row.verdict == "quarantined":
            counted["quarantined"] += 1
        elif _happened_before(row, edge):
            counted["held"] += 1
        else:
            counted["superseded" if _loaded_at(row) < newest[_event_id(row)] else "duplicate"] += 1
    for name in earlier:
        total, behind = duckdb.connect().execute(
            f"""
            SELECT count(*), count(*) FILTER (event_ts < ?) FROM read_parquet('{behavior.events_file(name, data)}')
            WHERE loaded_at >= ?
            """,
            [edge, start - places.LOOKBACK],
        ).fetchall()[0]
        again = [row for row in known if row.batch == name and _loaded_at(row) >= start - places.LOOKBACK]
        if behind != sum(_happened_before(row, edge) for row in again):
            raise AssertionError(f"{batch}: a real event of {name} is held when it lands again")
        counted["duplicate"] += total - len(again)
    return counted


def _event_id(row: behavior.Row) -> str:
    return str(row.values["event_id"]).strip()


def _loaded_at(row: behavior.Row) -> datetime:
    return row.values["loaded_at"]  # type: ignore[return-value]


def _happened_before(row: behavior.Row, edge: datetime) -> bool:
    happened = row.values["event_ts"]
    return isinstance(happened, datetime) and happened < edge


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


def put(ledger: Ledger, batch: str, table: str, source: str, counted: Counter) -> None:
    """Notes where the rows go that `table` reads of `source` in a batch."""
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
