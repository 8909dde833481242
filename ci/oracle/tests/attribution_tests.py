"""Touches, shares and costs, worked out by hand."""

from oracle.attribution import decayed, split, weights
from oracle.rules import Rules
from oracle.tests.world import World, day

MODELS = ("first_touch", "last_touch", "linear", "time_decay", "position_based")
LINE = (7, 1, "7.00", "0.00", "0.00")


def _world(ordered_at="2017-12-29T12:00", currency="USD", lines=(LINE,)):
    """One customer with one order."""
    world = World()
    world.row("history", "CUSTOMERS", "2017-01-02T00:00", customer_id=1)
    world.order(1, ordered_at, lines, currency=currency)
    return world


def _shares(world, rules=Rules(), order_id="1"):
    """Returns {model: {event_id: (conversions, dollars)}} of one order."""
    with world.oracle(rules=rules) as table:
        found = {}
        for row in table("attribution_shares"):
            if row["order_id"] == order_id:
                found.setdefault(row["model"], {})[row["event_id"]] = (row["conversions"], row["attributed_usd"])
        return found


def _rows(world, rules=Rules(), model="linear"):
    """Returns {(campaign_id, date): (touches, conversions, dollars, cost)} of one model."""
    names = ("touches", "conversions", "attributed_usd", "cost_usd")
    with world.oracle(rules=rules) as table:
        return {
            (row["campaign_id"], str(row["business_date"])): tuple(row[name] for name in names)
            for row in table("gold_marketing_attribution") if row["model"] == model
        }  # fmt: skip


def the_example_of_the_definitions():
    # 10.00 EUR at 1.00001 are 10.0001 dollars; touches 21, 14 and 7 days before, so weights of 1 : 2 : 4.
    world = _world(currency="EUR", lines=[(7, 1, "10.00", "0.00", "0.00")])
    world.fx["history"] = {"2017-12-29": {"USD": "1.00001"}}
    for event_id, event_ts in (("a", "2017-12-08T12:00"), ("b", "2017-12-15T12:00"), ("c", "2017-12-22T12:00")):
        world.touch("history", event_id, event_ts, 1, utm_campaign=f"of {event_id}")
    shares = _shares(world)
    assert {model: [one[1] for one in shares[model].values()] for model in MODELS} == {
        "first_touch": [100001, 0, 0],
        "last_touch": [0, 0, 100001],
        # 33333.67 each: two digits are left, they go to the first two.
        "linear": [33334, 33334, 33333],
        # 14285.86, 28571.71, 57143.43.
        "time_decay": [14286, 28572, 57143],
        # 40000.4, 20000.2, 40000.4.
        "position_based": [40001, 20000, 40000],
    }
    assert {model: [one[0] for one in shares[model].values()] for model in ("linear", "time_decay", "position_based")} == {
        "linear": [3334, 3333, 3333], "time_decay": [1429, 2857, 5714], "position_based": [4000, 2000, 4000],
    }  # fmt: skip
    # 2^-1.5, 2^-1 and 2^-0.5: 22654.3, 32038.0, 45308.6.
    longer = _shares(world, Rules(half_life_seconds=1209600))["time_decay"]
    assert [one[1] for one in longer.values()] == [22654, 32038, 45309]
    assert [one[1] for one in _shares(world, Rules(shares_rounded=True))["linear"].values()] == [33334] * 3
    assert [one[1] for one in _shares(world, Rules(rest_to_last_touch=True))["linear"].values()] == [33333, 33333, 33335]


def weights_are_integers():
    seconds = 10**6
    assert decayed(0, 604800) == 10**12 and decayed(604800 * seconds, 604800) == 5 * 10**11
    # 1 - ln 2 / 604800 = 1 - 0.000001146077 = 0.999998853924.
    assert decayed(seconds, 604800) == 999998853924
    # 40 : 20/3 : 20/3 : 20/3 : 40.
    assert weights("position_based", [0] * 5, Rules()) == [6, 1, 1, 1, 6]
    assert [weights(model, [5], Rules()) for model in MODELS] == [[1]] * 5
    assert split(10, [1, 2, 4], Rules()) == [1, 3, 6]
    assert split(1, [1, 1], Rules()) == [1, 0]


def four_touches_by_position_and_two():
    world = _world()
    for place in range(4):
        world.touch("history", f"e{place}", f"2017-12-2{place}T12:00", 1, utm_campaign="8")
    # 40 / 10 / 10 / 40 of 7.0000.
    assert [one[1] for one in _shares(world)["position_based"].values()] == [28000, 7000, 7000, 28000]
    world = _world()
    for place in range(2):
        world.touch("history", f"e{place}", f"2017-12-2{place}T12:00", 1, utm_campaign="8")
    assert [one[1] for one in _shares(world)["position_based"].values()] == [35000, 35000]
    assert [one[1] for one in _shares(world, Rules(two_positions_unequal=True))["position_based"].values()] == [28000, 42000]


def touches_count_from_thirty_days_before_until_the_order():
    world = _world("2017-12-29T12:00")
    for event_id, event_ts in (
        ("too early", "2017-11-29T11:59:59.999999"), ("first", "2017-11-29T12:00"),
        ("last", "2017-12-29T11:59:59.999999"), ("at the order", "2017-12-29T12:00"), ("after", "2017-12-29T12:00:01"),
    ):  # fmt: skip
        world.touch("history", event_id, event_ts, 1, utm_campaign="8")
    # Without a campaign, and of another customer.
    world.touch("history", "no campaign", "2017-12-20T12:00", 1)
    world.touch("history", "null token", "2017-12-20T12:00", 1, utm_campaign=" null ")
    world.touch("history", "another's", "2017-12-20T12:00", 2, utm_campaign="8")
    assert set(_shares(world)["linear"]) == {"first", "last"}
    assert set(_shares(world, Rules(touch_at_start_excluded=True))["linear"]) == {"last"}
    assert set(_shares(world, Rules(touch_at_order_included=True))["linear"]) == {"first", "last", "at the order"}


def touches_of_one_instant_stand_in_the_order_of_their_ids_as_bytes():
    world = _world()
    for event_id in ("a", "B", "b"):
        world.touch("history", event_id, "2017-12-20T12:00", 1, utm_campaign=event_id)
    shares = _shares(world)
    assert [event_id for event_id, (whole, _) in shares["first_touch"].items() if whole] == ["B"]
    assert [event_id for event_id, (whole, _) in shares["last_touch"].items() if whole] == ["b"]
    # 23333.33 each: the digit that is left goes to the first one.
    assert {name: usd for name, (_, usd) in shares["linear"].items()} == {"B": 23334, "a": 23333, "b": 23333}
    reversed_ties = _shares(world, Rules(touch_ties_reversed=True))
    assert [event_id for event_id, (whole, _) in reversed_ties["first_touch"].items() if whole] == ["b"]


def an_anonymous_touch_counts_for_its_sessions_customer_and_a_late_one_from_its_arrival():
    world = _world()
    world.touch("history", "e1", "2017-12-28T12:00", None, "s", utm_campaign="8")
    world.touch("history", "e2", "2017-12-28T12:05", 1, "s")
    world.touch("2017-12-30", "e3", "2017-12-28T13:00", 1, loaded_at="2017-12-30T05:00", utm_campaign="9")
    with world.oracle("history") as table:
        assert {row["event_id"] for row in table("attribution_shares")} == {"e1"}
    assert set(_shares(world)["linear"]) == {"e1", "e3"}


def what_is_attributed_is_what_is_left_of_an_order():
    world = _world()
    world.order(2, "2017-12-29T12:00", [LINE])
    world.order(3, "2017-12-29T12:00", [LINE])
    world.row("history", "CUSTOMERS", "2017-01-02T00:00", customer_id=2)
    world.order(4, "2017-12-29T12:00", [LINE], customer_id=2)
    world.order(5, "2017-12-29T12:00", [LINE], customer_id=2)
    world.touch("history", "e1", "2017-12-28T12:00", 1, utm_campaign="8")
    world.returned("2017-12-30", "2", "2017-12-30T10:00:00Z", {1: (7, 1, "3.00", "0.00", "0.00")})
    for order_id in ("3", "5"):
        world.event("2017-12-30", "CANCELLED", order_id, "2017-12-30T10:00:00Z")
    # 7.0000 and 4.0000; the cancelled order's touch counts, and neither it nor the other one converts.
    assert _rows(world) == {("8", "2017-12-29"): (3, 20000, 110000, 0), ("unattributed", "2017-12-29"): (0, 10000, 70000, 0)}
    assert _rows(world, Rules(reversals_not_attributed=True)) == {
        ("8", "2017-12-29"): (3, 30000, 210000, 0), ("unattributed", "2017-12-29"): (0, 20000, 140000, 0),
    }  # fmt: skip
    assert _rows(world, Rules(unpaid_orders_convert=True)) == {
        ("8", "2017-12-29"): (3, 30000, 110000, 0), ("unattributed", "2017-12-29"): (0, 20000, 70000, 0),
    }  # fmt: skip
    assert set(_rows(world, Rules(unattributed_dropped=True))) == {("8", "2017-12-29")}
    # Every model counts every pair.
    assert _rows(world, model="first_touch") == _rows(world, model="last_touch") == _rows(world)


def orders_of_unknown_customers_are_unattributed():
    world = World()
    world.order(1, "2017-12-29T03:00", [LINE], customer_id=990001)
    world.touch("history", "e1", "2017-12-28T12:00", 990001, utm_campaign="8")
    # 03:00 UTC is the day before in New York.
    assert _rows(world) == {("unattributed", "2017-12-28"): (0, 10000, 70000, 0)}


def a_campaign_costs_something_on_each_of_its_days():
    world = _world()
    world.row("history", "CAMPAIGNS", "2017-01-02T00:00", campaign_id=8, daily_cost="3.50", start_date=day("2017-12-28"),
              end_date=day("2017-12-30"))  # fmt: skip
    world.row("history", "CAMPAIGNS", "2017-01-02T00:00", campaign_id=9, start_date=day("2017-12-31"), end_date=day("2017-12-31"))
    world.touch("history", "e1", "2017-12-28T12:00", 1, utm_campaign="8")
    world.touch("history", "e2", "2017-12-28T12:00", 1, utm_campaign="unknown")
    own, unknown = (1, 5000, 35000, 350), (1, 5000, 35000, 0)
    free = (0, 0, 0, 350)
    expected = {
        ("8", "2017-12-28"): free, ("8", "2017-12-29"): own, ("8", "2017-12-30"): free, ("9", "2017-12-31"): (0, 0, 0, 0),
        ("unknown", "2017-12-29"): unknown,
    }  # fmt: skip
    for model in ("linear", "time_decay", "position_based"):
        assert _rows(world, model=model) == expected
    assert set(_rows(world, Rules(cost_only_with_orders=True))) == {("8", "2017-12-29"), ("unknown", "2017-12-29")}
    assert ("8", "2017-12-30") not in _rows(world, Rules(cost_without_last_day=True))
    with world.oracle() as table:
        linear = [row for row in table("gold_marketing_attribution") if row["model"] == "linear"]
    rows = {(row["campaign_id"], row["business_date"].day): row for row in linear}
    # 3.50 of 3.50, and 3.50 for half a conversion.
    assert (rows["8", 29]["roas"], rows["8", 29]["cac"]) == (1.0, 7.0)
    assert (rows["8", 28]["roas"], rows["8", 28]["cac"]) == (0.0, None)
    assert (rows["unknown", 29]["roas"], rows["unknown", 29]["cac"]) == (None, 0.0)
