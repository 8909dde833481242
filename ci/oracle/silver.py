"""Silver's current tables and histories of the warehouse, and the tables in which warehouse and stream meet."""

import pyarrow

from oracle import text
from oracle.decode import MEASURES
from oracle.vocabulary import CALENDAR_END, CALENDAR_START, CURRENCIES, LATE_AFTER, STATUS_RANK
from oracle.workbench import Stage

INSTANT = pyarrow.timestamp("us")
CUSTOMER_TEXTS = (
    "customer_id first_name last_name email phone address city state zip country income_band ssn credit_card acquisition_source"
).split()
CUSTOMER_COLUMNS = (
    "customer_id first_name last_name email phone address city state zip country birth_date income_band ssn credit_card "
    "acquisition_source updated_at first_name_masked last_name_masked email_masked phone_masked address_masked ssn_masked "
    "credit_card_masked birth_date_masked"
).split()
PRODUCT_TEXTS = "product_id department brand category type package_size".split()
AMOUNT_COLUMNS = MEASURES[1:]


def customers_repaired(step):
    """Every row of CUSTOMERS that some window saw, repaired, with its masked twins."""
    names = ", ".join(f"CAST({name.upper()} AS VARCHAR)" for name in CUSTOMER_TEXTS)
    rows = []
    for *texts, birth_date, updated_at, seen_in in step.rows(
        f"SELECT {names}, CAST(BIRTH_DATE AS DATE), CAST(UPDATED_AT AS TIMESTAMP), seen_in FROM {step['seen_customers']}"
    ):
        keep = (lambda value: value.strip() or None if value else None) if step.rules.null_tokens_kept else text.cleaned
        one = dict(zip(CUSTOMER_TEXTS, map(keep, texts)), birth_date=birth_date, updated_at=updated_at)
        if not step.rules.email_case_kept:
            one["email"] = text.email_address(one["email"])
        one["phone"] = text.phone_number(one["phone"])
        one["country"] = text.country_code(one["country"])
        one["state"] = one["state"] and one["state"].upper()
        one["income_band"] = text.income_band(one["income_band"])
        rows.append((*with_twins(one), seen_in))
    kinds = {"birth_date": pyarrow.date32(), "updated_at": INSTANT}
    columns = [(name, kinds.get(name, pyarrow.string())) for name in CUSTOMER_COLUMNS]
    step.fill([*columns, ("seen_in", pyarrow.int32())], rows)


def with_twins(one):
    """Returns a customer's values in the order of the table's columns: "twins ... A null has a null twin"."""
    one["first_name_masked"] = text.name_masked(one["first_name"])
    one["last_name_masked"] = text.name_masked(one["last_name"])
    one["email_masked"] = text.email_masked(one["email"])
    one["phone_masked"] = text.phone_masked(one["phone"])
    for name in ("address", "ssn", "credit_card"):
        one[f"{name}_masked"] = text.redacted(one[name])
    one["birth_date_masked"] = text.birth_decade(one["birth_date"])
    return [one[name] for name in CUSTOMER_COLUMNS]


def products_repaired(step):
    """Every row of PRODUCTS that some window saw: "PRODUCTS trimmed, list_price >= 0"."""
    clean = "trimmed" if step.rules.null_tokens_kept else "cleaned"
    texts = ", ".join(f"{clean}(CAST({name.upper()} AS VARCHAR)) AS {name}" for name in PRODUCT_TEXTS)
    step.create(
        f"SELECT {texts}, {cents('LIST_PRICE')}, {cents('UNIT_COST')}, CAST(IS_ACTIVE AS BOOLEAN) AS is_active, "
        f"CAST(UPDATED_AT AS TIMESTAMP) AS updated_at, seen_in FROM {step['seen_products']} WHERE LIST_PRICE >= 0"
    )


def cents(column):
    """Returns SQL for a decimal amount as an integer of cents; DECIMAL times an integer is exact in DuckDB, if it is wide enough."""
    return f"CAST(CAST({column} AS DECIMAL(38,2)) * 100 AS BIGINT) AS {column.lower()}"


def current(repaired, key, ties="seen_in DESC"):
    """Returns a stage: the row with the highest UPDATED_AT per key; "equal sequences are resolved by position".

    "Lower UPDATED_AT than stored -> superseded in current tables".
    """

    def build(step):
        order = "seen_in DESC, updated_at DESC" if step.rules.late_event_wins else f"updated_at DESC, {ties}"
        step.create(
            f"SELECT * EXCLUDE (seen_in) FROM {step[repaired]} QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {order}) = 1"
        )

    return Stage(build, (repaired,), ("late_event_wins",))


def history(repaired, key, ties="seen_in DESC"):
    """Returns a stage: "One row per distinct (id, UPDATED_AT)", "changed_at = UPDATED_AT, valid_from = changed_at, valid_to = the
    next change's changed_at (null = open)"."""

    def build(step):
        step.create(
            f"WITH changes AS (SELECT * EXCLUDE (seen_in) FROM {step[repaired]} "
            f"QUALIFY row_number() OVER (PARTITION BY {key}, updated_at ORDER BY {ties}) = 1) "
            "SELECT *, updated_at AS changed_at, updated_at AS valid_from, "
            f"lead(updated_at) OVER (PARTITION BY {key} ORDER BY updated_at) AS valid_to FROM changes"
        )

    return Stage(build, (repaired,))


def in_calendar(column):
    """Returns SQL for "accepted are instants t with 1999-01-02T00:00:00Z <= t < 2036-01-01T00:00:00Z"; false where there is none."""
    return f"COALESCE({column} >= TIMESTAMP '{CALENDAR_START}' AND {column} < TIMESTAMP '{CALENDAR_END}', false)"


def warehouse_orders(step):
    """The warehouse's view of each order: "status as given", "currency in list else quarantined", so is an order without
    ORDERED_AT or with one that the calendar does not hold.

    "is_late ... warehouse rows: ORDERED_AT for orders": the window that first saw the winning row decides.
    """
    listed = ", ".join(f"'{code}'" for code in sorted(CURRENCIES))
    allowed = f"WHERE {in_calendar('ordered_at')}"
    if not step.rules.unknown_currency_accepted:
        allowed += f" AND currency IN ({listed})"
    starts = " ".join(f"WHEN {index} THEN TIMESTAMP '{window.start}'" for index, window in enumerate(step.windows))
    delay = 0 if step.rules.late_measured_by_any_delay else int(LATE_AFTER.total_seconds())
    order = "seen_in DESC, updated_at DESC" if step.rules.late_event_wins else "updated_at DESC, seen_in DESC"
    step.create(
        "WITH repaired AS (SELECT cleaned(CAST(ORDER_ID AS VARCHAR)) AS order_id, cleaned(CAST(CUSTOMER_ID AS VARCHAR)) AS customer_id, "
        "CAST(STORE_ID AS BIGINT) AS store_id, CAST(ORDERED_AT AS TIMESTAMP) AS ordered_at, lower(cleaned(CHANNEL)) AS channel, "
        "upper(cleaned(CURRENCY)) AS currency, upper(cleaned(STATUS)) AS status, CAST(UPDATED_AT AS TIMESTAMP) AS updated_at, "
        f"seen_in FROM {step['seen_orders']}), "
        f"firsts AS (SELECT * EXCLUDE (seen_in), min(seen_in) AS seen_in FROM repaired {allowed} GROUP BY ALL), "
        f"winners AS (SELECT * FROM firsts QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY {order}) = 1) "
        f"SELECT *, CASE seen_in {starts} END - ordered_at > INTERVAL {delay} SECOND AS is_late FROM winners"
    )


def orders(step):
    """silver_orders: warehouse and stream together; the higher rank of both is the status.

    The header is the later of PLACED and the warehouse's row, by event_ts and UPDATED_AT.
    """
    ranks = " ".join(f"WHEN '{name}' THEN {rank}" for name, rank in STATUS_RANK.items())
    streamed = "s.source IS NOT NULL AND (w.order_id IS NULL OR s.placed_at >= w.updated_at)"
    columns = "customer_id, store_id, channel, currency"
    header = ", ".join(f"CASE WHEN {streamed} THEN s.{name} ELSE w.{name} END AS {name}" for name in columns.split(", "))
    status = f"CASE WHEN s.status_rank > COALESCE(CASE w.status {ranks} END, 0) THEN s.status ELSE w.status END"
    if step.rules.status_by_last_event:
        status = "COALESCE(s.status, w.status)"
    dropped = "WHERE source IS NOT NULL" if step.rules.headerless_orders_dropped else ""
    step.create(
        f"WITH merged AS (SELECT order_id, {header}, CASE WHEN {streamed} THEN s.placed_at ELSE w.ordered_at END AS ordered_at, "
        f"{status} AS status, CASE WHEN {streamed} THEN s.source WHEN w.order_id IS NOT NULL THEN 'snowflake' END AS source, "
        "s.payment_method, s.card_last4, CASE WHEN s.card_last4 IS NOT NULL THEN '[redacted]' END AS card_last4_masked, "
        f"CASE WHEN {streamed} THEN s.placed_at END AS placed_at, s.paid_at, s.shipped_at, s.delivered_at, s.returned_at, "
        f"s.cancelled_at, CASE WHEN {streamed} THEN s.is_late ELSE w.is_late END AS is_late "
        f"FROM {step['warehouse_orders']} w FULL JOIN {step['stream_orders']} s USING (order_id)) SELECT * FROM merged {dropped}"
    )


def warehouse_items(step):
    """The warehouse's lines: "ORDER_ITEMS: quantity >= 0, net = gross - discount else quarantined".

    "for warehouse lines the ORDERS row is not joined: null", "For ORDER_ITEMS of the warehouse: false".
    """
    amounts = ", ".join(cents(name.upper()) for name in AMOUNT_COLUMNS)
    rule = "net_amount = gross_amount - discount_amount"
    if not step.rules.negative_quantity_accepted:
        rule += " AND quantity >= 0"
    order = "seen_in DESC, sequence DESC" if step.rules.late_event_wins else "sequence DESC, seen_in DESC"
    step.create(
        "WITH repaired AS (SELECT cleaned(CAST(ORDER_ID AS VARCHAR)) AS order_id, CAST(LINE_NUMBER AS INTEGER) AS line_number, "
        f"cleaned(CAST(PRODUCT_ID AS VARCHAR)) AS product_id, CAST(QUANTITY AS BIGINT) AS quantity, {amounts}, "
        f"CAST(UPDATED_AT AS TIMESTAMP) AS sequence, seen_in FROM {step['seen_order_items']}) "
        "SELECT * EXCLUDE (seen_in), CAST(NULL AS TIMESTAMP) AS occurred_at, 'snowflake' AS source, false AS is_late FROM repaired "
        f"WHERE {rule} QUALIFY row_number() OVER (PARTITION BY order_id, line_number ORDER BY {order}) = 1"
    )


def order_items(step):
    """silver_order_items: the lines of the warehouse and of the stream; where both know a line, the later one counts."""
    step.create(
        f"WITH stream AS (SELECT *, occurred_at AS sequence FROM {step['stream_items']}), "
        f"both_sources AS (FROM {step['warehouse_items']} UNION ALL BY NAME FROM stream), "
        f"met AS (SELECT order_id, line_number FROM stream SEMI JOIN {step['warehouse_items']} USING (order_id, line_number)) "
        "SELECT * EXCLUDE (sequence) FROM both_sources ANTI JOIN met USING (order_id, line_number) UNION ALL BY NAME "
        "SELECT * EXCLUDE (sequence) FROM (FROM both_sources SEMI JOIN met USING (order_id, line_number)) "
        "QUALIFY row_number() OVER (PARTITION BY order_id, line_number ORDER BY sequence DESC) = 1"
    )


STAGES = {
    "customers_repaired": Stage(customers_repaired, ("seen_customers",), ("null_tokens_kept", "email_case_kept")),
    "products_repaired": Stage(products_repaired, ("seen_products",), ("null_tokens_kept",)),
    "silver_customers": current("customers_repaired", "customer_id"),
    "silver_customers_history": history("customers_repaired", "customer_id"),
    "silver_products": current("products_repaired", "product_id"),
    "silver_products_history": history("products_repaired", "product_id"),
    "warehouse_orders": Stage(
        warehouse_orders, ("seen_orders",), ("unknown_currency_accepted", "late_measured_by_any_delay", "late_event_wins")
    ),
    "silver_orders": Stage(orders, ("warehouse_orders", "stream_orders"), ("status_by_last_event", "headerless_orders_dropped")),
    "warehouse_items": Stage(warehouse_items, ("seen_order_items",), ("negative_quantity_accepted", "late_event_wins")),
    "silver_order_items": Stage(order_items, ("warehouse_items", "stream_items"), view=True),
}
