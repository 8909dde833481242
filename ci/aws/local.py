"""Runs AWS on loopback: start, check, env, fault, due, stop. `ci/aws/README.md` says what stands for what, and what does not."""

from __future__ import annotations

import argparse
import fcntl
import json
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import airflow_stack
import emr_faults
import places
import processes
import stand_in
import trino_server
from checks import CHECKS, Failed

PARTS = ("airflow", "trino")
# What `--without` names: servers that stay down, and `dags`, without which nothing of Airflow is even installed.
CHOICES = (*PARTS, "dags")
# Exit of a command that this machine cannot run: counted as not run, never as passed.
NOT_RUN = 3
# The launcher says where lake and contracts are, and a job has no home but its folder.
OF_THE_LAUNCHER = ("LAKE_URI", "LAKE_CONTRACTS", "SLUICE_HOME")
DRIVER = "SNOWFLAKE_DRIVER"


def say(text: str) -> None:
    """Tells the caller how far it is; stdout is for `env`."""
    print(f"aws-local: {text}", file=sys.stderr, flush=True)


@contextmanager
def alone() -> Iterator[None]:
    """Holds the stack's lock: two commands at once would start servers twice."""
    places.AWS.mkdir(parents=True, exist_ok=True)
    with (places.AWS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def stack() -> dict:
    """Returns what `start` made."""
    if not places.STACK.is_file() or processes.running(stand_in.NAME) is None:
        raise SystemExit("aws-local: nothing runs: start it with ci/aws-local start")
    return json.loads(places.STACK.read_text())


def start(options: argparse.Namespace) -> None:
    """Starts what does not run; running it again changes nothing but the release and the jobs' variables."""
    started = time.monotonic()
    s3 = stand_in.start_s3()
    say("S3 (SeaweedFS) answers")
    ports = _ports()
    known = stand_in.variables(s3, ports["moto"])
    if _described().get("variables") != known and processes.every_process():
        # S3 came back elsewhere, or a start was interrupted: what runs was told of another stack.
        say(f"stopped {processes.stop_all()} processes of another start")
    pace = [f"--{name}-seconds={getattr(options, f'{name}_seconds')}" for name in ("start", "minute", "grace")]
    fresh = stand_in.start(known, ports["moto"], pace)
    say(f"moto and the EMR Serverless emulator {'answer' if fresh else 'ran already'}")
    # A release stays what it was until another is uploaded.
    made = {} if fresh else _described().get("made", {})
    jobs = _job_variables(options.job_env)
    made |= stand_in.prepare(known, known | jobs)
    document = {"ports": ports, "variables": known, "made": made, "jobs": jobs, "airflow": "", "parts": []}
    _write(document)
    if options.release:
        made |= stand_in.publish(known, options.release, options.launcher)
        say(f"release {made['release']} is in s3://{places.ARTIFACTS_BUCKET}")
    settings = airflow_stack.environment(known | airflow_stack.deployment(made, jobs), ports["airflow"])
    if "dags" not in options.without:
        document["airflow"] = airflow_stack.command()
        _write(document)
        airflow_stack.migrate(document["airflow"], settings)
        say("Airflow's database is up to date")
    for part in PARTS:
        if part in options.without or (part == "airflow" and not document["airflow"]):
            continue
        if part == "airflow":
            airflow_stack.start(document["airflow"], settings)
        else:
            trino_server.start(known, ports["trino"])
        document["parts"].append(part)
        _write(document)
        say(f"{part} answers on port {ports[part]}")
    say(f"up in {time.monotonic() - started:.1f} s; eval \"$(ci/aws-local env)\" to reach it")


def _described() -> dict:
    return json.loads(places.STACK.read_text()) if places.STACK.is_file() else {}


def _ports() -> dict[str, int]:
    """Returns the ports of what runs, and free ones for the rest."""
    holders = {"moto": stand_in.NAME, "airflow": "api-server", "trino": trino_server.NAME}
    kept = _described().get("ports", {})
    return {name: kept[name] if name in kept and processes.running(server) else processes.port(name) for name, server in holders.items()}


def _job_variables(file: Path | None) -> dict[str, str]:
    """Reads `export NAME=value` lines, such as ci/pipeline-env prints: where the sources are."""
    if file is None:
        return {}
    text = sys.stdin.read() if str(file) == "-" else file.read_text()
    words = (shlex.split(line)[1].partition("=") for line in text.splitlines() if line.startswith("export "))
    found = {name: value for name, _, value in words if not name.startswith("AWS_") and name not in OF_THE_LAUNCHER}
    # A job loads the release's own driver, not the one of the machine that starts it.
    return found | ({DRIVER: stand_in.SNOWFLAKE_DRIVER} if DRIVER in found else {})


def _write(document: dict) -> None:
    scratch = places.STACK.with_suffix(".part")
    scratch.touch(mode=0o600)
    scratch.write_text(json.dumps(document, indent=1))
    scratch.rename(places.STACK)


def environment() -> dict[str, str]:
    """Returns what a shell needs to reach the stack."""
    found = stack()
    made = {f"SLUICE_AWS_{name.upper()}": value for name, value in found["made"].items()}
    ports = {f"SLUICE_AWS_{name.upper()}_PORT": str(found["ports"][name]) for name in found["parts"]}
    own = {"SLUICE_AWS_LAKE": places.LAKE, "SLUICE_AWS_AIRFLOW_COMMAND": found["airflow"]}
    airflow = airflow_stack.variables(found["ports"]["airflow"]) | airflow_stack.deployment(found["made"], found["jobs"])
    return found["variables"] | airflow | made | ports | own


def check() -> int:
    """Asks every part that runs; returns how many do not hold."""
    found, failed, ran = stack(), 0, 0
    for part, one in CHECKS:
        if part and part not in found["parts"]:
            continue
        ran += 1
        try:
            print(f"ok    {one.__name__}: {one(found)}", flush=True)
        except Failed as error:
            failed += 1
            print(f"FAIL  {one.__name__}: {error}", flush=True)
    print(f"aws-local: {ran - failed} of {ran} checks hold")
    return failed


def stop(wipe: bool) -> None:
    """Stops every process of this home, jobs included."""
    count = processes.stop_all()
    stand_in.stop_s3(wipe)
    places.STACK.unlink(missing_ok=True)
    emr_faults.clear(places.FAULTS)
    if wipe:
        for folder in (places.AIRFLOW, places.JOBS, places.UNPACKED, places.LOGS, places.TRINO):
            shutil.rmtree(folder, ignore_errors=True)
    say(f"stopped {count} processes")


def parse() -> argparse.Namespace:
    """Returns the command and its options."""
    parser = argparse.ArgumentParser(prog="ci/aws-local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("start", help="start what does not run")
    one.add_argument("--without", action="append", choices=CHOICES, default=[], help="what is not needed; dags: nothing of Airflow is installed")
    one.add_argument("--release", type=Path, help="the archive of ci/bundle, to upload")
    one.add_argument("--launcher", type=Path, default=places.DAGS / "jobs" / "launcher.py")
    one.add_argument("--job-env", type=Path, help="`export` lines that every job gets; - is stdin (ci/pipeline-env)")
    one.add_argument("--start-seconds", type=float, default=0.0, help="what a worker takes to start (about 60 on the service)")
    one.add_argument("--minute-seconds", type=float, default=60.0, help="how long a minute of a job's time limit lasts")
    one.add_argument("--grace-seconds", type=float, default=45.0, help="what a cancelled driver gets to end by itself")
    commands.add_parser("env", help="print how to reach it, as `export` lines")
    commands.add_parser("check", help="ask every part that runs")
    one = commands.add_parser("fault", help="let something go wrong once, or more often")
    one.add_argument("kind", choices=emr_faults.KINDS)
    one.add_argument("--job", default="", help="only jobs whose name holds this")
    one.add_argument("--times", type=int, default=1)
    one.add_argument("--after-seconds", type=float, default=0.0, help="after the driver has started")
    one = commands.add_parser("due", help="let a DAG come due once, at a time of its schedule, and at no other")
    one.add_argument("dag")
    one.add_argument("time", type=_utc, help="such as 2018-01-01T02:00, UTC")
    one = commands.add_parser("stop", help="stop all of it")
    one.add_argument("--wipe", action="store_true", help="and delete what it holds")
    return parser.parse_args()


def _utc(text: str) -> datetime:
    """Reads a time; one without a zone is UTC."""
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def main() -> int:
    """Runs one command."""
    options = parse()
    with alone():
        match options.command:
            case "start":
                try:
                    start(options)
                except trino_server.NotHere as why:
                    say(f"NOT RUN: {why}")
                    return NOT_RUN
                except subprocess.CalledProcessError as error:
                    say(f"{shlex.join(map(str, error.cmd))} ended with {error.returncode}: see above")
                    return 1
            case "env":
                for name, value in environment().items():
                    print(f"export {name}={shlex.quote(value)}")
            case "check":
                return 1 if check() else 0
            case "fault":
                emr_faults.plant(places.FAULTS, emr_faults.Fault(options.kind, options.job, options.after_seconds), options.times)
                say(f"{options.kind} planted, {len(emr_faults.planted(places.FAULTS))} faults wait")
            case "due":
                airflow_stack.due(options.dag, options.time)
                say(f"{options.dag} is due at {options.time:%Y-%m-%d %H:%M} UTC, once it is not paused")
            case "stop":
                stop(options.wipe)
    return 0


if __name__ == "__main__":
    sys.exit(main())
