"""What the service is asked to run: the launcher with one job and its steps. Pure, so that snapshots hold it."""

import json
from dataclasses import dataclass, field
from datetime import timedelta

from lakehouse import graph, policies, settings
from lakehouse.identity import Attempt


@dataclass(frozen=True)
class Choice:
    """Which steps of a job run, and with what arguments more than usual."""

    # None: all.
    tables: frozenset[str] | None = None
    generation: int = 1
    full_refresh: bool = False
    # Arguments of every step that fills a Bronze table.
    landing: tuple[str, ...] = ()
    # Arguments of every gate of a Bronze table.
    passing: tuple[str, ...] = ()
    # Log group below which those of telemetry are, and the stream in each.
    telemetry: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Order:
    """A job that is to run."""

    job: dict
    attempt: Attempt
    window: str
    release: str
    versions: dict[str, int] = field(default_factory=dict)
    choice: Choice = Choice()


def steps(job: dict, choice: Choice) -> list[dict]:
    """Returns the chosen steps of a job with their arguments."""
    chosen = [step for step in job["steps"] if choice.tables is None or step.get("table", "") in {"", *choice.tables}]
    return [{**step, "inputs": _inputs(step, choice), "arguments": _arguments(step, choice)} for step in chosen]


def _inputs(step: dict, choice: Choice) -> list[str]:
    """Returns the tables whose versions a step is given.

    A window that is in already tells the version that it came with. A rebuild from that is refused once its table has read on, so
    what is checked for a rebuild is the newest version, and that one is handed on.
    """
    rebuilds = choice.full_refresh or choice.generation > 1
    newest = rebuilds and step["work"] == "check" and graph.tables()[step["table"]]["layer"] == "bronze"
    return [table for table in step["inputs"] if not (newest and table == step["table"])]


def turn(job: dict, choice: Choice) -> list[dict]:
    """Returns the steps of a turn beside the job's last step, with their arguments; none for most jobs."""
    return steps({"steps": job["turns"]["steps"]}, choice) if job.get("turns") else []


def _arguments(step: dict, choice: Choice) -> list[str]:
    if step["work"] == "send":
        return _sending(step["arguments"], choice)
    if step["work"] == "publish":
        return step.get("arguments", [])
    table = graph.tables()[step["table"]]
    if step["work"] != "build":
        return list(choice.passing) if table["layer"] == "bronze" else []
    if table["layer"] == "bronze":
        # Records of a stream have no window to run again.
        again = choice.generation > 1 and "kafka" not in table["sources"]
        return [*choice.landing, *(["--generation", str(choice.generation)] if again else [])]
    # A new generation takes rows out of Bronze, and what has removed rows is only read as a whole.
    anew = choice.full_refresh or (table["layer"] == "silver" and choice.generation > 1)
    return ["--full-refresh"] if anew else []


def _sending(words: list[str], choice: Choice) -> list[str]:
    """Returns the words of a step that sends, and where to; alarms have no log group."""
    if "--alarms" in words:
        return words
    group, stream = choice.telemetry
    return [*words, "--log-group", f"{group}/{policies.LOG_GROUPS[words[0]]}", "--log-stream", stream]


def launcher_arguments(order: Order) -> list[str]:
    """Returns the arguments of the launcher, each an item of its own: no shell reads them."""
    places = {name: settings.optional(name) for name in ("contracts", "secrets", "programs")}
    job = {
        "schema_version": 1,
        "job": order.attempt.job,
        "run_id": order.attempt.run_id,
        "attempt": order.attempt.number,
        "release": order.release,
        "lake": settings.required("lake"),
        "window": order.window,
        **{name: place for name, place in places.items() if place},
        "versions": order.versions,
    }
    found = ["--job", _json(job)]
    for step in steps(order.job, order.choice):
        found += ["--step", _json(step)]
    beside = turn(order.job, order.choice)
    for step in beside:
        found += ["--turn", _json(step)]
    return [*found, "--turn-seconds", str(order.job["turns"]["every_seconds"])] if beside else found


def _json(value: dict) -> str:
    return json.dumps(value, separators=(",", ":"))


def artifacts(release: str) -> str:
    """Returns the folder of a release, which never changes once it is there."""
    return f"{settings.required('artifacts').rstrip('/')}/{release}"


def job_driver(order: Order) -> dict:
    """Returns what the service starts."""
    cores, memory = policies.DRIVERS[order.job["layer"]]
    options = {
        "spark.archives": f"{artifacts(order.release)}/sluice.tar.gz#environment",
        "spark.driver.cores": cores,
        "spark.driver.memory": memory,
        "spark.dynamicAllocation.enabled": "false",
        "spark.executor.cores": "1",
        "spark.executor.instances": "1",
        "spark.executor.memory": "1g",
    }
    return {
        "sparkSubmit": {
            "entryPoint": f"{artifacts(order.release)}/launcher.py",
            "entryPointArguments": launcher_arguments(order),
            "sparkSubmitParameters": " ".join(f"--conf {name}={value}" for name, value in options.items()),
        }
    }


def overrides() -> dict | None:
    """Returns the variables of the programs and where their logs go."""
    found: dict = {}
    env = {f"spark.emr-serverless.driverEnv.{name}": value for name, value in sorted(settings.driver_env().items())}
    if env:
        found["applicationConfiguration"] = [{"classification": "spark-defaults", "properties": env}]
    group = settings.optional("log_group")
    if group:
        logs = {"enabled": True, "logGroupName": group, "logTypes": {"SPARK_DRIVER": ["STDOUT", "STDERR"]}}
        found["monitoringConfiguration"] = {"cloudWatchLoggingConfiguration": logs}
    return found or None


def patience(job: dict) -> timedelta:
    """Returns how long a job is waited for, from its start on; then it is ended."""
    minutes = job["timeout_minutes"]
    return timedelta(minutes=minutes) + policies.QUEUE if minutes else timedelta(minutes=policies.STREAM_MINUTES)


def config(order: Order) -> dict:
    """Returns the parts of the request that the operator has no parameter for.

    The token stands here, since only `config` may differ between attempts. Retries are Airflow's: the service makes one attempt.
    """
    return {
        "clientToken": order.attempt.client_token,
        "executionTimeoutMinutes": order.job["timeout_minutes"] or policies.STREAM_MINUTES_MAX,
        "retryPolicy": {"maxAttempts": 1},
        "tags": {"dag": order.attempt.dag, "job": order.attempt.job, "layer": order.job["layer"]},
    }
