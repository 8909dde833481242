"""A stand-in for CloudWatch Logs, made from the API model that the AWS SDK ships (botocore, `logs`).

Requests are checked against the model's input shapes, and what is put against the limits of the documentation. One refusal can
be armed, and an instant before which events are thrown away. Not like the real thing: signatures are not verified.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

TARGET = "Logs_20140328."
BYTES_MAX, EVENTS_MAX, OVERHEAD, SPAN_MAX = 1_048_576, 10_000, 26, 24 * 3_600_000


@dataclass
class Logs:
    """One log group with its streams, what was put, and refusals that come first."""

    group: str
    refusals: list[str] = field(default_factory=list)
    streams: dict[str, list[str]] = field(default_factory=dict)
    requests: int = 0
    # What is older has expired, in milliseconds: the answer says so, and is one of 200 all the same.
    oldest: int = 0

    def __post_init__(self) -> None:
        self.model = ServiceModel(Loader().load_service_model("logs", "service-2"), "logs")

    def answer(self, operation: str, request: dict) -> tuple[int, dict]:
        """Answers a request as (status, body)."""
        self.requests += 1
        shape = self.model.operation_model(operation).input_shape
        broken = ParamValidator().validate(request, shape)
        if broken.has_errors() or request.keys() - shape.members.keys():
            return refuse("InvalidParameterException", broken.generate_report())
        if request["logGroupName"] != self.group:
            return refuse("ResourceNotFoundException", "The specified log group does not exist.")
        if operation == "CreateLogStream":
            if request["logStreamName"] in self.streams:
                return refuse("ResourceAlreadyExistsException", "The specified log stream already exists")
            self.streams[request["logStreamName"]] = []
            return 200, {}
        if self.refusals:
            return refuse(self.refusals.pop(0), "not now")
        return self.put(request)

    def put(self, request: dict) -> tuple[int, dict]:
        """Takes log events, unless they break a limit."""
        events = request["logEvents"]
        times = [event["timestamp"] for event in events]
        size = sum(len(event["message"].encode()) + OVERHEAD for event in events)
        if size > BYTES_MAX or len(events) > EVENTS_MAX or times[-1] - times[0] > SPAN_MAX:
            return refuse("InvalidParameterException", "the batch breaks a limit")
        if times != sorted(times):
            return refuse("InvalidParameterException", "Log events in a single PutLogEvents request must be in chronological order.")
        expired = sum(time < self.oldest for time in times)
        self.streams[request["logStreamName"]] += [event["message"] for event in events[expired:]]
        rejected = {"rejectedLogEventsInfo": {"expiredLogEventEndIndex": expired}} if expired else {}
        return 200, {"nextSequenceToken": "1", **rejected}


def refuse(code: str, message: str) -> tuple[int, dict]:
    """Returns a refusal."""
    status = 503 if code == "ServiceUnavailableException" else 400
    return status, {"__type": code, "message": message}


def serve(logs: Logs) -> ThreadingHTTPServer:
    """Serves the stand-in on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer = logs.answer(self.headers["X-Amz-Target"].removeprefix(TARGET), body)
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(text)))
            if status != 200:
                self.send_header("x-amzn-ErrorType", answer["__type"])
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
