"""Proves ingest-redshift over the wire on a large table: `python -m proofs.redshift` (ci/redshift-bulk starts it).

Two windows are landed from PostgreSQL with TLS and SCRAM and compared, row by row, with what the server itself answers. What is not
trusted lands nothing. Rows that become visible after their window was read land with the next one, by the lookback.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import behavior
import duckdb
import pyarrow as pa
import redshift_cluster as cluster
import state
from deltalake import DeltaTable

from proofs import ending, places

FOLDER = places.PROOFS / "redshift"
TABLE, PLACE = "bronze_redshift_events", Path("bronze/redshift_events")
DAY, NEXT = "2017-12-30", "2017-12-31"
# With the lookback of two hours.
BOUNDS = {DAY: ("2017-12-29 22:00", "2017-12-31"), NEXT: ("2017-12-30 22:00", "2018-01-01")}
PEAK_MAX = 500 << 20
LATE = 1_000
ROW = """
    '{name}' || i, 's' || i / 10, CASE WHEN i % 50 = 0 THEN 'purchase' ELSE 'page_view' END,
    CASE WHEN i % 3 > 0 THEN (i % 99991)::text END, TIMESTAMP '{start}' + i * INTERVAL '{step}',
    CASE WHEN i % 4 > 0 THEN TIMESTAMP '{start}' + i * INTERVAL '{step}' ELSE TIMESTAMP '{start}' + INTERVAL '1 hour' END,
    'mobile', 'BR', 'https://shop.sluice.example/p/' || i || repeat('x', i % 100), CASE WHEN i % 5 = 0 THEN '' END,
    'mail', NULL, 'c' || i % 12,
    CASE WHEN i % 9 = 0 THEN NULL WHEN i % 11 = 0 THEN 'null'::json
        ELSE ('{{"i": ' || i || ', "who": "Zo\u00eb \U0001f600"}}')::json END
"""


@dataclass
class Bench:
    """The program, its lake, and what was found wrong."""

    program: Path
    lake: Path = FOLDER / "lake"
    problems: list[str] = field(default_factory=list)

    def run(self, window: str, **other: str) -> tuple[int, str, dict]:
        """Lands a window; returns exit code, what was said, and the summary."""
        known = {
            "lake": str(self.lake), "contracts": str(places.CONTRACTS), "secrets": f"file:{places.HOME / 'secrets'}",
            "host": "localhost", "port": str(state.ports()[cluster.NAME]), "database": cluster.DATABASE, "user": cluster.LOGIN,
            "ca_file": str(cluster.ca_file()), "output": "json",
        } | other  # fmt: skip
        options = [word for name, value in known.items() for word in (f"--{name.replace('_', '-')}", value)]
        done = subprocess.run([self.program, TABLE, "--window", window, *options], text=True, capture_output=True, check=False)
        summary = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {}
        return done.returncode, done.stdout + done.stderr, summary

    def expect(self, found: object, wanted: object, what: str) -> None:
        """Notes what is not as it must be."""
        if found != wanted:
            self.problems.append(f"{what}: {found}, not {wanted}")

    def refused(self, what: str, message: str, **other: str) -> None:
        """Runs a window that must end with 2 and land nothing."""
        code, said, _ = self.run(DAY, **other)
        self.expect((code, message in said), (2, True), f"{what} ({said.strip()})")
        landed = DeltaTable(self.lake / PLACE).count() if (self.lake / PLACE / "_delta_log").is_dir() else 0
        self.expect(landed, 0, f"{what}: rows landed")

    def land(self, window: str) -> int:
        """Lands a window that must hold exactly what the source holds in its bounds; returns its rows."""
        code, said, summary = self.run(window)
        if code != 0:
            self.problems.append(f"{window} ended with {code}: {said}")
            return 0
        wanted, found = source(window), landed(self.lake, summary["run_id"])
        wrong = differing(wanted, found)
        self.expect(wrong, 0, f"{window}: rows that differ")
        peak = summary["peak_rss_bytes"]
        self.expect(peak < PEAK_MAX, True, f"{window}: peak of {peak >> 20} MB below {PEAK_MAX >> 20} MB")
        seconds = summary["duration_ms"] / 1000
        print(f"redshift: {window}: {len(found):,} rows in {seconds:.1f} s, {peak >> 20} MB at most, {wrong} differ", flush=True)
        return len(found)


def fill(name: str, rows: int, start: str, step: str) -> None:
    """Inserts rows at the source."""
    columns = ROW.format(name=name, start=start, step=step)
    cluster.run_sql(f"INSERT INTO behavior.events SELECT {columns} FROM generate_series(1, {rows}) AS numbers(i)")


def source(window: str) -> pa.Table:
    """Returns what the server holds in a window's bounds."""
    columns = ", ".join(f"{name}::text AS {name}" if kind == "SUPER" else name for name, kind in behavior.COLUMNS.items())
    low, high = BOUNDS[window]
    with cluster.admin() as session, session.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns} FROM behavior.events WHERE loaded_at >= TIMESTAMP '{low}' AND loaded_at < TIMESTAMP '{high}'"
        )
        return cursor.fetch_arrow_table()


def landed(lake: Path, run_id: str) -> pa.Table:
    """Returns what a run landed."""
    return DeltaTable(lake / PLACE).to_pyarrow_table(columns=list(behavior.COLUMNS), filters=[("_run_id", "=", run_id)])


def differing(wanted: pa.Table, found: pa.Table) -> int:
    """Returns how many rows one side has more often than the other."""
    shown = ", ".join(f"epoch_us({name})" if kind == "TIMESTAMP" else name for name, kind in behavior.COLUMNS.items())
    with duckdb.connect() as one:
        one.execute("SET TimeZone = 'UTC'")
        one.register("wanted", wanted)
        one.register("found", found)
        sides = (("wanted", "found"), ("found", "wanted"))
        asked = [f"(SELECT {shown} FROM {left} EXCEPT ALL SELECT {shown} FROM {right})" for left, right in sides]
        row = one.execute(f"SELECT (SELECT count(*) FROM {asked[0]}) + (SELECT count(*) FROM {asked[1]})").fetchone()
    return int(row[0]) if row else -1


def windows(bench: Bench, rows: int) -> None:
    """Fills the source and lands its windows."""
    fill("e", rows, f"{DAY} 00:00", f"{86_000_000_000 // rows} microseconds")
    subprocess.run([places.SOURCES / "certificates", FOLDER / "other"], check=True)
    # What only a server that was asked says: a file or a secret that is not there ends with 2 as well.
    stranger = str(FOLDER / "other" / "ca.pem")
    bench.refused("a certificate of another authority", "verify that the server is `localhost`", ca_file=stranger)
    # The authority is trusted, but the server's certificate is for localhost.
    bench.refused("a certificate for another name", "does not carry that name", host="127.0.0.1")
    wrong = FOLDER / "secrets" / "redshift"
    wrong.mkdir(parents=True)
    (wrong / "password").write_text(state.secret(cluster.WRONG_SECRET))
    bench.refused("a wrong password", "password authentication failed", secrets=f"file:{wrong.parent}")
    bench.expect(bench.land(DAY), rows, "rows of the first window")
    fill("late", LATE, f"{DAY} 22:30", "1 second")
    fill("next", LATE, f"{NEXT} 08:00", "1 second")
    bench.land(NEXT)
    arrived = DeltaTable(bench.lake / PLACE).to_pyarrow_table(columns=["event_id"]).column(0).to_pylist()
    bench.expect(sum(one.startswith("late") for one in arrived), LATE, "late rows that landed")
    code, said, summary = bench.run(DAY)
    bench.expect((code, summary.get("outcome")), (0, "already_done"), f"the first window again ({said.strip()})")


def main() -> int:
    """Runs it all; 1 when something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=Path, required=True, help="folder with ingest-redshift")
    parser.add_argument("--rows", type=int, default=2_000_000, help="rows of the first window")
    options = parser.parse_args()
    shutil.rmtree(FOLDER, ignore_errors=True)
    bench = Bench(options.programs / "ingest-redshift")
    cluster.start()
    try:
        cluster.wait_ready()
        cluster.run_sql("TRUNCATE behavior.events")
        windows(bench, options.rows)
    finally:
        cluster.stop()
    return ending.told("redshift", f"{options.rows:,} rows over the wire", bench.problems)


if __name__ == "__main__":
    sys.exit(main())
