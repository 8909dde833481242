"""What the sources remember between commands: which data they hold, what is published, which ports they have.

Each file is replaced whole (written beside, renamed), so that a killed command leaves the old or the new one.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

import places

_STATE = places.SOURCES / "state.json"
_PORTS = places.SOURCES / "ports.json"
EXTRA_ROWS = places.SOURCES / "extra_rows.json"
# Is there once rows beside the batches stand in the behaviour table; these the server itself keeps.
EXTRA_EVENTS = places.SOURCES / "extra_events"
# The same for HubSpot.
EXTRA_CRM = places.SOURCES / "extra_crm.json"

# Secrets that the servers ask for, and those that are wrong on purpose.
SECRETS = (
    "snowflake/password", "kafka/alice", "kafka/wrong", "redshift/admin", "redshift/password", "redshift/wrong", "hubspot/token",
    "hubspot/wrong", "hubspot/control",
)  # fmt: skip


def write_json(path: Path, document: object, mode: int = 0o644) -> None:
    """Replaces a file as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.{os.getpid()}.part")
    scratch.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    scratch.chmod(mode)
    scratch.rename(path)


def read_json(path: Path, missing: object) -> object:
    """Returns a file's document, or `missing`."""
    return json.loads(path.read_text()) if path.is_file() else missing


def published() -> list[str]:
    """Returns the batches that are published whole."""
    return list(_state().get("published", []))


def data_stamp() -> str | None:
    """Returns the stamp of the data that the servers hold."""
    return _state().get("stamp")


def begin(stamp: str) -> None:
    """Notes that the servers hold nothing yet of the data with this stamp."""
    write_json(_STATE, {"stamp": stamp, "published": []})


def mark_published(batch: str) -> None:
    """Notes that a batch is published whole."""
    state = _state()
    state["published"] = [name for name in places.BATCHES if name == batch or name in state["published"]]
    write_json(_STATE, state)


def forget() -> None:
    """Forgets what the servers hold."""
    for path in (_STATE, EXTRA_ROWS, EXTRA_EVENTS, EXTRA_CRM, places.ENDPOINTS):
        path.unlink(missing_ok=True)


def ports() -> dict[str, int]:
    """Returns the ports of the last start."""
    return dict(read_json(_PORTS, {}))  # type: ignore[call-overload]


def keep_ports(chosen: dict[str, int]) -> None:
    """Remembers ports for the next start."""
    write_json(_PORTS, ports() | chosen)


def secret(name: str) -> str:
    """Returns a secret, made when it is first asked for. Nothing in the data depends on it."""
    path = places.SECRETS / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        scratch = path.with_name(f"{path.name}.{os.getpid()}.part")
        scratch.touch(mode=0o600)
        scratch.write_text(secrets.token_urlsafe(18))
        scratch.rename(path)
    return path.read_text().strip()


def _state() -> dict:
    return dict(read_json(_STATE, {}))  # type: ignore[call-overload]
