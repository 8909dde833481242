"""The archive: sorted names, one owner, one time, no trace of who packed it where, so that the same content is the same file."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

MANIFEST = "MANIFEST"
EXECUTABLE, PLAIN = 0o755, 0o644


@dataclass(frozen=True)
class Entry:
    """A file by its content or its place, or a link to a name beside it."""

    path: str
    content: bytes | None = None
    file: Path | None = None
    link: str = ""
    mode: int = PLAIN

    def digest(self) -> str:
        """Returns the SHA-256 of the file."""
        if self.file is None:
            return hashlib.sha256(self.content or b"").hexdigest()
        with self.file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()


def manifest(entries: list[Entry]) -> bytes:
    """Returns a line per entry that `sha256sum --check` reads; a link has the hash of what it leads to."""
    digests = {entry.path: entry.digest() for entry in entries if not entry.link}
    folder = {entry.path: str(Path(entry.path).parent / entry.link) for entry in entries if entry.link}
    digests |= {path: digests[target] for path, target in folder.items()}
    return "".join(f"{digests[path]}  {path}\n" for path in sorted(digests)).encode()


def write(archive: Path, entries: list[Entry], epoch: int, level: int = 6) -> None:
    """Writes the archive with a manifest inside; `epoch` is the time of everything in it, `level` how hard it is packed."""
    whole = [*entries, Entry(MANIFEST, content=manifest(entries))]
    paths = [entry.path for entry in whole]
    if len(set(paths)) != len(paths):
        raise ValueError("two entries of the archive have one name")
    archive.parent.mkdir(parents=True, exist_ok=True)
    scratch = archive.with_name(f".{archive.name}.part")
    with (
        scratch.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=level, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as made,
    ):
        for entry in sorted(whole, key=lambda one: one.path):
            _add(made, entry, epoch)
    scratch.rename(archive)


def _add(made: tarfile.TarFile, entry: Entry, epoch: int) -> None:
    member = tarfile.TarInfo(entry.path)
    member.mtime, member.mode = epoch, entry.mode
    if entry.link:
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, entry.link, 0o777
        made.addfile(member)
    elif entry.file is None:
        content = entry.content or b""
        member.size = len(content)
        made.addfile(member, io.BytesIO(content))
    else:
        member.size = entry.file.stat().st_size
        with entry.file.open("rb") as opened:
            made.addfile(member, opened)


def digest(archive: Path) -> str:
    """Returns the SHA-256 of an archive."""
    return Entry("", file=archive).digest()
