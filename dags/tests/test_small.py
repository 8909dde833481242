"""Small pure parts: identities, windows, exit codes, choices, alarms."""

import asyncio
import json
import os
import re
import subprocess
import uuid
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from airflow.providers.amazon.aws.notifications.sns import SnsNotifier
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from lakehouse import graph, identity, policies, requests, settings, windows
from lakehouse.policies import Action
from lakehouse.requests import Choice
from running import AT, Instance, context, run
from service import job_of, leave, steps_of


def of(dag="lake_daily", task="gold", number=1, map_index=-1):
    return identity.of({"ti": Instance(dag, task, number, map_index=map_index)})


def test_a_retry_has_the_same_run_id_and_another_token():
    first, second = of(number=1), of(number=2)
    assert first.run_id == second.run_id and first.client_token != second.client_token
    assert uuid.UUID(first.run_id).version == 5


def test_other_tasks_runs_and_maps_have_other_run_ids():
    ids = [of().run_id, of(task="bronze_ecb").run_id, of(dag="lake_backfill").run_id, of(map_index=0).run_id, of(map_index=1).run_id]
    ids.append(identity.run_id("lake_daily", "manual__2026", "gold", -1))
    assert len(set(ids)) == len(ids)
    assert identity.run_id("a", "b c", "d", -1) != identity.run_id("a", "b", "c d", -1)


def test_run_ids_never_change():
    """The watchdog and a retry after an upgrade must find what an earlier release left."""
    assert of().run_id == "393fbbf1-9202-580a-8016-b76f5c7d0024"


@pytest.mark.parametrize("number", [1, 99])
def test_a_token_is_one_that_the_service_takes(number):
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", of(number=number).client_token)


def test_no_attempt_is_taken_for_another_whose_name_begins_alike():
    assert of(number=11).name.startswith(of(number=1).stem) and not of(task="gold2").name.startswith(of(task="gold").stem)


def test_a_daily_run_is_for_the_day_before():
    assert windows.day_before(context(None)) == "2026-11-28"
    east = AT.astimezone(timezone(timedelta(hours=9)))
    assert windows.day_before(context(None, at=east)) == "2026-11-28"


def test_a_run_that_was_asked_for_by_hand_has_no_logical_date():
    by_hand = {"dag_run": SimpleNamespace(logical_date=None, run_after=AT), "params": {}}
    assert windows.day_before(by_hand) == "2026-11-28"


def test_a_given_window_wins():
    assert windows.day_before(context(None, {"window": "2017-12-30"})) == "2017-12-30"
    assert windows.day_before(context(None, {"window": None})) == "2026-11-28"


@pytest.mark.parametrize("minute", [0, 7, 14])
def test_a_frequent_run_is_for_the_last_whole_interval(minute):
    at = datetime(2026, 11, 29, 0, minute, 3, tzinfo=timezone.utc)
    assert windows.last(900)(context(None, at=at)) == "2026-11-28T23:45:00Z/2026-11-29T00:00:00Z"


def test_every_exit_code_of_the_programs_is_decided():
    programs = os.environ.get("SLUICE_ALL_CLIS")
    if not programs:
        pytest.skip("SLUICE_ALL_CLIS names no executable: exit codes are not held against the programs")
    shown = subprocess.run([programs, "exit-codes", "--output", "json"], capture_output=True, text=True, check=True).stdout
    codes = {row["code"]: row["name"] for row in map(json.loads, shown.splitlines())}
    assert set(codes) == set(policies.EXIT_ACTIONS) - {130, 137, 143}
    actions = {"ok": Action.SUCCEED, "nothing": Action.SKIP, "transient": Action.RETRY}
    assert {code: actions.get(name, Action.FAIL) for code, name in codes.items()} == {code: policies.action(code) for code in codes}


def test_an_unknown_exit_code_is_a_bug():
    assert policies.action(139) is policies.action(3) is Action.FAIL
    assert policies.action(None) is Action.RETRY


def test_deadlines_are_those_of_the_guide():
    guide = (graph.FILE.parent.parent / "docs/guides/FRESHNESS_AND_CONTACTS.md").read_text()
    for layer, due in policies.DEADLINES.items():
        assert re.search(rf"\| {layer.title()} \| \d\d:\d\d \| {AT + due:%H:%M} \|", guide), layer


def arguments(choice):
    jobs = {job["job"]: job for job in graph.jobs("lake_daily")}
    names = ("bronze_kafka", "bronze_redshift", "silver_redshift", "gold")
    steps = [step for name in names for step in requests.steps(jobs[name], choice)]
    return {f"{step['program']} {step['table']}": step["arguments"] for step in steps}


def test_a_generation_is_asked_of_windowed_sources_and_rebuilds_silver():
    found = arguments(Choice(generation=3))
    assert found["ingest-redshift bronze_redshift_events"] == ["--generation", "3"]
    assert found["ingest-kafka bronze_kafka_orders"] == []
    assert found["silverize silver_behavior_events"] == ["--full-refresh"]
    assert found["goldify gold_fact_sales"] == found["dq-check silver_behavior_events"] == []


def test_a_full_refresh_is_asked_of_silver_and_gold():
    found = arguments(Choice(full_refresh=True))
    assert found["goldify gold_fact_sales"] == found["silverize silver_behavior_events"] == ["--full-refresh"]
    assert found["ingest-redshift bronze_redshift_events"] == found["dq-check gold_fact_sales"] == []


@pytest.mark.parametrize("choice", [Choice(full_refresh=True), Choice(generation=2)])
def test_a_rebuild_reads_the_newest_version_and_not_that_of_a_window_that_was_in_already(choice):
    jobs = {job["job"]: job for job in graph.jobs("lake_daily")}

    def inputs(chosen):
        every = [step for name in jobs for step in requests.steps(jobs[name], chosen) if "table" in step]
        return {f"{step['program']} {step['table']}": step["inputs"] for step in every}

    usual, found = inputs(Choice()), inputs(choice)
    assert usual["dq-check bronze_redshift_events"] == ["bronze_redshift_events"]
    assert {name for name in usual if found[name] != usual[name]} == {name for name in usual if name.startswith("dq-check bronze_")}
    assert found["dq-check bronze_redshift_events"] == []


def asked(**more):
    return {"window": "2017-12-30", "tables": [], "downstream": True, "generation": 1, "full_refresh": False, **more}


def test_a_backfill_runs_the_chosen_tables_and_what_is_made_of_them(dags, service, lake):
    service.work = lambda request: leave(lake, job_of(request), 0, {"bronze_fx_rates": 4}) or "SUCCESS"
    dag, xcoms = dags["lake_backfill"], {}
    run(dag.get_task("bronze_ecb"), Instance("lake_backfill", "bronze_ecb", xcoms=xcoms), asked(tables=["bronze_fx_rates"]))
    with pytest.raises(AirflowSkipException, match="none of the job's tables"):
        run(dag.get_task("bronze_kafka"), Instance("lake_backfill", "bronze_kafka", xcoms=xcoms), asked(tables=["bronze_fx_rates"]))
    for job in ("silver_snowflake", "bronze_snowflake"):
        xcoms[(job, "versions")] = {}
    xcoms[("silver_ecb", "versions")] = {"silver_fx_rates": 5}
    orders = Instance("lake_backfill", "silver_kafka_snowflake", xcoms=xcoms)
    run(dag.get_task("silver_kafka_snowflake"), orders, asked(tables=["silver_orders"], downstream=False))
    request = service.jobs["job1"]["request"]
    assert {step["table"] for step in steps_of(request)} == {"silver_orders"}
    assert job_of(request)["versions"] == {"silver_fx_rates": 5} and job_of(request)["window"] == "2017-12-30"


def test_all_that_is_made_of_a_table_is_found():
    found = graph.made_of({"bronze_fx_rates"})
    assert {"bronze_fx_rates", "silver_fx_rates", "gold_fact_sales"} <= found and "silver_contacts" not in found


def test_settings_that_cannot_be_read_name_themselves(monkeypatch):
    monkeypatch.setenv("AIRFLOW__SLUICE__DRIVER_ENV", "[1]")
    with pytest.raises(AirflowFailException, match="AIRFLOW__SLUICE__DRIVER_ENV"):
        settings.driver_env()


def test_a_failure_reaches_the_topic(dags, service):
    (notifier,) = dags["lake_daily"].on_failure_callback
    notifier({"dag": dags["lake_daily"], "run_id": "scheduled__x", "reason": "task_failure"})
    (message,) = service.messages
    assert message["Subject"] == "lake_daily failed" and "lake_daily failed: run scheduled__x." in message["Message"]


def test_a_missed_deadline_reaches_the_topic(dags, service):
    (alert,) = dags["lake_daily"].deadline
    told = {"dag_run": {"dag_id": "lake_daily", "dag_run_id": "scheduled__x"}, "deadline": {"id": 1, "deadline_time": AT}}
    published = []

    async def publish(_, **message):
        published.append(message)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("airflow.providers.amazon.aws.hooks.sns.SnsHook.apublish_to_target", publish)

        async def call():
            await SnsNotifier(**alert.callback.kwargs, context=told)

        asyncio.run(call())
    (message,) = published
    assert message["target_arn"].endswith(":alarms") and message["subject"] == "Gold is late"
    assert message["message"] == "lake_daily has not ended by 2026-11-29 02:00:00+00:00: run scheduled__x."
