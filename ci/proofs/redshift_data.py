"""A stand-in for Amazon Redshift's Data API, made from the API model that the AWS SDK ships (botocore, `redshift-data`).

Requests are checked against the model's input shapes, answers against its output shapes. Statements run in DuckDB, UNLOAD
writes Parquet files and a manifest to a bucket as the documentation describes them. One failure can be armed at a time.
Not like the real thing: signatures are looked at but not verified, statements end after a fixed number of looks, types of
Parquet columns are DuckDB's.
"""

from __future__ import annotations

import io
import json
import re
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

SERVICE = "redshift-data"
STATES = ("SUBMITTED", "PICKED", "STARTED")
SLICES = 3
PAGE_ROWS = 5
UNLOAD = re.compile(
    r"UNLOAD \('(?P<query>(?:[^']|'')*)'\) TO 's3://(?P<bucket>[^/']+)/(?P<prefix>[^']+)' "
    r"IAM_ROLE (?:default|'(?P<role>[^']+)') FORMAT PARQUET MANIFEST VERBOSE MAXFILESIZE \d+ MB"
)
# What JSON_SERIALIZE is reported to say of a value that VARCHAR does not hold.
LONG = "Invalid input\n  Detail: \n  code:      8001\n  context:   String value exceeds the max size of 65535 bytes"
Rows = list[tuple]
Objects = dict[str, bytes]


class Refused(Exception):
    """An answer that is an error of the service."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Statement:
    """One statement, or one batch with its parts."""

    id: str
    sqls: list[str]
    looks: int = 0
    state: str = "SUBMITTED"
    error: str | None = None
    results: list[Rows | None] = field(default_factory=list)


@dataclass
class Service:
    """The service: a database, a bucket (an S3 client of boto3), what was asked, and the failure that is armed."""

    database: duckdb.DuckDBPyConnection
    s3: Any
    armed: str = ""
    calls: Counter[str] = field(default_factory=Counter)
    statements: dict[str, Statement] = field(default_factory=dict)
    tokens: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        model = Loader().load_service_model(SERVICE, "service-2")
        self.model = ServiceModel(model, SERVICE)
        self.operations: dict[str, Callable[[dict], dict]] = {
            "ExecuteStatement": self.execute,
            "BatchExecuteStatement": self.execute,
            "DescribeStatement": self.describe,
            "CancelStatement": self.cancel,
            "GetStatementResult": self.result,
        }

    def answer(self, operation: str, request: dict) -> dict:
        """Answers a request, or refuses it."""
        if operation not in self.operations:
            raise Refused("UnknownOperationException", operation)
        shapes = self.model.operation_model(operation)
        unknown = request.keys() - shapes.input_shape.members.keys()
        broken = ParamValidator().validate(request, shapes.input_shape)
        if unknown or broken.has_errors():
            raise Refused("ValidationException", f"{sorted(unknown)} {broken.generate_report()}")
        self.calls[operation] += 1
        if self.fails("throttled", operation == "BatchExecuteStatement"):
            raise Refused("ThrottlingException", "Rate exceeded")
        if self.fails("unauthorized", operation == "BatchExecuteStatement"):
            raise Refused("AccessDeniedException", "User is not authorized to perform: redshift-data:BatchExecuteStatement")
        batch = operation == "DescribeStatement" and len(self.statements[request["Id"]].sqls) > 1
        if self.fails("describe-denied", batch):
            raise Refused("AccessDeniedException", "User is not authorized to perform: redshift-data:DescribeStatement")
        answer = self.operations[operation](request)
        broken = ParamValidator().validate(answer, shapes.output_shape)
        assert not broken.has_errors(), broken.generate_report()
        return answer

    def fails(self, failure: str, here: bool = True) -> bool:
        """Says whether a failure is armed; it happens once."""
        if not here or self.armed != failure:
            return False
        self.armed = ""
        return True

    def execute(self, request: dict) -> dict:
        """Takes a statement; the same token again is the same statement."""
        if "ClusterIdentifier" in request and "WorkgroupName" in request:
            raise Refused("ValidationException", "Only one of ClusterIdentifier and WorkgroupName is allowed")
        token, text = request.get("ClientToken"), json.dumps(request, sort_keys=True)
        if token in self.tokens:
            known, id_of_known = self.tokens[token]
            if known != text:
                raise Refused("ValidationException", "ClientToken was used with other parameters")
            return {"Id": id_of_known}
        statement = Statement(str(uuid.uuid4()), request.get("Sqls") or [request["Sql"]])
        self.statements[statement.id] = statement
        if token:
            self.tokens[token] = (text, statement.id)
        self.run(statement)
        return {"Id": statement.id}

    def run(self, statement: Statement) -> None:
        """Runs a statement at once; clients see its end later."""
        try:
            for sql in statement.sqls:
                unload = UNLOAD.fullmatch(sql)
                rows = self.unload(unload) if unload else self.database.execute(sql).fetchall()
                statement.results.append(rows)
        except (duckdb.Error, Refused) as error:
            statement.error = f"ERROR: {error}"
            return
        if len(statement.sqls) > 1 and self.fails("count"):
            statement.results[0] = [(statement.results[0][0][0] + 1,)]

    def describe(self, request: dict) -> dict:
        """Tells how far a statement is: it ends after some looks."""
        statement = self.known(request["Id"])
        stuck = self.armed == "stuck" and len(statement.sqls) > 1
        if statement.state in STATES and not stuck:
            statement.looks += 1
            ended = "FAILED" if statement.error else "FINISHED"
            statement.state = STATES[statement.looks] if statement.looks < len(STATES) else ended
        described: dict[str, Any] = {"Id": statement.id, "Status": statement.state}
        if statement.state == "FAILED":
            described["Error"] = statement.error
        if len(statement.sqls) > 1:
            described["SubStatements"] = [
                {"Id": f"{statement.id}:{number}", "Status": statement.state, "HasResultSet": not UNLOAD.fullmatch(sql)}
                for number, sql in enumerate(statement.sqls, start=1)
            ]
        return described

    def cancel(self, request: dict) -> dict:
        """Stops a statement."""
        self.known(request["Id"]).state = "ABORTED"
        self.fails("stuck")
        return {"Status": True}

    def result(self, request: dict) -> dict:
        """Answers rows, a few at a time."""
        id_of_batch, _, number = request["Id"].partition(":")
        statement = self.known(id_of_batch)
        rows = statement.results[int(number or 1) - 1] if statement.state == "FINISHED" else None
        if rows is None:
            raise Refused("ResourceNotFoundException", "Query does not have result")
        start = int(request.get("NextToken") or 0)
        page = [[value_of(value) for value in row] for row in rows[start : start + PAGE_ROWS]]
        answer: dict[str, Any] = {"Records": page, "TotalNumRows": len(rows)}
        if start + PAGE_ROWS < len(rows):
            answer["NextToken"] = str(start + PAGE_ROWS)
        return answer

    def known(self, id_of: str) -> Statement:
        """Returns a statement by its id."""
        if id_of not in self.statements:
            raise Refused("ResourceNotFoundException", "Query does not exist.")
        return self.statements[id_of]

    def unload(self, parts: re.Match) -> None:
        """Writes what a query answers to the bucket, in several files, with the manifest last."""
        if self.fails("denied"):
            raise Refused("", "S3ServiceException:Access Denied,Status 403,Error AccessDenied")
        if self.fails("statement"):
            raise Refused("", "S3ServiceException:Please reduce your request rate.,Status 503,Error SlowDown")
        if self.fails("value-long"):
            raise Refused("", LONG)
        bucket, prefix = parts["bucket"], parts["prefix"]
        if self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("KeyCount"):
            raise Refused("", "Specified unload destination on S3 is not empty. Consider using ALLOWOVERWRITE")
        rows = self.database.execute(parts["query"].replace("''", "'").replace("\\\\", "\\")).to_arrow_table()
        files, counts = {}, {}
        for number in range(SLICES):
            part = rows.slice(number * (len(rows) // SLICES), None if number == SLICES - 1 else len(rows) // SLICES)
            if len(part):
                name = f"{number:04}_part_00.parquet"
                files[name], counts[name] = parquet(part), len(part)
        sizes = {name: len(content) for name, content in files.items()}
        manifest = manifest_of(f"s3://{bucket}/{prefix}", sizes, counts)
        for name, content in self.damaged(files, manifest, rows).items():
            self.s3.put_object(Bucket=bucket, Key=prefix + name, Body=content)

    def damaged(self, files: Objects, manifest: dict, rows: pa.Table) -> Objects:
        """Returns all objects of an UNLOAD, with the armed failure in them."""
        first = min(files, default="")
        if self.fails("file-twice"):
            manifest["entries"].append(manifest["entries"][0])
        text = json.dumps(manifest).encode()
        if self.fails("manifest-half"):
            text = text[: len(text) // 2]
        if self.fails("file-missing"):
            del files[first]
        if self.fails("file-short"):
            files[first] = files[first][:-1]
        if self.fails("file-unnamed"):
            files["9999_part_00.parquet"] = files[first]
        if self.fails("rows-fewer"):
            # Of the same size, so that only the footer tells.
            shorter = parquet(rows.slice(0, pq.read_metadata(io.BytesIO(files[first])).num_rows - 1))
            footer = len(shorter) - 8 - int.from_bytes(shorter[-8:-4], "little")
            missing = len(files[first]) - len(shorter)
            assert missing >= 0
            files[first] = shorter[:footer] + bytes(missing) + shorter[footer:]
        if self.fails("no-manifest"):
            return files
        return files | {"manifest": text}


def parquet(rows: pa.Table) -> bytes:
    """Returns rows as a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(rows, sink, compression="snappy")
    return sink.getvalue()


def manifest_of(address: str, sizes: dict[str, int], counts: dict[str, int]) -> dict:
    """Returns what UNLOAD writes with MANIFEST VERBOSE."""
    return {
        "entries": [
            {"url": address + name, "meta": {"content_length": sizes[name], "record_count": counts[name]}} for name in sorted(sizes)
        ],
        "schema": {"elements": []},
        "meta": {"content_length": sum(sizes.values()), "record_count": sum(counts.values())},
        "author": {"name": "Amazon Redshift", "version": "1.0.0"},
    }


def value_of(value: object) -> dict:
    """Returns a value in the notation of the service."""
    match value:
        case None:
            return {"isNull": True}
        case bool():
            return {"booleanValue": value}
        case int():
            return {"longValue": value}
        case float():
            return {"doubleValue": value}
    return {"stringValue": str(value)}


def serve(service: Service) -> tuple[ThreadingHTTPServer, str]:
    """Starts the service on a free loopback port; returns the server and its address."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            target, _, operation = self.headers.get("X-Amz-Target", "").partition(".")
            signed = f"/{SERVICE}/aws4_request" in self.headers.get("Authorization", "")
            status, answer = 200, {}
            with lock:
                try:
                    if target != "RedshiftData" or not signed:
                        raise Refused("IncompleteSignatureException", "the request is not signed for redshift-data")
                    answer = service.answer(operation, json.loads(body))
                    lost = service.fails("answer-lost", operation == "BatchExecuteStatement")
                except Refused as refused:
                    status, answer, lost = 400, {"__type": refused.code, "message": str(refused)}, False
            if lost:
                self.close_connection = True
                return
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *arguments: object) -> None:
            """Says nothing: the proof tells what was asked."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}"
