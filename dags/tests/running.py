"""Runs a task of a DAG as the task runner does: render, then execute."""

from datetime import datetime, timezone
from types import SimpleNamespace

AT = datetime(2026, 11, 29, 2, tzinfo=timezone.utc)


class Instance:
    """A task instance with the XComs of its run."""

    def __init__(self, dag: str, task: str, number: int = 1, xcoms: dict | None = None, map_index: int = -1) -> None:
        self.dag_id, self.task_id, self.run_id = dag, task, f"scheduled__{AT.isoformat()}"
        self.try_number, self.map_index = number, map_index
        self.xcoms = {} if xcoms is None else xcoms

    def xcom_pull(self, task_ids: str | None = None, key: str = "return_value", **_more):
        return self.xcoms.get((task_ids or self.task_id, key))

    def xcom_push(self, key: str, value) -> None:
        self.xcoms[(self.task_id, key)] = value


def context(ti: Instance, params: dict | None = None, at: datetime = AT) -> dict:
    """Returns the part of a context that tasks look at."""
    run = SimpleNamespace(logical_date=at, run_after=at)
    return {"ti": ti, "dag_run": run, "params": params or {}, "var": {"value": {"sluice_release": "4f2a9c1"}}}


def begin(task, ti: Instance, params: dict | None = None):
    """Returns the task as it is rendered, and its context."""
    found = context(ti, params)
    task = task.prepare_for_execution()
    task.render_template_fields(found)
    return task, found


def run(task, ti: Instance, params: dict | None = None):
    """Runs a task to its end."""
    task, found = begin(task, ti, params)
    return task.execute(found)
