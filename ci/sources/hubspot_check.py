"""Proves that the HubSpot server answers as HubSpot's own client expects, and shows exactly what the files hold.

    ci/sources/hubspot-check

The official SDK lists, searches, pages, reads batches, associations and properties after every batch; its findings are
compared with the files. Then what no SDK can ask for: limits, faults, a search that lags. All on a server of its own, with the
small profile's data, so that nothing else is disturbed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
from hubspot import HubSpot
from hubspot.crm.associations.v4 import (
    BatchInputPublicFetchAssociationsBatchRequest,
    PublicFetchAssociationsBatchRequest,
)
from hubspot.crm.contacts import (
    BatchReadInputSimplePublicObjectId, Filter, FilterGroup, PublicObjectSearchRequest, SimplePublicObjectId,
)  # fmt: skip

import generate
import hubspot_faulty_days
import hubspot_files
import hubspot_large
import places
import state
from checking import Failed, expect
from hubspot_account import Account, account
from hubspot_world import ASSOCIATIONS, COMPANIES, CONTACTS, CURSORS, hubspot_file

UNKNOWN_ID = 77
BATCH = 1000


@dataclass(frozen=True)
class Pace:
    """How many results a search asks for, and how long it waits before it asks."""

    page: int
    seconds: float


# Small pages, so that even the small profile has several.
MANY_PAGES = Pace(20, 0.0)
WITHIN_BUDGET = Pace(200, 0.25)


def client(place: Account, secret: str = "hubspot/token") -> HubSpot:
    """Returns the official client, turned to the server."""
    return HubSpot(access_token=state.secret(secret), host=place.url)


def published(kind: str, batches: list[str]) -> dict[int, dict]:
    """Returns how every object stands that is not gone, by its newest row."""
    newest: dict[int, dict] = {}
    for batch in batches:
        newest |= {row["id"]: row for row in pq.read_table(hubspot_file(batch, kind)).to_pylist()}
    return {number: row for number, row in newest.items() if row["gone"] is None}


def published_pairs(batches: list[str]) -> dict[tuple[int, int], list[dict]]:
    """Returns every association that is there, with its types."""
    found: dict[tuple[int, int], list[dict]] = {}
    for batch in batches:
        for row in pq.read_table(hubspot_file(batch, ASSOCIATIONS)).to_pylist():
            pair = row["contact_id"], row["company_id"]
            found.pop(pair, None)
            if row["present"]:
                found[pair] = json.loads(row["type_ids"])
    return found


def as_seen(thing: object) -> tuple:
    """Returns what the client makes of an object, in the terms of the files."""
    times = thing.created_at, thing.updated_at, thing.archived_at  # type: ignore[attr-defined]
    naive = [None if at is None else at.astimezone(UTC).replace(tzinfo=None) for at in times]
    properties = {name: value for name, value in thing.properties.items() if value is not None}  # type: ignore[attr-defined]
    return properties, *naive, thing.archived  # type: ignore[attr-defined]


def as_published(row: dict) -> tuple:
    """Returns the same of a row."""
    properties = {name: value for name, value in json.loads(row["properties"]).items() if value is not None}
    return properties, row["created_at"], row["updated_at"], row["archived_at"], row["archived"]


def names_of(rows: dict[int, dict]) -> list[str]:
    """Returns all properties that any of the rows has."""
    return sorted({name for row in rows.values() for name in json.loads(row["properties"])})


def check_lists(place: Account, batches: list[str]) -> str:
    """Lists, live and archived, page by page."""
    count = 0
    for kind in (CONTACTS, COMPANIES):
        wanted, api = published(kind, batches), getattr(client(place).crm, kind)
        for archived in (False, True):
            found = api.get_all(properties=names_of(wanted), archived=archived)
            numbers = sorted(number for number, row in wanted.items() if row["archived"] == archived)
            expect([int(thing.id) for thing in found], numbers, f"ids of {kind}")
            wrong = [thing.id for thing in found if as_seen(thing) != as_published(wanted[int(thing.id)])]
            expect(wrong, [], f"{kind} that differ")
            count += len(found)
    return f"{count} objects listed, live and archived, as in the files"


def check_search(place: Account, batches: list[str], pace: Pace = MANY_PAGES) -> str:
    """A window by keyset, in pages of a few, as ingest-hubspot goes; and the same by offset, the other way round."""
    start, end = places.WINDOWS[batches[-1]]
    low, high = start - places.HUBSPOT_LOOKBACK, end - timedelta(milliseconds=1)
    count = 0
    for kind in (CONTACTS, COMPANIES):
        api = getattr(client(place).crm, kind).search_api
        rows = published(kind, batches).items()
        wanted = sorted(number for number, row in rows if not row["archived"] and low <= row["updated_at"] <= high)
        expect(keyset(api, kind, (low, high), pace), wanted, f"{kind} found by keyset")
        expect(sorted(by_offset(api, kind, (low, high), pace)), wanted, f"{kind} found by offset")
        count += len(wanted)
    return f"{count} objects found in the window, by keyset and by offset"


def in_window(kind: str, window: tuple[datetime, datetime]) -> Filter:
    """Returns the filter of a closed window."""
    bounds = [str(round(at.replace(tzinfo=UTC).timestamp() * 1000)) for at in window]
    return Filter(property_name=CURSORS[kind], operator="BETWEEN", value=bounds[0], high_value=bounds[1])


def keyset(api: object, kind: str, window: tuple[datetime, datetime], pace: Pace) -> list[int]:
    """Returns the ids in a window, each page beginning after the last id of the one before."""
    found: list[int] = []
    while True:
        after = Filter(property_name="hs_object_id", operator="GT", value=str(found[-1] if found else 0))
        group = FilterGroup(filters=[in_window(kind, window), after])
        request = PublicObjectSearchRequest(
            filter_groups=[group],
            sorts=["hs_object_id"],
            limit=pace.page,
            after="0",
            properties=["hs_object_id"],
            query="",
        )
        time.sleep(pace.seconds)
        page = api.do_search(request)  # type: ignore[attr-defined]
        if not page.results:
            return found
        found += [int(thing.id) for thing in page.results]


def by_offset(api: object, kind: str, window: tuple[datetime, datetime], pace: Pace) -> list[int]:
    """Returns the ids in a window, newest change first, by pages that name their offset."""
    found: list[int] = []
    times: list[datetime] = []
    after: str | None = "0"
    while after:
        request = PublicObjectSearchRequest(
            filter_groups=[FilterGroup(filters=[in_window(kind, window)])], limit=pace.page, after=after,
            sorts=[{"propertyName": CURSORS[kind], "direction": "DESCENDING"}], properties=[],
        )  # fmt: skip
        time.sleep(pace.seconds)
        page = api.do_search(request)  # type: ignore[attr-defined]
        found += [int(thing.id) for thing in page.results]
        times += [thing.updated_at for thing in page.results]
        after = page.paging.next.after if page.paging else None
    expect(times, sorted(times, reverse=True), "order of a descending sort")
    return found


def check_batch_read(place: Account, batches: list[str]) -> str:
    """A hundred ids at once; of those that are not there the answer says so, and is a success."""
    rows = published(CONTACTS, batches)
    live = sorted(number for number, row in rows.items() if not row["archived"])[:99]
    archived = [number for number, row in rows.items() if row["archived"]][:1]
    inputs = [SimplePublicObjectId(id=str(number)) for number in [*live, *archived, UNKNOWN_ID]][:100]
    request = BatchReadInputSimplePublicObjectId(inputs=inputs, properties=names_of(rows), properties_with_history=[])
    found = client(place).crm.contacts.batch_api.read(request)
    expect(sorted(int(thing.id) for thing in found.results), live, "contacts read by batch")
    wrong = [thing.id for thing in found.results if as_seen(thing) != as_published(rows[int(thing.id)])]
    expect(wrong, [], "contacts that differ")
    expect(sorted(found.errors[0].context["ids"]), sorted(map(str, [*archived, UNKNOWN_ID])), "ids that were not there")
    return f"{len(live)} contacts read by batch, {len(archived) + 1} told to be missing"


def check_merged(place: Account, batches: list[str]) -> str:
    """By the id of a merged contact the one that it was merged into is answered."""
    rows = [row for batch in batches for row in pq.read_table(hubspot_file(batch, CONTACTS)).to_pylist()]
    live = {number for number, row in published(CONTACTS, batches).items() if not row["archived"]}
    merged = {row["id"]: row["merged_into"] for row in rows if row["merged_into"] in live}
    for loser, winner in merged.items():
        inputs = [SimplePublicObjectId(id=str(loser))]
        request = BatchReadInputSimplePublicObjectId(inputs=inputs, properties=[], properties_with_history=[])
        found = client(place).crm.contacts.batch_api.read(request)
        expect([thing.id for thing in found.results], [str(winner)], f"what {loser} was merged into")
    expect(bool(merged), True, "some contact was merged")
    return f"{len(merged)} merged contacts"


def check_associations(place: Account, batches: list[str]) -> str:
    """All associations of all live contacts, going on where one contact has more than a page."""
    contacts = [number for number, row in published(CONTACTS, batches).items() if not row["archived"]]
    found, rounds = associations_of(place, contacts)
    expect(found, published_pairs(batches), "associations")
    expect(rounds, 3, "pages of the contact with most companies")
    return f"{len(found)} associations in {rounds} rounds"


def associations_of(place: Account, contacts: list[int]) -> tuple[dict[tuple[int, int], list[dict]], int]:
    """Returns the associations of contacts, and how many times more had to be asked for."""
    todo = [PublicFetchAssociationsBatchRequest(id=str(number)) for number in contacts]
    found: dict[tuple[int, int], list[dict]] = {}
    rounds = 0
    while todo:
        asked, todo = [todo[first : first + BATCH] for first in range(0, len(todo), BATCH)], []
        rounds += 1
        for inputs in asked:
            request = BatchInputPublicFetchAssociationsBatchRequest(inputs=inputs)
            for result in client(place).crm.associations.v4.batch_api.get_page(CONTACTS, COMPANIES, request).results:
                for other in result.to:
                    found[int(result._from.id), int(other.to_object_id)] = [
                        as_type(one) for one in other.association_types
                    ]
                if result.paging:
                    todo.append(PublicFetchAssociationsBatchRequest(id=result._from.id, after=result.paging.next.after))
    return found, rounds


def as_type(one: object) -> dict:
    """Returns what the client makes of an association's type, in the terms of the files."""
    return {"category": one.category, "typeId": one.type_id, "label": one.label}  # type: ignore[attr-defined]


class Reader:
    """Reads window after window as ingest-hubspot is to do, and remembers what it has seen."""

    def __init__(self) -> None:
        self._things: dict[str, dict[int, tuple]] = {CONTACTS: {}, COMPANIES: {}}
        self._pairs: dict[tuple[int, int], list[dict]] = {}

    def check_ledger(self, place: Account, batches: list[str]) -> str:
        """What a window finds that is new is as many rows as the manifest says Bronze accepts."""
        ledger = json.loads((places.DATA / "manifest.json").read_text())["ledger"][batches[-1]]
        counts = {kind: self._objects(place, kind, batches[-1]) for kind in (CONTACTS, COMPANIES)}
        counts[ASSOCIATIONS] = self._associations(place)
        wanted = {kind: ledger[hubspot_files.TABLES[kind][0]]["accepted"] for kind in counts}
        expect(counts, wanted, "rows that land")
        return ", ".join(f"{count} rows of {kind}" for kind, count in counts.items())

    def _objects(self, place: Account, kind: str, batch: str) -> int:
        """Returns how many objects are changed, newly archived, or were live and are gone."""
        start, end = places.WINDOWS[batch]
        known, api = self._things[kind], getattr(client(place).crm, kind)
        window = start - places.HUBSPOT_LOOKBACK, end - timedelta(milliseconds=1)
        changed = keyset(api.search_api, kind, window, MANY_PAGES)
        archived = {int(thing.id): ("archived", thing.archived_at) for thing in api.get_all(archived=True)}
        live = {int(thing.id) for thing in api.get_all()}
        newly_archived = {number: seen for number, seen in archived.items() if known.get(number) != seen}
        known |= {number: ("live",) for number in changed} | newly_archived
        gone = [number for number, seen in known.items() if seen == ("live",) and number not in live]
        known |= {number: ("gone",) for number in gone}
        return len(changed) + len(newly_archived) + len(gone)

    def _associations(self, place: Account) -> int:
        """Returns how many associations are new, removed or of other types."""
        contacts = [int(thing.id) for thing in client(place).crm.contacts.get_all()]
        before, (self._pairs, _) = self._pairs, associations_of(place, contacts)
        return sum(before.get(pair) != self._pairs.get(pair) for pair in before.keys() | self._pairs.keys())


def check_properties(place: Account, _: list[str]) -> str:
    """Discovery knows every property that any object shows."""
    count = 0
    for kind in (CONTACTS, COMPANIES):
        api = client(place).crm.properties.core_api
        known = {one.name for one in api.get_all(object_type=kind).results}
        expect(
            set(names_of(published(kind, list(places.BATCHES)))) - known,
            set(),
            f"properties of {kind} that nobody told",
        )
        count += len(known)
    expect(api.get_by_name(object_type=COMPANIES, property_name="domain").type, "string", "type of a property")
    return f"{count} properties described"


AFTER_EACH_BATCH: list[Callable[[Account, list[str]], str]] = [
    check_lists, check_search, check_batch_read, check_associations,
]  # fmt: skip
AT_THE_END: list[Callable[[Account, list[str]], str]] = [check_merged, check_properties, *hubspot_faulty_days.CHECKS]


def told(checks: list[Callable[[Account, list[str]], str]], place: Account, batches: list[str]) -> list[bool]:
    """Runs checks, says what held, and returns whether each did."""
    held = []
    for check in checks:
        try:
            print(f"ok    {batches[-1]} {check.__name__}: {check(place, batches)}", flush=True)
            held.append(True)
        except Failed as error:
            print(f"FAIL  {batches[-1]} {check.__name__}: {error}", flush=True)
            held.append(False)
    return held


def main() -> None:
    """Runs every check and says what held."""
    generate.generate("small", places.DATA)
    held: list[bool] = []
    reader = Reader()
    with account() as place:
        place.control(**hubspot_faulty_days.UNLIMITED)
        for batch in places.BATCHES:
            # Twice is the same as once.
            place.control(batch=batch)
            place.control(batch=batch)
            batches = list(places.batches_up_to(batch))
            held += told([*AFTER_EACH_BATCH, reader.check_ledger], place, batches)
        held += told(AT_THE_END, place, batches)
    with account("--bulk") as place:
        held += told(hubspot_large.CHECKS, place, ["large"])
    print(f"hubspot: {sum(held)} passed, {len(held) - sum(held)} failed")
    raise SystemExit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
