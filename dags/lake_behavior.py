"""Brings the newest quarter of an hour of behaviour into Bronze and Silver.

*What.* The tables whose contract promises something new more often than daily, in one job, since every start costs a minute.
A window without rows ends as skipped.

*Owner.* Those of the tables' contracts; see the tasks.

*Is a rerun safe?* Yes. Every program asks the tables' logs first; what is done answers "already done" and changes nothing.

*When it fails.* A window that is never run leaves no hole for long: `lake_daily` reads the whole day again. Exit codes as in `lake_daily`.
"""

from datetime import timedelta

from airflow.sdk import DAG

from lakehouse import alarms, drawing, graph, policies, windows
from lakehouse.requests import Choice

DAG_ID = "lake_behavior"
SECONDS = graph.every_seconds(DAG_ID)

with DAG(
    DAG_ID,
    doc_md=__doc__,
    description="What is promised more often than daily, to Silver",
    schedule=policies.at(f"*/{SECONDS // 60} * * * *"),
    start_date=policies.START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args=policies.default_args(drawing.owner(DAG_ID)),
    tags=drawing.tags(DAG_ID, policies.Tag.FREQUENT),
    on_failure_callback=alarms.on_failure(),
):
    drawing.draw(DAG_ID, windows.last(SECONDS), Choice(landing=("--skip-when-empty",)))
