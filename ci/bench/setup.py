"""What the parts have in common: programs, sizes, places, the environment of the sources."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench import report
from bench.measure import Cost
from bench.report import Finding
from proofs import places

FOLDER = places.HOME / "runs"
# No program may need more.
PEAK_BYTES_MAX = 1_500_000_000
BARE_CONSUMER = "bare-consumer"


# What a part returns: what it found, and the costs that the bound of memory holds for.
Part = tuple[list[Finding], list[Cost]]


@dataclass(frozen=True)
class Sizes:
    """How many order events the parts on streams use."""

    kafka: int
    silver: int


SIZES = {"full": Sizes(kafka=2_000_000, silver=1_000_000), "small": Sizes(kafka=100_000, silver=40_000)}


@dataclass(frozen=True)
class Setup:
    """One invocation of the benchmark."""

    programs: Path
    runs: int
    sizes: Sizes
    env: dict[str, str]

    @property
    def bootstrap(self) -> str:
        """Returns the address of the broker."""
        return self.env["KAFKA_BOOTSTRAP"]

    def program(self, name: str) -> Path:
        """Returns where a program is."""
        return self.programs / name


def scratch(name: str) -> Path:
    """Returns an empty folder."""
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def options(lake: Path, contracts: Path = places.CONTRACTS) -> tuple[str, ...]:
    """Returns the options that every program on a table gets."""
    return ("--lake", str(lake), "--contracts", str(contracts), "--output", "json")


def contracts_of(folder: Path, topic: str) -> Path:
    """Returns a copy of the contracts in which the order events come from another topic: that is all it takes."""
    target = folder / "contracts"
    shutil.copytree(places.CONTRACTS, target, dirs_exist_ok=True)
    contract = target / "bronze" / "kafka_orders.odcs.yaml"
    before = contract.read_text()
    after = before.replace("topic: orders.events\n", f"topic: {topic}\n")
    if after == before:
        raise SystemExit(f"bench: {contract} names its topic in another way than this benchmark knows")
    contract.write_text(after)
    return target


def settle() -> None:
    """Lets the disk catch up, so that a run does not pay for the one before it."""
    subprocess.run(["sync"], check=False)


def memory(costs: Iterable[Cost]) -> Finding:
    """Returns whether the program with the highest memory stays below the bound."""
    highest = max(costs, key=lambda one: one.peak_bytes)
    where = f"{highest.program} {highest.table}".strip()
    text = f"no program above {PEAK_BYTES_MAX / 10**9} GB (highest: {where} {report.megabytes(highest.peak_bytes)} MB)"
    return Finding(text, highest.peak_bytes <= PEAK_BYTES_MAX, bound=True)
