"""Delivers the outbox of a lake to receivers that fail: `python -m proofs.lineage_receivers --lake DIR`.

One is down for all of the lake's days, comes back, refuses in the middle, and loses answers; the other is CloudWatch Logs, as a
stand-in. Each must have every event at the end, in order; what comes twice must have been lost on the way.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from proofs import day, log_receiver, places

FOLDER = places.PROOFS / "lineage"
TRANSIENT, CONFIG = 75, 2
TOKEN = "receiver-token"


@dataclass
class Receiver:
    """Takes events by POST; `script` says what becomes of the requests to come, and the rest is taken."""

    script: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    unauthorized: int = 0

    def serve(self, port: int) -> ThreadingHTTPServer:
        """Serves on a port."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                receiver.unauthorized += self.headers["Authorization"] != f"Bearer {TOKEN}"
                step = receiver.script.pop(0) if receiver.script else "take"
                if step in ("take", "lose the answer"):
                    receiver.events.append(body)
                if step == "lose the answer":
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response({"take": 201, "busy": 503, "wrong": 422}[step])
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server


def free_port() -> int:
    """Returns a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def deliver(lake: Path, *arguments: str, env: dict[str, str] | None = None, command: str = "deliver") -> tuple[int, dict, str]:
    """Runs one delivery; returns exit code, what it printed, and what it said to people."""
    retries = [] if "--retries-max" in arguments else ["--retries-max", "1"]
    program = [str(places.HOME / "bin" / "lineage-emit"), command, "--lake", str(lake), "--output", "json", *retries, *arguments]
    done = subprocess.run(program, env=day.environment() | (env or {}), text=True, capture_output=True, check=False)
    lines = done.stdout.splitlines()
    return done.returncode, json.loads(lines[-1]) if lines else {}, done.stderr


def waiting(lake: Path) -> list[str]:
    """Returns all events of an outbox, in their order."""
    return [file.read_text() for file in sorted((lake / "ops" / "lineage").glob("*/*.json"))]


def without_repeats(events: list[str]) -> list[str]:
    """Returns events in the order in which each came first."""
    return list(dict.fromkeys(events))


def expect(what: str, holds: bool) -> None:
    """Stops the proof when something does not hold."""
    if not holds:
        raise SystemExit(f"lineage-receivers: {what}: does not hold")
    print(f"  {what}")


def by_http(lake: Path) -> int:
    """A receiver that is down, comes back, refuses, loses an answer, and gets an event that landed late."""
    port, receiver, events = free_port(), Receiver(), waiting(lake)
    secrets = FOLDER / "secrets"
    secrets.mkdir(parents=True, exist_ok=True)
    (secrets / "token").write_text(TOKEN)
    to = ("--http", f"http://127.0.0.1:{port}/api/v1/lineage", "--secret", "token", "--secrets", f"file:{secrets}")
    code, said, _ = deliver(lake, *to)
    expect(f"down for all days: exit {code}, {len(events):,} events wait", code == TRANSIENT and said["waiting"] == len(events))
    server = receiver.serve(port)
    receiver.script = ["take"] * 10 + ["busy"] * 2
    code, said, _ = deliver(lake, *to)
    expect(f"busy after 10 events: exit {code}, {said['delivered']} delivered", code == TRANSIENT and said["delivered"] == 10)
    receiver.script = ["take"] * 130 + ["lose the answer"] * 2
    code, said, _ = deliver(lake, *to)
    expect(f"an answer is lost twice: exit {code}, it counts as not delivered", code == TRANSIENT and said["delivered"] == 130)
    receiver.script = ["wrong"]
    code, said, text = deliver(lake, *to)
    expect(f"an event is refused: exit {code}, and it is named", code == CONFIG and "ops/lineage/" in text and said["delivered"] == 0)
    code, said, _ = deliver(lake, *to)
    expect(f"back: exit {code}, nothing waits", code == 0 and said["waiting"] == 0)
    expect("every event came, in order, and what came twice had lost its answer",
           without_repeats(receiver.events) == events and len(receiver.events) == len(events) + 2)  # fmt: skip
    code, said, _ = deliver(lake, *to)
    expect("a second call has nothing to deliver", (code, said["delivered"]) == (0, 0))
    late = sorted((lake / "ops" / "lineage").glob("*/*.json"))[-1]
    (late.parent / late.name.replace("-complete.json", "-start.json")).write_text('{"late": true}')
    code, said, _ = deliver(lake, *to)
    expect("an event that lands later than its time comes, too", (code, said["delivered"]) == (0, 1) and receiver.events[-1] == '{"late": true}')
    expect("the token was shown each time", receiver.unauthorized == 0)
    server.shutdown()
    return len(events)


def by_logs(lake: Path) -> int:
    """CloudWatch Logs: throttled, down, no such group; then everything in order."""
    events, logs = waiting(lake), log_receiver.Logs("/sluice/lineage")
    server = log_receiver.serve(logs)
    env = {
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": f"http://127.0.0.1:{server.server_address[1]}", "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_address[1]}",
    }  # fmt: skip
    to = ("--log-group", "/sluice/lineage", "--log-stream", "proof")
    code, _, text = deliver(lake, "--log-group", "/other", "--log-stream", "proof", env=env)
    expect(f"no such log group: exit {code}", code == CONFIG and "ResourceNotFoundException" in text)
    logs.refusals = ["ServiceUnavailableException"] * 2
    code, said, _ = deliver(lake, *to, env=env)
    expect(f"unavailable: exit {code}, all wait", code == TRANSIENT and said["waiting"] == len(events))
    logs.refusals = ["ThrottlingException"]
    code, said, _ = deliver(lake, *to, env=env)
    expect(f"throttled once: exit {code}, nothing waits", code == 0 and said["waiting"] == 0)
    expect(f"every event is in the stream once, in order, in {logs.requests} requests", logs.streams["proof"] == events)
    server.shutdown()
    return len(events)


def main() -> int:
    """Proves both receivers on copies of the outbox."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, default=places.HOME / "lake")
    lake, started = parser.parse_args().lake, time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    counts = []
    for name, prove in (("http", by_http), ("cloudwatch", by_logs)):
        print(f"{name}:")
        copied = FOLDER / name
        shutil.copytree(lake / "ops" / "lineage", copied / "ops" / "lineage")
        counts.append(prove(copied))
    shutil.rmtree(FOLDER)
    print(f"lineage-receivers: {counts[0]:,} events by HTTP and {counts[1]:,} to CloudWatch Logs, all in order ({time.monotonic() - started:.0f} s)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
