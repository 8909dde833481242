"""What a benchmark found, as tables and as one closing line."""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 10**6


@dataclass(frozen=True)
class Finding:
    """A figure and what it should be. A bound that does not hold fails the benchmark; an aim is met or missed; None: only told."""

    text: str
    held: bool | None
    bound: bool = False

    def __str__(self) -> str:
        if self.held is None:
            return self.text
        if self.bound:
            return f"{self.text}: {'holds' if self.held else 'BROKEN'}"
        return f"{self.text}: {'met' if self.held else 'missed'}"


def say(text: str) -> None:
    """Tells how far it is."""
    print(f"bench: {text}", flush=True)


def table(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Prints a table; the first columns that hold names are aligned left, figures right."""
    every = [head, *rows]
    widths = [max(len(row[at]) for row in every) for at in range(len(head))]
    names = [not any(row[at][:1].isdigit() for row in rows) for at in range(len(head))]
    print(f"\n{title}")
    for row in every:
        cells = [text.ljust(width) if name else text.rjust(width) for text, width, name in zip(row, widths, names, strict=True)]
        print(("  " + "  ".join(cells)).rstrip(), flush=True)


def seconds(value: float) -> str:
    """Returns seconds as text."""
    return f"{value:.2f}"


def megabytes(count: int) -> str:
    """Returns bytes as megabytes."""
    return f"{count / MEGABYTE:,.0f}"


def close(findings: list[Finding], elapsed: float) -> int:
    """Prints the last line; returns the exit code."""
    held = all(one.held for one in findings if one.bound)
    print(f"bench/day: {'holds' if held else 'FAILED'}: {'; '.join(map(str, findings))} ({elapsed:.0f} s)")
    return 0 if held else 1
