"""Keeps a streaming job per topic alive: a topic's records are in Bronze within seconds, and in Silver within a minute.

*What.* One run is one job per topic. Each is ended and started anew once a day; the next run begins as soon as all of one have
ended, however they did.
A job lands its topic's records without end. Beside that it takes turns: the gate of Bronze, then the Silver tables that read it, and,
at most every quarter of an hour, their own gates. A turn that was interrupted is tried again in the next one, ten times in a row.

*Owner.* Those of the tables' contracts; see the tasks.

*Is a rerun safe?* Yes. Offsets are in the table's log, in the commit that brings their records: none is lost and none is doubled.
Silver's progress is in its own commits in the same way.

*When it fails.* After a few runs in a row the DAG pauses itself, and `lake_watchdog` tells that the stream lags. 65: records are
gone at the source, which is never skipped (`ingest-kafka --accept-loss`), or a gate of a turn is shut: the task's last line names
the step, the findings stand in `ops/dq_verdicts`. It is also 65 that the other inputs of a Silver table have no version that passed
under their present contract: run `lake_daily` or `dq-check` for them first, as on an empty lake. 2: credentials, or no such topic. Mend
it, then unpause the DAG.
"""

from datetime import timedelta

from airflow.sdk import DAG

from lakehouse import alarms, drawing, policies, windows
from lakehouse.requests import Choice

DAG_ID = "lake_stream"

with DAG(
    DAG_ID,
    doc_md=__doc__,
    description="Streams to Bronze and Silver, all the time",
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
    # Without a row there is nothing to judge, and nothing for Silver.
    drawing.draw(DAG_ID, windows.day_of, Choice(landing=("--continuous",), passing=("--skip-when-empty",)))
