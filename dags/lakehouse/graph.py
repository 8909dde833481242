"""Reads `graph.json`, which `run-pipeline plan` derives from the contracts; its shape stands in `dags/README.md`."""

import json
from functools import cache
from pathlib import Path

SCHEMA_VERSION = 1
FILE = Path(__file__).resolve().parent.parent / "graph.json"


@cache
def load(file: Path = FILE) -> dict:
    """Returns the whole graph."""
    found = json.loads(file.read_text())
    if found.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(f"{file} has schema_version {found.get('schema_version')}, expected {SCHEMA_VERSION}: make it anew")
    return found


def jobs(dag: str) -> list[dict]:
    """Returns the jobs of a DAG, each after those that it waits for."""
    return load()["dags"][dag]["jobs"]


def every_seconds(dag: str) -> int:
    """Returns the time between two runs of a DAG."""
    return load()["dags"][dag]["every_seconds"]


def tables() -> dict[str, dict]:
    """Returns every table by name."""
    return load()["tables"]


def builds(job: str, table: str) -> bool:
    """Whether a job builds a table, in any DAG."""
    return job in tables().get(table, {"jobs": {}})["jobs"].values()


def made_of(names: set[str]) -> set[str]:
    """Returns the tables and all that is made of them."""
    found = set(names)
    while True:
        more = {name for name, table in tables().items() if name not in found and found & set(table["inputs"])}
        if not more:
            return found
        found |= more
