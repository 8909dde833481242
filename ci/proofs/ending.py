"""How a proof ends that takes down all that is wrong: the problems, how many they are, and the exit code."""

from __future__ import annotations


def told(proof: str, tried: str, problems: list[str]) -> int:
    """Prints what is wrong after what was tried; returns 1 when something is."""
    for problem in problems:
        print(f"{proof}: {problem}")
    print(f"{proof}: {tried}: {len(problems)} problems")
    return 1 if problems else 0
