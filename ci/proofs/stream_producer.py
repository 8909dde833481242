"""Publishes order events at an even rate: `python -m proofs.stream_producer BOOTSTRAP TOPIC --rate N --seconds N`.

Orders are placed now, and paid some thousand orders later, so that payments meet orders that have long landed. A record's time is
the instant at which it is handed over. Prints one JSON object: what the broker has acknowledged.
"""

from __future__ import annotations

import argparse
import json
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

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


def shapes() -> list[tuple[bytes, bytes]]:
    """Returns PLACED and PAID of some orders, with marks where number, time and id of an event go."""
    made = []
    for number in range(SHAPES):
        one = order(number, MARK_AT) | {"order_id": MARK}
        both = stream.placed(one), stream.paid(one, MARK_AT)
        made.append(tuple(encode(event | {"event_id": "EVENT"}) for event in both))
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


def publish(bootstrap: str, topic: str, rate: int, seconds: int) -> dict[str, int | float]:
    """Publishes and returns what was acknowledged."""
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5, "queue.buffering.max.messages": 1_000_000})
    made, waiting = shapes(), events()
    acknowledged = {PLACED: 0, PAID: 0}
    failed = 0

    def delivered(kind: int, error: object) -> None:
        nonlocal failed
        if error is None:
            acknowledged[kind] += 1
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
            value = filled(made[place % SHAPES][kind], place, at)
            key = str(FIRST_ORDER + place).encode()
            producer.produce(topic, value, key=key, on_delivery=lambda error, _, kind=kind: delivered(kind, error))
            sent += 1
        producer.poll(0)
        # What keeps the rate even.
        time.sleep(PAUSE_SECONDS)
    left = producer.flush(FLUSH_SECONDS_MAX)
    return {
        "sent": sum(acknowledged.values()), "placed": acknowledged[PLACED], "paid": acknowledged[PAID], "failed": failed + left,
        "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip


def main() -> int:
    """Publishes; 1 when a record was not acknowledged."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bootstrap")
    parser.add_argument("topic")
    parser.add_argument("--rate", type=int, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    options = parser.parse_args()
    told = publish(options.bootstrap, options.topic, options.rate, options.seconds)
    print(json.dumps(told), flush=True)
    return 1 if told["failed"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
