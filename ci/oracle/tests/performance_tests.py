"""Product performance, worked out by hand."""

from oracle.rules import Rules
from oracle.tests.world import World

ALL = "history"


def _product(world, number, batch=ALL, updated_at="2017-01-02T00:00", unit_cost="0.60", category="A"):
    world.row(batch, "PRODUCTS", updated_at, product_id=number, list_price="1.00", unit_cost=unit_cost, category=category,
              is_active=True)  # fmt: skip


def _sell(world, order_id, ordered_on, *lines, customer_id=1, currency="USD"):
    """Sells lines of (product_id, quantity, gross, discount)."""
    world.order(order_id, f"{ordered_on}T17:00", [(*line, "0.00") for line in lines], customer_id=customer_id, currency=currency)


def _rows(world, rules=Rules()):
    """Returns {(product_id, month): row}."""
    with world.oracle(rules=rules) as table:
        return {(row["product_id"], str(row["month"])[:7]): row for row in table("gold_product_performance")}


def every_column_of_one_month():
    world = World()
    _product(world, 7)
    for customer_id in range(1, 6):
        world.row(ALL, "CUSTOMERS", "2017-01-02T00:00", customer_id=customer_id)
        _sell(world, customer_id, f"2017-12-1{customer_id}", (7, 10, "1234.50", "34.50"), customer_id=customer_id)
    # Nobody knows whose: it sells, and is no customer.
    _sell(world, 6, "2017-12-20", (7, 10, "1000.00", "0.00"), customer_id=990001)
    _sell(world, 7, "2017-11-20", (7, 10, "2000.00", "0.00"))
    world.returned("2017-12-30", "1", "2017-12-30T17:00:00Z", {1: (7, 6, "100.00", "0.00", "0.00")})
    world.event("2017-12-30", "CANCELLED", "6", "2017-12-30T18:00:00Z")
    row = _rows(world)["7", "2017-12"]
    # 5 x 1200.00 - 100.00 and 1000.00 - 1000.00.
    assert (row["units"], row["net_usd"], row["distinct_customers"], row["rank_in_category"]) == (60, 59000000, 5, 1)
    # 5 x 34.50 of 5 x 1234.50 + 1000.00; 6 of 60 are returned, 10 more are cancelled.
    assert (row["discount_rate"], row["return_rate"]) == (172.5 / 7172.5, 0.1)
    assert _rows(world, Rules(cancellations_are_returns=True))["7", "2017-12"]["return_rate"] == 16 / 60
    # 5900.00 less 0.60 x (60 - 6 - 10) = 5873.60: 5870.00.
    assert row["margin_usd"] == 587000
    assert _rows(world, Rules(margins_shown_whole=True))["7", "2017-12"]["margin_usd"] == 587360
    assert (row["growth_month"], row["growth_year"]) == (5900 / 2000 - 1, None)
    assert _rows(world, Rules(growth_from_nothing=True))["7", "2017-12"]["growth_year"] == 1


def fewer_than_five_customers_are_hidden_with_their_margin():
    world = World()
    _product(world, 7)
    for customer_id in range(1, 5):
        world.row(ALL, "CUSTOMERS", "2017-01-02T00:00", customer_id=customer_id)
        _sell(world, customer_id, "2017-12-11", (7, 1, "10.00", "0.00"), customer_id=customer_id)
    row = _rows(world)["7", "2017-12"]
    assert (row["distinct_customers"], row["margin_usd"], row["net_usd"]) == (None, None, 400000)
    row = _rows(world, Rules(small_counts_shown=True))["7", "2017-12"]
    # 40.00 - 4 x 0.60 = 37.60.
    assert (row["distinct_customers"], row["margin_usd"]) == (4, 3760)
    assert _rows(world, Rules(customers_shown_min=4))["7", "2017-12"]["distinct_customers"] == 4
    # A fifth whom nobody knows is nobody.
    _sell(world, 5, "2017-12-11", (7, 1, "10.00", "0.00"), customer_id=990001)
    assert _rows(world)["7", "2017-12"]["distinct_customers"] is None
    assert _rows(world, Rules(unknown_is_a_customer=True))["7", "2017-12"]["distinct_customers"] == 5


def margins_have_three_digits_and_cents_at_the_least():
    for net, cost, shown in (
        ("1234.99", "0.00", 123000), ("1235.00", "0.00", 124000), ("9995.00", "0.00", 1000000), ("0.12", "0.00", 12),
        ("1.24", "0.00", 124), ("0.00", "1235.00", -124000), ("12.35", "0.00", 1240), ("12.25", "0.00", 1230),
    ):  # fmt: skip
        world = World()
        _product(world, 7, unit_cost=cost)
        for customer_id in range(1, 6):
            world.row(ALL, "CUSTOMERS", "2017-01-02T00:00", customer_id=customer_id)
            # One buys, the others get quantities of 0 for nothing.
            line = (7, 1, net, "0.00") if customer_id == 1 else (7, 0, "0.00", "0.00")
            _sell(world, customer_id, "2017-12-11", line, customer_id=customer_id)
        assert _rows(world)["7", "2017-12"]["margin_usd"] == shown, net


def a_cost_is_that_of_the_sale_also_for_what_comes_back_later():
    world = World()
    _product(world, 7, unit_cost="0.50")
    _product(world, 7, "2017-12-31", "2017-12-31T12:00", unit_cost="2.00")
    _product(world, 8, unit_cost=None)
    for customer_id in range(1, 6):
        world.row(ALL, "CUSTOMERS", "2017-01-02T00:00", customer_id=customer_id)
        _sell(world, customer_id, "2017-12-11", (7, 10, "10.00", "0.00"), (8, 1, "10.00", "0.00"), customer_id=customer_id)
        # At the new cost, which holds from the date of its change.
        lines = [(7, 10, "100.00", "0.00", "0.00")]
        world.placed("2018-01-01", f"o{customer_id}", "2018-01-01T17:00:00Z", lines, customer_id=str(customer_id))
    # In January, at the cost of December.
    world.returned("2018-01-01", "1", "2018-01-01T17:00:00Z", {1: (7, 4, "4.00", "0.00", "0.00")})
    rows = _rows(world)
    # 50.00 - 50 x 0.50; 500.00 - 4.00 - (50 x 2.00 - 4 x 0.50) = 398.00.
    assert (rows["7", "2017-12"]["margin_usd"], rows["7", "2018-01"]["margin_usd"]) == (2500, 39800)
    # By what it costs now, 50.00 - 50 x 2.00 and 500.00 - 4.00 - 46 x 2.00; or only what came back.
    now, then = (_rows(world, Rules(**{flag: True})) for flag in ("cost_as_now", "cost_of_movement_date"))
    assert (now["7", "2017-12"]["margin_usd"], now["7", "2018-01"]["margin_usd"]) == (-5000, 40400)
    assert (then["7", "2017-12"]["margin_usd"], then["7", "2018-01"]["margin_usd"]) == (2500, 40400)
    assert rows["8", "2017-12"]["distinct_customers"] == 5 and rows["8", "2017-12"]["margin_usd"] is None


def months_are_new_yorks_and_missing_products_stand_together():
    world = World()
    # 04:30 UTC of the 1st is still December in New York.
    world.placed("2018-01-01", "o1", "2018-01-01T04:30:00Z", [(71, 1, "1.00", "0.00", "0.00"), (72, 2, "2.00", "0.00", "0.00")])
    world.placed("2018-01-01", "o2", "2018-01-01T05:30:00Z", [(71, 4, "4.00", "0.00", "0.00")])
    rows = _rows(world)
    assert {key: (row["units"], row["net_usd"], row["rank_in_category"]) for key, row in rows.items()} == {
        ("unknown", "2017-12"): (3, 30000, None), ("unknown", "2018-01"): (4, 40000, None),
    }  # fmt: skip
    assert rows["unknown", "2018-01"]["growth_month"] == 4 / 3 - 1
    assert _rows(world, Rules(utc_date=True)).keys() == {("unknown", "2018-01")}


def rates_convert_each_line_and_round_once():
    world = World()
    _product(world, 7)
    # EUR at 1.2005: gross 0.30 -> 0.3602, discount 0.10 -> 0.1201; and in dollars 1.00 and 0.50.
    world.fx[ALL] = {"2017-12-29": {"USD": "1.2005"}}
    _sell(world, 1, "2017-12-29", (7, 1, "0.30", "0.10"), currency="EUR")
    _sell(world, 2, "2017-12-29", (7, 1, "1.00", "0.50"))
    row = _rows(world)["7", "2017-12"]
    assert row["discount_rate"] == 6201 / 13602
    # Only what comes back in a month: no units, and no rates.
    world.returned("2018-01-01", "2", "2018-01-01T17:00:00Z", {1: (7, 1, "1.00", "0.50", "0.00")})
    row = _rows(world)["7", "2018-01"]
    assert (row["units"], row["net_usd"], row["discount_rate"], row["return_rate"]) == (0, -5000, None, None)


def ranks_leave_gaps_and_follow_the_current_category():
    world = World()
    for number, dollars in ((1, "5.00"), (2, "5.00"), (3, "4.00"), (4, "9.00")):
        _product(world, number, category="A")
        _sell(world, number, "2017-11-11", (number, 1, dollars, "0.00"))
    _product(world, 4, "2017-12-30", "2017-12-30T12:00", category="B")

    def ranks(rules=Rules()):
        return {product_id: row["rank_in_category"] for (product_id, _), row in _rows(world, rules).items()}

    assert ranks() == {"1": 1, "2": 1, "3": 3, "4": 1}
    assert ranks(Rules(rank_dense=True)) == {"1": 1, "2": 1, "3": 2, "4": 1}
    assert ranks(Rules(category_of_first_version=True)) == {"4": 1, "1": 2, "2": 2, "3": 4}


def growth_needs_a_positive_predecessor():
    world = World()
    _product(world, 7)
    _sell(world, 1, "2017-01-11", (7, 1, "8.00", "0.00"))
    _sell(world, 2, "2017-11-11", (7, 1, "1.00", "0.00"))
    # December brings less than nothing: no growth from there.
    world.returned("2017-12-30", "2", "2017-12-30T17:00:00Z", {1: (7, 1, "1.00", "0.00", "0.00")})
    world.placed("2018-01-01", "o1", "2018-01-01T17:00:00Z", [(7, 1, "2.00", "0.00", "0.00")])
    rows = _rows(world)
    assert [(month, row["growth_month"], row["growth_year"]) for (_, month), row in rows.items()] == [
        ("2017-01", None, None), ("2017-11", None, None), ("2017-12", -2.0, None), ("2018-01", None, -0.75),
    ]  # fmt: skip
