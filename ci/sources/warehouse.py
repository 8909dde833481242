"""Writes the warehouse's tables, batch by batch.

History is the real data in SQL (1.45 million lines), with the planted rows of `planted_warehouse` beside them; the
days hold what `changes` says. UPDATED_AT of an order is its delivery, 26 hours on, so that the last two hours before
the history window's end hold the orders that the next window's lookback reads again.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

import places
import tables
from journey import STREAM_FROM

Rows = dict[str, dict[str, list[dict]]]

# SQL of the channel that a type of campaign uses.
CAMPAIGN_CHANNEL = "CASE campaign_type WHEN 'Type A' THEN 'email' WHEN 'Type B' THEN 'mail' ELSE 'social' END"

# Without the rows that the stream brings.
_HISTORY_SQL = {
    "PRODUCTS": """
        SELECT product_id AS PRODUCT_ID, {department} AS DEPARTMENT, {brand} AS BRAND, {category} AS CATEGORY, {type} AS TYPE,
            {package_size} AS PACKAGE_SIZE, dollars(list_price) AS LIST_PRICE, dollars(unit_cost) AS UNIT_COST, true AS IS_ACTIVE,
            TIMESTAMP '2017-01-01' + to_minutes(spread(product_id, 81, 1440)) AS UPDATED_AT
        FROM products
    """,
    "ORDERS": """
        SELECT order_id AS ORDER_ID, customer_id AS CUSTOMER_ID, store_id AS STORE_ID, ordered_at AS ORDERED_AT,
            channel AS CHANNEL, currency AS CURRENCY, 'DELIVERED' AS STATUS, {updated_at} AS UPDATED_AT
        FROM orders WHERE ordered_at < TIMESTAMP '{stream_from}'
    """,
    "ORDER_ITEMS": """
        SELECT order_id AS ORDER_ID, line_number AS LINE_NUMBER, product_id AS PRODUCT_ID, quantity AS QUANTITY,
            dollars(net + discount) AS GROSS_AMOUNT, dollars(discount) AS DISCOUNT_AMOUNT, dollars(net) AS NET_AMOUNT,
            dollars(coupon) AS MANUFACTURER_COUPON_AMOUNT, {updated_at} AS UPDATED_AT
        FROM lines WHERE ordered_at < TIMESTAMP '{stream_from}'
    """,
    "CAMPAIGNS": """
        SELECT campaign_id AS CAMPAIGN_ID, 'Campaign ' || campaign_id || ' (' || campaign_type || ')' AS NAME,
            {channel} AS CHANNEL,
            (100 + 25 * (campaign_id % 9)) * (date_diff('day', start_date, end_date) + 1) AS BUDGET,
            100 + 25 * (campaign_id % 9) AS DAILY_COST, start_date AS START_DATE, end_date AS END_DATE,
            TIMESTAMP '2017-01-01' + to_minutes(spread(campaign_id, 82, 1440)) AS UPDATED_AT
        FROM raw_campaign_descriptions
    """,
    "CAMPAIGN_TARGETS": """
        SELECT campaign_id AS CAMPAIGN_ID, household_id AS CUSTOMER_ID,
            TIMESTAMP '2017-01-01' + to_minutes(spread(household_id * 100 + campaign_id, 83, 1440)) AS UPDATED_AT
        FROM raw_campaigns JOIN households ON household_id = customer_id
    """,
}
_REDEMPTIONS_SQL = """
    SELECT household_id AS CUSTOMER_ID, coupon_upc AS COUPON_UPC, campaign_id AS CAMPAIGN_ID,
        CAST(redemption_date AS DATE) AS REDEEMED_ON, redemption_date + INTERVAL 20 HOUR AS UPDATED_AT
    FROM raw_coupon_redemptions JOIN households ON household_id = customer_id
"""
# Microseconds come from the order's id, so that nothing that cuts them goes unnoticed.
_UPDATED_AT = (
    "least(ordered_at + INTERVAL 26 HOUR, TIMESTAMP '{stream_from}' - INTERVAL 1 SECOND)"
    " + to_microseconds(spread(order_id, 84, 65536) * 15)"
)


def write_warehouse(connection: duckdb.DuckDBPyConnection, rows: Rows, data: Path) -> None:
    """Writes every table of every batch; `rows` (batch -> table -> rows) stand beside the real ones."""
    for batch in places.BATCHES:
        for table in tables.TABLES:
            _write(connection, batch, table, rows.get(batch, {}).get(table, []), data)


def as_arrow(table: str, rows: list[dict]) -> pa.Table:
    """Returns rows as an Arrow table in the types of the files."""
    kinds = {
        tables.ID: pa.int64(), tables.AMOUNT: pa.decimal128(18, 2), tables.INSTANT: pa.timestamp("us"),
        "VARCHAR": pa.string(), "DATE": pa.date32(), "BOOLEAN": pa.bool_(),
    }  # fmt: skip
    schema = pa.schema([(name, kinds[kind]) for name, kind in tables.TABLES[table].items()])
    return pa.Table.from_pylist(rows, schema=schema)


def changeable(connection: duckdb.DuckDBPyConnection, table: str, salt: int, limit: int) -> list[int]:
    """Returns ids of customers or products whose change matters: first those that the stream's baskets name.

    A version that no fact ever falls into would prove little.
    """
    column, origin = {"CUSTOMERS": ("customer_id", "households"), "PRODUCTS": ("product_id", "products")}[table]
    rows = connection.execute(f"""
        SELECT {column} FROM {origin}
        ORDER BY {column} NOT IN (SELECT {column} FROM lines WHERE ordered_at >= TIMESTAMP '{STREAM_FROM}'),
            spread({column}, {salt}, 65536), {column}
        LIMIT {limit}
    """).fetchall()
    return [key for (key,) in rows]


def as_written(connection: duckdb.DuckDBPyConnection, table: str, condition: str = "true") -> list[dict]:
    """Returns real rows of history, for changes to start from, in the order of their keys."""
    result = connection.execute(
        f"SELECT {tables.projection(table)} FROM ({_real(table)}) WHERE {condition} ORDER BY {', '.join(tables.KEYS[table])}"
    )
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _write(connection: duckdb.DuckDBPyConnection, batch: str, table: str, rows: list[dict], data: Path) -> None:
    path = places.warehouse_file(batch, table, data)
    path.parent.mkdir(parents=True, exist_ok=True)
    planted = as_arrow(table, rows)
    keys = ", ".join(tables.KEYS[table])
    if batch != places.HISTORY and table != "COUPON_REDEMPTIONS":
        pq.write_table(planted.sort_by([(key, "ascending") for key in tables.KEYS[table]]), path, compression="zstd")
        return
    connection.register("planted", planted)
    real = f"SELECT {tables.projection(table)} FROM ({_real(table, batch)})"
    connection.execute(f"""
        COPY (SELECT * FROM ({real} UNION ALL SELECT * FROM planted) ORDER BY {keys})
        TO '{path}' (FORMAT PARQUET, COMPRESSION ZSTD)
    """)
    connection.unregister("planted")


def _real(table: str, batch: str = places.HISTORY) -> str:
    """Returns the query of a table's real rows in one batch."""
    if table == "CUSTOMERS":
        return "SELECT * FROM planted WHERE false"
    if table == "COUPON_REDEMPTIONS":
        start, end = places.WINDOWS[batch]
        return f"SELECT * FROM ({_REDEMPTIONS_SQL}) WHERE UPDATED_AT >= TIMESTAMP '{start}' AND UPDATED_AT < TIMESTAMP '{end}'"
    untidy = {name: _untidy(name, salt) for salt, name in enumerate(
        ("department", "brand", "category", "type", "package_size"), start=90)}  # fmt: skip
    updated_at = _UPDATED_AT.format(stream_from=STREAM_FROM)
    return _HISTORY_SQL[table].format(
        stream_from=STREAM_FROM, updated_at=updated_at, channel=CAMPAIGN_CHANNEL, **untidy
    )


def _untidy(column: str, salt: int) -> str:
    """Returns SQL that pads some of a product's texts and writes some of its nulls as text; trimming repairs both."""
    return f"""CASE
        WHEN {column} IS NULL THEN CASE spread(product_id, {salt}, 12)
            WHEN 0 THEN 'N/A' WHEN 1 THEN 'null' WHEN 2 THEN '' WHEN 3 THEN ' None ' WHEN 4 THEN 'nan' END
        WHEN spread(product_id, {salt}, 40) = 0 THEN '  ' || {column} || ' '
        ELSE {column} END"""
