"""What people start by hand, on a bad disk: a day's end, a delivery of lineage, a replay, a rotation, a report (for `bad_disk`).

Each command meets the disk read-only, then full, then with more room each time, until it succeeds. Where it fails, it ends with
2 or 75 and says what to do, no table shows a state that is neither the old nor the new one, and nothing is wrong for the reader
that the command has in the proofs of kills. In the end all is as when the same command met no bad disk.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from proofs import by_hand, day, lake, places, replay, rotation
from proofs.by_hand import Bench, Rows
from proofs.disk import FULL, READ_ONLY, ROOM_KB, Disk, complaints, half_written, listed, rooms, step
from proofs.lineage_receivers import Receiver, free_port, waiting, without_repeats

FOLDER = places.PROOFS / "bad-disk" / "commands"
PROGRAMS = frozenset({"run-pipeline", "lineage-emit", "silverize", "goldify"})
WINDOW = places.DAYS[-1]
# What the end of a day writes. The tables repeat what others say, so they can be taken away and made anew.
SUMS = ("ops/runs", "ops/ledger", "ops/quality_scores")
CURSOR = "ops/lineage_cursors/proof.json"
EARLIER = "an earlier report"
# Each time three times the room: a command is longer than a program's run, and every try costs its time.
GROWTH = 3.0


@dataclass
class Trial:
    """A command on the disk."""

    bench: Bench
    command: list[str]
    # Places of the tables that it changes; afterwards they are as in the small lake again.
    tables: tuple[str, ...]
    # Puts everything back to where the command starts.
    restart: Callable[[], None]
    contents: Callable[[], Rows]
    # What a reader finds wrong who comes at any moment.
    read: Callable[[], list[str]]
    # Whether it goes on in steps, each of them a state that may be seen.
    in_steps: bool = False

    @property
    def target(self) -> Path:
        """The lake."""
        return self.bench.lakes / "lake"

    def run(self) -> subprocess.CompletedProcess[str]:
        """Runs it to its end."""
        return self.bench.run(*self.command)

    def halfway(self, states: tuple[Rows, Rows]) -> list[str]:
        """Returns what shows neither the old state nor the new one."""
        found = self.contents()
        halves = [] if self.in_steps else [name for name in found if found[name] not in [rows.get(name) for rows in states]]
        return [f"{name} is halfway" for name in halves]

    def others(self) -> list[str]:
        """Returns the commits of all other tables."""
        return [file for file in by_hand.logged(self.target) if not file.startswith(tuple(f"{place}/" for place in self.tables))]


def of(disk: Disk, env: dict[str, str]) -> dict[str, Callable[[], list[str]]]:
    """Returns the commands by name, each with what proves it."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    secrets = FOLDER / "secrets"
    shutil.copytree(env["LAKE_SECRETS"].removeprefix("file:"), secrets)
    bench = Bench(disk.path, places.HOME / "bin", env | {"LAKE_SECRETS": f"file:{secrets}"})
    trials = {
        "run-pipeline day": day_trial, "run-pipeline report": report_trial, "lineage-emit deliver": delivery_trial,
        "silverize --replay": replay_trial, "goldify rotate-key": rotation_trial,
    }  # fmt: skip
    return {name: partial(proved, disk, bench, name, trial) for name, trial in trials.items()}


def proved(disk: Disk, bench: Bench, name: str, make: Callable[[Bench], Trial]) -> list[str]:
    """Tries a command and puts the lake back; returns what is wrong."""
    disk.leave(ROOM_KB)
    trial = make(bench)
    wrong = tried(disk, name, trial)
    disk.leave(ROOM_KB)
    put(trial.target, trial.tables, places.HOME / "lake")
    return wrong


def tried(disk: Disk, name: str, trial: Trial) -> list[str]:
    """Runs a command on the bad disk; returns what is wrong."""
    trial.restart()
    before = trial.contents()
    undisturbed = trial.run()
    if undisturbed.returncode != 0:
        return [f"ended with {undisturbed.returncode} where there is room:\n{undisturbed.stderr}"]
    after, others = trial.contents(), trial.others()
    wrong = [] if before != after else ["changed nothing where there is room"]
    trial.restart()
    disk.forbid()
    files = listed(disk.path)
    wrong += [f"read-only: {text}" for text in complaints(trial.run(), READ_ONLY)]
    wrong += ["wrote to a read-only disk"] if listed(disk.path) != files else []
    disk.leave(ROOM_KB)
    wrong += [f"read-only: {text}" for text in trial.read()]
    refused: Counter[str] = Counter()
    for free in rooms(GROWTH):
        disk.leave(free)
        ended = trial.run()
        disk.leave(ROOM_KB)
        if ended.returncode == 0:
            break
        found = [*complaints(ended, FULL), *trial.halfway((before, after)), *trial.read(), *half_written(disk.path)]
        wrong += [f"with {free} KB free: {text}" for text in found]
        refused[step(ended.stderr)] += 1
    wrong += lake.differences(after, trial.contents()) + trial.read() + half_written(disk.path)
    wrong += [] if refused else ["never met the full disk"]
    wrong += [] if trial.others() == others else ["another table has changed"]
    print(f"  {name}: full {refused.total()} times ({', '.join(refused)}), then as where there is room", flush=True)
    return wrong


def put(target: Path, tables: tuple[str, ...], start: Path) -> None:
    """Makes tables of a lake what they are in a folder; what is not there is taken away."""
    for place in tables:
        shutil.rmtree(target / place, ignore_errors=True)
        if (start / place).is_dir():
            shutil.copytree(start / place, target / place)


def kept(target: Path, name: str, tables: tuple[str, ...]) -> Path:
    """Keeps tables of a lake, so that a command can start from them again; returns the folder."""
    put(FOLDER / name, tables, target)
    return FOLDER / name


def day_trial(bench: Bench) -> Trial:
    """The end of a day: the steps say what they said when they had room, so that the disk is full at run-pipeline's own work."""
    target, said = bench.lakes / "lake", FOLDER / "said"
    said.mkdir()
    script = f'said="{said}/' + '{program}-$1"\n'
    script += '[[ -s "$said" ]] || ( exec -a {program} "{real}" "$@" ) >"$said" || exit\ncat "$said"\n'
    programs = day.programs(FOLDER / "programs", bench.programs, dict.fromkeys(day.PROGRAMS, script))
    command = [
        "run-pipeline", "day", "--window", WINDOW, "--lake", str(target), "--programs", str(programs), "--logs", str(FOLDER / "logs"),
        "--output", "json", "--retries", "0", "--resume",
    ]  # fmt: skip

    def read() -> list[str]:
        torn = [note.name for note in (target / "ops" / "pipelines").glob("*.json") if not is_json(note)]
        return [f"the note {name} is torn" for name in torn]

    restart, contents = partial(put, target, SUMS, FOLDER / "nothing"), partial(lake.contents_of, target, SUMS)
    return Trial(bench, command, SUMS, restart, contents, read)


def report_trial(bench: Bench) -> Trial:
    """A report in place of an earlier one."""
    folder = bench.lakes / "report"
    folder.mkdir()
    file = folder / "report.html"
    command = ["run-pipeline", "report", "--lake", str(bench.lakes / "lake"), "--to", str(file)]

    def restart() -> None:
        file.write_text(EARLIER)

    def contents() -> Rows:
        # When it was made is all that differs between two reports of one lake.
        return {"the report": Counter([(re.sub(r'"made_at":"[^"]*"', "", file.read_text()),)])}

    def read() -> list[str]:
        left = sorted(one.name for one in folder.iterdir())
        return [] if left == [file.name] else [f"beside the report is left: {left}"]

    return Trial(bench, command, (), restart, contents, read)


def delivery_trial(bench: Bench) -> Trial:
    """Lineage to a receiver that takes everything; the cursor is what the disk has to hold."""
    target, receiver, port = bench.lakes / "lake", Receiver(), free_port()
    receiver.serve(port)
    cursor, events = target / CURSOR, waiting(target)
    command = ["lineage-emit", "deliver", "--lake", str(target), "--http", f"http://127.0.0.1:{port}/", "--cursor", "proof"]

    def restart() -> None:
        cursor.unlink(missing_ok=True)
        receiver.events.clear()

    def contents() -> Rows:
        place = Counter([(cursor.read_text(),)]) if cursor.exists() else Counter()
        return {"the cursor": place, "the receiver": Counter(enumerate(without_repeats(receiver.events)))}

    def read() -> list[str]:
        came = without_repeats(receiver.events)
        wrong = [] if came == events[: len(came)] else ["events came in another order, or some did not come"]
        wrong += ["the cursor is torn"] if cursor.exists() and not is_json(cursor) else []
        return wrong + (["events were sent and no cursor says so"] if came and not cursor.exists() else [])

    return Trial(bench, command, (), restart, contents, read, in_steps=True)


def replay_trial(bench: Bench) -> Trial:
    """Rows that a contract quarantined, brought back under a better one."""
    target = bench.lakes / "lake"
    tables = (replay.DATA, replay.ASIDE, "held/order_items")
    put(target, tables, FOLDER / "nothing")
    contracts = str(replay.broken_contracts())
    built = bench.run("silverize", replay.TABLE, "--window", WINDOW, "--lake", str(target), "--contracts", contracts)
    if built.returncode != 0:
        raise SystemExit(f"bad-disk: {replay.TABLE} under the broken contract ended with {built.returncode}:\n{built.stderr}")
    start, read = kept(target, "replay-start", tables), partial(replay.reader(target), target)
    contents = partial(lake.contents_of, target, tables)
    return Trial(bench, replay.command(target, WINDOW), tables, partial(put, target, tables, start), contents, read)


def rotation_trial(bench: Bench) -> Trial:
    """Another key for all tables that hold tokens."""
    target = bench.lakes / "lake"
    own = rotation.prepared(bench, target, WINDOW)
    tables = (*rotation.HOLDERS, rotation.RECORD)
    start, read = kept(target, "rotation-start", tables), partial(rotation.reader(bench, own, target, WINDOW), target)
    contents = partial(lake.contents_of, target, rotation.HOLDERS)
    return Trial(bench, rotation.command(target, own), tables, partial(put, target, tables, start), contents, read)


def is_json(file: Path) -> bool:
    """Whether a file holds one JSON object, and not a part of one."""
    try:
        return isinstance(json.loads(file.read_text()), dict)
    except ValueError:
        return False
