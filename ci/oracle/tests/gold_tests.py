"""Dimensions and facts, worked out by hand."""

import hashlib
import hmac

from oracle.fx import divided
from oracle.rules import Rules
from oracle.tests.world import TOKEN_KEY, World, day

LINE = (7, 2, "10.00", "1.00", "0.50")


def _key(kind, identity, valid_from="1900-01-01"):
    return hashlib.sha256(f"{kind}|{identity}|{valid_from}".encode()).hexdigest()[:32]


def _facts(rows):
    return {(row["order_id"], row["line_number"], row["movement"]): row for row in rows}


def _measures(row):
    return tuple(row[name] for name in ("quantity", "gross_amount", "discount_amount", "net_amount", "manufacturer_coupon_amount"))


def _product(world, batch, updated_at, price="1.00", **values):
    world.row(batch, "PRODUCTS", updated_at, **({"product_id": 7, "list_price": price, "is_active": True} | values))


def halves_go_away_from_zero():
    assert [divided(value, 10) for value in (14, 15, 25, -15, -25, -14, 0)] == [1, 2, 3, -2, -3, -1, 0]
    assert [divided(value, 10, half_even=True) for value in (15, 25, -15, -25, 26)] == [2, 2, -2, -2, 3]


def the_same_rounding_in_sql():
    world = World()
    # EUR at 1.2005: 0.30 x 1.2005 = 0.36015 -> 0.3602; 0.10 x 1.2005 = 0.12005 -> 0.1201; half-even would say 0.3602, 0.1200.
    world.fx["history"] = {"2017-12-29": {"USD": "1.2005", "CHF": "1.1"}}
    world.order(1, "2017-12-29T12:00", [(7, 1, "0.30", "0.00", "0.00"), (8, 1, "0.10", "0.00", "0.00")], currency="EUR")
    with world.oracle() as table:
        assert [row["net_usd"] for row in table("gold_fact_sales")] == [3602, 1201]
    with world.oracle(rules=Rules(half_even=True)) as table:
        assert [row["net_usd"] for row in table("gold_fact_sales")] == [3602, 1200]


def the_business_date_is_new_yorks():
    world = World()
    # 04:59 UTC is 23:59 of the day before in New York (winter, UTC-5).
    for number, ordered_at in enumerate(("2017-12-29T04:59:59", "2017-12-29T05:00:00", "2017-07-01T03:59:59"), 1):
        world.order(number, ordered_at, [LINE])
    with world.oracle() as table:
        assert [row["business_date"] for row in table("gold_fact_sales")] == [day("2017-12-28"), day("2017-12-29"), day("2017-06-30")]


def a_weekend_sale_has_fridays_rate_and_a_missing_rate_is_no_fact():
    world = World()
    world.placed("2017-12-31", "sunday", "2017-12-31T12:00:00Z", [LINE], currency="CHF")
    world.placed("2017-12-31", "none", "2017-12-31T12:00:00Z", [LINE], currency="SEK")
    world.placed("2017-12-31", "dollars", "2017-12-31T12:00:00Z", [LINE])
    world.event("2018-01-01", "CANCELLED", "none", "2018-01-01T12:00:00Z")
    with world.oracle() as table:
        facts = _facts(table("gold_fact_sales"))
    assert set(facts) == {("sunday", 1, "sale"), ("dollars", 1, "sale")}
    # 1.2 / 1.17 = 1.02564102564...; 9.00 x 1.0256410256 = 9.2307692304 -> 9.2308.
    sunday, dollars = facts["sunday", 1, "sale"], facts["dollars", 1, "sale"]
    assert (sunday["usd_rate"], sunday["rate_date"], sunday["net_usd"]) == (10256410256, day("2017-12-29"), 92308)
    assert (dollars["usd_rate"], dollars["rate_date"], dollars["net_usd"]) == (10**10, day("2017-12-31"), 90000)


def a_line_whose_dollars_do_not_fit_is_no_fact_nor_is_what_reverses_it():
    world = World()
    # decimal(18,4) ends below 100000000000000; the third line is beyond 64 bits of its last digit.
    lines = [(7, 2, "100000000000000.00", "0.00", "0.00"), (8, 2, "9.00", "0.00", "0.00"), (9, 1, "9999999999999999.99", "0.00", "0.00")]
    world.order(1, "2017-12-20T12:00", [*lines, (7, 1, "99999999999999.99", "0.00", "0.00")])
    world.returned("2017-12-30", "1", "2017-12-30T10:00:00Z", {1: (7, 1, "1.00", "0.00", "0.00")})
    world.event("2017-12-30", "CANCELLED", "1", "2017-12-30T12:00:00Z")
    with world.oracle() as table:
        facts = _facts(table("gold_fact_sales"))
    assert set(facts) == {("1", number, movement) for number in (2, 4) for movement in ("sale", "cancellation")}
    assert facts["1", 4, "cancellation"]["net_usd"] == -(10**18 - 100)


def returns_in_parts_are_one_row_dated_by_the_last():
    world = World()
    world.order(1, "2017-12-20T12:00", [LINE])
    world.returned("2017-12-30", "1", "2017-12-30T10:00:00Z", {1: (7, 1, "5.00", "0.50", "0.00")})
    world.returned("2017-12-31", "1", "2017-12-31T10:00:00Z", {1: (7, 1, "4.00", "0.50", "0.25")})
    with world.oracle() as table:
        facts = _facts(table("gold_fact_sales"))
    row = facts["1", 1, "return"]
    assert _measures(row) == (-2, -900, -100, -800, -25) and row["net_usd"] == -80000
    assert (row["business_date"], row["source"], row["is_late"]) == (day("2017-12-31"), "kafka", False)
    assert (facts["1", 1, "sale"]["source"], facts["1", 1, "sale"]["order_status"]) == ("snowflake", "RETURNED")


def a_return_over_what_is_open_in_one_measure_reverses_the_others_as_listed():
    world = World()
    world.order(1, "2017-12-20T12:00", [LINE])
    world.returned("2017-12-30", "1", "2017-12-30T10:00:00Z", {1: (7, 1, "5.00", "0.50", "0.00")})
    # Only the quantity exceeds: what is listed in money is reversed, and no more.
    world.returned("2017-12-30", "1", "2017-12-30T11:00:00Z", {1: (7, 2, "1.00", "0.00", "0.00")})
    with world.oracle() as table:
        row = _facts(table("gold_fact_sales"))["1", 1, "return"]
    assert _measures(row) == (-2, -600, -50, -550, 0)
    assert row["business_date"] == day("2017-12-30")
    # All that is open: 4.00 of the gross and 0.50 of the discount, so 3.50 net. Net stays at 9.00 although 5.00 are discount.
    world.returned("2017-12-31", "1", "2017-12-31T10:00:00Z", {1: (7, 0, "5.00", "5.00", "9.00")})
    # Nothing is open any more: excess, and it does not date the row.
    world.returned("2018-01-01", "1", "2018-01-01T11:00:00Z", {1: (7, 1, "1.00", "0.00", "0.00")})
    with world.oracle() as table:
        row = _facts(table("gold_fact_sales"))["1", 1, "return"]
    assert _measures(row) == (-2, -1000, -100, -900, -50)
    assert row["business_date"] == day("2017-12-31")


def a_discount_is_reversed_as_far_as_net_leaves_room():
    world = World()
    world.order(1, "2017-12-20T12:00", [LINE])
    # 9.50 without a discount: at most 9.00 net are open, so the other 0.50 of the gross are discount.
    world.returned("2017-12-30", "1", "2017-12-30T10:00:00Z", {1: (7, 1, "9.50", "0.00", "0.00")})
    with world.oracle() as table:
        assert _measures(_facts(table("gold_fact_sales"))["1", 1, "return"]) == (-1, -950, -50, -900, 0)


def a_line_sold_below_zero_can_be_returned():
    world = World()
    # 5.00 less 6.00 is -1.00; the second line is below zero in gross too, so that no return can reverse it.
    world.order(1, "2017-12-20T12:00", [(7, 1, "5.00", "6.00", "0.00"), (8, 1, "-2.00", "0.00", "0.00")])
    world.returned(
        "2017-12-30", "1", "2017-12-30T10:00:00Z", {1: (7, 1, "5.00", "5.00", "0.00"), 2: (8, 0, "2.00", "0.00", "0.00")}
    )
    with world.oracle() as table:
        facts = _facts(table("gold_fact_sales"))
    assert _measures(facts["1", 1, "return"]) == (-1, -500, -500, 0, 0)
    assert ("1", 2, "return") not in facts
    # Another 1.00 of discount: net goes down to -1.00, which is the sale's, and the gross beyond the sale is excess.
    world.returned("2017-12-31", "1", "2017-12-31T10:00:00Z", {1: (7, 0, "2.00", "2.00", "0.00")})
    world.event("2018-01-01", "CANCELLED", "1", "2018-01-01T12:00:00Z")
    with world.oracle() as table:
        facts = _facts(table("gold_fact_sales"))
    assert set(facts) == {("1", 1, "sale"), ("1", 2, "sale"), ("1", 1, "return"), ("1", 2, "cancellation")}
    assert _measures(facts["1", 1, "return"]) == (-1, -500, -600, 100, 0)
    assert (facts["1", 1, "return"]["net_usd"], facts["1", 1, "return"]["business_date"]) == (10000, day("2017-12-31"))
    assert _measures(facts["1", 2, "cancellation"]) == (-1, 200, 0, 200, 0)


def a_return_of_an_unknown_line_waits():
    world = World()
    world.order(1, "2017-12-20T12:00", [LINE])
    world.returned("2017-12-30", "1", "2017-12-30T10:00:00Z", {2: (7, 1, "5.00", "0.50", "0.00")})
    world.returned("2017-12-30", "nobody", "2017-12-30T10:00:00Z", {1: (7, 1, "5.00", "0.50", "0.00")})
    with world.oracle() as table:
        assert set(_facts(table("gold_fact_sales"))) == {("1", 1, "sale")}
        assert len(table("silver_order_movements")) == 2
        assert [(row["order_id"], row["status"], row["source"]) for row in table("silver_orders")] == [
            ("1", "RETURNED", "snowflake"), ("nobody", "RETURNED", None),
        ]  # fmt: skip


def a_cancellation_reverses_what_is_open_and_leaves_exactly_zero():
    world = World()
    # CHF: sale 0.35 -> 0.35897435896 -> 0.3590; return 0.17 -> 0.174358974352 -> 0.1744; cancelled 0.1846,
    # though 0.18 x rate is 0.184615384608 -> 0.1846; with 0.11 of 0.35: 0.1128 and 0.2462, alone 0.24 -> 0.2462.
    world.placed(
        "2017-12-30", "o1", "2017-12-30T12:00:00Z", [(7, 2, "0.35", "0.00", "0.10"), (8, 0, "0.00", "0.00", "0.00")], currency="CHF"
    )
    world.returned("2017-12-30", "o1", "2017-12-30T13:00:00Z", {1: (7, 1, "0.17", "0.00", "0.00")})
    world.event("2017-12-31", "CANCELLED", "o1", "2017-12-31T03:00:00Z")
    # After the cancellation: excess. A second cancellation: filtered.
    world.returned("2017-12-31", "o1", "2017-12-31T03:00:01Z", {1: (7, 1, "0.01", "0.00", "0.00")})
    world.event("2018-01-01", "CANCELLED", "o1", "2018-01-01T12:00:00Z")
    with world.oracle() as table:
        facts = _facts(table("gold_fact_sales"))
    assert set(facts) == {("o1", 1, "sale"), ("o1", 2, "sale"), ("o1", 1, "return"), ("o1", 1, "cancellation")}
    cancelled = facts["o1", 1, "cancellation"]
    assert _measures(cancelled) == (-1, -18, 0, -18, -10)
    assert [facts["o1", 1, name]["net_usd"] for name in ("sale", "return", "cancellation")] == [3590, -1744, -1846]
    # 03:00 UTC on Sunday is Saturday in New York; the rate stays the sale's.
    assert (cancelled["business_date"], cancelled["rate_date"]) == (day("2017-12-30"), day("2017-12-29"))
    assert {row["order_status"] for row in facts.values()} == {"CANCELLED"}


def a_cancellations_dollars_are_what_is_left_not_a_rounding_of_their_own():
    world = World()
    # EUR at 1.0005: sale 0.30 -> 0.30015 -> 0.3002; return 0.10 -> 0.10005 -> 0.1001; left 0.2001. Alone, 0.20 -> 0.2001.
    # With 0.50: 0.50025 -> 0.5003; return 0.10 -> 0.1001; left 0.4002; alone, 0.40 -> 0.4002. With 0.90 returned in 0.20 -> 0.2001:
    # 0.90045 -> 0.9005, left 0.7004; alone, 0.70 -> 0.70035 -> 0.7004. With 0.40 -> 0.4002 and 0.10 -> 0.1001: left 0.3001; alone 0.3002.
    world.fx["history"] = {"2017-12-29": {"USD": "1.0005"}}
    world.order(1, "2017-12-29T12:00", [(7, 4, "0.40", "0.00", "0.00")], currency="EUR")
    world.returned("2017-12-30", "1", "2017-12-30T13:00:00Z", {1: (7, 1, "0.10", "0.00", "0.00")})
    world.event("2017-12-30", "CANCELLED", "1", "2017-12-30T14:00:00Z")
    with world.oracle() as table:
        facts = _facts(table("gold_fact_sales"))
        assert [facts["1", 1, name]["net_usd"] for name in ("sale", "return", "cancellation")] == [4002, -1001, -3001]
    with world.oracle(rules=Rules(cancellation_rounded_alone=True)) as table:
        assert _facts(table("gold_fact_sales"))["1", 1, "cancellation"]["net_usd"] == -3002


def movements_apply_by_event_time_not_by_arrival():
    world = World()
    world.order(1, "2017-12-20T12:00", [LINE])
    world.event("2017-12-30", "CANCELLED", "1", "2017-12-30T12:00:00Z")
    # Arrives after the cancellation, happened before it, 26 h before the window that ingests it.
    world.returned("2018-01-01", "1", "2017-12-30T11:00:00Z", {1: (7, 1, "5.00", "0.50", "0.00")})
    with world.oracle("2017-12-31") as table:
        assert _measures(_facts(table("gold_fact_sales"))["1", 1, "cancellation"]) == (-2, -1000, -100, -900, -50)
    with world.oracle() as table:
        facts = _facts(table("gold_fact_sales"))
    assert _measures(facts["1", 1, "return"]) == (-1, -500, -50, -450, 0)
    assert facts["1", 1, "return"]["is_late"] and not facts["1", 1, "cancellation"]["is_late"]
    assert _measures(facts["1", 1, "cancellation"]) == (-1, -500, -50, -450, -50)


def a_fully_returned_line_has_no_cancellation_row():
    world = World()
    world.order(1, "2017-12-20T12:00", [LINE])
    world.returned("2017-12-30", "1", "2017-12-30T11:00:00Z", {1: LINE})
    world.event("2017-12-30", "CANCELLED", "1", "2017-12-30T12:00:00Z")
    with world.oracle() as table:
        assert set(_facts(table("gold_fact_sales"))) == {("1", 1, "sale"), ("1", 1, "return")}


def product_versions_follow_business_dates():
    world = World()
    _product(world, "history", "2017-06-01T12:00", "1.00", category="A", brand="old")
    # 02:00 UTC on the 31st is still the 30th in New York: the second change of that date, so the last one counts.
    _product(world, "2017-12-30", "2017-12-30T15:00", "2.00", category="A", brand="old")
    _product(world, "2017-12-31", "2017-12-31T02:00", "3.00", category="A", brand="old")
    # Only the brand changes: no version, and every version shows the new brand.
    _product(world, "2018-01-01", "2018-01-01T12:00", "3.00", category="A", brand="new")
    world.placed("2017-12-30", "before", "2017-12-30T04:00:00Z", [LINE])
    world.placed("2017-12-30", "on", "2017-12-30T06:00:00Z", [LINE])
    world.placed("2017-12-30", "orphan", "2017-12-30T06:00:00Z", [(8, 1, "1.00", "0.00", "0.00")])
    with world.oracle() as table:
        versions = [row for row in table("gold_dim_products") if row["product_id"] == "7"]
        versions.sort(key=lambda row: row["valid_from"])
        assert [(row["valid_from"], row["valid_to"], row["is_current"], row["list_price"], row["brand"]) for row in versions] == [
            (day("1900-01-01"), day("2017-12-30"), False, 100, "new"), (day("2017-12-30"), None, True, 300, "new"),
        ]  # fmt: skip
        assert [row["product_key"] for row in versions] == [_key("product", 7), _key("product", 7, "2017-12-30")]
        facts = {key[0]: row["product_key"] for key, row in _facts(table("gold_fact_sales")).items()}
        assert facts == {
            "before": _key("product", 7), "on": _key("product", 7, "2017-12-30"), "orphan": _key("product", "unknown"),
        }  # fmt: skip
        unknown = [row for row in table("gold_dim_products") if row["product_id"] == "unknown"]
        assert [(row["list_price"], row["is_active"], row["is_current"]) for row in unknown] == [(None, None, True)]


def a_change_back_on_the_same_date_is_no_version():
    world = World()
    _product(world, "history", "2017-06-01T12:00", "1.00")
    _product(world, "2017-12-30", "2017-12-30T15:00", "2.00")
    _product(world, "2017-12-31", "2017-12-31T02:00", "1.00")
    with world.oracle() as table:
        assert len(table("silver_products_history")) == 3
        assert [row["valid_from"] for row in table("gold_dim_products") if row["product_id"] == "7"] == [day("1900-01-01")]


def small_groups_are_suppressed_on_all_versions_of_their_customers():
    world = World()
    for number in range(1, 7):
        # Customers 1 to 5 share all four; customer 6 has another birth decade.
        world.row("history", "CUSTOMERS", "2017-01-02T00:00", customer_id=number, country="US", state="OH", income_band="15-24K",
                  birth_date=day("1980-01-01" if number < 6 else "1979-12-31"), email=f"c{number}@gmail.com")  # fmt: skip
    with world.oracle("history") as table:
        shown = {row["customer_id"]: (row["region"], row["birth_decade"]) for row in table("gold_dim_customers")}
        assert shown["1"] == ("OH", "1980s") and shown["6"] == ("suppressed", "suppressed") and shown["unknown"] == (None, None)
    # Customer 5 moves abroad: four are left, and both of customer 5's versions are hidden.
    world.row("2017-12-30", "CUSTOMERS", "2017-12-30T12:00", customer_id=5, country="CA", state="ON", income_band="15-24K",
              birth_date=day("1980-01-01"), email="c5@gmail.com")  # fmt: skip
    with world.oracle() as table:
        rows = table("gold_dim_customers")
        assert {row["region"] for row in rows if row["customer_id"] != "unknown"} == {"suppressed"}
        assert [row["country"] for row in sorted(rows, key=lambda one: one["valid_from"]) if row["customer_id"] == "5"] == ["US", "CA"]


def customers_show_tokens_and_classes_and_never_more():
    world = World()
    world.row("history", "CUSTOMERS", "2017-01-02T00:00", customer_id=1, first_name="ada", last_name="Byron", email=" ADA@norvane.io",
              phone="5135550123", income_band="lots", state="OH", acquisition_source="N/A")  # fmt: skip
    with world.oracle() as table:
        row, unknown = sorted(table("gold_dim_customers"), key=lambda one: one["customer_id"])
    assert row["email_token"] == hmac.new(TOKEN_KEY[1], b"ada@norvane.io", hashlib.sha256).hexdigest()
    assert (row["email_domain_class"], row["token_key_id"], row["name_initials"], row["phone_last2"]) == ("company", "k1", "A.B.", "23")
    assert (row["income_band"], row["country"], row["acquisition_source"], row["lifecycle_stage"]) == ("unknown", None, None, None)
    assert (unknown["customer_key"], unknown["income_band"], unknown["valid_from"]) == (
        _key("customer", "unknown"),
        "unknown",
        day("1900-01-01"),
    )


def an_email_domain_that_changes_class_starts_a_version_and_another_address_does_not():
    world = World()
    for batch, updated_at, email in (
        ("history", "2017-01-02T00:00", "a@gmail.com"), ("2017-12-30", "2017-12-30T12:00", "b@yahoo.com"),
        ("2017-12-31", "2017-12-31T12:00", "b@norvane.io"),
    ):  # fmt: skip
        world.row(batch, "CUSTOMERS", updated_at, customer_id=1, email=email)
    with world.oracle() as table:
        rows = [row for row in table("gold_dim_customers") if row["customer_id"] == "1"]
    assert sorted((str(row["valid_from"]), row["email_domain_class"]) for row in rows) == [
        ("1900-01-01", "consumer"),
        ("2017-12-31", "company"),
    ]
    assert len({row["email_token"] for row in rows}) == 1


def the_calendar_knows_iso_weeks_and_unshifted_holidays():
    with World().oracle() as table:
        days = {row["date"]: row for row in table("gold_dim_date")}
    assert len(days) == 13514 and min(days) == day("1999-01-01") and max(days) == day("2035-12-31")
    row = days[day("2017-01-01")]
    assert (row["date_key"], row["iso_year"], row["iso_week"], row["day_of_week"], row["is_weekend"], row["quarter"]) == (
        20170101,
        2016,
        52,
        7,
        True,
        1,
    )
    names = {
        "2017-01-01": "New Year's Day", "2017-01-02": None, "2017-01-16": "Martin Luther King Jr. Day",
        "2018-02-19": "Washington's Birthday", "2017-05-29": "Memorial Day", "2020-06-19": None,
        "2021-06-19": "Juneteenth National Independence Day",
        "2020-07-04": "Independence Day", "2020-07-03": None, "2017-09-04": "Labor Day", "2017-10-09": "Columbus Day",
        "2017-11-11": "Veterans Day", "2017-11-23": "Thanksgiving Day", "2022-12-25": "Christmas Day", "2022-12-26": None,
    }  # fmt: skip
    assert {name: days[day(name)]["holiday_name"] for name in names} == names
