"""The cluster policy of the live stack: which run of a DAG comes due by itself. Airflow imports it by this name.

The DAGs catch up on nothing, so on a machine their scheduler would start the run of the clock's day, for which local sources have no data.
`ci/aws-local due lake_daily 2018-01-01T02:00` narrows a DAG's own schedule to the one time instead: the scheduler finds a run of that time
that was never started, and starts it. Nothing else of the DAG is changed, and a DAG that is not named is left as it is.
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any


def dag_policy(dag: Any) -> None:
    """Lets a DAG that `due.json` names come due once, at its time."""
    at = _due().get(dag.dag_id)
    if at is None:
        return
    time = datetime.fromisoformat(at)
    dag.catchup = True
    # A task may begin before its DAG, and then that counts.
    for one in (dag, *dag.tasks):
        one.start_date = one.end_date = time


def _due() -> dict[str, str]:
    file = Path(os.environ["AIRFLOW_HOME"]) / "due.json"
    return json.loads(file.read_text()) if file.is_file() else {}
