"""All stages in one map, and where the sources and the token key stand."""

import json
from pathlib import Path

from oracle import dates, dims, fx, sales, silver, sources, stream
from oracle.workbench import Workbench

STAGES = {**sources.STAGES, **stream.STAGES, **fx.STAGES, **silver.STAGES, **dates.STAGES, **dims.STAGES, **sales.STAGES}


def token_key(path):
    """Returns (key id, key bytes) of `{"key_id": "k1", "key": "<64 hex>"}`."""
    stored = json.loads(Path(path).read_text())
    return stored["key_id"], bytes.fromhex(stored["key"])


def workbench(data, key, through=None):
    """Returns the workbench of the sources in `data`, up to and with batch `through`."""
    return Workbench(data, STAGES, through, key)
