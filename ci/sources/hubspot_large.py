"""Checks of the large account (`hubspot_server.py --bulk`), a part of `hubspot-check`: it is what `hubspot_bulk` says, and fast."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import hubspot_bulk
from checking import Failed, expect
from hubspot_account import Account
from hubspot_faulty_days import UNLIMITED
from hubspot_world import CONTACTS

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


CHECKS: list[Callable[[Account, list[str]], str]] = [check_population, check_changes]
