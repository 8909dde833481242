"""Order events as bytes, and the log in which a batch publishes them.

`EventLog` numbers what it is given the way Kafka will: publication order, partition, offset. Each record carries its
kind and the ledger buckets that it is *planted for*, so that the manifest counts intentions and never outcomes.
Not done here: deciding what to plant (see `stream.py`, `planted*.py`, `movements.py`).
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import places

Event = dict[str, object]
# table -> bucket -> rows
Buckets = dict[str, Counter]

ORDERS, ITEMS, MOVEMENTS = "silver_orders", "silver_order_items", "silver_order_movements"
CONFLUENT_PREFIX = b"\x00\x00\x00\x00\x07"


class Cents(int):
    """An amount; written as a JSON number with two decimals."""

    def __str__(self) -> str:
        sign, rest = ("-", -int(self)) if self < 0 else ("", int(self))
        return f"{sign}{rest // 100}.{rest % 100:02d}"


def render(value: object) -> str:
    """Returns compact JSON with amounts exact to the cent, which `json` alone cannot write."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{render(part)}" for name, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(render(part) for part in value) + "]"
    if isinstance(value, Cents):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def encode(event: Event, prefixed: bool = False) -> bytes:
    """Returns the record value of an event, plain or behind the Confluent registry's prefix."""
    return (CONFLUENT_PREFIX if prefixed else b"") + render(event).encode()


def event_id(*parts: object) -> str:
    """Returns an id in the form of a UUID that depends on nothing but `parts`."""
    digits = hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"


def rfc3339(instant: datetime) -> str:
    """Returns an instant as the producers write it."""
    return instant.isoformat(timespec="microseconds" if instant.microsecond else "seconds") + "Z"


def buckets(event_type: str, line_count: int = 0, verdict: str = "accepted") -> Buckets:
    """Returns where the rows of one well-typed event go: `verdict` in the tables that use its type, else `filtered`.

    A table that explodes lines counts one row per line, and one row where there is no line.
    """
    rows = max(line_count, 1)
    counted: Buckets = {ORDERS: Counter({verdict: 1}), ITEMS: Counter(filtered=1), MOVEMENTS: Counter(filtered=1)}
    if event_type == "PLACED":
        counted[ITEMS] = Counter({verdict: rows})
    elif event_type in ("RETURNED", "CANCELLED"):
        counted[MOVEMENTS] = Counter({verdict: rows})
    return counted


def unreadable() -> Buckets:
    """Returns the buckets of a record whose type nobody can trust: one quarantined row in every table."""
    return {table: Counter(quarantined=1) for table in (ORDERS, ITEMS, MOVEMENTS)}


@dataclass
class Record:
    """One Kafka record before it has an offset."""

    batch: str
    arrives_at: datetime
    key: bytes
    value: bytes | None
    kind: str
    expected: Buckets
    partition: int = -1
    offset: int = -1


@dataclass
class EventLog:
    """All records of all batches, in the order in which they were thought of."""

    records: list[Record] = field(default_factory=list)

    def add(self, kind: str, arrives_at: datetime, order_id: object, value: bytes | None, expected: Buckets) -> None:
        """Adds a record to the batch of the day on which it arrives; what arrives after the last day never does."""
        batch = batch_of(arrives_at)
        if batch is not None:
            self.records.append(Record(batch, arrives_at, str(order_id).encode(), value, kind, expected))

    def add_event(
        self,
        kind: str,
        event: Event,
        verdict: str = "accepted",
        delay: timedelta = timedelta(0),
        prefixed: bool = False,
    ) -> None:
        """Adds a well-formed event that arrives `delay` after it happened."""
        lines = event.get("lines")
        expected = buckets(str(event["event_type"]), len(lines) if isinstance(lines, list) else 0, verdict)
        self.add(kind, happened_at(event) + delay, event["order_id"], encode(event, prefixed), expected)

    def published(self) -> list[Record]:
        """Returns the records in publication order with their partitions and offsets."""
        numbered = sorted(enumerate(self.records), key=lambda pair: (pair[1].arrives_at, pair[0]))
        next_offset = [0] * places.PARTITIONS
        for _, record in numbered:
            record.partition = zlib.crc32(record.key) % places.PARTITIONS
            record.offset = next_offset[record.partition]
            next_offset[record.partition] += 1
        return [record for _, record in numbered]


def batch_of(instant: datetime) -> str | None:
    """Returns the batch whose window holds `instant`, or None."""
    return next((batch for batch, (start, end) in places.WINDOWS.items() if start <= instant < end), None)


def happened_at(event: Event) -> datetime:
    """Returns an event's own time; only for events whose time is well-formed."""
    return datetime.fromisoformat(str(event["event_ts"]).removesuffix("Z"))


def header(event_type: str, order_id: object, customer_id: object, store_id: int, at: datetime) -> Event:
    """Returns the fields that every event has."""
    return {
        "event_id": event_id(order_id, event_type, rfc3339(at)),
        "event_type": event_type,
        "order_id": str(order_id),
        "customer_id": str(customer_id),
        "store_id": store_id,
        "event_ts": rfc3339(at),
    }


def line(line_number: int, product_id: int, quantity: int, net: int, discount: int, coupon: int) -> Event:
    """Returns one line of a PLACED or RETURNED event."""
    return {
        "line_number": line_number,
        "product_id": str(product_id),
        "quantity": quantity,
        "gross_amount": Cents(net + discount),
        "discount_amount": Cents(discount),
        "net_amount": Cents(net),
        "manufacturer_coupon_amount": Cents(coupon),
    }


def total(records: Iterable[Record], table: str) -> Counter:
    """Returns the buckets of `table` summed over `records`."""
    summed: Counter = Counter()
    for record in records:
        summed.update(record.expected[table])
    return summed
