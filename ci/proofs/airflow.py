"""Runs DAGs by Airflow's own command on the stack of `ci/aws-local`, and reads what Airflow, the service and the lake say of it.

Nothing is imported of Airflow: its command runs in its own environment, and its database is read as a table. Of the DAGs' own
package (`dags` must be on the path) only what imports nothing of Airflow either.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import boto3
from lakehouse import graph, identity
from proofs import places, stores
from proofs.stores import Place

LOGS = places.PROOFS / "airflow-logs"
# A day on the slowest machine that a proof is run on; beyond it something hangs.
SECONDS_MAX = 3600
# What the last job of a day makes of its commits and verdicts.
PUBLISHED = ("ops/runs", "ops/ledger", "ops/quality_scores")


@dataclass(frozen=True)
class Task:
    """What became of a task."""

    state: str | None
    tries: int
    versions: dict[str, int] | None


@dataclass(frozen=True)
class Run:
    """A DAG run that has ended."""

    dag: str
    id: str
    state: str
    code: int
    seconds: float
    tasks: dict[str, Task]
    log: Path

    def run_id(self, job: str) -> str:
        """Returns the id that every attempt of a job has."""
        return identity.run_id(self.dag, self.id, job, -1)

    def record(self, lake: Place, job: str, attempt: int) -> dict | None:
        """Returns what an attempt left at its end; None where it left nothing."""
        path = f"ops/attempts/{self.run_id(job)}/{attempt}.json"
        store = stores.of(lake)
        return json.loads(store.read(path)) if path in store.files() else None

    def job_runs(self, job: str) -> list[dict]:
        """Returns the service's runs of a job, oldest first."""
        return job_runs(f"{self.dag}.{job}.{self.run_id(job)}.")


def service():
    """Returns a client of EMR Serverless; the environment leads to it."""
    return boto3.client("emr-serverless")


def job_runs(stem: str) -> list[dict]:
    """Returns the service's runs whose name begins with this, oldest first."""
    found = service().get_paginator("list_job_runs").paginate(applicationId=os.environ["SLUICE_AWS_APPLICATION"])
    return sorted(
        (run for page in found for run in page["jobRuns"] if run["name"].startswith(stem)), key=lambda run: run["createdAt"]
    )


def only(*jobs: str) -> list[str]:
    """Returns the option by which all other tasks are marked as done and not run."""
    return ["--mark-success-pattern", f"(?!({'|'.join(jobs)})$).*"]


def test(dag: str, at: datetime, *, env: dict[str, str], more: list[str] | None = None) -> Run:
    """Runs a DAG for an instant with `airflow dags test`, which runs its tasks one after another in its own process."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{dag}-{at.strftime('%Y%m%dT%H%M%S')}.log"
    command = [os.environ["SLUICE_AWS_AIRFLOW_COMMAND"], "dags", "test", *(more or []), dag, at.isoformat()]
    # What is on this proof's path is not on Airflow's. Without a topic a DAG has no deadline: the command of 3.2.1 cannot end a run of
    # one that has (it asks the database for alerts that only a scheduler's copy of the DAG has numbers of).
    env = {name: value for name, value in env.items() if name != "PYTHONPATH"} | {"AIRFLOW__SLUICE__TOPIC_ARN": ""}
    began, started = time.monotonic(), datetime.now(UTC)
    with log.open("wb") as out:
        done = subprocess.run(
            command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, timeout=SECONDS_MAX, check=False
        )
    seconds = time.monotonic() - began
    with _database() as rows:
        # Of an instant there is one run: the command deletes an earlier one.
        said = rows("SELECT run_id, state FROM dag_run WHERE dag_id = ? AND run_after >= ?", dag, _text(started))
        if len(said) != 1:
            raise SystemExit(f"`airflow dags test {dag}` made {len(said)} runs and ended with {done.returncode}: read {log}")
        (name, state), tasks = said[0], {}
        for task, became, tries in rows("SELECT task_id, state, try_number FROM task_instance WHERE dag_id = ? AND run_id = ?", dag, name):
            told = rows("SELECT value FROM xcom WHERE dag_id = ? AND run_id = ? AND task_id = ? AND key = 'versions'", dag, name, task)
            tasks[task] = Task(became, tries, json.loads(told[0][0]) if told else None)
    return Run(dag, name, state, done.returncode, seconds, tasks, log)


def _text(instant: datetime) -> str:
    """Returns an instant as the database writes it."""
    return instant.strftime("%Y-%m-%d %H:%M:%S.%f")


@contextmanager
def _database() -> Iterator:
    """Opens Airflow's database for reading."""
    file = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as opened:
        yield lambda query, *values: opened.execute(query, values).fetchall()


def jobs(dag: str) -> list[dict]:
    """Returns the jobs of a DAG, each after those that it waits for."""
    return graph.jobs(dag)
