"""The ledger against the manifest, and test builds that lose or double a row at every operator in turn.

`python -m proofs.ledger manifest --lake DIR` compares `ops/ledger` with the counts of the sources' manifest.
`python -m proofs.ledger mutations` drops, then doubles, one row at each operator that registered itself: 65 every time; and at
those that a replay and a rotation of the token key pass.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections import defaultdict
from pathlib import Path

from deltalake import DeltaTable
from proofs import by_hand, day, places, replay, rotation
from proofs.lake import BUCKETS

REFUSED = 65
# The mutated day: it holds every kind of dirt and change of the slice.
DAY = places.DAYS[1]
FOLDER = places.PROOFS / "mutations"
NOTE = FOLDER / "refused"
# Notes which program refused first; the steps that follow need not do their work to be told of it.
SCRIPT = """[[ -e "{note}" ]] && exit 75
( exec -a {{program}} "{{real}}" "$@" )
code=$?
[[ $code == 65 ]] && echo "{{program}} $1" >>"{note}"
exit "$code"
"""


def recorded(lake: Path) -> dict[tuple[str, str], dict[str, int]]:
    """Returns the counts of `ops/ledger` per window and Bronze or Silver table."""
    found: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: dict.fromkeys(BUCKETS, 0))
    for row in DeltaTable(str(lake / "ops" / "ledger")).to_pyarrow_table().to_pylist():
        counts = found[row["window_from"].strftime("%Y-%m-%d"), row["table"]]
        for bucket in BUCKETS:
            counts[bucket] += row[bucket]
        if row["read"] != sum(row[bucket] for bucket in BUCKETS[1:]):
            raise SystemExit(f"ledger: {row['table']} version {row['version']} is not balanced: {row}")
    return dict(found)


def manifest(lake: Path) -> int:
    """Compares the lake's ledger with the manifest; returns the number of differences."""
    document = json.loads((places.DATA / "manifest.json").read_text())
    found = recorded(lake)
    windows = {window[:10] for window, _ in found}
    contracted = places.contracted_tables()
    wrong = compared = 0
    without_contract = set()
    for batch, tables in document["ledger"].items():
        start = "2017-01-01" if batch == "history" else batch
        if start not in windows:
            continue
        for table, expected in sorted(tables.items()):
            if table not in contracted:
                without_contract.add(table)
                continue
            compared += 1
            counts = found.get((start, table), dict.fromkeys(BUCKETS, 0))
            if any(counts[bucket] != expected[bucket] for bucket in BUCKETS):
                wrong += 1
                shown = ", ".join(f"{b} {counts[b]} (manifest {expected[b]})" for b in BUCKETS if counts[b] != expected[b])
                print(f"  {batch:<11} {table}: {shown}")
    print(f"ledger: {compared - wrong} of {compared} tables and windows equal the manifest exactly, every run is balanced")
    if without_contract:
        print(f"ledger: not compared, since they have no contract: {', '.join(sorted(without_contract))}")
    return wrong


def operators(programs: Path) -> list[str]:
    """Returns the operators that registered themselves in the test build."""
    text = subprocess.run([str(programs / "all-clis"), "operators"], text=True, capture_output=True, check=True).stdout
    return text.split()


def mutations(only: str | None) -> int:
    """Mutates one row at each operator; returns the number of runs that did not end with 65."""
    programs = places.HOME / "bin-faults"
    names = [name for name in operators(programs) if only in (None, name)]
    if not names:
        raise SystemExit("mutations: no operator registered itself; build with ci/build --faults")
    env = day.environment()
    base = FOLDER / "base"
    env = day.staged(base, programs, env)
    undisturbed = day.copy(base, FOLDER / "undisturbed")
    day.must(day.run(DAY, undisturbed, programs=programs, env=env), "the undisturbed day")
    quick = day.programs(FOLDER / "programs", programs, dict.fromkeys(day.PROGRAMS, SCRIPT.format(note=NOTE)))
    wrong = 0
    width = max(map(len, names))
    print(f"{'operator':<{width}}  {'drop':<44}  double")
    for name in names:
        cells = []
        for what in ("drop", "double"):
            code, where = mutated(base, quick, env | {"SLUICE_MUTATE": f"{name}:{what}"})
            wrong += code != REFUSED
            cells.append(f"{code} {where}" if code == REFUSED else f"{code} NOT REFUSED {where}")
        print(f"{name:<{width}}  {cells[0]:<44}  {cells[1]}", flush=True)
    print(f"ledger mutations: {2 * len(names) - wrong} of {2 * len(names)} ended with {REFUSED} ({len(names)} operators, drop and double)")
    if only is None:
        bench = by_hand.Bench(FOLDER, programs, env)
        wrong += by_hand.mutated(bench, replay.case(bench, base))
        wrong += by_hand.mutated(bench, rotation.case(bench, undisturbed))
    return wrong


def mutated(base: Path, programs: Path, env: dict[str, str]) -> tuple[int, str]:
    """Runs the day with one mutation, once more from nothing when the day does not pass the operator."""
    for start, window in ((base, DAY), (None, places.FIRST)):
        NOTE.unlink(missing_ok=True)
        lake = day.copy(start, FOLDER / "run") if start else day.fresh(FOLDER / "run")
        ended = day.run(window, lake, programs=programs, env=env, more=("--retries", "0"))
        if ended.code != 0:
            failed = [table for table, outcome in ended.outcomes().items() if "failed" in outcome]
            return ended.code, NOTE.read_text().split("\n")[0] if NOTE.exists() else "".join(failed[:1])
    return ended.code, ""


def main() -> int:
    """Runs one of the two proofs."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("manifest")
    one.add_argument("--lake", type=Path, default=places.HOME / "lake")
    one = commands.add_parser("mutations")
    one.add_argument("--only", metavar="OPERATOR")
    options = parser.parse_args()
    started = time.monotonic()
    wrong = manifest(options.lake) if options.command == "manifest" else mutations(options.only)
    print(f"ledger {options.command}: {'FAILED' if wrong else 'holds'} after {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
