"""The ledger that the definitions ask for, counted from outcomes, beside the manifest's, which is counted from intentions.

"read = accepted + quarantined + duplicate + superseded + filtered + held", per batch, Silver table and input.
"""

import json
from collections import Counter
from dataclasses import dataclass

from oracle import behavior, fx
from oracle.rules import DEFINED
from oracle.silver import AMOUNT_COLUMNS, in_calendar
from oracle.sources import KEYS, landings
from oracle.stream import header_or_payment
from oracle.vocabulary import CURRENCIES, STATUS_RANK
from oracle.workbench import Step

STREAM = "bronze_kafka_orders"
EVENT_TYPES = {
    "silver_orders": frozenset(STATUS_RANK),
    "silver_order_items": frozenset(("PLACED",)),
    "silver_order_movements": frozenset(("RETURNED", "CANCELLED")),
}
# What makes a row of the warehouse broken: "ORDERS: currency in list", no ORDERED_AT or one that the calendar does not
# hold, "ORDER_ITEMS: quantity >= 0, net = gross - discount", "PRODUCTS ... list_price >= 0".
LISTED = ", ".join(f"'{code}'" for code in sorted(CURRENCIES))
WHOLE = {
    "CUSTOMERS": "true",
    "PRODUCTS": "LIST_PRICE >= 0",
    "ORDERS": f"COALESCE(upper(cleaned(CURRENCY)) IN ({LISTED}), false) AND {in_calendar('ORDERED_AT')}",
    "ORDER_ITEMS": f"QUANTITY >= 0 AND {AMOUNT_COLUMNS[2]} = {AMOUNT_COLUMNS[0]} - {AMOUNT_COLUMNS[1]}",
    "CAMPAIGNS": "true",
    "CAMPAIGN_TARGETS": "true",
    "COUPON_REDEMPTIONS": "true",
}
TABLES = {
    "CUSTOMERS": ("silver_customers", "silver_customers_history"),
    "PRODUCTS": ("silver_products", "silver_products_history"),
    "ORDERS": ("silver_orders", None),
    "ORDER_ITEMS": ("silver_order_items", None),
    "CAMPAIGNS": ("silver_campaigns", None),
    "CAMPAIGN_TARGETS": ("silver_campaign_targets", None),
    "COUPON_REDEMPTIONS": ("silver_coupon_redemptions", None),
}
# The CRM's objects: input -> stage of the states that land, current table and history.
OBJECTS = {
    "bronze_hubspot_contacts": ("contacts_judged", "silver_contacts", "silver_contacts_history"),
    "bronze_hubspot_companies": ("companies_judged", "silver_companies", None),
}


def counted(bench):
    """Returns {(batch, table, input): Counter of buckets} over all Silver tables."""
    ledger = {}
    for table, types in EVENT_TYPES.items():
        count_stream(bench.get("records"), table, types, ledger)
    for warehouse_table in KEYS:
        count_warehouse(bench, warehouse_table, ledger)
    count_rates(bench, ledger)
    if "behavior" in bench.parts:
        count_behavior(bench, ledger)
    if "hubspot" in bench.parts:
        for source in OBJECTS:
            count_objects(bench, source, ledger)
        # A pair lands only when its state differs from what is known.
        for state in bench.get("association_states"):
            batch = bench.windows[state.window].batch
            ledger.setdefault((batch, "silver_contact_companies", "bronze_hubspot_contact_companies"), Counter())["accepted"] += 1
    return ledger


def count_stream(records, table, types, ledger):
    """Counts one table's rows of the stream: "unit: source row, for items and movements the exploded row".

    "Rows of a batch are applied in order of (sequence, position)"; "lost by sequence in its group -> superseded".
    """
    newest, contents = {}, set()
    for one in sorted(records, key=lambda one: (one.window.start, one.sequence if one.event else (0, one.position))):
        buckets = ledger.setdefault((one.window.batch, table, STREAM), Counter())
        event = one.event
        rows = max(1, len(event.lines) + event.repeated) if event and table != "silver_orders" else 1
        if one.verdict in ("undecodable", "broken"):
            buckets["quarantined"] += 1
        elif event.event_type not in types:
            buckets["filtered"] += 1
        elif one.verdict != "kept":
            buckets[{"body": "quarantined", "held": "held", "duplicate": "duplicate"}[one.verdict]] += rows
        else:
            if table != "silver_orders":
                buckets["duplicate"] += event.repeated
            for key, content in table_rows(one, table):
                if (key, event.event_ts, content) in contents:
                    buckets["duplicate"] += 1
                    continue
                superseded = key in newest and one.sequence < newest[key]
                buckets["superseded" if superseded else "accepted"] += 1
                newest[key] = max(one.sequence, newest.get(key, one.sequence))
                contents.add((key, event.event_ts, content))


def table_rows(one, table):
    """Returns (key, compared content) of each row that a kept event has in a table: a group, a line or a movement."""
    event = one.event
    if table == "silver_orders":
        return [((event.order_id, event.event_type), header_or_payment(one))]
    if table == "silver_order_items":
        return [((event.order_id, line.line_number), line) for line in event.lines]
    return [((event.order_id, event.event_id, line), None) for line in event.lines or (None,)]


def count_warehouse(bench, warehouse_table, ledger):
    """Counts a warehouse table's rows: "A row that lands again through overlap is duplicate. Lower UPDATED_AT than stored ->
    superseded in current tables, accepted in history."""
    key = ", ".join(KEYS[warehouse_table])
    current, history = TABLES[warehouse_table]
    source = f"bronze_snowflake_{warehouse_table.lower()}"
    rows = bench.connection.execute(
        f"WITH landed AS ({landings(bench, warehouse_table)}), judged AS (SELECT *, {WHOLE[warehouse_table]} AS whole, "
        f"row_number() OVER (PARTITION BY {key}, batch, place ORDER BY seen_in) > 1 AS again, "
        f"max(UPDATED_AT) OVER (PARTITION BY {key} ORDER BY seen_in ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS stored "
        "FROM landed) "
        "SELECT seen_in, CASE WHEN NOT whole THEN 'quarantined' WHEN again THEN 'duplicate' "
        "WHEN stored > UPDATED_AT THEN 'superseded' ELSE 'accepted' END AS bucket, count(*) FROM judged GROUP BY ALL"
    ).fetchall()
    for index, bucket, count in rows:
        batch = bench.windows[index].batch
        ledger.setdefault((batch, current, source), Counter())[bucket] += count
        if history:
            bucket = "accepted" if bucket == "superseded" else bucket
            ledger.setdefault((batch, history, source), Counter())[bucket] += count


@dataclass(frozen=True)
class Landed:
    """One row of an input as one window landed it; `content` stands for all its columns. `verdict` is `kept` or its bucket."""

    window: int
    key: object
    sequence: object
    content: object
    verdict: str = "kept"


def count_landed(bench, rows, tables, ledger):
    """Counts rows of one input for its current table and, where there is one, its history; `tables` are (input, current, history).

    "Rows of a batch are applied in order of (sequence, position)". A row that equals what stands at its instant is a duplicate, one
    before that is superseded (also when it was accepted once and lands again), any other is accepted; a history knows every instant.
    """
    source, current, history = tables
    newest, contents = {}, {}
    for row in sorted(rows, key=lambda one: (one.window, one.sequence is None, one.sequence)):
        batch = bench.windows[row.window].batch
        buckets = [(current, row.verdict), (history, row.verdict)]
        if row.verdict == "kept":
            known = contents.setdefault((row.key, row.sequence), set())
            again = row.content in known
            superseded = row.key in newest and row.sequence < newest[row.key]
            buckets = [
                (current, "superseded" if superseded else "duplicate" if again else "accepted"),
                (history, "duplicate" if again else "accepted"),
            ]
            known.add(row.content)
            newest[row.key] = max(row.sequence, newest.get(row.key, row.sequence))
        for table, bucket in buckets:
            if table:
                ledger.setdefault((batch, table, source), Counter())[bucket] += 1


def count_objects(bench, source, ledger):
    """Counts the states of one kind of the CRM's objects."""
    stage, current, history = OBJECTS[source]
    rows = []
    for state, values in bench.get(stage):
        content = (state.is_deleted, *values.values()) if values else ()
        rows.append(Landed(state.window, state.key, state.observed_at, content, "kept" if values else "quarantined"))
    count_landed(bench, rows, (source, current, history), ledger)


def count_behavior(bench, ledger):
    """Counts the behaviour rows as the windows read them: what is broken is quarantined, what is behind the late window held."""
    content = ", ".join((*behavior.TEXTS, "event_ts"))
    rows = bench.connection.execute(
        f"SELECT seen_in, event_id, loaded_at, hash({content}), verdict "
        f"FROM ({behavior.repaired(f'({behavior.landings(bench)})', bench.windows)}) ORDER BY seen_in, loaded_at, batch, place"
    )
    tables = ("bronze_redshift_events", "silver_behavior_events", None)
    count_landed(bench, [Landed(*row) for row in rows.fetchall()], tables, ledger)


def count_rates(bench, ledger):
    """Counts the observations: "accepted = first value of an observation; duplicate = same value again; filtered = `N/A`; superseded =
    a later different value"; revisions: "filtered = no revision; accepted = new revision; duplicate = revision known"."""
    step = Step(bench, DEFINED, "ledger")
    first, revisions = {}, set()
    for window in bench.windows:
        rates = ledger.setdefault((window.batch, "silver_fx_rates", "bronze_fx_rates"), Counter())
        revised = ledger.setdefault((window.batch, "silver_fx_revisions", "bronze_fx_rates"), Counter())
        for currency, observed, units in fx.landed(step, window, missing=True):
            cell = (currency, observed)
            if units is None or cell not in first or first[cell] == units:
                rates["filtered" if units is None else "duplicate" if cell in first else "accepted"] += 1
                revised["filtered"] += 1
            else:
                rates["superseded"] += 1
                revised["duplicate" if (*cell, units) in revisions else "accepted"] += 1
                revisions.add((*cell, units))
            if units is not None:
                first.setdefault(cell, units)


def disagreements(bench):
    """Returns how many places the Silver ledger has, and lines on those that the manifest does not count as they are counted here."""
    manifest = json.loads((bench.data / "manifest.json").read_text())["ledger_by_input"]
    stated = {
        (window.batch, table, source): buckets
        for window in bench.windows
        for table, inputs in manifest[window.batch].items()
        if table.startswith("silver_")
        for source, buckets in inputs.items()
    }
    ledger, found = counted(bench), []
    cells = sorted(stated.keys() | ledger.keys())
    for batch, table, source in cells:
        place = batch, table, source
        expected = {name: count for name, count in stated.get(place, {}).items() if count and name != "read"}
        ours = {name: count for name, count in ledger.get(place, {}).items() if count}
        if ours != expected:
            found.append(f"{batch} {table} of {source}: manifest {expected}, oracle {ours}")
    return len(cells), found
