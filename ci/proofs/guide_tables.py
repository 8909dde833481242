"""What the guides say of tables, held against the contracts.

Tables between two comments are made from the contracts; the dictionary of metrics must have an entry for each metric, of the right
owner, made from columns that exist; the contracts' own words must all be explained. Nothing here looks at a lake.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import yaml

from proofs import places

DICTIONARY = "docs/guides/BUSINESS_METRICS_DICTIONARY.md"
WORDS = "contracts/README.md"
BLOCK = re.compile(r"(<!-- from the contracts: (\w+) -->\n)(.*?)(<!-- end -->)", re.S)
LAYERS = ("bronze", "silver", "gold")
UNITS = {"m": "minute", "h": "hour", "d": "day"}

NUMBERS = ("INT", "BIGINT", "DOUBLE", "DECIMAL")
# Numbers that name or order something and measure nothing, and the one metric that is a word.
NO_METRICS = ("gold_fact_sales.store_id",)
CALENDAR = "gold_dim_date"
OTHER_METRICS = ("gold_customer_segments.segment",)
FIELDS = ("Formula", "Unit", "Grain", "From", "Edge cases", "Owner")

# Where the parser names the words of a contract that are not the standard's.
PARSERS = ("contract/bronze", "contract/hubspot", "contract/silver", "contract/field", "contract/check", "contract/layer",
           "contract/history", "mask")  # fmt: skip
# A key of the secret that `mask.rs` reads, too: it stands in no contract.
NO_WORD = "keyId"


@cache
def contracts() -> dict[str, dict]:
    """Returns every contract by its table's name, Bronze first."""
    files = [file for layer in LAYERS for file in sorted((places.CONTRACTS / layer).glob("**/*.odcs.yaml"))]
    return {document["id"]: document for document in (yaml.safe_load(file.read_text()) for file in files)}


def columns(table: str) -> dict[str, dict]:
    """Returns the columns of a table by name; none for a table without contract."""
    document = contracts().get(table)
    return {column["name"]: column for column in document["schema"][0]["properties"]} if document else {}


def owner(table: str) -> str:
    """Returns whose a table is."""
    document = contracts()[table]
    return f"{document['team']['name']}, domain {document['domain']}"


def freshness(layer: str) -> str:
    """Returns how fresh each table of a layer must be."""
    lines = ["| table | what it is | made anew | newest value at most so old |", "|---|---|---|---|"]
    for table, document in contracts().items():
        if not table.startswith(f"{layer}_"):
            continue
        levels = document.get("slaProperties") or []
        often = [f"every {span(level)}" for level in levels if level["property"] == "frequency"]
        ages = [
            f"{span(level, plural=True)} (`{level['element'].split('.')[-1]}`)" for level in levels if level["property"] == "latency"
        ]
        lines.append(f"| `{table}` | {document['name']} | {', '.join(often) or 'every day'} | {', '.join(ages) or 'not checked'} |")
    return "\n".join(lines) + "\n"


def span(level: dict, plural: bool = False) -> str:
    """Returns a service level's time for people."""
    value, unit = level["value"], UNITS[level["unit"]]
    if value == 1:
        return f"1 {unit}" if plural else unit
    return f"{value} {unit}s"


def contacts() -> str:
    """Returns whom to ask about which tables."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for table, document in contracts().items():
        channels = ", ".join(f"{one['channel']} ({one['scope']})" for one in document["support"])
        found.setdefault((document["domain"], document["team"]["name"], channels), []).append(f"`{table}`")
    lines = ["| domain | team | where | tables |", "|---|---|---|---|"]
    for (domain, team, channels), tables in sorted(found.items()):
        lines.append(f"| {domain} | {team} | {channels} | {', '.join(tables)} |")
    return "\n".join(lines) + "\n"


def tables() -> str:
    """Returns every table with what one row is."""
    lines = ["| table | a row is |", "|---|---|"]
    for table, document in contracts().items():
        grain = document["schema"][0]["dataGranularityDescription"].rstrip(".").removeprefix("One row per ")
        lines.append(f"| `{table}` | {grain} |")
    return "\n".join(lines) + "\n"


MAKERS = {
    "bronze": lambda: freshness("bronze"),
    "silver": lambda: freshness("silver"),
    "gold": lambda: freshness("gold"),
    "contacts": contacts,
    "tables": tables,
}


def made(text: str) -> str:
    """Returns a guide's text with the tables that contracts make as they are today."""
    return BLOCK.sub(lambda found: found[1] + MAKERS[found[2]]() + found[4], text)


def write(file: Path) -> bool:
    """Brings a guide's made tables up to date; returns whether something was stale."""
    text = file.read_text()
    file.write_text(made(text))
    return made(text) != text


def problems(name: str, text: str) -> list[str]:
    """Returns what a guide says otherwise than the contracts."""
    found = [] if made(text) == text else [f"{name}: a table that is made from contracts is stale: run ci/guides --write"]
    if name == DICTIONARY:
        found += dictionary_problems(text)
    if name == WORDS:
        found += [f"{name}: the word `{word}` of contracts is not explained" for word in words() if f"`{word}`" not in text]
    return found


def metrics() -> list[str]:
    """Returns every metric as table.column: the numbers of Gold that are measured, and what is derived from them."""
    found = [
        f"{table}.{name}"
        for table in contracts()
        if table.startswith("gold_") and table != CALENDAR
        for name, column in columns(table).items()
        if column["physicalType"].startswith(NUMBERS) and not column.get("primaryKey") and not name.startswith("_")
    ]
    return [name for name in found if name not in NO_METRICS] + list(OTHER_METRICS)


def dictionary_problems(text: str) -> list[str]:
    """Returns what the dictionary lacks, has too much, or says otherwise than the contracts."""
    parts = re.split(r"^### `([\w.]+)`$", text, flags=re.M)
    entries = dict(zip(parts[1::2], parts[2::2], strict=True))
    found = [f"{DICTIONARY}: no entry for {name}" for name in metrics() if name not in entries]
    found += [f"{DICTIONARY}: {name} is no metric of Gold" for name in entries if name not in metrics()]
    for name, entry in entries.items():
        if name in metrics():
            found += [f"{DICTIONARY}: {name}: {problem}" for problem in entry_problems(name, entry)]
    return found


def entry_problems(name: str, entry: str) -> list[str]:
    """Returns what is wrong with one entry."""
    table = name.split(".")[0]
    fields = dict(re.findall(r"^\| ([\w ]+) \| (.+) \|$", entry, flags=re.M))
    found = [f"no field {field}" for field in FIELDS if not fields.get(field)]
    if fields.get("Owner") not in (None, owner(table)):
        found.append(f"the owner is {owner(table)}")
    if "```console\n" not in entry or table not in entry.split("```console\n")[-1]:
        found.append("no example that asks the table")
    for source in re.findall(r"`((?:bronze|silver|gold)_\w+)\.(\w+)`", fields.get("From", "")):
        if source[1] not in columns(source[0]):
            found.append(f"there is no column {'.'.join(source)}")
    if not re.search(r"`(?:silver|gold)_\w+\.\w+`", fields.get("From", "")):
        found.append("`From` names no column")
    return found


def words() -> list[str]:
    """Returns the keys that contracts may have beyond the standard, by the parser's own text."""
    found: set[str] = set()
    for parser in PARSERS:
        found |= set(keys((places.ROOT / "crates" / "lake-core" / "src" / f"{parser}.rs").read_text()))
    return sorted(found - {NO_WORD})


def keys(source: str) -> list[str]:
    """Returns the names of what serde reads from a contract: fields of structs, choices of enums, named properties."""
    found = re.findall(r'^ +"(\w+)" => ', source, flags=re.M)
    derived = r"#\[derive\([^\]]*Deserialize[^\]]*\)\]\s*(?:#\[serde\((.*?)\)\]\s*)?(?:pub(?:\(\w+\))? )?(struct|enum) \w+ \{\n(.*?)^\}"
    for attributes, kind, body in re.findall(derived, source, flags=re.M | re.S):
        body = re.sub(r"^ *//.*\n", "", body, flags=re.M)
        if kind == "struct":
            fields = re.findall(r'(?:#\[serde\(rename = "(\w+)"\)\]\s*)?^ {4}(?:pub )?(\w+): ', body, flags=re.M)
            found += [renamed or camel(name) for renamed, name in fields]
        elif "try_from" not in attributes:
            found += [choice(name, attributes) for name in re.findall(r"^ {4}(\w+)(?:\(\w+\))?,", body, flags=re.M)]
    return found


def camel(name: str) -> str:
    """Returns a field's name as contracts spell it."""
    return re.sub(r"_(\w)", lambda letter: letter[1].upper(), name)


def choice(name: str, attributes: str) -> str:
    """Returns a choice's name as contracts spell it."""
    return name.lower() if "lowercase" in attributes or "kebab-case" in attributes else name[0].lower() + name[1:]
