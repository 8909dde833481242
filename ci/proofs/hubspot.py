"""Proves ingest-hubspot on a large account on its bad days: `python -m proofs.hubspot` (ci/hubspot-bulk starts it).

Three windows of contacts (with more properties than a search or an address takes), companies and associations, and two of a
type of the account's own, are landed while the account fails in every way that passes; what must not pass ends the run and lands
nothing. On the day in which objects go, lists also leave out objects that are there, and readings by id that confirm who is gone
fail in every way before they answer: whoever took a failure for an absence would land rows that nobody expects. Then every row of
Bronze is compared with what `hubspot_bulk` says, and the server tells how many requests came, and whether one was too many.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import state
from deltalake import DeltaTable
from hubspot_account import Account, account
from hubspot_bulk import ARCHIVED, EDITED, EDITED_LAST, UNLISTED, WINNERS, Bulk, contact_id, survey_properties
from hubspot_world import BRANCHES as OWN_TYPE

from proofs import ending, places
from proofs.hubspot_rows import BRANCH_PROPERTIES, BRANCHES, COMPANIES, CONTACTS, PAIRS, Expected, differences

FOLDER = places.PROOFS / "hubspot"
TABLES = (CONTACTS, COMPANIES, PAIRS, BRANCHES)
SCOPES = [f"crm.objects.{kind}.read" for kind in ("contacts", "companies", "custom")]
HISTORY, DAY, NEXT = "2017-01-01/2017-12-30", "2017-12-30", "2017-12-31"
# A try that takes longer is given up; the server's slow answers take longer, and some a little less.
TIMEOUT_SECONDS = 3
TOO_SLOW, SLOW = TIMEOUT_SECONDS + 1, 0.5
# The allowance that must be used while a run has more to ask than it may; a shorter run says little of it.
SHARE_MIN, BUSY_SECONDS_MIN = 0.9, 30
# Everything that passes: what the server does instead of answering, once each.
FAILURES = (
    {"kind": "rate_limit", "retry_after": 1}, {"kind": "rate_limit"}, {"kind": "status", "status": 401},
    {"kind": "status", "status": 500}, {"kind": "status", "status": 502}, {"kind": "status", "status": 503},
    {"kind": "status", "status": 423}, {"kind": "status", "status": 477}, {"kind": "torn"}, {"kind": "cut"}, {"kind": "reset"},
    {"kind": "slow", "seconds": SLOW}, {"kind": "slow", "seconds": TOO_SLOW},
    {"kind": "drip", "seconds": SLOW}, {"kind": "drip", "seconds": TOO_SLOW},
)  # fmt: skip
# Failures that meet one request, which the program tries seven times (a refused token apart).
FAILURES_OF_A_REQUEST = 5
# Contacts of one answer.
ANSWERED = {"search": 200, "list": 100, "batch_read": 100, "associations": 100}


def failures(contacts: int, *endpoints: str) -> list[dict]:
    """Returns every failure once on each endpoint, spread over the first half of its requests for so many contacts."""
    spread = [
        failure | {"on": endpoint, "object": "contacts", "skip": place * max(1, contacts // ANSWERED[endpoint] // 2 // len(FAILURES))}
        for endpoint in endpoints for place, failure in enumerate(FAILURES)
    ]  # fmt: skip
    start = {"kind": "status", "status": 503, "on": "properties", "object": "contacts"}
    return [*spread, start] if "search" in endpoints else spread


def in_a_row(endpoint: str, before: int = 0) -> list[dict]:
    """Returns every failure that is no answer, for the requests that follow on so many: some for each question."""
    refusals = [failure for failure in FAILURES if failure.get("seconds", TOO_SLOW) > SLOW]
    return [failure | {"on": endpoint, "object": "contacts", "skip": before, "most": FAILURES_OF_A_REQUEST} for failure in refusals]


def quick(faults: list[dict]) -> list[dict]:
    """Returns the failures that are told at once: a list goes on page by page, so one that is waited for holds up all."""
    return [fault for fault in faults if fault.get("seconds", 0) <= SLOW]


@dataclass
class Bench:
    """The account, the program and the lake."""

    place: Account
    program: Path
    contracts: Path
    lake: Path = FOLDER / "lake"
    problems: list[str] = field(default_factory=list)
    # Runs that the allowance limits and that were too short to say how well they use it.
    unjudged: list[str] = field(default_factory=list)

    def run(self, table: str, window: str, secrets: Path | None = None) -> tuple[int, str, dict]:
        """Lands a window; returns exit code, what was said, and the summary."""
        command = [
            self.program, table, "--window", window, "--lake", self.lake, "--contracts", self.contracts, "--output", "json",
            "--url", self.place.url, "--secrets", f"file:{secrets or state.places.SECRETS}", "--timeout-seconds", TIMEOUT_SECONDS,
        ]  # fmt: skip
        done = subprocess.run([str(word) for word in command], env=os.environ, text=True, capture_output=True, check=False)
        lines = done.stdout.splitlines()
        return done.returncode, done.stderr, json.loads(lines[-1]) if done.returncode == 0 and lines else {}

    def expect(self, found: object, wanted: object, what: str) -> None:
        """Takes down what is not as it must be."""
        if found != wanted:
            self.problems.append(f"{what}: {found}, not {wanted}")

    def land(self, table: str, window: str, faults: list[dict], limited: bool = False) -> dict:
        """Lands a window while the account fails, and judges how the account was asked; returns the summary's facts.

        `limited` says that the allowance is what limits the run: it asks several things at once. A list alone does not.
        """
        if limited:
            # The first window would else be one that the run before has used.
            time.sleep(self.place.control()["other"]["window_seconds"])
        self.place.control(reset_stats=True, faults=faults)
        code, said, summary = self.run(table, window)
        counted, what = self.place.control(), f"{table} {window}"
        if code:
            raise SystemExit(f"hubspot: {what} ended with {code}:\n{said}")
        self.expect(counted["faults"]["to_come"], 0, f"{what}: failures that were not met")
        refused = sum(fault["kind"] == "rate_limit" for fault in faults)
        self.expect(sum(counted["rate_limited"].values()), refused, f"{what}: refusals, of which all were planted")
        self.expect(counted["during_retry_after"], 0, f"{what}: requests that came although they were to wait")
        for bucket in ("other", "search"):
            self.expect(counted[bucket]["above"], 0, f"{what}: requests above the allowance ({bucket})")
        facts = summary["facts"]
        sent = facts["requests"], facts["search_requests"]
        self.expect(sent, (counted["other"]["requests"], counted["search"]["requests"]), f"{what}: requests by both counts")
        judged = limited and self.judge(what, counted)
        print(
            f"hubspot: {table:<32} {window:<22} {summary['ledger']['accepted']:>6} rows {sum(sent):>5} requests"
            f" (most in a window: {counted['other']['highest']} of {counted['other']['allowed']},"
            f" searches {counted['search']['highest']} of {counted['search']['allowed']}),"
            f" {counted['busy_share'] or 0:>6.1%} of the allowance in {counted['busy_seconds']:>3} s"
            f" ({'judged' if judged else 'not judged'}),"
            f" {len(faults):>2} failures, {summary['peak_rss_bytes'] >> 20} MB",
            flush=True,
        )
        return facts

    def judge(self, what: str, counted: dict) -> bool:
        """Judges which share of the allowance a run used; returns whether it was long enough for that."""
        if counted["busy_seconds"] < BUSY_SECONDS_MIN:
            self.unjudged.append(f"{what}: busy for {counted['busy_seconds']} s, of {BUSY_SECONDS_MIN} that its share needs")
            return False
        if counted["busy_share"] < SHARE_MIN:
            self.problems.append(f"{what}: {counted['busy_share']:.1%} of the allowance was used")
        return True

    def shares(self, contacts: int) -> None:
        """Tells of the runs whose share was not judged; of the whole account none may be so short."""
        if contacts >= Bulk().contacts:
            self.problems += self.unjudged
            return
        for run in self.unjudged:
            print(f"hubspot: not judged: {run}")

    def refused(self, what: str, expected: int, message: str, secrets: Path | None = None, **control: object) -> None:
        """Lands a window that must fail, and nothing of it."""
        before = DeltaTable(self.lake / "bronze" / "hubspot_contacts").version()
        self.place.control(reset_stats=True, **control)
        code, said, _ = self.run(CONTACTS, DAY, secrets)
        self.place.control(faults=[], scopes=SCOPES)
        if (code, message in said) != (expected, True):
            self.problems.append(f"{what}: ended with {code}, not {expected} and `{message}`:\n{said}")
        self.expect(DeltaTable(self.lake / "bronze" / "hubspot_contacts").version(), before, f"{what}: version")
        print(f"hubspot: {what:<32} exit {code}, nothing landed", flush=True)


def contracts(folder: Path) -> tuple[Path, list[str]]:
    """Copies the contracts, that of the contacts with all of the account's properties; returns folder and properties."""
    (folder / "bronze").mkdir(parents=True)
    for file in (places.CONTRACTS / "bronze").glob("hubspot_*.odcs.yaml"):
        shutil.copy(file, folder / "bronze")
    shutil.copy(places.CONTRACTS / "policy.yaml", folder)
    path, indent = folder / "bronze" / "hubspot_contacts.odcs.yaml", " " * 12 + "- "
    text, last = path.read_text(), f"{indent}lastmodifieddate\n"
    if text.count(last) != 1:
        raise SystemExit(f"hubspot: {path} does not end its properties with lastmodifieddate")
    text = text.replace(last, last + "".join(f"{indent}{name}\n" for name in survey_properties()))
    path.write_text(text)
    contract_of_own_type(folder / "bronze")
    return folder, [line.removeprefix(indent) for line in text.splitlines() if line.startswith(indent)]


def contract_of_own_type(folder: Path) -> None:
    """Writes a contract for the account's own type: that of the companies with another table, type and properties."""
    table = BRANCHES.removeprefix("bronze_")
    text = (folder / "hubspot_companies.odcs.yaml").read_text().replace("hubspot_companies", table)
    names = "".join(f"            - {name}\n" for name in BRANCH_PROPERTIES)
    for wanted, instead in (
        (r"object: companies\n", f"object: '{OWN_TYPE}'\n"), (r"( {10}properties:\n)( {12}- \w+\n)+", rf"\g<1>{names}"),
    ):  # fmt: skip
        text, count = re.subn(wanted, instead, text)
        if count != 1:
            raise SystemExit(f"hubspot: the contract of the companies has {count} times {wanted}")
    (folder / f"{table}.odcs.yaml").write_text(text)


def days(bench: Bench, contacts: int) -> None:
    """Lands the three windows, and what must fail between them."""
    wrong = FOLDER / "wrong"
    (wrong / "hubspot").mkdir(parents=True)
    (wrong / "hubspot" / "token").write_text(state.secret("hubspot/wrong"))
    bench.land(CONTACTS, HISTORY, failures(contacts, "search", "list", "batch_read"), limited=True)
    bench.land(COMPANIES, HISTORY, [])
    bench.land(BRANCHES, HISTORY, [])
    of_pairs = [*failures(contacts, "associations"), *quick(failures(contacts, "list"))]
    bench.land(PAIRS, HISTORY, of_pairs, limited=True)

    hidden = [contact_id(place) for place in UNLISTED]
    bench.place.control(bulk_changes=True, index_until="2017-12-30T23:50:00Z", unlisted=hidden)
    daily = {"kind": "rate_limit", "policy": "DAILY", "on": "list", "skip": 20}
    bench.refused("a wrong token", 2, "the token is refused (401)", wrong)
    bench.refused("a missing scope", 2, "the token may not (403)", scopes=["crm.objects.companies.read"])
    bench.refused("the day's allowance is spent", 75, "for this day is spent", faults=[daily])
    bench.refused("a service that is down", 75, "failed to", faults=[{"kind": "status", "status": 503, "on": "search", "times": 99}])
    # What the search finds is read by id, then what is archived; whatever is read after that was in no list, and may be gone.
    found, archived = (-(-count // ANSWERED["batch_read"]) for count in (len(EDITED) + len(WINNERS), len(ARCHIVED)))
    torn = {"kind": "torn", "on": "batch_read", "object": "contacts", "skip": found}
    pressed = [torn, *in_a_row("search"), *in_a_row("batch_read", found + archived)]
    facts = bench.land(CONTACTS, DAY, [*failures(contacts, "list"), *pressed])
    bench.expect(facts.get("behind"), len(EDITED_LAST), "objects that the lagging search did not show")
    bench.land(COMPANIES, DAY, [])
    bench.land(BRANCHES, DAY, [])
    bench.land(PAIRS, DAY, [*of_pairs, *in_a_row("batch_read")], limited=True)

    bench.place.control(index_until=None, unlisted=[])
    facts = bench.land(CONTACTS, NEXT, [])
    bench.expect(facts.get("behind"), None, "objects that no search has shown")
    bench.land(COMPANIES, NEXT, [])
    bench.land(PAIRS, NEXT, [], limited=True)
    bench.place.control(reset_stats=True)
    for table in TABLES:
        code, _, summary = bench.run(table, HISTORY)
        bench.expect((code, summary.get("outcome")), (0, "already_done"), f"{table}: the first window again")
    bench.expect(sum(bench.place.control()["requests"].values()), 0, "requests of windows that are in")


def main() -> int:
    """Runs it all; 1 when something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=Path, required=True, help="folder with ingest-hubspot")
    parser.add_argument("--contacts", type=int, default=Bulk().contacts, help="contacts of the account")
    options = parser.parse_args()
    bulk = Bulk(options.contacts)
    shutil.rmtree(FOLDER, ignore_errors=True)
    folder, properties = contracts(FOLDER / "contracts")
    with account(f"--bulk={bulk.contacts}") as place:
        bench = Bench(place, options.programs / "ingest-hubspot", folder)
        days(bench, bulk.contacts)
    bench.shares(bulk.contacts)
    expected = Expected(bulk, properties)
    for table in TABLES:
        wanted = expected.rows(table, (HISTORY, DAY, NEXT))
        found = differences(bench.lake, table, wanted)
        bench.problems += found
        print(f"hubspot: {table}: {len(wanted)} rows expected, {'all there and no other' if not found else 'NOT EQUAL'}")
    return ending.told("hubspot", f"{bulk.contacts} contacts, {bulk.same_millisecond} of one millisecond", bench.problems)


if __name__ == "__main__":
    sys.exit(main())
