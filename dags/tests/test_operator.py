"""What becomes of a task, for each way in which its job can end."""

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException, TaskDeferred
from lakehouse import graph, identity
from running import Instance, begin, run
from service import job_of, leave, steps_of

JOB = "bronze_ecb"
RETRIED, FAILED, SKIPPED = AirflowException, AirflowFailException, AirflowSkipException


def works(lake, exit_code, versions=None, state=None, **other):
    """Returns work that leaves a record and ends as the service shows it."""

    def work(request):
        leave(lake, job_of(request), exit_code, versions, **other)
        return state or ("SUCCESS" if exit_code == 0 else "FAILED")

    return work


def instance(number=1, **more):
    return Instance("lake_daily", JOB, number, **more)


@pytest.fixture
def task(dags):
    return dags["lake_daily"].get_task(JOB)


@pytest.mark.parametrize(
    ("exit_code", "ends"),
    [(1, FAILED), (2, FAILED), (65, FAILED), (75, RETRIED), (130, RETRIED), (137, RETRIED), (143, RETRIED), (99, SKIPPED), (139, FAILED)],
)
def test_an_exit_code_decides_what_becomes_of_a_task(task, service, lake, exit_code, ends):
    service.work = works(lake, exit_code)
    with pytest.raises(ends) as caught:
        run(task, instance())
    assert type(caught.value) is ends
    assert ends is SKIPPED or "it said so" in str(caught.value)


def test_a_job_that_ended_well_hands_on_its_versions(task, service, lake):
    service.work = works(lake, 0, {"bronze_fx_rates": 7})
    ti = instance()
    assert run(task, ti) == {"bronze_fx_rates": 7}
    assert ti.xcoms[(JOB, "versions")] == {"bronze_fx_rates": 7}


def test_the_next_layer_is_told_exactly_the_versions_that_passed(dags, service, lake):
    service.work = works(lake, 0, {"silver_fx_rates": 3})
    xcoms = {(JOB, "versions"): {"bronze_fx_rates": 7}}
    run(dags["lake_daily"].get_task("silver_ecb"), Instance("lake_daily", "silver_ecb", xcoms=xcoms))
    request = next(iter(service.jobs.values()))["request"]
    assert job_of(request)["versions"] == {"bronze_fx_rates": 7}
    assert "bronze_fx_rates" in steps_of(request)[0]["inputs"]


def test_a_tables_own_job_is_believed_before_one_that_only_read_it(dags, service):
    job = next(job for job in graph.jobs("lake_daily") if job["job"] == "silver_kafka_snowflake")
    xcoms = {(before, "versions"): {"bronze_snowflake_orders": 4, "silver_fx_rates": 4} for before in job["after"]}
    xcoms[("bronze_snowflake", "versions")] = {"bronze_snowflake_orders": 5}
    xcoms[("silver_ecb", "versions")] = {"silver_fx_rates": 6}
    task, _ = begin(dags["lake_daily"].get_task(job["job"]), Instance("lake_daily", job["job"], xcoms=xcoms))
    assert task.order.versions == {"bronze_snowflake_orders": 5, "silver_fx_rates": 6}


def test_a_job_without_the_versions_before_it_starts_nothing(dags, service, lake):
    with pytest.raises(FAILED, match="bronze_ecb handed over no versions"):
        run(dags["lake_daily"].get_task("silver_ecb"), Instance("lake_daily", "silver_ecb"))
    assert "StartJobRun" not in service.calls


def test_what_a_day_has_come_to_is_published_also_when_its_jobs_handed_on_nothing(dags, service, lake):
    service.work = works(lake, 0)
    assert run(dags["lake_daily"].get_task("ops_publish"), Instance("lake_daily", "ops_publish")) == {}
    request = next(iter(service.jobs.values()))["request"]
    assert job_of(request)["window"] == "2026-11-28" and job_of(request)["versions"] == {}
    assert [(step["program"], step["arguments"]) for step in steps_of(request)] == [
        ("run-pipeline", ["ledger", "--window", "{window}"]),
        ("catalog-sync", []),
    ]


def test_a_skipped_job_hands_on_what_it_knows(task, service, lake):
    service.work = works(lake, 99, {"bronze_fx_rates": 7})
    ti = instance()
    with pytest.raises(SKIPPED):
        run(task, ti)
    assert ti.xcoms[(JOB, "versions")] == {"bronze_fx_rates": 7}


@pytest.mark.parametrize("state", ["SUCCESS", "FAILED", "CANCELLED"])
def test_a_job_without_a_record_is_tried_again_whatever_the_service_shows(task, service, lake, state):
    service.work = lambda request: state
    with pytest.raises(RETRIED, match="left no record") as caught:
        run(task, instance())
    assert type(caught.value) is RETRIED


@pytest.mark.parametrize(
    "other",
    [{"attempt": 2}, {"run_id": "00000000-0000-0000-0000-000000000001"}, {"job": "gold"}]
    + [{"schema_version": 9}, {"exit": None}, {"exit": True}, {"versions": [1]}],
)
def test_the_record_of_another_attempt_is_not_believed(task, service, lake, other):
    service.work = works(lake, 0, state="SUCCESS", **other)
    with pytest.raises(RETRIED, match="left no record"):
        run(task, instance())


def test_a_torn_record_is_none(task, service, lake):
    def work(request):
        leave(lake, job_of(request), 0)
        path = lake / identity.of({"ti": instance()}).path
        path.write_bytes(path.read_bytes()[:20])
        return "SUCCESS"

    service.work = work
    with pytest.raises(RETRIED, match="left no record"):
        run(task, instance())


def test_a_record_counts_although_the_service_calls_the_job_failed(task, service, lake):
    service.work = works(lake, 0, {"bronze_fx_rates": 7}, state="FAILED")
    assert run(task, instance()) == {"bronze_fx_rates": 7}


def test_a_lost_job_is_tried_again(task, service, lake):
    def work(request):
        service.refuse["GetJobRun"] = ["ResourceNotFoundException"]
        return "RUNNING"

    service.work = work
    with pytest.raises(RETRIED, match="left no record"):
        run(task, instance())
    assert service.calls.count("GetJobRun") == 1


def test_a_job_is_not_ended_for_a_few_looks_without_an_answer(task, service, lake):
    def work(request):
        service.refuse["GetJobRun"] = ["ThrottlingException", "InternalServerException"]
        return works(lake, 0, {"bronze_fx_rates": 7})(request)

    service.work = work
    assert run(task, instance()) == {"bronze_fx_rates": 7}
    assert "CancelJobRun" not in service.calls and "ListJobRuns" not in service.calls


def test_a_job_that_takes_too_long_is_cancelled_and_its_end_waited_for(task, service, lake):
    task = task.prepare_for_execution()
    task.waiter_max_attempts = 3
    service.work = lambda request: "RUNNING"
    with pytest.raises(RETRIED, match="left no record"):
        run(task, instance())
    assert [job["state"] for job in service.jobs.values()] == ["CANCELLED"]


def test_a_stream_that_is_ended_in_time_ends_well(dags, service, lake):
    task = dags["lake_stream"].get_task("stream_kafka_orders").prepare_for_execution()
    task.waiter_max_attempts = 3
    service.work = lambda request: "RUNNING"
    service.cancelled = lambda request: leave(lake, job_of(request), 0, {"bronze_kafka_orders": 44}, signal="SIGTERM")
    assert run(task, Instance("lake_stream", "stream_kafka_orders")) == {"bronze_kafka_orders": 44}
    patience = dags["lake_stream"].get_task("stream_kafka_orders").waiter_max_attempts / 60
    assert service.jobs["job0"]["request"]["executionTimeoutMinutes"] > patience, "the service must not end it first"


def test_a_second_try_first_ends_the_one_before(task, service, lake):
    def alive(request):
        service.refuse["GetJobRun"] = ["ServiceUnavailable"] * 30
        service.refuse["ListJobRuns"] = ["ServiceUnavailable"]
        return "RUNNING"

    service.work = alive
    with pytest.raises(Exception, match="ServiceUnavailable"):
        run(task, instance())
    service.refuse.clear()
    first = service.jobs["job0"]
    assert first["state"] == "RUNNING"

    def second(request):
        assert first["state"] == "CANCELLED", "the second job started while the first one was alive"
        leave(lake, job_of(request), 0, {"bronze_fx_rates": 8})
        return "SUCCESS"

    service.work = second
    assert run(task, instance(2)) == {"bronze_fx_rates": 8}
    assert [job_of(job["request"])["attempt"] for job in service.jobs.values()] == [1, 2]
    assert len({job_of(job["request"])["run_id"] for job in service.jobs.values()}) == 1


def test_a_second_try_starts_nothing_while_the_one_before_does_not_end(task, service, lake, monkeypatch):
    service.jobs["job0"] = {"id": "job0", "name": identity.of({"ti": instance()}).name, "state": "RUNNING", "looks": 0}
    service.cancel_looks = 10**9
    ticks = iter(range(0, 10**6, 60))
    monkeypatch.setattr("lakehouse.operator.time.monotonic", lambda: next(ticks))
    with pytest.raises(RETRIED, match="does not end although it was cancelled"):
        run(task, instance(2))
    assert "StartJobRun" not in service.calls


def test_a_second_try_leaves_the_jobs_of_others_alone(task, service, lake):
    service.jobs["other"] = {"id": "other", "name": "lake_daily.bronze_kafka.x.1", "state": "RUNNING", "looks": 0}
    service.work = works(lake, 0)
    run(task, instance(2))
    assert service.jobs["other"]["state"] == "RUNNING"


@pytest.mark.parametrize("code", ["ThrottlingException", "TooManyRequestsException", "InternalServerException", "ConflictException"])
def test_a_start_that_was_throttled_is_tried_again(task, service, lake, code):
    service.refuse["StartJobRun"] = [code]
    with pytest.raises(Exception, match=code) as caught:
        run(task, instance())
    assert not isinstance(caught.value, FAILED)


@pytest.mark.parametrize("code", ["ValidationException", "AccessDeniedException", "ResourceNotFoundException"])
def test_a_start_that_will_never_be_accepted_fails_at_once(task, service, lake, code):
    service.refuse["StartJobRun"] = [code]
    with pytest.raises(FAILED, match=code):
        run(task, instance())


def test_the_same_try_sent_twice_is_one_job(task, service, lake):
    service.work = works(lake, 0)
    run(task, instance())
    run(task, instance())
    assert len(service.jobs) == 1


@pytest.mark.parametrize(("status", "exit_code", "ends"), [("success", 0, None), ("failure", 65, FAILED), ("failure", None, RETRIED)])
def test_a_deferred_task_is_judged_alike(task, service, lake, status, exit_code, ends):
    task, found = begin(task, instance())
    task.deferrable = True
    service.work = (lambda request: "RUNNING") if exit_code is None else works(lake, exit_code, {"bronze_fx_rates": 7})
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(found)
    assert deferred.value.method_name == "execute_complete"
    again, found = begin(task, found["ti"])
    if ends is None:
        assert again.execute_complete(found, {"status": status}) == {"bronze_fx_rates": 7}
        return
    with pytest.raises(ends):
        again.execute_complete(found, {"status": status, "message": "waited too long"})
    assert exit_code is not None or service.jobs["job0"]["state"] == "CANCELLED"


@pytest.mark.parametrize("error", ["Trigger timeout", "Trigger failure"])
def test_a_stream_whose_trigger_does_not_see_its_end_is_ended_and_judged(dags, service, lake, error):
    task, found = begin(dags["lake_stream"].get_task("stream_kafka_orders"), Instance("lake_stream", "stream_kafka_orders"))
    task.deferrable = True
    service.work = lambda request: "RUNNING"
    service.cancelled = lambda request: leave(lake, job_of(request), 0, {"bronze_kafka_orders": 44}, signal="SIGTERM")
    with pytest.raises(TaskDeferred):
        task.execute(found)
    again, found = begin(dags["lake_stream"].get_task("stream_kafka_orders"), found["ti"])
    # What Airflow does with a task whose trigger failed.
    assert again.resume_execution("__fail__", {"error": error}, found) == {"bronze_kafka_orders": 44}
    assert service.jobs["job0"]["state"] == "CANCELLED"


def test_a_lake_in_a_bucket_is_read_too(task, service, monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW__SLUICE__LAKE", "s3://lake/prod")

    def work(request):
        leave(tmp_path, job_of(request), 0, {"bronze_fx_rates": 9})
        for path in tmp_path.rglob("*.json"):
            service.objects[f"lake/prod/{path.relative_to(tmp_path)}"] = path.read_bytes()
        return "SUCCESS"

    service.work = work
    assert run(task, instance()) == {"bronze_fx_rates": 9}


def test_an_absent_setting_names_itself(task, service, monkeypatch):
    monkeypatch.delenv("AIRFLOW__SLUICE__APPLICATION_ID")
    with pytest.raises(FAILED, match="AIRFLOW__SLUICE__APPLICATION_ID"):
        run(task, instance())


def test_what_a_turn_ended_with_is_what_a_person_reads(dags, service, lake):
    beside = {"program": "silverize", "table": "silver_orders", "exit": 65, "why": "it removes rows"}
    landing = {"program": "ingest-kafka", "table": "bronze_kafka_orders", "exit": 0, "why": None}
    service.work = works(lake, 65, steps=[landing], turns={"steps": [{"exit": 0}, beside]})
    with pytest.raises(FAILED, match="silverize silver_orders ended with 65: it removes rows"):
        run(dags["lake_stream"].get_task("stream_kafka_orders"), Instance("lake_stream", "stream_kafka_orders"))
