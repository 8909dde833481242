"""Checks of what the HubSpot server does on a bad day: refusals, limits, faults, a search that lags. Part of `hubspot-check`."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable

from hubspot import HubSpot
from hubspot.crm.contacts.exceptions import ApiException, ForbiddenException, UnauthorizedException

import hubspot_server
import state
from checking import Failed, expect
from hubspot_account import Account
from hubspot_world import CONTACTS

LIST, SEARCH = "/crm/objects/2026-09/contacts?limit=1", "/crm/objects/2026-09/contacts/search"
SEARCH_BODY = {"filterGroups": [], "sorts": ["hs_object_id"], "limit": 1, "after": "0", "query": "", "properties": []}
LIMIT_HEADERS = {
    "X-HubSpot-RateLimit-Daily", "X-HubSpot-RateLimit-Daily-Remaining", "X-HubSpot-RateLimit-Interval-Milliseconds",
    "X-HubSpot-RateLimit-Max", "X-HubSpot-RateLimit-Remaining",
}  # fmt: skip
UNLIMITED = {"limits": {"requests": 1_000_000, "search_per_second": 1_000_000}}
# As after a start.
USUAL = {
    "faults": [], "lag_seconds": 0, "index_until": None, "unlisted": [], "scopes": sorted(hubspot_server.SCOPES),
    "reset_stats": True,
    "limits": {
        "requests": 190, "interval_seconds": 10, "search_per_second": 5, "daily": 650_000, "retry_after": False,
        "url_length": hubspot_server.URL_LENGTH_MAX,
    },
}  # fmt: skip


def raised(kind: type[Exception], ask: Callable[[], object]) -> ApiException:
    """Returns the client's exception; its absence is a failure."""
    try:
        ask()
    except kind as error:
        return error  # type: ignore[return-value]
    raise Failed(f"no {kind.__name__}")


def check_refusals(place: Account, _: list[str]) -> str:
    """A wrong token, a missing scope, unknown things, too much at once: each has HubSpot's status and category."""
    place.control(**USUAL | UNLIMITED)
    wrong = HubSpot(access_token=state.secret("hubspot/wrong"), host=place.url)
    right = HubSpot(access_token=state.secret("hubspot/token"), host=place.url)
    error = raised(UnauthorizedException, lambda: wrong.crm.contacts.basic_api.get_page(limit=1))
    expect(json.loads(error.body)["category"], "INVALID_AUTHENTICATION", "category of a wrong token")
    place.control(scopes=["crm.objects.companies.read"])
    error = raised(ForbiddenException, lambda: right.crm.contacts.basic_api.get_page(limit=1))
    expect(json.loads(error.body)["category"], "MISSING_SCOPES", "category of a missing scope")
    place.control(scopes=USUAL["scopes"])
    long_url = f"{LIST}&properties={'survey_answer,' * 1000}"
    inputs = [{"id": str(number)} for number in range(101)]
    for what, status, reply in (
        ("too many results", 400, place.ask("POST", SEARCH, SEARCH_BODY | {"after": "9901", "limit": 100})),
        ("a page too large", 400, place.ask("POST", SEARCH, SEARCH_BODY | {"limit": 201})),
        ("a list too large", 400, place.ask("GET", LIST.replace("limit=1", "limit=101"))),
        ("a batch too large", 400, place.ask("POST", "/crm/objects/2026-09/contacts/batch/read", {"inputs": inputs})),
        ("an unknown property", 400, place.ask("POST", SEARCH, SEARCH_BODY | {"sorts": ["nothing"]})),
        ("a long URL", 414, place.ask("GET", long_url)),
        ("an unknown version", 404, place.ask("GET", LIST.replace("2026-09", "2019-01"))),
        ("an unknown contact", 404, place.ask("GET", "/crm/objects/2026-09/contacts/77")),
        ("control without its secret", 404, place.ask("GET", "/_control")),
    ):
        expect(reply.status, status, what)
    return "401, 403, 404, 400 and 414 where HubSpot has them"


def check_budget(place: Account, _: list[str]) -> str:
    """A client that keeps to the headers is never refused; one that does not is told by 429, with and without Retry-After."""
    place.control(**USUAL)
    place.control(limits={"requests": 40, "interval_seconds": 2})
    # What was asked before is no longer in the window.
    time.sleep(2.1)
    began = time.monotonic()
    for turn in range(120):
        # Just below 20 a second.
        time.sleep(max(0.0, began + turn / 19.2 - time.monotonic()))
        reply = place.ask("GET", LIST)
        expect((reply.status, LIMIT_HEADERS - reply.headers.keys()), (200, set()), "an answer within the budget")
    counted = place.control()
    expect((counted["other"]["above"], counted["other"]["highest"] <= 40), (0, True), "requests above the budget")
    if counted["busy_share"] < 0.9:
        raise Failed(f"a client that uses 96 % of its budget is said to use {counted['busy_share']}")
    refused = check_window(place)
    return f"{counted['busy_share']:.0%} of a budget used without a refusal, then {refused} refusals in a burst"


def check_window(place: Account) -> int:
    """A window is a rolling one: what is used up comes back when it is as old as the window, and not before."""
    place.control(limits={"interval_seconds": 3})
    time.sleep(3.1)
    place.control(reset_stats=True)
    began = time.monotonic()
    replies = [place.ask("GET", LIST) for _ in range(43)]
    statuses = [reply.status for reply in replies]
    expect(statuses, [200] * 40 + [429] * 3, "43 requests at once, of which 40 may pass")
    expect({reply.document()["policyName"] for reply in replies[40:]}, {"TEN_SECONDLY_ROLLING"}, "policy of a refusal")
    place.control(limits={"retry_after": True})
    time.sleep(max(0.0, began + 2.5 - time.monotonic()))
    expect("Retry-After" in place.ask("GET", LIST).headers, True, "a refusal that says how long to wait")
    expect(place.control()["other"]["above"], 4, "requests above the budget")
    time.sleep(3.1)
    expect(place.ask("GET", LIST).status, 200, "a request when the window has rolled on")
    return statuses.count(429) + 1


def check_search_budget(place: Account, _: list[str]) -> str:
    """Searches have a bucket of their own, and no headers."""
    place.control(**USUAL)
    time.sleep(1.1)
    replies = [place.ask("POST", SEARCH, SEARCH_BODY) for _ in range(6)]
    expect([reply.status for reply in replies], [200] * 5 + [429], "six searches in a second")
    expect(replies[5].document()["policyName"], "SECONDLY", "policy of a refused search")
    expect(LIMIT_HEADERS & {name for reply in replies for name in reply.headers}, set(), "headers of a search")
    expect(place.ask("GET", LIST).status, 200, "a list meanwhile")
    return "the sixth search in a second is refused, a list is not"


def check_daily(place: Account, _: list[str]) -> str:
    """The day's limit is another policy: waiting a little does not help."""
    place.control(**USUAL)
    used = place.control()["used_today"]
    place.control(limits={"daily": used + 1})
    replies = [place.ask("GET", LIST) for _ in range(2)]
    place.control(**USUAL)
    expect([reply.status for reply in replies], [200, 429], "the last request of a day and the next")
    expect(replies[1].document()["policyName"], "DAILY", "policy of a refusal")
    return "refused by the policy DAILY"


def check_faults(place: Account, _: list[str]) -> str:
    """Each fault comes as often as asked for, where asked for."""
    place.control(**USUAL)
    place.control(faults=[
        {"kind": "status", "status": 502, "on": "list", "times": 2}, {"kind": "rate_limit", "on": "list", "retry_after": 1},
        {"kind": "rate_limit", "on": "list"}, {"kind": "rate_limit", "on": "list", "policy": "DAILY"},
        {"kind": "status", "status": 423, "on": "list", "object": "companies"},
    ])  # fmt: skip
    replies = [place.ask("GET", LIST) for _ in range(6)]
    expect([reply.status for reply in replies], [502, 502, 429, 429, 429, 200], "statuses")
    expect([reply.headers.get("Retry-After") for reply in replies[2:5]], ["1", None, None], "times to wait")
    expect(place.ask("GET", LIST.replace(CONTACTS, "companies")).status, 423, "a fault of companies only")
    place.control(faults=[{"kind": "status", "status": 503, "on": "list", "times": 3, "most": 2}])
    asked = [place.ask("GET", address).status for address in (LIST, LIST, LIST, f"{LIST}&properties=email", LIST)]
    expect(asked, [503, 503, 200, 503, 200], "two faults of a question at most, and the third one for another question")
    seen = []
    for kind in ("torn", "cut", "reset"):
        place.control(faults=[{"kind": kind, "on": "list", "skip": 1}])
        expect(place.ask("GET", LIST).status, 200, "the request before")
        seen.append(broken(place))
    expect(seen, ["IncompleteRead", "JSONDecodeError", "RemoteDisconnected"], "what a client sees")
    place.control(faults=[{"kind": "slow", "seconds": 0.4, "on": "list"}])
    began = time.monotonic()
    place.ask("GET", LIST)
    expect(time.monotonic() - began >= 0.4, True, "a slow answer takes its time")
    place.control(faults=[{"kind": "drip", "seconds": 0.4, "on": "list"}])
    began = time.monotonic()
    expect(len(place.ask("GET", LIST).document()["results"]), 1, "a body that waits in its middle is whole")
    expect(time.monotonic() - began >= 0.4, True, "and takes its time")
    expect(place.control()["faults"]["to_come"], 0, "faults that did not come")
    return "5xx, 423, 429 three ways, torn, cut and missing answers, two slow ones"


def broken(place: Account) -> str:
    """Returns what a client sees of a broken answer."""
    try:
        place.ask("GET", LIST).document()
    except (http.client.HTTPException, ValueError, ConnectionError) as error:
        return type(error).__name__
    return "nothing"


def check_lag(place: Account, _: list[str]) -> str:
    """A search sees a change late, a list and a batch read at once."""
    place.control(**USUAL)
    time.sleep(1.1)
    first = place.ask("GET", LIST).document()["results"][0]
    changed = {"id": first["id"], "properties": {"email": "late@example.com"}, "created_at": first["createdAt"]}
    changed |= {"updated_at": "2018-01-02T01:00:00.000Z", "archived": False}
    equals = {"propertyName": "email", "operator": "EQ", "value": "late@example.com"}
    question = SEARCH_BODY | {"filterGroups": [{"filters": [equals]}]}

    def found() -> int:
        return place.ask("POST", SEARCH, question).document()["total"]

    place.control(lag_seconds=3600)
    place.control(rows={CONTACTS: [changed]})
    listed = place.ask("GET", f"{LIST}&properties=email").document()["results"][0]["properties"]["email"]
    expect((listed, found()), ("late@example.com", 0), "list and search right after a change")
    place.control(lag_seconds=0, index_until="2018-01-02T01:00:00Z")
    expect(found(), 0, "search of an index that is not filled so far")
    place.control(index_until=None)
    expect(found(), 1, "search once the index is filled")
    return "a search sees a change when its index does"


CHECKS: list[Callable[[Account, list[str]], str]] = [
    check_refusals, check_budget, check_search_budget, check_daily, check_faults, check_lag,
]  # fmt: skip
