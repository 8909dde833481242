"""Stories of visits and time: loaded late, too late, published late, read twice, named days later.

A window that begins more than 24 h after an event makes it late. `places.held_before` says where the late window ends.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import places
from behavior import Values
from events import batch_of
from planted_behavior import DAY, HOUR, MICROSECOND, MINUTE, Story, Visits


def _batch(at: datetime) -> str:
    batch = batch_of(at)
    assert batch is not None
    return batch


def _before(at: datetime) -> str | None:
    """Returns the batch before the one of `at`."""
    place = places.BATCHES.index(_batch(at))
    return places.BATCHES[place - 1] if place else None


def _loaded(visits: Visits, at: datetime, happened: datetime, **columns: object) -> Values:
    """Returns a touch that happened at one time and is loaded at another."""
    row = visits.touch("page_view", happened, **{"customer_id": visits.customer(), **columns})  # type: ignore[arg-type]
    return row | {"loaded_at": at}


def late(visits: Visits, at: datetime) -> None:
    """26 to 50 hours late: accepted, is_late; so is the other event of its session, which is anonymous."""
    hours = 26 + visits.next_number % 24
    arrives = places.WINDOWS[_batch(at)][0] + HOUR
    row = visits.publish(_loaded(visits, arrives, arrives - hours * HOUR))
    anonymous = visits.touch("page_view", arrives - hours * HOUR - MINUTE, session_id=row["session_id"])
    visits.publish(anonymous | {"loaded_at": arrives})


def late_boundary(visits: Visits, at: datetime) -> None:
    """Exactly 24 h before the window is not late; a microsecond more is."""
    start = places.WINDOWS[_batch(at)][0]
    visits.publish(_loaded(visits, at, start - DAY))
    visits.publish(_loaded(visits, at, start - DAY - MICROSECOND))


def held_boundary(visits: Visits, at: datetime) -> None:
    """Exactly at the edge of the late window: accepted, is_late. A microsecond before it: held."""
    edge = places.held_before(_batch(at))
    visits.publish(_loaded(visits, at, edge))
    visits.publish(_loaded(visits, at, edge - MICROSECOND), "held")


def held(visits: Visits, at: datetime) -> None:
    """Behind the late window: held, and it names nobody: the anonymous event of its session takes the later name."""
    edge = places.held_before(_batch(at))
    row = visits.publish(_loaded(visits, at, edge - 3 * HOUR), "held")
    session = row["session_id"]
    visits.publish(_loaded(visits, at, edge + HOUR, customer_id=None, session_id=session))
    visits.publish(_loaded(visits, at, edge + 2 * HOUR, session_id=session))


def held_correction(visits: Visits, at: datetime) -> None:
    """A correction that moves an event behind the late window: held, the earlier row stays."""
    row = visits.publish(_loaded(visits, at, at - HOUR))
    visits.publish(visits.again(row, HOUR, event_ts=places.held_before(_batch(at)) - DAY), "held")


def named_days_later(visits: Visits, at: datetime) -> None:
    """An anonymous session whose first named event arrives a day or two later: accepted; then it is known who it was."""
    row = visits.publish(visits.touch("page_view", at))
    visits.publish(visits.event("add_to_cart", at + MINUTE, session_id=row["session_id"]))
    named = visits.event("checkout", at + 2 * MINUTE, customer_id=visits.customer(), session_id=row["session_id"])
    visits.publish(named | {"loaded_at": at + (1 + visits.next_number % 2) * DAY})


def earlier_name_arrives_later(visits: Visits, at: datetime) -> None:
    """A name that comes before the known one arrives a day later: accepted; what was anonymous changes its customer."""
    known, earlier = visits.two_customers()
    row = visits.publish(visits.touch("page_view", at))
    for minute, customer, delay in ((3, known, timedelta(0)), (2, earlier, DAY)):
        named = visits.event("checkout", at + minute * MINUTE, customer_id=customer, session_id=row["session_id"])
        visits.publish(visits.again(named, delay))


def anonymous_arrives_later(visits: Visits, at: datetime) -> None:
    """An anonymous event of a session that is known arrives a day later: accepted, and known at once."""
    named = visits.publish(visits.event("checkout", at + MINUTE, customer_id=visits.customer()))
    touch = visits.touch("page_view", at, session_id=named["session_id"])
    visits.publish(visits.again(touch, DAY))


def published_late(visits: Visits, at: datetime) -> None:
    """Loaded before the window, published within it: found by the lookback, accepted."""
    if _before(at) is not None:
        loaded_at = places.WINDOWS[_batch(at)][0] - 35 * MINUTE
        visits.publish(_loaded(visits, loaded_at, loaded_at - 4 * MINUTE), batch=_batch(at))


def edge_of_lookback(visits: Visits, at: datetime) -> None:
    """Loaded exactly two hours before the window and published within it: accepted, the lookback includes its first instant.
    A microsecond earlier, published in time, it is not read again."""
    start = places.WINDOWS[_batch(at)][0] - places.LOOKBACK
    if _before(at) is not None:
        visits.publish(_loaded(visits, start, start - 4 * MINUTE), batch=_batch(at))
        visits.publish(_loaded(visits, start - MICROSECOND, start - 4 * MINUTE))


def older_arrives_later(visits: Visits, at: datetime) -> None:
    """A row of an event, published late and loaded before the one that is known: superseded."""
    if _before(at) is not None:
        start = places.WINDOWS[_batch(at)][0]
        known = visits.publish(_loaded(visits, start - 30 * MINUTE, start - HOUR))
        older = visits.again(known, -20 * MINUTE, utm_campaign=None, customer_id=None)
        visits.publish(older, "superseded", batch=_batch(at))


def overlap(visits: Visits, at: datetime) -> None:
    """Loaded in the last two hours: lands again with the next window. The event is a duplicate then, its earlier row
    superseded, what is broken quarantined once more, and what was just not too late held."""
    end = places.WINDOWS[_batch(at)][1]
    row = visits.publish(_loaded(visits, end - 80 * MINUTE, end - 90 * MINUTE))
    visits.publish(visits.again(row, 20 * MINUTE, metadata='{"corrected": true}'))
    visits.publish(visits.again(row, 30 * MINUTE, event_name="pageview"), "quarantined")
    if _batch(at) != places.HISTORY:
        visits.publish(_loaded(visits, end - 70 * MINUTE, places.held_before(_batch(at)) + HOUR))
    visits.publish(_loaded(visits, end - MICROSECOND, end - 5 * MINUTE))


def copy_published_late(visits: Visits, at: datetime) -> None:
    """A copy of a row of the last two hours that is published with the next batch: a duplicate, as the row itself is then."""
    if _before(at) is not None:
        start = places.WINDOWS[_batch(at)][0]
        row = visits.publish(_loaded(visits, start - 40 * MINUTE, start - HOUR))
        visits.publish(row, "duplicate", batch=_batch(at))


STORIES: list[Story] = [
    late, late_boundary, held_boundary, held, held_correction, named_days_later, earlier_name_arrives_later,
    anonymous_arrives_later, published_late, edge_of_lookback, older_arrives_later, overlap, copy_published_late,
]  # fmt: skip
