"""What the watchdog finds in a lake, and what it does not."""

import json
from datetime import datetime, timedelta, timezone

import pytest
from airflow.sdk.exceptions import AirflowFailException
from lakehouse import graph, identity, watch
from lakehouse.lake import Directory
from running import Instance, context
from service import leave

# The day before is due: 02:31, 02:46 and 03:31 are when the watchdog looks.
DAY = datetime(2026, 11, 29, tzinfo=timezone.utc)
START = DAY.replace(hour=2)
FX = "bronze_fx_rates"


def at(hour: int, minute: int = 0) -> datetime:
    return DAY.replace(hour=hour, minute=minute)


def look(check: str, lake, now: datetime) -> list[str]:
    return getattr(watch, check)(watch.Watch(Directory(lake), now))


def record(lake, job: str, exit_code: int = 0, attempt: int = 1, started: datetime = START, **other) -> None:
    run_id = identity.run_id("lake_daily", f"scheduled__{started.isoformat()}", job, -1)
    leave(lake, {"job": job, "run_id": run_id, "attempt": attempt, "release": "x", "window": "y"}, exit_code, **other)


def commit(lake, table: str, version: int, when: datetime, start: datetime | None = None, end: datetime | None = None) -> None:
    layer, _, rest = table.partition("_")
    log = lake / layer / rest / "_delta_log"
    log.mkdir(parents=True, exist_ok=True)
    info = {"timestamp": int(when.timestamp() * 1000)}
    if start:
        info["sluice"] = {"window": f"{start:%Y-%m-%dT%H:%M:%SZ}/{end:%Y-%m-%dT%H:%M:%SZ}"}
    lines = [json.dumps({"protocol": {}}), json.dumps({"commitInfo": info})] if version else [json.dumps({"commitInfo": {}})]
    (log / f"{version:020}.json").write_text("\n".join(lines))


def days(lake, table: str, missing: set[int] = frozenset(), count: int = 10) -> None:
    """Lands the days before DAY, each at 02:05 of the day after, but those so many days ago."""
    commit(lake, table, 0, DAY)
    for version, ago in enumerate((ago for ago in range(count, 0, -1) if ago not in missing), start=1):
        end = DAY - timedelta(days=ago - 1)
        commit(lake, table, version, end + timedelta(hours=2, minutes=5), end - timedelta(days=1), end)


def all_windowed(lake, **more) -> None:
    for table in watch._windowed():
        days(lake, table, **more)


@pytest.mark.parametrize(
    ("now", "layers"),
    [(at(2, 29), set()), (at(2, 31), {"bronze"}), (at(2, 46), {"bronze", "silver"}), (at(3, 31), {"bronze", "silver", "gold"})],
)
def test_a_layer_is_late_from_its_deadline_on(tmp_path, now, layers):
    for job in graph.jobs("lake_daily"):
        record(tmp_path, job["job"], started=START - timedelta(days=1))
    assert {finding.split()[0] for finding in look("late_layers", tmp_path, now)} == layers


def test_a_layer_is_not_late_once_its_jobs_have_ended_well(tmp_path):
    for job in graph.jobs("lake_daily"):
        record(tmp_path, job["job"], 75, attempt=1)
        record(tmp_path, job["job"], 0, attempt=2)
    assert look("late_layers", tmp_path, at(3, 31)) == []


@pytest.mark.parametrize("exit_code", [65, 75, 137])
def test_a_job_that_failed_is_late(tmp_path, exit_code):
    for job in graph.jobs("lake_daily"):
        record(tmp_path, job["job"], exit_code if job["job"] == "gold" else 0)
    (finding,) = look("late_layers", tmp_path, at(3, 31))
    assert "gold was due at 2026-11-29 03:30 UTC" in finding and "gold_fact_sales" in finding


def test_a_window_that_was_brought_in_by_hand_is_not_late(tmp_path):
    for job in graph.jobs("lake_daily"):
        record(tmp_path, job["job"], 65 if job["job"] == "bronze_ecb" else 0)
    assert FX in look("late_layers", tmp_path, at(4))[0]
    days(tmp_path, FX)
    assert look("late_layers", tmp_path, at(4)) == []


def test_a_table_whose_gate_is_shut_is_late_although_its_rows_are_there(tmp_path):
    steps = [{"program": "ingest-fx", "table": FX, "exit": 0}, {"program": "dq-check", "table": FX, "exit": 65}]
    for job in graph.jobs("lake_daily"):
        ours = job["job"] == "bronze_ecb"
        record(tmp_path, job["job"], 65 if ours else 0, **({"steps": steps} if ours else {}))
    days(tmp_path, FX)
    (finding,) = look("late_layers", tmp_path, at(4))
    assert finding.endswith(f"lacks {FX}")
    record(tmp_path, "bronze_ecb", 75, attempt=2, steps=[steps[0], {**steps[1], "exit": 0}])
    assert look("late_layers", tmp_path, at(4)) == [], "the newest attempt counts"


def test_a_day_that_is_in_no_commit_is_a_gap(tmp_path):
    all_windowed(tmp_path)
    assert look("gaps", tmp_path, at(4)) == []
    for file in (tmp_path / "bronze/fx_rates/_delta_log").iterdir():
        file.unlink()
    days(tmp_path, FX, missing={3})
    (finding,) = look("gaps", tmp_path, at(4))
    assert finding.startswith(f"{FX} has a gap: 2026-11-26T00:00Z/2026-11-27T00:00Z")


def test_the_newest_day_is_a_gap_only_when_it_is_due(tmp_path):
    all_windowed(tmp_path, missing={1})
    assert look("gaps", tmp_path, at(2, 15)) == []
    assert len(look("gaps", tmp_path, at(2, 31))) == len(watch._windowed())


def test_a_longer_window_covers_its_days_and_a_young_table_has_no_gap(tmp_path):
    all_windowed(tmp_path, count=3)
    assert look("gaps", tmp_path, at(4)) == []
    for file in (tmp_path / "bronze/fx_rates/_delta_log").iterdir():
        file.unlink()
    commit(tmp_path, FX, 0, DAY)
    commit(tmp_path, FX, 1, DAY - timedelta(days=6), DAY - timedelta(days=30), DAY - timedelta(days=6))
    commit(tmp_path, FX, 2, DAY, DAY - timedelta(days=6), DAY)
    assert look("gaps", tmp_path, at(4)) == []


def test_a_table_that_is_not_there_is_found(tmp_path):
    assert f"{FX} does not exist" in look("gaps", tmp_path, at(4))


def test_a_table_that_gets_nothing_new_is_not_fresh(tmp_path):
    all_windowed(tmp_path)
    frequent = "bronze_redshift_events"
    findings = look("freshness", tmp_path, at(2, 29))
    assert [finding.split()[0] for finding in findings] == [frequent], "daily windows are still fresh, a quarter of an hour is not"
    commit(tmp_path, frequent, 99, at(2, 15), at(2), at(2, 15))
    assert look("freshness", tmp_path, at(2, 29)) == []
    assert look("freshness", tmp_path, at(3, 14)) == []
    assert [finding.split()[0] for finding in look("freshness", tmp_path, at(3, 30))] == [frequent]
    later = {finding.split()[0] for finding in look("freshness", tmp_path, at(2, 31) + timedelta(days=1))}
    assert later == set(watch._windowed())


def gauge(lake, seconds, when: datetime, **more) -> None:
    (lake / "ops/gauges").mkdir(parents=True, exist_ok=True)
    parts = [{"name": "lag_seconds", "unit": "seconds", "part": "0", "value": 9999}, {"name": "lag_seconds", "value": seconds, **more}]
    text = json.dumps({"schema_version": 1, "at": when.isoformat().replace("+00:00", "Z"), "gauges": parts})
    (lake / "ops/gauges/bronze_kafka_orders.json").write_text(text)


def test_a_stream_that_lags_or_is_silent_is_found(tmp_path):
    assert "no reading of its lag ever" in look("stream_lag", tmp_path, at(4))[0]
    gauge(tmp_path, 3, at(4))
    assert look("stream_lag", tmp_path, at(4, 2)) == []
    assert "since 2026-11-29T04:00Z" in look("stream_lag", tmp_path, at(4, 6))[0]
    gauge(tmp_path, 301, at(4))
    assert "lags: 301 s" in look("stream_lag", tmp_path, at(4))[0]
    gauge(tmp_path, 301, at(4), part="1")
    assert "lags: an unknown number" in look("stream_lag", tmp_path, at(4))[0]


def event(lake, when: datetime, job: str, run: str, kind: str) -> None:
    folder = lake / f"ops/lineage/{when:%Y-%m-%d}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{when:%H%M%S%f}-{job}-{run}-{kind}.json").touch()


def test_a_run_that_began_and_never_ended_is_found(tmp_path):
    lost, ended, streamed, young = (identity.run_id("d", "r", name, -1) for name in ("lost", "ended", "streamed", "young"))
    event(tmp_path, at(2), "silverize.silver_orders", lost, "start")
    event(tmp_path, at(2, 1), "silverize.silver_orders", lost, "running")
    event(tmp_path, at(0) - timedelta(minutes=1), "dq-check.silver_orders", ended, "start")
    event(tmp_path, at(0, 1), "dq-check.silver_orders", ended, "fail")
    event(tmp_path, at(1), "ingest-kafka.bronze_kafka_orders", streamed, "start")
    event(tmp_path, at(4), "goldify.gold_dim_date", young, "start")
    (tmp_path / "ops/lineage/2026-11-29/notes.txt").touch()
    (finding,) = look("endless_runs", tmp_path, at(5))
    assert finding == f"silverize.silver_orders began at 2026-11-29T02:00Z and never ended: run {lost}"


def test_a_turn_that_went_down_is_healed_by_a_later_one(tmp_path):
    lost, later, other, daily = (identity.run_id("d", "r", name, -1) for name in ("lost", "later", "other", "daily"))
    event(tmp_path, at(1), "silverize.silver_orders", lost, "start")
    event(tmp_path, at(1), "silverize.silver_products", other, "start")
    assert len(look("endless_runs", tmp_path, at(5))) == 2
    failed = identity.run_id("d", "r", "failed", -1)
    event(tmp_path, at(1, 30), "silverize.silver_orders", failed, "start")
    event(tmp_path, at(1, 31), "silverize.silver_orders", failed, "fail")
    assert len(look("endless_runs", tmp_path, at(5))) == 2, "one that failed has done nobody's work"
    event(tmp_path, at(2), "silverize.silver_orders", later, "start")
    event(tmp_path, at(2, 1), "silverize.silver_orders", later, "complete")
    # Of what runs but once a day a later run is another day's.
    event(tmp_path, at(2), "silverize.silver_products", daily, "start")
    event(tmp_path, at(2, 1), "silverize.silver_products", daily, "complete")
    (finding,) = look("endless_runs", tmp_path, at(5))
    assert finding.startswith("silverize.silver_products")


def test_only_what_a_stream_lands_has_a_lag():
    assert watch._streamed() == ["bronze_kafka_orders"]


def test_findings_fail_the_task_each_time_and_are_published_when_new_and_once_a_day(dags, service, lake, monkeypatch):
    task, xcoms = dags["lake_watchdog"].get_task("gaps").prepare_for_execution(), {}

    def told(now: datetime) -> int:
        found = context(Instance("lake_watchdog", "gaps", xcoms=xcoms), at=now)
        monkeypatch.setitem(task.python_callable.__globals__, "get_current_context", lambda: found)
        task.python_callable("gaps")
        return len(service.messages)

    with pytest.raises(AirflowFailException, match="published.*\n.*bronze_fx_rates does not exist"):
        told(at(4))
    (message,) = service.messages
    assert message["Subject"] == "lake_watchdog: gaps" and "bronze_fx_rates does not exist" in message["Message"]
    with pytest.raises(AirflowFailException, match="told before.*\n.*bronze_fx_rates does not exist"):
        told(at(5))
    assert len(service.messages) == 1
    with pytest.raises(AirflowFailException, match="published"):
        told(at(2, 46) + timedelta(days=1))
    assert len(service.messages) == 2
    all_windowed(lake)
    assert told(at(4)) == 2
    # A table that is gone again is news.
    (lake / "bronze/fx_rates/_delta_log").rename(lake / "aside")
    with pytest.raises(AirflowFailException, match="published"):
        told(at(5))


def test_a_check_that_cannot_look_is_a_finding_at_its_second_try(dags, service, lake, monkeypatch):
    task = dags["lake_watchdog"].get_task("gaps").prepare_for_execution()

    def broken(_):
        raise KeyError("window")

    def tried(number: int) -> None:
        found = context(Instance("lake_watchdog", "gaps", number), at=at(4))
        monkeypatch.setitem(task.python_callable.__globals__, "get_current_context", lambda: found)
        task.python_callable("gaps")

    monkeypatch.setattr(watch, "gaps", broken)
    with pytest.raises(KeyError):
        tried(1)
    assert not service.messages
    with pytest.raises(AirflowFailException, match="gaps cannot look: KeyError"):
        tried(2)
    assert "gaps cannot look: KeyError" in service.messages[0]["Message"]


def test_the_watchdog_looks_a_minute_after_each_deadline(dags):
    crons = [timetable.expression for timetable in dags["lake_watchdog"].schedule.timetables]
    assert crons == ["31 * * * *", "46 2 * * *"]
