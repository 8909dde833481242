"""Airflow of one home: its environment, its database, and the four processes of a live stack (LocalExecutor on sqlite)."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import urllib.request
from datetime import datetime
from pathlib import Path

import places
import processes

SERVERS = {
    "api-server": ("api-server",),
    "dag-processor": ("dag-processor",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
# Beside a build each of the four takes minutes; all are up in one where nothing else runs.
START_SECONDS_MAX = 600
# Two tasks at once: a worker is a process of 200 MB.
PARALLELISM = 2
# Between two looks at a job: nobody here counts requests.
POLL_SECONDS = 1


def command() -> str:
    """Returns the `airflow` of the locked environment, which is installed when it is missing."""
    venv = subprocess.run(
        [places.REPOSITORY / "ci" / "lib" / "venv", "airflow"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    return str(Path(venv) / "bin" / "airflow")


def variables(port: int) -> dict[str, str]:
    """Returns Airflow's own settings; what leads to AWS stands beside them."""
    address = f"http://127.0.0.1:{port}"
    return {
        "AIRFLOW_HOME": str(places.AIRFLOW),
        "AIRFLOW__CORE__DAGS_FOLDER": str(places.DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__PARALLELISM": str(PARALLELISM),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{places.AIRFLOW}/airflow.db",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": _kept("jwt_secret"),
        "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",
        # On a machine with much to do a task's first question is answered late, and imports take long: neither is an error.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",
        "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "180",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        # Found by the SDK's own names, as on the service.
        "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
    }


def deployment(made: dict[str, str], jobs: dict[str, str]) -> dict[str, str]:
    """Returns what the DAGs are told: the options `sluice.*` of the managed service, and the release, which is a variable."""
    settings = {
        "LAKE": places.LAKE, "ARTIFACTS": f"s3://{places.ARTIFACTS_BUCKET}", "APPLICATION_ID": made["application"],
        "ROLE_ARN": made["role"], "TOPIC_ARN": made["topic"], "DRIVER_ENV": json.dumps(jobs, sort_keys=True),
        "POLL_SECONDS": str(POLL_SECONDS),
    }  # fmt: skip
    found = {f"AIRFLOW__SLUICE__{name}": value for name, value in settings.items()}
    return found | ({"AIRFLOW_VAR_SLUICE_RELEASE": made["release"]} if "release" in made else {})


def _kept(name: str) -> str:
    """Returns a secret of this home, made when it is first asked for."""
    path = places.AIRFLOW / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32))
    return path.read_text()


def due(dag: str, at: datetime) -> None:
    """Lets a DAG come due once, at a time of its schedule, instead of at all times; `airflow_config` is where it is looked up."""
    file = places.AIRFLOW / "due.json"
    known = json.loads(file.read_text()) if file.is_file() else {}
    file.parent.mkdir(parents=True, exist_ok=True)
    # In one piece: files of DAGs are being read meanwhile.
    scratch = file.with_suffix(".part")
    scratch.write_text(json.dumps(known | {dag: at.isoformat()}))
    scratch.rename(file)


def migrate(airflow: str, environment: dict[str, str]) -> None:
    """Makes the database, or brings it up to date."""
    places.LOGS.mkdir(parents=True, exist_ok=True)
    log = places.LOGS / "airflow-migrate.log"
    with log.open("wb") as out:
        done = subprocess.run([airflow, "db", "migrate"], env=environment, stdout=out, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise SystemExit(f"aws-local: `airflow db migrate` failed; read {log}")


def start(airflow: str, environment: dict[str, str]) -> None:
    """Starts what does not run, and waits until all of it is healthy."""
    for name, arguments in SERVERS.items():
        if processes.running(name) is None:
            processes.start(name, [airflow, *arguments], environment)
    health = f"{environment['AIRFLOW__API__BASE_URL']}/api/v2/monitor/health"
    for name in SERVERS:
        part = {"api-server": "metadatabase", "dag-processor": "dag_processor"}.get(name, name)
        processes.wait_until(name, lambda part=part: _healthy(health, part), START_SECONDS_MAX)


def _healthy(address: str, part: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return json.load(answer)[part]["status"] == "healthy"
    except (OSError, KeyError, ValueError, TypeError):
        return False


def environment(known: dict[str, str], port: int) -> dict[str, str]:
    """Returns the whole environment of Airflow's processes: nothing of the shell but what a process needs."""
    shell = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ}
    policy = {"PYTHONPATH": str(Path(__file__).parent / "airflow_config")}
    return {**shell, **known, **variables(port), **policy, "PYTHONDONTWRITEBYTECODE": "1"}
