"""Topics of the benchmark's own on the local broker: made, filled, dropped."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress

import broker
import places as sources
from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import NewTopic, OffsetSpec

from bench import report
from bench.orders import Record

PREFIX = "bench."
SECONDS_MAX = 120
RECORDS_BETWEEN_POLLS = 1000
RECORDS_BETWEEN_LINES = 500_000


def drop(prefix: str, kept: str = "") -> None:
    """Drops the topics whose names begin with a prefix, but for one: what an earlier benchmark left."""
    # Held by a name: a client that nobody holds ends before it has its answer. So below.
    client = broker.admin()
    old = [name for name in client.list_topics(timeout=SECONDS_MAX).topics if name.startswith(PREFIX + prefix) and name != kept]
    for done in client.delete_topics(old).values() if old else ():
        done.result(SECONDS_MAX)


def make(topic: str) -> None:
    """Makes a topic like that of the sources, and waits until each of its partitions has a leader."""
    client = broker.admin()
    client.create_topics([NewTopic(topic, sources.PARTITIONS, 1, config=broker.TOPIC_CONFIG)])[topic].result(SECONDS_MAX)
    give_up_at = time.monotonic() + SECONDS_MAX
    while True:
        with suppress(KafkaException):
            count(topic)
            return
        if time.monotonic() > give_up_at:
            raise SystemExit(f"bench: the broker does not lead {topic}")
        time.sleep(0.1)


def count(topic: str) -> int:
    """Returns how many records a topic holds: nothing is ever deleted in it."""
    client = broker.admin()
    asked = {TopicPartition(topic, number): OffsetSpec.latest() for number in range(sources.PARTITIONS)}
    return sum(done.result(SECONDS_MAX).offset for done in client.list_offsets(asked, request_timeout=10).values())


def exists(topic: str) -> bool:
    """Whether the broker has a topic."""
    client = broker.admin()
    return topic in client.list_topics(timeout=SECONDS_MAX).topics


def fill(topic: str, records: Iterable[Record], expected: int) -> None:
    """Appends records and checks that the topic then holds as many as expected."""
    # Idempotent: no record twice. Large batches, as a producer that has much to send makes them.
    producer = Producer(
        {"bootstrap.servers": broker.bootstrap(), "enable.idempotence": True, "linger.ms": 50, "batch.size": 1_000_000,
         "queue.buffering.max.messages": 1_000_000, "queue.buffering.max.kbytes": 262_144, "log_level": 3}
    )  # fmt: skip
    for number, record in enumerate(records, 1):
        send(producer, topic, record)
        if number % RECORDS_BETWEEN_POLLS == 0:
            producer.poll(0)
        if number % RECORDS_BETWEEN_LINES == 0:
            report.say(f"{topic}: {number:,} records published")
    left = producer.flush(SECONDS_MAX)
    found = count(topic)
    if left or found != expected:
        raise SystemExit(f"bench: {topic} holds {found} records, expected {expected}; {left} were not sent")


def send(producer: Producer, topic: str, record: Record) -> None:
    """Hands a record over, waiting while the queue is full."""
    while True:
        try:
            producer.produce(topic, key=record.key, value=record.value, partition=record.partition, timestamp=record.timestamp_ms)
            return
        except BufferError:
            producer.poll(0.1)
