"""A topic of one partition that a test makes, fills and trims: `python -m proofs.topic BOOTSTRAP COMMAND TOPIC [N]`."""

from __future__ import annotations

import argparse
import json

from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

SECONDS_MAX = 30


def produce(bootstrap: str, topic: str, count: int) -> None:
    """Appends plain events; what they say does not matter to who reads offsets."""
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
    for number in range(count):
        event = {"event_id": f"t{number}", "event_type": "SHIPPED", "order_id": "1", "event_ts": "2017-12-30T00:00:00Z"}
        producer.produce(topic, json.dumps(event).encode(), key=b"1", partition=0)
    if producer.flush(SECONDS_MAX):
        raise SystemExit(f"topic: not all records of {topic} were acknowledged")


def main() -> int:
    """Runs one command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bootstrap")
    parser.add_argument("command", choices=["create", "produce", "delete-before", "drop"])
    parser.add_argument("topic")
    parser.add_argument("number", type=int, nargs="?", default=0)
    options = parser.parse_args()
    admin = AdminClient({"bootstrap.servers": options.bootstrap})
    match options.command:
        case "create":
            admin.create_topics([NewTopic(options.topic, num_partitions=1, replication_factor=1)])[options.topic].result(SECONDS_MAX)
            produce(options.bootstrap, options.topic, options.number)
        case "produce":
            produce(options.bootstrap, options.topic, options.number)
        case "delete-before":
            for done in admin.delete_records([TopicPartition(options.topic, 0, options.number)]).values():
                done.result(SECONDS_MAX)
        case "drop":
            admin.delete_topics([options.topic])[options.topic].result(SECONDS_MAX)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
