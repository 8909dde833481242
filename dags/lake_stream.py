"""Keeps a streaming job per topic alive, which lands the topic's records in Bronze within seconds.

*What.* One run is one job per topic. Each is ended and started anew once a day; the next run begins as soon as all of one have
ended, however they did.

*Owner.* Those of the tables' contracts; see the tasks.

*Is a rerun safe?* Yes. Offsets are in the table's log, in the commit that brings their records: none is lost and none is doubled.

*When it fails.* After a few runs in a row the DAG pauses itself, and `lake_watchdog` tells that the stream lags. 65: records are
gone at the source, which is never skipped (`ingest-kafka --accept-loss`). 2: credentials, or no such topic. Mend it, then
unpause the DAG.
"""

from datetime import timedelta

from airflow.sdk import DAG

from lakehouse import alarms, drawing, policies, windows
from lakehouse.requests import Choice

DAG_ID = "lake_stream"

with DAG(
    DAG_ID,
    doc_md=__doc__,
    description="Streams to Bronze, all the time",
    schedule="@continuous",
    start_date=policies.START,
    catchup=False,
    max_active_runs=1,
    max_consecutive_failed_dag_runs=policies.STREAM_FAILURES_MAX,
    dagrun_timeout=timedelta(minutes=2 * policies.STREAM_MINUTES_MAX),
    default_args=policies.default_args(drawing.owner(DAG_ID)),
    tags=drawing.tags(DAG_ID, policies.Tag.STREAM),
    on_failure_callback=alarms.on_failure(),
):
    drawing.draw(DAG_ID, windows.day_of, Choice(landing=("--continuous",)))
