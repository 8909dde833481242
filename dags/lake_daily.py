"""Brings the UTC day before into every table: Bronze, Silver, Gold, with a gate behind each table.

*What.* One task is one job of `graph.json`; a job holds the tables of one source and layer. Each hands the versions that passed
its gates to the jobs after it, and these read exactly those. However they end, `ops_publish` then brings `ops/runs`, `ops/ledger`,
`ops/quality_scores` and the Glue catalog up to date; that it fails is told, and makes no failed run of a good one.
Start it with `{"window": "2017-12-30"}` (or FROM/TO) for another day.

*Owner.* Those of the tables' contracts; see the tasks.

*Is a rerun safe?* Yes. Every program asks the tables' logs first; what is done answers "already done" and changes nothing.

*When it fails.* Read the task's last line: it names the program, the table and the exit code. 75, or no record of the end: the
source, the network or the service was away; clear the task once it is back. 65: the data broke its contract; the findings
stand in `ops/dq_verdicts`; mend the source or the contract, or let the version pass on record (`dq-check T --waive`), then clear the
task. 2: a setting or a contract is wrong. 1: a bug. Late: 02:30 Bronze and 02:45 Silver are watched by `lake_watchdog`, 03:30 Gold by
this DAG's deadline. `ops_publish`: no table waits for it, and the next one makes up for all but the day's `ops/quality_scores`: clear it
for these, and along with any task of an older day that you clear. 2 is a right that its role lacks or an entry of another lake, 65 a
type that Glue has no name for.

*To stop it.* Mark the tasks that are running as failed, not the run: Airflow would skip what waits, let `ops_publish` run, and call the
run good.
"""

from datetime import timedelta

from airflow.sdk import DAG, DeadlineReference, Param

from lakehouse import alarms, drawing, policies, windows

DAG_ID = "lake_daily"

with DAG(
    DAG_ID,
    doc_md=__doc__,
    description="The day before, from all sources to Gold",
    schedule=policies.at(policies.DAILY),
    start_date=policies.START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    default_args=policies.default_args(drawing.owner(DAG_ID)),
    tags=drawing.tags(DAG_ID, policies.Tag.DAILY),
    params={"window": Param(None, type=["null", "string"], description="A UTC date, or FROM/TO; empty: the day before the run")},
    deadline=alarms.deadline("Gold is late", DeadlineReference.DAGRUN_LOGICAL_DATE, policies.DEADLINES["gold"]),
    on_failure_callback=alarms.on_failure(),
):
    drawing.draw(DAG_ID, windows.day_before)
