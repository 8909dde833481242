"""Windows, histories, orders and rates, worked out by hand."""

import tempfile
from pathlib import Path

from oracle import ledger, pipeline
from oracle.rules import Rules
from oracle.tests.world import FRIDAY, RATES, TOKEN_KEY, World, at, day


def _customer(world, batch, updated_at, **values):
    world.row(batch, "CUSTOMERS", updated_at, **({"customer_id": 1, "first_name": "Ada", "country": "US"} | values))


def a_window_reads_two_hours_back_and_sees_the_state_after_its_batch():
    world = World()
    _customer(world, "history", "2017-01-01T00:00", city="first")
    # Published one batch late: only the lookback of the window 2017-12-31 finds it.
    _customer(world, "2017-12-31", "2017-12-30T22:00", city="late")
    # Published a batch late and too long before the window: no window reads it.
    _customer(world, "2017-12-31", "2017-12-30T21:59:59", customer_id=2)
    # Replaced in the warehouse by the next batch; the window of its own batch has seen it.
    _customer(world, "2018-01-01", "2018-01-01T09:00", city="last")
    with world.oracle() as table:
        history = table("silver_customers_history")
        assert [(row["city"], row["valid_from"], row["valid_to"]) for row in history] == [
            ("first", at("2017-01-01"), at("2017-12-30T22:00")),
            ("late", at("2017-12-30T22:00"), at("2018-01-01T09:00")),
            ("last", at("2018-01-01T09:00"), None),
        ]
        assert [row["city"] for row in table("silver_customers")] == ["last"]
    with world.oracle(through="2017-12-31") as table:
        assert [row["city"] for row in table("silver_customers")] == ["late"]
    with world.oracle(rules=Rules(lookback_ignored=True)) as table:
        assert [row["city"] for row in table("silver_customers_history")] == ["first", "last"]


def a_change_with_a_lower_updated_at_enters_the_history_and_not_the_current_table():
    world = World()
    _customer(world, "2017-12-30", "2017-12-30T23:50", city="newer")
    _customer(world, "2017-12-31", "2017-12-30T23:10", city="older")
    with world.oracle() as table:
        assert [row["city"] for row in table("silver_customers")] == ["newer"]
        assert [row["city"] for row in table("silver_customers_history")] == ["older", "newer"]


def customers_are_repaired_and_have_twins():
    world = World()
    _customer(world, "history", "2017-01-02T00:00", first_name=" Ada", last_name=" NULL ", email="  ADA@Gmail.COM ", phone="(513) 555-0123",
              country="United States", birth_date=day("1980-05-06"), ssn="123-45-6789", address="n/a", income_band="250K+ ")  # fmt: skip
    with world.oracle() as table:
        (row,) = table("silver_customers")
    assert (row["first_name"], row["first_name_masked"]) == ("Ada", "A.")
    assert (row["last_name"], row["last_name_masked"]) == (None, None)
    assert (row["email"], row["email_masked"]) == ("ada@gmail.com", "a***@gmail.com")
    assert (row["phone"], row["phone_masked"]) == ("+15135550123", "***23")
    assert (row["ssn_masked"], row["credit_card_masked"], row["address_masked"]) == ("[redacted]", None, None)
    assert (row["country"], row["birth_date_masked"], row["income_band"]) == ("US", "1980s", "250K+")


def orders_outside_the_calendar_or_without_a_date_are_broken():
    world = World()
    for number, ordered_at in enumerate(("1999-01-01T23:59:59", "1999-01-02T00:00", "2035-12-31T23:59:59", "2036-01-01T00:00"), 1):
        world.order(number, ordered_at, [(7, 1, "1.00", "0.00", "0.00")])
    world.row("history", "ORDERS", "2017-12-29T12:00", order_id=5, currency="USD", status="DELIVERED")
    with world.oracle() as table:
        assert [row["order_id"] for row in table("silver_orders")] == ["2", "3"]
        dates = {row["date"] for row in table("gold_dim_date")}
        assert {row["business_date"] for row in table("gold_fact_sales")} == {min(dates), max(dates)}
    with tempfile.TemporaryDirectory() as folder:
        world.write(Path(folder))
        counted = ledger.counted(pipeline.workbench(folder, TOKEN_KEY))
    assert dict(+counted["history", "silver_orders", "bronze_snowflake_orders"]) == {"accepted": 2, "quarantined": 3}


def states_and_income_bands_are_repaired_for_case():
    world = World()
    for number, (state, band) in enumerate((("ny", "under 15k"), (" Oh", "35-49k "), (None, "lots"), ("N/A", "250K+")), 1):
        _customer(world, "history", "2017-01-02T00:00", customer_id=number, state=state, income_band=band)
    with world.oracle() as table:
        for name in ("silver_customers", "silver_customers_history"):
            found = [(row["state"], row["income_band"]) for row in table(name)]
            assert found == [("NY", "Under 15K"), ("OH", "35-49K"), (None, "lots"), (None, "250K+")], name


def masks_keep_their_form_at_the_edges():
    world = World()
    _customer(world, "history", "2017-01-02T00:00", first_name="ada", last_name="ßeta", birth_date=day("0001-01-01"))
    with world.oracle() as table:
        (row,) = table("silver_customers")
        assert (row["first_name_masked"], row["last_name_masked"], row["birth_date_masked"]) == ("A.", "S.", "0000s")
        assert [one["name_initials"] for one in table("gold_dim_customers") if one["customer_id"] == row["customer_id"]] == ["A.S."]


def every_group_of_an_order_takes_its_own_newest_event():
    world = World()
    world.event("2017-12-30", "SHIPPED", "o1", "2017-12-30T12:00:00Z")
    world.event("2017-12-30", "PAID", "o1", "2017-12-30T11:00:00Z", payment={"method": "card", "card_last4": 1234})
    world.event("2017-12-31", "PAID", "o1", "2017-12-30T10:59:00Z", payment={"method": "cash"})
    with world.oracle("2017-12-30") as table:
        (row,) = table("silver_orders")
        assert (row["status"], row["source"], row["ordered_at"], row["is_late"]) == ("SHIPPED", None, None, None)
    # PLACED comes a day late, by less than 24 h before the window: not late.
    world.placed("2017-12-31", "o1", "2017-12-30T10:00:00Z", [(7, 1, "1.00", "0.00", "0.00")])
    with world.oracle() as table:
        (row,) = table("silver_orders")
        assert (row["status"], row["source"], row["channel"], row["is_late"]) == ("SHIPPED", "kafka", "store", False)
        assert row["ordered_at"] == row["placed_at"] == at("2017-12-30T10:00")
        assert (row["payment_method"], row["card_last4"], row["card_last4_masked"]) == ("card", "1234", "[redacted]")
        assert (row["paid_at"], row["shipped_at"], row["delivered_at"]) == (at("2017-12-30T11:00"), at("2017-12-30T12:00"), None)


def status_is_the_highest_rank_and_a_warehouse_order_can_be_returned():
    world = World()
    world.order(5, "2017-12-20T12:00", [(7, 1, "1.00", "0.00", "0.00")])
    world.returned("2017-12-30", "5", "2017-12-30T10:00:00Z", {1: (7, 1, "1.00", "0.00", "0.00")})
    world.event("2017-12-30", "DELIVERED", "5", "2017-12-30T11:00:00Z")
    with world.oracle() as table:
        (row,) = table("silver_orders")
    assert (row["status"], row["source"], row["placed_at"], row["ordered_at"]) == (
        "RETURNED",
        "snowflake",
        None,
        at("2017-12-20T12:00"),
    )
    with world.oracle(rules=Rules(status_by_last_event=True)) as table:
        assert table("silver_orders")[0]["status"] == "DELIVERED"


def late_is_measured_from_the_start_of_the_ingesting_window():
    world = World()
    for number, ordered_at in enumerate(("2017-12-29T00:00:00", "2017-12-28T23:59:59"), 1):
        world.placed("2017-12-30", f"k{number}", f"{ordered_at}Z", [(7, number, "1.00", "0.00", "0.00")])
        world.order(number, ordered_at, [(7, 1, "1.00", "0.00", "0.00")], batch="2017-12-30", updated_at="2017-12-29T23:00")
    with world.oracle() as table:
        assert {row["order_id"]: row["is_late"] for row in table("silver_orders")} == {"1": False, "2": True, "k1": False, "k2": True}
        assert [(row["source"], row["is_late"]) for row in table("silver_order_items")] == [
            ("snowflake", False), ("snowflake", False), ("kafka", False), ("kafka", True),
        ]  # fmt: skip


def events_behind_the_late_window_are_held():
    world = World()
    # The window of 2017-12-30 ends on the 31st: seven days before is the 24th.
    world.placed("2017-12-30", "in", "2017-12-24T00:00:00Z", [(7, 1, "1.00", "0.00", "0.00")])
    world.placed("2017-12-30", "held", "2017-12-23T23:59:59Z", [(7, 1, "1.00", "0.00", "0.00")])
    with world.oracle() as table:
        assert [row["order_id"] for row in table("silver_orders")] == ["in"]
    with world.oracle(rules=Rules(held_accepted=True)) as table:
        assert len(table("silver_orders")) == 2


def equal_events_are_one_and_the_first_stays():
    world = World()
    part = {1: (7, 1, "1.00", "0.00", "0.00")}
    world.returned("2017-12-30", "o1", "2017-12-30T10:00:00Z", part, event_id="a")
    world.returned("2017-12-30", "o1", "2017-12-30T10:00:00Z", part, event_id="a")
    world.returned("2017-12-31", "o1", "2017-12-30T10:00:00Z", part, event_id="rekeyed")
    # Another event: it happened a second later.
    world.returned("2017-12-31", "o1", "2017-12-30T10:00:01Z", part, event_id="b")
    with world.oracle() as table:
        assert [row["event_id"] for row in table("silver_order_movements")] == ["a", "b"]
    with world.oracle(rules=Rules(duplicates_kept=True)) as table:
        assert len(table("silver_order_movements")) == 4


def broken_rows_of_the_warehouse_stay_out():
    world = World()
    world.order(1, "2017-12-20T12:00", [(7, 1, "1.00", "0.00", "0.00"), (8, -1, "1.00", "0.00", "0.00")])
    world.order(2, "2017-12-20T12:00", [(7, 0, "1.00", "0.00", "0.00")], currency="XXX")
    with world.oracle() as table:
        assert [row["order_id"] for row in table("silver_orders")] == ["1"]
        assert [(row["order_id"], row["line_number"]) for row in table("silver_order_items")] == [("1", 1), ("2", 1)]
        # The lines of an order that is not known wait.
        assert [row["order_id"] for row in table("gold_fact_sales")] == ["1"]


def rates_fill_each_day_for_seven_days():
    world = World()
    world.fx["history"] = {"2017-12-22": {"USD": "1.1853", "CHF": "1.1725", "ISK": "N/A"}, "2017-12-15": {"SEK": "9.9"}}
    with world.oracle() as table:
        rates = {(row["currency"], row["date"]): row for row in table("silver_fx_rates")}
    # 1.1853 / 1.1725 = 1.01091684434968...
    friday = rates["CHF", day("2017-12-22")]
    assert (friday["usd_rate"], friday["units_per_eur"]) == (10109168443, 11725000000)
    assert rates["USD", day("2017-12-22")]["usd_rate"] == 10**10
    assert (rates["EUR", day("2017-12-23")]["usd_rate"], rates["EUR", day("2017-12-23")]["units_per_eur"]) == (11853000000, 10**10)
    assert rates["CHF", day("2017-12-29")]["observation_date"] == day("2017-12-22")
    # Eight days old on the 30th; without a USD value on its day, SEK has no rate at all.
    assert ("CHF", day("2017-12-30")) not in rates and not [key for key in rates if key[0] in ("SEK", "ISK")]


def the_first_published_value_stays_and_the_revision_is_listed_once():
    world = World()
    revised = {FRIDAY: {"USD": "1.2", "CHF": "1.18"}, "2017-12-28": {"USD": "1.25", "CHF": "1.25"}}
    world.fx |= {
        "history": RATES | {"2017-12-28": {"USD": "1.25", "CHF": "N/A"}},
        "2017-12-30": RATES | {"2017-12-28": {"USD": "1.25", "CHF": "N/A"}},
        "2017-12-31": revised, "2018-01-01": revised,
    }  # fmt: skip
    with world.oracle("2017-12-30") as table:
        assert table("silver_fx_revisions") == []
        assert [row["date"] for row in table("silver_fx_rates") if row["currency"] == "CHF"] == [day(FRIDAY), day("2017-12-30")]
    with world.oracle() as table:
        assert [tuple(row.values()) for row in table("silver_fx_revisions")] == [
            ("CHF", day(FRIDAY), 11700000000, 11800000000, day("2017-12-31"))
        ]
        rates = [(row["date"].day, row["usd_rate"]) for row in table("silver_fx_rates") if row["currency"] == "CHF"]
        # The missing value of the 28th has arrived: 1.25 / 1.25. Friday's is 1.2 / 1.17 as first published.
        assert rates == [(28, 10000000000), (29, 10256410256), (30, 10256410256), (31, 10256410256), (1, 10256410256)]


def observations_outside_ninety_days_are_not_landed():
    world = World()
    world.fx["history"] = {"2016-10-02": {"USD": "1.1"}, "2016-10-03": {"USD": "1.2"}, "2017-12-30": {"USD": "1.3"}}
    with world.oracle("history") as table:
        days = [row["date"] for row in table("silver_fx_rates") if row["currency"] == "USD"]
    assert (days[0], days[-1]) == (day("2016-10-03"), day("2016-10-10"))
