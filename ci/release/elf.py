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
NEED = re.compile(r"Name: (\S+) ")
VERSION = re.compile(r"([A-Z]+)_(\d+(?:\.\d+)*)")
SYMBOL = re.compile(r"\s(\w+)@(\w+?_[\d.]+)")


@dataclass(frozen=True)
class Needs:
    """Shared libraries, versions of symbols by their family, the symbols that ask for each version, and versions without a number."""

    libraries: frozenset[str]
    versions: dict[str, set[tuple[int, ...]]]
    symbols: dict[str, set[str]]
    unnumbered: frozenset[str] = frozenset()

    def newest(self, family: str) -> str:
        """Returns the newest version that is asked for, as text."""
        return ".".join(map(str, max(self.versions.get(family, {(0,)}))))


def read(file: Path) -> Needs:
    """Returns what a file needs."""
    libraries = frozenset(re.findall(r"\(NEEDED\).*\[(.+)\]", _readelf("--dynamic", file)))
    versions: dict[str, set[tuple[int, ...]]] = {}
    needed = _readelf("--version-info", file).partition("Version needs section")[2]
    unnumbered = set()
    for name in NEED.findall(needed):
        if found := VERSION.fullmatch(name):
            versions.setdefault(found[1], set()).add(_numbers(found[2]))
        else:
            unnumbered.add(name)
    symbols: dict[str, set[str]] = {}
    for name, version in SYMBOL.findall(_readelf("--dyn-syms", file)):
        symbols.setdefault(version, set()).add(name)
    return Needs(libraries, versions, symbols, frozenset(unnumbered))


def problems(needs: Needs) -> list[str]:
    """Returns what Amazon Linux 2023 does not have, each as a sentence."""
    found = [f"{name} is not in the base of Amazon Linux 2023" for name in sorted(needs.libraries - LIBRARIES)]
    # The loader refuses these as it does any other, and no symbol bears them: GLIBC_ABI_DT_RELR came with 2.36.
    found += [f"{name} is needed, and Amazon Linux 2023 is not known to have it" for name in sorted(needs.unnumbered)]
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
