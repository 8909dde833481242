"""Publishes order events at an even rate: `python -m proofs.stream_producer BOOTSTRAP TOPIC --rate N --seconds N < KNOWN`.

KNOWN is a JSON object with `customers` and `products`, so that the gates of Silver find whom and what the orders name.
Orders are placed now, and paid some thousand orders later, so that payments meet orders that have long landed. A record's time is
the instant at which it is handed over. Prints one JSON object: what the broker has acknowledged.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import stream
from bench.orders import order
from confluent_kafka import Producer
from events import encode, rfc3339

FIRST_ORDER = 90_000_000_001
# Orders between one that is placed and the one that is paid beside it.
PAID_BEHIND = 20_000
# Orders that differ; each stands for many, since making one anew for each event would take more time than there is.
SHAPES = 400
MARK = 77_777_777_777
MARK_AT = datetime(2001, 2, 3, 4, 5, 6)
FLUSH_SECONDS_MAX = 60
PAUSE_SECONDS = 0.005

PLACED, PAID = 0, 1


@dataclass(frozen=True)
class Shape:
    """An order's events, with marks where number, time and id of an event go."""

    placed: bytes
    paid: bytes
    lines: int


def shapes(known: dict[str, list[int]]) -> list[Shape]:
    """Returns some orders, of customers and products that there are."""
    made = []
    customers, products = known["customers"], known["products"]
    for number in range(SHAPES):
        one = order(number, MARK_AT)
        lines = [(line, products[product % len(products)], *amounts) for line, product, *amounts in one["lines"]]
        one |= {"order_id": MARK, "customer_id": customers[number % len(customers)], "lines": lines}
        both = (encode(event | {"event_id": "EVENT"}) for event in (stream.placed(one), stream.paid(one, MARK_AT)))
        made.append(Shape(*both, lines=len(lines)))
    return made


def events() -> Iterator[tuple[int, int]]:
    """Returns what happens, without end: an order's place and the kind of its event."""
    place = 0
    while True:
        yield place, PLACED
        if place >= PAID_BEHIND:
            yield place - PAID_BEHIND, PAID
        place += 1


def filled(shape: bytes, place: int, at: datetime) -> bytes:
    """Returns an event with its marks replaced."""
    number = str(FIRST_ORDER + place).encode()
    event = shape.replace(str(MARK).encode(), number).replace(rfc3339(MARK_AT).encode(), rfc3339(at).encode())
    return event.replace(b'"EVENT"', b'"%s"' % str(uuid.uuid4()).encode())


def publish(bootstrap: str, topic: str, options: argparse.Namespace, made: list[Shape]) -> dict[str, int | float]:
    """Publishes and returns what was acknowledged."""
    rate, seconds = options.rate, options.seconds
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5, "queue.buffering.max.messages": 1_000_000})
    waiting = events()
    acknowledged = {PLACED: 0, PAID: 0}
    failed = lines = 0

    def delivered(kind: int, lines_of: int, error: object, _: object) -> None:
        nonlocal failed, lines
        if error is None:
            acknowledged[kind] += 1
            lines += lines_of
        else:
            failed += 1

    started, sent, wanted = time.monotonic(), 0, rate * seconds
    begun = datetime.now(UTC).replace(tzinfo=None)
    while sent < wanted:
        passed = time.monotonic() - started
        due = min(wanted, int(passed * rate))
        at = begun + timedelta(seconds=round(passed, 3))
        while sent < due:
            place, kind = next(waiting)
            shape = made[place % SHAPES]
            value, brings = (filled(shape.placed, place, at), shape.lines) if kind == PLACED else (filled(shape.paid, place, at), 0)
            key = str(FIRST_ORDER + place).encode()
            producer.produce(topic, value, key=key, on_delivery=partial(delivered, kind, brings))
            sent += 1
        producer.poll(0)
        # What keeps the rate even.
        time.sleep(PAUSE_SECONDS)
    left = producer.flush(FLUSH_SECONDS_MAX)
    return {
        "sent": sum(acknowledged.values()), "placed": acknowledged[PLACED], "paid": acknowledged[PAID], "failed": failed + left,
        "lines": lines, "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip


def main() -> int:
    """Publishes; 1 when a record was not acknowledged."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bootstrap")
    parser.add_argument("topic")
    parser.add_argument("--rate", type=int, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    options = parser.parse_args()
    told = publish(options.bootstrap, options.topic, options, shapes(json.load(sys.stdin)))
    print(json.dumps(told), flush=True)
    return 1 if told["failed"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
