"""Delivers the metrics of a lake's runs to receivers that fail: `python -m proofs.metrics --lake DIR [--cloudwatch URL]`.

The numbers are computed here from the events, by another road than the program's, and compared with what CloudWatch got: as log
events in the embedded metric format, and as the numbers at which alarms look. With `--cloudwatch` (moto) the latter are handed on
to it and read back. Nothing is sent that was not asked for, nothing is lost, and nothing personal is in it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import boto3
from proofs import lineage, log_receiver, metric_receiver, pii, places
from proofs.lineage_receivers import CONFIG, TRANSIENT, deliver, expect, free_port, without_repeats

FOLDER = places.PROOFS / "metrics"
NAMESPACE, ALARMS = "Sluice", "Sluice/Alarms"
DIMENSIONS, METRICS_MAX = {"layer", "table", "source"}, 100
ALARM_METRICS = {"RunFailed", "CheckFailed", "QualityScore", "Freshness", "StreamLag"}
BUCKETS = ("read", "accepted", "quarantined", "duplicate", "superseded", "filtered", "held")
MEASURES = {
    "qualityScore": "QualityScore", "freshnessSeconds": "Freshness", "streamLagRecords": "StreamLagRecords",
    "streamLagSeconds": "StreamLag", "liveFiles": "LiveFiles",
}  # fmt: skip
Numbers = dict[str, float]


def expected(event: dict) -> Numbers:
    """Returns the numbers of an event, as docs/metrics.md says them."""
    own, kind = event["run"]["facets"]["sluice_run"], event["eventType"]
    found = {MEASURES[name]: value for name, value in own.get("measures", {}).items()}
    if kind == "RUNNING":
        return found
    checks = event["job"]["name"].startswith("dq-check.")
    word = "Check" if checks else "Run"
    again = kind == "ABORT" or own["outcome"] == "transient"
    found[f"{word}Failed"], found[f"{word}Interrupted"] = float(kind == "FAIL" and not again), float(again)
    if "durationMs" in own:
        found[f"{word}Duration"] = own["durationMs"]
    if "ledger" in own:
        rows = {f"Rows{bucket.title()}": own["ledger"][bucket] for bucket in BUCKETS}
        found |= {"RowsChecked": own["ledger"]["accepted"]} if checks else rows
    return found


def ends(lake: Path) -> list[dict]:
    """Returns every event that has numbers, in the order of the outbox."""
    return [event for _, event in lineage.outbox(lake) if event["eventType"] != "START"]


def format_problems(document: dict) -> Iterator[str]:
    """Holds a log event against the embedded metric format and our own rule of dimensions."""
    for directive in document["_aws"]["CloudWatchMetrics"]:
        names = [metric["Name"] for metric in directive["Metrics"]]
        if not 0 < len(names) <= METRICS_MAX or len(set(names)) < len(names) or directive["Namespace"] != NAMESPACE:
            yield f"a directive of {len(names)} metrics in {directive['Namespace']}"
        yield from (f"metric {name} is no number" for name in names if type(document[name]) not in (int, float))
        for dimensions in directive["Dimensions"]:
            if not set(dimensions) <= DIMENSIONS or not all(isinstance(document[name], str) for name in dimensions):
                yield f"dimensions {dimensions}"


def declared(document: dict) -> Numbers:
    """Returns the numbers that CloudWatch makes metrics of."""
    return {metric["Name"]: document[metric["Name"]] for directive in document["_aws"]["CloudWatchMetrics"] for metric in directive["Metrics"]}


def personal_problems(documents: list[str]) -> Iterator[str]:
    """No personal value and no secret in any text of a document."""
    sources = [*pii.warehouse_values().values(), *pii.hubspot_values().values()]
    values = sorted({value for found in sources for value in found if len(value) >= pii.SHORTEST})
    texts = [(f"document {number}", text) for number, document in enumerate(documents) for text in lineage.strings(json.loads(document))]
    count, hits = pii.search(iter(texts), values)
    yield from (f"{name} holds a personal value" for name, _ in hits[:10])
    print(f"  {count:,} texts searched for {len(values):,} personal values")


def environment(service: str, port: int) -> dict[str, str]:
    """Returns variables that lead a program to a stand-in, and to no other service."""
    here = {f"AWS_ENDPOINT_URL_{service}": f"http://127.0.0.1:{port}", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    return here | {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


def by_logs(lake: Path) -> int:
    """The log group: absent, unavailable, throttled; then one document per event, in order."""
    events, logs = ends(lake), log_receiver.Logs("/sluice/metrics")
    server = log_receiver.serve(logs)
    env = environment("CLOUDWATCH_LOGS", server.server_address[1])
    code, _, text = deliver(lake, "--log-group", "/other", "--log-stream", "proof", env=env, command="metrics")
    expect(f"no such log group: exit {code}", code == CONFIG and "ResourceNotFoundException" in text)
    to = ("--log-group", "/sluice/metrics", "--log-stream", "proof")
    logs.refusals = ["ServiceUnavailableException"] * 2
    code, said, _ = deliver(lake, *to, env=env, command="metrics")
    expect(f"unavailable: exit {code}, all {len(events):,} wait", code == TRANSIENT and said["waiting"] == len(events))
    logs.refusals = ["ThrottlingException"]
    code, said, _ = deliver(lake, *to, env=env, command="metrics")
    expect(f"throttled once: exit {code}, nothing waits", code == 0 and said["waiting"] == 0)
    documents = [json.loads(text) for text in logs.streams["proof"]]
    expect("every end is one document, in order", [document["run_id"] for document in documents]
           == [event["run"]["facets"]["sluice_run"]["runId"] for event in events])  # fmt: skip
    wrong = [problem for document in documents for problem in format_problems(document)]
    expect(f"every document keeps the format: {wrong[:3]}", not wrong)
    expect("its numbers are those of the event", [declared(document) for document in documents] == [expected(event) for event in events])
    wrong = list(personal_problems(logs.streams["proof"]))
    expect(f"nothing personal is in it: {wrong[:3]}", not wrong)
    code, said, _ = deliver(lake, *to, env=env, command="metrics")
    expect("a second call has nothing to send", (code, said["delivered"]) == (0, 0))
    logs.oldest = int(datetime.fromisoformat(events[len(events) // 2]["eventTime"]).timestamp() * 1000)
    code, said, _ = deliver(lake, "--log-group", "/sluice/metrics", "--log-stream", "short", env=env, command="metrics")
    expect(f"a group that keeps less than half has waited: exit {code}, each document comes once",
           code == 0 and said["waiting"] == 0 and sorted(logs.streams["short"]) == sorted(logs.streams["proof"]))  # fmt: skip
    logs.oldest = 0
    code, said, _ = deliver(lake, *to, env=env)
    expect("whole events in the same stream have a cursor of their own", code == 0 and said["delivered"] > len(events))
    server.shutdown()
    return len(documents)


def key(datum: dict) -> tuple[str, str]:
    """Returns metric and table of a number; its dimensions are layer and table."""
    dimensions = {one["Name"]: one["Value"] for one in datum["Dimensions"]}
    if dimensions.keys() != {"layer", "table"} or not dimensions["table"].startswith(dimensions["layer"] + "_"):
        raise SystemExit(f"metrics: {datum['MetricName']} has dimensions {dimensions}")
    return datum["MetricName"], dimensions["table"]


def greatest(numbers: Iterator[tuple[tuple[str, str], float]]) -> dict[tuple[str, str], tuple[float, float]]:
    """Returns what alarms ask for, by metric and table: the least and the greatest. No repetition changes them."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for name, value in numbers:
        found[name].append(value)
    return {name: (min(values), max(values)) for name, values in found.items()}


def alarm_numbers(events: list[dict]) -> Iterator[tuple[tuple[str, str], float]]:
    """Returns the numbers at which alarms look, of some events."""
    for event in events:
        table = event["job"]["name"].split(".")[1]
        yield from (((name, table), value) for name, value in expected(event).items() if name in ALARM_METRICS)


def by_alarms(lake: Path, forward: Callable[[str, list[dict]], None] | None) -> int:
    """CloudWatch itself: down, refused, throttled, an answer lost, the cursor lost."""
    events, metrics, port = ends(lake), metric_receiver.Metrics(), free_port()
    env, wanted = environment("CLOUDWATCH", port), greatest(alarm_numbers(events))
    code, said, _ = deliver(lake, "--alarms", env=env, command="metrics")
    expect(f"down: exit {code}, all {len(events):,} wait", code == TRANSIENT and said["waiting"] == len(events))
    server = metric_receiver.serve(metrics, port)
    metrics.script = ["AccessDenied"]
    code, said, text = deliver(lake, "--alarms", env=env, command="metrics")
    expect(f"not permitted: exit {code}, all wait", code == CONFIG and "AccessDenied" in text and said["waiting"] == len(events))
    metrics.script, metrics.forward = ["Throttling", "lose the answer", "take"], forward
    code, said, _ = deliver(lake, "--alarms", "--retries-max", "3", env=env, command="metrics")
    expect(f"throttled, and an answer lost: exit {code}, nothing waits", code == 0 and said["waiting"] == 0)
    numbers = [(key(datum), datum["Value"]) for datum in metrics.data[ALARMS]]
    expect("alarms see what the events say", greatest(iter(numbers)) == wanted and metrics.data.keys() == {ALARMS})
    expect("what came twice is what the lost answer was about", len(list(alarm_numbers(events))) < len(numbers))
    shutil.rmtree(lake / "ops" / "lineage_cursors")
    code, said, _ = deliver(lake, "--alarms", env=env, command="metrics")
    again = [(key(datum), datum["Value"]) for datum in metrics.data[ALARMS]]
    expect("a lost cursor sends all again, and alarms see the same", code == 0 and len(again) > len(numbers) and greatest(iter(again)) == wanted)
    server.shutdown()
    return len(numbers)


def read_back(url: str, lake: Path) -> None:
    """Compares what a CloudWatch answers with the events."""
    client = boto3.client("cloudwatch", endpoint_url=url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    now, found = datetime.now(timezone.utc), {}
    wanted = greatest(alarm_numbers(ends(lake)))
    for name, table in wanted:
        dimensions = [{"Name": "layer", "Value": table.split("_")[0]}, {"Name": "table", "Value": table}]
        points = client.get_metric_statistics(
            Namespace=ALARMS, MetricName=name, Dimensions=dimensions, StartTime=now - timedelta(days=14), EndTime=now + timedelta(hours=1),
            Period=86_400, Statistics=["Minimum", "Maximum"],
        )["Datapoints"]  # fmt: skip
        found[name, table] = (min(point["Minimum"] for point in points), max(point["Maximum"] for point in points))
    expect(f"{url} answers with the same {len(found):,} numbers", found == wanted)


def forwarder(url: str) -> Callable[[str, list[dict]], None]:
    """Hands numbers on to a CloudWatch."""
    client = boto3.client("cloudwatch", endpoint_url=url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    return lambda namespace, data: client.put_metric_data(Namespace=namespace, MetricData=data)


def main() -> int:
    """Proves both roads on copies of the outbox."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, default=places.HOME / "lake")
    parser.add_argument("--cloudwatch", metavar="URL", help="a CloudWatch that speaks JSON, such as moto, to hand numbers on to and ask")
    args, started = parser.parse_args(), time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name in ("logs", "alarms"):
        shutil.copytree(args.lake / "ops" / "lineage", FOLDER / name / "ops" / "lineage")
    print("embedded metric format:")
    documents = by_logs(FOLDER / "logs")
    print("numbers for alarms:")
    numbers = by_alarms(FOLDER / "alarms", forwarder(args.cloudwatch) if args.cloudwatch else None)
    if args.cloudwatch:
        read_back(args.cloudwatch, args.lake)
    shutil.rmtree(FOLDER)
    print(f"metrics: {documents:,} documents and {numbers:,} numbers for alarms, all as the events say ({time.monotonic() - started:.0f} s)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
