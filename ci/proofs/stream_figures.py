"""What the logs and files of a streamed lake say: how late every record was, how many files there were, what is there once.

Times are those at which a log entry was there for readers (the file's own), not those that its writer noted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

BRONZE, SILVER = Path("bronze/kafka_orders"), Path("silver/orders")
ITEMS, VERDICTS = Path("silver/order_items"), Path("ops/dq_verdicts")
INPUT = "bronze_kafka_orders"
# As `lake-table` has it: a file with fewer rows is small.
SMALL_ROWS = 125_000


@dataclass
class Entry:
    """One commit of a table."""

    version: int
    seen_ms: int
    summary: dict
    # Files that bring rows, and the path of every file that comes or goes.
    brings: list[str] = field(default_factory=list)
    comes: dict[str, int] = field(default_factory=dict)
    goes: list[str] = field(default_factory=list)


def entries(table: Path) -> list[Entry]:
    """Returns the commits of a table, oldest first."""
    found = []
    for file in sorted((table / "_delta_log").glob("*.json")):
        entry = Entry(int(file.stem), file.stat().st_mtime_ns // 1_000_000, {})
        for action in map(json.loads, file.read_text().splitlines()):
            if "commitInfo" in action:
                entry.summary = action["commitInfo"].get("sluice") or {}
            elif "add" in action:
                path = unquote(action["add"]["path"])
                entry.comes[path] = json.loads(action["add"]["stats"])["numRecords"]
                if action["add"]["dataChange"]:
                    entry.brings.append(path)
            elif "remove" in action:
                entry.goes.append(unquote(action["remove"]["path"]))
        found.append(entry)
    return found


def accepted(table: Path) -> int:
    """Returns the rows that the commits of a table say they accepted."""
    return sum(entry.summary.get("ledger", {}).get("accepted", 0) for entry in entries(table))


def live_files(log: list[Entry]) -> tuple[list[int], int, int]:
    """Returns how many small files there were after each commit, the most files there ever were, and those at the end."""
    live: dict[str, int] = {}
    small, most = [], 0
    for entry in log:
        for path in entry.goes:
            live.pop(path, None)
        live |= entry.comes
        small.append(sum(rows < SMALL_ROWS for rows in live.values()))
        most = max(most, len(live))
    return small, most, len(live)


def consumed_by(table: Path) -> list[tuple[int, int]]:
    """Returns the Bronze version that each commit of a Silver table has read, and when the commit was there."""
    return [(entry.summary["inputs"][INPUT], entry.seen_ms) for entry in entries(table) if INPUT in entry.summary.get("inputs", {})]


def behind(lake: Path) -> bool:
    """Whether a Silver table has not read the newest rows of Bronze."""
    newest = max((entry.version for entry in entries(lake / BRONZE) if entry.brings), default=0)
    return any(max((version for version, _ in consumed_by(lake / table)), default=-1) < newest for table in (SILVER, ITEMS))


def is_gated(lake: Path) -> bool:
    """Whether the gates of the tables that a turn builds have judged them."""
    return all((lake / VERDICTS / f"table={table}").is_dir() for table in ("silver_orders", "silver_order_items", "silver_order_movements"))


def delays(lake: Path, table: Path) -> tuple[pa.ChunkedArray, pa.ChunkedArray, int]:
    """Returns the milliseconds from each record's time to its Bronze commit, and to the commit of a Silver table that has it; and how
    many records no commit of that has."""
    consumed = consumed_by(lake / table)
    bronze, silver, waiting = [], [], 0
    for entry in entries(lake / BRONZE):
        taken = next((seen for version, seen in consumed if version >= entry.version), None)
        for path in entry.brings:
            produced = pc.cast(pq.ParquetFile(lake / BRONZE / path).read(columns=["_timestamp"]).column(0), pa.timestamp("ms", "UTC"), safe=False)
            produced = pc.cast(produced, pa.int64())
            bronze.extend(pc.subtract(entry.seen_ms, produced).chunks)
            if taken is None:
                waiting += len(produced)
            else:
                silver.extend(pc.subtract(taken, produced).chunks)
    return pa.chunked_array(bronze, pa.int64()), pa.chunked_array(silver, pa.int64()), waiting


def seconds(milliseconds: pa.ChunkedArray) -> tuple[float, float, float]:
    """Returns median, 95th percentile and highest, in seconds."""
    if not len(milliseconds):
        return 0.0, 0.0, 0.0
    median, p95, highest = pc.quantile(milliseconds, [0.5, 0.95, 1.0]).to_pylist()
    return median / 1000, p95 / 1000, highest / 1000


def bronze_rows(files: list[str]) -> tuple[int, int, int]:
    """Returns rows, different offsets, and the offsets that there must be when none is missing."""
    return duckdb.sql(f"""
        WITH records AS (SELECT _partition, _offset FROM read_parquet({files}, hive_partitioning = false)),
             partitions AS (SELECT count(*) AS rows, count(DISTINCT _offset) AS offsets, max(_offset) + 1 AS highest FROM records GROUP BY _partition)
        SELECT coalesce(sum(rows), 0)::BIGINT, coalesce(sum(offsets), 0)::BIGINT, coalesce(sum(highest), 0)::BIGINT FROM partitions
    """).fetchone()


def silver_rows(files: list[str]) -> tuple[int, int, int]:
    """Returns rows, different orders, and orders that are paid."""
    return duckdb.sql(f"""
        SELECT count(*), count(DISTINCT order_id), count(paid_at) FROM read_parquet({files}, hive_partitioning = false)
    """).fetchone()


def item_rows(files: list[str]) -> tuple[int, int]:
    """Returns rows, and different lines of orders."""
    return duckdb.sql(f"""
        SELECT count(*), count(DISTINCT (order_id, line_number)) FROM read_parquet({files}, hive_partitioning = false)
    """).fetchone()
