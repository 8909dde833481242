"""Customer segments, worked out by hand."""

import math

from oracle.rules import Rules
from oracle.segments import segment
from oracle.tests.world import World, day


def _buy(world, order_id, ordered_on, dollars, customer_id=1, batch="history"):
    world.order(order_id, f"{ordered_on}T17:00", [(7, 1, dollars, "0.00", "0.00")], batch, customer_id,
                updated_at=f"{min(ordered_on, '2017-12-29') if batch == 'history' else ordered_on}T18:00")  # fmt: skip


def _customers(world, *ids):
    for customer_id in ids:
        world.row("history", "CUSTOMERS", "2017-01-02T00:00", customer_id=customer_id)


def _rows(world, rules=Rules(), through="history"):
    """Returns {(customer_id, as-of date): row}."""
    with world.oracle(through, rules) as table:
        return {(row["customer_id"], str(row["as_of_date"])): row for row in table("gold_customer_segments")}


def every_column_of_one_customer():
    world = World()
    _customers(world, 1)
    # 90 days of tenure, 10 of recency, orders 40 days apart: (80 days between three orders) / 2.
    for number, ordered_on in enumerate(("2017-09-30", "2017-11-09", "2017-12-19"), 1):
        _buy(world, number, ordered_on, "60.00")
    (row,) = _rows(world).values()
    assert (row["recency_days"], row["frequency"], row["monetary_usd"], row["tenure_days"]) == (10, 3, 1800000, 90)
    # Alone, a customer's rank is 1 of 1: 1 + floor(5 x 0 / 1).
    assert (row["r"], row["f"], row["m"], row["segment"]) == (1, 1, 1, "hibernating")
    assert row["churn_risk"] == 1 - math.exp(-10 / 40)
    # 180 / (90 / 30.4375) = 60.875 a month; x 12 x e^-0.25 (0.7788007831) = 568.914... .
    assert row["expected_value_12m"] == 56891
    assert row["as_of_date"] == day("2017-12-29")


def fewer_than_two_paid_orders_are_thirty_days_apart_and_a_month_is_the_least_tenure():
    world = World()
    _customers(world, 1, 2)
    _buy(world, 1, "2017-12-26", "60.00")
    # One that is given back is a sale, and no purchase.
    _buy(world, 2, "2017-12-23", "10.00", 2)
    _buy(world, 3, "2017-12-26", "20.00", 2)
    world.returned("2017-12-30", "2", "2017-12-30T10:00:00Z", {1: (7, 1, "10.00", "0.00", "0.00")})
    rows = _rows(world)
    assert rows["1", "2017-12-29"]["churn_risk"] == 1 - math.exp(-3 / 30)
    # 3 days are less than a month: 60.00 x 12 x e^-0.1 (0.904837418) = 651.48.
    assert rows["1", "2017-12-29"]["expected_value_12m"] == 65148
    assert _rows(world, Rules(churn_without_default=True))["1", "2017-12-29"]["churn_risk"] == 1 - math.exp(-3)
    # Two orders 3 days apart on the 29th; one of 20.00 on the 30th.
    assert rows["2", "2017-12-29"]["churn_risk"] == 1 - math.exp(-3 / 3)
    rows = _rows(world, through=None)
    names = ("recency_days", "frequency", "monetary_usd", "tenure_days", "churn_risk")
    assert [rows["2", "2017-12-30"][name] for name in names] == [4, 1, 200000, 7, 1 - math.exp(-4 / 30)]
    # Rows of the earlier date stay as they were.
    assert [rows["2", "2017-12-29"][name] for name in names] == [3, 2, 300000, 6, 1 - math.exp(-1)]
    newest = _rows(world, Rules(segments_of_newest_state=True), None)
    # Seen from the 30th the return is dated after the 29th; only what is known of the 29th by its own movements counts.
    assert newest["2", "2017-12-29"]["monetary_usd"] == 300000
    every = _rows(world, Rules(frequency_of_all_orders=True), None)
    assert every["2", "2017-12-30"]["frequency"] == 2


def a_row_of_an_earlier_date_is_what_was_known_then():
    world = World()
    _customers(world, 1)
    _buy(world, 1, "2017-12-20", "60.00")
    # Of the 28th, and published on the 30th.
    world.placed("2017-12-30", "late", "2017-12-28T17:00:00Z", [(7, 1, "5.00", "0.00", "0.00")])
    rows = _rows(world, through=None)
    assert [(row["recency_days"], row["monetary_usd"]) for row in rows.values()] == [
        (9, 600000), (2, 650000), (3, 650000), (4, 650000),
    ]  # fmt: skip
    assert list(rows) == [("1", date) for date in ("2017-12-29", "2017-12-30", "2017-12-31", "2018-01-01")]
    newest = _rows(world, Rules(segments_of_newest_state=True), None)
    assert (newest["1", "2017-12-29"]["recency_days"], newest["1", "2017-12-29"]["monetary_usd"]) == (1, 650000)
    # The date of the window's end in UTC is a day more.
    assert list(_rows(world, Rules(as_of_utc=True)))[0] == ("1", "2017-12-30")


def scores_are_fifths_of_the_ranks():
    world = World()
    # As bytes: 1, 10, 2, 3, 4, 5, 6.
    ids = (1, 2, 3, 4, 5, 6, 10)
    _customers(world, *ids)
    for customer_id in ids:
        _buy(world, customer_id, f"2017-12-{10 + customer_id}", "10.00", customer_id)
    # Nobody knows whose.
    _buy(world, 99, "2017-12-28", "10.00", 990001)

    def scores(name, rules=Rules()):
        return {customer_id: row[name] for (customer_id, _), row in _rows(world, rules).items()}

    # 1 + floor(5 x (rank - 1) / 7) of ranks 1 to 7: 1 1 2 3 3 4 5. Recency: who bought last has the highest rank.
    assert scores("r") == {"1": 1, "2": 1, "3": 2, "4": 3, "5": 3, "6": 4, "10": 5}
    # All equal: by the ids as bytes.
    assert scores("m") == scores("f") == {"1": 1, "10": 1, "2": 2, "3": 3, "4": 3, "5": 4, "6": 5}
    assert scores("m", Rules(score_ties_by_number=True)) == {"1": 1, "2": 1, "3": 2, "4": 3, "5": 3, "6": 4, "10": 5}
    # 1 + floor(5 x rank / 7): 1 2 3 3 4 5, and 6 is cut to 5.
    assert scores("r", Rules(score_from_rank=True)) == {"1": 1, "2": 2, "3": 3, "4": 3, "5": 4, "6": 5, "10": 5}
    assert scores("r", Rules(recency_ascending=True)) == {"10": 1, "6": 1, "5": 2, "4": 3, "3": 3, "2": 4, "1": 5}


def the_first_segment_that_holds_counts():
    # R, F, FM.
    for scores, name in (
        ((4, 5, 4), "champion"), ((3, 5, 4), "loyal"), ((5, 1, 3), "new"), ((5, 2, 3), "promising"), ((3, 1, 1), "promising"),
        ((2, 1, 3), "at risk"), ((2, 1, 2), "hibernating"), ((4, 1, 4), "champion"),
    ):  # fmt: skip
        assert segment(*scores) == name


def the_mean_of_frequency_and_money_is_rounded_up():
    world = World()
    _customers(world, 1, 2, 3)
    # Scores of three are 1, 2 and 4. Customer 1 bought most often, first of all and for least.
    for number, (customer_id, ordered_on, dollars) in enumerate(
        ((1, "2017-12-01", "1.00"), (1, "2017-12-02", "1.00"), (1, "2017-12-03", "1.00"), (2, "2017-12-10", "5.00"),
         (2, "2017-12-11", "5.00"), (3, "2017-12-12", "20.00"))
    ):  # fmt: skip
        _buy(world, number, ordered_on, dollars, customer_id)
    assert [(row["r"], row["f"], row["m"], row["segment"]) for row in _rows(world).values()] == [
        (1, 4, 1, "at risk"), (2, 2, 2, "hibernating"), (4, 1, 4, "new"),
    ]  # fmt: skip
    down = _rows(world, Rules(mean_score_rounded_down=True))
    assert [row["segment"] for row in down.values()] == ["hibernating", "hibernating", "new"]


def customers_are_those_with_a_sale_up_to_the_date():
    world = World()
    _customers(world, 1, 2)
    _buy(world, 1, "2017-12-20", "60.00")
    # 05:30 UTC of the 31st is after midnight in New York, 04:30 UTC of the 1st is not.
    world.placed("2017-12-31", "o2", "2017-12-31T05:30:00Z", [(7, 1, "5.00", "0.00", "0.00")], customer_id="2")
    world.placed("2018-01-01", "o3", "2018-01-01T04:30:00Z", [(7, 1, "5.00", "0.00", "0.00")], customer_id="2")
    rows = _rows(world, through=None)
    assert ("2", "2017-12-30") not in rows
    assert [rows["2", date]["recency_days"] for date in ("2017-12-31", "2018-01-01")] == [0, 1]
    assert rows["2", "2018-01-01"]["frequency"] == 2
