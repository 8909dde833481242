"""Reads what the launcher leaves at the end of an attempt; its shape stands in `dags/README.md`."""

import json
import logging

from lakehouse.identity import Attempt
from lakehouse.lake import Lake

SCHEMA_VERSION = 1
log = logging.getLogger(__name__)


def read(lake: Lake, attempt: Attempt) -> dict | None:
    """Returns the record of exactly this attempt; None where there is none that can be believed."""
    found = parsed(lake.get(attempt.path))
    if found is None:
        log.warning("no record of the end of %s in %s", attempt.name, attempt.path)
        return None
    wanted = {"run_id": attempt.run_id, "attempt": attempt.number, "job": attempt.job}
    other = [key for key, value in wanted.items() if found.get(key) != value]
    if other:
        log.warning("%s is the record of another attempt: %s differ", attempt.path, ", ".join(other))
        return None
    return found


def parsed(text: bytes | None) -> dict | None:
    """Returns a record whose parts have the right kinds; None for anything else."""
    try:
        found = json.loads(text) if text else None
    except ValueError:
        return None
    if not isinstance(found, dict) or found.get("schema_version") != SCHEMA_VERSION:
        return None
    exit_code, versions = found.get("exit"), found.get("versions") or {}
    whole = isinstance(exit_code, int) and not isinstance(exit_code, bool) and isinstance(versions, dict)
    return {**found, "versions": versions} if whole else None


def why(record: dict) -> str:
    """Returns what stopped a job, for people."""
    # A failed turn ends the job, and what was kept alive beside it ends well.
    beside = (record.get("turns") or {}).get("steps") or []
    stopped = [step for step in [*(record.get("steps") or []), *beside] if step.get("exit")]
    if not stopped:
        return f"exit {record['exit']}"
    step = stopped[0]
    text = f"{step.get('program')} {step.get('table') or ''}".strip()
    return f"{text} ended with {step['exit']}: {step.get('why') or 'see the log of the job'}"
