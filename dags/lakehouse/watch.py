"""What should exist by now and does not, told from the lake alone: a scheduler that stands still is found out too.

Each check returns findings, one line each. They read names and small records, never a row. A table's log is believed before an attempt's
record, since a window may have been brought in by hand.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from lakehouse import attempts, graph, identity, policies
from lakehouse.lake import Lake
from lakehouse.policies import Action

DAILY = "lake_daily"
DAYS_BACK = 7
# A run that tells no end for so long has none. Programs of a stream run on purpose.
RUN_MAX = timedelta(hours=2)
ENDS = {"complete", "fail", "abort"}
LAG_MAX = timedelta(minutes=5)
# How late something frequent may be: one run that failed and its retries.
GRACE = timedelta(minutes=45)
DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Watch:
    """A lake, and the time by which things should exist."""

    lake: Lake
    now: datetime


def late_layers(watch: Watch) -> list[str]:
    """Finds jobs of the newest due day that have not ended well by their layer's deadline."""
    found = []
    for job in (job for job in graph.jobs(DAILY) if job["tables"]):
        due = policies.DEADLINES[job["layer"]]
        started = _newest_start(watch.now - due)
        if _ended_well(watch.lake, job["job"], started):
            continue
        end = started.replace(hour=0)
        shut = _shut(watch.lake, job["job"], started)
        late = [table for table in job["tables"] if table in shut or not _reaches(watch.lake, table, end)]
        if late:
            by = f"{started + due:%Y-%m-%d %H:%M}"
            found.append(f"{job['layer']} is late: {job['job']} was due at {by} UTC and lacks {', '.join(late)}")
    return found


def gaps(watch: Watch) -> list[str]:
    """Finds days whose window is in no commit of a Bronze table that is asked by windows."""
    found = []
    last = _newest_start(watch.now - policies.DEADLINES["bronze"]).replace(hour=0)
    for table in _windowed():
        commits = list(_commits(watch.lake, table, last - (DAYS_BACK + 1) * DAY))
        begun = _created(watch.lake, table)
        if begun is None:
            found.append(f"{table} does not exist")
            continue
        first = max(last - DAYS_BACK * DAY, begun.replace(hour=0, minute=0, second=0, microsecond=0))
        covered = sorted(window for window in map(_window, commits) if window)
        for start, end in _holes(first, last, covered):
            found.append(f"{table} has a gap: {start:%Y-%m-%dT%H:%MZ}/{end:%Y-%m-%dT%H:%MZ}; run lake_backfill for it")
    return found


def freshness(watch: Watch) -> list[str]:
    """Finds Bronze tables that got nothing new for longer than their contract promises."""
    found = []
    for table in _windowed():
        promised = graph.tables()[table]["frequency_seconds"]
        if not promised:
            continue
        ends = [window[1] for window in map(_window, _commits(watch.lake, table, watch.now - 2 * DAY)) if window]
        # A daily window ends at midnight and is due when its layer is.
        slack = GRACE if promised < DAY.total_seconds() else timedelta(hours=2) + policies.DEADLINES["bronze"]
        limit = watch.now - timedelta(seconds=promised) - slack
        if not ends or max(ends) < limit:
            newest = f"{max(ends):%Y-%m-%dT%H:%MZ}" if ends else "more than two days ago"
            found.append(f"{table} is not fresh: its newest window ended {newest}, something new is promised every {promised} s")
    return found


def stream_lag(watch: Watch) -> list[str]:
    """Finds streams that lag, or of which nothing was heard."""
    found = []
    for table in _streamed():
        reading = _json(watch.lake.get(f"ops/gauges/{table}.json"))
        at = _instant(reading.get("at"))
        if at is None or watch.now - at > LAG_MAX:
            heard = f"since {at:%Y-%m-%dT%H:%MZ}" if at else "ever"
            found.append(f"{table} is not streamed: no reading of its lag {heard}; look at lake_stream")
            continue
        lags = [gauge["value"] for gauge in reading.get("gauges", []) if gauge.get("name") == "lag_seconds" and "part" not in gauge]
        if not lags or max(lags) > LAG_MAX.total_seconds():
            found.append(f"{table} lags: {max(lags, default='an unknown number of')} s behind its source")
    return found


def endless_runs(watch: Watch) -> list[str]:
    """Finds runs that told their beginning and no end."""
    began: dict[str, tuple[datetime, str]] = {}
    ended, good = set(), set()
    for days in range(2, -1, -1):
        date = f"{watch.now - days * DAY:%Y-%m-%d}"
        for name in watch.lake.names(f"ops/lineage/{date}"):
            at, job, run, kind = _event(date, name)
            if kind == "start":
                began[run] = (at, job)
            elif kind in ENDS:
                ended.add(run)
                if kind == "complete":
                    good.add(run)
    streams = {f"ingest-kafka.{table}" for table in _streamed()}
    # A turn that went down with its machine has no next attempt that tells so; the first turn of the next job did its work.
    healed = {job: max((at for run, (at, other) in began.items() if other == job and run in good), default=EPOCH) for job in _in_turns()}
    missed = ((at, job, run) for run, (at, job) in began.items() if run not in ended and job not in streams)
    lost = sorted((at, job, run) for at, job, run in missed if at > healed.get(job, EPOCH))
    return [f"{job} began at {at:%Y-%m-%dT%H:%MZ} and never ended: run {run}" for at, job, run in lost if watch.now - at > RUN_MAX]


def _newest_start(at: datetime) -> datetime:
    """Returns the newest start of the daily run that is not after an instant."""
    start = at.replace(hour=2, minute=0, second=0, microsecond=0)
    return start if start <= at else start - DAY


def _shut(lake: Lake, job: str, started: datetime) -> set[str]:
    """Returns the tables whose gate did not end well in a job's newest attempt: their rows are there, and no layer may read them."""
    run = identity.run_id(DAILY, f"scheduled__{started.isoformat()}", job, -1)
    newest = max(lake.names(f"ops/attempts/{run}"), key=lambda name: (len(name), name), default=None)
    record = attempts.parsed(lake.get(f"ops/attempts/{run}/{newest}")) if newest else None
    gates = [step for step in (record or {}).get("steps") or [] if step.get("program") == "dq-check"]
    return {step["table"] for step in gates if step.get("exit") not in (None, 0, 99)}


def _ended_well(lake: Lake, job: str, started: datetime) -> bool:
    run = identity.run_id(DAILY, f"scheduled__{started.isoformat()}", job, -1)
    records = (attempts.parsed(lake.get(f"ops/attempts/{run}/{name}")) for name in lake.names(f"ops/attempts/{run}"))
    return any(record and policies.action(record["exit"]) in (Action.SUCCEED, Action.SKIP) for record in records)


def _windowed() -> list[str]:
    return [name for name, table in graph.tables().items() if table["layer"] == "bronze" and "kafka" not in table["sources"]]


def _streamed() -> list[str]:
    """Returns the tables that a stream lands; those that its turns build have no lag of their own."""
    return [step["table"] for job in graph.jobs("lake_stream") for step in job["steps"]]


def _in_turns() -> set[str]:
    """Returns what is run in turns, by the names that its events have."""
    steps = [step for job in graph.jobs("lake_stream") for step in (job.get("turns") or {"steps": []})["steps"]]
    return {f"{step['program']}.{step['table']}" for step in steps}


def _log(table: str) -> str:
    layer, _, rest = table.partition("_")
    return f"{layer}/{rest}/_delta_log"


def _commits(lake: Lake, table: str, since: datetime) -> Iterator[dict]:
    """Returns what commits say of themselves, the newest first, until one is older than an instant."""
    log = _log(table)
    for name in reversed([name for name in lake.names(log) if name.endswith(".json")]):
        info = _commit(lake, f"{log}/{name}")
        if EPOCH + timedelta(milliseconds=info.get("timestamp") or 0) < since:
            return
        yield info


def _created(lake: Lake, table: str) -> datetime | None:
    """Returns when a table had its first commit with rows; the one before only makes it."""
    log = _log(table)
    for name in [name for name in lake.names(log) if name.endswith(".json")][:2]:
        at = _commit(lake, f"{log}/{name}").get("timestamp")
        if at:
            return EPOCH + timedelta(milliseconds=at)
    return None


def _commit(lake: Lake, path: str) -> dict:
    for line in (lake.get(path) or b"").splitlines():
        info = _json(line).get("commitInfo")
        if isinstance(info, dict):
            return info
    return {}


def _reaches(lake: Lake, table: str, end: datetime) -> bool:
    """Whether a commit of the last days is for a window that ends at an instant or later."""
    return any(window[1] >= end for window in map(_window, _commits(lake, table, end)) if window)


def _window(info: dict) -> tuple[datetime, datetime] | None:
    start, _, end = str((info.get("sluice") or {}).get("window") or "").partition("/")
    parsed = (_instant(start), _instant(end))
    return parsed if all(parsed) else None


def _holes(first: datetime, last: datetime, covered: list) -> Iterator[tuple[datetime, datetime]]:
    at = first
    for start, end in covered:
        if start > at and at < last:
            yield at, min(start, last)
        at = max(at, end)
    if at < last:
        yield at, last


def _event(date: str, name: str) -> tuple[datetime, str, str, str]:
    """Reads the name of a lineage event: `020104123456-silverize.silver_orders-<run>-start.json`."""
    rest, _, kind = name.removesuffix(".json").rpartition("-")
    time, _, job = rest[:-37].partition("-")
    try:
        at = datetime.strptime(f"{date}{time}+0000", "%Y-%m-%d%H%M%S%f%z")
    except ValueError:
        return EPOCH, "", "", ""
    return at, job, rest[-36:], kind


def _instant(text: str | None) -> datetime | None:
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=timezone.utc)


def _json(text: bytes | None) -> dict:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
