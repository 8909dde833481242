"""Publishes a batch to the sources: the stream, the warehouse, the behaviour table, HubSpot, the rates.

Every step can be cut off and done again. The stream compares its high watermarks with the offsets in the files and
sends only what is missing; the warehouse and HubSpot replace rows by key; the behaviour table notes its batches in the
transaction that inserts them; the rates follow the marker, which is written last.
"""

from __future__ import annotations

import json
import urllib.request
import zlib
from collections.abc import Callable
from datetime import datetime, timedelta

import duckdb
import pyarrow.parquet as pq
from confluent_kafka import KafkaError, Message, Producer

import behavior
import broker
import hubspot_extra
import places
import redshift_cluster
import state
import tables

SEND_SECONDS_MAX = 120


def publish(batch: str) -> bool:
    """Publishes a batch unless it is; returns whether there was something to do."""
    if batch in state.published():
        return False
    missing = [earlier for earlier in places.batches_up_to(batch)[:-1] if earlier not in state.published()]
    if missing:
        raise SystemExit(f"sources: {batch} comes after {', '.join(missing)}: advance to it first")
    send_events(batch)
    post("/sources/batch", {"batch": batch})
    redshift_cluster.load(batch)
    control_hubspot({"batch": batch})
    state.mark_published(batch)
    return True


def send_events(batch: str) -> None:
    """Sends what the topic lacks of a batch and checks that every record got its offset."""
    rows = pq.read_table(places.DATA / batch / "events.parquet").to_pylist()
    marks = broker.high_watermarks()
    waiting = [row for row in rows if row["offset"] >= marks[row["partition"]]]
    for partition, mark in enumerate(marks):
        offsets = [row["offset"] for row in rows if row["partition"] == partition]
        if offsets and not offsets[0] <= mark <= offsets[-1] + 1:
            raise SystemExit(
                f"sources: partition {partition} stands at {mark}, but {batch} holds {offsets[0]} to {offsets[-1]}:"
                " the topic does not belong to these files; run ci/sources/up --fresh"
            )
    send(waiting)


def send(rows: list[dict]) -> None:
    """Sends records in order. Each must get the offset that it names, where it names one."""
    # Idempotent: a retried request neither doubles nor reorders. No transaction: its markers would take offsets.
    producer = Producer(
        {"bootstrap.servers": broker.bootstrap(), "enable.idempotence": True, "linger.ms": 5, "log_level": 3}
    )
    wrong: list[str] = []

    def check(row: dict) -> Callable[[KafkaError | None, Message], None]:
        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None or row.get("offset") not in (None, message.offset()):
                wrong.append(f"{row['partition']}/{row.get('offset')}: {error or message.offset()}")

        return delivered

    for row in rows:
        producer.produce(
            places.TOPIC,
            key=row["key"],
            value=row["value"],
            partition=row["partition"],
            timestamp=row["timestamp_ms"],
            on_delivery=check(row),
        )
        producer.poll(0)
    left = producer.flush(SEND_SECONDS_MAX)
    if left or wrong:
        raise SystemExit(f"sources: {left} records not sent, {len(wrong)} went wrong: {wrong[:3]}")


def post(path: str, document: object) -> None:
    """Tells the warehouse's server to do something, and waits until it is done."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{state.ports()['snowflake']}{path}",
        data=json.dumps(document).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        answer.read()


def control_hubspot(wanted: dict | None = None, port: int | None = None) -> dict:
    """Tells HubSpot's server to do something, or nothing; returns what it counts."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port or state.ports()['hubspot']}/_control",
        data=None if wanted is None else json.dumps(wanted).encode(),
        headers={"X-Sources-Control": state.secret("hubspot/control"), "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def hubspot_answers() -> dict | None:
    """Returns what HubSpot's server counts, or None while it does not answer."""
    try:
        return control_hubspot()
    except OSError:
        return None


def publish_extra(extra: dict) -> tuple[int, int, int]:
    """Adds records and rows after everything else; returns how many events, rows, and objects and associations of HubSpot.

    `{"events": [{"key", "value"}], "warehouse": {"PRODUCTS": [{column: value}]}, "behavior": [{column: value}]}`: a value of
    an event is text, or JSON to be written as text; a row of the warehouse names its key and what changes, the rest stays,
    and UPDATED_AT must be given; a row of the behaviour table is inserted as it is, and needs loaded_at.
    For `"hubspot": {"contacts": [...], "companies": [...], "associations": [...]}` see `hubspot_extra`.
    """
    if set(places.BATCHES) - set(state.published()):
        raise SystemExit("sources: extra records come after all batches, or theirs would lose their offsets")
    events = [extra_record(event) for event in extra.get("events", [])]
    send(events)
    known = dict(state.read_json(state.EXTRA_ROWS, {}))  # type: ignore[call-overload]
    count = 0
    for table, rows in extra.get("warehouse", {}).items():
        whole = [current_row(table, row, known.get(table, [])) | row for row in rows]
        for row in whole:
            unknown = row.keys() - tables.TABLES[table].keys()
            if unknown or row.get("UPDATED_AT") is None:
                raise SystemExit(f"sources: a row of {table} needs UPDATED_AT, and knows no {sorted(unknown)}")
        # Kept first, so that a restarted server has them too.
        known[table] = [*known.get(table, []), *whole]
        state.write_json(state.EXTRA_ROWS, known)
        post("/sources/rows", {"table": table, "rows": whole})
        count += len(whole)
    count += insert_events(extra.get("behavior", []))
    return len(events), count, publish_extra_crm(extra.get("hubspot", {}))


def insert_events(rows: list[dict]) -> int:
    """Inserts extra rows of the behaviour table; returns how many."""
    for row in rows:
        unknown = row.keys() - behavior.COLUMNS.keys()
        if unknown or row.get("loaded_at") is None:
            raise SystemExit(f"sources: a behaviour row needs loaded_at, and knows no {sorted(unknown)}")
    if rows:
        state.EXTRA_EVENTS.touch()
        redshift_cluster.insert(rows)
    return len(rows)


def publish_extra_crm(extra: dict) -> int:
    """Adds objects and associations of HubSpot; returns how many."""
    if not extra:
        return 0
    known = dict(state.read_json(state.EXTRA_CRM, {}))  # type: ignore[call-overload]
    whole = hubspot_extra.whole_rows(extra, known)
    # Kept first, so that a restarted server has them too.
    together = {kind: [*known.get(kind, []), *whole.get(kind, [])] for kind in known.keys() | whole.keys()}
    state.write_json(state.EXTRA_CRM, together)
    control_hubspot({"rows": whole})
    return sum(map(len, whole.values()))


def extra_record(event: dict) -> dict:
    """Returns the record of an extra event; its time is after the last batch's."""
    value = event["value"] if isinstance(event["value"], str) else json.dumps(event["value"], separators=(",", ":"))
    key = str(event["key"]).encode()
    last_end = places.WINDOWS[places.DAYS[-1]][1]
    return {
        "key": key,
        "value": value.encode(),
        "partition": zlib.crc32(key) % places.PARTITIONS,
        "timestamp_ms": event.get("timestamp_ms", (last_end - datetime(1970, 1, 1)) // timedelta(milliseconds=1)),
    }


def current_row(table: str, row: dict, extras: list[dict]) -> dict:
    """Returns the row that the warehouse holds under the same key, in text; nothing for a new one."""
    keys = tables.KEYS[table]
    for extra in reversed(extras):
        if all(str(extra[key]) == str(row[key]) for key in keys):
            return extra
    files = [str(places.warehouse_file(batch, table)) for batch in places.BATCHES]
    condition = " AND ".join(f"{key} = ?" for key in keys)
    found = duckdb.connect().execute(
        f"SELECT * EXCLUDE (filename) FROM read_parquet({files}, filename = true) WHERE {condition}"
        f" ORDER BY list_position({files}, filename) DESC LIMIT 1",
        [row[key] for key in keys],
    )
    names = [column[0] for column in found.description]
    values = found.fetchone()
    if values is None:
        return {}
    return {name: None if value is None else str(value) for name, value in zip(names, values, strict=True)}
