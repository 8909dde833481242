"""HubSpot's contacts, companies and associations as the generator moves them, and what each batch says of them.

A batch says how the objects stand that changed in it, and which associations are new, removed or of other types, so that
two changes of one object within a batch are seen as one. An association is there while both of its ends are live.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import places

CONTACTS, COMPANIES, ASSOCIATIONS = "contacts", "companies", "associations"
# A type of the account's own, which addresses name by a number. Only the large account has objects of it.
BRANCHES = "2-1234567"
KINDS = (CONTACTS, COMPANIES, BRANCHES)
# The property that says when an object was last changed: contacts have another one than all other objects.
CURSORS = {CONTACTS: "lastmodifieddate", COMPANIES: "hs_lastmodifieddate", BRANCHES: "hs_lastmodifieddate"}
# The types of an association from a contact to a company.
TYPES = {
    "primary": {"category": "HUBSPOT_DEFINED", "typeId": 1, "label": "Primary"},
    "plain": {"category": "HUBSPOT_DEFINED", "typeId": 279, "label": None},
    "decision_maker": {"category": "USER_DEFINED", "typeId": 37, "label": "Decision maker"},
}
DELETED, MERGED = "deleted", "merged"

OBJECT_SCHEMA = pa.schema([
    ("id", pa.int64()), ("properties", pa.string()), ("created_at", pa.timestamp("ms")), ("updated_at", pa.timestamp("ms")),
    ("archived", pa.bool_()), ("archived_at", pa.timestamp("ms")), ("gone", pa.string()), ("merged_into", pa.int64()),
])  # fmt: skip
ASSOCIATION_SCHEMA = pa.schema([
    ("contact_id", pa.int64()), ("company_id", pa.int64()), ("type_ids", pa.string()), ("present", pa.bool_()),
])  # fmt: skip

Properties = dict[str, str | None]
Pair = tuple[int, int]


def shown(at: datetime) -> str:
    """Returns an instant as HubSpot shows it."""
    return at.isoformat(timespec="milliseconds") + "Z"


def whole_milliseconds(at: datetime) -> datetime:
    """Returns an instant without the digits that HubSpot does not keep."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


@dataclass
class Thing:
    """One contact or company."""

    id: int
    kind: str
    properties: Properties
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None = None
    gone: str | None = None
    merged_into: int | None = None

    @property
    def live(self) -> bool:
        """Whether lists and searches show it."""
        return self.archived_at is None and self.gone is None

    def as_row(self) -> dict:
        """Returns the row of a batch's file. Of what is gone, nothing personal is left."""
        properties = {} if self.gone else self.properties
        return {
            "id": self.id,
            "properties": json.dumps(properties, ensure_ascii=False, separators=(",", ":")),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "archived": self.archived_at is not None and self.gone is None,
            "archived_at": None if self.gone else self.archived_at,
            "gone": self.gone,
            "merged_into": self.merged_into,
        }


@dataclass
class Crm:
    """All objects and associations, and what of them changed since the last batch was closed."""

    objects: dict[str, dict[int, Thing]] = field(default_factory=lambda: {CONTACTS: {}, COMPANIES: {}})
    pairs: dict[Pair, tuple[str, ...]] = field(default_factory=dict)
    touched: dict[str, set[int]] = field(default_factory=lambda: {CONTACTS: set(), COMPANIES: set()})
    # The associations that the last closed batch left.
    told: dict[Pair, tuple[str, ...]] = field(default_factory=dict)

    def add(self, kind: str, number: int, properties: Properties, created_at: datetime, updated_at: datetime) -> Thing:
        """Adds an object; it shows its own id and times, as HubSpot's do."""
        if number in self.objects[kind]:
            raise AssertionError(f"{kind} {number} is there already")
        times = whole_milliseconds(created_at), whole_milliseconds(updated_at)
        thing = Thing(number, kind, dict(properties), *times)
        thing.properties |= {"hs_object_id": str(number), "createdate": shown(thing.created_at)}
        self.objects[kind][number] = thing
        self.edit(thing, thing.updated_at)
        return thing

    def edit(self, thing: Thing, at: datetime, **changed: str | None) -> None:
        """Changes properties; an object's last change never moves back."""
        if at < thing.updated_at:
            raise AssertionError(f"{thing.kind} {thing.id} was changed at {thing.updated_at}, after {at}")
        thing.updated_at = whole_milliseconds(at)
        thing.properties |= changed | {CURSORS[thing.kind]: shown(thing.updated_at)}
        self.touched[thing.kind].add(thing.id)

    def archive(self, thing: Thing, at: datetime) -> None:
        """Archives an object: only a list of archived objects shows it, and its last change stays what it was."""
        thing.archived_at = whole_milliseconds(at)
        self.touched[thing.kind].add(thing.id)

    def restore(self, thing: Thing, at: datetime) -> None:
        """Brings an archived object back, with its associations."""
        thing.archived_at = None
        self.edit(thing, at)

    def remove(self, thing: Thing, at: datetime, into: Thing | None = None) -> None:
        """Deletes an object for good, or merges it `into` another one; nothing shows it from then on."""
        thing.gone, thing.merged_into = (MERGED, into.id) if into else (DELETED, None)
        thing.updated_at = whole_milliseconds(at)
        self.touched[thing.kind].add(thing.id)
        if into:
            merged = [into.properties.get("hs_merged_object_ids"), str(thing.id)]
            filled = {
                name: value for name, value in thing.properties.items() if into.properties.get(name) in (None, "")
            }
            self.edit(into, at, **filled | {"hs_merged_object_ids": ";".join(filter(None, merged))})
            self._inherit(thing, into)

    def _inherit(self, loser: Thing, winner: Thing) -> None:
        """Moves associations; those that the winner has already stay its own, and a second primary one is none."""
        for pair in [pair for pair in self.pairs if loser.id == pair[loser.kind == COMPANIES]]:
            types = self.pairs.pop(pair)
            moved = (winner.id, pair[1]) if loser.kind == CONTACTS else (pair[0], winner.id)
            if loser.kind == CONTACTS and any(self.is_primary(other) for other in self.pairs if other[0] == winner.id):
                types = tuple(name for name in types if name != "primary")
            self.pairs.setdefault(moved, types)

    def is_primary(self, pair: Pair) -> bool:
        """Whether a company is its contact's primary one."""
        return "primary" in self.pairs[pair]

    def companies_of(self, contact: Thing) -> list[Pair]:
        """Returns a contact's associations, primary first."""
        return sorted(
            (pair for pair in self.pairs if pair[0] == contact.id), key=lambda pair: (not self.is_primary(pair), pair)
        )

    def visible(self) -> dict[Pair, tuple[str, ...]]:
        """Returns the associations whose ends are both live."""
        contacts, companies = self.objects[CONTACTS], self.objects[COMPANIES]
        return {pair: types for pair, types in self.pairs.items() if contacts[pair[0]].live and companies[pair[1]].live}

    def close(self, batch: str, data: Path) -> None:
        """Writes what changed since the last batch as the files of this one."""
        folder = data / batch / "hubspot"
        folder.mkdir(parents=True, exist_ok=True)
        for kind, numbers in self.touched.items():
            rows = [self.objects[kind][number].as_row() for number in sorted(numbers)]
            pq.write_table(
                pa.Table.from_pylist(rows, schema=OBJECT_SCHEMA), folder / f"{kind}.parquet", compression="zstd"
            )
            numbers.clear()
        now = self.visible()
        rows = [
            {
                "contact_id": pair[0],
                "company_id": pair[1],
                "type_ids": type_ids(now.get(pair, ())),
                "present": pair in now,
            }
            for pair in sorted(now.keys() | self.told.keys())
            if set(now.get(pair, ())) != set(self.told.get(pair, ()))
        ]
        table = pa.Table.from_pylist(rows, schema=ASSOCIATION_SCHEMA)
        pq.write_table(table, folder / f"{ASSOCIATIONS}.parquet", compression="zstd")
        self.told = now

    def counts(self) -> dict[str, int]:
        """Returns what HubSpot must show now."""
        shown_now = {ASSOCIATIONS: len(self.visible())}
        for kind, things in self.objects.items():
            shown_now[kind] = sum(thing.live for thing in things.values())
            shown_now[f"{kind}_archived"] = sum(
                thing.archived_at is not None and thing.gone is None for thing in things.values()
            )
        return shown_now


def type_ids(types: tuple[str, ...]) -> str:
    """Returns an association's types as HubSpot shows them."""
    return json.dumps([TYPES[name] for name in types], separators=(",", ":"))


def hubspot_file(batch: str, kind: str, data: Path = places.DATA) -> Path:
    """Returns the file with what `batch` says of contacts, companies or associations."""
    return data / batch / "hubspot" / f"{kind}.parquet"
