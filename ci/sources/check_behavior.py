"""Reads the behaviour table back as ingest-redshift will, and tries what must be refused."""

from __future__ import annotations

import adbc_driver_manager
import duckdb

import behavior
import places
import redshift_cluster as cluster
from checking import Endpoints, Failed, expect, manifest

TABLE = f"{behavior.SCHEMA}.{behavior.TABLE}"
# What PostgreSQL calls the types.
CATALOG_TYPES = {"TIMESTAMP": "timestamp without time zone", "SUPER": "json"}
# What the login must not do, each with another right that it lacks.
FORBIDDEN = (
    f"INSERT INTO {TABLE} (event_id) VALUES ('x')",
    f"UPDATE {TABLE} SET geo = 'x'",
    f"DELETE FROM {TABLE}",
    f"TRUNCATE {TABLE}",
    f"CREATE TABLE {behavior.SCHEMA}.other (id int)",
    "CREATE TABLE public.other (id int)",
    "CREATE TEMPORARY TABLE other (id int)",
    "CREATE SCHEMA other",
    "SELECT * FROM sources.batches",
)
INSUFFICIENT_PRIVILEGE = "42501"


def check_events(_: Endpoints, batches: list[str]) -> str:
    """The table has the source's types and exactly the rows of the published batches, each as often as it was inserted."""
    columns = ", ".join(
        f"json_serialize({name}) AS {name}" if kind == "SUPER" else name for name, kind in behavior.COLUMNS.items()
    )
    with cluster.connect(cluster.LOGIN, cluster.LOGIN_SECRET) as session, session.cursor() as cursor:
        cursor.execute(
            "SELECT column_name::text, data_type::text || coalesce('(' || character_maximum_length || ')', '')"
            " FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position",
            (behavior.SCHEMA, behavior.TABLE),
        )
        wanted = {
            name: CATALOG_TYPES.get(kind, kind.lower().replace("varchar", "character varying"))
            for name, kind in behavior.COLUMNS.items()
        }
        expect(dict(cursor.fetchall()), wanted, f"columns of {TABLE}")
        cursor.execute(f"SELECT {columns} FROM {TABLE}")
        found = cursor.fetch_arrow_table()
    files = [str(behavior.events_file(batch)) for batch in batches]
    differing = duckdb.execute(f"""
        WITH wanted AS (FROM read_parquet({files})) SELECT count(*) FROM (
            (FROM wanted EXCEPT ALL FROM found) UNION ALL (FROM found EXCEPT ALL FROM wanted))
    """).fetchone()
    expect((differing or ())[0], 0, f"differing rows of {TABLE}")
    return f"{found.num_rows} rows of {TABLE}, typed as Redshift types them"


def check_events_window(_: Endpoints, batches: list[str]) -> str:
    """The newest batch's window, read with its lookback, gives the rows that the manifest's ledger counts."""
    start, end = places.WINDOWS[batches[-1]]
    with cluster.connect(cluster.LOGIN, cluster.LOGIN_SECRET) as session, session.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM {TABLE} WHERE loaded_at >= '{start - places.LOOKBACK}' AND loaded_at < '{end}'"
        )
        count = (cursor.fetchone() or (0,))[0]
    expect(count, manifest()["ledger"][batches[-1]]["bronze_redshift_events"]["read"], f"events of window {batches[-1]}")
    return f"window {batches[-1]} reads {count} events, as the ledger says"


def check_login(_: Endpoints, __: list[str]) -> str:
    """The login may read the table and nothing else; a wrong password is refused; passwords are kept for SCRAM-SHA-256 only."""
    for statement in FORBIDDEN:
        with cluster.connect(cluster.LOGIN, cluster.LOGIN_SECRET) as session, session.cursor() as cursor:
            try:
                cursor.execute(statement)
            except adbc_driver_manager.Error as error:
                expect(error.sqlstate, INSUFFICIENT_PRIVILEGE, statement)
            else:
                raise Failed(f"the login may {statement}")
    refused("password authentication failed", secret=cluster.WRONG_SECRET)
    kept = cluster.run_sql("SELECT DISTINCT left(rolpassword, 14) FROM pg_authid WHERE rolcanlogin")
    expect(kept.split(), ["SCRAM-SHA-256$"], "how passwords are kept")
    return f"{len(FORBIDDEN)} statements and a wrong password are refused"


def check_tls(endpoints: Endpoints, _: list[str]) -> str:
    """A session is encrypted; one that is not is refused; a client that trusts another authority, or wants another name, refuses."""
    with cluster.connect(cluster.LOGIN, cluster.LOGIN_SECRET) as session, session.cursor() as cursor:
        cursor.execute("SELECT version FROM pg_stat_ssl WHERE ssl AND pid = pg_backend_pid()")
        version = (cursor.fetchone() or ("none",))[0]
    refused("no encryption", sslmode="disable")
    refused("certificate verify failed", sslrootcert=endpoints["redshift"]["wrong_ca"])
    # The certificate names localhost only.
    refused("does not match host name", host="sluice.invalid", hostaddr="127.0.0.1")
    return f"{version}; no session without it, nor by another authority's or for another name's certificate"


def refused(cause: str, secret: str = cluster.LOGIN_SECRET, **options: str) -> None:
    """Fails unless no session can be opened, for `cause`."""
    try:
        cluster.connect(cluster.LOGIN, secret, **options).close()
    except adbc_driver_manager.Error as error:
        expect(cause in str(error), True, f"{cause!r} in the refusal {str(error)!r}")
    else:
        raise Failed(f"a session was opened that must be refused: {cause}")
