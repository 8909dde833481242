"""Runs one program of each kind on a disk that is read-only, then full, then has room: `unshare -rm ... proofs.bad_disk`.

The disk is a small tmpfs that holds a copy of the small lake. Of each program its table is taken away, so that the program
makes it anew. Read-only: it ends with 2 and writes nothing. With no page free, then with a few more each time, until it
succeeds: it ends with 75, says that the disk is full and leaves no row and no half-written file. In the end the table is what
the program makes where there is room, and no other table has changed. What people start by hand comes after (`bad_disk_commands`).
In a bucket a user who may only read, and one whom nobody knows, end with 2 likewise.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from proofs import bad_disk_commands, day, lake, places, stores
from proofs.disk import FULL, READ_ONLY, ROOM_KB, Disk, complaints, half_written, listed, rooms, step

FOLDER = places.PROOFS / "bad-disk"
# Free space grows by half each time, so that the disk is full at one step of the program after the other.
GROWTH = 1.5
# What a run says that did its work and could not write its end to the lineage outbox.
UNTOLD = "failed to tell the run's end"
CASES = (
    ("ingest-fx", "bronze_fx_rates"),
    ("ingest-kafka", "bronze_kafka_orders"),
    ("ingest-snowflake", "bronze_snowflake_orders"),
    ("ingest-redshift", "bronze_redshift_events"),
    ("ingest-hubspot", "bronze_hubspot_contacts"),
    ("silverize", "silver_order_items"),
    ("goldify", "gold_fact_sales"),
    ("dq-check", "gold_fact_sales"),
)


@dataclass
class Case:
    """A program that makes a table on a disk."""

    disk: Disk
    program: str
    table: str
    env: dict[str, str]

    @property
    def target(self) -> Path:
        """The lake."""
        return self.disk.path / "lake"

    @property
    def made(self) -> list[str]:
        """Places of the tables that the program makes, the one that it is asked for first."""
        if self.program == "dq-check":
            return ["ops/dq_verdicts"]
        layer, rest = self.table.split("_", 1)
        return [f"{layer}/{rest}"] + [f"{aside}/{rest}" for aside in ("quarantine", "held") if layer != "bronze"]

    def run(self) -> subprocess.CompletedProcess[str]:
        """Runs the program to its end."""
        command = [str(places.HOME / "bin" / self.program), self.table, "--window", places.DAYS[-1], "--lake", str(self.target)]
        return subprocess.run(command, env=self.env, text=True, capture_output=True, check=False)

    def contents(self) -> dict[str, Counter[tuple]]:
        """Returns the rows of the tables that the program makes."""
        found = dict(lake.tables(self.target))
        return {place: lake.rows(found[place], lake.left_out(place) | {"version"}) for place in self.made if place in found}

    def forget(self) -> None:
        """Takes away the tables that the program makes."""
        for place in self.made:
            shutil.rmtree(self.target / place, ignore_errors=True)

    def restore(self) -> None:
        """Puts the tables back as they are in the small lake: other programs have read them."""
        self.disk.leave(ROOM_KB)
        self.forget()
        for place in self.made:
            if (places.HOME / "lake" / place).is_dir():
                shutil.copytree(places.HOME / "lake" / place, self.target / place)

    def wrong(self, ended: subprocess.CompletedProcess[str], code: int) -> Iterator[str]:
        """Yields what is wrong with a run that had to fail."""
        yield from complaints(ended, code)
        # What is put aside is committed first; readers pass over it until the table itself follows.
        # What has committed all the same could not tell its end, says so, and is done already when it is run again.
        if self.contents().get(self.made[0]) and UNTOLD not in ended.stderr:
            yield f"ended with {ended.returncode} and left rows"
        yield from half_written(self.target)


def in_a_bucket(env: dict[str, str]) -> list[str]:
    """Runs a program as somebody who may not write to the bucket, then as who may; returns what is wrong."""
    bucket = stores.Bucket("s3://lake/bad-disk")
    for place in ("bronze/fx_rates", "ops/dq_verdicts"):
        stores.of(places.HOME / "lake" / place).copy_to(bucket / place)
    before = bucket.files()
    command = [str(places.HOME / "bin" / "silverize"), "silver_fx_rates", "--window", places.DAYS[-1], "--lake", str(bucket)]
    wrong = []
    for user in (env["SLUICE_TEST_READER"], "nobody"):
        ended = subprocess.run(command, env=env | {"AWS_ACCESS_KEY_ID": user}, text=True, capture_output=True, check=False)
        if ended.returncode != READ_ONLY or "hint: let this user write to the lake" not in ended.stderr:
            wrong.append(f"as {user}: ended with {ended.returncode}: {ended.stderr.strip()[-400:]}")
    wrong += ["somebody who may not write has written"] if bucket.files() != before else []
    ended = subprocess.run(command, env=env, text=True, capture_output=True, check=False)
    wrong += [f"as who may write: ended with {ended.returncode}: {ended.stderr.strip()[-400:]}"] if ended.returncode else []
    print(f"  silverize silver_fx_rates in a bucket that the user may not write to: {'WRONG' if wrong else 'refused, nothing written'}")
    return wrong


def tried(case: Case) -> list[str]:
    """Runs the program on the bad disk; returns what is wrong."""
    case.disk.leave(ROOM_KB)
    others = {place: version for place, version in lake.versions(case.target).items() if place not in case.made}
    case.forget()
    undisturbed = case.run()
    if undisturbed.returncode != 0:
        return [f"ended with {undisturbed.returncode} where there is room:\n{undisturbed.stderr}"]
    expected = case.contents()
    case.forget()
    case.disk.forbid()
    before = listed(case.target)
    wrong = list(case.wrong(case.run(), READ_ONLY))
    wrong += ["wrote to a read-only disk"] if listed(case.target) != before else []
    refused: Counter[str] = Counter()
    for free in rooms(GROWTH):
        case.disk.leave(free)
        ended = case.run()
        if ended.returncode == 0:
            break
        wrong += [f"with {free} KB free: {text}" for text in case.wrong(ended, FULL)]
        refused[step(ended.stderr)] += 1
    wrong += lake.differences(expected, case.contents())
    now = {place: version for place, version in lake.versions(case.target).items() if place not in case.made}
    wrong += [f"{place} has changed" for place in others if now.get(place) != others[place]]
    wrong += [] if refused else ["never met the full disk"]
    rows = sum(found.total() for found in expected.values())
    print(f"  {case.program} {case.table}: full {refused.total()} times ({', '.join(refused)}), then {rows:,} rows as where there is room")
    return wrong


def main() -> int:
    """Tries every program; 1 when one of them does not do what it must."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", metavar="PROGRAM", choices=sorted({program for program, _ in CASES} | bad_disk_commands.PROGRAMS))
    options = parser.parse_args()
    started = time.monotonic()
    disk = Disk(FOLDER / "disk")
    disk.mount()
    shutil.copytree(places.HOME / "lake", disk.path / "lake")
    env = day.environment() | day.connections() | {"LAKE_CONTRACTS": str(places.CONTRACTS)}
    outcomes = []
    for program, table in CASES:
        if options.only in (None, program):
            case = Case(disk, program, table, env)
            outcomes.append(told(f"{program} {table}", tried(case)))
            case.restore()
    for name, proved in bad_disk_commands.of(disk, env).items():
        if options.only in (None, name.split()[0]):
            outcomes.append(told(name, proved()))
    in_bucket = told("in a bucket", in_a_bucket(env))
    seconds = time.monotonic() - started
    print(f"bad disk: {sum(outcomes)} of {len(outcomes)} commands end with {READ_ONLY} on a read-only and {FULL} on a full disk, lose nothing; {seconds:.0f} s")
    return 0 if all(outcomes) and in_bucket else 1


def told(name: str, wrong: list[str]) -> bool:
    """Prints what is wrong; whether nothing is."""
    print(*(f"  WRONG {name}: {text}" for text in wrong), sep="\n", end="\n" if wrong else "", flush=True)
    return not wrong


if __name__ == "__main__":
    raise SystemExit(main())
