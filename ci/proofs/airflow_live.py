"""A live Airflow runs the day by its schedule, and who is late is told: `ci/airflow-live` starts it.

`lake_watchdog` comes due first, at a time at which the day should be there and is not, and must publish it. Then `lake_daily` comes
due, hours after its deadline: its tasks must run, and its DeadlineAlert must be published by the triggerer. At last the watchdog looks
again and must find every layer there. Nothing here starts a run: DAGs are unpaused, the scheduler does the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
from proofs import day, ending, lake, places, stores
from proofs.airflow_api import ENDED, Airflow, waited

DAILY, WATCHDOG = "lake_daily", "lake_watchdog"
GRAPH = json.loads((places.ROOT / "dags" / "graph.json").read_text())
# Without those that are drawn only where a setting asks for them: nobody names a log group here.
DRAWN = {*GRAPH["dags"], WATCHDOG} - {"lake_telemetry"}
DAY = places.DAYS[0]
# The run that brings it.
STARTS = datetime.fromisoformat(DAY).replace(tzinfo=UTC) + timedelta(days=1, hours=2)
# When a layer is late after that: the guide's promise.
LATE = {"bronze": timedelta(minutes=30), "silver": timedelta(minutes=45), "gold": timedelta(minutes=90)}
# Of the watchdog's own schedule: a minute after Gold's deadline, and an hour later.
LOOKS = (STARTS + timedelta(minutes=91), STARTS + timedelta(minutes=151))
# Files of DAGs are read each half minute, a task is a process of some seconds; where other things run, all of it takes longer.
PARSED_SECONDS_MAX, LOOK_SECONDS_MAX, DAY_SECONDS_MAX, MESSAGE_SECONDS_MAX = 600, 900, 2700, 300


def local(*arguments: str, stdin: str | None = None) -> str:
    """Runs a command of `ci/aws-local`."""
    command = [str(places.ROOT / "ci" / "aws-local"), *arguments]
    done = subprocess.run(command, input=stdin, text=True, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{shlex.join(command)} ended with {done.returncode}")
    return done.stdout


class Inbox:
    """What people would get: a queue that is subscribed to the topic of alarms."""

    def __init__(self, env: dict[str, str]) -> None:
        keys = {"aws_access_key_id": env["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": env["AWS_SECRET_ACCESS_KEY"]}
        self.queue, self.topic = env["SLUICE_AWS_INBOX"], env["SLUICE_AWS_TOPIC"]
        self.sqs = boto3.client("sqs", endpoint_url=env["AWS_ENDPOINT_URL_SQS"], region_name=env["AWS_REGION"], **keys)
        self.taken: list[dict] = []

    def messages(self, subject: str) -> list[str]:
        """Returns what came so far under a subject; others stay for who asks for them."""
        while found := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                self.taken.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return [one["Message"] for one in self.taken if one.get("Subject") == subject and one["TopicArn"] == self.topic]

    def wait(self, subject: str) -> list[str]:
        """Waits for a message under a subject."""
        return waited(f"message `{subject}` in {self.queue}", MESSAGE_SECONDS_MAX, lambda: self.messages(subject))


@dataclass
class Stack:
    """The live stack of this proof, and what was found wrong with it."""

    airflow: Airflow
    inbox: Inbox
    lake: stores.Bucket
    problems: list[str]

    def expect(self, holds: bool, otherwise: str) -> None:
        """Notes what is wrong."""
        if not holds:
            self.problems.append(otherwise)


def said(text: str) -> None:
    """Tells how far it is."""
    print(f"airflow-live: {text}", flush=True)


def prepared(programs: Path, target: stores.Bucket) -> None:
    """Makes a lake that has history and lacks the day, which the sources have published."""
    day.fresh(target)
    env = day.environment() | day.connections()
    day.must(day.run(places.HISTORY, target, programs=programs, env=env), "history")
    day.sources("advance", DAY)
    said(f"{target} holds history; {DAY} is published and not read")


def started(target: stores.Bucket) -> Stack:
    """Starts the four processes of Airflow, with nothing due but what the proof wants."""
    due(WATCHDOG, LOOKS[0])
    due(DAILY, STARTS)
    jobs = subprocess.run([str(places.ROOT / "ci" / "pipeline-env")], text=True, stdout=subprocess.PIPE, check=True).stdout
    local("start", "--without", "trino", "--job-env", "-", stdin=jobs)
    env = dict(shlex.split(line)[1].split("=", 1) for line in local("env").splitlines())
    airflow = Airflow(env["AIRFLOW__API__BASE_URL"])
    stack = Stack(airflow, Inbox(env), target, [])
    waited("list of every DAG", PARSED_SECONDS_MAX, lambda: set(airflow.dags()) >= DRAWN)
    stack.expect(not airflow.import_errors(), f"files of DAGs do not import: {airflow.import_errors()}")
    stack.expect(not any(airflow.runs(dag) for dag in airflow.dags()), "there are runs before anything may start")
    return stack


def due(dag: str, at: datetime) -> None:
    """Lets a DAG come due once."""
    local("due", dag, at.isoformat())


def scheduled(stack: Stack, dag: str, at: datetime, seconds: float) -> dict:
    """Waits until the scheduler has started the run of a time and it has ended; returns the run."""
    airflow, name = stack.airflow, f"scheduled__{at.isoformat()}"
    # Until its file is read again, a DAG is due as it was before.
    waited(f"{dag} that is due at {at}", PARSED_SECONDS_MAX, lambda: _is_due(airflow, dag, at) or _run(airflow, dag, name))
    airflow.unpause(dag)
    began = time.monotonic()
    run = waited(f"end of {name} of {dag}", seconds, lambda: _run(airflow, dag, name, ENDED))
    how = (run["run_type"], run["triggered_by"])
    stack.expect(how == ("scheduled", "timetable"), f"{name} of {dag} is of the kind {how}, not started by its schedule")
    took = time.monotonic() - began
    said(
        f"{dag} was due at {at:%Y-%m-%d %H:%M} UTC, was started by its {run['triggered_by']}, ended {run['state']}: {took:.0f} s"
    )
    return run


def _run(airflow: Airflow, dag: str, name: str, states: tuple[str, ...] = ()) -> dict | None:
    found = (run for run in airflow.runs(dag) if run["dag_run_id"] == name and (not states or run["state"] in states))
    return next(found, None)


def _is_due(airflow: Airflow, dag: str, at: datetime) -> bool:
    next_run = airflow.dags()[dag]["next_dagrun_run_after"]
    return next_run is not None and datetime.fromisoformat(next_run) == at


def missing_day(stack: Stack) -> None:
    """The watchdog looks at a lake without the day: each job's deadline was missed, and the topic is told."""
    run = scheduled(stack, WATCHDOG, LOOKS[0], LOOK_SECONDS_MAX)
    tasks = stack.airflow.tasks(WATCHDOG, run["dag_run_id"])
    ended = (run["state"], tasks["late_layers"]["state"])
    stack.expect(ended == ("failed", "failed"), f"over a lake without the day the watchdog and its late_layers are {ended}")
    told = stack.inbox.wait(f"{WATCHDOG}: late_layers")
    wanted = [_late(job) for job in GRAPH["dags"][DAILY]["jobs"] if job["tables"]]
    stack.expect(told == ["\n".join(wanted)], f"the watchdog should have told once that all jobs are late, and told {told}")
    said(f"the topic got from the watchdog: {len(wanted)} jobs are late, such as `{wanted[0]}`")


def _late(job: dict) -> str:
    by = STARTS + LATE[job["layer"]]
    return f"{job['layer']} is late: {job['job']} was due at {by:%Y-%m-%d %H:%M} UTC and lacks {', '.join(job['tables'])}"


def whole_day(stack: Stack) -> str:
    """The day runs, late: all of its tasks end well, and the deadline of the run is told by the triggerer. Returns the run."""
    run = scheduled(stack, DAILY, STARTS, DAY_SECONDS_MAX)
    name = run["dag_run_id"]
    tasks = stack.airflow.tasks(DAILY, name)
    ill = {task: found["state"] for task, found in tasks.items() if found["state"] != "success" or found["try_number"] != 1}
    stack.expect(run["state"] == "success" and not ill, f"{DAILY} is {run['state']}; not well at the first try: {ill}")
    stack.expect(set(tasks) == {job["job"] for job in GRAPH["dags"][DAILY]["jobs"]}, f"tasks are {sorted(tasks)}")
    told = stack.inbox.wait("Gold is late")
    by = STARTS + LATE["gold"]
    wanted = f"{DAILY} has not ended by {by}: run {name}."
    stack.expect(told == [wanted], f"the deadline should have told once `{wanted}`, and told {told}")
    said(f"the topic got from the deadline: `{told[0]}`")
    return name


def in_the_lake(stack: Stack) -> None:
    """What the tasks did is in the lake: each job left one record of a good end, with the versions that its tables have."""
    files = [file for file in stack.lake.files() if file.startswith("ops/attempts/")]
    records = [record for record in map(json.loads, map(stack.lake.read, files)) if "steps" in record]
    stack.expect(len(records) == len(GRAPH["dags"][DAILY]["jobs"]), f"{len(records)} jobs left a record of their end")
    versions = {place.replace("/", "_", 1): version for place, version in lake.versions(stack.lake).items()}
    by_job = {record["job"]: record for record in records}
    for job in GRAPH["dags"][DAILY]["jobs"]:
        record = by_job.get(job["job"], {})
        stack.expect((record.get("exit"), record.get("window")) == (0, DAY), f"{job['job']} left {record or 'no record'}")
        told, there = ({table: of.get(table) for table in job["tables"]} for of in (record.get("versions", {}), versions))
        stack.expect(told == there, f"{job['job']} handed over {told}, and in the lake are {there}")
    said(f"{len(records)} jobs left a record of their end, with the versions that {len(versions)} tables of the lake have")


def content(stack: Stack) -> None:
    """The watchdog looks once more: of the layers it has nothing to tell."""
    due(WATCHDOG, LOOKS[1])
    run = scheduled(stack, WATCHDOG, LOOKS[1], LOOK_SECONDS_MAX)
    task = stack.airflow.tasks(WATCHDOG, run["dag_run_id"])["late_layers"]
    stack.expect(task["state"] == "success", f"with the day there, late_layers of the watchdog is {task['state']}")
    stack.expect(len(stack.inbox.messages(f"{WATCHDOG}: late_layers")) == 1, "the watchdog tells of late layers that are there")


def nothing_else(stack: Stack) -> None:
    """The scheduler has started what came due and nothing more."""
    runs = {dag: [run["dag_run_id"] for run in stack.airflow.runs(dag)] for dag in stack.airflow.dags()}
    wanted = {DAILY: [STARTS], WATCHDOG: [*LOOKS]}
    for dag, found in runs.items():
        names = [f"scheduled__{at.isoformat()}" for at in wanted.get(dag, [])]
        stack.expect(found == names, f"runs of {dag} are {found}, expected {names}")


def picture(stack: Stack, options: argparse.Namespace, run: str) -> None:
    """The graph view of the run, as people see it."""
    command = [
        options.browser_python, "-m", "proofs.airflow_picture", "--browser", options.browser, "--address", stack.airflow.address,
        "--dag", DAILY, "--run", run, "--to", str(options.picture),
    ]  # fmt: skip
    done = subprocess.run(command, check=False)
    stack.expect(done.returncode == 0, "the graph view is not as it should be")


def parse() -> argparse.Namespace:
    """Returns the options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=Path, required=True, help="what loads history")
    parser.add_argument("--browser", required=True)
    parser.add_argument("--browser-python", required=True, help="a Python that can drive it")
    parser.add_argument("--picture", type=Path, default=places.HOME / "lake_daily.png", help="where the graph view is left")
    return parser.parse_args()


def main() -> int:
    """Runs the proof on a stack without Airflow, and starts that; 1 when something is wrong."""
    options, began = parse(), time.monotonic()
    target = stores.Bucket(os.environ["SLUICE_AWS_LAKE"])
    prepared(options.programs, target)
    stack = started(target)
    missing_day(stack)
    run = whole_day(stack)
    in_the_lake(stack)
    content(stack)
    nothing_else(stack)
    picture(stack, options, run)
    return ending.told(
        "airflow-live", f"3 runs by schedule, 2 ways to the topic, 1 picture, {time.monotonic() - began:.0f} s", stack.problems
    )


if __name__ == "__main__":
    raise SystemExit(main())
