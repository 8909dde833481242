"""Jobs of the DAGs without Airflow: what they render, run by the launcher, and how their processes are found and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from proofs import places

LAUNCHER = places.ROOT / "dags" / "jobs" / "launcher.py"
# What Airflow renders for each job; a test of the DAGs holds it.
RENDERED = places.ROOT / "dags" / "tests" / "snapshots" / "commands.txt"
STREAMING = "ingest-kafka"


def rendered(task: str) -> list[tuple[str, str]]:
    """Returns the arguments of the launcher for a task, such as `lake_stream.stream_kafka_orders`, but for the job's own."""
    _, _, rest = RENDERED.read_text().partition(f"== {task} (")
    lines = rest.partition("\n== ")[0].splitlines()
    first = lines.index("--job")
    return [pair for pair in zip(lines[first::2], lines[first + 1 :: 2], strict=True) if pair[0] != "--job"]


@dataclass
class Attempts:
    """A task and its attempts, one after another."""

    name: str
    arguments: list[tuple[str, str]]
    lake: Path
    programs: Path
    contracts: Path
    window: str
    logs: Path
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    number: int = 0
    started: list[Running] = field(default_factory=list)

    def start(self) -> Running:
        """Starts the next attempt in a group of its own, as a worker of the service is."""
        self.number += 1
        job = {
            "schema_version": 1, "job": self.name, "run_id": self.run_id, "attempt": self.number, "release": "proof",
            "lake": str(self.lake), "window": self.window, "programs": str(self.programs), "contracts": str(self.contracts),
        }  # fmt: skip
        command = [sys.executable, str(LAUNCHER), "--job", json.dumps(job), *(word for pair in self.arguments for word in pair)]
        with (self.logs / f"{self.name}.out").open("ab") as out, (self.logs / f"{self.name}.log").open("ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=log, start_new_session=True)
        self.started.append(Running(process))
        return self.started[-1]

    def sweep(self) -> None:
        """Kills what is left of all attempts."""
        for one in self.started:
            one.sweep()

    def record(self, number: int) -> dict | None:
        """Returns what an attempt has left; none where it was killed."""
        path = self.lake / "ops" / "attempts" / self.run_id / f"{number}.json"
        return json.loads(path.read_text()) if path.exists() else None

    def records(self) -> list[dict]:
        """Returns what all attempts have left."""
        return [found for found in map(self.record, range(1, self.number + 1)) if found]


@dataclass
class Running:
    """A launcher that was started, and its programs."""

    process: subprocess.Popen

    def programs(self) -> dict[str, int]:
        """Returns the running programs by name."""
        found = {}
        for file in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            with suppress(OSError):
                for child in file.read_text().split():
                    first = Path(f"/proc/{child}/cmdline").read_bytes().partition(b"\0")[0].decode()
                    found[Path(first).name] = int(child)
        return found

    def kill(self, kind: str) -> bool:
        """Kills the stream, a program of a turn, or the launcher; false where there is no such process just now."""
        programs = self.programs()
        stream = programs.pop(STREAMING, None)
        victim = {"stream": stream, "turn": next(iter(programs.values()), None), "launcher": self.process.pid}[kind]
        if victim is None or (kind == "launcher" and stream is None):
            return False
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
            return True
        return False

    def sweep(self) -> None:
        """Kills what a dead launcher has left: a worker goes with its driver, but not at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
