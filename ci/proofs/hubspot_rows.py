"""Which rows Bronze must hold of the large account: computed from what `hubspot_bulk` says, without server and program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deltalake import DeltaTable
from hubspot_bulk import Bulk
from hubspot_world import BRANCHES as OWN_TYPE

CONTACTS, COMPANIES = "bronze_hubspot_contacts", "bronze_hubspot_companies"
PAIRS, BRANCHES = "bronze_hubspot_contact_companies", "bronze_hubspot_branches"
TYPES = {CONTACTS: "contacts", COMPANIES: "companies", BRANCHES: OWN_TYPE}
LOOKBACK = timedelta(hours=1)
COMPANY_PROPERTIES = ["name", "domain", "industry", "country", "numberofemployees", "annualrevenue"]
BRANCH_PROPERTIES = ["name", "city", "hs_createdate", "hs_lastmodifieddate"]
# (key, change, observed at, start of the window)
Key = tuple[str, str, datetime, datetime]
# What stands beside: the payload as a document, since when an association is there.
Row = tuple[dict | None, datetime | None]
# A batch of payloads is large.
BATCH_ROWS = 4_096
SHOWN = 3


def bounds(window: str) -> tuple[datetime, datetime]:
    """Returns start and end of a window."""
    first, _, last = window.partition("/")
    start = datetime.fromisoformat(first)
    return start, datetime.fromisoformat(last) if last else start + timedelta(days=1)


def shown(at: datetime) -> str:
    """Returns an instant as HubSpot shows it."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


class Expected:
    """What the three windows must have landed: the first of the population, the second of the changes, the third late."""

    def __init__(self, bulk: Bulk, properties: list[str]) -> None:
        self._population, self._changes = bulk.population(), bulk.changes()
        self._properties = {"contacts": properties, "companies": COMPANY_PROPERTIES, OWN_TYPE: BRANCH_PROPERTIES}

    def rows(self, table: str, windows: tuple[str, str, str]) -> dict[Key, Row]:
        """Returns a table's rows."""
        found: dict[Key, Row] = {}
        for key, row in self._pairs(windows) if table == PAIRS else self._objects(TYPES[table], windows):
            if key in found:
                raise AssertionError(f"{key} is expected twice")
            found[key] = row
        return found

    def _objects(self, kind: str, windows: tuple[str, str, str]) -> Iterator[tuple[Key, Row]]:
        (first, first_end), (day, day_end), (late, _) = map(bounds, windows)
        for row in self._population[kind]:
            if not first - LOOKBACK <= row["updated_at"] < first_end:
                raise AssertionError("the population changed before or after the first window")
            yield (str(row["id"]), "present", row["updated_at"], first), (self._document(kind, row), None)
        # The second window's search lags: it does not show what changed in the hour that the third window reads again.
        for row in self._changes.get(kind, []):
            key = str(row["id"])
            if row.get("gone"):
                yield (key, "absent", day_end, day), (None, None)
            elif row["archived"]:
                yield (key, "archived", row["archived_at"], day), (self._document(kind, row), None)
            else:
                window = late if row["updated_at"] >= late - LOOKBACK else day
                yield (key, "present", row["updated_at"], window), (self._document(kind, row), None)

    def _document(self, kind: str, row: dict) -> dict:
        cursor = "lastmodifieddate" if kind == "contacts" else "hs_lastmodifieddate"
        created = "hs_createdate" if kind == OWN_TYPE else "createdate"
        own = {"hs_object_id": str(row["id"]), created: shown(row["created_at"]), cursor: shown(row["updated_at"])}
        found = {
            "id": str(row["id"]), "properties": {name: row["properties"].get(name) for name in self._properties[kind]} | own,
            "createdAt": shown(row["created_at"]), "updatedAt": shown(row["updated_at"]), "archived": row["archived"],
        }  # fmt: skip
        return found | ({"archivedAt": shown(row["archived_at"])} if row["archived"] else {})

    def _pairs(self, windows: tuple[str, str, str]) -> Iterator[tuple[Key, Row]]:
        (first, _), (day, _), _ = map(bounds, windows)
        known = {}
        for row in self._population["associations"]:
            known[pair_of(row)] = first
            yield (pair_of(row), "present", first, first), (pair_document(row), first)
        for row in self._changes["associations"]:
            key, change = pair_of(row), "present" if row["present"] else "absent"
            yield (key, change, day, day), (pair_document(row) if row["present"] else None, known.get(key, day))


def pair_of(row: dict) -> str:
    """Returns the key of an association."""
    return f"{row['contact_id']}/{row['company_id']}"


def pair_document(row: dict) -> dict:
    """Returns an association as HubSpot shows it."""
    return {"toObjectId": str(row["company_id"]), "associationTypes": row["type_ids"]}


def landed(lake: Path, table: str) -> Iterator[tuple[Key, Row]]:
    """Returns the rows of a table."""
    columns = ["_key", "_change", "_observed_at", "_window_from", "_payload", *(["_present_since"] if table == PAIRS else [])]
    dataset = DeltaTable(lake / "bronze" / table.removeprefix("bronze_")).to_pyarrow_dataset()
    for batch in dataset.to_batches(columns=columns, batch_size=BATCH_ROWS):
        for row in batch.to_pylist():
            payload, since = row["_payload"], row.get("_present_since")
            document = None if payload is None else json.loads(payload)
            if document:
                document.pop("url", None)
            key = row["_key"], row["_change"], plain(row["_observed_at"]), plain(row["_window_from"])
            yield key, (document, since and plain(since))


def plain(at: datetime) -> datetime:
    """Returns an instant without its zone, which is UTC."""
    return at.astimezone(UTC).replace(tzinfo=None)


def differences(lake: Path, table: str, wanted: dict[Key, Row]) -> list[str]:
    """Returns how a table differs from what it must hold."""
    left, unexpected, wrong = dict(wanted), [], []
    for key, row in landed(lake, table):
        if key not in left:
            unexpected.append(key)
        elif left.pop(key) != row:
            wrong.append(key)
    found = {"missing": list(left), "not expected, or twice": unexpected, "with other content": wrong}
    return [f"{table}: {len(keys)} rows are {what}, such as {keys[:SHOWN]}" for what, keys in found.items() if keys]
