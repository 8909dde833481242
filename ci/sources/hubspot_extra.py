"""Objects and associations of HubSpot that a test adds after all batches.

A row of `contacts` or `companies` names `id`, `updated_at` and what changes: `properties` (only those that change), `archived`
with `archived_at`, or `gone` (`deleted`, `merged`). An association names `contact_id`, `company_id`, and `types` (names in
`hubspot_world.TYPES`) or `present: false`.
"""

from __future__ import annotations

import json

import pyarrow.parquet as pq

import places
from hubspot_world import ASSOCIATIONS, COMPANIES, CONTACTS, TYPES, hubspot_file

_KNOWN = {"id", "properties", "created_at", "updated_at", "archived", "archived_at", "gone", "merged_into"}

Rows = dict[str, list[dict]]


def whole_rows(extra: Rows, earlier: Rows) -> Rows:
    """Returns the rows as a batch's file would have them; `earlier` are the extra rows of before."""
    unknown = extra.keys() - {CONTACTS, COMPANIES, ASSOCIATIONS}
    if unknown:
        raise SystemExit(f"sources: HubSpot has no {', '.join(sorted(unknown))}")
    found: Rows = {}
    for kind in (CONTACTS, COMPANIES):
        for row in extra.get(kind, []):
            found.setdefault(kind, []).append(_whole_object(kind, row, earlier.get(kind, [])))
    for row in extra.get(ASSOCIATIONS, []):
        present = row.get("present", True)
        types = [TYPES[name] for name in row.get("types", ["primary", "plain"])] if present else []
        ends = {"contact_id": int(row["contact_id"]), "company_id": int(row["company_id"])}
        found.setdefault(ASSOCIATIONS, []).append(ends | {"type_ids": types, "present": present})
    return found


def _whole_object(kind: str, row: dict, earlier: list[dict]) -> dict:
    unknown = row.keys() - _KNOWN
    if unknown or not row.get("id") or not row.get("updated_at"):
        raise SystemExit(f"sources: an object needs id and updated_at, and knows no {sorted(unknown)}")
    number = int(row["id"])
    before = next((one for one in reversed(earlier) if one["id"] == number), None) or _published(kind, number)
    if before["gone"]:
        raise SystemExit(f"sources: {number} is {before['gone']}: it cannot come back")
    properties = before["properties"] | row.get("properties", {})
    created_at = before["created_at"] or row["updated_at"]
    kept = {"created_at": created_at, "archived": False, "archived_at": None, "gone": None, "merged_into": None}
    return kept | row | {"id": number, "properties": properties}


def _published(kind: str, number: int) -> dict:
    """Returns an object's newest row of the batches; an empty one for a new object."""
    for batch in reversed(places.BATCHES):
        for row in pq.read_table(hubspot_file(batch, kind), filters=[("id", "=", number)]).to_pylist():
            return row | {"properties": json.loads(row["properties"]), "created_at": row["created_at"].isoformat()}
    return {"properties": {}, "created_at": None, "gone": None}
