"""moto with the emulator, SeaweedFS, and what every deployment has before its first run: buckets, an application, a topic."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import boto3

import places
import processes
from emr_driver import DRIVER_VARIABLE

NAME = "moto"
START_SECONDS_MAX = 60
LABEL = "emr-spark-8.0.0"
# What the release's archive is unpacked to, beside the driver.
UNPACKED = "environment"
# In the archive; a job's folder is where its programs run.
SNOWFLAKE_DRIVER = f"./{UNPACKED}/lib/libadbc_driver_snowflake.so"


def start_s3() -> dict[str, str]:
    """Starts SeaweedFS, in a place of its own, and returns the variables that lead to it."""
    command = [str(places.REPOSITORY / "ci" / "s3"), "up"]
    done = subprocess.run(command, env=_s3_home(), check=True, stdout=subprocess.PIPE, text=True)
    words = (shlex.split(line)[1].partition("=") for line in done.stdout.splitlines() if line.startswith("export "))
    return {name: value for name, _, value in words if name.startswith("AWS_")}


def stop_s3(wipe: bool) -> None:
    """Stops SeaweedFS."""
    command = [str(places.REPOSITORY / "ci" / "s3"), "down", *(["--wipe"] if wipe else [])]
    subprocess.run(command, env=_s3_home(), check=True)


def _s3_home() -> dict[str, str]:
    return {**os.environ, "SLUICE_S3_HOME": str(places.S3)}


def variables(s3: dict[str, str], moto_port: int) -> dict[str, str]:
    """Returns what leads any SDK to the stack: S3 by the general name, which is what the tables' store reads, the rest by service."""
    address = f"http://127.0.0.1:{moto_port}"
    found = {**s3, "AWS_DEFAULT_REGION": places.REGION, "AWS_ENDPOINT_URL_S3": s3["AWS_ENDPOINT_URL"]}
    return found | {f"AWS_ENDPOINT_URL_{service}": address for service in places.MOTO_SERVICES}


def start(known: dict[str, str], moto_port: int, pace: list[str]) -> bool:
    """Starts moto unless it runs; returns whether it was started, and so is empty."""
    fresh = processes.running(NAME) is None
    if fresh:
        server = Path(__file__).parent / "server.py"
        shell = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONDONTWRITEBYTECODE": "1"}
        processes.start(NAME, [sys.executable, str(server), str(moto_port), str(places.AWS), *pace], {**shell, **known})
    processes.wait_until(NAME, lambda: answers(known), START_SECONDS_MAX)
    return fresh


def answers(known: dict[str, str]) -> bool:
    """Returns whether moto answers."""
    try:
        client("sts", known).get_caller_identity()
    except Exception:
        return False
    return True


def client(service: str, known: dict[str, str]) -> object:
    """Returns a client of a service of the stack, whatever the shell exports."""
    # boto3 names two services otherwise than the variables do.
    name = {"logs": "cloudwatch-logs", "secretsmanager": "secrets-manager"}.get(service, service)
    return boto3.client(
        service, endpoint_url=known[f"AWS_ENDPOINT_URL_{name.replace('-', '_').upper()}"], region_name=places.REGION,
        aws_access_key_id=known["AWS_ACCESS_KEY_ID"], aws_secret_access_key=known["AWS_SECRET_ACCESS_KEY"],
    )  # fmt: skip


def prepare(known: dict[str, str], jobs: dict[str, str]) -> dict[str, str]:
    """Makes what a deployment has, once; `jobs` are the variables that every job gets. Returns names and ids."""
    s3 = client("s3", known)
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou, s3.exceptions.BucketAlreadyExists):
        s3.create_bucket(Bucket=places.ARTIFACTS_BUCKET)
    settings = {f"{DRIVER_VARIABLE}{name}": value for name, value in sorted(jobs.items())}
    token = hashlib.sha256(json.dumps(settings).encode()).hexdigest()
    application = client("emr-serverless", known).create_application(
        name=places.APPLICATION, releaseLabel=LABEL, type="SPARK", clientToken=token,
        runtimeConfiguration=[{"classification": "spark-defaults", "properties": settings}],
        schedulerConfiguration={"maxConcurrentRuns": 15},
    )["applicationId"]  # fmt: skip
    sns, sqs = client("sns", known), client("sqs", known)
    topic = sns.create_topic(Name=places.TOPIC)["TopicArn"]
    queue = sqs.create_queue(QueueName=places.INBOX)["QueueUrl"]
    inbox = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=inbox)
    return {"application": application, "topic": topic, "inbox": queue, "role": places.ROLE}


def publish(known: dict[str, str], archive: Path, launcher: Path) -> dict[str, str]:
    """Uploads a release under its hash and returns where it is: what a job's `spark.archives` and entry point are."""
    with archive.open("rb") as opened:
        release = hashlib.file_digest(opened, "sha256").hexdigest()[:16]
    s3 = client("s3", known)
    for file, name in ((archive, "sluice.tar.gz"), (launcher, "launcher.py")):
        s3.upload_file(str(file), places.ARTIFACTS_BUCKET, f"{release}/{name}")
    prefix = f"s3://{places.ARTIFACTS_BUCKET}/{release}"
    return {"release": release, "archives": f"{prefix}/sluice.tar.gz#{UNPACKED}", "entry_point": f"{prefix}/launcher.py"}
