"""The local stack's cluster policy: a DAG that is named comes due once, at its time, and every other one as its file says."""

import copy
import importlib.util
import json
from datetime import datetime, timezone
from pathlib import Path

import pytest
from airflow.serialization.serialized_objects import DagSerialization

POLICY = Path(__file__).parents[2] / "ci" / "aws" / "airflow_config" / "airflow_local_settings.py"
AT = datetime(2017, 12, 31, 2, tzinfo=timezone.utc)


@pytest.fixture
def narrowed(dags, tmp_path, monkeypatch):
    """Returns a DAG as the scheduler sees it once `due.json` says this."""
    spec = importlib.util.spec_from_file_location("airflow_local_settings", POLICY)
    policy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(policy)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))

    def seen(dag, due=None):
        if due is not None:
            (tmp_path / "due.json").write_text(json.dumps(due))
        found = copy.deepcopy(dags[dag])
        policy.dag_policy(found)
        return DagSerialization.deserialize_dag(DagSerialization.serialize_dag(found))

    return seen


def runs(dag):
    """Returns when the scheduler starts the DAG's runs, at most three of them."""
    found, last = [], None
    while len(found) < 3 and (last := dag.next_dagrun_info(last_automated_run_info=last)):
        found.append(last.run_after)
    return found


def test_a_named_dag_comes_due_once_at_its_time(narrowed):
    assert runs(narrowed("lake_daily", {"lake_daily": AT.isoformat()})) == [AT]


def test_a_time_that_is_not_of_the_schedule_is_never_due(narrowed):
    assert runs(narrowed("lake_daily", {"lake_daily": AT.replace(minute=1).isoformat()})) == []


def test_a_dag_that_is_not_named_is_left_as_it_is(narrowed):
    for found in (narrowed("lake_daily"), narrowed("lake_daily", {"lake_watchdog": AT.isoformat()})):
        assert len(runs(found)) == 3 and runs(found)[0].year > AT.year and not found.catchup and found.end_date is None
