"""Fixtures of all DAG tests: settings, a lake in a directory, a service that only lives in memory."""

import os
import sys
import tempfile
from pathlib import Path

DAGS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(DAGS), str(Path(__file__).resolve().parent)]
HOME = tempfile.TemporaryDirectory(prefix="sluice-dags-")
SETTINGS = {
    "AIRFLOW_HOME": HOME.name,
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    # A database that cannot be opened: nothing here may need one.
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////nonexistent/airflow.db",
    "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AIRFLOW__SLUICE__LAKE": "s3://lake/prod",
    "AIRFLOW__SLUICE__ARTIFACTS": "s3://artifacts/sluice",
    "AIRFLOW__SLUICE__APPLICATION_ID": "00f0000000000001",
    "AIRFLOW__SLUICE__ROLE_ARN": "arn:aws:iam::123456789012:role/sluice-{job}",
    "AIRFLOW__SLUICE__TOPIC_ARN": "arn:aws:sns:eu-central-1:123456789012:alarms",
    "AIRFLOW__SLUICE__DRIVER_ENV": '{"KAFKA_BOOTSTRAP": "kafka:9093", "AWS_REGION": "eu-central-1"}',
    "AIRFLOW__SLUICE__LOG_GROUP": "/sluice/jobs",
    "AIRFLOW__SLUICE__TELEMETRY": "/sluice/prod",
    "AIRFLOW__SLUICE__POLL_SECONDS": "1",
}
# Before Airflow is imported: it reads its configuration then.
os.environ.update(SETTINGS)

import pytest  # noqa: E402
from service import Service  # noqa: E402


@pytest.fixture(scope="session")
def dags():
    """Returns all DAGs by name."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(DAGS), include_examples=False)
    assert not bag.import_errors
    return bag.dags


@pytest.fixture
def service(monkeypatch):
    """Returns the service that every AWS client of the test talks to."""
    found = Service()
    call = lambda client, operation, parameters: found.call(client, operation, parameters)  # noqa: E731: bound to each client
    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", call)
    monkeypatch.setattr("time.sleep", lambda _: None)
    return found


@pytest.fixture
def lake(tmp_path, monkeypatch):
    """Returns a lake in a directory, set as the one that jobs run on."""
    monkeypatch.setenv("AIRFLOW__SLUICE__LAKE", str(tmp_path))
    return tmp_path
