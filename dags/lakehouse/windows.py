"""Which window a run is for. The scheduler decides it, never a program, and never the clock: a retry has the same one."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

Window = Callable[[Any], str]


def instant(context: Any) -> datetime:
    """Returns the time that a run is for: that of its schedule, or when it was asked for by hand."""
    run = context["dag_run"]
    return (run.logical_date or run.run_after).astimezone(timezone.utc)


def given(context: Any) -> str:
    """Returns the window that the run was started with; empty where it has none."""
    return (context.get("params") or {}).get("window") or ""


def day_before(context: Any) -> str:
    """Returns the whole UTC day before the run, unless it was started with a window."""
    return given(context) or (instant(context) - timedelta(days=1)).strftime("%Y-%m-%d")


def day_of(context: Any) -> str:
    """Returns the UTC day of the run: records of a stream come while it runs."""
    return instant(context).strftime("%Y-%m-%d")


def last(seconds: int) -> Window:
    """Returns the newest whole interval of that length that had ended when the run began."""

    def window(context: Any) -> str:
        at = int(instant(context).timestamp()) // seconds * seconds
        return given(context) or f"{_text(at - seconds)}/{_text(at)}"

    return window


def _text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
