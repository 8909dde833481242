"""Touches of real orders, planted so that each rule of attribution decides something.

Each story (but `touch_reversed`) takes an order of a customer whom no campaign reaches otherwise, so that the order has exactly
these touches. A touch counts in [ordered_at - 30 days, ordered_at). The function's name is the kind's name; the orders stand in
the manifest under `touched_orders`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb

import places
from behavior import Values
from events import event_id
from journey import Sizes
from planted_behavior import CAMPAIGNS, DAY, HOUR, MICROSECOND, MINUTE, UNKNOWN_CAMPAIGNS, Visits

WINDOW = timedelta(days=30)
# Orders of history that are touched: old enough for thirty days of touches, too old for returns (see moved_orders.py).
TOUCHED = (datetime(2017, 3, 1), datetime(2017, 9, 1))


@dataclass(frozen=True)
class Order:
    """An order whose touches are planted."""

    order_id: int
    customer_id: int
    ordered_at: datetime


Story = Callable[[Visits, Order], None]


def _touch(visits: Visits, order: Order, before: timedelta, place: int = 0, **columns: object) -> Values:
    """Returns a touch of the order's customer some time before the order, by a campaign of its own for each place."""
    columns = {"customer_id": str(order.customer_id)} | columns
    name = "coupon_view" if place % 2 else "page_view"
    return visits.touch(name, order.ordered_at - before, CAMPAIGNS[place % len(CAMPAIGNS)], **columns)


def touch_single(visits: Visits, order: Order) -> None:
    """One touch: 100 % in every model."""
    visits.publish(_touch(visits, order, 3 * DAY))


def touch_two(visits: Visits, order: Order) -> None:
    """Two touches: position based gives half to each."""
    visits.publish(_touch(visits, order, 12 * DAY))
    visits.publish(_touch(visits, order, 5 * HOUR, 1))


def touch_three(visits: Visits, order: Order) -> None:
    """Three touches: thirds have a rest to place; position based 40/20/40."""
    for place, before in enumerate((29 * DAY, 8 * DAY, 30 * MINUTE)):
        visits.publish(_touch(visits, order, before, place))


def touch_many(visits: Visits, order: Order) -> None:
    """Eleven touches, two campaigns among them more than once."""
    for place in range(11):
        visits.publish(_touch(visits, order, (place + 1) * (2 * DAY + 5 * HOUR + 7 * MINUTE), place % 8))


def touch_edges(visits: Visits, order: Order) -> None:
    """Exactly 30 days before, and a microsecond before the order: both count. A microsecond earlier than the first, and the
    order's own instant: neither does."""
    for place, before in enumerate((WINDOW + MICROSECOND, WINDOW, MICROSECOND, timedelta(0))):
        visits.publish(_touch(visits, order, before, place))


def touch_outside(visits: Visits, order: Order) -> None:
    """Only touches that do not count: the order is unattributed."""
    for place, before in enumerate((WINDOW + DAY, WINDOW + MICROSECOND, timedelta(0), -HOUR)):
        visits.publish(_touch(visits, order, before, place))


def touch_ties(visits: Visits, order: Order) -> None:
    """Four touches at one instant, two of them of one campaign: their order is that of their ids as bytes."""
    for place, head in enumerate("bCaB"):
        own_id = head + event_id("tie", order.order_id, place)[1:]
        visits.publish(_touch(visits, order, 2 * DAY, min(place, 2), event_id=own_id))


def touch_half_lives(visits: Visits, order: Order) -> None:
    """One, two and three half-lives before the order: weights of 1/2, 1/4 and 1/8."""
    for place in range(3):
        visits.publish(_touch(visits, order, (place + 1) * 7 * DAY, place))


def touch_unknown_campaign(visits: Visits, order: Order) -> None:
    """A campaign that CAMPAIGNS lacks counts like the others."""
    visits.publish(_touch(visits, order, 4 * DAY) | {"utm_campaign": UNKNOWN_CAMPAIGNS[0]})
    visits.publish(_touch(visits, order, 2 * DAY, 1))


def touch_anonymous(visits: Visits, order: Order) -> None:
    """An anonymous touch whose session names the customer later: it counts; that of another session does not."""
    row = visits.publish(_touch(visits, order, 2 * DAY, customer_id=None))
    naming = {"customer_id": str(order.customer_id), "session_id": row["session_id"]}
    visits.publish(visits.event("checkout", order.ordered_at - 2 * DAY + 4 * MINUTE, **naming))
    visits.publish(_touch(visits, order, DAY, 1, customer_id=None))


def touch_named_by_another(visits: Visits, order: Order) -> None:
    """A touch in a session that another customer names first: it counts for this one all the same, since it is named."""
    other = {"customer_id": visits.customer(), "session_id": f"shared-{order.order_id}"}
    visits.publish(visits.event("page_view", order.ordered_at - DAY - MINUTE, **other))
    visits.publish(_touch(visits, order, DAY, session_id=other["session_id"]))
    visits.publish(_touch(visits, order, DAY - MINUTE, 1, session_id=other["session_id"], customer_id=None))


def touch_arrives_after_order(visits: Visits, order: Order) -> None:
    """One touch in time, and one that is loaded a day after the order: from then on the order is shared."""
    visits.publish(_touch(visits, order, 6 * HOUR))
    visits.publish(visits.again(_touch(visits, order, 20 * HOUR, 1), 44 * HOUR))


def touch_corrected_after_order(visits: Visits, order: Order) -> None:
    """A touch whose campaign is corrected a day after the order: the first campaign loses it."""
    row = visits.publish(_touch(visits, order, 3 * HOUR))
    visits.publish(visits.again(row, 27 * HOUR, utm_campaign=CAMPAIGNS[3]))


def touch_named_after_order(visits: Visits, order: Order) -> None:
    """An anonymous touch whose session is named by an event that is loaded a day after the order."""
    row = visits.publish(_touch(visits, order, 3 * HOUR, customer_id=None))
    naming = {"customer_id": str(order.customer_id), "session_id": row["session_id"]}
    named = visits.event("checkout", order.ordered_at - 3 * HOUR + MINUTE, **naming)
    visits.publish(visits.again(named, 27 * HOUR))


def touch_reversed(visits: Visits, order: Order) -> None:
    """An order that is cancelled or given back: its touches count, and convert nothing. A campaign may reach its customer, too."""
    visits.publish(_touch(visits, order, 3 * DAY))
    visits.publish(_touch(visits, order, DAY, 1))


IN_HISTORY: list[Story] = [
    touch_single, touch_two, touch_three, touch_many, touch_edges, touch_outside, touch_ties, touch_half_lives,
    touch_unknown_campaign, touch_anonymous, touch_named_by_another,
]  # fmt: skip
ON_DAYS: list[Story] = [touch_arrives_after_order, touch_corrected_after_order, touch_named_after_order]
# Kinds of moved orders of which one each is touched.
REVERSED = ("real_warehouse_cancelled", "real_warehouse_whole", "real_stream_cancelled", "real_stream_whole")


def plant_touches(
    visits: Visits, connection: duckdb.DuckDBPyConnection, sizes: Sizes, moved: dict[str, list[str]], reached: set[int]
) -> dict[str, list[str]]:
    """Tells the stories and returns the ids of their orders by kind; customers who are `reached` have other touches."""
    told: dict[str, list[str]] = {}
    wanted = [(touch_reversed, order) for order in _named_orders(connection, [moved[kind][0] for kind in REVERSED])]
    used = reached | {order.customer_id for _, order in wanted}
    for day, following in zip(places.DAYS, places.DAYS[1:], strict=False):
        # Not in the last hours: what is loaded a day later must not be loaded two days later.
        start, end = places.WINDOWS[day][0], places.WINDOWS[following][0] - 2 * HOUR
        orders = _quiet_orders(connection, start, end, used)
        wanted += _pair(ON_DAYS, orders[: len(ON_DAYS) * sizes.repeats])
        used |= {order.customer_id for _, order in wanted}
    orders = _quiet_orders(connection, *TOUCHED, used)
    wanted += _pair(IN_HISTORY, orders[: len(IN_HISTORY) * sizes.repeats])
    for story, order in wanted:
        visits.kind = story.__name__
        story(visits, order)
        told.setdefault(visits.kind, []).append(str(order.order_id))
    missing = {story.__name__ for story in (*IN_HISTORY, *ON_DAYS)} - told.keys()
    if missing:
        raise AssertionError(f"no order of a customer without touches is left for {sorted(missing)}")
    return told


def _pair(stories: list[Story], orders: list[Order]) -> list[tuple[Story, Order]]:
    return [(stories[place % len(stories)], order) for place, order in enumerate(orders)]


def _named_orders(connection: duckdb.DuckDBPyConnection, ids: list[str]) -> list[Order]:
    rows = connection.execute(
        "SELECT order_id, customer_id, ordered_at FROM orders WHERE order_id IN (SELECT unnest(?)) ORDER BY order_id",
        [[int(order_id) for order_id in ids]],
    ).fetchall()
    return [Order(*row) for row in rows]


def _quiet_orders(
    connection: duckdb.DuckDBPyConnection, start: datetime, end: datetime, used: set[int]
) -> list[Order]:
    """Returns an order of money's worth of each customer who has no touch: nobody's target, and without a coupon."""
    rows = connection.execute(
        """
        SELECT order_id, customer_id, ordered_at FROM orders
        WHERE ordered_at >= ? AND ordered_at < ? AND NOT list_contains(?, customer_id)
            AND customer_id NOT IN (SELECT household_id FROM raw_campaigns)
            AND customer_id NOT IN (SELECT household_id FROM raw_coupon_redemptions)
            AND order_id IN (SELECT order_id FROM lines GROUP BY order_id HAVING sum(net) > 500)
        QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY spread(order_id, 223, 65536), order_id) = 1
        ORDER BY spread(order_id, 224, 65536), order_id
        """,
        [start, end, sorted(used)],
    ).fetchall()
    return [Order(*row) for row in rows]
