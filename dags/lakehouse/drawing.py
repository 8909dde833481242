"""Draws the jobs of the graph as tasks."""

from collections.abc import Callable
from typing import Any

from airflow.sdk import TaskGroup

from lakehouse import alarms, graph, policies
from lakehouse.operator import JobOperator
from lakehouse.policies import Tag
from lakehouse.requests import Choice
from lakehouse.windows import Window


def draw(dag: str, window: Window, choice: Callable[[Any], Choice] | Choice = Choice(), **kwargs: Any) -> dict[str, JobOperator]:
    """Draws each job of a DAG as a task in the group of its layer, after those that it waits for."""
    jobs = graph.jobs(dag)
    groups = {layer: TaskGroup(f"{layer}_layer", prefix_group_id=False) for layer in dict.fromkeys(job["layer"] for job in jobs)}
    tasks = {}
    for job in jobs:
        task = JobOperator(job=job, window=window, choice=choice, task_group=groups[job["layer"]], **kwargs)
        task.set_upstream([tasks[before] for before in job["after"]])
        if job["after"] and not job["tables"]:
            _at_the_end(task)
        tasks[job["job"]] = task
    return tasks


def _at_the_end(task: JobOperator) -> None:
    """Has a task without tables run however those before it ended. What became of the rows decides how the run ended, not this task."""
    task.as_teardown()
    # The run's end waits for it, and with that the run's deadline and the word that it failed.
    task.retries = policies.RETRIES_AT_THE_END
    task.on_failure_callback = alarms.on_failure("{{ task.task_id }} of {{ dag.dag_id }}")


def tags(dag: str, kind: Tag) -> list[str]:
    """Returns the tags of a DAG: its kind, and the layers of its tables."""
    layers = {graph.tables()[table]["layer"] for job in graph.jobs(dag) for table in job["tables"]}
    return [kind.value, *(tag.value for tag in (Tag.BRONZE, Tag.SILVER, Tag.GOLD) if tag.value in layers)]


def owner(dag: str) -> str:
    """Returns the teams that own a DAG's tables."""
    return ",".join(sorted({owner for job in graph.jobs(dag) for owner in job["owners"]})) or policies.OWNER
