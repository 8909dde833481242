"""A small disk that is full or read-only when a proof wants it, and what a program must do on it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE_KB = 4
ROOM_MAX_KB = 64 * 1024
# What the programs may use when they may use all they want.
ROOM_KB = 512 * 1024
READ_ONLY, FULL = 2, 75
SAYS = {READ_ONLY: "Read-only file system", FULL: "No space left on device"}


@dataclass
class Disk:
    """A tmpfs."""

    path: Path

    def mount(self) -> None:
        """Mounts it, with plenty of room."""
        self.path.mkdir(parents=True, exist_ok=True)
        must("mount", "-t", "tmpfs", "-o", f"size={ROOM_KB}k", "tmpfs", str(self.path))

    def leave(self, free_kb: int) -> None:
        """Leaves so much room besides what is used."""
        status = os.statvfs(self.path)
        used_kb = (status.f_blocks - status.f_bfree) * status.f_frsize // 1024
        must("mount", "-o", f"remount,rw,size={used_kb + free_kb}k", str(self.path))

    def forbid(self) -> None:
        """Makes it read-only."""
        must("mount", "-o", "remount,ro", str(self.path))


def must(*command: str) -> None:
    """Runs a command of the system that has to work."""
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"bad-disk: {' '.join(command)}: {done.stderr.strip()}")


def rooms(growth: float) -> Iterator[int]:
    """Yields how much room there is, in KB: none, then one page, then always so many times more."""
    free = 0
    while free <= ROOM_MAX_KB:
        yield free
        free = max(free + PAGE_KB, int(free * growth) // PAGE_KB * PAGE_KB)


def complaints(ended: subprocess.CompletedProcess[str], code: int) -> Iterator[str]:
    """Yields what is wrong with how a program ended and with what it said, where it had to fail."""
    if ended.returncode != code:
        yield f"ended with {ended.returncode}, not {code}: {ended.stderr.strip()[-400:]}"
    elif SAYS[code] not in ended.stderr or "hint: " not in ended.stderr:
        yield f"does not say `{SAYS[code]}` and what to do: {ended.stderr.strip()[-400:]}"
    if "panicked" in ended.stderr or "stack backtrace" in ended.stderr:
        yield "panicked"


def half_written(folder: Path) -> list[str]:
    """Returns what is wrong when files are there that never got their names."""
    half = [str(file.relative_to(folder)) for pattern in ("*#*", "*.partial") for file in folder.rglob(pattern)]
    return [f"left half-written files: {half[:3]}"] if half else []


def step(stderr: str) -> str:
    """Returns which step of the program met the full disk, by its error."""
    line = next((line for line in stderr.splitlines() if line.startswith("error: ")), "no error")
    known = {"create `": "create", "write to table": "write", "commit to table": "commit"}
    return next((name for text, name in known.items() if f" {text}" in line), line.removeprefix("error: ")[:60])


def listed(folder: Path) -> list[tuple[str, int, int]]:
    """Returns every file with size and time."""
    return sorted((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in folder.rglob("*") if file.is_file())
