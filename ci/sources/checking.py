"""What the checks of the sources share: the failure, the comparison, the manifest."""

from __future__ import annotations

import json

import places

Endpoints = dict[str, dict]


class Failed(Exception):
    """What a check found wrong."""


def expect(found: object, wanted: object, what: str) -> None:
    """Raises when two values differ."""
    if found != wanted:
        raise Failed(f"{what}: found {found}, expected {wanted}")


def manifest() -> dict:
    """Returns the manifest."""
    return json.loads((places.DATA / "manifest.json").read_text())
