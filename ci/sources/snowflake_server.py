"""The warehouse: fakesnow's HTTP server over the files of the published batches.

    snowflake_server.py PORT SOURCES_FOLDER

fakesnow answers the protocol that drivers speak; this program adds what it lacks for us: tables filled by DuckDB
straight from Parquet (1.45 million rows in two seconds), a password check with the real service's refusal, a count and
a log of the queries, and answers of more than one Arrow batch. What the server holds is a function of the files and of
the published batches, so a restart loses nothing.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import threading
from collections.abc import Awaitable, Callable

import fakesnow.server as fakesnow_server
import pyarrow as pa
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import places
import state
import tables
from refusal import REFUSAL

USER = "SLUICE"

counts = {"snowflake_logins": 0, "snowflake_queries": 0}
_lock = threading.Lock()
_duck = fakesnow_server.shared_fs.duck_conn
_login, _query = fakesnow_server.login_request, fakesnow_server.query_request


def create_tables() -> None:
    """Makes the tables through fakesnow, in Snowflake's own types, so that it describes them as Snowflake would."""
    session = fakesnow_server.shared_fs.connect(places.WAREHOUSE_DATABASE, places.WAREHOUSE_SCHEMA)
    for table, columns in tables.TABLES.items():
        kinds = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        session.cursor().execute(f"CREATE TABLE {table} ({kinds})")


def apply_batch(batch: str) -> None:
    """Inserts a batch's rows and replaces those that it updates, all or nothing; twice is the same as once."""
    with _lock:
        connection = _duck.cursor()
        connection.execute("BEGIN")
        for table in tables.TABLES:
            _replace(connection, table, f"read_parquet('{places.warehouse_file(batch, table)}')")
        connection.execute("COMMIT")


def apply_rows(table: str, rows: list[dict]) -> None:
    """Inserts or replaces single rows (publish-extra)."""
    with _lock:
        connection = _duck.cursor()
        text = pa.Table.from_pylist([{name: _text(row.get(name)) for name in tables.TABLES[table]} for row in rows])
        connection.register("extra", text)
        _replace(connection, table, f"(SELECT {tables.projection(table)} FROM extra)")


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _replace(connection: object, table: str, rows: str) -> None:
    target = f"{places.WAREHOUSE_DATABASE}.{places.WAREHOUSE_SCHEMA}.{table}"
    keys = ", ".join(tables.KEYS[table])
    connection.execute(f"DELETE FROM {target} WHERE ({keys}) IN (SELECT ({keys}) FROM {rows})")  # type: ignore[attr-defined]
    connection.execute(f"INSERT INTO {target} BY NAME SELECT * FROM {rows}")  # type: ignore[attr-defined]


def to_ipc(table: pa.Table) -> pa.Buffer:
    """Replaces fakesnow's own, which refuses results of more than a million rows (DuckDB's batch size)."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


async def _body(request: Request) -> dict:
    body = await request.body()
    return json.loads(gzip.decompress(body) if request.headers.get("Content-Encoding") == "gzip" else body)


async def login_request(request: Request) -> JSONResponse:
    """Checks user and password, which fakesnow does not."""
    counts["snowflake_logins"] += 1
    given = (await _body(request))["data"]
    known = (USER, state.secret("snowflake/password"))
    if (str(given.get("LOGIN_NAME", "")).upper(), given.get("PASSWORD")) != known:
        print("login refused", flush=True)
        return JSONResponse(REFUSAL)
    return await _login(request)


async def query_request(request: Request) -> JSONResponse:
    """Counts and logs a query."""
    counts["snowflake_queries"] += 1
    statement = " ".join(str((await _body(request)).get("sqlText", "")).split())
    print(f"query {counts['snowflake_queries']}: {statement}", flush=True)
    return await _query(request)


async def _answer(work: Callable[[], None]) -> JSONResponse:
    await asyncio.to_thread(work)
    return JSONResponse({"success": True})


async def batch_request(request: Request) -> JSONResponse:
    """Publishes a batch: POST {"batch": ...}."""
    batch = (await _body(request))["batch"]
    return await _answer(lambda: apply_batch(batch))


async def rows_request(request: Request) -> JSONResponse:
    """Publishes single rows: POST {"table": ..., "rows": [...]}."""
    body = await _body(request)
    return await _answer(lambda: apply_rows(body["table"], body["rows"]))


async def stats_request(_: Request) -> JSONResponse:
    """Tells what was asked, and how many rows each table has."""
    connection = _duck.cursor()
    schema = f"{places.WAREHOUSE_DATABASE}.{places.WAREHOUSE_SCHEMA}"
    rows = {}
    for table in tables.TABLES:
        counted = connection.execute(f"SELECT count(*) FROM {schema}.{table}").fetchone()
        rows[table] = counted[0] if counted else 0
    return JSONResponse(counts | {"rows": rows})


def _route(path: str, endpoint: Callable[[Request], Awaitable[JSONResponse]], method: str = "POST") -> None:
    """Puts a route before fakesnow's own."""
    fakesnow_server.app.router.routes.insert(0, Route(path, endpoint, methods=[method]))


def main() -> None:
    """Loads what is published, then answers."""
    create_tables()
    for batch in state.published():
        apply_batch(batch)
    for table, rows in dict(state.read_json(state.EXTRA_ROWS, {})).items():  # type: ignore[call-overload]
        apply_rows(table, rows)
    fakesnow_server.to_ipc = to_ipc
    _route("/session/v1/login-request", login_request)
    _route("/queries/v1/query-request", query_request)
    _route("/sources/batch", batch_request)
    _route("/sources/rows", rows_request)
    _route("/sources/stats", stats_request, "GET")
    # Drivers keep connections open between queries; the default of five seconds would cut them.
    uvicorn.run(
        fakesnow_server.app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", timeout_keep_alive=300
    )


if __name__ == "__main__":
    main()
