"""Searches every personal value of the source in what people outside data engineering may see, decoded.

`python -m proofs.pii --lake DIR --logs DIR`: e-mail, phone, SSN, card, name, address and birth date of every customer, as
the source wrote it and as Silver standardised it, as whole values, in all Gold cells, in every `_delta_log` and Parquet
footer of every layer, in `ops`, in logs. None may be there; in Silver's raw columns the same search must find all of them.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow.parquet as parquet
from proofs import lake, places

RAW = {
    "FIRST_NAME": "first_name", "LAST_NAME": "last_name", "EMAIL": "email", "PHONE": "phone", "ADDRESS": "address", "SSN": "ssn",
    "CREDIT_CARD": "credit_card", "BIRTH_DATE": "birth_date",
}  # fmt: skip
NULLS = {"", "n/a", "null", "none", "nan"}
SHORTEST = 4
CHUNK = 200_000


def source_values() -> dict[str, set[str]]:
    """Returns every personal value that the warehouse ever published, trimmed, per column."""
    found: dict[str, set[str]] = {}
    for file in sorted(places.DATA.glob("*/warehouse/CUSTOMERS.parquet")):
        table = parquet.read_table(file)
        for column, name in RAW.items():
            values = {str(value).strip() for value in table.column(column).to_pylist() if value is not None}
            found.setdefault(name, set()).update(value for value in values if value.lower() not in NULLS)
    return found


def silver_values(folder: Path) -> dict[str, set[str]]:
    """Returns the values of Silver's raw columns, current and history."""
    found: dict[str, set[str]] = {name: set() for name in RAW.values()}
    for place, table in lake.tables(folder):
        if place in ("silver/customers", "silver/customers_history"):
            arrow = table.to_pyarrow_table(columns=list(found))
            for name, values in found.items():
                values.update(str(value) for value in arrow.column(name).to_pylist() if value is not None)
    return found


def cells(folder: Path, layer: str) -> Iterator[tuple[str, str]]:
    """Returns every distinct cell of a layer's tables as text."""
    for place, table in lake.tables(folder):
        if place.split("/")[0] == layer:
            arrow = table.to_pyarrow_table()
            for name in arrow.column_names:
                for value in arrow.column(name).unique().to_pylist():
                    if isinstance(value, bytes):
                        yield f"{place}.{name}", value.decode("utf-8", "replace")
                    elif value is not None:
                        yield f"{place}.{name}", str(value)


def logs_and_footers(folder: Path) -> Iterator[tuple[str, str]]:
    """Returns every line of every Delta log, checkpoints decoded, and the statistics of every Parquet footer."""
    for file in sorted(folder.glob("*/*/_delta_log/*.json")):
        for line in file.read_text().splitlines():
            yield f"{file.relative_to(folder)}", line
    for file in sorted(folder.glob("*/*/_delta_log/*.parquet")):
        for row in parquet.read_table(file).to_pylist():
            yield f"{file.relative_to(folder)}", str(row)
    for file in sorted(folder.glob("*/*/**/*.parquet")):
        if "_delta_log" in file.parts:
            continue
        footer = parquet.ParquetFile(file).metadata
        for group in range(footer.num_row_groups):
            for column in range(footer.num_columns):
                statistics = footer.row_group(group).column(column).statistics
                if statistics is not None and statistics.has_min_max:
                    name = footer.row_group(group).column(column).path_in_schema
                    yield f"{file.relative_to(folder)} footer {name}", f"{statistics.min} {statistics.max}"


def files(folder: Path, pattern: str) -> Iterator[tuple[str, str]]:
    """Returns every line of text files."""
    for file in sorted(folder.rglob(pattern)):
        if file.is_file():
            for line in file.read_text(errors="replace").splitlines():
                yield str(file.relative_to(folder)), line


def whole(text: str, value: str) -> bool:
    """Whether the value stands in the text with nothing grown onto it."""
    before = r"(?<![0-9A-Za-z])" if value[0].isalnum() else ""
    after = r"(?![0-9A-Za-z])" if value[-1].isalnum() else ""
    return re.search(before + re.escape(value) + after, text) is not None


def search(texts: Iterator[tuple[str, str]], values: list[str]) -> tuple[int, list[tuple[str, str]]]:
    """Returns how many texts were searched, and (place, value) of each hit."""
    hits: list[tuple[str, str]] = []
    count = 0
    batch: list[tuple[str, str]] = []

    def flush() -> None:
        found = pl.Series([text for _, text in batch], dtype=pl.String).str.extract_many(values, overlapping=True)
        for (place, text), matched in zip(batch, found.to_list(), strict=True):
            hits.extend((place, value) for value in set(matched or []) if whole(text, value))
        batch.clear()

    for place, text in texts:
        count += 1
        batch.append((place, text))
        if len(batch) == CHUNK:
            flush()
    flush()
    return count, hits


def main() -> int:
    """Prints what was searched and what was found; 1 when a value is where it must not be, or is missing in Silver."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, default=places.HOME / "lake")
    parser.add_argument("--logs", type=Path, action="append")
    options = parser.parse_args()
    started = time.monotonic()
    source, silver = source_values(), silver_values(options.lake)
    every = sorted({value for values in (*source.values(), *silver.values()) for value in values if len(value) >= SHORTEST})
    print(f"{len(every):,} values: " + ", ".join(f"{name} {len(values):,}" for name, values in source.items()))
    wrong = 0
    searched = [("gold cells", cells(options.lake, "gold")), ("ops cells", cells(options.lake, "ops")),
                ("logs and footers of all layers", logs_and_footers(options.lake)), ("ops files", files(options.lake / "ops", "*.json"))]  # fmt: skip
    searched += [(f"logs in {folder.name}", files(folder, "*")) for folder in options.logs or [places.HOME / "logs"]]
    for what, texts in searched:
        count, hits = search(texts, every)
        wrong += bool(hits)
        print(f"{what}: {count:,} texts, {len(hits)} values found")
        kinds = {value: name for name, values in (*source.items(), *silver.items()) for value in values}
        for place, value in hits[:10]:
            print(f"  {place}: holds a {kinds[value]}")
    # The search itself must be able to find: every standardised value stands in Silver's raw columns.
    _, hits = search(((name, value) for name, values in silver.items() for value in values), every)
    found = {value for _, value in hits}
    standard = {name: values - {value for value in values if len(value) < SHORTEST} for name, values in silver.items()}
    missing = sum(len(values - found) for values in standard.values())
    known_raw = unchanged_missing(source, silver)
    print(f"silver raw columns: {sum(map(len, standard.values())):,} values, {missing} not found; source values lost in Silver: {known_raw}")
    wrong += bool(missing) + bool(known_raw)
    print(f"pii: {'FAILED' if wrong else 'none of the values stands where it must not'} after {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


def unchanged_missing(source: dict[str, set[str]], silver: dict[str, set[str]]) -> int:
    """Returns how many source values, standardised as far as a comparison can, are not in Silver."""
    lost = 0
    for name, values in source.items():
        if name == "phone":  # notations differ; digits do not, and what is no phone number becomes null
            there = {re.sub(r"\D", "", value)[-10:] for value in silver[name]}
            lost += sum(re.sub(r"\D", "", value)[-10:] not in there for value in values if len(re.sub(r"\D", "", value)) >= 10)
        elif name == "email":
            lost += len({value.lower() for value in values} - silver[name])
        else:
            lost += len({value[:10] if name == "birth_date" else value for value in values} - silver[name])
    return lost


if __name__ == "__main__":
    raise SystemExit(main())
