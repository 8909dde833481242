"""Another token key, on a lake in which tokens are joined: a case of `by_hand`.

The repository's contracts hold tokens in one table only. Two more stand beside them here: the contacts with their tokens, and
the matches of both, so that there are two sides that must change together and a table that is made from them.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deltalake import DeltaTable
from proofs import by_hand, day, lake, places
from proofs.by_hand import Bench, Case
from proofs.stores import Place

NEW_KEY, NEW_ID = "masking/token-key-2", "k2"
CUSTOMERS, CONTACTS, MATCHES = "gold/dim_customers", "gold/contact_tokens", "gold/token_matches"
HOLDERS = (CUSTOMERS, CONTACTS, MATCHES)
RECORD = "ops/key_rotations"
TOKENS = frozenset({"email_token", "token_key_id"})
TRANSIENT = 75
# Columns of the key, inputs, model.
ADDED = {
    "contact_tokens": (
        ("contact_id",), "silver_contacts_history",
        "SELECT contact_id, email_token, token_key_id() AS token_key_id FROM silver_contacts_history\n"
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY contact_id ORDER BY changed_at DESC) = 1\n",
    ),
    "token_matches": (
        ("customer_key", "contact_id"), "gold_dim_customers, gold_contact_tokens",
        "SELECT d.customer_key, c.contact_id, c.email_token, c.token_key_id\n"
        "FROM gold_dim_customers d JOIN gold_contact_tokens c ON c.email_token = d.email_token\n",
    ),
}  # fmt: skip


def contracts() -> Path:
    """Copies the contracts and adds the two tables; returns the folder."""
    folder = places.PROOFS / "by-hand" / "rotation-contracts"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(places.CONTRACTS, folder)
    for name, (key, inputs, model) in ADDED.items():
        lines = [
            "apiVersion: v3.1.0", "kind: DataContract", f"id: gold_{name}", "name: n", "version: 1.0.0", "status: active",
            "description: {purpose: p}", "schema:", f"  - name: {name}", f"    physicalName: gold_{name}",
            "    dataGranularityDescription: d", "    properties:",
        ]  # fmt: skip
        for at, column in enumerate((*key, "email_token", "token_key_id", "_run_id")):
            more = f", required: true, primaryKey: true, primaryKeyPosition: {at + 1}" if column in key else ""
            lines.append(f"      - {{name: {column}, logicalType: string, physicalType: STRING, description: d{more}}}")
        lines.append("      - {name: _ingested_at, logicalType: timestamp, physicalType: TIMESTAMP, description: d}")
        lines += ["customProperties:", "  - property: gold", f"    value: {{inputs: [{inputs}]}}"]
        (folder / "gold" / name).mkdir()
        (folder / "gold" / name / "contract.odcs.yaml").write_text("\n".join(lines) + "\n")
        (folder / "gold" / name / "model.sql").write_text(model)
    return folder


def prepared(bench: Bench, target: Place, window: str) -> str:
    """Makes the new key, and the tables that hold tokens besides those of a lake; returns the folder of the contracts."""
    secrets = Path(bench.env["LAKE_SECRETS"].removeprefix("file:"))
    (secrets / NEW_KEY).write_text(json.dumps({"key_id": NEW_ID, "key": "5a" * 32}))
    own = str(contracts())
    for name in ADDED:
        built = bench.run("goldify", f"gold_{name}", "--window", window, "--lake", str(target), "--contracts", own)
        if built.returncode != 0:
            raise SystemExit(f"rotation: gold_{name} ended with {built.returncode}:\n{built.stderr}")
    return own


def command(target: Place, own: str) -> list[str]:
    """Returns the program and arguments that give all tables the new key."""
    return ["goldify", "rotate-key", "--to", NEW_KEY, "--lake", str(target), "--contracts", own]


def case(bench: Bench, undisturbed: Place) -> Case:
    """All tables that hold tokens get another key."""
    start = day.copy(undisturbed, bench.lakes / "rotation-start")
    own = prepared(bench, start, places.DAYS[1])
    points, operators = ("rotate.", "gold.", "table."), ("gold.", "sql.")
    return Case("rotation", start, partial(command, own=own), HOLDERS, points, operators, reader(bench, own, start))


@dataclass
class Seen:
    """What a reader sees of the tables that hold tokens, at the newest or at recorded versions."""

    keys: dict[str, set[str]]
    joined: int
    matches: int

    @staticmethod
    def of(target: Place, versions: dict[str, int] | None = None) -> Seen:
        """Reads the tables and joins them: tokens of both sides together with their keys, as their contract says."""
        pairs: dict[str, Counter[tuple[str, str]]] = {}
        keys = {}
        for place in HOLDERS:
            table = DeltaTable(str(target / place), version=(versions or {}).get(place))
            read = table.to_pyarrow_table(columns=["email_token", "token_key_id"])
            tokens, ids = (read.column(name).to_pylist() for name in ("email_token", "token_key_id"))
            pairs[place] = Counter((key, token) for key, token in zip(ids, tokens, strict=True) if token)
            keys[place] = set(ids)
        joined = sum(number * pairs[CONTACTS][pair] for pair, number in pairs[CUSTOMERS].items())
        return Seen(keys, joined, pairs[MATCHES].total())

    def one_key(self) -> bool:
        """Whether all tables have the same key."""
        return len(set().union(*self.keys.values())) == 1


def recorded(target: Place) -> tuple[str, dict[str, int]] | None:
    """Returns the state of the last recorded step, and the version of every table that it names."""
    if not lake.is_there(target, RECORD):
        return None
    steps = DeltaTable(str(target / RECORD)).to_pyarrow_table(columns=["rotation", "state", "table", "version"]).to_pylist()
    if not steps:
        return None
    # Of a rotation that has ended both steps stand there.
    last = max(steps, key=lambda step: (step["rotation"], step["state"] == "done"))
    named = [step for step in steps if (step["rotation"], step["state"]) == (last["rotation"], last["state"])]
    return last["state"], {step["table"].replace("_", "/", 1): step["version"] for step in named}


def reader(bench: Bench, own: str, start: Place, window: str = places.DAYS[1]) -> Callable[[Place], list[str]]:
    """What must hold for a reader at any moment of a rotation."""
    before = Seen.of(start)
    if not before.joined or before.joined != before.matches or not before.one_key():
        raise SystemExit(f"rotation: the lake before it joins nothing: {before}")

    def read(target: Place) -> list[str]:
        newest, step = Seen.of(target), recorded(target)
        wrong = [f"{place} shows the keys {sorted(ids)}" for place, ids in newest.keys.items() if len(ids) != 1]
        if newest.matches != before.matches:
            wrong.append(f"{MATCHES} has {newest.matches} rows, not {before.matches}")
        if newest.one_key():
            wrong += [] if newest.joined == before.joined else [f"{newest.joined} rows join, not {before.joined}"]
        elif step is None or step[0] != "planned":
            wrong.append(f"tables have different keys and no plan says so: {newest.keys}")
        else:
            # Who builds from both sides is told to wait.
            built = bench.run("goldify", "gold_token_matches", "--window", window, "--lake", str(target), "--contracts", own)
            wrong += [] if built.returncode == TRANSIENT else [f"a build from both keys ended with {built.returncode}", built.stderr]
        if step is not None:
            then = Seen.of(target, step[1])
            if not then.one_key() or (then.joined, then.matches) != (before.joined, before.matches):
                wrong.append(f"at the versions of the {step[0]} step the tables do not belong together: {then}")
        return wrong

    return read


def proved(bench: Bench, undisturbed: Place) -> list[str]:
    """A rotation killed everywhere; all tokens must have changed and nothing else, and the day must go on."""
    of = case(bench, undisturbed)
    wrong = by_hand.killed(bench, of)
    if wrong:
        return wrong
    done = bench.lakes / "rotation-undisturbed"
    wrong += lake.differences(lake.contents_of(of.start, HOLDERS, TOKENS), lake.contents_of(done, HOLDERS, TOKENS))
    wrong += [] if recorded(done)[0] == "done" else ["the rotation's end is not recorded"]
    for place in HOLDERS:
        old, new = (tokens(target, place) for target in (of.start, done))
        # Row by row, so that equal tokens stay equal and others stay others.
        exchanged = {(old[key], new[key]) for key in old if old[key] is not None}
        ones, others = ({pair[side] for pair in exchanged} for side in (0, 1))
        if old.keys() != new.keys() or len(ones) != len(exchanged) or len(others) != len(exchanged) or ones & others:
            wrong.append(f"{place}: tokens do not stand for each other")
        if any((old[key] is None) != (new[key] is None) for key in old):
            wrong.append(f"{place}: a token came from nothing, or went")
    before = lake.contents(done, ("silver", "gold"))
    ended = day.run(places.DAYS[1], done, programs=bench.programs, env=bench.env, contracts=contracts(), more=("--resume",))
    wrong += [f"the day after the rotation ended with {ended.code}", ended.stderr] if ended.code else []
    return wrong + lake.differences(before, lake.contents(done, ("silver", "gold"))) + of.read(done)


def tokens(target: Place, place: str) -> dict[tuple, str | None]:
    """Returns the token of each row by the row's key."""
    names = {CUSTOMERS: ("customer_key",)}.get(place) or ADDED[place.split("/")[1]][0]
    read = DeltaTable(str(target / place)).to_pyarrow_table(columns=[*names, "email_token"]).to_pylist()
    return {tuple(row[name] for name in names): row["email_token"] for row in read}
