"""What `ci/aws-local check` asks: every part by a client that is not ours, and that parts see one another."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Callable

import airflow_stack
import places
import stand_in
import trino_server

JOB_SECONDS_MAX = 60
MESSAGE_SECONDS_MAX = 20
DRIVER = "import os, sys; sys.exit(0 if os.environ.get('AWS_ENDPOINT_URL_GLUE') else 1)\n"


class Failed(Exception):
    """What a check found wrong."""


def check_bucket(found: dict) -> str:
    """A conditional put is refused when the object is there: commits of tables rest on it."""
    s3, key = stand_in.client("s3", found["variables"]), f"checks/{os.urandom(8).hex()}"
    s3.put_object(Bucket=places.LAKE_BUCKET, Key=key, Body=b"1", IfNoneMatch="*")
    try:
        s3.put_object(Bucket=places.LAKE_BUCKET, Key=key, Body=b"2", IfNoneMatch="*")
    except s3.exceptions.ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 412:
            s3.delete_object(Bucket=places.LAKE_BUCKET, Key=key)
            return "the second conditional put is refused"
        raise Failed(f"the second conditional put ends with {error}") from error
    raise Failed("the second conditional put is taken")


def check_job(found: dict) -> str:
    """A job runs, once per token, with its entry point from the bucket and the deployment's environment."""
    s3, emr = (stand_in.client(name, found["variables"]) for name in ("s3", "emr-serverless"))
    s3.put_object(Bucket=places.ARTIFACTS_BUCKET, Key="checks/driver.py", Body=DRIVER.encode())
    entry, token = f"s3://{places.ARTIFACTS_BUCKET}/checks/driver.py", os.urandom(8).hex()
    request = {
        "applicationId": found["made"]["application"], "clientToken": token, "executionRoleArn": places.ROLE,
        "jobDriver": {"sparkSubmit": {"entryPoint": entry}}, "name": "check",
    }  # fmt: skip
    job = emr.start_job_run(**request)["jobRunId"]
    if emr.start_job_run(**request)["jobRunId"] != job:
        raise Failed("one token started two jobs")
    give_up_at = time.monotonic() + JOB_SECONDS_MAX
    while True:
        run = emr.get_job_run(applicationId=request["applicationId"], jobRunId=job)["jobRun"]
        if run["state"] in ("SUCCESS", "FAILED", "CANCELLED"):
            break
        if time.monotonic() > give_up_at:
            raise Failed(f"the job is {run['state']} after {JOB_SECONDS_MAX} s")
        time.sleep(0.1)
    if run["state"] != "SUCCESS":
        raise Failed(f"the job is {run['state']}: {run['stateDetails']}; its output is under {places.JOBS / job}")
    return f"job {job} ran once and succeeded"


def check_topic(found: dict) -> str:
    """What is published to the topic arrives in the inbox."""
    sns, sqs = (stand_in.client(name, found["variables"]) for name in ("sns", "sqs"))
    text = f"check {os.urandom(8).hex()}"
    sns.publish(TopicArn=found["made"]["topic"], Message=text)
    give_up_at = time.monotonic() + MESSAGE_SECONDS_MAX
    while time.monotonic() < give_up_at:
        # Others' messages stay: they are seen, not taken.
        answer = sqs.receive_message(
            QueueUrl=found["made"]["inbox"], MaxNumberOfMessages=10, VisibilityTimeout=0, WaitTimeSeconds=1
        )
        for message in answer.get("Messages", []):
            if json.loads(message["Body"])["Message"] == text:
                sqs.delete_message(QueueUrl=found["made"]["inbox"], ReceiptHandle=message["ReceiptHandle"])
                return "a message reached its subscriber"
    raise Failed(f"no message within {MESSAGE_SECONDS_MAX} s")


def check_airflow(found: dict) -> str:
    """All four processes are healthy."""
    address = airflow_stack.variables(found["ports"]["airflow"])["AIRFLOW__API__BASE_URL"]
    with urllib.request.urlopen(f"{address}/api/v2/monitor/health", timeout=10) as answer:
        said = json.load(answer)
    ill = [name for name, part in said.items() if part.get("status") != "healthy"]
    if ill:
        raise Failed(f"not healthy: {', '.join(sorted(ill))}; logs are in {places.LOGS}")
    return f"{', '.join(sorted(said))} are healthy"


def check_trino(found: dict) -> str:
    """Trino reads, by Glue, what deltalake wrote to the bucket."""
    import pyarrow
    from deltalake import write_deltalake

    known, name = found["variables"], f"check_{os.urandom(4).hex()}"
    location = f"s3://{places.LAKE_BUCKET}/checks/{name}"
    store = {variable: known[variable] for variable in known if variable in (
        "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ALLOW_HTTP")}  # fmt: skip
    write_deltalake(location, pyarrow.table({"id": [1, 2, 3]}), storage_options=store)
    glue = stand_in.client("glue", known)
    glue.create_database(DatabaseInput={"Name": name})
    try:
        glue.create_table(DatabaseName=name, TableInput=_table(location))
        rows = trino_server.query(found["ports"]["trino"], f"SELECT count(*), sum(id) FROM {name}.numbers")
    finally:
        glue.delete_database(Name=name)
    if rows != [[3, 6]]:
        raise Failed(f"found {rows}, expected [[3, 6]]")
    return "a table of the bucket is read by Glue's entry"


def _table(location: str) -> dict:
    """Returns the entry of a Delta table, in the one shape that Trino reads."""
    return {
        "Name": "numbers", "TableType": "EXTERNAL_TABLE", "PartitionKeys": [],
        "Parameters": {"EXTERNAL": "TRUE", "table_type": "DELTA", "spark.sql.sources.provider": "delta", "classification": "delta"},
        "StorageDescriptor": {
            "Columns": [{"Name": "id", "Type": "bigint"}], "Location": location,
            "InputFormat": "org.apache.hadoop.mapred.SequenceFileInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
                "Parameters": {"serialization.format": "1", "path": location},
            },
        },
    }  # fmt: skip


# The part that must run, and the check.
CHECKS: list[tuple[str, Callable[[dict], str]]] = [
    ("", check_bucket), ("", check_job), ("", check_topic), ("airflow", check_airflow), ("trino", check_trino),
]  # fmt: skip
