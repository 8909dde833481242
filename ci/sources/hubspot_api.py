"""What each path of HubSpot's CRM API answers, given what the store holds.

The date-versioned paths, and those of v3 and v4 that the official Python SDK still uses, answer the same.
Not served, and answered by 501: histories of properties, associations inside a list, `idProperty`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qs

from hubspot_properties import Catalogue
from hubspot_search import Refused, Searcher
from hubspot_store import Store
from hubspot_world import BRANCHES, COMPANIES, CONTACTS

VERSIONS = ("2026-03", "2026-09")
LIST_PAGE_MAX, BATCH_MAX, ASSOCIATION_BATCH_MAX = 100, 100, 1000
# The real one's pages hold hundreds; with so few, a contact with eleven companies has three.
ASSOCIATION_PAGE = 5
SINGULAR = {CONTACTS: "contact", COMPANIES: "company", BRANCHES: "branch"}
_NAMES = {name: kind for kind, id in ((CONTACTS, "0-1"), (COMPANIES, "0-2")) for name in (kind, SINGULAR[kind], id)}
_NAMES |= {BRANCHES: BRANCHES, "p_branches": BRANCHES}
# All types of the account's own have one scope together.
_SCOPES = {BRANCHES: "custom"}
_V3_TYPES = {1: "contact_to_company", 279: "contact_to_company_unlabeled"}

_OBJECTS = re.compile(r"/crm/(?:objects/(?P<version>[\d-]+)|v3/objects)/(?P<type>[\w-]+)(?P<rest>/.+)?")
_PROPERTIES = re.compile(r"/crm/(?:properties/(?P<version>[\d-]+)|v3/properties)/(?P<type>[\w-]+)(?:/(?P<name>\w+))?")
_ASSOCIATIONS = re.compile(
    r"/crm/(?:associations/(?P<version>[\d-]+)|(?P<old>v3|v4)/associations)/(?P<from>[\w-]+)/(?P<to>[\w-]+)/batch/read"
)


class ApiError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, category: str, message: str, **more: object) -> None:
        super().__init__(message)
        self.status, self.category, self.more = status, category, more


@dataclass(frozen=True)
class Answer:
    """A status and the document that goes with it."""

    status: int
    document: dict


@dataclass(frozen=True)
class Call:
    """A request that has a path of the API: which endpoint, of which objects, and who answers it."""

    endpoint: str
    kind: str
    answer: Callable[[dict[str, list[str]], dict], Answer]
    kinds: tuple[str, ...] = field(default=())

    @property
    def scopes(self) -> list[str]:
        """The scopes that a token needs for it."""
        return [f"crm.objects.{_SCOPES.get(kind, kind)}.read" for kind in self.kinds or (self.kind,)]


def not_found(message: str) -> ApiError:
    """Returns HubSpot's 404."""
    return ApiError(404, "OBJECT_NOT_FOUND", message)


def invalid(message: str) -> ApiError:
    """Returns HubSpot's 400."""
    return ApiError(400, "VALIDATION_ERROR", message)


class Api:
    """All endpoints over one store."""

    def __init__(self, store: Store, catalogue: Catalogue) -> None:
        self._store, self._catalogue, self._searcher = store, catalogue, Searcher(store, catalogue)

    def call(self, method: str, path: str) -> Call:
        """Returns what a path asks for; 404 where nothing stands."""
        for pattern, found in (
            (_ASSOCIATIONS, self._association_call), (_OBJECTS, self._object_call), (_PROPERTIES, self._property_call),
        ):  # fmt: skip
            match = pattern.fullmatch(path)
            if match and match["version"] in (None, *VERSIONS):
                call = found(method, match)
                if call is not None:
                    return call
        raise ApiError(404, "NOT_FOUND", "resource not found")

    def _object_call(self, method: str, match: re.Match) -> Call | None:
        kind, rest = _kind(match["type"]), match["rest"]
        match method, rest:
            case "GET", None:
                return Call("list", kind, lambda query, _: self._list(kind, query))
            case "POST", "/search":
                return Call("search", kind, lambda _, body: self._search(kind, body))
            case "POST", "/batch/read":
                return Call("batch_read", kind, lambda query, body: self._batch_read(kind, query, body))
            case "GET", str() if rest[1:].isdigit():
                return Call("object", kind, lambda query, _: self._object(kind, int(rest[1:]), query))
        return None

    def _property_call(self, method: str, match: re.Match) -> Call | None:
        kind, name = _kind(match["type"]), match["name"]
        if method != "GET":
            return None
        return Call("properties", kind, lambda _, __: self._properties(kind, name))

    def _association_call(self, method: str, match: re.Match) -> Call | None:
        ends = _kind(match["from"]), _kind(match["to"])
        if method != "POST":
            return None
        if ends != (CONTACTS, COMPANIES):
            raise ApiError(501, "NOT_SERVED", f"associations from {ends[0]} to {ends[1]} are not served here")
        return Call("associations", CONTACTS, lambda _, body: self._associations(body, match["old"] == "v3"), ends)

    def _list(self, kind: str, query: dict[str, list[str]]) -> Answer:
        _refuse(query, "propertiesWithHistory", "associations")
        limit, after = _whole(query, "limit", 10), _whole(query, "after", 0)
        if not 0 < limit <= LIST_PAGE_MAX:
            raise invalid(f"limit must be between 1 and {LIST_PAGE_MAX}")
        things, more = self._store.page(kind, _flag(query, "archived"), after, limit)
        document: dict = {"results": [thing.answer(_properties_asked(query)) for thing in things]}
        if more:
            document["paging"] = {"next": {"after": str(things[-1].id), "link": f"?after={things[-1].id}"}}
        return Answer(200, document)

    def _object(self, kind: str, number: int, query: dict[str, list[str]]) -> Answer:
        _refuse(query, "propertiesWithHistory", "associations", "idProperty")
        found = self._store.named(kind, number, _flag(query, "archived"))
        if found is None:
            raise not_found("resource not found")
        return Answer(200, found.answer(_properties_asked(query)))

    def _search(self, kind: str, body: dict) -> Answer:
        wanted = tuple(map(str, body.get("properties") or ()))
        page = self._searcher.search(kind, body)
        document: dict = {"total": page.total, "results": [thing.answer(wanted) for thing in page.results]}
        if page.next_offset is not None:
            document["paging"] = {"next": {"after": str(page.next_offset)}}
        return Answer(200, document)

    def _batch_read(self, kind: str, query: dict[str, list[str]], body: dict) -> Answer:
        _refuse(body, "propertiesWithHistory", "idProperty")
        numbers = _inputs(body, BATCH_MAX)
        wanted, archived = tuple(map(str, body.get("properties") or ())), _flag(query, "archived")
        found = {number: self._store.named(kind, number, archived) for number, _ in numbers}
        # Of two ids that name one object it is answered once.
        results = [thing.answer(wanted) for thing in {thing.id: thing for thing in found.values() if thing}.values()]
        missing = [str(number) for number, thing in found.items() if thing is None]
        errors = []
        if missing:
            noun = SINGULAR[kind].upper()
            text = f"Could not get some {noun} objects, they may be deleted or not exist. Check that ids are valid."
            errors = [{"status": "error", "category": "OBJECT_NOT_FOUND", "message": text, "context": {"ids": missing}}]
        return _batch(results, errors)

    def _properties(self, kind: str, name: str | None) -> Answer:
        described = self._catalogue.describe(kind)
        if name is None:
            return Answer(200, {"results": described})
        found = [one for one in described if one["name"] == name]
        if not found:
            raise not_found(f"Property {name} does not exist")
        return Answer(200, found[0])

    def _associations(self, body: dict, old: bool) -> Answer:
        results, without = [], []
        for number, after in _inputs(body, ASSOCIATION_BATCH_MAX):
            page, more = self._store.companies_of(number, _decoded(after), ASSOCIATION_PAGE)
            if not page:
                without.append(number)
                continue
            result: dict = {"from": {"id": str(number)}, "to": _shown_old(page) if old else _shown(page)}
            if more:
                token = base64.urlsafe_b64encode(str(page[-1][0]).encode()).decode()
                result["paging"] = {"next": {"after": token, "link": f"?after={token}"}}
            results.append(result)
        # A contact without any is told of as an error, and the answer is a success all the same.
        return _batch(results, [_no_associations(number) for number in without])


def _kind(name: str) -> str:
    if name not in _NAMES:
        raise ApiError(400, "VALIDATION_ERROR", f"Unable to infer object type from: {name}")
    return _NAMES[name]


def _refuse(asked: dict, *names: str) -> None:
    unserved = [name for name in names if asked.get(name)]
    if unserved:
        raise ApiError(501, "NOT_SERVED", f"{', '.join(unserved)}: not served here")


def _whole(query: dict[str, list[str]], name: str, default: int) -> int:
    text = query.get(name, [str(default)])[-1]
    if not text.isdigit():
        raise invalid(f"{name} must be a number")
    return int(text)


def _flag(query: dict[str, list[str]], name: str) -> bool:
    return query.get(name, ["false"])[-1].lower() == "true"


def _properties_asked(query: dict[str, list[str]]) -> tuple[str, ...]:
    """Returns the names in a URL, with commas between them or one parameter each."""
    return tuple(name for text in query.get("properties", []) for name in text.split(",") if name)


def _inputs(body: dict, most: int) -> list[tuple[int, str | None]]:
    """Returns the ids of a batch, each with where to go on."""
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not all(
        isinstance(one, dict) and str(one.get("id", "")).isdigit() for one in inputs
    ):
        raise invalid("inputs must be a list of objects with an id")
    if len(inputs) > most:
        raise invalid(f"The maximum number of inputs supported in a batch is {most}")
    numbers = [int(one["id"]) for one in inputs]
    if len(set(numbers)) < len(numbers):
        raise invalid("Duplicate IDs found in batch input")
    return [(number, one.get("after")) for number, one in zip(numbers, inputs, strict=True)]


def _decoded(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token.encode()))
    except ValueError as error:
        raise invalid("after is not a token of ours") from error


def _shown(page: list[tuple[int, list[dict]]]) -> list[dict]:
    return [{"toObjectId": str(number), "associationTypes": types} for number, types in page]


def _shown_old(page: list[tuple[int, list[dict]]]) -> list[dict]:
    return [
        {"id": str(number), "type": _V3_TYPES.get(one["typeId"], "labelled")} for number, types in page for one in types
    ]


def _no_associations(number: int) -> dict:
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": f"No company is associated with contact {number}.",
        "context": {"fromObjectId": [str(number)], "fromObjectType": ["contact"], "toObjectType": ["company"]},
    }


def _batch(results: list[dict], errors: list[dict]) -> Answer:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    document: dict = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
    if errors:
        document |= {"numErrors": len(errors), "errors": errors}
    return Answer(207 if errors else 200, document)


def query_of(text: str) -> dict[str, list[str]]:
    """Returns the parameters of a URL."""
    return parse_qs(text, keep_blank_values=True)


__all__ = ["Answer", "Api", "ApiError", "Call", "Refused", "query_of"]
