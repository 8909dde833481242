"""Runs windows with the real programs, on lakes that a proof owns."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from proofs import places, stores
from proofs.stores import Place


def sources(*arguments: str, stdin: str | None = None) -> str:
    """Runs a command of `ci/sources`."""
    command = [str(places.SOURCES / arguments[0]), *arguments[1:]]
    done = subprocess.run(command, input=stdin, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{shlex.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def connections() -> dict[str, str]:
    """Returns the variables that `ci/pipeline-env` exports."""
    text = subprocess.run([str(places.ROOT / "ci" / "pipeline-env")], text=True, capture_output=True, check=True).stdout
    words = [shlex.split(line)[1] for line in text.splitlines()]
    return dict(word.split("=", 1) for word in words)


@dataclass
class Ended:
    """How a run of a window ended."""

    code: int
    report: dict
    summaries: list[dict]
    stderr: str

    def outcomes(self) -> dict[str, str]:
        """Returns each table's outcome."""
        return {table["table"]: table["outcome"] for table in self.report.get("tables", [])}


def command(window: str, lake: Place, *, programs: Path, contracts: Path = places.CONTRACTS, more: tuple[str, ...] = ()) -> list[str]:
    """Returns the command line that runs a window."""
    return [
        str(programs / "run-pipeline"), "day", "--window", window, "--lake", str(lake), "--contracts", str(contracts),
        "--programs", str(programs), "--logs", str(stores.of(lake).logs), "--output", "json", *more,
    ]  # fmt: skip


def environment() -> dict[str, str]:
    """Returns the environment of the programs without anything that arms a fault; connections come when sources are up."""
    return {name: value for name, value in os.environ.items() if name not in ("SLUICE_FAULT", "SLUICE_MUTATE")}


def run(window: str, lake: Place, *, programs: Path, env: dict[str, str], **options) -> Ended:
    """Runs a window to its end."""
    done = subprocess.run(command(window, lake, programs=programs, **options), env=env, text=True, capture_output=True, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return Ended(done.returncode, lines[-1] if lines else {}, lines[:-1], done.stderr)


def must(ended: Ended, what: str) -> Ended:
    """Stops the proof when a run that has to end well did not."""
    if ended.code != 0:
        raise SystemExit(f"{what} ended with {ended.code}:\n{ended.stderr}")
    return ended


def staged(target: Place, programs: Path, env: dict[str, str]) -> dict[str, str]:
    """Makes a lake that has run history and the first day, with the second day published: the next window to run.

    The sources stand still from then on, so that the day can be run again and again and nothing moves under a comparison.
    Returns the environment of the freshly started sources.
    """
    sources("up", "--profile", "small", "--fresh")
    env = env | connections()
    fresh(target)
    for window in places.WINDOWS[:2]:
        if window != places.HISTORY:
            sources("advance", window)
        must(run(window, target, programs=programs, env=env), f"the base, window {window}")
    sources("advance", places.DAYS[1])
    return env


def fresh(lake: Place) -> Place:
    """Returns a place where no lake is, nor logs of one; the folder of a directory is there."""
    store = stores.of(lake)
    store.delete()
    shutil.rmtree(store.logs, ignore_errors=True)
    store.logs.parent.mkdir(parents=True, exist_ok=True)
    return lake


def copy(lake: Place, target: Place) -> Place:
    """Copies a lake; tables keep their ids, so progress fits."""
    fresh(target)
    stores.of(lake).copy_to(stores.of(target))
    return target


def programs(folder: Path, real: Path, scripts: dict[str, str]) -> Path:
    """Makes a directory of programs in which some are scripts; `{real}` and `{program}` stand for the real executable and its name."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    executable = (real / "all-clis").resolve()
    for link in real.iterdir():
        target = folder / link.name
        if link.name in scripts:
            target.write_text("#!/usr/bin/env bash\n" + scripts[link.name].format(real=executable, program=link.name))
            target.chmod(0o755)
        else:
            target.symlink_to(executable)
    return folder


PROGRAMS = ("ingest-fx", "ingest-hubspot", "ingest-kafka", "ingest-snowflake", "ingest-redshift", "dq-check", "silverize", "goldify")
