"""The driver of a job: what `spark-submit` does around a Python entry point that opens no SparkContext.

It runs in a folder of its own, with the entry point fetched, the archives of `spark.archives` unpacked beside it, and an
environment that holds what the service and the job give it and nothing of the shell that started the server. The interpreter
sees the standard library alone, so that a launcher which needs more fails here. Not done: executors, images, session policies.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlparse

import boto3

DRIVER_VARIABLE = "spark.emr-serverless.driverEnv."
POLL_SECONDS = 0.01
_unpacking = threading.Lock()


class Unstartable(Exception):
    """Why a driver could not be started; the job is FAILED with it."""


@dataclass
class Plan:
    """What `spark-submit` is asked to run."""

    entry: str
    arguments: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        """Returns the environment that the settings give to the driver."""
        return {
            name.removeprefix(DRIVER_VARIABLE): value
            for name, value in self.settings.items()
            if name.startswith(DRIVER_VARIABLE)
        }

    @property
    def archives(self) -> list[tuple[str, str]]:
        """Returns each archive's address and the folder that it is unpacked to."""
        found = []
        for one in filter(None, self.settings.get("spark.archives", "").split(",")):
            address, _, folder = one.partition("#")
            found.append((address, folder or Path(urlparse(address).path).name))
        return found


def plan(job_driver: dict, *classified: list[dict] | None) -> Plan:
    """Reads a job driver; `classified` are lists of `spark-defaults`, the later one winning, and parameters win over them."""
    submit = (job_driver or {}).get("sparkSubmit")
    if not submit:
        raise Unstartable("the job driver is not `sparkSubmit`: the emulator runs nothing else")
    settings: dict[str, str] = {}
    for one in (entry for group in classified for entry in group or []):
        if one.get("classification") == "spark-defaults":
            settings |= one.get("properties") or {}
    settings |= _parameters(submit.get("sparkSubmitParameters") or "")
    return Plan(submit["entryPoint"], list(submit.get("entryPointArguments") or []), settings)


def _parameters(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    words = iter(shlex.split(text))
    for word in words:
        flag, _, value = word.partition("=")
        if flag in ("--conf", "--archives", "--files", "--py-files"):
            value = value or next(words, "")
            if flag == "--conf":
                name, _, value = value.partition("=")
            else:
                name = f"spark.{flag.removeprefix('--')}"
            found[name] = value
    return found


class Driver:
    """A driver process, and everything it starts: one session, so that all of it can be ended."""

    def __init__(self, wanted: Plan, folder: Path, unpacked: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder.resolve()
        entry = fetch(wanted.entry, folder)
        for address, name in wanted.archives:
            # Unpacked once and linked: a release is hundreds of megabytes, and no program writes into it.
            (folder / name).symlink_to(_unpack(address, unpacked))
        for address in filter(None, wanted.settings.get("spark.files", "").split(",")):
            fetch(address, folder)
        command = [sys._base_executable, "-S", "-B", str(entry), *wanted.arguments]  # type: ignore[attr-defined]
        with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
            self.process = subprocess.Popen(
                command, cwd=folder, env=_environment(folder, wanted), stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                start_new_session=True,
            )  # fmt: skip

    def wait(self, seconds: float) -> int | None:
        """Returns the exit code as a shell shows it, or None when it still runs after so long."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        return 128 - code if code < 0 else code

    def terminate(self, grace_seconds: float) -> None:
        """Asks the driver alone to end, and ends all that is left after the grace: what happens to a worker that is taken away."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        self.wait(grace_seconds)
        self.kill()

    def kill(self) -> None:
        """Ends the driver and its children at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        # A worker that is taken away takes along also what leads a session of its own, such as the launcher's recorder.
        while left := self._left():
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(POLL_SECONDS)

    def _left(self) -> list[int]:
        """Returns what works in the driver's folder; a process that has been killed has none."""
        found = []
        for place in Path("/proc").glob("[0-9]*/cwd"):
            with suppress(OSError):
                if place.readlink().is_relative_to(self.folder):
                    found.append(int(place.parent.name))
        return found

    def kill_program(self) -> bool:
        """Kills what the driver has started; False when it has started nothing yet."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        with suppress(FileNotFoundError, ProcessLookupError):
            for pid in children.read_text().split():
                os.kill(int(pid), signal.SIGKILL)
                return True
        return False


def _environment(folder: Path, wanted: Plan) -> dict[str, str]:
    service = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8", "TMPDIR": str(folder),
        **service, **wanted.variables,
    }  # fmt: skip


def fetch(address: str, folder: Path) -> Path:
    """Returns a local file for an address: a copy in the folder when it stands in a bucket."""
    parts = urlparse(address)
    if parts.scheme in ("", "file"):
        if not Path(parts.path).is_file():
            raise Unstartable(f"there is no file {parts.path}")
        return Path(parts.path)
    if parts.scheme != "s3":
        raise Unstartable(f"{address} is neither in S3 nor a local file")
    file = folder / Path(parts.path).name
    try:
        boto3.client("s3").download_file(parts.netloc, parts.path.lstrip("/"), str(file))
    except Exception as error:
        raise Unstartable(f"{address} cannot be read: {error}") from error
    return file


def _unpack(address: str, unpacked: Path) -> Path:
    """Returns the folder with an archive's content; the same version of an archive is unpacked once."""
    with _unpacking:
        folder = unpacked / hashlib.sha256(f"{address} {_version(address)}".encode()).hexdigest()[:16]
        if folder.is_dir():
            return folder
        scratch = folder.with_suffix(".part")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        archive = fetch(address, scratch)
        inside = scratch / "inside"
        try:
            with tarfile.open(archive) as opened:
                opened.extractall(inside, filter="data")
        except tarfile.TarError as error:
            raise Unstartable(f"{address} cannot be unpacked: {error}") from error
        inside.rename(folder)
        shutil.rmtree(scratch)
        return folder


def _version(address: str) -> str:
    parts = urlparse(address)
    if parts.scheme != "s3":
        file = Path(parts.path)
        return f"{file.stat().st_size} {file.stat().st_mtime_ns}" if file.is_file() else ""
    try:
        return str(boto3.client("s3").head_object(Bucket=parts.netloc, Key=parts.path.lstrip("/"))["ETag"])
    except Exception as error:
        raise Unstartable(f"{address} cannot be read: {error}") from error
