"""Searches every personal value of the source in what people outside data engineering may see, decoded.

`python -m proofs.pii --lake DIR --logs DIR`: e-mail, phone, SSN, card, name, address and birth date of every customer and of
every contact, as the source wrote it and as Silver standardised it, as whole values, in all Gold cells, in every `_delta_log`
and Parquet footer of every layer, in `ops`, in logs. None may be there; in Silver's raw columns the same search must find all.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow.parquet as parquet
from proofs import lake, places

# What each source calls the personal values of its people, and what Silver does; and Silver's tables of them.
WAREHOUSE = {
    "FIRST_NAME": "first_name", "LAST_NAME": "last_name", "EMAIL": "email", "PHONE": "phone", "ADDRESS": "address", "SSN": "ssn",
    "CREDIT_CARD": "credit_card", "BIRTH_DATE": "birth_date",
}  # fmt: skip
HUBSPOT = {
    "firstname": "first_name", "lastname": "last_name", "email": "email", "phone": "phone", "address": "address",
    "date_of_birth": "birth_date",
}  # fmt: skip
CUSTOMERS = ("silver/customers", "silver/customers_history")
CONTACTS = ("silver/contacts", "silver/contacts_history")
Values = dict[str, set[str]]
NULLS = {"", "n/a", "null", "none", "nan"}
SHORTEST = 4
CHUNK = 200_000


def warehouse_values() -> Values:
    """Returns every personal value that the warehouse ever published, trimmed, per column of Silver."""
    found: Values = {name: set() for name in WAREHOUSE.values()}
    for file in sorted(places.DATA.glob("*/warehouse/CUSTOMERS.parquet")):
        table = parquet.read_table(file)
        for column, name in WAREHOUSE.items():
            found[name] |= {str(value).strip() for value in table.column(column).to_pylist() if value is not None}
    return {name: without_nulls(values) for name, values in found.items()}


def hubspot_values() -> Values:
    """Returns every personal value that HubSpot ever showed, trimmed, per column of Silver."""
    found: Values = {name: set() for name in HUBSPOT.values()}
    for file in sorted(places.DATA.glob("*/hubspot/contacts.parquet")):
        for text in parquet.read_table(file).column("properties").to_pylist():
            properties = json.loads(text)
            for column, name in HUBSPOT.items():
                if properties.get(column) is not None:
                    found[name].add(properties[column].strip())
    return {name: without_nulls(values) for name, values in found.items()}


def without_nulls(values: set[str]) -> set[str]:
    """Returns the values that say something."""
    return {value for value in values if value.lower() not in NULLS}


def silver_values(folder: Path, names: tuple[str, ...], columns: list[str]) -> Values:
    """Returns the values of Silver's raw columns, current and history."""
    found: Values = {name: set() for name in columns}
    for place, table in lake.tables(folder):
        if place in names:
            arrow = table.to_pyarrow_table(columns=columns)
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
    warehouse, hubspot = warehouse_values(), hubspot_values()
    customers = silver_values(options.lake, CUSTOMERS, list(WAREHOUSE.values()))
    contacts = silver_values(options.lake, CONTACTS, list(HUBSPOT.values()))
    known = [warehouse, hubspot, customers, contacts]
    every = sorted({value for one in known for values in one.values() for value in values if len(value) >= SHORTEST})
    for what, source in (("customers", warehouse), ("contacts", hubspot)):
        print(f"{what}: " + ", ".join(f"{name} {len(values):,}" for name, values in source.items()))
    print(f"{len(every):,} values")
    wrong = 0
    searched = [("gold cells", cells(options.lake, "gold")), ("ops cells", cells(options.lake, "ops")),
                ("logs and footers of all layers", logs_and_footers(options.lake)), ("ops files", files(options.lake / "ops", "*.json"))]  # fmt: skip
    searched += [(f"logs in {folder.name}", files(folder, "*")) for folder in options.logs or [places.HOME / "logs"]]
    for what, texts in searched:
        count, hits = search(texts, every)
        wrong += bool(hits)
        print(f"{what}: {count:,} texts, {len(hits)} values found")
        kinds = {value: name for one in known for name, values in one.items() for value in values}
        for place, value in hits[:10]:
            print(f"  {place}: holds a {kinds[value]}")
    wrong += not found_in_silver("customers", warehouse, customers, every)
    # Contacts are searched for in any case; without a contract no table can hold them.
    if "silver_contacts" in places.contracted_tables():
        wrong += not found_in_silver("contacts", hubspot, contacts, every)
    print(f"pii: {'FAILED' if wrong else 'none of the values stands where it must not'} after {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


def found_in_silver(what: str, source: Values, silver: Values, every: list[str]) -> bool:
    """Whether the search itself is able to find: every standardised value stands in Silver's raw columns."""
    _, hits = search(((name, value) for name, values in silver.items() for value in values), every)
    found = {value for _, value in hits}
    standard = {name: values - {value for value in values if len(value) < SHORTEST} for name, values in silver.items()}
    missing = sum(len(values - found) for values in standard.values())
    lost = unchanged_missing(source, silver)
    count = sum(map(len, standard.values()))
    print(f"silver raw columns of {what}: {count:,} values, {missing} not found; source values lost in Silver: {lost}")
    return not missing and not lost


def unchanged_missing(source: Values, silver: Values) -> int:
    """Returns how many source values, standardised as far as a comparison can, are not in Silver."""
    lost = 0
    for name, values in source.items():
        if name == "phone":  # notations differ; digits do not, and what is no phone number becomes null
            there = {re.sub(r"\D", "", value)[-10:] for value in silver[name]}
            lost += sum(re.sub(r"\D", "", value)[-10:] not in there for value in values if len(re.sub(r"\D", "", value)) >= 10)
        elif name == "email":
            lost += len({value.lower() for value in values} - silver[name])
        elif name == "birth_date":  # what is no date becomes null
            lost += len({value[:10] for value in values if is_date(value[:10])} - silver[name])
        else:
            lost += len(values - silver[name])
    return lost


def is_date(text: str) -> bool:
    """Whether a text is a calendar date."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    raise SystemExit(main())
