"""Where the sources keep things, and which days there are.

One module, so that the generator, the servers and the checks cannot disagree about a path, a window or the topic.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("SLUICE_HOME") or REPOSITORY / ".sluice").resolve()
SOURCES = HOME / "sources"
DATA = SOURCES / "data"
SECRETS = HOME / "secrets"
LOGS = SOURCES / "logs"
ENDPOINTS = SOURCES / "endpoints.json"

HISTORY = "history"
DAYS = ("2017-12-30", "2017-12-31", "2018-01-01")
BATCHES = (HISTORY, *DAYS)

# What a batch's ingest windows are: half-open, UTC.
WINDOWS = {
    HISTORY: (datetime(2017, 1, 1), datetime(2017, 12, 30)),
    **{day: (datetime.fromisoformat(day), datetime.fromisoformat(day) + timedelta(days=1)) for day in DAYS},
}
# ingest-snowflake reads this much before its window, ingest-fx that much.
LOOKBACK = timedelta(hours=2)
FX_LOOKBACK = timedelta(days=90)
# So much before its window ingest-hubspot looks for changed objects: the index of a search lags behind.
HUBSPOT_LOOKBACK = timedelta(hours=1)
# An event older than this is held: see `held_before`.
LATE_WINDOW = timedelta(days=7)

TOPIC = "orders.events"
PARTITIONS = 6

WAREHOUSE_DATABASE = "ANALYTICS"
WAREHOUSE_SCHEMA = "PUBLIC"


def held_before(batch: str) -> datetime:
    """Returns the instant before which an event is held: the late window, counted back from the end of the window's first day."""
    return WINDOWS[batch][0] + timedelta(days=1) - LATE_WINDOW


def batches_up_to(batch: str) -> tuple[str, ...]:
    """Returns the batches that a source has published once it stands at `batch`."""
    return BATCHES[: BATCHES.index(batch) + 1]


def warehouse_file(batch: str, table: str, data: Path = DATA) -> Path:
    """Returns the file with the rows of `table` that `batch` inserts or updates."""
    return data / batch / "warehouse" / f"{table}.parquet"
