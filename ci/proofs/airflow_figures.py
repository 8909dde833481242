"""What a day through Airflow costs: its jobs, the share of their start, and when each layer is done if the run begins at 02:00."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from proofs import airflow
from proofs.airflow import Run
from proofs.stores import Place

BEGIN = datetime(2018, 1, 1, 2)
# What is promised, by `docs/guides/FRESHNESS_AND_CONTACTS.md`.
PROMISED = {"bronze": timedelta(minutes=15), "silver": timedelta(minutes=30), "gold": timedelta(minutes=60)}
# Airflow sees the end of a job so much later, and starts the next one: its default between two looks, and its own work.
SEEN_AFTER_SECONDS = 20


@dataclass(frozen=True)
class Timed:
    """A job with the seconds of its work, and when it has ended, counted from the start of the run."""

    name: str
    layer: str
    work: float
    ended: float


def timed(jobs: list[dict], work: dict[str, float], start_seconds: int) -> list[Timed]:
    """Returns when each job ends where all that can run at the same time do so, as on the service."""
    ended: dict[str, float] = {}
    found = []
    for job in jobs:
        name = job["job"]
        began = max((ended[before] for before in job["after"]), default=0.0)
        ended[name] = began + start_seconds + work[name] + SEEN_AFTER_SECONDS
        found.append(Timed(name, job["layer"], work[name], ended[name]))
    return found


def seconds_of(record: dict) -> float:
    """Returns how long a job worked, by what it left."""
    began, ended = (datetime.fromisoformat(record[name]) for name in ("started_at", "ended_at"))
    return (ended - began).total_seconds()


def told(run: Run, lake: Place, start_seconds: int) -> list[str]:
    """Prints the figures; returns which layer would be later than is promised, or had no record."""
    jobs = airflow.jobs(run.dag)
    records = {job["job"]: run.record(lake, job["job"], 1) for job in jobs}
    lost = [f"{name} left no record" for name, record in records.items() if record is None]
    if lost:
        return lost
    found = timed(jobs, {name: seconds_of(record) for name, record in records.items() if record}, start_seconds)
    print(f"  {'job':<24} {'layer':<7} {'work':>7}  done at, with {start_seconds} s for a start and {SEEN_AFTER_SECONDS} s to be seen")
    for job in found:
        print(f"  {job.name:<24} {job.layer:<7} {job.work:>5.1f} s  {_clock(job.ended)}")
    work, starts = sum(job.work for job in found), start_seconds * len(found)
    print(f"  {len(found)} jobs: {work:.0f} s of work and {starts} s of starts, which are {starts / (starts + work):.0%} of what is paid")
    late = []
    for layer, promised in PROMISED.items():
        ended = max(job.ended for job in found if job.layer == layer)
        print(f"  {layer:<7} done at {_clock(ended)} (02:00 + {ended / 60:.1f} min), promised {_clock(promised.total_seconds())[:5]}")
        if ended > promised.total_seconds():
            late.append(f"{layer} would be done at {_clock(ended)}, later than promised")
    return late


def _clock(seconds: float) -> str:
    return (BEGIN + timedelta(seconds=round(seconds))).strftime("%H:%M:%S")
