"""HubSpot's search: filter groups, sorts, pages, and no result beyond the ten thousandth.

A search that goes on by `hs_object_id` greater than the last one seen costs a bisection, not a scan: what the other filters
find is kept until the index changes.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from hubspot_properties import CREATED, INSTANT, NUMBER, Catalogue
from hubspot_store import Store, Stored, milliseconds
from hubspot_world import CURSORS

PAGE_MAX = 200
RESULTS_MAX = 10_000
GROUPS_MAX, GROUP_FILTERS_MAX, FILTERS_MAX = 5, 10, 25
QUERY_LENGTH_MAX = 3_000
# Results of searches that are kept; a reader goes through few at a time.
KEPT_MAX = 8
COMPARISONS: dict[str, Callable[[object, object], bool]] = {
    "EQ": lambda found, value: found == value,
    "LT": lambda found, value: found < value,  # type: ignore[operator]
    "LTE": lambda found, value: found <= value,  # type: ignore[operator]
    "GT": lambda found, value: found > value,  # type: ignore[operator]
    "GTE": lambda found, value: found >= value,  # type: ignore[operator]
}
KEYSET = "hs_object_id"

Predicate = Callable[[Stored], bool]


class Refused(Exception):
    """A request that HubSpot answers with 400."""


@dataclass(frozen=True)
class Page:
    """One page of results."""

    results: list[Stored]
    total: int
    next_offset: int | None


@dataclass(frozen=True)
class Question:
    """A search as it was asked, checked."""

    groups: list[list[dict]]
    sort: str
    descending: bool
    query: str
    limit: int
    offset: int


def parse(body: dict, known: Callable[[str], str | None]) -> Question:
    """Checks a search's body; `known` returns the type of a property."""
    groups = [_filters(group) for group in _list(body, "filterGroups")]
    if len(groups) > GROUPS_MAX or any(len(group) > GROUP_FILTERS_MAX for group in groups):
        raise Refused(f"at most {GROUPS_MAX} filter groups of {GROUP_FILTERS_MAX} filters are allowed")
    if sum(map(len, groups)) > FILTERS_MAX:
        raise Refused(f"at most {FILTERS_MAX} filters are allowed")
    for one in (one for group in groups for one in group):
        if known(str(one.get("propertyName"))) is None:
            raise Refused(f"Property '{one.get('propertyName')}' does not exist")
    limit, after = _number(body.get("limit", 10), "limit"), _number(body.get("after") or 0, "after")
    if not 0 < limit <= PAGE_MAX:
        raise Refused(f"limit must be between 1 and {PAGE_MAX}")
    if after + limit > RESULTS_MAX:
        raise Refused(f"The search endpoint is limited to {RESULTS_MAX} total results for any given query")
    query = str(body.get("query") or "")
    if len(query) > QUERY_LENGTH_MAX:
        raise Refused(f"a query has at most {QUERY_LENGTH_MAX} characters")
    sort, descending = _sort(_list(body, "sorts"), known)
    return Question(groups, sort, descending, query, limit, after)


def _list(body: dict, name: str) -> list:
    found = body.get(name) or []
    if not isinstance(found, list):
        raise Refused(f"{name} must be a list")
    return found


def _filters(group: object) -> list[dict]:
    filters = group.get("filters") if isinstance(group, dict) else None
    if not isinstance(filters, list) or not filters or not all(isinstance(one, dict) for one in filters):
        raise Refused("a filter group needs filters")
    return filters


def _number(value: object, name: str) -> int:
    if isinstance(value, bool) or not str(value).isdigit():
        raise Refused(f"{name} must be a number")
    return int(str(value))


def _sort(sorts: list, known: Callable[[str], str | None]) -> tuple[str, bool]:
    """Returns what to sort by; a name, a name behind a minus, or an object with name and direction."""
    if not sorts:
        return KEYSET, False
    if len(sorts) > 1:
        raise Refused("only one sort is supported")
    first = sorts[0]
    if isinstance(first, dict):
        name, descending = (
            str(first.get("propertyName")),
            str(first.get("direction", "ASCENDING")).upper() == "DESCENDING",
        )
    else:
        name, descending = str(first).removeprefix("-"), str(first).startswith("-")
    if known(name) is None:
        raise Refused(f"Property '{name}' does not exist")
    return name, descending


class Searcher:
    """Answers searches over a store's index."""

    def __init__(self, store: Store, catalogue: Catalogue) -> None:
        self._store, self._catalogue = store, catalogue
        self._kept: OrderedDict[str, list[int]] = OrderedDict()

    def search(self, kind: str, body: dict) -> Page:
        """Returns a page of what the index holds."""
        question = parse(body, lambda name: self._catalogue.type_of(kind, name))
        with self._store.lock:
            index = self._store.index(kind)
            rest, last_id = _without_keyset(question)
            ids = self._sorted_ids(kind, rest, question, index)
            start = bisect_right(ids, last_id) if last_id is not None else 0
            end = min(start + question.offset + question.limit, len(ids))
            results = [index[number] for number in ids[start + question.offset : end]]
            total = len(ids) - start
        more = question.offset + question.limit < total
        return Page(results, total, question.offset + question.limit if more else None)

    def _sorted_ids(
        self, kind: str, groups: list[list[dict]], question: Question, index: dict[int, Stored]
    ) -> list[int]:
        asked = [kind, self._store.index_version, groups, question.sort, question.descending, question.query]
        key = json.dumps(asked, sort_keys=True)
        if key not in self._kept:
            fits = self._predicate(kind, groups, question.query)
            found = [thing for thing in index.values() if fits(thing)]
            found.sort(key=lambda thing: thing.id)
            found.sort(key=self._order(kind, question), reverse=question.descending)
            self._kept[key] = [thing.id for thing in found]
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _order(self, kind: str, question: Question) -> Callable[[Stored], tuple]:
        """Returns what to sort by; objects without the property come last in either direction."""
        read = self._reader(kind, question.sort)

        def key(thing: Stored) -> tuple:
            value = read(thing)
            return ((value is None) != question.descending, 0 if value is None else value)

        return key

    def _predicate(self, kind: str, groups: list[list[dict]], query: str) -> Predicate:
        compiled = [[self._compiled(kind, one) for one in group] for group in groups]
        words = query.lower().split()

        def fits(thing: Stored) -> bool:
            if words:
                text = " ".join(str(value).lower() for value in thing.properties.values() if value)
                if not all(word in text for word in words):
                    return False
            return not compiled or any(all(one(thing) for one in group) for group in compiled)

        return fits

    def _reader(self, kind: str, name: str) -> Callable[[Stored], object]:
        """Returns how to read a property of an object as what it is compared as; None when it has no such value."""
        direct: dict[str, Callable[[Stored], object]] = {
            KEYSET: lambda thing: thing.id,
            CURSORS[kind]: lambda thing: thing.updated_at,
            CREATED[kind]: lambda thing: thing.created_at,
        }
        if name in direct:
            return direct[name]
        type_name = self._catalogue.type_of(kind, name)

        def read(thing: Stored) -> object:
            return _typed(type_name, thing.properties.get(name))

        return read

    def _compiled(self, kind: str, one: dict) -> Predicate:
        """Returns one filter as a predicate."""
        name, operator = str(one["propertyName"]), str(one.get("operator"))
        read, type_name = self._reader(kind, name), self._catalogue.type_of(kind, name)
        if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
            return lambda thing: (read(thing) is not None) == (operator == "HAS_PROPERTY")
        if operator in ("IN", "NOT_IN"):
            values = {_asked(type_name, value) for value in one.get("values") or []}
            return lambda thing: read(thing) is not None and (read(thing) in values) == (operator == "IN")
        value = _asked(type_name, one.get("value"))
        if operator == "NEQ":
            return lambda thing: read(thing) != value
        if operator == "BETWEEN":
            high = _asked(type_name, one.get("highValue"))
            return lambda thing: read(thing) is not None and value <= read(thing) <= high  # type: ignore[operator]
        if operator in ("CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"):
            token = str(value).strip("*")
            return lambda thing: (token in str(read(thing) or "")) == (operator == "CONTAINS_TOKEN")
        if operator in COMPARISONS:
            compare = COMPARISONS[operator]
            return lambda thing: read(thing) is not None and compare(read(thing), value)
        raise Refused(f"operator {operator} is not one of HubSpot's")


def _without_keyset(question: Question) -> tuple[list[list[dict]], int | None]:
    """Returns the filters without `hs_object_id GT`, and its value, where the results stand in the order of the ids."""
    if len(question.groups) == 1 and question.sort == KEYSET and not question.descending:
        (group,) = question.groups
        keyset = [one for one in group if one["propertyName"] == KEYSET and one.get("operator") == "GT"]
        if len(keyset) == 1:
            rest = [one for one in group if one is not keyset[0]]
            return [rest] if rest else [], _asked(NUMBER, keyset[0].get("value"))  # type: ignore[return-value]
    return question.groups, None


def _typed(type_name: str | None, value: str | None) -> object:
    """Returns a property's value as what it is compared as; None where there is none, or none of that type."""
    if value is None or value == "":
        return None
    try:
        if type_name == INSTANT:
            return milliseconds(value)
        return float(value) if type_name == NUMBER else value.lower()
    except ValueError:
        return None


def _asked(type_name: str | None, value: object) -> object:
    """Returns a filter's value as what it is compared as."""
    if value is None:
        raise Refused("a filter needs a value")
    if type_name == NUMBER:
        text = str(value)
        if text.lstrip("-").isdigit():
            return int(text)
    found = _typed(type_name, str(value))
    if found is None and type_name in (NUMBER, INSTANT):
        raise Refused(f"{value!r} is no {type_name}")
    return found if found is not None else ""
