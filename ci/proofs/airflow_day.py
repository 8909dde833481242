"""One business day through Airflow, beside the same day by `run-pipeline`: `python -m proofs.airflow_day --programs DIR`.

History is loaded before by `run-pipeline`; then the lake is copied, so that both start from the same versions. The stack of
`ci/aws-local` must run with the release of the same programs, and the sources are this proof's own.
"""

from __future__ import annotations

import argparse
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from proofs import airflow, airflow_figures, catalog, day, ending, lake, places, stores
from proofs.stores import Bucket, Place

DAG = "lake_daily"
DAY = places.DAYS[0]
SECONDS_MAX = 15 * 60
LAYERS = ("bronze", "silver", "gold", "quarantine", "held")
BY_PIPELINE = Bucket("s3://lake/by-run-pipeline")
# What the names of Glue's databases begin with, by the default of `catalog-sync`.
DATABASES = "sluice_"


def say(text: str) -> None:
    """Tells how far it is."""
    print(f"airflow-day: {text}", flush=True)


def prepared(profile: str, programs: Path, env: dict[str, str], target: Place) -> None:
    """Loads history into the lake and copies it, with the day published and not run."""
    began = time.monotonic()
    day.fresh(target)
    day.must(day.run(places.HISTORY, target, programs=programs, env=env), "history")
    say(f"history of the {profile} data is in {target} after {time.monotonic() - began:.0f} s")
    day.sources("advance", DAY)
    day.copy(target, BY_PIPELINE)


def through_airflow(env: dict[str, str]) -> tuple[airflow.Run, list[str]]:
    """Runs the day by Airflow; returns the run and what is wrong with it."""
    at = datetime.fromisoformat(DAY).replace(tzinfo=UTC, hour=2) + timedelta(days=1)
    run = airflow.test(DAG, at, env=env)
    wrong = [f"{task} is {found.state}" for task, found in run.tasks.items() if found.state != "success"]
    wrong += [f"{task} took {found.tries} tries" for task, found in run.tasks.items() if found.tries != 1]
    if run.state != "success" or run.code != 0:
        wrong.append(f"the run is {run.state}, and `airflow dags test` ended with {run.code}: read {run.log}")
    if run.seconds > SECONDS_MAX:
        wrong.append(f"the day took {run.seconds:.0f} s, more than {SECONDS_MAX}")
    say(f"`airflow dags test {DAG}` took {run.seconds:.0f} s (at most {SECONDS_MAX}), its {len(run.tasks)} jobs one after another")
    return run, wrong


def compared(target: Place) -> list[str]:
    """Returns where the tables of the two ways differ: sorted, without who ran and when."""
    mine, theirs = (lake.contents(place, LAYERS) | lake.contents_of(place, airflow.PUBLISHED) for place in (target, BY_PIPELINE))
    rows = {place: counted.total() for place, counted in sorted(mine.items()) if place.startswith("gold/")}
    say(", ".join(f"{place} {count:,} rows" for place, count in rows.items()))
    empty = [f"{place} has no rows" for place, count in rows.items() if count == 0]
    empty += [f"{place} has no rows" for place in airflow.PUBLISHED if not mine[place]]
    if len(rows) < len([table for table in airflow.graph.tables().values() if table["layer"] == "gold"]):
        empty.append("a table of Gold is not there")
    differences = lake.differences(theirs, mine)
    say(f"{len(mine)} tables compared with those of `run-pipeline`: {'they differ' if differences else 'equal'}")
    return empty + differences


def commits(target: Place, before: dict[str, int]) -> list[str]:
    """Returns where one way made other commits than the other; equal rows that nobody wrote would prove nothing."""
    mine, theirs = lake.versions(target), lake.versions(BY_PIPELINE)
    wrong = [
        f"{place} is at version {mine.get(place)}, and at {theirs.get(place)} by `run-pipeline`"
        for place in sorted(mine.keys() | theirs.keys())
        if place.split("/")[0] in LAYERS and mine.get(place) != theirs.get(place)
    ]
    moved = [place for place, version in mine.items() if version != before.get(place) and place.split("/")[0] in LAYERS]
    say(f"{len(moved)} tables got commits: {', '.join(sorted(moved))}")
    return wrong if "gold/fact_sales" in moved else [*wrong, "the day brought no sale"]


def main() -> int:
    """Runs the day both ways; 1 when something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--profile", choices=["small", "full"], required=True)
    parser.add_argument("--start-seconds", type=int, default=60, help="what a job's start takes on the service")
    options = parser.parse_args()
    target = stores.place(os.environ["SLUICE_AWS_LAKE"])
    env = day.environment() | day.connections()
    prepared(options.profile, options.programs, env, target)
    before = lake.versions(target)
    began = time.monotonic()
    day.must(day.run(DAY, BY_PIPELINE, programs=options.programs, env=env), f"{DAY} by run-pipeline")
    say(f"`run-pipeline day` took {time.monotonic() - began:.0f} s")
    run, wrong = through_airflow(day.environment())
    if not wrong:
        wrong += commits(target, before) + compared(target) + catalog.compare(target, DATABASES)
        wrong += airflow_figures.told(run, target, options.start_seconds)
    return ending.told("airflow-day", f"{DAY} of the {options.profile} data", wrong)


if __name__ == "__main__":
    raise SystemExit(main())
