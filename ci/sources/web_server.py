"""The ECB's file server, and the services that are out of order: three ports, one process.

    web_server.py FX_PORT REFUSING_PORT UNAVAILABLE_PORT SOURCES_FOLDER

FX: the files of the newest published batch, at `/` and at the ECB's own path `/stats/eurofxref/`. Refusing: a Snowflake
that rejects every login as the real one does. Unavailable: HTTP 503 whatever is asked. Each request is logged to
stdout, with the port's role, and counted, but for the sources' own questions (`/sources/...`, or marked by a header).
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import places
import state
from refusal import REFUSAL

# A header that marks a question of the sources themselves: it is not counted.
OWN_QUESTION = "X-Sources-Check"
CONTENT_TYPES = {"csv": "text/csv", "xml": "text/xml", "zip": "application/zip"}

counts: Counter = Counter(fx_requests=0, refused_logins=0, unavailable_requests=0)
_lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    """What the three have in common: count, log, answer with a length."""

    protocol_version = "HTTP/1.1"
    counted_as = ""

    def do_GET(self) -> None:
        """Answers a GET."""
        self._answer()

    def do_HEAD(self) -> None:
        """Answers a HEAD."""
        self._answer()

    def do_POST(self) -> None:
        """Answers a POST, after reading what was sent, so that the connection stays usable."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer()

    def _answer(self) -> None:
        path = self.path.split("?")[0]
        if path == "/sources/stats":
            self._send(HTTPStatus.OK, json.dumps(counts).encode(), "application/json")
            return
        if OWN_QUESTION not in self.headers:
            with _lock:
                counts[self.counted_as] += 1
        self._send(*self.answer(path))

    def answer(self, path: str) -> tuple[HTTPStatus, bytes, str]:
        """Returns status, body and content type."""
        raise NotImplementedError

    def _send(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it)
        """Logs to stdout."""
        print(self.counted_as, format % args, flush=True)


class Fx(Handler):
    """Serves the newest published files."""

    counted_as = "fx_requests"

    def answer(self, path: str) -> tuple[HTTPStatus, bytes, str]:
        """Returns a file of the newest batch; nothing but these names is looked for."""
        name = path.removeprefix("/stats/eurofxref").removeprefix("/")
        batches = state.published()
        if name not in ("eurofxref-hist.csv", "eurofxref-hist.zip", "eurofxref-daily.xml") or not batches:
            return HTTPStatus.NOT_FOUND, b"not found\n", "text/plain"
        body = (places.DATA / batches[-1] / "fx" / name).read_bytes()
        return HTTPStatus.OK, body, CONTENT_TYPES[name.rsplit(".", 1)[1]]


class Refusing(Handler):
    """A Snowflake that knows nobody."""

    counted_as = "refused_logins"

    def answer(self, path: str) -> tuple[HTTPStatus, bytes, str]:
        """Returns the refusal, with HTTP 200 as the real service does."""
        if path != "/session/v1/login-request":
            return HTTPStatus.NOT_FOUND, b"{}", "application/json"
        return HTTPStatus.OK, json.dumps(REFUSAL).encode(), "application/json"


class Unavailable(Handler):
    """A service that is down behind its load balancer."""

    counted_as = "unavailable_requests"

    def answer(self, path: str) -> tuple[HTTPStatus, bytes, str]:
        """Returns 503."""
        return HTTPStatus.SERVICE_UNAVAILABLE, b"service unavailable\n", "text/plain"


def main() -> None:
    """Serves until it is stopped."""
    for handler, port in zip((Fx, Refusing, Unavailable), map(int, sys.argv[1:4]), strict=True):
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        threading.Thread(target=server.serve_forever).start()


if __name__ == "__main__":
    main()
