"""Where everything is that a proof reads or writes: below `SLUICE_HOME`, never elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("SLUICE_HOME") or ROOT / ".sluice").resolve()
SOURCES = ROOT / "ci" / "sources"
DATA = HOME / "sources" / "data"
CONTRACTS = ROOT / "contracts"
# Scratch of the proofs: lakes that are copied, killed and compared.
PROOFS = HOME / "proofs"

HISTORY = "2017-01-01/2017-12-30"
DAYS = ("2017-12-30", "2017-12-31", "2018-01-01")
WINDOWS = (HISTORY, *DAYS)
# Everything up to the second day at once: a first window for sources that have moved on.
FIRST = "2017-01-01/2018-01-01"


def contracted_tables() -> set[str]:
    """Returns the names of the Bronze and Silver tables that have a contract: the sources publish more than that."""
    bronze = {f"bronze_{file.name.removesuffix('.odcs.yaml')}" for file in (CONTRACTS / "bronze").glob("*.odcs.yaml")}
    return bronze | {f"silver_{file.parent.name}" for file in (CONTRACTS / "silver").glob("*/contract.odcs.yaml")}
