"""Searches every personal value of the source in what people outside data engineering may see, decoded.

`python -m proofs.pii --lake DIR --logs DIR`: e-mail, phone, SSN, card, name, address and birth date of every customer and of
every contact, as the source wrote it and as Silver standardised it, as whole values: in all cells of Gold and of `ops`, in those
of Silver that are not personal, in those of Bronze, quarantine and held that describe a row instead of holding it, in every
`_delta_log` and Parquet footer of every layer, in the files of `ops` (lineage among them), in the report, in logs. None may be
there; in Silver's raw columns the same search must find all.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow.parquet as parquet
import yaml
from proofs import lake, places
from proofs.stores import Place

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
PAYLOAD = "_payload"
Values = dict[str, set[str]]
Texts = Iterator[tuple[str, str]]
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


def silver_values(folder: Place, names: tuple[str, ...], columns: list[str]) -> Values:
    """Returns the values of Silver's raw columns, current and history."""
    found: Values = {name: set() for name in columns}
    for place, table in lake.tables(folder):
        if place in names:
            arrow = table.to_pyarrow_table(columns=columns)
            for name, values in found.items():
                values.update(str(value) for value in arrow.column(name).to_pylist() if value is not None)
    return found


def known(folder: Place) -> list[Values]:
    """Returns the values of customers and contacts: as the sources wrote them, and as a lake's Silver has them."""
    standard = [(CUSTOMERS, WAREHOUSE), (CONTACTS, HUBSPOT)]
    found = [silver_values(folder, names, list(columns.values())) for names, columns in standard]
    return [warehouse_values(), hubspot_values(), *found]


def every(values: list[Values]) -> list[str]:
    """Returns all values that are long enough to be searched for."""
    return sorted({value for one in values for some in one.values() for value in some if len(value) >= SHORTEST})


def personal_columns() -> dict[str, set[str]]:
    """Returns the personal columns of each table by its place, as the contracts say."""
    found = {}
    for file in sorted(places.CONTRACTS.rglob("*.odcs.yaml")):
        document = yaml.safe_load(file.read_text())
        columns = document["schema"][0]["properties"]
        found[document["id"].replace("_", "/", 1)] = {one["name"] for one in columns if one.get("classification") == "pii"}
    return found


def is_open() -> Callable[[str, str], bool]:
    """Returns which columns, by place and name, hold no personal value."""
    personal = personal_columns()

    def judge(place: str, column: str) -> bool:
        layer, rest = place.split("/", 1)
        # What Gold could not take has no raw value either.
        if layer in ("gold", "ops") or f"gold/{rest}" in personal:
            return True
        # Elsewhere a payload is the row itself; what describes it names columns and places only.
        if layer == "silver":
            return column not in personal.get(place, set())
        return column != PAYLOAD and (layer != "bronze" or column.startswith("_"))

    return judge


def cells(folder: Path, layer: str) -> Texts:
    """Returns every distinct cell of the open columns of a layer's tables as text."""
    wanted = is_open()
    for place, table in lake.tables(folder):
        if place.split("/")[0] == layer:
            columns = [field.name for field in table.schema().fields if wanted(place, field.name)]
            arrow = table.to_pyarrow_table(columns=columns)
            for name in arrow.column_names:
                for value in arrow.column(name).unique().to_pylist():
                    if isinstance(value, bytes):
                        yield f"{place}.{name}", value.decode("utf-8", "replace")
                    elif value is not None:
                        yield f"{place}.{name}", str(value)


def plain(value: object) -> Iterator[str]:
    """Returns all texts inside a value; a date as people write it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            yield from plain(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from plain(inner)
    elif isinstance(value, bytes):
        yield value.decode("utf-8", "replace")
    elif value is not None:
        yield str(value)


def logs_and_footers(folder: Path) -> Texts:
    """Returns every line of every Delta log, checkpoints decoded, and what stands behind the rows of every Parquet file."""
    for file in sorted(folder.glob("*/*/_delta_log/*.json")):
        for line in file.read_text().splitlines():
            yield f"{file.relative_to(folder)}", line
    for file in sorted(folder.glob("*/*/_delta_log/*.parquet")):
        for row in parquet.read_table(file).to_pylist():
            yield from ((f"{file.relative_to(folder)}", text) for text in plain(row))
    for file in sorted(folder.glob("*/*/**/*.parquet")):
        if "_delta_log" in file.parts:
            continue
        footer, rows_end = parquet.ParquetFile(file).metadata, 0
        for group in range(footer.num_row_groups):
            for number in range(footer.num_columns):
                column = footer.row_group(group).column(number)
                statistics, name = column.statistics, column.path_in_schema
                if statistics is not None and statistics.has_min_max:
                    for text in plain([statistics.min, statistics.max]):
                        yield f"{file.relative_to(folder)} footer {name}", text
                start = min(offset for offset in (column.dictionary_page_offset, column.data_page_offset) if offset)
                rows_end = max(rows_end, start + column.total_compressed_size)
        # The indexes of pages, which no reader shows, hold least and greatest values too.
        yield f"{file.relative_to(folder)} indexes", file.read_bytes()[rows_end:].decode("utf-8", "replace")


def report(folder: Path, programs: Path) -> Texts:
    """Returns every text of the data of the lake's report."""
    with tempfile.TemporaryDirectory() as directory:
        page = Path(directory) / "report.html"
        command = [str(programs / "run-pipeline"), "report", "--lake", str(folder), "--contracts", str(places.CONTRACTS), "--to", str(page)]
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"pii: the report ended with {done.returncode}:\n{done.stderr}")
        data = re.search(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    if data is None:
        raise SystemExit("pii: the report holds no data")
    yield from (("report", text) for text in plain(json.loads(data.group(1))))


def everywhere(folder: Path, programs: Path) -> list[tuple[str, Texts]]:
    """Returns all that may hold no personal value, by what it is."""
    layers = [(f"{layer} cells", cells(folder, layer)) for layer in ("gold", "silver", "bronze", "quarantine", "held", "ops")]
    return [
        *layers, ("logs and footers of all layers", logs_and_footers(folder)), ("ops files", files(folder / "ops", "*.json")),
        ("report", report(folder, programs)),
    ]  # fmt: skip


def files(folder: Path, pattern: str) -> Texts:
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


def search(texts: Texts, values: list[str]) -> tuple[int, list[tuple[str, str]]]:
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
    found = known(options.lake)
    warehouse, hubspot, customers, contacts = found
    values = every(found)
    for what, source in (("customers", warehouse), ("contacts", hubspot)):
        print(f"{what}: " + ", ".join(f"{name} {len(some):,}" for name, some in source.items()))
    print(f"{len(values):,} values")
    wrong = 0
    searched = everywhere(options.lake, places.HOME / "bin")
    searched += [(f"logs in {folder.name}", files(folder, "*")) for folder in options.logs or [places.HOME / "logs"]]
    kinds = {value: name for one in found for name, some in one.items() for value in some}
    for what, texts in searched:
        count, hits = search(texts, values)
        wrong += bool(hits)
        print(f"{what}: {count:,} texts, {len(hits)} values found", flush=True)
        for place, value in hits[:10]:
            print(f"  {place}: holds a {kinds[value]}")
    wrong += not found_in_silver("customers", warehouse, customers, values)
    # Contacts are searched for in any case; without a contract no table can hold them.
    if "silver_contacts" in places.contracted_tables():
        wrong += not found_in_silver("contacts", hubspot, contacts, values)
    print(f"pii: {'FAILED' if wrong else 'none of the values stands where it must not'} after {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


def found_in_silver(what: str, source: Values, silver: Values, searched: list[str]) -> bool:
    """Whether the search itself is able to find: every standardised value stands in Silver's raw columns."""
    _, hits = search(((name, value) for name, values in silver.items() for value in values), searched)
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
