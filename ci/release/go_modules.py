"""The Go modules that are linked into a shared library, as Go's linker notes them, and their licences as the wheel's text tells them."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

# Where the linker's note begins, how long its head is, and which of its flags says that the texts follow it (since Go 1.18).
MARK, HEAD, INLINE = b"\xff Go buildinf:", 32, 2
# Bytes before and after the list of modules.
FRAME = 16
# What is of Go's project or of Apache's is not named in the text of an Apache project, which speaks of others.
OWN = {"std": "BSD-3-Clause", "golang.org/x/": "BSD-3-Clause", "github.com/apache/": "Apache-2.0"}
SPDX = {"GNU-All-permissive-Copying-License": "FSFAP"}
LICENSE = re.compile(r"^(\S+) is under the (\S+) license\.?$", re.MULTILINE)


def modules(file: Path) -> list[tuple[str, str]]:
    """Returns name and version of what is linked, Go's own library first."""
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as held:
        start = held.find(MARK)
        if start < 0 or not held[start + len(MARK) + 1] & INLINE:
            raise ValueError(f"{file.name} does not tell its Go modules")
        release, place = _text(held, start + HEAD)
        listed, _ = _text(held, place)
    lines = [line.split("\t") for line in listed[FRAME:-FRAME].decode().splitlines()]
    found: list[tuple[str, str]] = [("std", release.decode().removeprefix("go"))]
    for line in lines:
        if line[0] == "=>":
            # It takes the place of the one before.
            found.pop()
        if line[0] in ("dep", "=>"):
            found.append((line[1], line[2]))
    if len(found) == 1:
        raise ValueError(f"{file.name} tells no Go module")
    return found


def _text(held: mmap.mmap, place: int) -> tuple[bytes, int]:
    """Returns a text, which its length precedes seven bits at a time, and the place behind it."""
    length = shift = 0
    while True:
        byte = held[place]
        length |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return held[place : place + length], place + length


def licences(text: str, names: list[str]) -> dict[str, str]:
    """Returns the licence of each module as an SPDX expression; `text` is the wheel's, which also names folders of modules."""
    told = LICENSE.findall(text)
    found = {}
    for name in names:
        own = {SPDX.get(one, one) for of, one in told if of == name or of.startswith(f"{name}/")}
        own |= {one for start, one in OWN.items() if name == start or (start.endswith("/") and name.startswith(start))}
        if not own:
            raise ValueError(f"the wheel does not tell the licence of {name}")
        found[name] = " AND ".join(sorted(own))
    return found
