"""Where lakes stand: a directory or a prefix of a bucket, listed, copied and emptied the same way.

`python -m proofs.stores count|wipe --lake DIR|s3://BUCKET/PREFIX` prints how many tables there are, or deletes them. A bucket is
reached by the `AWS_*` variables that the programs read too; `ci/s3` prints those of the local one.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from proofs import places
from pyarrow import fs

LAYERS = ("bronze", "silver", "gold", "quarantine", "held", "ops")
LOG = "/_delta_log/"
# Requests to a bucket that are under way at the same time.
REQUESTS = 16


@dataclass(frozen=True)
class Bucket:
    """A lake below a prefix of a bucket; `/` makes one below it, as with a `Path`."""

    uri: str

    def __str__(self) -> str:
        return self.uri

    def __truediv__(self, name: str) -> Bucket:
        return Bucket(f"{self.uri}/{name}")

    @property
    def logs(self) -> Path:
        """Where a run of this lake leaves its logs: on this machine."""
        return places.PROOFS / "bucket-logs" / self._path.replace("/", "-")

    @property
    def _path(self) -> str:
        return self.uri.removeprefix("s3://").rstrip("/")

    def files(self) -> list[str]:
        """Returns the paths of all files below the lake."""
        found = files_of_buckets().get_file_info(fs.FileSelector(self._path, recursive=True, allow_not_found=True))
        return sorted(one.path.removeprefix(f"{self._path}/") for one in found if one.type == fs.FileType.File)

    def read(self, file: str) -> bytes:
        """Returns what a file holds."""
        with files_of_buckets().open_input_stream(f"{self._path}/{file}") as stream:
            return stream.read()

    def write(self, file: str, content: bytes) -> None:
        """Writes a file."""
        with files_of_buckets().open_output_stream(f"{self._path}/{file}") as stream:
            stream.write(content)

    def copy_to(self, target: Bucket) -> None:
        """Copies every file; the server copies, nothing passes through here."""
        at_once(partial(_copy, self._path, target._path), self.files())

    def delete(self, files: Iterable[str] | None = None) -> None:
        """Deletes files, by default all."""
        if files is None:
            files_of_buckets().delete_dir_contents(self._path, missing_dir_ok=True)
        else:
            at_once(lambda file: files_of_buckets().delete_file(f"{self._path}/{file}"), files)


@dataclass(frozen=True)
class Directory:
    """A lake in a directory."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def logs(self) -> Path:
        """Where a run of this lake leaves its logs: beside it."""
        return self.path.with_name(f"{self.path.name}-logs")

    def files(self) -> list[str]:
        """Returns the paths of all files below the lake."""
        return sorted(str(one.relative_to(self.path)) for one in self.path.rglob("*") if one.is_file())

    def read(self, file: str) -> bytes:
        """Returns what a file holds."""
        return (self.path / file).read_bytes()

    def copy_to(self, target: Store) -> None:
        """Copies every file, into a directory or a bucket."""
        if isinstance(target, Bucket):
            at_once(lambda file: target.write(file, self.read(file)), self.files())
        elif self.path.exists():
            shutil.copytree(self.path, target.path, dirs_exist_ok=True)

    def delete(self, files: Iterable[str] | None = None) -> None:
        """Deletes files, by default all and the directory itself."""
        if files is None:
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            for file in files:
                (self.path / file).unlink(missing_ok=True)


Place = Path | Bucket
Store = Directory | Bucket


def place(text: str) -> Place:
    """Returns the place that an option names."""
    return Bucket(text.rstrip("/")) if text.startswith("s3://") else Path(text)


def of(where: Place) -> Store:
    """Returns the store of a place."""
    return Directory(where) if isinstance(where, Path) else where


def tables(where: Place) -> list[str]:
    """Returns the place of every table in the lake, such as `silver/orders`, layer by layer."""
    logged = {file.split(LOG)[0] for file in of(where).files() if LOG in file}
    return sorted((name for name in logged if name.split("/")[0] in LAYERS), key=lambda name: (LAYERS.index(name.split("/")[0]), name))


def wipe(where: Place) -> None:
    """Deletes what Sluice wrote there, and nothing else that may stand beside it."""
    of(where).delete([file for file in of(where).files() if file.split("/")[0] in LAYERS])


@cache
def files_of_buckets() -> fs.S3FileSystem:
    """Returns the file system of all buckets."""
    environment = os.environ
    return fs.S3FileSystem(
        access_key=environment.get("AWS_ACCESS_KEY_ID"),
        secret_key=environment.get("AWS_SECRET_ACCESS_KEY"),
        session_token=environment.get("AWS_SESSION_TOKEN"),
        endpoint_override=environment.get("AWS_ENDPOINT_URL"),
        region=environment.get("AWS_REGION"),
    )


def at_once(work, items: Iterable) -> None:
    """Does something with each item, several at the same time; the first error is raised."""
    with ThreadPoolExecutor(REQUESTS) as pool:
        list(pool.map(work, items))


def _copy(source: str, target: str, file: str) -> None:
    files_of_buckets().copy_file(f"{source}/{file}", f"{target}/{file}")


def main() -> int:
    """Runs one command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["count", "wipe"])
    parser.add_argument("--lake", type=place, required=True)
    options = parser.parse_args()
    if options.command == "count":
        print(len(tables(options.lake)))
    else:
        wipe(options.lake)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
