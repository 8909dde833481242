"""Judges the lineage outbox of a lake: `python -m proofs.lineage --lake DIR`.

What a table reads and writes is read here from the contracts by itself, not by what wrote the events.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import yaml
from proofs import openlineage, pii, places, stores
from proofs.stores import Place

ENDS = ("COMPLETE", "FAIL", "ABORT")
BUILDERS = {"bronze": "ingest-", "silver": "silverize", "gold": "goldify"}
# Words under which an event would carry a value of a row.
VALUES = {"min", "max", "quantiles", "sum", "sample", "samples", "distinctCount"}
# Columns of the run itself, and of the record that a rule refused.
RUN_COLUMNS = {"_run_id", "_ingested_at"}
Event = dict


def outbox(lake: Place) -> list[tuple[str, Event]]:
    """Returns all events with their names, in the order of the names."""
    store = stores.of(lake / "ops" / "lineage")
    return [(file, json.loads(store.read(file))) for file in store.files() if file.endswith(".json")]


def contracts() -> dict[str, dict]:
    """Returns every contract by its table."""
    found = {}
    for file in sorted(places.CONTRACTS.rglob("*.odcs.yaml")):
        document = yaml.safe_load(file.read_text())
        found[document["id"]] = document
    return found


def own(document: dict) -> tuple[str, dict]:
    """Returns the layer of a contract and what it says in our words."""
    for entry in document["customProperties"]:
        if entry["property"] in BUILDERS:
            return entry["property"], entry["value"]
    raise SystemExit(f"lineage: contract {document['id']} is of no layer")


def reads(document: dict) -> set[str]:
    """Returns the tables that a contract is made from; Bronze has a source instead."""
    layer, said = own(document)
    if layer == "bronze":
        return set()
    return {one["table"] for one in said["inputs"]} if layer == "silver" else set(said.get("inputs", []))


def refers(document: dict) -> set[str]:
    """Returns the tables that the rules of a contract need."""
    table = document["schema"][0]
    found = {one["to"].split(".")[0] for one in table.get("relationships", [])}
    rules = list(table.get("quality", [])) + [rule for column in table["properties"] for rule in column.get("quality", [])]
    for rule in rules:
        for entry in rule.get("customProperties", []):
            if entry["property"] == "reads":
                found |= set(entry["value"])
    return found


def name_of(lake: Path, table: str) -> str:
    """Returns the dataset's name of a table of the lake."""
    layer, rest = table.split("_", 1)
    return f"{lake}/{layer}/{rest}"


def graph_problems(lake: Path, events: list[tuple[str, Event]]) -> Iterator[str]:
    """Compares inputs and outputs with the contracts; every table must have been built and judged."""
    known = contracts()
    seen: set[tuple[str, str]] = set()
    for name, event in events:
        if event["eventType"] == "RUNNING":
            # It repeats nothing of what its beginning has told.
            continue
        program, table = event["job"]["name"].split(".")
        document = known[table]
        layer = own(document)[0]
        inputs = {(one["namespace"], one["name"]) for one in event["inputs"]}
        outputs = {(one["namespace"], one["name"]) for one in event["outputs"]}
        table_name = ("file", name_of(lake, table))
        if program == "dq-check":
            expected = {("file", name_of(lake, one)) for one in refers(document)} | {table_name}
            if (inputs, outputs) != (expected, set()):
                yield f"{name}: reads {sorted(inputs)}, its rules need {sorted(expected)}"
        elif not program.startswith(BUILDERS[layer]):
            yield f"{name}: {program} does not build {layer} tables"
        else:
            expected = {("file", name_of(lake, one)) for one in reads(document)}
            source = {one for one in inputs if one[0] != "file"}
            if inputs - source != expected or len(source) != (layer == "bronze") or outputs != {table_name}:
                yield f"{name}: reads {sorted(inputs)} and writes {sorted(outputs)}, the contract says {sorted(expected)}"
        if event["eventType"] == "COMPLETE":
            seen.add((table, "dq-check" if program == "dq-check" else "build"))
    for table in known:
        for work in ("build", "dq-check"):
            if (table, work) not in seen:
                yield f"no run of {work} tells of {table}"


def run_problems(events: list[Event], *, copies: bool = False) -> Iterator[str]:
    """Every run begins once and ends once, in this order and with all else between, and is told from the others of its attempts,
    but for `copies` of one."""
    runs: dict[str, list[str]] = defaultdict(list)
    attempts: Counter[tuple[str, int]] = Counter()
    times = [datetime.fromisoformat(event["eventTime"]) for event in events]
    if times != sorted(times):
        yield "the names of events do not sort by their times"
    for event in events:
        run = event["run"]
        runs[run["runId"]].append(event["eventType"])
        if event["eventType"] == "START":
            facet = run["facets"]["sluice_run"]
            attempts[facet["runId"], facet["attempt"]] += 1
            if run["facets"]["parent"]["run"]["runId"] != facet["runId"]:
                yield f"run {run['runId']} names another parent than the run of its attempts"
    for run, kinds in runs.items():
        if len(kinds) < 2 or kinds[0] != "START" or kinds[-1] not in ENDS or set(kinds[1:-1]) - {"RUNNING"}:
            yield f"run {run} tells {kinds} instead of one beginning and one end"
    again = {} if copies else {one: count for one, count in attempts.items() if count > 1}
    yield from (f"attempt {attempt} of run {run} began {count} times" for (run, attempt), count in again.items())


def column_problems(lake: Path, events: list[tuple[str, Event]]) -> Iterator[str]:
    """What a column is made from are columns of the run's inputs, and personal ones reach Gold only masked."""
    known = contracts()
    for name, event in events:
        columns, personal = {}, set()
        for dataset in event["inputs"]:
            place = (dataset["namespace"], dataset["name"])
            if "schema" in dataset["facets"]:
                columns[place] = {field["name"] for field in dataset["facets"]["schema"]["fields"]}
            for tag in dataset["facets"].get("tags", {}).get("tags", []):
                if tag["value"] == "pii":
                    personal.add((*place, tag["field"]))
        for output in event["outputs"]:
            table = event["job"]["name"].split(".")[1]
            declared = [column["name"] for column in known[table]["schema"][0]["properties"]]
            lineage = output["facets"].get("columnLineage")
            if lineage is None or [field["name"] for field in output["facets"]["schema"]["fields"]] != declared:
                yield f"{name}: columns or their lineage are not told"
                continue
            if set(lineage["fields"]) != set(declared):
                yield f"{name}: lineage of {sorted(set(lineage['fields']) ^ set(declared))}"
            made = [(column, field) for column, one in lineage["fields"].items() for field in one["inputFields"]]
            for column, field in made + [("all rows", field) for field in lineage["dataset"]]:
                place = (field["namespace"], field["name"])
                if place in columns and field["field"] not in columns[place]:
                    yield f"{name}: {column} is made from {field['field']}, which {place} does not have"
                if table.startswith("gold_") and (*place, field["field"]) in personal and not all(w["masking"] for w in field["transformations"]):
                    yield f"{name}: {column} is made from personal {field['field']} without a mask"


def masked_columns(events: list[tuple[str, Event]]) -> int:
    """Returns how many columns are made through a mask."""
    found = set()
    for _, event in events:
        for output in event["outputs"]:
            for column, one in output["facets"].get("columnLineage", {}).get("fields", {}).items():
                if any(way["masking"] for field in one["inputFields"] for way in field["transformations"]):
                    found.add((output["name"], column))
    return len(found)


def keys(value: object) -> Iterator[str]:
    """Returns every key at any depth."""
    if isinstance(value, dict):
        yield from value
        for one in value.values():
            yield from keys(one)
    if isinstance(value, list):
        for one in value:
            yield from keys(one)


def value_problems(events: list[tuple[str, Event]]) -> Iterator[str]:
    """No key under which values stand, no personal value, no secret."""
    for name, event in events:
        # Names of columns are keys of the column lineage; what is under them is looked at all the same.
        outside = [facet for key, facet in openlineage.facets(event) if key != "columnLineage"]
        yield from (f"{name}: has `{key}`" for key in sorted(VALUES & set(keys(outside))))
    warehouse, hubspot = pii.warehouse_values(), pii.hubspot_values()
    personal = sorted({value for one in (warehouse, hubspot) for values in one.values() for value in values if len(value) >= pii.SHORTEST})
    texts = [(name, text) for name, event in events for text in strings(event)]
    count, hits = pii.search(iter(texts), personal)
    yield from (f"{name}: holds a personal value" for name, _ in hits[:10])
    secrets = [file.read_text().strip() for file in (places.HOME / "secrets").rglob("*") if file.is_file()]
    held = [name for name, text in texts if any(secret and secret in text for secret in secrets)]
    yield from (f"{name}: holds a secret" for name in held[:10])
    print(f"values: {count:,} texts of {len(events):,} events searched for {len(personal):,} personal values and {len(secrets)} secrets")


def strings(value: object) -> Iterator[str]:
    """Returns every text at any depth, keys and numbers too."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)
    elif value is not None:
        yield str(value)


def conformance_problems(events: list[tuple[str, Event]]) -> Iterator[str]:
    """Every event by OpenLineage's schemas and classes."""
    count = 0
    for name, event in events:
        try:
            count += openlineage.by_schema(event)
            openlineage.by_class(event)
        except (openlineage.Wrong, TypeError, ValueError) as error:
            yield f"{name}: {error}"
    print(f"schemas: {len(events):,} events and {count:,} facets are OpenLineage's, and build its client's classes")


def main() -> int:
    """Prints what was judged; 1 when something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, default=places.HOME / "lake")
    lake = parser.parse_args().lake.resolve()
    started = time.monotonic()
    events = outbox(lake)
    if not events:
        raise SystemExit(f"lineage: {lake} tells of no run")
    problems = [
        *conformance_problems(events), *run_problems([event for _, event in events]), *graph_problems(lake, events),
        *column_problems(lake, events), *value_problems(events),
    ]  # fmt: skip
    ends = Counter(event["eventType"] for _, event in events)
    print(f"runs: {dict(ends)}; {masked_columns(events)} columns are made through a mask")
    for problem in problems[:40]:
        print(f"  {problem}")
    if masked_columns(events) == 0:
        problems.append("no column is masked")
    held = "every run tells one beginning and one end, and no value" if not problems else f"{len(problems)} PROBLEMS"
    print(f"lineage: {held} ({time.monotonic() - started:.0f} s)")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
