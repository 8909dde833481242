"""A small topic that a test makes, fills and trims: `python -m proofs.topic BOOTSTRAP COMMAND TOPIC [N] [--partition P]`."""

from __future__ import annotations

import argparse
import json
from functools import partial

from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

SECONDS_MAX = 30
PARTITIONS = 2
# A torn text, bytes that are no text, and nothing at all: a record without payload is a deletion, not an empty one.
BROKEN = (b'{"event_id":"torn","event_ty', b"\xff\xfe\x80", b"")


def produce(bootstrap: str, topic: str, partition: int, payloads: list[bytes]) -> None:
    """Appends records to a partition and waits until the broker has them."""
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
    for payload in payloads:
        producer.produce(topic, payload, key=b"1", partition=partition)
    if producer.flush(SECONDS_MAX):
        raise SystemExit(f"topic: not all records of {topic} were acknowledged")


def create(bootstrap: str, topic: str) -> None:
    """Makes an empty topic."""
    # Held by a name: a client that nobody holds ends before it has its answer. So below.
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1)])[topic].result(SECONDS_MAX)


def drop(bootstrap: str, topic: str) -> None:
    """Deletes a topic."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.delete_topics([topic])[topic].result(SECONDS_MAX)


def plain(count: int) -> list[bytes]:
    """Returns plain events; what they say does not matter to who reads offsets."""
    return [shipped(f"t{number}", "1", 0) for number in range(count)]


def orders(numbers: range, hour: int) -> list[bytes]:
    """Returns events of which each is of an order of its own: numbers of other orders lie before or after all of them."""
    return [shipped(f"o{number}-{hour}", f"{number:06}", hour) for number in numbers]


def shipped(event: str, order: str, hour: int) -> bytes:
    """Returns an event of the kind that needs the fewest fields."""
    text = {"event_id": event, "event_type": "SHIPPED", "order_id": order, "event_ts": f"2017-12-30T{hour:02}:00:00Z"}
    return json.dumps(text).encode()


def main() -> int:
    """Runs one command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bootstrap")
    parser.add_argument("command", choices=["create", "produce", "produce-broken", "delete-before", "drop"])
    parser.add_argument("topic")
    parser.add_argument("number", type=int, nargs="?", default=0)
    parser.add_argument("--partition", type=int, default=0)
    options = parser.parse_args()
    fill = partial(produce, options.bootstrap, options.topic, options.partition)
    match options.command:
        case "create":
            create(options.bootstrap, options.topic)
            fill(plain(options.number))
        case "produce":
            fill(plain(options.number))
        case "produce-broken":
            fill(list(BROKEN))
        case "delete-before":
            admin = AdminClient({"bootstrap.servers": options.bootstrap})
            for done in admin.delete_records([TopicPartition(options.topic, options.partition, options.number)]).values():
                done.result(SECONDS_MAX)
        case "drop":
            drop(options.bootstrap, options.topic)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
