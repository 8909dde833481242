"""Order events in the shapes of the local sources (`ci/sources/events.py`, `stream.py`): as many as one asks for, in time order.

Orders are placed evenly over one day. Each is paid and shipped, then delivered a day later; every twentieth is cancelled instead of
that, of every thirtieth a line comes back. So a cut in the middle parts nearly every order: what comes after it changes rows and
adds others. Every hundredth PAID comes twice (a producer that tried again), a tenth of all stands behind the registry's prefix.
Not here: any other dirt. Both sides of the comparison in `silver.py` see records that are good.
"""

from __future__ import annotations

import heapq
import itertools
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import events
import places as sources
import stream
from journey import STORE_COUNTRIES, spread

DAY = timedelta(days=1)
BEGIN = datetime(2017, 12, 30)
FIRST_ORDER = 70_000_000_001
LINES_MAX = 5
# A little less than an order brings, in hundredths, so that the last order still falls into the count.
EVENTS_PER_100_ORDERS = 399
CANCELLED_EACH, RETURNED_EACH, RESENT_EACH, PREFIXED_EACH = 20, 30, 100, 10
CANCELLED_AFTER = timedelta(minutes=30)
RETURNED_AFTER = timedelta(hours=40)
RESENT_AFTER = stream.PAID_AFTER + timedelta(seconds=20)


@dataclass(frozen=True)
class Record:
    """One Kafka record."""

    partition: int
    key: bytes
    value: bytes
    timestamp_ms: int


def order(number: int, at: datetime) -> dict:
    """Returns an order as `stream.py` knows one; everything in it follows from its number."""
    store = 300 + spread(number, 1, 400)
    lines = []
    for line_number in range(1, 2 + spread(number, 2, LINES_MAX)):
        net, discount = 50 + spread(number, 10 + line_number, 4000), 25 * spread(number, 20 + line_number, 4)
        lines.append((line_number, 800_000 + spread(number, 30 + line_number, 65_536), 1 + spread(number, 40 + line_number, 5), net, discount, 0))
    return {
        "order_id": number, "customer_id": 1 + spread(number, 3, 2500), "store_id": store, "ordered_at": at,
        "channel": ("store", "web", "app")[spread(number, 4, 3)], "currency": STORE_COUNTRIES.get(store % 10, ("US", "USD"))[1],
        "lines": lines,
    }  # fmt: skip


def bare(event_type: str, one: dict, at: datetime) -> events.Event:
    """Returns an event without a body."""
    return events.header(event_type, one["order_id"], one["customer_id"], one["store_id"], at)


def returned(one: dict, at: datetime) -> events.Event:
    """Returns the event of a first line that comes back."""
    return bare("RETURNED", one, at) | {"lines": [events.line(*one["lines"][0])]}


def cancelled(place: int) -> bool:
    """Whether the order at this place is cancelled, and so neither shipped nor delivered."""
    return place % CANCELLED_EACH == 0


# How long after its order an event happens, to which orders it does, and what it says.
Kind = tuple[timedelta, Callable[[int], bool], Callable[[dict, datetime], events.Event]]
KINDS: tuple[Kind, ...] = (
    (timedelta(0), lambda place: True, lambda one, at: stream.placed(one)),
    (stream.PAID_AFTER, lambda place: True, stream.paid),
    # The same bytes once more: its own time stays that of the first.
    (RESENT_AFTER, lambda place: place % RESENT_EACH == 1, lambda one, at: stream.paid(one, one["ordered_at"] + stream.PAID_AFTER)),
    (CANCELLED_AFTER, cancelled, lambda one, at: bare("CANCELLED", one, at)),
    (stream.SHIPPED_AFTER, lambda place: not cancelled(place), lambda one, at: bare("SHIPPED", one, at)),
    (stream.DELIVERED_AFTER, lambda place: not cancelled(place), lambda one, at: bare("DELIVERED", one, at)),
    (RETURNED_AFTER, lambda place: place % RETURNED_EACH == 7, returned),
)


def records(count: int) -> Iterator[Record]:
    """Returns the first `count` records."""
    orders = -(-count * 100 // EVENTS_PER_100_ORDERS)
    step = DAY / orders

    def times(kind: int) -> Iterator[tuple[datetime, int, int]]:
        after, happens, _ = KINDS[kind]
        return ((BEGIN + place * step + after, place, kind) for place in range(orders) if happens(place))

    for at, place, kind in itertools.islice(heapq.merge(*map(times, range(len(KINDS)))), count):
        one = order(FIRST_ORDER + place, BEGIN + place * step)
        value = events.encode(KINDS[kind][2](one, at), prefixed=place % PREFIXED_EACH == 0)
        key = str(one["order_id"]).encode()
        milliseconds = (at - datetime(1970, 1, 1)) // timedelta(milliseconds=1)
        yield Record(zlib.crc32(key) % sources.PARTITIONS, key, value, milliseconds)
