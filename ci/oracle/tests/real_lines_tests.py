"""One real basket among planted orders, and the ledger of a small stream."""

import json
import tempfile
from pathlib import Path

import duckdb

from oracle import compare, ledger, pipeline, real_lines
from oracle.tables import FACT_SALES
from oracle.tests.world import TOKEN_KEY, World


def _compared(change="SELECT * FROM facts"):
    """Publishes one real basket and one planted order, and judges the facts after a change of them."""
    data_set = real_lines.data_set().replace("SEMI JOIN published USING (order_id)", "")
    baskets = f"SELECT order_id FROM ({data_set}) WHERE currency = 'USD' GROUP BY order_id HAVING count(*) = 4"
    basket = duckdb.sql(f"FROM ({data_set}) WHERE order_id = (SELECT min(order_id) FROM ({baskets})) ORDER BY line_number").fetchall()
    world = World()
    lines = [(7, quantity, str(gross), str(discount), str(coupon)) for *_, quantity, gross, discount, _, coupon in basket]
    order_id, _, store_id, currency, occurred_at, *_ = basket[0]
    world.order(int(order_id), str(occurred_at), lines, currency=currency)
    world.rows["history", "ORDERS"][0]["STORE_ID"] = store_id
    world.order(5, "2017-12-29T12:00", [(7, 1, "1.00", "0.00", "0.00")])
    with tempfile.TemporaryDirectory() as folder:
        world.write(Path(folder))
        manifest = {
            "profile": "small",
            "real": {"all": {"lines": len(lines)}},
            "planted_orders": {"warehouse": ["5"], "stream": {"a": []}},
        }
        (Path(folder) / "manifest.json").write_text(json.dumps(manifest))
        bench = pipeline.workbench(folder, TOKEN_KEY, "history")
        columns = ", ".join(f"{compare.shown_as(name, kind)} AS {name}" for name, kind in FACT_SALES.items())
        bench.connection.execute(f"CREATE TABLE facts AS SELECT {columns} FROM {bench.get('gold_fact_sales')}")
        bench.connection.execute(f"CREATE TABLE changed AS {change}")
        return real_lines.compared(bench, "changed")


def a_real_basket_stands_with_its_own_amounts():
    result = _compared()
    assert result.wrong == [] and result.summary.startswith("4 of 4 real lines stand"), result


def a_lost_cent_a_lost_line_and_a_stranger_are_seen():
    cent = _compared("SELECT * REPLACE (CASE WHEN line_number = 2 THEN net_amount + 0.01 ELSE net_amount END AS net_amount) FROM facts")
    assert [line.partition(",")[0] for line in cent.wrong] == [
        "1 real lines that are not in gold_fact_sales as they are", "1 sales of real orders that are no real line",
    ]  # fmt: skip
    lost = _compared("FROM facts WHERE line_number <> 2")
    assert [line.partition(",")[0] for line in lost.wrong] == ["1 real lines that are not in gold_fact_sales as they are"]
    stranger = _compared("SELECT * REPLACE (CASE order_id WHEN '5' THEN '6' ELSE order_id END AS order_id) FROM facts")
    assert stranger.wrong == ["1 orders are neither real nor planted, first order_id=6"]


def the_ledger_counts_each_row_once():
    world = World()
    line = (7, 1, "1.00", "0.00", "0.00")
    world.record("2017-12-30", b"")
    world.placed("2017-12-30", "a", "2017-12-30T10:00:00Z", [line, line], event_id="first")
    world.placed("2017-12-30", "a", "2017-12-30T10:00:00Z", [line, line], event_id="rekeyed")
    # One broken line of three: the whole event, one row per line where lines are rows.
    world.placed("2017-12-30", "b", "2017-12-30T10:00:00Z", [line, (7, -1, "1.00", "0.00", "0.00"), line])
    world.placed("2017-12-30", "c", "2017-12-23T10:00:00Z", [line, line])
    world.event("2017-12-31", "PAID", "a", "2017-12-31T10:00:00Z", payment={"method": "card"})
    world.event("2018-01-01", "PAID", "a", "2017-12-31T09:00:00Z", payment={"method": "cash"})
    # The second happened at the same time and returns something else: in silver_orders nothing is different.
    world.returned("2018-01-01", "a", "2018-01-01T09:00:00Z", {1: line}, event_id="r1")
    world.returned("2018-01-01", "a", "2018-01-01T09:00:00Z", {2: line}, event_id="r2")
    with tempfile.TemporaryDirectory() as folder:
        world.write(Path(folder))
        counted = ledger.counted(pipeline.workbench(folder, TOKEN_KEY))
    found = {table: dict(+counted["2017-12-30", table, ledger.STREAM]) for table in ledger.EVENT_TYPES}
    assert found == {
        "silver_orders": {"quarantined": 2, "accepted": 1, "duplicate": 1, "held": 1},
        "silver_order_items": {"quarantined": 4, "accepted": 2, "duplicate": 2, "held": 2},
        "silver_order_movements": {"quarantined": 1, "filtered": 4},
    }
    last = {table: dict(+counted["2018-01-01", table, ledger.STREAM]) for table in ledger.EVENT_TYPES}
    assert last == {
        "silver_orders": {"superseded": 1, "accepted": 1, "duplicate": 1},
        "silver_order_items": {"filtered": 3},
        "silver_order_movements": {"filtered": 1, "accepted": 2},
    }


def the_ledger_of_the_warehouse_knows_what_lands_again():
    world = World()
    world.row("history", "CUSTOMERS", "2017-12-29T23:00", customer_id=1)
    world.row("2017-12-30", "CUSTOMERS", "2017-12-30T23:50", customer_id=2)
    world.row("2017-12-31", "CUSTOMERS", "2017-12-30T23:10", customer_id=2)
    world.order(1, "2017-12-20T12:00", [(7, -1, "1.00", "0.00", "0.00")], updated_at="2017-12-29T23:00")
    with tempfile.TemporaryDirectory() as folder:
        world.write(Path(folder))
        counted = ledger.counted(pipeline.workbench(folder, TOKEN_KEY))
    source = "bronze_snowflake_customers"
    # Customer 1 lands again on the 30th; the row of customer 2 that replaces a newer one lands on the 31st.
    for table, third in (("silver_customers", {"superseded": 1}), ("silver_customers_history", {"accepted": 1})):
        assert dict(counted["history", table, source]) == {"accepted": 1}
        assert dict(counted["2017-12-30", table, source]) == {"accepted": 1, "duplicate": 1}
        assert dict(counted["2017-12-31", table, source]) == third
    items = [dict(counted[batch, "silver_order_items", "bronze_snowflake_order_items"]) for batch in ("history", "2017-12-30")]
    assert items == [{"quarantined": 1}, {"quarantined": 1}]
