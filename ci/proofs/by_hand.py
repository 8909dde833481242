"""What people start by hand, killed at every fault point that it passes: a replay of left-over rows, and a rotation of the token key.

Each is run once undisturbed, then once per point: killed there, looked at, and run again. The tables must be those of the
undisturbed run, and in between no table may show a state that is neither the old one nor the new one.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable
from proofs import day, lake, places
from proofs.stores import Place

FOLDER = places.PROOFS / "by-hand"
# Points of these programs' own; those of tables and of the steps that they share with a day are passed, too.
REPLAY = ("replay.", "silver.", "table.")
ROTATION = ("rotate.", "gold.", "table.")
OWN = ("replay", "rotate")
NEW_KEY = "masking/token-key-2"


@dataclass
class Bench:
    """Where lakes stand, and what runs on them."""

    lakes: Place
    programs: Path
    env: dict[str, str]
    points: list[str]


@dataclass
class Case:
    """A command, the lake that it starts from, the tables that it changes, and its fault points."""

    name: str
    start: Place
    command: Callable[[Place], list[str]]
    places: tuple[str, ...]
    prefixes: tuple[str, ...]


def ran(case: Case, target: Place, env: dict[str, str], point: str = "") -> subprocess.CompletedProcess[str]:
    """Runs the command of a case on a lake; armed with a point, it is killed there."""
    armed = env | ({"SLUICE_FAULT": point} if point else {})
    return subprocess.run(case.command(target), env=armed, text=True, capture_output=True, check=False)


def contents(case: Case, target: Place) -> dict:
    """Returns the rows of the tables that the command changes."""
    return {place: rows for place, rows in lake.contents(target).items() if place in case.places}


def killed(bench: Bench, case: Case) -> list[str]:
    """Kills the command at every point that it passes; returns what was wrong afterwards."""
    undisturbed = day.copy(case.start, bench.lakes / f"{case.name}-undisturbed")
    before = contents(case, undisturbed)
    done = ran(case, undisturbed, bench.env)
    if done.returncode != 0:
        return [f"the undisturbed {case.name} ended with {done.returncode}", done.stderr]
    after = contents(case, undisturbed)
    wrong = [] if before != after else [f"the undisturbed {case.name} changed nothing"]
    passed = 0
    for point in (point for point in bench.points if point.startswith(case.prefixes)):
        target = day.copy(case.start, bench.lakes / f"{case.name}-run")
        if ran(case, target, bench.env, point).returncode == 0:
            wrong += [f"{point} was not reached"] if point.split(".")[0] in OWN else []
            continue
        passed += 1
        halfway = contents(case, target)
        wrong += [f"{point}: {place} is halfway" for place in case.places if halfway.get(place) not in (before.get(place), after.get(place))]
        again = ran(case, target, bench.env)
        wrong += [f"{point}: the second try ended with {again.returncode}", again.stderr] if again.returncode else []
        wrong += [f"{point}: {line}" for line in lake.differences(after, contents(case, target))]
        versions = lake.versions(target)
        third = ran(case, target, bench.env)
        if third.returncode or lake.versions(target) != versions:
            wrong.append(f"{point}: the third try ended with {third.returncode}, or committed something")
    print(f"  {case.name}: killed at {passed} points")
    return wrong


def replay(bench: Bench, base: Place, broken: str) -> Case:
    """A day under a contract that quarantines too much; the case replays it under the repository's own."""
    contracts = FOLDER / "contracts"
    shutil.rmtree(contracts, ignore_errors=True)
    shutil.copytree(places.CONTRACTS, contracts)
    (contracts / "silver" / "order_items" / "contract.odcs.yaml").write_text(broken)
    start = day.copy(base, bench.lakes / "replay-start")
    day.run(places.DAYS[1], start, programs=bench.programs, env=bench.env, contracts=contracts, more=("--retries", "0"))

    def command(target: Place) -> list[str]:
        return [
            str(bench.programs / "silverize"), "silver_order_items", "--window", places.DAYS[1], "--lake", str(target),
            "--contracts", str(places.CONTRACTS), "--replay",
        ]  # fmt: skip

    return Case("replay", start, command, ("silver/order_items", "quarantine/order_items"), REPLAY)


def rotation(bench: Bench, start: Place) -> Case:
    """All tables that hold tokens get another key."""
    secrets = Path(bench.env["LAKE_SECRETS"].removeprefix("file:"))
    (secrets / NEW_KEY).write_text(json.dumps({"key_id": "k2", "key": "5a" * 32}))

    def command(target: Place) -> list[str]:
        return [
            str(bench.programs / "goldify"), "rotate-key", "--to", NEW_KEY, "--lake", str(target),
            "--contracts", str(places.CONTRACTS),
        ]  # fmt: skip

    return Case("rotation", start, command, ("gold/dim_customers",), ROTATION)


def replayed(bench: Bench, base: Place, right: Place, broken: str) -> list[str]:
    """A replay killed at every point; it must end at the tables of a lake whose contract was always right."""
    case = replay(bench, base, broken)
    wrong = killed(bench, case)
    # Rows that stay keep what the first contract said of them.
    left_out = lake.RUN_COLUMNS | {"_contract_hash", "_rules"}
    both = [
        {place: lake.rows(DeltaTable(str(lakes / place)), frozenset(left_out)) for place in case.places}
        for lakes in (right, bench.lakes / "replay-undisturbed")
    ]
    return wrong + lake.differences(*both)


def rotated(bench: Bench, start: Place) -> list[str]:
    """A rotation killed at every point; all tokens must have changed, and nothing else."""
    case = rotation(bench, start)
    wrong = killed(bench, case)
    left_out = lake.RUN_COLUMNS | {"email_token", "token_key_id"}
    tables = [DeltaTable(str(lakes / "gold" / "dim_customers")) for lakes in (start, bench.lakes / "rotation-undisturbed")]
    old, new = (lake.rows(table, frozenset(left_out)) for table in tables)
    wrong += [] if old == new else ["a rotation changed more than tokens"]
    tokens = [{token for token in table.to_pyarrow_table()["email_token"].to_pylist() if token} for table in tables]
    wrong += [] if len(tokens[0]) == len(tokens[1]) and not tokens[0] & tokens[1] else ["tokens do not stand for each other"]
    return wrong
