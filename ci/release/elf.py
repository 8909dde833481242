"""What an executable needs of the system it is started on, and whether Amazon Linux 2023 has it.

Read from the file's own tables by `readelf`: shared libraries, and for each the versions of symbols. What is loaded later by name
(dlopen) is not in them, so the Snowflake driver is read as a file of its own.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

# What stands in the base image of Amazon Linux 2023: glibc 2.34, libgcc of gcc 11, and zlib, which rpm and curl need.
LIBRARIES = frozenset({
    "ld-linux-aarch64.so.1", "ld-linux-x86-64.so.2", "libc.so.6", "libdl.so.2", "libgcc_s.so.1", "libm.so.6", "libpthread.so.0",
    "libresolv.so.2", "librt.so.1", "libz.so.1",
})  # fmt: skip
NEWEST = {"GLIBC": (2, 34), "GCC": (11, 0), "ZLIB": (1, 2, 11)}
VERSION = re.compile(r"Name: (\w+?)_(\d+(?:\.\d+)*)\s")
SYMBOL = re.compile(r"\s(\w+)@(\w+?_[\d.]+)")


@dataclass(frozen=True)
class Needs:
    """Shared libraries, versions of symbols by their family, and the symbols that ask for each version."""

    libraries: frozenset[str]
    versions: dict[str, set[tuple[int, ...]]]
    symbols: dict[str, set[str]]

    def newest(self, family: str) -> str:
        """Returns the newest version that is asked for, as text."""
        return ".".join(map(str, max(self.versions.get(family, {(0,)}))))


def read(file: Path) -> Needs:
    """Returns what a file needs."""
    libraries = frozenset(re.findall(r"\(NEEDED\).*\[(.+)\]", _readelf("--dynamic", file)))
    versions: dict[str, set[tuple[int, ...]]] = {}
    needed = _readelf("--version-info", file).partition("Version needs section")[2]
    for family, number in VERSION.findall(needed):
        versions.setdefault(family, set()).add(_numbers(number))
    symbols: dict[str, set[str]] = {}
    for name, version in SYMBOL.findall(_readelf("--dyn-syms", file)):
        symbols.setdefault(version, set()).add(name)
    return Needs(libraries, versions, symbols)


def problems(needs: Needs) -> list[str]:
    """Returns what Amazon Linux 2023 does not have, each as a sentence."""
    found = [f"{name} is not in the base of Amazon Linux 2023" for name in sorted(needs.libraries - LIBRARIES)]
    for family, versions in sorted(needs.versions.items()):
        for version in sorted(versions):
            if family in NEWEST and version <= NEWEST[family]:
                continue
            text = f"{family}_{'.'.join(map(str, version))}"
            asking = ", ".join(sorted(needs.symbols.get(text, {"no symbol that is listed"})))
            limit = f"{'.'.join(map(str, NEWEST[family]))} is the newest there" if family in NEWEST else "is not there"
            found.append(f"{text} is needed by {asking}; {limit}")
    return found


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _readelf(what: str, file: Path) -> str:
    command = ["readelf", "--wide", what, str(file)]
    return subprocess.run(command, env={**os.environ, "LC_ALL": "C"}, check=True, capture_output=True, text=True).stdout
