"""Reads back what the sources published, as the programs will, and compares it with the files and the manifest.

    ci/sources/check            after `up`, and after each `advance`

Kafka by a consumer on both listeners, Snowflake by the ADBC driver that ingest-snowflake loads, HubSpot by its own client, FX by
HTTP. The behaviour table is checked by `check_behavior.py`.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable

import adbc_driver_manager.dbapi
import adbc_driver_snowflake
import duckdb
import pyarrow as pa
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

import check_behavior
import hubspot_check
import hubspot_files
import ledger
import places
import state
import tables
from checking import Endpoints, Failed, expect, manifest
from hubspot_account import Account
from web_server import OWN_QUESTION

ARROW_TYPES = {
    tables.ID: pa.decimal128(38, 0), tables.AMOUNT: pa.decimal128(18, 2), tables.INSTANT: pa.timestamp("us"),
    "VARCHAR": pa.string(), "DATE": pa.date32(), "BOOLEAN": pa.bool_(),
}  # fmt: skip
CONSUME_SECONDS_MAX = 60


def consume(config: dict, partitions: range) -> dict[tuple, tuple]:
    """Returns (partition, offset) -> (key, value, timestamp) of everything in some partitions."""
    consumer = Consumer(
        {**config, "group.id": "sources-check", "enable.auto.commit": False, "enable.partition.eof": True}
    )
    consumer.assign([TopicPartition(places.TOPIC, number, 0) for number in partitions])
    found: dict[tuple, tuple] = {}
    ended: set[int | None] = set()
    while len(ended) < len(partitions):
        message = consumer.poll(CONSUME_SECONDS_MAX)
        if message is None:
            raise Failed(f"Kafka sent nothing for {CONSUME_SECONDS_MAX} s")
        error = message.error()
        if error is None:
            found[message.partition(), message.offset()] = (message.key(), message.value(), message.timestamp()[1])
        elif error.code() == KafkaError._PARTITION_EOF:
            ended.add(message.partition())
        else:
            raise Failed(str(error))
    consumer.close()
    return found


def check_stream(endpoints: Endpoints, batches: list[str]) -> str:
    """Every record stands at its offset with its bytes and its time."""
    files = [str(places.DATA / batch / "events.parquet") for batch in batches]
    rows = duckdb.execute(f'SELECT partition, "offset", key, value, timestamp_ms FROM read_parquet({files})').fetchall()
    wanted = {(row[0], row[1]): row[2:] for row in rows}
    found = consume({"bootstrap.servers": endpoints["kafka"]["bootstrap"]}, range(places.PARTITIONS))
    wrong = [place for place in wanted if found.get(place) != wanted[place]]
    expect(wrong[:3], [], "records that differ")
    return f"{len(wanted)} records at their offsets"


def secure(endpoints: Endpoints, secret: str) -> dict:
    """Returns the configuration of a client of the SASL_SSL listener."""
    kafka = endpoints["kafka"]
    return {
        "bootstrap.servers": kafka["secure"], "security.protocol": "SASL_SSL", "sasl.mechanism": kafka["mechanism"],
        "sasl.username": kafka["user"], "sasl.password": state.secret(secret), "ssl.ca.location": kafka["ca"], "log_level": 0,
    }  # fmt: skip


def check_secure_stream(endpoints: Endpoints, batches: list[str]) -> str:
    """The right password reads, the wrong one does not and says why."""
    partition = 5
    marks = manifest()["publication"][batches[-1]]["high_watermarks"]
    found = consume(secure(endpoints, endpoints["kafka"]["user_secret"]), range(partition, partition + 1))
    if len(found) < marks[partition]:
        raise Failed(f"SASL_SSL read {len(found)} records of {marks[partition]}")
    causes: list[str] = []
    config = secure(endpoints, endpoints["kafka"]["wrong_secret"]) | {
        "error_cb": lambda error: causes.append(error.name())
    }
    client = AdminClient(config)
    try:
        client.list_topics(timeout=5)
    except KafkaException:
        client.poll(0.1)
    expect("_AUTHENTICATION" in causes, True, "a wrong SCRAM password is refused")
    return f"SASL_SSL with SCRAM-SHA-512 read {len(found)} records; a wrong password is refused"


def connect(endpoint: dict, password: str) -> adbc_driver_manager.dbapi.Connection:
    """Opens a session as ingest-snowflake does: exact decimals, microseconds."""
    prefix = "adbc.snowflake.sql."
    return adbc_driver_manager.dbapi.connect(
        driver=adbc_driver_snowflake._driver_path(),
        entrypoint="AdbcDriverSnowflakeInit",
        db_kwargs={
            "username": endpoint["user"], "password": password, f"{prefix}account": endpoint["account"],
            f"{prefix}db": endpoint["database"], f"{prefix}schema": endpoint["schema"], f"{prefix}uri.host": endpoint["host"],
            f"{prefix}uri.port": str(endpoint["port"]), f"{prefix}uri.protocol": endpoint["protocol"],
            f"{prefix}client_option.use_high_precision": "true", f"{prefix}client_option.disable_telemetry": "true",
            f"{prefix}client_option.max_timestamp_precision": "microseconds",
        },
        autocommit=True,
    )  # fmt: skip


def check_warehouse(endpoints: Endpoints, batches: list[str]) -> str:
    """Each table has Snowflake's types and exactly the rows of the published batches, newest per key."""
    checked = 0
    with connect(endpoints["snowflake"], state.secret("snowflake/password")) as session, session.cursor() as cursor:
        for table, columns in tables.TABLES.items():
            cursor.execute(f"SELECT * FROM {table}")
            found = cursor.fetch_arrow_table()
            kinds = {field.name: field.type for field in found.schema}
            expect(kinds, {name: ARROW_TYPES[kind] for name, kind in columns.items()}, f"columns of {table}")
            differing = duckdb.execute(f"""
                WITH wanted AS ({_published_rows(table, batches)}), got AS (SELECT {tables.projection(table)} FROM found)
                SELECT count(*) FROM (
                    (FROM wanted EXCEPT ALL FROM got) UNION ALL (FROM got EXCEPT ALL FROM wanted))
            """).fetchone()
            expect((differing or ())[0], 0, f"differing rows of {table}")
            checked += found.num_rows
    return f"{checked} rows of {len(tables.TABLES)} tables, typed as Snowflake types them"


def _published_rows(table: str, batches: list[str]) -> str:
    parts = " UNION ALL ".join(
        f"SELECT *, {place} AS batch FROM read_parquet('{places.warehouse_file(batch, table)}')"
        for place, batch in enumerate(batches)
    )
    keys = ", ".join(tables.KEYS[table])
    newest = f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY batch DESC) = 1"
    return f"SELECT * EXCLUDE (batch) FROM ({parts}) {newest}"


def check_window(endpoints: Endpoints, batches: list[str]) -> str:
    """The newest batch's window, read with its lookback, gives the rows that the manifest's ledger counts."""
    newest = batches[-1]
    start, end = places.WINDOWS[newest]
    counted = manifest()["ledger"][newest]
    counts = []
    with connect(endpoints["snowflake"], state.secret("snowflake/password")) as session, session.cursor() as cursor:
        for table in tables.TABLES:
            cursor.execute(
                f"SELECT count(*) AS N FROM {table} WHERE UPDATED_AT >= '{start - places.LOOKBACK}' AND UPDATED_AT < '{end}'"
            )
            counts.append(int(cursor.fetch_arrow_table().column(0)[0].as_py()))
            expect(
                counts[-1], counted[f"bronze_snowflake_{table.lower()}"]["read"], f"rows of {table} in window {newest}"
            )
    return f"window {newest} reads {sum(counts)} rows, as the ledger says"


def check_refusals(endpoints: Endpoints, _: list[str]) -> str:
    """A wrong password and the refusing server answer as Snowflake; the unavailable one answers 503."""
    for name, password in (("snowflake", "wrong"), ("snowflake_refusing", state.secret("snowflake/password"))):
        try:
            connect(endpoints[name], password).close()
        except adbc_driver_manager.Error as error:
            expect("390100" in str(error) and "Incorrect username or password" in str(error), True, f"{name}'s refusal")
        else:
            raise Failed(f"{name} let a wrong password in")
    try:
        get(f"{endpoints['fx_unavailable']['base_url']}eurofxref-hist.csv")
    except urllib.error.HTTPError as error:
        expect(error.code, 503, "the unavailable server's status")
    else:
        raise Failed("the unavailable server answered")
    return "wrong passwords are refused with 390100; the unavailable server answers 503"


def check_rates(endpoints: Endpoints, batches: list[str]) -> str:
    """The files of the newest batch, byte for byte, at both paths."""
    files = sorted((places.DATA / batches[-1] / "fx").iterdir())
    for file in files:
        for path in ("", "stats/eurofxref/"):
            expect(get(f"{endpoints['fx']['base_url']}{path}{file.name}"), file.read_bytes(), file.name)
    return f"{len(files)} files of {batches[-1]}"


def check_hubspot(endpoints: Endpoints, batches: list[str]) -> str:
    """Every object, live and archived, every association, and what the newest batch's window finds, by the official client."""
    place = Account(int(endpoints["hubspot"]["base_url"].rsplit(":", 1)[1]))
    return "; ".join((
        hubspot_check.check_lists(place, batches), hubspot_check.check_associations(place, batches),
        hubspot_check.check_search(place, batches, hubspot_check.WITHIN_BUDGET),
    ))  # fmt: skip


def get(url: str) -> bytes:
    """Fetches a URL without being counted."""
    with urllib.request.urlopen(urllib.request.Request(url, headers={OWN_QUESTION: "1"}), timeout=10) as answer:
        return answer.read()


def check_ledger(_: Endpoints, __: list[str]) -> str:
    """The ledger balances, and what Bronze accepts is what Silver's one-row-per-record tables read."""
    by_input = manifest()["ledger_by_input"]
    for batch, by_table in by_input.items():
        for table, inputs in by_table.items():
            for source, row in inputs.items():
                expect(row["read"], sum(row.values()) - row["read"], f"{batch}/{table}")
                exploded = table in ("silver_order_items", "silver_order_movements") and source == "bronze_kafka_orders"
                if table.startswith("silver_") and not exploded:
                    expect(
                        row["read"],
                        by_table[source][source_name(source)]["accepted"],
                        f"{batch}/{table} reads {source}",
                    )
    return "the ledger balances and chains"


def source_name(table: str) -> str:
    """Returns what a Bronze table reads, as the ledger names it."""
    names = {
        "bronze_kafka_orders": places.TOPIC, "bronze_fx_rates": "bronze_fx_rates", "bronze_redshift_events": ledger.EVENTS,
    }  # fmt: skip
    names |= {bronze: kind for kind, (bronze, _) in hubspot_files.TABLES.items()}
    return names.get(table, table.removeprefix("bronze_snowflake_").upper())


CHECKS: list[Callable[[Endpoints, list[str]], str]] = [
    check_ledger, check_stream, check_secure_stream, check_warehouse, check_window, check_refusals, check_rates,
    check_behavior.check_events, check_behavior.check_events_window, check_behavior.check_login, check_behavior.check_tls,
    check_hubspot,
]  # fmt: skip


def main() -> None:
    """Runs every check and says what held."""
    batches = state.published()
    if not batches or not places.ENDPOINTS.is_file():
        raise SystemExit("sources: nothing is published: start with ci/sources/up")
    if any(path.exists() for path in (state.EXTRA_ROWS, state.EXTRA_EVENTS, state.EXTRA_CRM)):
        raise SystemExit("sources: extra rows were published, so the files are no longer the whole truth")
    endpoints = json.loads(places.ENDPOINTS.read_text())
    failed = 0
    for check in CHECKS:
        try:
            print(f"ok    {check.__name__}: {check(endpoints, batches)}", flush=True)
        except Failed as error:
            failed += 1
            print(f"FAIL  {check.__name__}: {error}", flush=True)
    print(f"sources at {batches[-1]}: {len(CHECKS) - failed} passed, {failed} failed")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
