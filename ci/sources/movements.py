"""Returns and cancellations: stories of planted orders, and those of real ones.

Silver accepts every well-formed one. What Gold does with each stands in the docstring.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from events import MOVEMENTS, ORDERS, buckets, encode, event_id
from planted import Planter, Story, is_last_day, remainder, share

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def return_whole(planter: Planter, at: datetime) -> None:
    """Every line comes back: reversed to zero."""
    order = planter.order(at)
    planter.place(order)
    planter.publish(planter.give_back(order, at + 3 * HOUR, order["lines"]))


def return_part(planter: Planter, at: datetime) -> None:
    """Half of one line."""
    order = planter.order(at)
    planter.place(order)
    planter.publish(planter.give_back(order, at + 2 * HOUR, [share(order["lines"][0], 1, 2)]))


def return_in_parts(planter: Planter, at: datetime) -> None:
    """Half of a line, and the rest a day later: one return row, dated by the second."""
    order = planter.order(at)
    planter.place(order)
    first = share(order["lines"][0], 1, 2)
    planter.publish(planter.give_back(order, at + HOUR, [first]))
    later = 4 * HOUR if is_last_day(at) else DAY
    planter.publish(planter.give_back(order, at + later, [remainder(order["lines"][0], first)]))


def return_more_than_open(planter: Planter, at: datetime) -> None:
    """Three quarters twice: the sale is reversed once, the excess is quarantined in Gold."""
    order = planter.order(at)
    planter.place(order)
    for hours in (1, 2):
        planter.publish(planter.give_back(order, at + hours * HOUR, [share(order["lines"][0], 3, 4)]))


def return_more_than_sold(planter: Planter, at: datetime) -> None:
    """One return of five quarters: the sale is reversed, the excess is quarantined in Gold."""
    order = planter.order(at)
    planter.place(order)
    planter.publish(planter.give_back(order, at + HOUR, [share(order["lines"][0], 5, 4), order["lines"][1]]))


def return_after_cancellation(planter: Planter, at: datetime) -> None:
    """Nothing is open any more: all of it is excess."""
    order = planter.order(at)
    planter.place(order)
    planter.publish(planter.bare("CANCELLED", order, at + HOUR))
    planter.publish(planter.give_back(order, at + 2 * HOUR, order["lines"][:1]))


def return_overtaken_by_cancellation(planter: Planter, at: datetime) -> None:
    """The return happened before the cancellation and arrives a day after it: it counts first."""
    if is_last_day(at):
        return
    order = planter.order(at)
    planter.place(order)
    planter.publish(planter.bare("CANCELLED", order, at + 2 * HOUR))
    planter.publish(planter.give_back(order, at + HOUR, [share(order["lines"][0], 1, 2)]), delay=DAY)


def return_of_unknown_order(planter: Planter, at: datetime) -> None:
    """An order that was never placed: waits in Silver, filtered in Gold."""
    order = planter.order(at)
    planter.publish(planter.give_back(order, at, order["lines"]))


def return_of_unknown_line(planter: Planter, at: datetime) -> None:
    """A line that the order does not have: filtered in Gold."""
    order = planter.order(at)
    planter.place(order)
    planter.publish(planter.give_back(order, at + HOUR, [[9, *order["lines"][0][1:]]]))


def return_before_sale_arrives(planter: Planter, at: datetime) -> None:
    """The RETURNED comes a day before its PLACED does: both count in the end."""
    if is_last_day(at):
        return
    order = planter.order(at)
    planter.publish(planter.give_back(order, at + HOUR, order["lines"][:1]))
    planter.place(order, delay=DAY)


def return_late(planter: Planter, at: datetime) -> None:
    """A return that arrives 30 hours late: is_late."""
    if is_last_day(at):
        return
    order = planter.order(at)
    planter.place(order)
    planter.publish(planter.give_back(order, at + HOUR, order["lines"][1:]), delay=30 * HOUR)


def returns_at_one_instant(planter: Planter, at: datetime) -> None:
    """Two lines returned by two events of one instant: two movements; the order's `returned_at` is equal, a duplicate."""
    order = planter.order(at)
    planter.place(order)
    for place, verdict in enumerate(("accepted", "duplicate")):
        event = planter.give_back(order, at + HOUR, [order["lines"][place]])
        event["event_id"] = event_id(order["order_id"], "RETURNED", place)
        expected = buckets("RETURNED", 1) | {ORDERS: Counter({verdict: 1})}
        planter.log.add(planter.kind, at + HOUR, order["order_id"], encode(event), expected)


def return_duplicates(planter: Planter, at: datetime) -> None:
    """The same return again, once as it was and once with another id: duplicates."""
    order = planter.order(at)
    planter.place(order)
    event = planter.give_back(order, at + HOUR, order["lines"])
    planter.publish(event)
    planter.publish(event, verdict="duplicate", delay=HOUR)
    planter.publish(event | {"event_id": event_id("copy", order["order_id"])}, verdict="duplicate", delay=2 * HOUR)


def return_line_repeated(planter: Planter, at: datetime) -> None:
    """The same line twice in one RETURNED: it counts once, the copy is a duplicate (movements only)."""
    order = planter.order(at)
    planter.place(order)
    part = share(order["lines"][0], 1, 4)
    event = planter.give_back(order, at + HOUR, [part, part])
    expected = buckets("RETURNED", 2) | {MOVEMENTS: Counter(accepted=1, duplicate=1)}
    planter.log.add(planter.kind, at + HOUR, order["order_id"], encode(event), expected)


def return_negative(planter: Planter, at: datetime) -> None:
    """Negative quantities in RETURNED: the whole event is quarantined."""
    order = planter.order(at)
    planter.place(order)
    negative = [*order["lines"][0][:2], -2, *order["lines"][0][3:]]
    planter.publish(planter.give_back(order, at + HOUR, [negative, order["lines"][1]]), verdict="quarantined")


def return_of_nothing(planter: Planter, at: datetime) -> None:
    """Neither a quantity nor an amount: quarantined."""
    order = planter.order(at)
    planter.place(order)
    planter.publish(planter.give_back(order, at + HOUR, [share(order["lines"][0], 0, 1)]), verdict="quarantined")


def cancelled(planter: Planter, at: datetime) -> None:
    """Everything open is reversed."""
    order = planter.order(at)
    planter.place(order)
    planter.publish(planter.bare("CANCELLED", order, at + HOUR))


def cancelled_after_part(planter: Planter, at: datetime) -> None:
    """Half of a line came back before: the cancellation reverses the rest."""
    order = planter.order(at, currency="EUR")
    # At 1.1993 dollars 10.08 euros are 12.0889, and twice the half of it 12.0890: rounded alone, the rest is too much.
    order["lines"][0][3:5] = [1008, 0]
    planter.place(order)
    planter.publish(planter.give_back(order, at + HOUR, [share(order["lines"][0], 1, 2)]))
    planter.publish(planter.bare("CANCELLED", order, at + 2 * HOUR))


def cancelled_after_whole(planter: Planter, at: datetime) -> None:
    """Everything came back before: the cancellation has no row."""
    order = planter.order(at)
    planter.place(order)
    planter.publish(planter.give_back(order, at + HOUR, order["lines"]))
    planter.publish(planter.bare("CANCELLED", order, at + 2 * HOUR))


def cancelled_twice(planter: Planter, at: datetime) -> None:
    """The second cancellation finds nothing: filtered in Gold."""
    order = planter.order(at)
    planter.place(order)
    for hours in (1, 2):
        planter.publish(planter.bare("CANCELLED", order, at + hours * HOUR))


STORIES: list[Story] = [
    return_whole, return_part, return_in_parts, return_more_than_open, return_more_than_sold, return_after_cancellation,
    return_overtaken_by_cancellation, return_of_unknown_order, return_of_unknown_line, return_before_sale_arrives,
    return_late, returns_at_one_instant, return_duplicates, return_line_repeated, return_negative, return_of_nothing,
    cancelled, cancelled_after_part, cancelled_after_whole, cancelled_twice,
]  # fmt: skip
