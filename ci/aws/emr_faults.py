"""Faults that the emulator is told to show: one file per fault, taken by the one attempt or request that meets it.

Files, so that a drill in another process plants one without asking the server, and so that one fault hurts once.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

# Refused at the door, before there is a job.
THROTTLED = "throttled"
# Stays SCHEDULED until it is cancelled.
NEVER_STARTING = "never-starting"
# The driver and all its children are gone, and the job is FAILED.
LOST = "lost"
# The job is reported FAILED while its driver works on.
ORPHANED = "orphaned"
# The program that the driver runs gets SIGKILL; the driver lives and reports.
PROGRAM_KILLED = "program-killed"

AT_START = (THROTTLED,)
IN_ATTEMPT = (NEVER_STARTING, LOST, ORPHANED, PROGRAM_KILLED)
KINDS = AT_START + IN_ATTEMPT


@dataclass(frozen=True)
class Fault:
    """What goes wrong, for which jobs (a part of their name; empty: any), and how long after the driver has started."""

    kind: str
    job: str = ""
    after_seconds: float = 0.0


def plant(folder: Path, fault: Fault, times: int = 1) -> None:
    """Adds a fault that hurts so many times."""
    if fault.kind not in KINDS:
        raise ValueError(f"no fault is called `{fault.kind}`: choose from {', '.join(KINDS)}")
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(times):
        file = folder / f"{time.time_ns():020}-{os.getpid()}-{number:03}.json"
        scratch = file.with_suffix(".part")
        scratch.write_text(json.dumps(asdict(fault)))
        scratch.rename(file)


def take(folder: Path, kinds: tuple[str, ...], job: str) -> Fault | None:
    """Returns the oldest fault of these kinds for this job and removes it; of two takers at once one gets it."""
    for file in planted(folder):
        try:
            fault = Fault(**json.loads(file.read_text()))
            if fault.kind not in kinds or fault.job not in job:
                continue
            file.unlink()
        except FileNotFoundError:
            continue
        return fault
    return None


def planted(folder: Path) -> list[Path]:
    """Returns the files of the faults that nobody has met yet, oldest first."""
    return sorted(folder.glob("*.json"))


def clear(folder: Path) -> None:
    """Takes all faults back."""
    for file in planted(folder):
        file.unlink(missing_ok=True)
