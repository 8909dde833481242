"""Sends what runs have told: lineage to CloudWatch Logs, numbers to CloudWatch. Drawn only where `sluice.telemetry` names a log group.

*What.* Two jobs that do not wait for each other: `telemetry_lineage` delivers the events of `ops/lineage/` to `<group>/lineage`;
`telemetry_metrics` sends the numbers at which alarms look, then one log event per run to `<group>/metrics`. Both go on where they
stopped. The two log groups must be there; their stream `lake_telemetry` is made.

*Owner.* The data team.

*Is a rerun safe?* Yes. Each receiver has a cursor in `ops/lineage_cursors/`; after a crash up to 100 events come again.

*When it fails.* Nothing is lost and no other DAG notices: what was not sent goes the next time. 75: CloudWatch was away. 2: no such log
group, or the role may not write to it. 65: a file of the outbox is no event, or too large; its name stands in the log, and nothing
behind it is sent until somebody has looked. Alarms on missing data tell when this DAG stands still.
"""

from datetime import timedelta

from airflow.sdk import DAG

from lakehouse import alarms, drawing, graph, policies, settings, windows
from lakehouse.requests import Choice

DAG_ID = "lake_telemetry"
SECONDS = graph.every_seconds(DAG_ID)
GROUP = settings.optional("telemetry")

# A laptop tells nobody anything, and neither does a deployment that was not told where to.
if GROUP:
    with DAG(
        DAG_ID,
        doc_md=__doc__,
        description="Lineage and metrics, to CloudWatch",
        schedule=policies.at(f"*/{SECONDS // 60} * * * *"),
        start_date=policies.START,
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(hours=1),
        default_args=policies.default_args(drawing.owner(DAG_ID)),
        tags=drawing.tags(DAG_ID, policies.Tag.TELEMETRY),
        on_failure_callback=alarms.on_failure(),
    ):
        drawing.draw(DAG_ID, windows.last(SECONDS), Choice(telemetry=(GROUP, DAG_ID)))
