"""What the HubSpot server holds: objects and associations, and a search index that may lag behind them.

Lists, batch reads and associations see a change at once. A search sees it when it has been published for the lag, and
when it was made before the instant up to which the index is filled, if one is set.
Not done here: paths, limits and faults (see `hubspot_server`).
"""

from __future__ import annotations

import json
import threading
import time
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime

from hubspot_properties import ALWAYS, CREATED, DEFAULTS
from hubspot_world import ASSOCIATIONS, BRANCHES, COMPANIES, CONTACTS, CURSORS, KINDS, Properties

OBJECT_TYPE_IDS = {CONTACTS: "0-1", COMPANIES: "0-2", BRANCHES: BRANCHES}


def milliseconds(value: object) -> int | None:
    """Returns an instant as milliseconds since 1970: of a datetime without zone, of ISO text, or of a number as text."""
    if value is None:
        return None
    if isinstance(value, str):
        if value.lstrip("-").isdigit():
            return int(value)
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise TypeError(f"{value!r} is no instant")
    at = value if value.tzinfo else value.replace(tzinfo=UTC)
    return round(at.timestamp() * 1000)


def shown(at: int | None) -> str | None:
    """Returns an instant as HubSpot shows it."""
    if at is None:
        return None
    return f"{datetime.fromtimestamp(at // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"


@dataclass(frozen=True, slots=True)
class Stored:
    """One object as it stands."""

    kind: str
    id: int
    properties: Properties
    created_at: int
    updated_at: int
    archived_at: int | None

    @classmethod
    def of_row(cls, kind: str, row: dict) -> Stored:
        """Reads a row of a batch's file, or one of the same form from a control request."""
        given = row["properties"]
        properties = json.loads(given) if isinstance(given, str) else dict(given)
        created_at, updated_at = milliseconds(row["created_at"]), milliseconds(row["updated_at"])
        archived_at = milliseconds(row.get("archived_at")) if row.get("archived") else None
        if created_at is None or updated_at is None:
            raise ValueError(f"object {row['id']} has no times")
        # What an object says of itself follows from its row, so that a row of few words is enough.
        properties |= {
            "hs_object_id": str(row["id"]),
            CREATED[kind]: shown(created_at),
            CURSORS[kind]: shown(updated_at),
        }
        return cls(kind, int(row["id"]), properties, created_at, updated_at, archived_at)

    def answer(self, wanted: tuple[str, ...]) -> dict:
        """Returns the object with the properties that somebody wants to see."""
        names = sorted({*ALWAYS[self.kind], *(wanted or DEFAULTS[self.kind])})
        found = {
            "id": str(self.id),
            "properties": {name: self.properties.get(name) for name in names},
            "createdAt": shown(self.created_at),
            "updatedAt": shown(self.updated_at),
            "archived": self.archived_at is not None,
        }
        if self.archived_at is not None:
            found["archivedAt"] = shown(self.archived_at)
        return found | {"url": f"https://app.hubspot.com/contacts/1/record/{OBJECT_TYPE_IDS[self.kind]}/{self.id}"}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A change that the index may not know yet; `now` is None when the object can no longer be found."""

    published_at: float
    changed_at: int
    kind: str
    id: int
    now: Stored | None


class Store:
    """All that is served. Every method may be called from any thread."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._objects: dict[str, dict[int, Stored]] = {kind: {} for kind in KINDS}
        # What was merged into another one: by its id the other one is answered.
        self._merged: dict[str, dict[int, int]] = {kind: {} for kind in KINDS}
        self._sorted: dict[tuple[str, bool], list[int]] = {}
        # Live objects that no list shows, and what a list then shows.
        self._unlisted: frozenset[int] = frozenset()
        self._listed: dict[tuple[str, bool], list[int]] = {}
        self._associations: dict[int, dict[int, list[dict]]] = {}
        self._index: dict[str, dict[int, Stored]] = {kind: {} for kind in KINDS}
        self._waiting: list[Waiting] = []
        # Counts up whenever a search may find something else.
        self.index_version = 0
        self.lag_seconds = 0.0
        self.index_until: int | None = None

    def apply(self, rows: dict[str, list[dict]]) -> None:
        """Applies rows of batch files: objects first, since an association without its ends is not shown."""
        now = time.monotonic()
        with self.lock:
            for kind in KINDS:
                for row in rows.get(kind, []):
                    self._apply_object(kind, row, now)
            for row in rows.get(ASSOCIATIONS, []):
                companies = self._associations.setdefault(int(row["contact_id"]), {})
                given = row["type_ids"]
                if row["present"]:
                    companies[int(row["company_id"])] = json.loads(given) if isinstance(given, str) else given
                else:
                    companies.pop(int(row["company_id"]), None)
            self._sorted.clear()
            self._listed.clear()

    def unlist(self, numbers: list[int]) -> None:
        """Has lists leave out these objects, and no others: all else answers them as ever."""
        with self.lock:
            self._unlisted = frozenset(map(int, numbers))
            self._listed.clear()

    def _apply_object(self, kind: str, row: dict, now: float) -> None:
        number = int(row["id"])
        if row.get("gone"):
            self._objects[kind].pop(number, None)
            if row.get("merged_into"):
                self._merged[kind][number] = int(row["merged_into"])
            changed_at, found = milliseconds(row.get("updated_at")) or 0, None
        else:
            stored = Stored.of_row(kind, row)
            self._objects[kind][number] = stored
            self._merged[kind].pop(number, None)
            changed_at = stored.archived_at or stored.updated_at
            found = None if stored.archived_at else stored
        self._waiting.append(Waiting(now, changed_at, kind, number, found))

    def ids(self, kind: str, archived: bool = False) -> list[int]:
        """Returns the ids of all objects that are there, live or archived, in ascending order."""
        with self.lock:
            key = (kind, archived)
            if key not in self._sorted:
                things = self._objects[kind].values()
                self._sorted[key] = sorted(thing.id for thing in things if (thing.archived_at is not None) == archived)
            return self._sorted[key]

    def page(self, kind: str, archived: bool, after: int, limit: int) -> tuple[list[Stored], bool]:
        """Returns the objects with the next ids after `after`, and whether more come."""
        with self.lock:
            key = (kind, archived)
            if key not in self._listed:
                self._listed[key] = [number for number in self.ids(kind, archived) if number not in self._unlisted]
            ids = self._listed[key]
            start = bisect_right(ids, after)
            return [self._objects[kind][number] for number in ids[start : start + limit]], start + limit < len(ids)

    def get(self, kind: str, number: int, archived: bool = False) -> Stored | None:
        """Returns an object, among the live or among the archived ones."""
        with self.lock:
            found = self._objects[kind].get(number)
        return found if found is not None and (found.archived_at is not None) == archived else None

    def named(self, kind: str, number: int, archived: bool = False) -> Stored | None:
        """Returns what an id names: the object, or the one that it was merged into."""
        with self.lock:
            while number in self._merged[kind]:
                number = self._merged[kind][number]
            return self.get(kind, number, archived)

    def index(self, kind: str) -> dict[int, Stored]:
        """Returns what a search can find now; call it, and read what it returns, under the lock."""
        self._fill_index()
        return self._index[kind]

    def _fill_index(self) -> None:
        seen_before = time.monotonic() - self.lag_seconds
        left = []
        for change in self._waiting:
            late = self.index_until is not None and change.changed_at >= self.index_until
            if late or change.published_at > seen_before:
                left.append(change)
            elif change.now is None:
                self._index[change.kind].pop(change.id, None)
            else:
                self._index[change.kind][change.id] = change.now
        if len(left) < len(self._waiting):
            self._waiting = left
            self.index_version += 1

    def companies_of(self, contact: int, after: int, limit: int) -> tuple[list[tuple[int, list[dict]]], bool]:
        """Returns the next associations of a contact by company id, and whether more come. Both ends must be live."""
        with self.lock:
            if self.get(CONTACTS, contact) is None:
                return [], False
            companies = self._associations.get(contact, {})
            shown_ids = [number for number in sorted(companies) if self.get(COMPANIES, number) is not None]
            start = bisect_right(shown_ids, after)
            page = [(number, companies[number]) for number in shown_ids[start : start + limit]]
            return page, start + limit < len(shown_ids)

    def counts(self) -> dict[str, int]:
        """Returns how many objects and associations are served."""
        with self.lock:
            found = {}
            for kind in (CONTACTS, COMPANIES):
                found[kind], found[f"{kind}_archived"] = len(self.ids(kind)), len(self.ids(kind, archived=True))
            contacts, companies = set(self.ids(CONTACTS)), set(self.ids(COMPANIES))
            pairs = ((contact, company) for contact, others in self._associations.items() for company in others)
            found[ASSOCIATIONS] = sum(contact in contacts and company in companies for contact, company in pairs)
            return found
