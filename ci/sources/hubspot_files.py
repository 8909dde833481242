"""Writes each batch's HubSpot files, and says what is in them: kinds, what must be readable, the expected ledger."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

import hubspot_company_stories
import hubspot_population
import hubspot_stories
import places
from hubspot_people import UNREADABLE_EMPLOYEES
from hubspot_teller import Teller
from hubspot_world import ASSOCIATIONS, COMPANIES, CONTACTS, Crm, hubspot_file
from journey import Sizes
from ledger import Ledger, put
from manifest import RowKinds

# HubSpot object -> Bronze table, Silver tables
TABLES = {
    CONTACTS: ("bronze_hubspot_contacts", ("silver_contacts", "silver_contacts_history")),
    COMPANIES: ("bronze_hubspot_companies", ("silver_companies",)),
    ASSOCIATIONS: ("bronze_hubspot_contact_companies", ("silver_contact_companies",)),
}
PRESENT, ARCHIVED, ABSENT = "present", "archived", "absent"


@dataclass(frozen=True)
class CrmSide:
    """What HubSpot's files hold: planted kinds, what is readable after each batch, companies that break a rule."""

    kinds: RowKinds
    readable: dict[str, dict[str, int]]
    broken: dict[str, set[int]]


def write_crm(emails: dict[int, str], sizes: Sizes, data: Path) -> CrmSide:
    """Writes the files of every batch; `emails` are the customers' before the first day, those that matter most first."""
    teller = Teller(Crm(), sizes, emails)
    readable = {}
    hubspot_population.populate(teller)
    for batch in places.BATCHES:
        teller.batch = batch
        hubspot_stories.tell(teller)
        hubspot_company_stories.tell(teller)
        teller.crm.close(batch, data)
        readable[batch] = teller.crm.counts()
    return CrmSide(teller.kinds, readable, {CONTACTS: set(), COMPANIES: teller.broken_companies})


def crm_ledger(ledger: Ledger, data: Path, broken: dict[str, set[int]]) -> None:
    """Adds HubSpot's rows, by the rules that `ledger.py` states."""
    for kind in (CONTACTS, COMPANIES):
        bronze, silver = TABLES[kind]
        for batch, counted in _landed(kind, data, broken[kind]).items():
            put(ledger, batch, bronze, kind, Counter(accepted=counted.total()))
            for table in silver:
                put(ledger, batch, table, bronze, counted)
    bronze, (silver_pairs,) = TABLES[ASSOCIATIONS]
    for batch in places.BATCHES:
        rows = pq.read_metadata(hubspot_file(batch, ASSOCIATIONS, data)).num_rows
        put(ledger, batch, bronze, ASSOCIATIONS, Counter(accepted=rows))
        put(ledger, batch, silver_pairs, bronze, Counter(accepted=rows))


def _landed(kind: str, data: Path, broken: set[int]) -> dict[str, Counter]:
    """Returns Silver's buckets per batch of the rows that land of one kind of object."""
    now: dict[int, dict] = {}
    # What Bronze knows of each object.
    known: dict[int, str] = {}
    found = {}
    for batch in places.BATCHES:
        start, end = places.WINDOWS[batch]
        own = {row["id"]: row for row in pq.read_table(hubspot_file(batch, kind, data)).to_pylist()}
        counted: Counter = Counter()
        for number, row in own.items():
            state = _state(row)
            if state == PRESENT:
                _check_found(row, start, end)
                counted["quarantined" if _breaks(row, broken) else "accepted"] += 1
            elif state == ARCHIVED or known.get(number) == PRESENT:
                counted["accepted"] += 1
            else:
                # Bronze knows it as archived, or not at all: nothing tells that it is gone.
                continue
            known[number] = state
        for number, row in now.items():
            if number not in own and _state(row) == PRESENT and row["updated_at"] >= start - places.HUBSPOT_LOOKBACK:
                counted["quarantined" if _breaks(row, broken) else "duplicate"] += 1
        now |= own
        found[batch] = counted
    return found


def check_contacts(connection: duckdb.DuckDBPyConnection, data: Path) -> None:
    """Fails when a contact's personal value is another contact's or a customer's, or occurs where nobody put it.

    E-mails are shared on purpose; a contact that others were merged into may have their values.
    """
    files = [str(hubspot_file(batch, CONTACTS, data)) for batch in places.BATCHES]
    customers = [str(places.warehouse_file(batch, "CUSTOMERS", data)) for batch in places.BATCHES]
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE contact_values AS
        WITH rows AS (SELECT id, CAST(properties AS JSON) AS p FROM read_parquet({files}) WHERE gone IS NULL)
        SELECT id, kind, upper(trim(p ->> kind)) AS value
        FROM rows, (SELECT unnest(['firstname', 'lastname', 'phone', 'address']) AS kind)
        WHERE p ->> 'hs_merged_object_ids' IS NULL AND trim(p ->> kind) NOT IN ('', 'ask reception')
    """)
    for what, question in {
        "is shared": "SELECT kind, value FROM contact_values GROUP BY ALL HAVING count(DISTINCT id) > 1",
        "is a customer's": f"""SELECT kind, value FROM contact_values SEMI JOIN (
            SELECT unnest([upper(trim(FIRST_NAME)), upper(trim(LAST_NAME)), trim(PHONE), upper(trim(ADDRESS))]) AS value
            FROM read_parquet({customers})) USING (value)""",
        "stands in a product": """SELECT kind, value FROM contact_values, (
            SELECT string_agg(DISTINCT upper(text), '|') AS texts
            FROM (SELECT unnest([department, brand, category, type, package_size]) AS text FROM products))
            WHERE kind IN ('firstname', 'lastname') AND contains(texts, value)""",
        "stands in an order's id": """SELECT kind, value FROM contact_values SEMI JOIN (
            SELECT unnest([CAST(order_id AS VARCHAR)[:10], CAST(order_id AS VARCHAR)[2:]]) AS digits FROM orders)
            ON right(regexp_replace(value, '[^0-9]', '', 'g'), 10) = digits WHERE kind = 'phone'""",
    }.items():
        found = connection.execute(question).fetchmany(3)
        if found:
            raise AssertionError(f"a contact's value {what}: {found}")


def _state(row: dict) -> str:
    return ABSENT if row["gone"] else ARCHIVED if row["archived"] else PRESENT


def _breaks(row: dict, broken: set[int]) -> bool:
    return row["id"] in broken and UNREADABLE_EMPLOYEES in row["properties"]


def _check_found(row: dict, start: datetime, end: datetime) -> None:
    if not start - places.HUBSPOT_LOOKBACK <= row["updated_at"] < end:
        raise AssertionError(f"{row['id']} was changed at {row['updated_at']}, outside the window that must read it")
