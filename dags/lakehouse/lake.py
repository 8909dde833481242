"""Reads small files of the lake: records of attempts, names of lineage events, commits. Never a row."""

from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit


class Lake(Protocol):
    """A lake as the DAGs see it."""

    def get(self, path: str) -> bytes | None:
        """Returns a file; None where there is none."""

    def names(self, folder: str) -> list[str]:
        """Returns the names of the files in a folder, sorted; those of folders in it are left out."""


class Directory:
    """A lake in a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def get(self, path: str) -> bytes | None:
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError:
            return None

    def names(self, folder: str) -> list[str]:
        try:
            return sorted(entry.name for entry in (self.root / folder).iterdir() if entry.is_file())
        except FileNotFoundError:
            return []


class Bucket:
    """A lake below a prefix of a bucket."""

    def __init__(self, client, bucket: str, prefix: str) -> None:
        self.client, self.bucket, self.prefix = client, bucket, prefix

    def get(self, path: str) -> bytes | None:
        try:
            return self.client.get_object(Bucket=self.bucket, Key=self.prefix + path)["Body"].read()
        except self.client.exceptions.NoSuchKey:
            return None

    def names(self, folder: str) -> list[str]:
        prefix = f"{self.prefix}{folder}/"
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix, Delimiter="/")
        return sorted(item["Key"][len(prefix) :] for page in pages for item in page.get("Contents", []))


def open_lake(uri: str) -> Lake:
    """Opens `s3://bucket/prefix` or a directory."""
    if not uri.startswith("s3://"):
        return Directory(Path(uri))
    # Only here, in a running task: DAG files are parsed without it.
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    parts = urlsplit(uri)
    prefix = parts.path.strip("/")
    return Bucket(S3Hook().get_conn(), parts.netloc, f"{prefix}/" if prefix else "")
