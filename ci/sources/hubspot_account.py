"""A HubSpot server of a check's own, beside the one that `up` starts: other data, other limits, gone when the check ends."""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import places
import processes
import publish
import state

SERVER = Path(__file__).with_name("hubspot_server.py")
NAME = "hubspot_account"


@dataclass(frozen=True)
class Reply:
    """What a plain HTTP client sees."""

    status: int
    headers: dict[str, str]
    body: bytes

    def document(self) -> dict:
        """Returns the body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Account:
    """A running server."""

    port: int

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def control(self, **wanted: object) -> dict:
        """Changes how the server behaves; returns what it counts."""
        return publish.control_hubspot(wanted or None, self.port)

    def ask(self, method: str, path: str, body: dict | None = None, token: str | None = None) -> Reply:
        """Asks once, over a connection of its own, without any retry."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Authorization": f"Bearer {token or state.secret('hubspot/token')}"}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()


@contextmanager
def account(*options: str) -> Iterator[Account]:
    """Runs a server with the published batches (none for a new folder), or with `--bulk` its own population."""
    port = processes.free_port()
    places.SOURCES.mkdir(parents=True, exist_ok=True)
    processes.start(NAME, [sys.executable, str(SERVER), str(port), *options, str(places.SOURCES)])
    try:
        started = Account(port)
        processes.wait_until(NAME, lambda: _answers(started))
        yield started
    finally:
        processes.stop(NAME)


def _answers(started: Account) -> bool:
    try:
        started.control()
    except OSError:
        return False
    return True
