"""Where the stack keeps things. One module, so that servers, checks and commands cannot disagree about a path or a name."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("SLUICE_HOME") or REPOSITORY / ".sluice").resolve()
AWS = HOME / "aws"
LOGS = AWS / "logs"
FAULTS = AWS / "faults"
JOBS = AWS / "jobs"
UNPACKED = AWS / "unpacked"
AIRFLOW = AWS / "airflow"
TRINO = AWS / "trino"
S3 = AWS / "s3"
# What `start` made, and how it is reached; `env` prints it.
STACK = AWS / "stack.json"
PORTS = AWS / "ports.json"
DAGS = REPOSITORY / "dags"

REGION = "us-east-1"
ACCOUNT = "123456789012"
LAKE_BUCKET = "lake"
LAKE = f"s3://{LAKE_BUCKET}/lake"
ARTIFACTS_BUCKET = "artifacts"
APPLICATION = "sluice"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/sluice-jobs"
TOPIC = "sluice-alerts"
# What is subscribed to the topic, so that a test can read what people would get.
INBOX = "sluice-alerts-inbox"
# SNS, Glue and the others stand on moto; S3 on SeaweedFS. Every SDK reads these names.
MOTO_SERVICES = (
    "ATHENA", "CLOUDWATCH", "CLOUDWATCH_LOGS", "EMR_SERVERLESS", "EVENTBRIDGE", "GLUE", "IAM", "KMS", "LAKEFORMATION",
    "SECRETS_MANAGER", "SNS", "SQS", "SSM", "STS",
)  # fmt: skip
