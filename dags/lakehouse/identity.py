"""The identity of a job: the same for every attempt of a task, and another token for each."""

import json
import uuid
from dataclasses import dataclass
from typing import Any

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "airflow.sluice")


@dataclass(frozen=True)
class Attempt:
    """One attempt of one task of one DAG run."""

    dag: str
    job: str
    run_id: str
    number: int

    @property
    def client_token(self) -> str:
        """Returns what the service knows a request by: a second request with it answers with the first one's job."""
        return f"{self.run_id}-{self.number}"

    @property
    def name(self) -> str:
        """Returns the name of the job in the service."""
        return f"{self.stem}{self.number}"

    @property
    def stem(self) -> str:
        """Returns what the names of all attempts begin with."""
        return f"{self.dag}.{self.job}.{self.run_id}."

    @property
    def path(self) -> str:
        """Returns where the launcher leaves the record of the attempt's end, below the lake."""
        return f"ops/attempts/{self.run_id}/{self.number}.json"


def run_id(dag: str, dag_run: str, task: str, map_index: int) -> str:
    """Returns the id of a task's run. As JSON, no two different parts read the same."""
    return str(uuid.uuid5(NAMESPACE, json.dumps([dag, dag_run, task, map_index])))


def of(context: Any) -> Attempt:
    """Returns the attempt that is running."""
    ti = context["ti"]
    map_index = -1 if ti.map_index is None else ti.map_index
    return Attempt(ti.dag_id, ti.task_id, run_id(ti.dag_id, ti.run_id, ti.task_id, map_index), ti.try_number)
