"""A contract more, in a copy of contracts and DAGs: its tasks, its commands and its table are there with no other edit."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import DAGS

PROGRAMS = os.environ.get("SLUICE_ALL_CLIS")
BRONZE, SILVER = "bronze_snowflake_goals", "silver_goals"
# A contract that is there is like the new one but for its name, its source, its team, and how often something new is promised.
LIKE_BRONZE, LIKE_SILVER = "snowflake_campaign_targets", "campaign_targets"
TEAM = "growth-team"
# What a folder of DAGs draws: each job with its owner and the launcher's arguments, and what can be chosen by hand.
DRAW = """
import json, sys
sys.path.insert(0, sys.argv[2])
import conftest
sys.path.insert(0, sys.argv[1])
import test_dags
from airflow.dag_processing.dagbag import DagBag
assert str(test_dags.graph.FILE).startswith(sys.argv[1]), test_dags.graph.FILE
bag = DagBag(sys.argv[1], include_examples=False)
assert not bag.import_errors, bag.import_errors
arguments = {name: request["job_driver"]["sparkSubmit"]["entryPointArguments"] for name, request in test_dags.rendered(bag.dags)}
owners = {f"{dag.dag_id}.{task.task_id}": task.owner for dag in bag.dags.values() for task in dag.tasks}
choices = bag.dags["lake_backfill"].params.get_param("tables").schema["items"]["enum"]
print("drawn", json.dumps({"arguments": arguments, "owners": owners, "choices": choices}))
"""
SOURCES = {
    "KAFKA_BOOTSTRAP": "kafka:9093", "SNOWFLAKE_ACCOUNT": "a", "SNOWFLAKE_USER": "u", "REDSHIFT_DATABASE": "d",
}  # fmt: skip
TRANSIENT, CONFIG = 75, 2


def replaced(text: str, pairs: dict[str, str]) -> str:
    """Returns a text with words replaced, each of which must be there."""
    for old, new in pairs.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def add_contracts(contracts: Path) -> None:
    """Adds a table of the warehouse, promised every half hour, and the Silver table that is made of it."""
    team = {"team: {name: data-team}": f"team: {{name: {TEAM}}}"}
    bronze = (contracts / f"bronze/{LIKE_BRONZE}.odcs.yaml").read_text()
    frequency = {"frequency, value: 1, unit: d": "frequency, value: 30, unit: m"}
    names = {LIKE_BRONZE: "snowflake_goals", LIKE_SILVER: "goals", "CAMPAIGN_TARGETS": "GOALS"}
    (contracts / "bronze/snowflake_goals.odcs.yaml").write_text(replaced(bronze, names | frequency | team))
    silver = (contracts / f"silver/{LIKE_SILVER}/contract.odcs.yaml").read_text()
    # Without its references to tables of other jobs, which would have it wait for them.
    start, end = silver.index("    relationships:\n"), silver.index("slaProperties:\n")
    (contracts / "silver/goals").mkdir()
    names = {LIKE_BRONZE: "snowflake_goals", LIKE_SILVER: "goals"}
    (contracts / "silver/goals/contract.odcs.yaml").write_text(replaced(silver[:start] + silver[end:], names | team))


def program(*arguments: str, more: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end."""
    return subprocess.run([str(PROGRAMS), *arguments], env=os.environ | SOURCES | (more or {}), capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """Returns a copy of contracts and DAGs with two contracts more, its graph made anew, and what its DAGs draw."""
    if not PROGRAMS:
        pytest.skip("SLUICE_ALL_CLIS names no executable: nothing can be derived from contracts")
    root = tmp_path_factory.mktemp("repository")
    shutil.copytree(DAGS, root / "dags", ignore=shutil.ignore_patterns("tests", "__pycache__"))
    shutil.copytree(DAGS.parent / "contracts", root / "contracts")
    add_contracts(root / "contracts")
    planned = program("run-pipeline", "plan", "--output", "json", "--contracts", str(root / "contracts"))
    assert planned.returncode == 0, planned.stderr
    (root / "dags/graph.json").write_text(planned.stdout)
    drawn = [sys.executable, "-c", DRAW, str(root / "dags"), str(Path(__file__).parent)]
    done = subprocess.run(drawn, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("drawn ")]
    return SimpleNamespace(root=root, contracts=root / "contracts", graph=json.loads(planned.stdout), **json.loads(line.split(" ", 1)[1]))


def commands(copy) -> dict[str, list[list[str]]]:
    """Returns the commands of the new tables by the task that runs them, as the launcher shows them."""
    launcher, found = copy.root / "dags/jobs/launcher.py", {}
    for task, arguments in copy.arguments.items():
        steps = [json.loads(text) for flag, text in zip(arguments, arguments[1:], strict=False) if flag == "--step"]
        if not any(step.get("table") in (BRONZE, SILVER) for step in steps):
            continue
        shown = subprocess.run([sys.executable, str(launcher), *arguments, "--show"], capture_output=True, text=True, check=True)
        every = [json.loads(line) for line in shown.stdout.splitlines()]
        found[task] = [[Path(first).name, *rest] for first, *rest in every if rest[0] in (BRONZE, SILVER)]
    return found


def test_the_tables_are_in_their_tasks_and_one_that_comes_often_has_a_task_of_its_own(copy):
    steps = {task: [tuple(command[:2]) for command in own] for task, own in commands(copy).items()}
    landed, made = [("ingest-snowflake", BRONZE), ("dq-check", BRONZE)], [("silverize", SILVER), ("dq-check", SILVER)]
    often = "lake_behavior.frequent_snowflake"
    assert steps == {"lake_daily.bronze_snowflake": landed, "lake_daily.silver_snowflake": made, often: landed + made}
    assert copy.owners[often] == TEAM
    assert set(copy.owners["lake_daily.bronze_snowflake"].split(",")) == {"data-team", TEAM}
    assert {BRONZE, SILVER} <= set(copy.choices), "they can be run by hand"


def test_their_commands_are_accepted(copy):
    for task, own in commands(copy).items():
        for command in own:
            done = program(*command, "--check-args")
            assert done.returncode == 0, f"{task}: {command}\n{done.stderr}"


def test_the_catalog_gets_them(copy):
    """What a sync writes comes from the Delta log and the contract; without a catalog it comes as far as asking for one."""
    told = program("run-pipeline", "check", "--output", "json", "--contracts", str(copy.contracts)).stdout
    tables = {table["table"]: table for table in map(json.loads, told.splitlines())}
    assert (tables[BRONZE]["place"], tables[SILVER]["place"]) == ("bronze/snowflake_goals", "silver/goals")
    assert {"campaign_id", "customer_id", "updated_at"} <= {column["name"] for column in tables[SILVER]["columns"]}
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ALLOW_HTTP": "true", "AWS_REGION": "eu-central-1"}

    def synced(table: str) -> int:
        options = ("--lake", "s3://lake/prod", "--contracts", str(copy.contracts), "--retries-max", "0")
        return program("catalog-sync", table, *options, more=nowhere).returncode

    assert [synced(table) for table in (BRONZE, SILVER, "silver_goal")] == [TRANSIENT, TRANSIENT, CONFIG]


def test_the_watchdog_knows_them(copy):
    """How often and how late something new may come is in the graph, which it reads."""
    table = copy.graph["tables"][BRONZE]
    assert (table["frequency_seconds"], table["owner"], table["jobs"]["lake_behavior"]) == (1800, TEAM, "frequent_snowflake")
    assert copy.graph["tables"][SILVER]["inputs"] == [BRONZE]
