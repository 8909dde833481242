"""Draws the jobs of the graph as tasks."""

from collections.abc import Callable
from typing import Any

from airflow.sdk import TaskGroup

from lakehouse import graph, policies
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
        tasks[job["job"]] = task
    return tasks


def tags(dag: str, kind: Tag) -> list[str]:
    """Returns the tags of a DAG: its kind, and the layers of its tables."""
    layers = {graph.tables()[table]["layer"] for job in graph.jobs(dag) for table in job["tables"]}
    return [kind.value, *(tag.value for tag in (Tag.BRONZE, Tag.SILVER, Tag.GOLD) if tag.value in layers)]


def owner(dag: str) -> str:
    """Returns the teams that own a DAG's tables."""
    return ",".join(sorted({owner for job in graph.jobs(dag) for owner in job["owners"]})) or policies.OWNER
