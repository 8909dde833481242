"""Drills through Airflow: `python -m proofs.airflow_drills --programs DIR [--sample] [NAME...]`.

Each ends in the state that Airflow should show and in one effect in the tables. The stack of `ci/aws-local` must run with the release
of the same programs.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

from proofs import airflow_drill, day, door, ending, places
from proofs.airflow_drill import Drill, World, another_record_is_there, second_asks_too
from proofs.stores import Bucket

FOLDER = places.PROOFS / "airflow-drills"
LAKES = Bucket("s3://lake/drills")
# What the SDK asks of itself before it gives up.
ASKED = 5
KILLED, STOPPED, DATA, TRANSIENT, NOTHING = (137,), (75, 143), (65,), (75,), (99,)
OK = (0,)
# Says that it left the record of the first attempt and leaves none.
FORGETFUL = """if [[ "$1" == attempt && "$*" == *"--attempt 1" ]]; then exit 0; fi
exec -a {program} "{real}" "$@"
"""

DRILLS = (
    Drill("killed", "the program gets SIGKILL at work", fault="program-killed", before=door.HELD, exits={1: KILLED, 2: OK}),
    Drill(
        "two-alive", "the first attempt works on beside the second", fault="orphaned", before=door.HELD, opens=second_asks_too,
        exits={1: OK, 2: OK}, together=True,
    ),
    Drill("lost", "the job is gone, driver and program", fault="lost", before=door.HELD, exits={2: OK}),
    Drill("transient", "the source is down, then up", before=door.SHUT, exits={1: TRANSIENT, 2: OK}),
    Drill("data", "every rate of the file is unreadable", broken=True, state="failed", tries=1, runs=("FAILED",), exits={1: DATA}),
    Drill(
        "nothing", "a window without a row", dag="lake_behavior", job="frequent_redshift", state="skipped", tries=1,
        runs=("FAILED",), exits={1: NOTHING},
    ),
    Drill("timeout", "the job takes longer than it may", before=door.HELD, runs=("CANCELLED", "SUCCESS"), exits={1: STOPPED, 2: OK}),
    Drill(
        "no-manifest", "the job is done and left no record", scripts={"run-pipeline": FORGETFUL}, runs=("SUCCESS", "SUCCESS"),
        exits={2: OK},
    ),
    Drill("other-manifest", "the record is of another attempt", before=door.HELD, opens=another_record_is_there, exits={1: OK, 2: OK}),
    Drill("throttled", "StartJobRun is throttled for as long as the SDK asks", fault="throttled", times=ASKED, runs=("SUCCESS",), exits={2: OK}),
)  # fmt: skip
# Of these nothing rests on what the programs do while they are disturbed, so no other proof shows it.
SAMPLE = ("throttled", "other-manifest")


def parse() -> argparse.Namespace:
    """Returns the options."""
    names = [drill.name for drill in DRILLS]
    parser = argparse.ArgumentParser(prog="ci/airflow-drills", description=__doc__)
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--sample", action="store_true", help=f"only {', '.join(SAMPLE)}")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of a drill: {', '.join(names)} (default: all)")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(names))
    if unknown:
        parser.error(f"no drill is called {', '.join(unknown)}; known are {', '.join(names)}")
    options.names = options.names or (list(SAMPLE) if options.sample else names)
    return options


def main() -> int:
    """Runs the drills one after another; 1 when one does not end as it must."""
    began = time.monotonic()
    options = parse()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    day.fresh(LAKES)
    world = World(LAKES, options.programs, FOLDER, airflow_drill.files(FOLDER))
    wrong = []
    for drill in DRILLS:
        if drill.name in options.names:
            wrong += airflow_drill.run(drill, world)
    return ending.told("airflow-drills", f"{len(options.names)} drills in {time.monotonic() - began:.0f} s", wrong)


if __name__ == "__main__":
    raise SystemExit(main())
