"""Entry point of an EMR Serverless job: runs an ordered list of Sluice's programs and leaves what became of them.

EMR Serverless starts Spark drivers only, so a driver that never opens a SparkContext stands between it and the programs.
It has `run-pipeline attempt` create `ops/attempts/<run_id>/<attempt>.json` below the lake: that file is what a scheduler
reads. `dags/README.md` says what the arguments and the file hold. Standard library only: nothing else is sure to be there.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
from typing import Any, Optional

# The service is handed this file alone. Its parts come with the programs: where EMR unpacks an archive, in an image of our own.
sys.path += [os.path.abspath("./environment/jobs"), "/opt/sluice/jobs"]

from launcher_order import (  # noqa: E402
    BUG, CONFIG, NOTHING, OK, TRANSIENT, Job, Order, Refused, command, fault_of, identity, is_whole, job_of, order_of,
)
from launcher_process import Ending, Processes, now, say  # noqa: E402
from launcher_turns import Turns  # noqa: E402

# In an image of our own; where EMR unpacks an archive.
DIRECTORIES = ("/opt/sluice/bin", "./environment/bin")
RECORDER = "run-pipeline"
# What steps do with their table.
BUILD, CHECK = "build", "check"
# Tables that are brought together while a stream's turns go on: one round is a few rows, a turn comes each 20 seconds.
ROUNDS_MAX = 12


def directory_of(job: Job, order: Order) -> str:
    """The directory of the programs: one that holds all of them, so that no two releases meet in a job."""
    needed = sorted({RECORDER, *(step.program for step in order.steps + order.turn)})
    missing: dict[str, list[str]] = {}
    for place in [job.programs] if job.programs else DIRECTORIES:
        missing[place] = [program for program in needed if not os.path.isfile(os.path.join(place, program))]
        if not missing[place]:
            for program in needed:
                _executable(os.path.join(place, program))
            return os.path.abspath(place)
    said = "; ".join(f"{place} has no {', '.join(names)}" for place, names in missing.items())
    raise Refused(f"failed to find the programs: {said}")


def _executable(path: str) -> None:
    """An archive may have lost the bit."""
    try:
        if not os.access(path, os.X_OK):
            os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
    except OSError as error:
        raise Refused(f"failed to make {path} executable: {error.strerror}") from error


class Launcher:
    """Runs the steps of a job and remembers what became of them."""

    def __init__(self, job: Job, order: Order, processes: Processes) -> None:
        self.job, self.processes, self.started_at = job, processes, now()
        self.endings = [Ending(step) for step in order.steps]
        self.turns = Turns(job, order, processes) if order.turn else None
        self.versions = dict(job.versions)
        self.exit = OK
        self.why: Optional[str] = None

    def run(self) -> None:
        """Runs the steps up to the first that does not end with 0; the last one with its turns beside it."""
        for number, ending in enumerate(self.endings, 1):
            told = self.processes.signal
            if told is not None:
                self.exit, self.why = 128 + told, f"{told.name} came before `{ending.step.name}` was started"
                return
            say(f"step {number} of {len(self.endings)}: {ending.step.name}")
            if number == len(self.endings) and self.turns:
                self._run_beside(ending, self.turns)
            else:
                self.processes.run(ending, identity(self.job, ending.step), self.versions)
                self.exit, self.why = ending.exit or OK, ending.why
            # Behind the last of them: a gate judges, and hands on, versions that belong together.
            if self.exit == OK and ending.step.work == BUILD and self._is_last_build(number):
                self._bring_together()
            if self.exit != OK:
                return

    def _is_last_build(self, number: int) -> bool:
        return number == len(self.endings) or self.endings[number].step.work != BUILD

    def _bring_together(self) -> None:
        """Has tables that read the same input read it equally far: beside this job a stream's turns may bring some of them further.

        Gold refuses siblings that have read different versions, whoever brought them there.
        """
        for _ in range(ROUNDS_MAX):
            behind = self._behind()
            if behind is None:
                return
            ending, inputs = behind
            told = self.processes.signal
            if told is not None:
                self.exit, self.why = 128 + told, f"{told.name} came before `{ending.step.name}` was started again"
                return
            say(f"`{ending.step.name}` goes on to {inputs}: a sibling has read it")
            # Only the step's own version is news; what the job was handed stays what it was handed.
            versions = {**self.versions, **inputs}
            self.processes.run(ending, identity(self.job, ending.step), versions)
            if ending.exit != OK:
                self.exit, self.why = ending.exit or BUG, ending.why
                return
            self.versions[ending.step.table or ""] = versions[ending.step.table or ""]
            self._judge_again(ending.step.table)
            if self.exit != OK:
                return
        self.exit, self.why = TRANSIENT, f"tables that read the same do not come together in {ROUNDS_MAX} rounds"

    def _judge_again(self, table: Optional[str]) -> None:
        """Has the gates that a table has passed in this job judge it again: they saw another version than the one that is handed on."""
        for gate in self.endings:
            if gate.step.work == CHECK and gate.step.table == table and gate.exit == OK:
                self.processes.run(gate, identity(self.job, gate.step), self.versions)
                if gate.exit != OK:
                    self.exit, self.why = gate.exit or BUG, gate.why
                    return

    def _behind(self) -> Optional[tuple[Ending, dict[str, int]]]:
        """Returns a step that has read less of some input than another one, and how far the others are."""
        read: dict[str, list[tuple[int, Ending]]] = {}
        for ending in self.endings:
            known = ((ending.summary or {}).get("inputs") or {}) if ending.step.work == BUILD else {}
            for table in ending.step.inputs:
                if is_whole(known.get(table)):
                    read.setdefault(table, []).append((known[table], ending))
        for table, found in read.items():
            most, (least, ending) = max(version for version, _ in found), min(found, key=lambda one: one[0])
            if least < most:
                return ending, {table: most}
        return None

    def _run_beside(self, ending: Ending, turns: Turns) -> None:
        try:
            self.processes.run(ending, identity(self.job, ending.step), self.versions, turns.begin)
        finally:
            turns.end()
        self.exit, self.why = turns.failed or (ending.exit or OK, ending.why)
        # What the last step says of its own table is newer than what a turn has seen of it.
        stepped = {table: version for table, version in self.versions.items() if version != self.job.versions.get(table)}
        self.versions = {**self.job.versions, **turns.versions(), **stepped}

    def record(self) -> int:
        """Leaves what became of the job below the lake; returns how the launcher ends."""
        path = os.path.join(self.processes.scratch, "attempt.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.document(), file, separators=(",", ":"))
        parts = [os.path.join(self.processes.directory, RECORDER), "attempt", "--record", path, "--lake", self.job.lake,
                 "--run-id", str(self.job.run_id), "--attempt", str(self.job.attempt)]
        # In a session of its own: who stops the job's processes must not stop what tells of it.
        code = subprocess.run(parts, stdin=subprocess.DEVNULL, start_new_session=True, check=False).returncode
        code = code if code >= 0 else 128 - code
        if code != OK:
            say(f"the attempt could not be left: `{RECORDER} attempt` ended with {code}")
        # What failed first is what a person must know.
        return self.exit if code == OK or self.exit not in (OK, NOTHING) else code

    def document(self) -> dict[str, Any]:
        """What is left below the lake."""
        job, told = self.job, self.processes.signal
        return {
            "schema_version": 1,
            "job": job.job, "run_id": str(job.run_id), "attempt": job.attempt, "release": job.release, "window": job.window,
            "started_at": self.started_at, "ended_at": now(),
            "exit": self.exit, "fault": fault_of(self.exit), "why": self.why,
            "signal": told.name if told else None,
            "steps": [self._told(ending) for ending in self.endings],
            "turns": self.turns.told() if self.turns else None,
            "versions": self.versions,
        }

    def _told(self, ending: Ending) -> dict[str, Any]:
        run_id = str(identity(self.job, ending.step).run_id) if ending.step.table else None
        return {**ending.told(), "run_id": run_id}


def show(job: Job, order: Order) -> int:
    """Prints what would be started: the steps, then those of a first turn."""
    contracts = job.contracts or "contracts"
    for number, step in enumerate(order.steps + order.turn, 1):
        print(json.dumps(command(job, step, identity(job, step), (contracts, f"summary-{number}.json"), job.versions)))
    return OK


def launch(job: Job, args: argparse.Namespace) -> int:
    """Runs a job."""
    order, refused = Order([]), None
    try:
        order = order_of(args.step, args.turn, args.turn_seconds)
        directory = directory_of(job, order)
    except Refused as error:
        refused = str(error)
        say(refused)
        # Without the recorder nothing can be left; with it, a scheduler learns that trying again is of no use.
        directory = directory_of(job, Order([]))
    with tempfile.TemporaryDirectory(prefix="sluice-") as scratch:
        processes = Processes(job, directory, scratch)
        launcher = Launcher(job, order, processes)
        # Linux hands them to the main thread, whatever thread waits beside it.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, processes.signalled)
        signal.signal(signal.SIGALRM, processes.overdue)
        if refused is None:
            launcher.run()
        else:
            launcher.exit, launcher.why = CONFIG, refused
        return launcher.record()


def main(argv: list[str]) -> int:
    """Runs or shows a job; returns the exit code."""
    parser = argparse.ArgumentParser(prog="launcher.py", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--job", required=True, metavar="JSON", help="what all steps have in common")
    parser.add_argument("--step", required=True, metavar="JSON", action="append", help="a step (repeatable, in order)")
    parser.add_argument("--turn", default=[], metavar="JSON", action="append", help="a step of each turn beside the last one")
    parser.add_argument("--turn-seconds", type=int, metavar="N", help="time between the beginnings of two turns")
    parser.add_argument("--show", action="store_true", help="print the commands and start nothing")
    args = parser.parse_args(argv)
    try:
        job = job_of(args.job)
        return show(job, order_of(args.step, args.turn, args.turn_seconds)) if args.show else launch(job, args)
    except Refused as error:
        say(str(error))
        return CONFIG


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
