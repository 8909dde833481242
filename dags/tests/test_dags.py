"""The DAGs as documents: they import, keep the policies, and are drawn from the graph alone."""

import json
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk import CronTriggerTimetable
from conftest import DAGS
from lakehouse import graph, policies
from running import AT, Instance, begin

SNAPSHOTS = Path(__file__).parent / "snapshots"
NAMES = {"lake_daily", "lake_behavior", "lake_stream", "lake_backfill", "lake_watchdog", "lake_telemetry"}
SECONDS_MAX, TRIES = 3, 3
# Airflow would give up after 30 s and tell that instead.
PATIENCE = {"AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300"}
# Only Airflow's own start-up is not counted: it is the same for a folder without DAGs.
IMPORT = """
import socket, sys, time
asked = []
def refuse(what):
    def refused(*_, **__):
        # Noted as well: whoever asks may live with a refusal.
        asked.append(what)
        raise OSError(f"the import of the DAGs uses {what}")
    return refused
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse("the network")
from sqlalchemy.engine import Engine
Engine.connect = Engine.raw_connection = refuse("the database")
from airflow.sdk.execution_time import context
context._get_variable = context._get_connection = refuse("the database, by Airflow's variables and connections")
from airflow.dag_processing.dagbag import DagBag
began = time.monotonic()
bag = DagBag(sys.argv[1], include_examples=False)
assert not asked and not bag.import_errors, (asked, bag.import_errors)
print("tasks", sorted(f"{dag.dag_id}.{task.task_id}" for dag in bag.dags.values() for task in dag.tasks))
print("seconds", time.monotonic() - began)
"""


def imported(folder: Path, settings: bool = True) -> dict[str, str]:
    """Imports the DAGs of a folder in a process of its own and returns what it prints."""
    env = {name: value for name, value in os.environ.items() if settings or not name.startswith("AIRFLOW__SLUICE__")}
    command = [sys.executable, "-c", IMPORT, str(folder)]
    done = subprocess.run(command, env=env | PATIENCE | {"PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if line.startswith(("tasks ", "seconds ")))


def same(name: str, lines: list[str]) -> None:
    """Compares with a snapshot; SNAPSHOT_UPDATE=1 writes it anew."""
    text = "\n".join(lines) + "\n"
    file = SNAPSHOTS / name
    if os.environ.get("SNAPSHOT_UPDATE"):
        file.write_text(text)
    assert file.read_text() == text, f"{file} is not what the DAGs say: look at the difference, then SNAPSHOT_UPDATE=1"


def test_the_dags_import_in_three_seconds_without_network_database_and_settings():
    # What else the machine does at the time makes an import slower, and none faster: the first that is quick enough proves it.
    seconds = []
    while len(seconds) < TRIES and min(seconds, default=SECONDS_MAX) >= SECONDS_MAX:
        seconds.append(float(imported(DAGS, settings=False)["seconds"]))
    assert min(seconds) < SECONDS_MAX, seconds


@pytest.mark.parametrize(("line", "what"), [
    ("Variable.get('sluice_release', default=None)", "the database"),
    ("Connection.get('aws_default')", "the database"),
    ("boto3.client('sns', config=Config(retries={'max_attempts': 0})).list_topics()", "the network"),
])  # fmt: skip
def test_an_import_that_asks_somebody_is_noticed_even_when_it_lives_without_an_answer(tmp_path, line, what):
    imports = "import boto3\nfrom airflow.sdk import Connection, Variable\nfrom botocore.config import Config\n"
    (tmp_path / "asks.py").write_text(f"{imports}try:\n    {line}\nexcept Exception:\n    pass\n# dag airflow\n")
    with pytest.raises(AssertionError, match=what):
        imported(tmp_path)


def test_nothing_is_sent_where_no_setting_says_where_to():
    without, drawn = (json.loads(imported(DAGS, settings)["tasks"].replace("'", '"')) for settings in (False, True))
    assert set(drawn) - set(without) == {"lake_telemetry.telemetry_lineage", "lake_telemetry.telemetry_metrics"}


def test_the_folder_holds_these_dags(dags):
    assert set(dags) == NAMES == {file.stem for file in DAGS.glob("*.py")}


def test_every_dag_keeps_the_policies(dags):
    tags = {tag.value for tag in policies.Tag}
    for dag in dags.values():
        assert dag.tags and set(dag.tags) <= tags, dag.dag_id
        assert all(word in dag.doc_md for word in ("*What.*", "*Owner.*", "*Is a rerun safe?*", "*When it fails.*")), dag.dag_id
        assert dag.dagrun_timeout and not dag.catchup and dag.max_active_runs == 1, dag.dag_id
        assert dag.description and dag.start_date == policies.START
        for task in dag.tasks:
            teams = getattr(task, "job", {}).get("owners") or [policies.OWNER]
            assert task.owner == ",".join(teams), task.task_id
            assert task.retries == (policies.RETRIES_AT_THE_END if task.is_teardown else policies.RETRIES), task.task_id
            assert task.retry_delay == policies.RETRY_DELAY == timedelta(minutes=1)
            assert task.retry_exponential_backoff == policies.RETRY_BACKOFF and task.max_retry_delay
            assert task.execution_timeout and task.execution_timeout < dag.dagrun_timeout, task.task_id
            assert task.doc_md, task.task_id


def test_a_failure_of_every_dag_is_told(dags):
    told = {name: [notifier.target_arn for notifier in dag.on_failure_callback or []] for name, dag in dags.items()}
    # The watchdog tells its findings itself.
    assert told.pop("lake_watchdog") == []
    assert all(targets == [os.environ["AIRFLOW__SLUICE__TOPIC_ARN"]] for targets in told.values()), told


@pytest.mark.parametrize("name", ["lake_daily", "lake_backfill"])
def test_a_day_is_published_however_it_ended_and_that_decides_nothing(dags, name):
    tasks = {task.task_id: task for task in dags[name].tasks}
    last = tasks.pop("ops_publish")
    assert last.is_teardown and not last.on_failure_fail_dagrun and last.upstream_task_ids == set(tasks)
    assert last.trigger_rule == "all_done_setup_success" and not last.downstream_task_ids
    assert not any(task.is_teardown or task.on_failure_callback for task in tasks.values())
    # The run's own notifier does not see it.
    (notifier,) = last.on_failure_callback
    assert notifier.target_arn == os.environ["AIRFLOW__SLUICE__TOPIC_ARN"] and "{{ task.task_id }}" in notifier.subject


def test_a_task_is_waited_for_longer_than_its_job_may_take(dags):
    for dag in dags.values():
        for task in dag.tasks:
            minutes = getattr(task, "job", {}).get("timeout_minutes")
            if minutes:
                waits = timedelta(seconds=task.waiter_delay * task.waiter_max_attempts)
                assert timedelta(minutes=minutes) < waits < task.execution_timeout, task.task_id


def test_schedules_are_those_of_the_requirement(dags):
    crons = {name: dags[name].schedule for name in ("lake_daily", "lake_behavior", "lake_telemetry")}
    often = {"lake_behavior": "*/15 * * * *", "lake_telemetry": "*/15 * * * *"}
    assert {name: cron.expression for name, cron in crons.items()} == {"lake_daily": "0 2 * * *", **often}
    # Not a bare expression: whose time a run bears would be a setting of Airflow.
    assert all(isinstance(cron, CronTriggerTimetable) and str(cron.timezone) == "UTC" for cron in crons.values())
    assert dags["lake_stream"].schedule == "@continuous"
    assert dags["lake_backfill"].schedule is None


def test_the_graph_is_drawn_as_it_was(dags):
    lines = []
    for name, dag in sorted(dags.items()):
        for task in sorted(dag.tasks, key=lambda task: task.task_id):
            lines.append(f"{name}: {task.task_id} -> {', '.join(sorted(task.downstream_task_ids)) or '-'}")
    same("graph.txt", lines)


def handed(job: dict) -> dict:
    """Returns XComs in which every job before has handed on version 7 of its tables."""
    jobs = {each["job"]: each for each in graph.jobs("lake_daily")}
    return {(before, "versions"): dict.fromkeys(jobs[before]["tables"], 7) for before in job["after"]}


BACKFILL = {"window": "2017-12-30", "tables": ["bronze_fx_rates"], "downstream": True, "generation": 2, "full_refresh": False}


def rendered(dags) -> list[tuple[str, dict]]:
    """Returns each drawn job with its request, for a fixed run."""
    found = []
    for name, dag in sorted(dags.items()):
        for task in dag.tasks:
            if not hasattr(task, "job"):
                continue
            ti = Instance(name, task.task_id, xcoms=handed(task.job))
            task, _ = begin(task, ti, BACKFILL if name == "lake_backfill" else None)
            found.append((f"{name}.{task.task_id}", {field: getattr(task, field) for field in task.template_fields}))
    return found


def test_commands_are_rendered_as_they_were(dags):
    lines = []
    for name, request in rendered(dags):
        submit = request["job_driver"]["sparkSubmit"]
        lines += [f"== {name} ({request['name']})", f"role {request['execution_role_arn']}", f"config {json.dumps(request['config'])}"]
        lines += [f"entry {submit['entryPoint']}", f"spark {submit['sparkSubmitParameters']}"]
        lines += [f"overrides {json.dumps(request['configuration_overrides'])}", *submit["entryPointArguments"]]
    same("commands.txt", lines)


def test_the_stream_takes_turns_to_silver_and_no_other_job_does(dags):
    turns = {name: arguments_of(request, "--turn") for name, request in rendered(dags)}
    found = turns.pop("lake_stream.stream_kafka_orders")
    assert not any(turns.values())
    first, *others = [json.loads(step) for step in found]
    assert (first["program"], first["table"], first["arguments"]) == ("dq-check", "bronze_kafka_orders", ["--skip-when-empty"])
    built = {step["table"] for step in others if step["program"] == "silverize"}
    assert built == {name for name, table in graph.tables().items() if name.startswith("silver_") and first["table"] in table["inputs"]}
    assert {step["table"] for step in others if step["program"] == "dq-check"} == built
    doc = dags["lake_stream"].get_task("stream_kafka_orders").doc_md
    assert "`silverize silver_orders`" in doc and "`dq-check silver_orders`, at most every 900 s" in doc


def arguments_of(request: dict, option: str) -> list[str]:
    """Returns the values of an option of the launcher."""
    arguments = request["job_driver"]["sparkSubmit"]["entryPointArguments"]
    return [value for name, value in zip(arguments[::2], arguments[1::2], strict=True) if name == option]


def test_telemetry_goes_below_the_log_group_of_the_setting(dags):
    steps = [json.loads(step) for name, request in rendered(dags) if name.startswith("lake_telemetry") for step in arguments_of(request, "--step")]
    stream = ["--log-stream", "lake_telemetry"]
    assert [step["arguments"] for step in steps] == [
        ["deliver", "--log-group", "/sluice/prod/lineage", *stream],
        ["metrics", "--alarms"],
        ["metrics", "--log-group", "/sluice/prod/metrics", *stream],
    ]
    # What cannot be sent stops nothing: neither the other job nor another DAG.
    assert all(not task.downstream_task_ids and not task.outlets for task in dags["lake_telemetry"].tasks)


def test_nothing_is_left_of_a_template_and_no_argument_is_too_long(dags):
    for name, request in rendered(dags):
        assert "{{" not in json.dumps(request), name
        submit = request["job_driver"]["sparkSubmit"]
        assert len(submit["entryPointArguments"]) <= 1024 and len(submit["entryPoint"]) <= 4096, name
        assert len(request["name"]) <= 256, name


def test_every_input_is_handed_over_by_a_job_before():
    """A build reads exactly what passed, so no input of a build may come from elsewhere."""
    jobs = {job["job"]: job for job in graph.jobs("lake_daily")}
    for job in jobs.values():
        known = {table for before in [*job["after"], job["job"]] for table in jobs[before]["tables"]}
        for step in job["steps"]:
            assert set(step["inputs"]) <= known, f"{job['job']}: {step['program']} {step.get('table')}"


def test_the_daily_run_builds_every_table(dags):
    built = {table for task in dags["lake_daily"].tasks for table in task.job["tables"]}
    assert built == set(graph.tables())


def test_every_command_is_accepted_by_its_program(dags):
    launcher, programs = DAGS / "jobs/launcher.py", os.environ.get("SLUICE_ALL_CLIS")
    if not programs:
        pytest.skip("SLUICE_ALL_CLIS names no executable: commands are not held against the programs")
    env = os.environ | {"KAFKA_BOOTSTRAP": "kafka:9093", "SNOWFLAKE_ACCOUNT": "a", "SNOWFLAKE_USER": "u"}
    env |= {"REDSHIFT_HOST": "r", "REDSHIFT_DATABASE": "d", "REDSHIFT_USER": "u", "LAKE_URI": os.environ["AIRFLOW__SLUICE__LAKE"]}
    accepted = set()
    for name, request in rendered(dags):
        arguments = request["job_driver"]["sparkSubmit"]["entryPointArguments"]
        if "--step" not in arguments:
            # A backfill of other tables.
            assert name.startswith("lake_backfill."), name
            continue
        shown = subprocess.run([sys.executable, str(launcher), *arguments, "--show"], capture_output=True, text=True, check=True)
        for line in shown.stdout.splitlines():
            program, *rest = json.loads(line)
            command = [programs, Path(program).name, *rest, "--check-args"]
            done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{name}: {command}\n{done.stderr}"
            accepted.add((name.split(".")[0], Path(program).name, *rest[:1]))
    jobs = [(dag, job) for dag, found in graph.load()["dags"].items() for job in found["jobs"]]
    steps = [(dag, step) for dag, job in jobs for step in [*job["steps"], *job.get("turns", {"steps": []})["steps"]]]
    words = [(dag, step["program"], [step["table"]] if "table" in step else step.get("arguments", [])) for dag, step in steps]
    assert accepted >= {(dag, program, *found[:1]) for dag, program, found in words}


def test_the_graph_is_that_of_the_contracts():
    programs = os.environ.get("SLUICE_ALL_CLIS")
    if not programs:
        pytest.skip("SLUICE_ALL_CLIS names no executable: the graph is not held against the contracts")
    command = [programs, "run-pipeline", "plan", "--output", "json", "--contracts", str(DAGS.parent / "contracts")]
    fresh = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    stale = "dags/graph.json is stale: run-pipeline plan --output json > dags/graph.json"
    assert (DAGS / "graph.json").read_text() == fresh, stale


def test_a_contract_more_is_a_task_more_with_no_other_edit(tmp_path):
    copy = tmp_path / "dags"
    shutil.copytree(DAGS, copy, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    found = json.loads((copy / "graph.json").read_text())
    table = {**found["tables"]["bronze_fx_rates"], "sources": ["weather"], "jobs": {"lake_daily": "bronze_weather"}}
    step = {"program": "ingest-weather", "table": "bronze_weather_days", "work": "build", "inputs": [], "timeout_seconds": 60}
    daily = found["dags"]["lake_daily"]["jobs"]
    job = {**daily[0], "job": "bronze_weather", "tables": ["bronze_weather_days"], "steps": [step]}
    found["tables"]["bronze_weather_days"] = table
    found["dags"]["lake_daily"]["jobs"] = [job, *daily]
    (copy / "graph.json").write_text(json.dumps(found))
    before, after = (set(json.loads(imported(folder)["tasks"].replace("'", '"'))) for folder in (DAGS, copy))
    assert after - before == {"lake_daily.bronze_weather", "lake_backfill.bronze_weather"} and before < after


def test_gold_has_a_deadline_that_the_triggerer_can_tell(dags):
    (alert,) = dags["lake_daily"].deadline
    assert AT + alert.interval == AT.replace(hour=3, minute=30)
    assert alert.reference.reference_name == "DagRunLogicalDateDeadline"
    # The triggerer does not have the DAGs' folder on its path.
    assert alert.callback.path.startswith("airflow.providers.")
