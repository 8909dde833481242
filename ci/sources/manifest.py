"""What `manifest.json` says beside the ledger: the real totals, every planted kind, and what publishing must give."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb

import behavior
import places
import tables
from events import Record
from journey import STREAM_FROM

# batch -> kind -> keys
RowKinds = dict[str, dict[str, list[str]]]
# Kinds of real records: too many to list one by one.
_UNLISTED = ("real",)


def render(document: dict, depth: int = 0) -> str:
    """Returns JSON with one line per batch and kind, or batch and table: short, and good to compare."""
    if depth == 3 or not isinstance(document, dict):
        return json.dumps(document, sort_keys=True)
    pad = " " * (depth + 1)
    parts = [f"{pad}{json.dumps(key)}: {render(document[key], depth + 1)}" for key in sorted(document)]
    return "{\n" + ",\n".join(parts) + "\n" + pad[1:] + "}" if parts else "{}"


def window_of(batch: str) -> dict[str, str]:
    """Returns a batch's window, also as the programs' `--window` takes it."""
    start, end = (instant.date().isoformat() for instant in places.WINDOWS[batch])
    return {"from": start, "to": end, "argument": f"{start}/{end}"}


def real_totals(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, object]]:
    """Returns count and sums of the real lines, together and by the source that brings them."""
    totals = {}
    for name, condition in (
        ("all", "true"),
        ("snowflake", f"ordered_at < TIMESTAMP '{STREAM_FROM}'"),
        ("kafka", f"ordered_at >= TIMESTAMP '{STREAM_FROM}'"),
    ):
        result = connection.execute(f"""
            SELECT count(*) AS lines, count(DISTINCT order_id) AS orders, sum(quantity) AS quantity,
                dollars(sum(net + discount)) AS gross_amount, dollars(sum(discount)) AS discount_amount,
                dollars(sum(net)) AS net_amount, dollars(sum(coupon)) AS manufacturer_coupon_amount
            FROM lines WHERE {condition}
        """)
        names = [column[0] for column in result.description]
        row = result.fetchone() or ()
        totals[name] = {
            key: value if key in ("lines", "orders") else str(value) for key, value in zip(names, row, strict=True)
        }
    return totals


def event_kinds(records: list[Record]) -> dict[str, dict[str, dict[str, object]]]:
    """Returns batch -> kind -> how many records, of which orders, at which `partition/offset`."""
    found: dict[str, dict[str, dict]] = {batch: {} for batch in places.BATCHES}
    for record in records:
        kind = found[record.batch].setdefault(record.kind, {"records": 0, "order_ids": [], "positions": []})
        kind["records"] += 1
        if record.kind in _UNLISTED:
            continue
        order_id = record.key.decode()
        if order_id not in kind["order_ids"]:
            kind["order_ids"].append(order_id)
        kind["positions"].append(f"{record.partition}/{record.offset}")
    return found


def row_kinds(parts: list[RowKinds]) -> dict[str, dict[str, dict[str, object]]]:
    """Returns batch -> kind -> how many rows of the warehouse or of HubSpot, with which keys."""
    return {
        batch: {
            kind: {"rows": len(keys), "keys": keys}
            for kinds in parts
            for kind, keys in sorted(kinds.get(batch, {}).items())
        }
        for batch in places.BATCHES
    }


def visit_kinds(real: dict[str, dict[str, int]], planted: list[behavior.Row]) -> dict[str, dict[str, dict[str, object]]]:
    """Returns batch -> kind -> how many rows of `behavior.events`; of planted ones with their ids and what Silver does."""
    found: dict[str, dict[str, dict]] = {
        batch: {kind: {"rows": rows} for kind, rows in real[batch].items()} for batch in places.BATCHES
    }
    for row in planted:
        kind = found[row.batch].setdefault(row.kind, {"rows": 0, "event_ids": [], "verdicts": []})
        kind["rows"] += 1
        kind["event_ids"].append(row.values["event_id"])
        kind["verdicts"].append(row.verdict)
    return found


def planted_warehouse_orders(kinds: RowKinds) -> dict[str, list[str]]:
    """Returns kind -> ids of the planted warehouse orders."""
    found: dict[str, list[str]] = {}
    for by_kind in kinds.values():
        for kind, keys in by_kind.items():
            if kind.startswith("orders_"):
                found.setdefault(kind.removeprefix("orders_"), []).extend(keys)
    return found


def publication(records: list[Record], data: Path, crm: dict[str, dict[str, int]]) -> dict[str, dict[str, object]]:
    """Returns what each source must hold once a batch is published: high watermarks, rows of each table, events, `crm` objects."""
    found: dict[str, dict[str, object]] = {}
    marks = [0] * places.PARTITIONS
    connection = duckdb.connect()
    for batch in places.BATCHES:
        for record in records:
            if record.batch == batch:
                marks[record.partition] = record.offset + 1
        rows = {}
        for table in tables.TABLES:
            files = [str(places.warehouse_file(name, table, data)) for name in places.batches_up_to(batch)]
            keys = ", ".join(tables.KEYS[table])
            row = connection.execute(
                f"SELECT count(*) FROM (SELECT DISTINCT {keys} FROM read_parquet({files}))"
            ).fetchone()
            rows[table] = (row or (0,))[0]
        files = [str(behavior.events_file(name, data)) for name in places.batches_up_to(batch)]
        events = connection.execute(f"SELECT count(*) FROM read_parquet({files})").fetchone()
        found[batch] = {
            "high_watermarks": list(marks), "warehouse_rows": rows, "behavior_rows": (events or (0,))[0],
            "hubspot": crm[batch],
        }  # fmt: skip
    return found


def check_identities(connection: duckdb.DuckDBPyConnection, data: Path) -> None:
    """Fails when a personal value is not unique, or occurs where nobody put it.

    A search for raw values in Gold must not meet a product called like a customer, or an order id with a phone in it.
    """
    files = [str(places.warehouse_file(batch, "CUSTOMERS", data)) for batch in places.BATCHES]
    customers = f"(SELECT * FROM read_parquet({files}))"
    for column in ("FIRST_NAME", "LAST_NAME", "EMAIL", "PHONE", "ADDRESS", "SSN", "CREDIT_CARD"):
        shared = connection.execute(f"""
            SELECT lower(trim({column})) AS value FROM {customers}
            WHERE lower(trim({column})) NOT IN ('', 'n/a', 'null', 'none', 'nan', 'ask reception')
            GROUP BY value HAVING count(DISTINCT CUSTOMER_ID) > 1
        """).fetchall()
        if shared:
            raise AssertionError(f"{column} is shared by customers: {shared[:3]}")
    names = connection.execute(f"""
        SELECT upper(trim(FIRST_NAME)) FROM {customers} UNION SELECT upper(trim(LAST_NAME)) FROM {customers}
    """).fetchall()
    texts = connection.execute("""
        SELECT string_agg(DISTINCT upper(text), '|')
        FROM (SELECT unnest([department, brand, category, type, package_size]) AS text FROM products)
    """).fetchone()
    met = [name for (name,) in names if name and name in (texts or ("",))[0]]
    if met:
        raise AssertionError(f"a product text holds a name: {met[:3]}")
    digits = connection.execute(f"""
        WITH phones AS (SELECT DISTINCT right(regexp_replace(PHONE, '[^0-9]', '', 'g'), 10) AS phone FROM {customers}),
            ids AS (SELECT DISTINCT CAST(order_id AS VARCHAR) AS id FROM orders),
            parts AS (SELECT id[:10] AS part FROM ids UNION ALL SELECT id[2:] FROM ids)
        SELECT phone FROM phones JOIN parts ON phone = part LIMIT 1
    """).fetchone()
    if digits:
        raise AssertionError(f"an order id holds a phone number: {digits}")
