"""Checks of the large account (`hubspot_server.py --bulk`), a part of `hubspot-check`: it is what `hubspot_bulk` says, and fast."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from hubspot import HubSpot
from hubspot.crm.objects import (
    BatchReadInputSimplePublicObjectId, Filter, FilterGroup, PublicObjectSearchRequest, SimplePublicObjectId,
)  # fmt: skip

import hubspot_bulk
import state
from checking import Failed, expect
from hubspot_account import Account
from hubspot_faulty_days import UNLIMITED
from hubspot_world import BRANCHES, CONTACTS, CURSORS

SEARCH = "/crm/objects/2026-09/contacts/search"
# At the limits of HubSpot's API, a page may take this long before the server is what holds a reader back.
PAGE_SECONDS_MAX = 0.2
BULK = hubspot_bulk.Bulk()
DAY_END = datetime(2017, 12, 31)


def keyset(place: Account, low: datetime, high: datetime) -> tuple[list[int], float]:
    """Returns the ids in a closed window by pages of 200, and the seconds that a page took."""
    found: list[int] = []
    began, pages = time.monotonic(), 0
    bounds = [str(round(at.replace(tzinfo=UTC).timestamp() * 1000)) for at in (low, high)]
    between = {"propertyName": "lastmodifieddate", "operator": "BETWEEN", "value": bounds[0], "highValue": bounds[1]}
    while True:
        after = {"propertyName": "hs_object_id", "operator": "GT", "value": str(found[-1] if found else 0)}
        body = {
            "filterGroups": [{"filters": [between, after]}],
            "sorts": ["hs_object_id"],
            "limit": 200,
            "properties": ["email"],
        }
        page = place.ask("POST", SEARCH, body).document()
        pages += 1
        if not page["results"]:
            return found, (time.monotonic() - began) / pages
        found += [int(one["id"]) for one in page["results"]]


def check_population(place: Account, __: list[str]) -> str:
    """All contacts once, in the order of their ids, also those of one millisecond; a wide list of properties by batch read."""
    place.control(**UNLIMITED)
    wanted = sorted(hubspot_bulk.contact_id(number) for number in range(BULK.contacts))
    found, seconds = keyset(place, hubspot_bulk.START, hubspot_bulk.DAY)
    expect(found == wanted, True, "all contacts by keyset")
    same, _ = keyset(place, hubspot_bulk.SAME_MILLISECOND, hubspot_bulk.SAME_MILLISECOND)
    expect(len(same), BULK.same_millisecond, "contacts of one millisecond")
    if seconds > PAGE_SECONDS_MAX:
        raise Failed(f"a page took {seconds:.3f} s")
    names = sorted(hubspot_bulk.survey_properties())
    wide = place.ask("GET", f"/crm/objects/2026-09/contacts?properties={','.join(names)}")
    expect(wide.status, 414, "a list with all of them")
    body = {"inputs": [{"id": str(number)} for number in wanted[:100]], "properties": names}
    answer = place.ask("POST", "/crm/objects/2026-09/contacts/batch/read", body).document()["results"]
    expect({len(one["properties"]) for one in answer}, {len(names) + 3}, "properties of a batch read")
    pages = f"{seconds * 1000:.0f} ms a page, {len(names)} properties at once"
    return f"{len(found)} contacts, {len(same)} of one millisecond, {pages}"


def check_changes(place: Account, __: list[str]) -> str:
    """What happens on the day: the search sees the end of it only when its index does, the list sees who is gone."""
    place.control(index_until="2017-12-30T23:50:00Z", bulk_changes=True)
    seen, _ = keyset(place, hubspot_bulk.DAY, DAY_END)
    place.control(index_until=None)
    whole, _ = keyset(place, hubspot_bulk.DAY, DAY_END)
    on_time = len(hubspot_bulk.EDITED) + len(hubspot_bulk.WINNERS)
    expect((len(seen), len(whole)), (on_time, on_time + len(hubspot_bulk.EDITED_LAST)), "contacts edited on the day")
    gone = len(hubspot_bulk.REMOVED) + len(hubspot_bulk.LOSERS)
    archived = len(hubspot_bulk.ARCHIVED)
    rows = place.control()["rows"]
    left = BULK.contacts - gone - archived
    expect((rows[CONTACTS], rows[f"{CONTACTS}_archived"]), (left, archived), "live and archived contacts")
    return f"{len(seen)} of {len(whole)} edits in a lagging index, {archived} archived, {gone} gone"


def check_unlisted(place: Account, __: list[str]) -> str:
    """An object that lists leave out is read by its id as ever, and is listed again when they are told so."""
    number = str(hubspot_bulk.contact_id(hubspot_bulk.UNLISTED[0]))
    address = f"/crm/objects/2026-09/contacts?limit=1&after={int(number) - 1}"
    listed = []
    for unlisted in ([number], []):
        place.control(unlisted=unlisted)
        listed.append([one["id"] for one in place.ask("GET", address).document()["results"]] == [number])
        body = {"inputs": [{"id": number}], "properties": ["email"]}
        answer = place.ask("POST", "/crm/objects/2026-09/contacts/batch/read", body)
        expect((answer.status, len(answer.document()["results"])), (200, 1), "an object that lists leave out, by id")
    expect(listed, [False, True], "whether it is listed")
    return "left out by a list and read by id"


def check_own_type(place: Account, __: list[str]) -> str:
    """A type of the account's own by HubSpot's client: lists, live and archived, search, batch read, discovery."""
    crm = HubSpot(access_token=state.secret("hubspot/token"), host=place.url).crm
    rows = {row["id"]: row for row in [*hubspot_bulk.branches(), *hubspot_bulk.branch_changes()]}
    live = sorted(number for number, row in rows.items() if not row["archived"] and not row["gone"])
    archived = sorted(number for number, row in rows.items() if row["archived"])
    for numbers, things in (
        (live, crm.objects.get_all(BRANCHES, properties=["name", "city"])),
        (archived, crm.objects.get_all("p_branches", properties=["name", "city"], archived=True)),
    ):
        expect([int(thing.id) for thing in things], numbers, "ids in a list")
        wrong = [thing.id for thing in things if thing.properties["city"] != rows[int(thing.id)]["properties"]["city"]]
        expect(wrong, [], "objects that differ")
    noon = str(round((hubspot_bulk.DAY.replace(tzinfo=UTC).timestamp() + 43_200) * 1000))
    changed = Filter(property_name=CURSORS[BRANCHES], operator="BETWEEN", value=noon, high_value=noon)
    request = PublicObjectSearchRequest(
        filter_groups=[FilterGroup(filters=[changed])], sorts=["hs_object_id"], limit=200, after="0", properties=["name"],
        query="",
    )  # fmt: skip
    found = crm.objects.search_api.do_search(BRANCHES, request).results
    expect([int(thing.id) for thing in found], [live[0], live[-1]], "objects that changed on the day")
    inputs = [SimplePublicObjectId(id=str(number)) for number in rows]
    read = BatchReadInputSimplePublicObjectId(inputs=inputs, properties=["name"], properties_with_history=[])
    for numbers, things in (
        (live, crm.objects.batch_api.read(BRANCHES, read).results),
        (archived, crm.objects.batch_api.read(BRANCHES, read, archived=True).results),
    ):
        expect(sorted(int(thing.id) for thing in things), numbers, "objects read by id")
    known = {one.name for one in crm.properties.core_api.get_all(object_type=BRANCHES).results}
    expect(known >= {"name", "city", "hs_createdate", CURSORS[BRANCHES]}, True, "discovery of its properties")
    return f"{len(live)} objects of {BRANCHES}, {len(archived)} archived"


CHECKS: list[Callable[[Account, list[str]], str]] = [check_population, check_changes, check_unlisted, check_own_type]
