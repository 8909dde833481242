"""The ledger that the definitions ask for, counted from outcomes, beside the manifest's, which is counted from intentions.

"read = accepted + quarantined + duplicate + superseded + filtered + held", per batch, Silver table and input.
"""

import json
from collections import Counter

from oracle import fx
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
}
TABLES = {
    "CUSTOMERS": ("silver_customers", "silver_customers_history"),
    "PRODUCTS": ("silver_products", "silver_products_history"),
    "ORDERS": ("silver_orders", None),
    "ORDER_ITEMS": ("silver_order_items", None),
}


def counted(bench):
    """Returns {(batch, table, input): Counter of buckets} over all Silver tables."""
    ledger = {}
    for table, types in EVENT_TYPES.items():
        count_stream(bench.get("records"), table, types, ledger)
    for warehouse_table in KEYS:
        count_warehouse(bench, warehouse_table, ledger)
    count_rates(bench, ledger)
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
    """Returns how many places the manifest's Silver ledger has, and lines on those that are not as counted here."""
    manifest = json.loads((bench.data / "manifest.json").read_text())["ledger_by_input"]
    cells, found = 0, []
    ledger = counted(bench)
    for window in bench.windows:
        for table, inputs in manifest[window.batch].items():
            if table.startswith("silver_"):
                for source, buckets in inputs.items():
                    cells += 1
                    expected = {name: count for name, count in buckets.items() if count and name != "read"}
                    ours = {name: count for name, count in ledger.get((window.batch, table, source), {}).items() if count}
                    if ours != expected:
                        found.append(f"{window.batch} {table} of {source}: manifest {expected}, oracle {ours}")
    return cells, found
