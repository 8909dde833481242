"""All stages in one map, which of them can be built, and where the sources and the token key stand."""

import json
from pathlib import Path

from oracle import attribution, behavior, campaigns, crm, customer_contacts, dates, dims, fx, hubspot, performance, sales, segments
from oracle import silver, sources, stream
from oracle.tables import TABLES
from oracle.workbench import Workbench

MODULES = (sources, stream, fx, silver, campaigns, behavior, hubspot, crm, customer_contacts, dates, dims, sales, attribution)
STAGES = {name: stage for module in (*MODULES, segments, performance) for name, stage in module.STAGES.items()}
# The parts of a batch that not every set of sources has.
PARTS = ("behavior", "hubspot")


def token_key(path):
    """Returns (key id, key bytes) of `{"key_id": "k1", "key": "<64 hex>"}`."""
    stored = json.loads(Path(path).read_text())
    return stored["key_id"], bytes.fromhex(stored["key"])


def workbench(data, key, through=None):
    """Returns the workbench of the sources in `data`, up to and with batch `through`; `tables` are those that it judges.

    A table is judged when the sources hold what it needs; the same decides whether the customers' dimension shows what the CRM knows.
    """
    parts = {part for part in PARTS if (Path(data) / "history" / part).is_dir()}
    bench = Workbench(data, STAGES if "hubspot" in parts else STAGES | customer_contacts.NOTHING_KNOWN, through, key)
    bench.parts = parts
    bench.tables = tuple(table for table in TABLES if parts.issuperset(table.needs))
    return bench
