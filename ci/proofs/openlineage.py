"""Holds events against OpenLineage: the JSON Schemas of `ci/openlineage`, and the classes of its own Python client."""

from __future__ import annotations

import importlib
import json
import pkgutil
import types
import typing
from enum import Enum
from functools import cache
from typing import Any

import attr
from jsonschema import Draft202012Validator, FormatChecker
from openlineage.client import generated
from openlineage.client.generated import base
from proofs import places
from referencing import Registry, Resource

SCHEMAS = places.ROOT / "ci" / "openlineage"
OWN = "sluice_run"
CLASSES = {"inputs": base.InputDataset, "outputs": base.OutputDataset}


class Wrong(Exception):
    """An event that is none of OpenLineage's."""


@cache
def registry() -> tuple[Registry, dict[str, str]]:
    """Returns all schemas by their ids, and the id of the schema of each facet key."""
    found, keys = [], {}
    for file in sorted(SCHEMAS.rglob("*.json")):
        schema = json.loads(file.read_text())
        found.append((schema["$id"], Resource.from_contents(schema)))
        for key in schema.get("properties", {}):
            # One key may stand for a dataset, a job or a run: the schema's name tells.
            keys[f"{key}:{schema['$id']}"] = schema["$id"]
    return Registry().with_resources(found), keys


@cache
def validator(reference: str) -> Draft202012Validator:
    """Returns the validator of a schema."""
    return Draft202012Validator({"$ref": reference}, registry=registry()[0], format_checker=FormatChecker())


def facets(event: dict) -> list[tuple[str, dict]]:
    """Returns every facet of an event with its key."""
    holders = [event["run"].get("facets"), event["job"].get("facets")]
    for dataset in event["inputs"] + event["outputs"]:
        holders += [dataset.get("facets"), dataset.get("inputFacets"), dataset.get("outputFacets")]
    return [(key, facet) for holder in holders if holder for key, facet in holder.items()]


def by_schema(event: dict) -> int:
    """Validates an event and each of its facets; returns how many facets there were."""
    complain(validator("https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"), event, "event")
    found = facets(event)
    for key, facet in found:
        schema = facet["_schemaURL"].split("#")[0]
        if f"{key}:{schema}" not in registry()[1]:
            raise Wrong(f"facet `{key}` names the schema {schema}, which is not the one of that key")
        complain(validator(schema), {key: facet}, f"facet `{key}`")
    return len(found)


def complain(checker: Draft202012Validator, value: Any, what: str) -> None:
    """Raises the first thing that is wrong."""
    for error in checker.iter_errors(value):
        raise Wrong(f"{what} at {'/'.join(map(str, error.absolute_path))}: {error.message}")


@cache
def classes() -> dict[str, type]:
    """Returns the client's classes of facets by the address of their schema."""
    found = {}
    for module in pkgutil.iter_modules(generated.__path__):
        for value in vars(importlib.import_module(f"{generated.__name__}.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, base.BaseFacet):
                found[value._get_schema()] = value
    return found


def construct(kind: Any, value: Any) -> Any:
    """Builds the client's class of a JSON value; a key that the class does not have is an error."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        kinds = [one for one in arguments if one is not type(None)]
        return None if value is None else construct(kinds[0], value)
    if origin is list:
        return [construct(arguments[0], one) for one in value]
    if origin is dict:
        return {key: construct(arguments[1], one) for key, one in value.items()}
    if isinstance(kind, type) and attr.has(kind):
        hints = typing.get_type_hints(kind)
        names = {field.alias: field.name for field in attr.fields(kind) if field.init}
        unknown = value.keys() - names.keys()
        if unknown:
            raise Wrong(f"{kind.__name__} does not have {', '.join(sorted(unknown))}")
        return kind(**{key: construct(hints[names[key]], one) for key, one in value.items()})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    if kind in (str, int, bool, float) and not isinstance(value, kind):
        raise Wrong(f"{value!r} is no {kind.__name__}")
    return value


def facet_by_class(key: str, facet: dict) -> Any:
    """Builds a facet; its schema must be the one that the client has today."""
    kind = classes().get(facet["_schemaURL"])
    if kind is None:
        raise Wrong(f"the client has no facet with the schema {facet['_schemaURL']} (key `{key}`)")
    body = {name: value for name, value in facet.items() if name not in ("_producer", "_schemaURL")}
    return construct(kind, body | {"producer": facet["_producer"]})


def facets_by_class(holder: dict | None) -> dict:
    """Builds the facets of one holder; ours is no class of the client."""
    return {key: facet_by_class(key, facet) for key, facet in (holder or {}).items() if key != OWN}


def by_class(event: dict) -> None:
    """Builds an event of the client's classes."""
    run = base.Run(runId=event["run"]["runId"], facets=facets_by_class(event["run"].get("facets")))
    job = base.Job(**event["job"] | {"facets": facets_by_class(event["job"].get("facets"))})
    made: dict[str, list] = {}
    for side, kind in CLASSES.items():
        made[side] = []
        for dataset in event[side]:
            held = {name: facets_by_class(value) for name, value in dataset.items() if name.lower().endswith("facets")}
            made[side].append(kind(**dataset | held))
    built = base.RunEvent(
        eventType=base.EventType(event["eventType"]), eventTime=event["eventTime"], producer=event["producer"],
        run=run, job=job, inputs=made["inputs"], outputs=made["outputs"],
    )  # fmt: skip
    if built.schemaURL != event["schemaURL"]:
        raise Wrong(f"the client writes schema {built.schemaURL}")
