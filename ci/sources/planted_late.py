"""Stories of time: what arrives late, just not late, or too late.

A window that begins more than 24 h after an event makes it late. `places.held_before` says where the late window ends.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import places
from changes import FIRST_NEW_CUSTOMER, FIRST_NEW_PRODUCT
from events import batch_of
from planted import Planter, Story, is_last_day

MICROSECOND, MINUTE, HOUR, DAY = (
    timedelta(microseconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1),
)  # fmt: skip


def _batch(at: datetime) -> str:
    return batch_of(at) or places.HISTORY


def _arriving(planter: Planter, at: datetime, happened: datetime, line_count: int = 2) -> dict:
    """Publishes at `at` an order that was placed at `happened`."""
    order = planter.order(happened, line_count=line_count)
    planter.place(order, delay=at - happened)
    return order


def late(planter: Planter, at: datetime) -> None:
    """26 to 50 hours late: processed, is_late."""
    arrives = places.WINDOWS[_batch(at)][0] + HOUR
    hours = 26 + planter.next_order % 24
    order = _arriving(planter, arrives, arrives - hours * HOUR)
    planter.publish(planter.pay(order, arrives - hours * HOUR + MINUTE), delay=hours * HOUR)


def late_boundary(planter: Planter, at: datetime) -> None:
    """Exactly 24 h before the window is not late; a microsecond more is."""
    start = places.WINDOWS[_batch(at)][0]
    _arriving(planter, at, start - DAY)
    _arriving(planter, at, start - DAY - MICROSECOND)


def held_boundary(planter: Planter, at: datetime) -> None:
    """Exactly at the edge of the late window: accepted, is_late."""
    _arriving(planter, at, places.held_before(_batch(at)))


def held(planter: Planter, at: datetime) -> None:
    """Behind the late window: held, one row per line. A SHIPPED of the same order that is in time is accepted."""
    edge = places.held_before(_batch(at))
    order = planter.order(edge - 3 * HOUR, line_count=3)
    planter.place(order, verdict="held", delay=at - order["ordered_at"])
    for event, happened in (
        (planter.pay(order, edge - 2 * HOUR), edge - 2 * HOUR),
        (planter.give_back(order, edge - HOUR, order["lines"][:2]), edge - HOUR),
        (planter.bare("CANCELLED", order, edge - MICROSECOND), edge - MICROSECOND),
    ):
        planter.publish(event, verdict="held", delay=at - happened)
    planter.publish(planter.bare("SHIPPED", order, edge + DAY), delay=at - edge - DAY)


def customer_arrives_later(planter: Planter, at: datetime) -> None:
    """The warehouse learns of the customer a day after the order: accepted, and found by Gold from then on."""
    day = places.DAYS.index(str(batch_of(at)))
    if not is_last_day(at):
        planter.place(planter.order(at) | {"customer_id": FIRST_NEW_CUSTOMER + day + 1})


def new_customer_new_product(planter: Planter, at: datetime) -> None:
    """A customer and a product that the warehouse inserted on this day."""
    day = places.DAYS.index(str(batch_of(at)))
    order = planter.order(at) | {"customer_id": FIRST_NEW_CUSTOMER + day}
    order["lines"][0][1] = FIRST_NEW_PRODUCT + day
    planter.place(order)


STORIES: list[Story] = [late, late_boundary, held_boundary, held, customer_arrives_later, new_customer_new_product]
