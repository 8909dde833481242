"""A contract that quarantines too much, mended, and the replay that brings its rows back: a case of `by_hand`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from proofs import by_hand, day, lake, places, stores
from proofs.by_hand import Bench, Case
from proofs.stores import Place

TABLE = "silver_order_items"
DATA, ASIDE = "silver/order_items", "quarantine/order_items"
FACT = "replay"
# Rows that stay in quarantine keep what the first contract said of them.
SAID = frozenset({"_contract_hash", "_rules"})


def quarantines_too_much() -> str:
    """Returns the contract of silver_order_items with a rule that good rows break."""
    text = (places.CONTRACTS / "silver" / "order_items" / "contract.odcs.yaml").read_text()
    broken = text.replace("minimum: {field: quantity, value: 0}", "minimum: {field: quantity, value: 5}", 1)
    if broken == text:
        raise SystemExit("replay: the contract of silver_order_items has no rule on quantity to break")
    return broken


def broken_contracts() -> Path:
    """Copies the contracts, with the one that quarantines too much among them; returns the folder."""
    contracts = places.PROOFS / "by-hand" / "broken-contracts"
    shutil.rmtree(contracts, ignore_errors=True)
    shutil.copytree(places.CONTRACTS, contracts)
    (contracts / "silver" / "order_items" / "contract.odcs.yaml").write_text(quarantines_too_much())
    return contracts


def command(target: Place, window: str) -> list[str]:
    """Returns the program and arguments that replay a window under the repository's contracts."""
    own = str(places.CONTRACTS)
    return ["silverize", TABLE, "--window", window, "--lake", str(target), "--contracts", own, "--replay"]


def case(bench: Bench, base: Place) -> Case:
    """A day under a contract that quarantines too much; the case replays it under the repository's own."""
    contracts = broken_contracts()
    start = day.copy(base, bench.lakes / "replay-start")
    day.run(places.DAYS[1], start, programs=bench.programs, env=bench.env, contracts=contracts, more=("--retries", "0"))

    points, operators = ("replay.", "silver.", "table.", "edge."), ("silver.",)
    return Case("replay", start, partial(command, window=places.DAYS[1]), (DATA, ASIDE), points, operators, reader(start))


def reader(start: Place) -> Callable[[Place], list[str]]:
    """What must hold for a reader at any moment: every row stands somewhere, and the books say where."""
    rows = {place: found.total() for place, found in lake.contents_of(start, (DATA, ASIDE)).items()}

    def read(target: Place) -> list[str]:
        commits = [summary for _, summary in by_hand.summaries(target, DATA)]
        replays = [summary["facts"][FACT] for summary in commits if FACT in summary.get("facts", {})]
        found = {place: rows.total() for place, rows in lake.contents_of(target, (DATA, ASIDE)).items()}
        taken_out, landed = rows[ASIDE] - found[ASIDE], found[DATA] - rows[DATA]
        resolved = sum(marks["rows"] for replay in replays for marks in replay["leftovers"].values())
        accepted = sum(summary["ledger"]["accepted"] for summary in commits if FACT in summary.get("facts", {}))
        wrong = [] if len(replays) <= 1 else [f"{len(replays)} replays have committed data"]
        # The data first: between the two commits a row stands in both places, never in none.
        if taken_out not in (0, resolved):
            wrong.append(f"{taken_out} rows were taken out of quarantine, {resolved} were resolved")
        if not (0 < landed <= accepted if replays else landed == 0):
            wrong.append(f"{landed} rows landed, the replay accepted {accepted}")
        quarantined = sum(summary["ledger"]["quarantined"] for summary in commits if FACT not in summary.get("facts", {}))
        if quarantined != rows[ASIDE]:
            wrong.append(f"the books say that {quarantined} rows were quarantined, {rows[ASIDE]} were")
        return wrong

    return read


def proved(bench: Bench, base: Place, right: Place) -> list[str]:
    """A replay killed everywhere; it must end at the tables of a lake whose contract was always right, and so must the day."""
    of = case(bench, base)
    wrong = by_hand.killed(bench, of)
    if wrong:
        return wrong
    done = bench.lakes / "replay-undisturbed"
    wrong += lake.differences(*(lake.contents_of(lakes, of.places, SAID) for lakes in (right, done)))
    ended = day.run(places.DAYS[1], done, programs=bench.programs, env=bench.env, more=("--resume",))
    wrong += [f"the day after the replay ended with {ended.code}", ended.stderr] if ended.code else []
    everything = tuple(place for place in stores.tables(right) if place.split("/")[0] in ("silver", "gold", "quarantine", "held"))
    # A replay is one version more of its table; Gold's quarantine names the version that its rows are from.
    without = SAID | {"_input_version"}
    return wrong + lake.differences(*(lake.contents_of(lakes, everything, without) for lakes in (right, done)))
