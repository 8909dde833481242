"""What holds for every DAG: owners, tags, retries, limits of time, and what becomes of an exit code.

Numbers stand here and nowhere else. The exit codes are those of `all-clis exit-codes`, and a test compares the two.
"""

from datetime import datetime, timedelta, timezone
from enum import Enum

from airflow.sdk import CronTriggerTimetable

from lakehouse import settings

OWNER = "data-team"
# Before the oldest data: Airflow runs no task of an earlier day, and a backfill may be for any. Nothing is caught up on.
START = datetime(2016, 1, 1, tzinfo=timezone.utc)

DAILY = "0 2 * * *"

# A day's windows may each be tried four times within half an hour, and then a person is called: the Bronze layer is late by then.
RETRIES = 3
# What runs behind all jobs keeps the run from its end.
RETRIES_AT_THE_END = 1
RETRY_DELAY = timedelta(seconds=settings.retry_seconds())
RETRY_BACKOFF = 2.0
RETRY_DELAY_MAX = timedelta(minutes=8)

# Beyond a job's own limit: the application's queue before it, and the end of an earlier attempt.
QUEUE = timedelta(minutes=15)
CANCEL = timedelta(minutes=10)
# Looks at a job in a row that may go unanswered, beyond what the SDK tries by itself; then it is ended, since nobody sees it.
UNANSWERED_MAX = 10
# What a cancelled job gets to end by itself: a commit under way, and the record of its end.
CANCEL_GRACE_SECONDS = 120

# A streaming job is ended and started anew once a day, so that it does not run an old release for ever. Airflow ends it, which the
# program takes for a good end; the service's own limit lies behind that.
STREAM_MINUTES = 1440
STREAM_MINUTES_MAX = 1500
STREAM_FAILURES_MAX = 3

# When a layer is late, counted from 02:00 UTC: the latest time that `docs/guides/FRESHNESS_AND_CONTACTS.md` promises.
DEADLINES = {"bronze": timedelta(minutes=30), "silver": timedelta(minutes=45), "gold": timedelta(minutes=90)}


# What is sent has a log group of its own, by the first word of the command, below the one that `sluice.telemetry` names.
LOG_GROUPS = {"deliver": "lineage", "metrics": "metrics"}


class Tag(str, Enum):
    """Words by which DAGs are found in the list."""

    DAILY = "daily"
    FREQUENT = "frequent"
    STREAM = "stream"
    TELEMETRY = "telemetry"
    BACKFILL = "backfill"
    WATCHDOG = "watchdog"
    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"


class Action(Enum):
    """What Airflow does when a job has ended."""

    SUCCEED = "succeed"
    SKIP = "skip"
    RETRY = "retry"
    FAIL = "fail"


EXIT_ACTIONS = {
    0: Action.SUCCEED,
    1: Action.FAIL,
    2: Action.FAIL,
    65: Action.FAIL,
    75: Action.RETRY,
    99: Action.SKIP,
    # Killed by SIGINT, SIGKILL or SIGTERM: memory, a lost worker, a limit of time, a cancelled attempt.
    130: Action.RETRY,
    137: Action.RETRY,
    143: Action.RETRY,
}


def action(exit_code: int | None) -> Action:
    """Returns what becomes of a job; None: it left no record of its end, so nobody knows how far it came."""
    if exit_code is None:
        return Action.RETRY
    return EXIT_ACTIONS.get(exit_code, Action.FAIL)


# The service's own words for a request that will never be accepted as it is.
REFUSALS = frozenset({"AccessDeniedException", "ResourceNotFoundException", "ValidationException"})


# Driver cores and memory by layer. Executors are not used: the least that Spark accepts.
DRIVERS = {"ops": ("1", "4g"), "bronze": ("2", "6g"), "silver": ("4", "14g"), "gold": ("4", "14g")}


def at(cron: str) -> CronTriggerTimetable:
    """Returns a schedule whose runs bear the time at which they start.

    What a bare expression means is a setting of Airflow: by `create_cron_data_intervals` a run would bear the time of the one before.
    """
    return CronTriggerTimetable(cron, timezone="UTC")


def default_args(owner: str = OWNER) -> dict:
    """Returns what every task has."""
    return {
        "owner": owner,
        "retries": RETRIES,
        "retry_delay": RETRY_DELAY,
        "retry_exponential_backoff": RETRY_BACKOFF,
        "max_retry_delay": RETRY_DELAY_MAX,
    }
