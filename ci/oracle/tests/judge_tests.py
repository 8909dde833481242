"""A lake that holds what the oracle expects, and the same lake with one thing wrong."""

import shutil
import tempfile
from decimal import Decimal
from pathlib import Path

import pyarrow
import pyarrow.parquet
from deltalake import write_deltalake

from oracle import compare, judge, mutations, pipeline, workbench
from oracle.lake import Lake
from oracle.rules import FLAGS
from oracle.tables import TABLES
from oracle.tests.world import TOKEN_KEY, World, day


def _world():
    world = World()
    world.row("history", "CUSTOMERS", "2017-01-02T00:00", customer_id=1, email="a@gmail.com", country="US")
    world.row("history", "PRODUCTS", "2017-01-02T00:00", product_id=7, list_price="1.00", unit_cost="0.60", is_active=True)
    world.order(1, "2017-12-29T12:00", [(7, 2, "10.00", "1.00", "0.50")], currency="CHF")
    world.returned("2017-12-30", "1", "2017-12-30T10:00:00Z", {1: (7, 1, "5.00", "0.50", "0.25")})
    world.event("2017-12-31", "CANCELLED", "1", "2017-12-31T10:00:00Z")
    world.row("history", "CAMPAIGNS", "2017-01-02T00:00", campaign_id=8, daily_cost="125.00", start_date=day("2017-12-29"),
              end_date=day("2017-12-30"))  # fmt: skip
    world.touch("history", "e1", "2017-12-29T11:00", customer_id=1, utm_campaign="8")
    world.contact("history", 11, "2017-01-02T00:00", external_customer_id="1", lifecyclestage="lead", annual_income="1.50")
    world.company("history", 21, "2017-01-02T00:00", name="Norvane")
    world.association("history", 11, 21, primary=True)
    return world


def _with_lake(change, through=None):
    """Writes the expected tables as a lake, lets `change` alter {table: Arrow table}, and returns {table: comparison}."""
    with tempfile.TemporaryDirectory() as folder:
        data, lake = Path(folder) / "data", Path(folder) / "lake"
        data.mkdir()
        _world().write(data)
        bench = pipeline.workbench(data, TOKEN_KEY, through)
        judge.save(bench, Path(folder) / "expected")
        tables = {table.name: pyarrow.parquet.read_table(Path(folder) / "expected" / f"{table.name}.parquet") for table in TABLES}
        tables = {name: _in_utc(table) for name, table in tables.items()}
        change(tables)
        for table in TABLES:
            if table.name in tables:
                write_deltalake(str(lake / table.place), tables[table.name])
        return {table.name: result for table, result in judge.judge_all(bench, Lake(str(lake)))}


def _in_utc(table):
    for index, field in enumerate(table.schema):
        if pyarrow.types.is_timestamp(field.type):
            table = table.set_column(index, field.name, table.column(index).cast(pyarrow.timestamp("us", tz="UTC")))
    return table


def _replaced(table, column, values):
    index = table.schema.get_field_index(column)
    return table.set_column(index, column, pyarrow.array(values, table.schema.field(column).type))


def a_lake_that_holds_what_is_expected_has_no_differences():
    results = _with_lake(lambda tables: None)
    assert {name: result.differences for name, result in results.items()} == {table.name: 0 for table in TABLES}
    assert results["gold_fact_sales"].rows_expected == results["gold_fact_sales"].rows_found == 3


def a_wrong_cent_is_shown_with_key_column_expected_and_found():
    def change(tables):
        fact = tables["gold_fact_sales"]
        values = fact.column("net_usd").to_pylist()
        place = fact.column("movement").to_pylist().index("return")
        values[place] += Decimal("0.0001")
        tables["gold_fact_sales"] = _replaced(fact, "net_usd", values)

    result = _with_lake(change)["gold_fact_sales"]
    # The returned net of 4.50 CHF at 1.0256410256 is 4.6153846152.
    assert result.differences == 1
    assert result.shown == ["order_id=1, line_number=1, movement=return: net_usd expected -4.6154, found -4.6153"]


def lost_doubled_and_invented_rows_are_told_apart():
    def change(tables):
        rates = tables["silver_fx_rates"]
        tables["silver_fx_rates"] = rates.slice(1)
        orders = tables["silver_orders"]
        tables["silver_orders"] = pyarrow.concat_tables([orders, orders])
        customers = tables["silver_customers"]
        tables["silver_customers"] = pyarrow.concat_tables([customers, _replaced(customers, "customer_id", ["2"])])

    results = _with_lake(change)
    assert results["silver_fx_rates"].shown == ["currency=CHF, date=2017-12-29: expected a row, found none"]
    assert results["silver_orders"].shown == ["order_id=1, copy 2 of this key: expected no row, found one"]
    assert results["silver_customers"].shown == ["customer_id=2: expected no row, found one"]


def doubles_and_expected_values_need_only_be_near():
    def change(tables):
        attribution = tables["gold_marketing_attribution"]
        # One is off in the twelfth digit, one in the ninth.
        values = [value and value * (1 + 1e-11) for value in attribution.column("roas").to_pylist()]
        attribution = _replaced(attribution, "roas", values)
        values = [value and value * (1 + 1e-8) for value in attribution.column("cac").to_pylist()]
        tables["gold_marketing_attribution"] = _replaced(attribution, "cac", values)
        segments = tables["gold_customer_segments"]
        values = segments.column("expected_value_12m").to_pylist()
        values[0] += Decimal("0.01")
        values[1] += Decimal("0.02")
        tables["gold_customer_segments"] = _replaced(segments, "expected_value_12m", values)

    # Before the order is cancelled.
    results = _with_lake(change, "2017-12-30")
    assert results["gold_customer_segments"].differences == 1
    assert "expected_value_12m expected" in results["gold_customer_segments"].shown[0]
    assert results["gold_marketing_attribution"].differences == 5
    assert all("cac expected 125.0, found 125.00000125" in line for line in results["gold_marketing_attribution"].shown)


def what_the_sources_do_not_have_is_not_judged():
    with tempfile.TemporaryDirectory() as folder:
        _world().write(Path(folder))
        shutil.rmtree(Path(folder) / "history" / "hubspot")
        bench = pipeline.workbench(folder, TOKEN_KEY)
        assert {table.name for table in TABLES if table not in bench.tables} == {
            "silver_contacts", "silver_contacts_history", "silver_companies", "silver_contact_companies",
        }  # fmt: skip
        # Nor does the dimension of the customers show what the CRM knows, and no mutation of it is tried.
        stages = f"SELECT DISTINCT lifecycle_stage FROM {bench.get('gold_dim_customers')}"
        assert bench.connection.execute(stages).fetchall() == [(None,)]
        tried = {one.flag for one in mutations.MUTATIONS if mutations.reached(bench, one)}
        assert "primary_ignored" not in tried and "small_groups_shown" in tried


def shares_can_be_compared_order_by_order():
    with tempfile.TemporaryDirectory() as folder:
        data, file = Path(folder) / "data", Path(folder) / "attribution_shares.parquet"
        data.mkdir()
        _world().write(data)
        bench = pipeline.workbench(data, TOKEN_KEY, "2017-12-30")
        judge.save(bench, folder)
        assert judge.judge_shares(bench, file).differences == 0
        table = pyarrow.parquet.read_table(file)
        assert table.num_rows == 5
        values = [value + Decimal("0.0001") * (model == "linear") for model, value in zip(
            table.column("model").to_pylist(), table.column("attributed_usd").to_pylist())]  # fmt: skip
        pyarrow.parquet.write_table(_replaced(table, "attributed_usd", values), file)
        # 9.00 CHF less 4.50 at 1.0256410256: 9.2308 - 4.6154.
        assert judge.judge_shares(bench, file).shown == [
            "order_id=1, model=linear, event_id=e1: attributed_usd expected 4.6154, found 4.6155"
        ]


def types_and_columns_are_part_of_a_table():
    def change(tables):
        fact = tables["gold_fact_sales"]
        index = fact.schema.get_field_index("net_usd")
        fact = fact.set_column(index, "net_usd", fact.column(index).cast(pyarrow.float64()))
        tables["gold_fact_sales"] = fact.append_column("beside", fact.column("order_id"))
        items = tables["silver_order_items"]
        tables["silver_order_items"] = (
            items.drop_columns(["source"])
            .append_column("extra", items.column("order_id"))
            .append_column("_run_id", items.column("order_id"))
        )
        del tables["gold_dim_date"]

    results = _with_lake(change)
    assert results["gold_fact_sales"].shown == ["column net_usd: expected decimal(18,4), found double"]
    assert results["silver_order_items"].shown == [
        "column source: expected string, found no such column", "column extra: expected no such column, found string",
    ]  # fmt: skip
    assert results["gold_dim_date"].differences == 13514 and results["gold_dim_date"].shown == ["the table is missing"]


def integers_of_the_last_digit_become_decimals():
    connection = workbench.connect()
    for digits, value, shown in (
        (2, -5, "-0.05"),
        (4, 46154, "4.6154"),
        (10, 10**11, "10.0000000000"),
        (2, 10**17, "1000000000000000.00"),
    ):
        sql = compare.shown_as(f"({value})", f"decimal(18,{digits})")
        assert connection.execute(f"SELECT CAST({sql} AS VARCHAR)").fetchone()[0] == shown


def every_mutation_reaches_a_table_and_every_flag_has_a_mutation():
    with World().bench() as bench:
        reachable = frozenset().union(*(bench.flags_of(table.name) for table in bench.tables))
    assert bench.tables == TABLES
    assert {one.flag for one in mutations.MUTATIONS} == set(FLAGS) == set(reachable)
    assert len({one.flag for one in mutations.MUTATIONS}) == len(mutations.MUTATIONS)
