"""Looks every hour, and at each layer's deadline, for what should exist by now and does not.

*What.* Late layers (02:30 Bronze, 02:45 Silver, 03:30 Gold), gaps in the days of Bronze, tables that got nothing new for longer than their
contract promises, a stream that lags, runs that began and never ended. It reads the lake, not Airflow, so that it also finds
what was never started. A task with findings fails, each time. It publishes them to the alarm topic when one is new, and all at
02:46: an alarm that comes every hour is soon one that nobody reads.

*Owner.* The data team.

*Is a rerun safe?* Yes, it changes nothing.

*When it fails.* Read the findings in the task's last line; each names the table and what to do. When the reason is gone the next hour is green.
"""

import logging
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, MultipleCronTriggerTimetable, get_current_context, task

from lakehouse import alarms, policies

DAG_ID = "lake_watchdog"
log = logging.getLogger(__name__)
# A minute after the deadlines of Bronze, Silver and Gold, and once an hour beside them.
SCHEDULE = MultipleCronTriggerTimetable("31 * * * *", "46 2 * * *", timezone="UTC")
# Hour and minute at which all findings are told, also old ones; what a look leaves for the next.
REMINDER = (2, 46)
KNOWN = "findings"


def look(check: str) -> None:
    """Runs a check for the time of the run; findings are published, and fail the task."""
    from airflow.sdk.exceptions import AirflowFailException

    from lakehouse import settings, watch, windows
    from lakehouse.lake import open_lake

    context: Any = get_current_context()
    lake, at, ti = open_lake(settings.required("lake")), windows.instant(context), context["ti"]
    try:
        findings = getattr(watch, check)(watch.Watch(lake, at))
    except Exception as error:
        # Once it may be a hiccup. After that it is a finding: who is not told believes that all is well.
        if ti.try_number == 1:
            raise
        log.exception("%s cannot look", check)
        findings = [f"{check} cannot look: {type(error).__name__}; see the log of its task"]
    # Those of the look before: what that run found is what was told, also when Airflow stood still since.
    known = ti.xcom_pull(key=KNOWN, include_prior_dates=True, map_indexes=-1) or []
    text, told = "\n".join(findings), "told before"
    if set(findings) - set(known) or (findings and (at.hour, at.minute) == REMINDER):
        told = "published" if alarms.publish(f"{DAG_ID}: {check}", text) else "nobody is told: sluice.topic_arn is absent"
    ti.xcom_push(key=KNOWN, value=findings)
    if findings:
        raise AirflowFailException(f"{len(findings)} findings ({told}):\n{text}")


with DAG(
    DAG_ID,
    doc_md=__doc__,
    description="What should exist by now and does not",
    schedule=SCHEDULE,
    start_date=policies.START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=20),
    default_args=policies.default_args() | {"execution_timeout": timedelta(minutes=10)},
    tags=[policies.Tag.WATCHDOG.value],
):
    for name in ("late_layers", "gaps", "freshness", "stream_lag", "endless_runs"):
        task(task_id=name, doc_md=f"`lakehouse.watch.{name}`")(look)(name)
