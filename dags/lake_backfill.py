"""Runs chosen tables for a chosen window, on demand.

*What.* The jobs of `lake_daily`, but only the steps of the chosen tables and, unless told otherwise, of all that is made of them.
Jobs that are left with nothing end as skipped; `ops_publish` runs behind all of them. An input whose job did not run is read at its
newest version with a passing verdict.

*Parameters.* `window`: a UTC date or FROM/TO. `tables`: names; none: all. `downstream`: also what is made of them. `generation`: 2 or more
reads a window again that is in, and replaces its rows; Silver is then rebuilt. `full_refresh`: rebuild Silver and Gold from all
that their inputs hold. Many days: `airflow backfill create --dag-id lake_daily --from-date D --to-date D --max-active-runs 1`
(ten at once otherwise, all on the same tables); each day of it also tells that Gold is late, since its deadline is long over.

*Owner.* Those of the tables' contracts; see the tasks.

*Is a rerun safe?* Yes, with the same parameters. A generation that is in is not read again.

*When it fails.* As in `lake_daily`. Do not run it beside `lake_daily` for HubSpot: both would draw on one allowance of requests.
Pause DAGs that build the same Silver tables before a new generation or a full refresh: between its Bronze and its Silver jobs
they end with 65, or read on and make the rebuild do so; nothing is harmed, and both can be cleared afterwards.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param

from lakehouse import alarms, drawing, graph, policies, windows
from lakehouse.requests import Choice

DAG_ID = "lake_backfill"
TABLES = sorted(graph.tables())


def choice(context: Any) -> Choice:
    """Returns what the run was asked for."""
    params = context["params"]
    tables = set(params["tables"] or TABLES)
    if params["downstream"]:
        tables = graph.made_of(tables)
    return Choice(frozenset(tables), params["generation"], params["full_refresh"])


PARAMS = {
    "window": Param(type="string", pattern=r"^\d{4}-\d{2}-\d{2}", description="A UTC date, or FROM/TO"),
    "tables": Param([], type="array", items={"type": "string", "enum": TABLES}, description="Names; none: all"),
    "downstream": Param(True, type="boolean", description="Also what is made of them"),
    "generation": Param(1, type="integer", minimum=1, description="2 or more: read the window again, replace its rows"),
    "full_refresh": Param(False, type="boolean", description="Rebuild Silver and Gold from all that their inputs hold"),
}

with DAG(
    DAG_ID,
    doc_md=__doc__,
    description="Chosen tables for a chosen window",
    schedule=None,
    start_date=policies.START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=24),
    default_args=policies.default_args(drawing.owner("lake_daily")),
    tags=drawing.tags("lake_daily", policies.Tag.BACKFILL),
    params=PARAMS,
    on_failure_callback=alarms.on_failure(),
):
    drawing.draw("lake_daily", windows.given, choice, trigger_rule="none_failed")
