"""The CRM's objects and associations as the windows find them: which states land, and as of when.

HubSpot shows only what is there now, so each window is computed from all that was published up to its batch.
"""

import json
from dataclasses import dataclass
from datetime import datetime

import pyarrow.parquet

from oracle.vocabulary import HUBSPOT_LOOKBACK
from oracle.workbench import Stage

PRESENT, ARCHIVED, ABSENT = "present", "archived", "absent"


@dataclass(frozen=True)
class State:
    """One state of an object or of a pair that a window landed. `content` is the object, or the pair's types; null when absent.

    `present_since` is a pair's `_present_since`.
    """

    window: int
    key: tuple
    change: str
    observed_at: datetime
    content: dict | tuple | None = None
    present_since: datetime | None = None

    @property
    def is_deleted(self):
        """The definition: "`deletes: {field: change, values: [archived, absent]}`"."""
        return self.change != PRESENT

    @property
    def order(self):
        """The definition: "Sequence = `_observed_at`"; at the instant of a deletion nothing else happens, so a tombstone wins; "equal
        sequences are resolved by position"."""
        return (self.observed_at, self.is_deleted, self.window)


def published(source, name, window):
    """Returns the rows of one file of a batch as dictionaries."""
    path = source.data / window.batch / "hubspot" / f"{name}.parquet"
    return pyarrow.parquet.read_table(path).to_pylist() if path.exists() else []


def objects_after_batches(source, name):
    """Yields {id: row} after each batch: "A later batch's row with the same id replaces the earlier one"."""
    standing = {}
    for window in source.windows:
        for row in published(source, name, window):
            standing[row["id"]] = row | {"properties": json.loads(row["properties"] or "{}")}
        yield dict(standing)


def is_live(row):
    """Whether searches and full scans show the object: it is neither archived nor gone."""
    return row is not None and not row["archived"] and row["gone"] is None


def object_states(name):
    """Returns a builder of the states of one kind of object that land, in the order of the windows."""

    def build(step):
        lookback = HUBSPOT_LOOKBACK * (not step.rules.hubspot_lookback_ignored)
        landed, known = [], {}
        for index, (window, standing) in enumerate(zip(step.windows, objects_after_batches(step, name))):
            found = searched(index, window, standing, lookback)
            if not step.rules.sweep_ignored:
                newest = dict(known)
                remember(newest, found)
                found += swept(index, window, standing, newest)
            remember(known, found)
            landed += found
        return landed

    return build


def searched(index, window, standing, lookback):
    """Returns the states that a search finds: "objects whose cursor lies in [FROM - 1 h, TO)"; "present: the object's updatedAt"."""
    return [
        State(index, (key,), PRESENT, row["updated_at"], row)
        for key, row in sorted(standing.items())
        if is_live(row) and window.start - lookback <= row["updated_at"] < window.stop
    ]


def swept(index, window, standing, known):
    """Returns the states that a sweep finds.

    "archived objects whose archival is not yet the newest known state in Bronze, and `absent` rows for ids that Bronze knows as present
    and that a full id scan no longer shows (deleted, merged)"; "archived: its archivedAt; absent: the window's TO". An object that is
    gone is answered nowhere, so one that was known as archived before stays archived.
    """
    found = []
    for key, row in sorted(standing.items()):
        newest = known.get((key,))
        if row["gone"] is None and row["archived"]:
            if newest is None or (newest.change, newest.observed_at) != (ARCHIVED, row["archived_at"]):
                found.append(State(index, (key,), ARCHIVED, row["archived_at"], row))
        elif row["gone"] is not None and newest is not None and newest.change == PRESENT:
            found.append(State(index, (key,), ABSENT, window.stop))
    return found


def remember(known, states):
    """Keeps the newest state of each key."""
    for one in states:
        if one.key not in known or one.order >= known[one.key].order:
            known[one.key] = one


def association_states(step):
    """The states of the pairs contact -> company that land.

    "Each run reads the associations of all live contacts (batch read, paging) and lands only pairs whose state differs from what Bronze
    knows (new, removed, or other types)"; "`_observed_at` = the window's FROM". An object that is archived or gone has no
    associations: its pairs are removed with it. The order in which the types are listed says nothing.

    "`_present_since` = the FROM of the window in which the pair was last found new (kept when only its types change)", and when it is
    removed.
    """
    landed, known, pairs = [], {}, {}
    worlds = zip(step.windows, objects_after_batches(step, "contacts"), objects_after_batches(step, "companies"))
    for index, (window, contacts, companies) in enumerate(worlds):
        for row in published(step, "associations", window):
            types = sorted((one["category"], one["typeId"], one.get("label") or "") for one in json.loads(row["type_ids"] or "[]"))
            pairs[row["contact_id"], row["company_id"]] = tuple(types) if row["present"] else None
        found = []
        for pair, types in sorted(pairs.items()):
            shown = types if is_live(contacts.get(pair[0])) and is_live(companies.get(pair[1])) else None
            newest = known.get(pair)
            is_new = newest is None or newest.is_deleted
            since = window.start if is_new or step.rules.associated_since_types else newest.present_since
            if shown is not None and (is_new or newest.content != shown):
                found.append(State(index, pair, PRESENT, window.start, shown, since))
            elif shown is None and not is_new:
                found.append(State(index, pair, ABSENT, window.start, present_since=newest.present_since))
        remember(known, found)
        landed += found
    return landed


STAGES = {
    "contact_states": Stage(object_states("contacts"), flags=("hubspot_lookback_ignored", "sweep_ignored")),
    "company_states": Stage(object_states("companies"), flags=("hubspot_lookback_ignored", "sweep_ignored")),
    "association_states": Stage(association_states, flags=("associated_since_types",)),
}
