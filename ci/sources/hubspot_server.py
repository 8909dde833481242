"""A HubSpot account: a small stateful server of the CRM API, with its limits, its lagging search and its bad days.

    hubspot_server.py PORT [--bulk[=CONTACTS]] SOURCES_FOLDER

Serves what the published batches hold; with `--bulk` the population of `hubspot_bulk` instead, for measuring. What it holds
is a function of the files and of the published batches, so a restart loses nothing.
Whoever knows the control secret may ask `/_control` what came (GET), and change how the server behaves (POST): see README.md.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
import uuid
from collections import Counter
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow.parquet as pq

import state
from hubspot_api import Answer, Api, ApiError, Call, Refused, query_of
from hubspot_budget import OTHER, SEARCH, Budget
from hubspot_bulk import CONTACT_COUNT, Bulk, survey_properties
from hubspot_faults import Fault, Faults
from hubspot_properties import Catalogue
from hubspot_store import Store, milliseconds
from hubspot_world import ASSOCIATIONS, COMPANIES, CONTACTS, hubspot_file

TOKEN, CONTROL = "hubspot/token", "hubspot/control"
CONTROL_HEADER, CONTROL_PATH = "X-Sources-Control", "/_control"
# What a front end before the API takes; a longer list of properties needs a batch read.
URL_LENGTH_MAX = 8_192
BODY_LENGTH_MAX = 16_000_000
SCOPES = frozenset({"crm.objects.contacts.read", "crm.objects.companies.read", "crm.objects.custom.read"})


class Service:
    """Everything that the requests share."""

    def __init__(self, bulk: Bulk | None) -> None:
        self.store, self._bulk = Store(), bulk
        self.budget, self.faults = Budget(), Faults()
        self.token, self.control = state.secret(TOKEN), state.secret(CONTROL)
        self.scopes = SCOPES
        self.url_length_max = URL_LENGTH_MAX
        self._lock = threading.Lock()
        self.requests: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.objects: Counter[str] = Counter()
        if bulk:
            self.store.apply(bulk.population())
        else:
            for batch in state.published():
                self.store.apply(rows_of(batch))
            self.store.apply(dict(state.read_json(state.EXTRA_CRM, {})))  # type: ignore[call-overload]
        self.api = Api(self.store, Catalogue({CONTACTS: survey_properties()} if bulk else None))

    def count(self, call: Call | None, status: int, answer: Answer | None) -> None:
        """Counts a request that was answered."""
        with self._lock:
            self.statuses[str(status)] += 1
            if call:
                name = f"{call.kind}.{call.endpoint}"
                self.requests[name] += 1
                if answer:
                    self.objects[name] += len(answer.document.get("results", []))

    def stats(self) -> dict:
        """Returns what came since the start, or since it was last asked to forget."""
        with self._lock:
            counted = {
                "requests": dict(self.requests), "statuses": dict(self.statuses), "results": dict(self.objects),
            }  # fmt: skip
        return counted | self.budget.usage() | {"faults": self.faults.counts(), "rows": self.store.counts()}

    def forget(self) -> None:
        """Starts counting anew."""
        with self._lock:
            for counter in (self.requests, self.statuses, self.objects):
                counter.clear()
        self.budget.forget()
        self.faults.forget()

    def change(self, wanted: dict) -> None:
        """Does what a control request says, in the order of its names."""
        for name, value in wanted.items():
            match name:
                case "batch":
                    self.store.apply(rows_of(value))
                case "rows":
                    self.store.apply(value)
                case "bulk_changes" if self._bulk:
                    self.store.apply(self._bulk.changes())
                case "faults":
                    self.faults.set(value)
                case "limits":
                    limits = dict(value)
                    self.url_length_max = int(limits.pop("url_length", self.url_length_max))
                    self.budget.set(limits)
                case "lag_seconds":
                    self.store.lag_seconds = float(value)
                case "index_until":
                    self.store.index_until = milliseconds(value)
                case "unlisted":
                    self.store.unlist(value)
                case "scopes":
                    self.scopes = frozenset(value)
                case "reset_stats":
                    self.forget()
                case _:
                    raise ValueError(f"control knows no {name}")


def rows_of(batch: str) -> dict[str, list[dict]]:
    """Returns what a batch's files hold."""
    return {kind: pq.read_table(hubspot_file(batch, kind)).to_pylist() for kind in (CONTACTS, COMPANIES, ASSOCIATIONS)}


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # An answer leaves in one piece and at once, else small ones wait for an acknowledgement.
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    server: Server
    _headers: dict[str, str]

    def do_GET(self) -> None:
        """Answers a GET."""
        self._respond(b"")

    def do_POST(self) -> None:
        """Answers a POST."""
        length = int(self.headers.get("Content-Length") or 0)
        if length > BODY_LENGTH_MAX:
            self.close_connection = True
            self._send(413, {"status": "error", "message": "the body is too long"})
            return
        self._respond(self.rfile.read(length))

    def _respond(self, body: bytes) -> None:
        service, arrived = self.server.service, time.monotonic()
        path, _, query = self.path.partition("?")
        self._headers = {}
        if path == CONTROL_PATH and self.headers.get(CONTROL_HEADER) == service.control:
            self._control(body)
            return
        call: Call | None = None
        answer: Answer | None = None
        fault: Fault | None = None
        try:
            if len(self.path) > service.url_length_max:
                raise ApiError(414, "URI_TOO_LONG", "the request line is too long")
            self._authenticate()
            call = service.api.call(self.command, path)
            self._check_scopes(call)
            self._take(call, arrived)
            fault = service.faults.next(call.endpoint, call.kind, query.encode() + body)
            self._fail(fault, arrived)
            answer = call.answer(query_of(query), _document(body))
            status, document = answer.status, answer.document
        except ApiError as error:
            status, document = error.status, _error(error)
        except Refused as error:
            status, document = 400, _error(ApiError(400, "VALIDATION_ERROR", str(error)))
        service.count(call, status, answer)
        self._send(status, document, fault)

    def _authenticate(self) -> None:
        if self.headers.get("Authorization") != f"Bearer {self.server.service.token}":
            raise ApiError(401, "INVALID_AUTHENTICATION", "Authentication credentials not found or not valid.")

    def _check_scopes(self, call: Call) -> None:
        missing = [scope for scope in call.scopes if scope not in self.server.service.scopes]
        if missing:
            context = {"requiredGranularScopes": missing}
            text = "One or more of the following scopes are required."
            raise ApiError(
                403, "MISSING_SCOPES", "This app hasn't been granted all required scopes to make this call.",
                errors=[{"message": text, "context": context}],
            )  # fmt: skip

    def _take(self, call: Call, arrived: float) -> None:
        """Takes one request from the budget. Searches have a bucket of their own, and tell nothing of it."""
        budget = self.server.service.budget
        refused = budget.take(SEARCH if call.endpoint == "search" else OTHER, arrived)
        if call.endpoint != "search":
            self._headers |= budget.headers()
        if refused:
            policy, wait = refused
            if budget.retry_after:
                self._headers["Retry-After"] = str(int(wait) + 1)
            raise _rate_limited(policy)

    def _fail(self, fault: Fault | None, arrived: float) -> None:
        """Does what a fault does instead of an answer; what it does to an answer comes when it is sent."""
        if fault is None:
            return
        match fault.kind:
            case "slow":
                time.sleep(float(fault.more.get("seconds", 1)))
            case "status":
                status = int(fault.more.get("status", 500))
                raise ApiError(status, "INTERNAL_ERROR" if status >= 500 else "REFUSED", f"status {status} on purpose")
            case "rate_limit":
                policy, seconds = str(fault.more.get("policy", "TEN_SECONDLY_ROLLING")), fault.more.get("retry_after")
                if seconds is not None:
                    self._headers["Retry-After"] = str(seconds)
                self.server.service.budget.told_to_wait(policy, arrived, None if seconds is None else float(seconds))
                raise _rate_limited(policy)

    def _control(self, body: bytes) -> None:
        try:
            if self.command == "POST":
                self.server.service.change(_document(body))
            self._send(200, self.server.service.stats())
        except (ApiError, ValueError, KeyError, TypeError) as error:
            self._send(400, {"status": "error", "message": f"{type(error).__name__}: {error}"})

    def _send(self, status: int, document: dict, fault: Fault | None = None) -> None:
        if fault is not None and fault.kind == "reset":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        if fault is not None and fault.kind == "cut":
            body = body[: len(body) // 2]
        self.send_response(status)
        for name, value in self._headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json;charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault is not None and fault.kind == "torn":
            self.close_connection = True
            body = body[: len(body) // 2]
        if fault is not None and fault.kind == "drip":
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            time.sleep(float(fault.more.get("seconds", 1)))
            body = body[len(body) // 2 :]
        with suppress(ConnectionError):
            # A client that has waited long enough is gone.
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it)
        """Logs to stdout, without parameters: a search for somebody's e-mail is nobody's business."""
        print(self.path.partition("?")[0], *args[1:], flush=True)


def _document(body: bytes) -> dict:
    try:
        found = json.loads(body or b"{}")
    except ValueError as error:
        raise ApiError(400, "VALIDATION_ERROR", "Invalid input JSON") from error
    if not isinstance(found, dict):
        raise ApiError(400, "VALIDATION_ERROR", "the body must be an object")
    return found


def _error(error: ApiError) -> dict:
    found = {"status": "error", "message": str(error), "correlationId": str(uuid.uuid4())} | error.more
    return found if "errorType" in found else found | {"category": error.category}


def _rate_limited(policy: str) -> ApiError:
    text = f"You have reached your {policy.lower()} limit."
    return ApiError(429, "RATE_LIMITS", text, errorType="RATE_LIMIT", policyName=policy, requestId=uuid.uuid4().hex)


class Server(ThreadingHTTPServer):
    """A server that hands its service to its connections."""

    daemon_threads = True
    # Clients that open many connections at once wait instead of failing.
    request_queue_size = 128

    def __init__(self, port: int, service: Service) -> None:
        self.service = service
        super().__init__(("127.0.0.1", port), Handler)


def main() -> None:
    """Loads what is published, then answers."""
    sizes = [word.partition("=")[2] for word in sys.argv[2:] if word.partition("=")[0] == "--bulk"]
    bulk = Bulk(int(sizes[0] or CONTACT_COUNT)) if sizes else None
    Server(int(sys.argv[1]), Service(bulk)).serve_forever()


if __name__ == "__main__":
    main()
