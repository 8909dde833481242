"""Proves the way by the Data API and UNLOAD on a stand-in: `python -m proofs.unload` (ci/unload starts the bucket).

One window of a table with every type lands exactly; then each failure is injected once: the run ends with the code that it
must end with and lands nothing, the next attempt deletes what was staged, lands every row once, and leaves an empty stage.
With `--killed` the test build is killed at every fault point of the program instead, and run again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

import boto3
import duckdb
from deltalake import DeltaTable

from proofs import places, redshift_data

FOLDER = places.PROOFS / "unload"
BUCKET, STAGE = "lake", "stage"
TABLE, WINDOW = "bronze_redshift_kinds", "2017-12-30"
# Of the rows from an hour before the lookback to an hour after the window, these are within.
WITHIN = "loaded_at >= TIMESTAMP '2017-12-29 22:00:00' AND loaded_at < TIMESTAMP '2017-12-31'"
# name, type in Redshift, type in DuckDB, type in the contract, value of row i
COLUMNS = (
    ("id", "bigint", "BIGINT", "BIGINT", "i"),
    ("loaded_at", "timestamp without time zone", "TIMESTAMP", "TIMESTAMP",
     "TIMESTAMP '2017-12-29 21:00:00' + to_microseconds(i * 1400000 + 1)"),
    ("seen_at", "timestamp with time zone", "TIMESTAMPTZ", "TIMESTAMP",
     "CASE WHEN i % 5 > 0 THEN TIMESTAMPTZ '2017-12-30 01:02:03.000004+02' + to_microseconds(i) END"),
    ("day", "date", "DATE", "DATE", "DATE '1900-01-01' + CAST(i AS INTEGER)"),
    ("ok", "boolean", "BOOLEAN", "BOOLEAN", "CASE WHEN i % 3 > 0 THEN i % 2 = 0 END"),
    ("paid", "numeric", "DECIMAL(20,4)", "DECIMAL(20,4)", "CAST(i * 1000000007 AS DECIMAL(20,4)) / 16"),
    ("small", "smallint", "SMALLINT", "INT", "i % 30000"),
    ("number", "integer", "INTEGER", "BIGINT", "CAST(i AS INTEGER) - 7"),
    ("units", "integer", "INTEGER", "DECIMAL(10,0)", "CAST(i AS INTEGER) * 7"),
    ("ratio", "double precision", "DOUBLE", "DOUBLE", "0.1 * i"),
    ("bytes", "binary varying", "BLOB", "BINARY", "encode(chr(65 + CAST(i % 26 AS INTEGER)) || 'é')"),
    ("name", "character varying", "VARCHAR", "STRING", "CASE WHEN i % 7 > 0 THEN 'o''neil \\ ' || i END"),
    # SQL's null and JSON's are two things.
    ("metadata", "super", "VARCHAR", "STRING",
     """CASE WHEN i % 11 = 0 THEN NULL WHEN i % 13 = 0 THEN 'null' ELSE '{"i": ' || i || ', "x": "é"}' END"""),
)  # fmt: skip
ROWS = 70_000
META = (
    ("_source", "string", "STRING"), ("_object", "string", "STRING"), ("_ingest_date", "date", "DATE"),
    ("_window_from", "timestamp", "TIMESTAMP"), ("_ingested_at", "timestamp", "TIMESTAMP"), ("_run_id", "string", "STRING"),
    ("_key", "string", "STRING"), ("_position", "string", "STRING"), ("_contract", "string", "STRING"),
    ("_violations", "string", "STRING"),
)  # fmt: skip
LOGICAL = {"BIGINT": "integer", "INT": "integer", "DOUBLE": "number", "BOOLEAN": "boolean", "DATE": "date", "TIMESTAMP": "timestamp"}
# failure -> exit code, a part of the message
FAILURES = {
    "statement": (75, "unload the rows: statement"),
    "value-long": (65, "a value is longer as text than Redshift's VARCHAR holds"),
    "denied": (2, "unload the rows: statement"),
    "unauthorized": (2, "AccessDeniedException"),
    "manifest-half": (75, "read the manifest: it is not whole"),
    "no-manifest": (75, "find the manifest"),
    "file-missing": (75, "which the manifest names"),
    "file-twice": (75, "twice"),
    "file-short": (75, "the manifest says"),
    "file-unnamed": (75, "the manifest does not name it"),
    "rows-fewer": (75, "check the staged file"),
    "count": (75, "check the manifest"),
    "stuck": (75, "not done after 2 s, so it was cancelled"),
    "describe-denied": (2, "AccessDeniedException"),
}
# Ends while the statement still runs.
CANCELLED = ("stuck", "describe-denied")
# What the client itself gets over.
HARMLESS = ("throttled", "answer-lost")


def database() -> duckdb.DuckDBPyConnection:
    """Makes the table, its catalogue, and the functions of Redshift that DuckDB lacks."""
    made = duckdb.connect()
    made.execute("SET TimeZone = 'UTC'")
    made.execute("CREATE SCHEMA behavior")
    values = ", ".join(f"CAST({value} AS {kind}) AS {name}" for name, _, kind, _, value in COLUMNS)
    made.execute(f"CREATE TABLE behavior.kinds AS SELECT {values} FROM range({ROWS}) AS numbers(i)")
    made.execute(
        "CREATE TABLE svv_columns(table_schema VARCHAR, table_name VARCHAR, ordinal_position INTEGER, column_name VARCHAR,"
        " data_type VARCHAR, numeric_precision INTEGER, numeric_scale INTEGER)"
    )
    for place, (name, kind, *_) in enumerate(COLUMNS, start=1):
        digits = (20, 4) if kind == "numeric" else (None, None)
        made.execute("INSERT INTO svv_columns VALUES ('behavior', 'kinds', ?, ?, ?, ?, ?)", (place, name, kind, *digits))
    # As documented: never null, the text `null` for NULL.
    made.execute("CREATE MACRO json_serialize(value) AS coalesce(value, 'null')")
    made.execute("CREATE MACRO to_hex(value) AS lower(hex(value))")
    made.execute("CREATE MACRO to_char(value, notation) AS strftime(value, '%Y-%m-%d %H:%M:%S.%f')")
    return made


def contract(folder: Path) -> Path:
    """Writes the table's contract and the policy; returns their folder."""
    lines = [
        "apiVersion: v3.1.0", "kind: DataContract", f"id: {TABLE}", "name: Kinds", "version: 1.0.0", "status: active",
        "description: {purpose: For a proof}", "schema:", "  - name: redshift_kinds", f"    physicalName: {TABLE}",
        "    dataGranularityDescription: One row per row of the source.", "    properties:",
    ]  # fmt: skip
    for name, _, _, kind, _ in COLUMNS:
        key = ", primaryKey: true" if name == "id" else ""
        logical = "number" if kind.startswith("DECIMAL") else LOGICAL.get(kind, "string")
        lines.append(f"      - {{name: {name}, logicalType: {logical}, physicalType: '{kind}', description: x{key}}}")
    lines += [f"      - {{name: {name}, logicalType: {logical}, physicalType: {kind}, description: x}}" for name, logical, kind in META]
    source = "{schema: behavior, table: kinds, key: [id], cursor: loaded_at, lookback: 2h}"
    lines += ["customProperties:", "  - property: bronze", "    value:", f"      source: {{redshift: {source}}}"]
    (folder / "bronze").mkdir(parents=True, exist_ok=True)
    (folder / "bronze" / "redshift_kinds.odcs.yaml").write_text("\n".join(lines) + "\n")
    (folder / "policy.yaml").write_text((places.CONTRACTS / "policy.yaml").read_text())
    return folder


@dataclass
class Bench:
    """The stand-in, the bucket, and the program."""

    service: redshift_data.Service
    address: str
    program: Path
    contracts: Path
    expected: set[tuple]

    def run(self, lake: Path, run_id: str, attempt: int, fault: str = "") -> tuple[int, str]:
        """Lands the window, killed at a fault point where one is named; returns exit code and what was said."""
        command = [
            self.program, TABLE, "--window", WINDOW, "--lake", lake, "--contracts", self.contracts, "--access", "data-api",
            "--workgroup", "acme", "--database", "analytics", "--stage", f"s3://{BUCKET}/{STAGE}", "--unload-role", "default",
            "--statement-seconds", "2", "--run-id", run_id, "--attempt", str(attempt),
        ]  # fmt: skip
        env = os.environ | {"AWS_ENDPOINT_URL_REDSHIFT_DATA": self.address} | ({"SLUICE_FAULT": fault} if fault else {})
        done = subprocess.run([str(word) for word in command], env=env, text=True, capture_output=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def staged(self) -> int:
        """Returns how many objects are in the stage."""
        return self.service.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{STAGE}/").get("KeyCount", 0)

    def problems(self, lake: Path) -> list[str]:
        """Returns how the landed rows differ from the source's."""
        names = [name for name, *_ in COLUMNS]
        found = DeltaTable(lake / "bronze" / "redshift_kinds").to_pyarrow_table(columns=names)
        found = duckdb.sql(f"SELECT {shown()} FROM found").fetchall()
        wrong = [] if len(found) == len(set(found)) else ["rows landed twice"]
        if set(found) != self.expected:
            differing = sorted(set(found) ^ self.expected, key=repr)
            wrong.append(f"{len(differing)} rows differ, such as {differing[:2]}")
        return wrong + ([f"{self.staged()} objects are left in the stage"] if self.staged() else [])


def shown() -> str:
    """Returns SQL that makes every value comparable: instants in microseconds, the rest as it is."""
    instants = {name for name, _, _, kind, _ in COLUMNS if kind == "TIMESTAMP"}
    return ", ".join(f"epoch_us({name})" if name in instants else name for name, *_ in COLUMNS)


def case(bench: Bench, failure: str) -> list[str]:
    """Injects a failure into a run and then runs it again; returns what is wrong."""
    lake, run_id = FOLDER / f"lake-{failure or 'undisturbed'}", str(uuid.uuid4())
    bench.service.armed = failure
    bench.service.calls.clear()
    code, said = bench.run(lake, run_id, 1)
    if bench.service.armed:
        return [f"the failure was not met:\n{said}"]
    if failure not in FAILURES:
        batches = sum(1 for statement in bench.service.statements.values() if len(statement.sqls) > 1)
        bench.service.statements.clear()
        once = [] if batches == 1 else [f"{batches} batches ran"]
        return once + (bench.problems(lake) if code == 0 else [f"ended with {code}:\n{said}"])
    expected, message = FAILURES[failure]
    wrong = [] if code == expected and message in said else [f"ended with {code}, not {expected} and `{message}`:\n{said}"]
    if DeltaTable(lake / "bronze" / "redshift_kinds").to_pyarrow_table().num_rows:
        wrong.append("rows landed")
    if bench.staged():
        wrong.append(f"{bench.staged()} objects are left in the stage")
    if (failure in CANCELLED) != bool(bench.service.calls["CancelStatement"]):
        wrong.append("a statement was cancelled, or not")
    # Tried again by hand, the attempt has the number that it had.
    code, said = bench.run(lake, run_id, 1 if failure == "statement" else 2)
    bench.service.statements.clear()
    return wrong + (bench.problems(lake) if code == 0 else [f"the second attempt ended with {code}:\n{said}"])


def killed(bench: Bench, point: str) -> list[str]:
    """Kills a run at a fault point and runs it again, twice; returns what is wrong."""
    lake, run_id = FOLDER / f"lake-{point}", str(uuid.uuid4())
    code, said = bench.run(lake, run_id, 1, point)
    if code >= 0:
        return [f"was not reached: ended with {code}:\n{said}"]
    wrong = []
    for attempt in (2, 3):
        code, said = bench.run(lake, run_id, attempt)
        wrong += bench.problems(lake) if code == 0 else [f"attempt {attempt} ended with {code}:\n{said}"]
    bench.service.statements.clear()
    return wrong


def points() -> list[str]:
    """Returns the fault points of the program that registered themselves."""
    command = [places.HOME / "bin-faults" / "all-clis", "fault-points"]
    found = subprocess.run(command, text=True, capture_output=True, check=True).stdout.split()
    return [point for point in found if point.startswith("redshift.")]


def main() -> int:
    """Runs all cases; 1 when one fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--killed", action="store_true", help="kill the test build at every fault point of ingest-redshift")
    options = parser.parse_args()
    subprocess.run(["rm", "-rf", FOLDER], check=True)
    made = database()
    s3 = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    service = redshift_data.Service(made, s3)
    server, address = redshift_data.serve(service)
    expected = set(made.execute(f"SELECT {shown()} FROM behavior.kinds WHERE {WITHIN}").fetchall())
    program = places.HOME / ("bin-faults" if options.killed else "bin") / "ingest-redshift"
    bench = Bench(service, address, program, contract(FOLDER / "contracts"), expected)
    names, prove = (points(), killed) if options.killed else (["", *HARMLESS, *FAILURES], case)
    failed = 0
    for name in names:
        wrong = prove(bench, name)
        failed += bool(wrong)
        print(f"unload: {name or 'undisturbed':<22} {'ok' if not wrong else 'FAILED: ' + '; '.join(wrong)}")
    server.shutdown()
    print(f"unload: {len(expected)} rows, {len(names)} cases, {failed} failed")
    return 1 if failed or not names else 0


if __name__ == "__main__":
    sys.exit(main())
