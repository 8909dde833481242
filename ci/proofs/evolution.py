"""Columns that tables gain: by a contract and the next run, as operators add them, and by another writer of Delta tables."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, Field, write_deltalake
from deltalake.schema import ArrayType, MapType, PrimitiveType, StructType
from proofs import places, stores

NESTED = [
    Field("a_list", ArrayType(PrimitiveType("long"), contains_null=True)),
    Field("a_map", MapType(PrimitiveType("string"), PrimitiveType("decimal(38,10)"), value_contains_null=True)),
    Field("a_struct", StructType([Field("inner", ArrayType(StructType([Field("at", PrimitiveType("timestamp"))]), contains_null=True))])),
    *[Field(f"a_{name}", PrimitiveType(name)) for name in ("byte", "short", "float", "binary", "boolean", "double")],
]
# The column that contracts gain, and its class, which Glue has to tell.
COLUMN, COLUMN_TYPE, CLASS = "list_price_exact", "DECIMAL(18,4)", "sensitive"
GAINED = ("silver/products", "gold/dim_products")
OURS = "      # What Sluice adds to every row.\n"
PROPERTY = f"""\
      - name: {COLUMN}
        description: Shelf price of one unit in USD, with four decimals.
        logicalType: number
        physicalType: {COLUMN_TYPE}
        classification: {CLASS}
"""
SILVER_FIELD = "            - {name: unit_cost, from: UNIT_COST, type: 'DECIMAL(18,2)'}\n"
SILVER_ROUTE = "                unit_cost: unit_cost\n"


def contracts(folder: Path) -> Path:
    """Makes a copy of all contracts in which a Silver and a Gold table have one column more."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(places.CONTRACTS, folder)
    silver, gold = (folder / place for place in GAINED)
    for table in (silver, gold):
        _replace(table / "contract.odcs.yaml", "version: 1.0.0\n", "version: 1.1.0\n")
        _replace(table / "contract.odcs.yaml", OURS, PROPERTY + OURS)
    _replace(silver / "contract.odcs.yaml", SILVER_FIELD, f"{SILVER_FIELD}            - {{name: {COLUMN}, from: LIST_PRICE, type: '{COLUMN_TYPE}'}}\n")
    _replace(silver / "contract.odcs.yaml", SILVER_ROUTE, f"{SILVER_ROUTE}                {COLUMN}: {COLUMN}\n")
    _replace(gold / "model.sql", "    is_active\nFROM members\n", f"    is_active,\n    CAST(list_price AS {COLUMN_TYPE}) AS {COLUMN}\nFROM members\n")
    return folder


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    if text.count(old) != 1:
        raise SystemExit(f"evolution: {file} holds {text.count(old)} times what is to be replaced:\n{old}")
    file.write_text(text.replace(old, new))


def widen(lake: stores.Place) -> None:
    """Adds the column to the tables themselves: a program refuses a table whose columns are not those of its contract."""
    for place in GAINED:
        DeltaTable(str(lake / place)).alter.add_columns([Field(COLUMN, PrimitiveType(COLUMN_TYPE.lower()))])


def rebuild(lake: stores.Place, window: str, env: dict[str, str], tools: Path, changed: Path) -> None:
    """Makes the Silver table anew from Bronze, since files from before do not have the column; Gold is made anew with each run."""
    table = GAINED[0].replace("/", "_", 1)
    command = [str(tools / "silverize"), table, "--window", window, "--full-refresh", "--lake", str(lake), "--contracts", str(changed)]
    done = subprocess.run(command, env=env, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"evolution: {shlex.join(command)} ended with {done.returncode}:\n{done.stderr}")


def foreign_rows(lake: stores.Place, place: str) -> int:
    """Adds nested and other columns to a table as another writer does, with copies of rows that fill them; returns how many."""
    at = datetime(2018, 1, 1, 12, 30, 15, 123000, tzinfo=UTC)
    filled = [
        {"a_list": [1, None, 3], "a_map": {"k": Decimal("1.5"), "none": None}, "a_struct": {"inner": [{"at": at}, None]},
         "a_byte": -128, "a_short": 32767, "a_float": 0.1, "a_binary": b"\x00\xff", "a_boolean": True, "a_double": -1e-300},
        {"a_list": [], "a_map": {}, "a_byte": 127, "a_float": 2.5, "a_binary": b"", "a_double": 1e300},
        {"a_struct": {"inner": []}, "a_boolean": False},
    ]  # fmt: skip
    table = DeltaTable(str(lake / place))
    table.alter.add_columns(NESTED)
    wide = table.to_pyarrow_table()
    rows = [old | new for old, new in zip(wide.slice(0, len(filled)).to_pylist(), filled, strict=True)]
    write_deltalake(str(lake / place), pa.Table.from_pylist(rows, schema=wide.schema), mode="append")
    return len(rows)
