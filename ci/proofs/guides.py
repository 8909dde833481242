"""Types every console block of the guides into a shell, and compares what is printed: see `ci/guides`.

In a block lines that begin with `$ ` are commands, lines that begin with `> ` go on with them, the others are what the command prints
on stdout. `...` stands for anything, alone on a line for any lines. A command that fails fails the guide. A block with
`file=PATH` behind its language is written to that file. One shell goes through one guide, in a copy of the repository's files and
of the lake, so that a guide may change both.

Commands in any other block fail the guide, since a reader would take them for typed: those that cannot be typed here (they build,
or start and stop the sources) stand between fences with `not-typed` behind the language, as in "sh not-typed".
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from proofs import guide_tables, places

GUIDES = ("README.md", "contracts/README.md", *(f"docs/guides/{name}.md" for name in (
    "BEGINNERS_GUIDE", "BUSINESS_METRICS_DICTIONARY", "WRITE_A_MODEL", "FRESHNESS_AND_CONTACTS",
)))  # fmt: skip
SECONDS_MAX = 900
SENTINEL = "--- guides: the command has ended with"

NOT_TYPED = "not-typed"
SHELLS = ("sh", "bash", "shell", "zsh")
# How commands begin where no language says what a block is: with a prompt, or, behind variables, with a script or a program.
PROGRAMS = "|".join(sorted(folder.name for folder in (places.ROOT / "crates").iterdir()))
COMMAND = re.compile(rf"\$ |(\w+=\S* )*(ci/\w|\./\w|\$\w+/|({PROGRAMS}|cargo|cd|curl|docker|eval|export|git|python3?)(\s|$))")


@dataclass
class Command:
    """One command with the line on which it stands, and what it must print."""

    line: int
    text: str
    expected: list[str] = field(default_factory=list)


@dataclass
class FileBlock:
    """A block that is a file's content."""

    path: str
    text: str


@dataclass
class Block:
    """What stands between two fences, or is indented."""

    # What stands behind the opening fence; none for an indented block.
    info: str | None
    lines: list[tuple[int, str]] = field(default_factory=list)

    def language(self) -> str:
        """Returns the first word behind the fence; empty when there is none."""
        return ((self.info or "").split() or [""])[0]

    def file(self) -> str | None:
        """Returns the file whose content the block is."""
        path = re.search(r"\bfile=(\S+)", self.info or "")
        return path[1] if path else None


def blocks(text: str) -> list[Block]:
    """Returns the blocks of a guide, in order."""
    found: list[Block] = []
    block: Block | None = None
    empty = True
    for number, line in enumerate(text.splitlines(), start=1):
        fenced = block is not None and block.info is not None
        if line.startswith("```"):
            block = None if fenced else Block(line[3:].strip())
            if block is not None:
                found.append(block)
        elif block is not None and fenced:
            block.lines.append((number, line))
        elif line.startswith("    ") and (block is not None or empty):
            if block is None:
                block = Block(None)
                found.append(block)
            block.lines.append((number, line[4:]))
        else:
            block = None
        empty = not line.strip()
    return found


def steps(text: str) -> list[Command | FileBlock]:
    """Returns what is to be done, in order."""
    found: list[Command | FileBlock] = []
    for block in blocks(text):
        if path := block.file():
            found.append(FileBlock(path, "".join(f"{content}\n" for _, content in block.lines)))
        elif block.language() == "console":
            found += commands(block.lines)
    return found


def not_typed(guide: str, text: str) -> list[str]:
    """Returns the blocks of commands that are not typed and do not say so."""
    found = []
    for block in blocks(text):
        marked = NOT_TYPED in (block.info or "").split() or block.file()
        looks_so = not block.language() and any(COMMAND.match(line.strip()) for _, line in block.lines)
        if block.lines and not marked and (looks_so or block.language() in SHELLS):
            found.append(
                f"{guide}:{block.lines[0][0]}: nobody types these commands: make the block a `console` block, "
                f"or a fence `sh {NOT_TYPED}` if they cannot be typed here"
            )
    return found


def commands(block: list[tuple[int, str]]) -> list[Command]:
    """Returns the commands of one console block."""
    found: list[Command] = []
    for number, line in block:
        if line.startswith("$ "):
            found.append(Command(number, line[2:]))
        elif not found:
            raise ValueError(f"line {number}: a console block begins with a command")
        elif line.startswith("> ") and not found[-1].expected:
            found[-1].text += "\n" + line[2:]
        else:
            found[-1].expected.append(line)
    return found


def agrees(expected: list[str], printed: list[str]) -> bool:
    """Whether what was printed is what is shown."""
    pattern = "".join(
        r"(?:.*\n)*?" if line == "..." else ".*?".join(map(re.escape, line.split("..."))) + r"\n" for line in expected
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


def prove_agreement() -> None:
    """A comparison that lets everything pass would prove nothing."""
    for expected, printed, wanted in (
        (["a", "b"], ["a", "b"], True), (["a", "b"], ["a", "c"], False), (["a"], [], False), ([], ["a"], False),
        (["a", "...", "z"], ["a", "b", "c", "z"], True), (["a", "...", "z"], ["a", "z"], True), (["..."], [], True),
        (["a ... c"], ["a b c"], True), (["a ... c"], ["a b d"], False), (["1.5"], ["1x5"], False), (["...", "z"], ["z", "y"], False),
    ):  # fmt: skip
        if agrees(expected, printed) != wanted:
            raise AssertionError(f"{expected} and {printed} should {'agree' if wanted else 'differ'}")


def prove_not_typed() -> None:
    """Nor would a search that finds no command."""
    for text, wanted in (
        ("```console\n$ ci/query --tables\n```\n", 0), ("```sh\nmake\n```\n", 1), ("```bash\nls\n```\n", 1),
        ("```sh not-typed\nci/demo\n```\n", 0), ("```sh file=run\nci/demo\n```\n", 0), ("```text\nci/demo\n```\n", 0),
        ("So:\n\n    ci/demo    does it\n", 1), ("So:\n\n    run-pipeline check\n\nand:\n\n    $SLUICE_HOME/bin/goldify x\n", 2),
        ("```\n$ ls\n```\n", 1), ("```\nLAKE_URI=x ci/pipeline-env\n```\n", 1), ("```\n- id: a\n```\n", 0),
        ("    good.csv    keeps every rule\n    <table>/tests/\n", 0), ("* a list,\n    ci/test goes on with it\n", 0),
        ("```console\n$ ls\n```\n\n    first\n    cargo test\n", 1),
    ):  # fmt: skip
        found = not_typed("", text)
        if len(found) != wanted:
            raise AssertionError(f"{text!r} has {wanted} blocks of commands that are not typed, found were {found}")


class Shell:
    """One shell that is typed into."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.errors = (folder / ".stderr").open("w+")
        self.process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"], cwd=folder, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.errors, start_new_session=True,
        )  # fmt: skip

    def type(self, text: str) -> tuple[list[str], int]:
        """Runs a command; returns the lines that it prints and how it ends. A shell that ends or takes too long ends with 124."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{{ {text}\n}} </dev/null\nprintf '\\n%s %s\\n' '{SENTINEL}' \"$?\"\n".encode())
        self.process.stdin.flush()
        printed, deadline = b"", time.monotonic() + SECONDS_MAX
        while not (found := re.search(rb"\n" + SENTINEL.encode() + rb" (\d+)\n\Z", printed)):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(self.process.stdout.fileno(), 65_536) if ready else b""
            if not piece:
                return printed.decode(errors="replace").splitlines(), 124
            printed += piece
        return printed[: found.start()].decode(errors="replace").splitlines(), int(found[1])

    def said(self) -> str:
        """Returns the end of what came on stderr so far."""
        self.errors.flush()
        self.errors.seek(0)
        return self.errors.read()[-2_000:]

    def close(self) -> None:
        """Ends the shell and whatever it left."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.errors.close()


def prepared(name: str) -> tuple[Path, dict[str, str]]:
    """Returns a folder that looks like the repository with a lake of its own, and the variables of a shell in it."""
    folder = places.PROOFS / "guides" / name
    shutil.rmtree(folder, ignore_errors=True)
    home = folder / ".sluice" / "small"
    home.mkdir(parents=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard", "ci", "contracts", "dags", "docs", "*.md"],
        cwd=places.ROOT, capture_output=True, check=True,
    ).stdout.decode()  # fmt: skip
    for file in filter(None, listed.split("\0")):
        if (places.ROOT / file).is_file():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(places.ROOT / file, folder / file)
    for shared in ("bin", "venv", "sources", "secrets"):
        (home / shared).symlink_to((places.HOME / shared).resolve())
    shutil.copytree(places.HOME / "lake", home / "lake")
    variables = {name: os.environ[name] for name in ("HOME", "PATH", "LANG", "TMPDIR") if name in os.environ}
    return folder, variables | {"SLUICE_HOME": str(home), "TERM": "dumb", "LAKE_CONTRACTS": str(folder / "contracts")}


def walk(guide: str, text: str) -> tuple[list[str], int]:
    """Goes through a guide; returns what is wrong and how many commands were typed. After the first problem nothing is typed."""
    todo = steps(text)
    count = sum(isinstance(step, Command) for step in todo)
    if not count:
        return [], 0
    folder, variables = prepared(guide.removesuffix(".md").replace("/", "-"))
    shell = Shell(folder, variables)
    try:
        shell.type('export PATH="$SLUICE_HOME/bin:$PATH"')
        for step in todo:
            if isinstance(step, FileBlock):
                (folder / step.path).parent.mkdir(parents=True, exist_ok=True)
                (folder / step.path).write_text(step.text)
                continue
            printed, code = shell.type(step.text)
            if code or not agrees(step.expected, printed):
                return [told(guide, step, printed, code, shell)], count
        return [], count
    finally:
        shell.close()


def told(guide: str, step: Command, printed: list[str], code: int, shell: Shell) -> str:
    """Returns a problem as text: the difference, or how the command failed."""
    lines = [f"{guide}:{step.line}: $ {step.text}"]
    if code:
        lines += [f"    ended with {code}, stderr ends with:", *(f"    {line}" for line in shell.said().splitlines())]
    difference = difflib.unified_diff(step.expected, printed, "shown in the guide", "printed", lineterm="", n=1)
    return "\n".join(lines + [f"    {line}" for line in difference])


def dead_links(guide: str, text: str) -> list[str]:
    """Returns the links to files that are not there."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", prose)
    here = (places.ROOT / guide).parent
    return [
        f"{guide}: link to {link}, which is not there"
        for link in links
        if "://" not in link and not (here / link).exists()
    ]


def main() -> int:
    """Checks the guides: 0 all hold, 1 one does not, 2 there is no lake to try them on."""
    parser = argparse.ArgumentParser(prog="ci/guides", description=__doc__)
    parser.add_argument("--write", action="store_true", help="bring the tables that are made from contracts up to date, and stop")
    parser.add_argument("guides", nargs="*", metavar="GUIDE", help="a file, or a part of its name")
    options = parser.parse_args()
    prove_agreement()
    prove_not_typed()
    chosen = [name for name in GUIDES if not options.guides or any(part in name for part in options.guides)]
    if options.write:
        changed = [name for name in chosen if guide_tables.write(places.ROOT / name)]
        print(f"guides: {len(changed)} of {len(chosen)} changed")
        return 0
    if not (places.HOME / "lake").is_dir() or not (places.HOME / "sources" / "endpoints.json").is_file():
        print(f"error: no lake with sources in {places.HOME}: run ci/lib/small-lake", file=sys.stderr)
        return 2
    problems, typed = [], 0
    for name in chosen:
        text = (places.ROOT / name).read_text()
        wrong, count = walk(name, text)
        wrong = [*not_typed(name, text), *wrong]
        problems += [*dead_links(name, text), *guide_tables.problems(name, text), *wrong]
        typed += count
        print(f"{'ok    ' if not wrong else 'FAILED'} {name}: {count} commands", flush=True)
    for problem in problems:
        print(problem)
    print(f"guides: {len(chosen)} guides, {typed} commands typed, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
