"""A stand-in for CloudWatch's PutMetricData, made from the API model that the AWS SDK ships (botocore, `cloudwatch`).

It speaks the binary protocol of today's SDKs (RPC v2 CBOR), which moto does not, checks requests against the model and the limits
of the documentation, and can hand what it took on to a CloudWatch that speaks JSON. Not like the real thing: signatures are not
verified.
"""

from __future__ import annotations

import gzip
import math
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import RpcV2CBORParser
from botocore.validate import ParamValidator

PATH = "/service/GraniteServiceVersion20100801/operation/PutMetricData"
BYTES_MAX, METRICS_MAX, DIMENSIONS_MAX = 1_048_576, 1_000, 30
PAST_MAX, AHEAD_MAX = timedelta(days=14), timedelta(hours=2)
EMPTY = b"\xa0"


@dataclass
class Metrics:
    """What was put, by namespace; `script` says what becomes of the requests to come, and the rest is taken."""

    script: list[str] = field(default_factory=list)
    data: dict[str, list[dict]] = field(default_factory=dict)
    requests: int = 0
    # Gets namespace and data of every request that is taken.
    forward: Callable[[str, list[dict]], None] | None = None

    def __post_init__(self) -> None:
        self.model = ServiceModel(Loader().load_service_model("cloudwatch", "service-2"), "cloudwatch")

    def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Answers a request as (status, body)."""
        self.requests += 1
        if path != PATH:
            return 404, refusal("UnknownOperationException", path)
        step = self.script.pop(0) if self.script else "take"
        if step not in ("take", "lose the answer"):
            return (503 if step == "ServiceUnavailable" else 400), refusal(step, "not now")
        request = decoded(body)
        wrong = self.wrong(request, len(body))
        if wrong:
            return 400, refusal("InvalidParameterValue", wrong)
        self.data.setdefault(request["Namespace"], []).extend(request["MetricData"])
        if self.forward:
            self.forward(request["Namespace"], request["MetricData"])
        return (0 if step == "lose the answer" else 200), EMPTY

    def wrong(self, request: dict, size: int) -> str:
        """Says what is wrong with a request, or nothing."""
        shape = self.model.operation_model("PutMetricData").input_shape
        broken = ParamValidator().validate(request, shape)
        if broken.has_errors() or request.keys() - shape.members.keys():
            return broken.generate_report() or f"unknown members in {sorted(request)}"
        data, now = request["MetricData"], datetime.now(timezone.utc)
        units = set(self.model.shape_for("StandardUnit").enum)
        if size > BYTES_MAX or not 0 < len(data) <= METRICS_MAX:
            return f"{size} bytes and {len(data)} metrics break a limit"
        for datum in data:
            if not now - PAST_MAX < datum["Timestamp"] < now + AHEAD_MAX:
                return f"{datum['Timestamp']} is out of range"
            if not math.isfinite(datum["Value"]) or datum["Unit"] not in units or len(datum["Dimensions"]) > DIMENSIONS_MAX:
                return f"{datum['MetricName']} breaks a limit"
        return ""


def decoded(body: bytes) -> dict:
    """Reads a request."""
    parser = RpcV2CBORParser()
    return parser.parse_data_item(parser.get_peekable_stream_from_bytes(body))


def refusal(code: str, message: str) -> bytes:
    """Writes a refusal: a map of two texts."""
    texts = [text.encode()[:200] for text in ("__type", code, "message", message)]
    return b"\xa2" + b"".join((bytes([0x60 | len(text)]) if len(text) < 24 else bytes([0x78, len(text)])) + text for text in texts)


def serve(metrics: Metrics, port: int) -> ThreadingHTTPServer:
    """Serves the stand-in on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = metrics.answer(self.path, gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            if status == 0:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(status)
            self.send_header("smithy-protocol", "rpc-v2-cbor")
            self.send_header("Content-Type", "application/cbor")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
