"""The ECB's file server with a door: until it opens, whoever asks waits or is sent away, so that a fault meets a job at work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FILE = "/eurofxref-hist.zip"
LOOK_SECONDS = 0.2
# Longer than any fault takes to be seen: who is still kept waiting is sent away, and the drill fails by its states.
HELD_SECONDS_MAX = 240

OPEN, HELD, SHUT = "open", "held", "shut"


@dataclass
class Door:
    """Serves one file; `before` is what becomes of requests until `opens` holds, which is asked anew each time."""

    content: bytes
    before: str = OPEN
    opens: Callable[[Door], bool] = lambda _: True
    # When each request came, by `time.time`.
    asked_at: list[float] = field(default_factory=list)
    _opened: bool = False
    _asking: threading.Lock = field(default_factory=threading.Lock)

    def is_open(self) -> bool:
        """Whether requests are answered; a door that has opened stays so."""
        with self._asking:
            self._opened = self._opened or self.before == OPEN or self.opens(self)
            return self._opened

    def serve(self) -> tuple[ThreadingHTTPServer, str]:
        """Serves on a free port; returns the server and the address of its directory."""
        door = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                door.asked_at.append(time.time())
                self._answer(*door.answer(self.path))

            def _answer(self, status: HTTPStatus, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

            def handle(self) -> None:
                # Who was killed while he waited takes no answer.
                try:
                    super().handle()
                except OSError:
                    self.close_connection = True

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server, f"http://127.0.0.1:{server.server_port}/"

    def answer(self, path: str) -> tuple[HTTPStatus, bytes]:
        """Returns what is answered, once the door lets it."""
        if path != FILE:
            return HTTPStatus.NOT_FOUND, b"not found\n"
        give_up_at = time.monotonic() + HELD_SECONDS_MAX
        while not self.is_open():
            if self.before == SHUT or time.monotonic() > give_up_at:
                return HTTPStatus.SERVICE_UNAVAILABLE, b"service unavailable\n"
            time.sleep(LOOK_SECONDS)
        return HTTPStatus.OK, self.content
