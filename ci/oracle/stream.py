"""The stream's part of Silver: which events of `orders.events` count, and what orders, lines and movements they make."""

from dataclasses import dataclass

import pyarrow
import pyarrow.parquet

from oracle import decode
from oracle.vocabulary import LATE_AFTER, STATUS_RANK, Window
from oracle.workbench import Stage

TEXT, LONG, INT, BOOLEAN, INSTANT = (
    pyarrow.string(),
    pyarrow.int64(),
    pyarrow.int32(),
    pyarrow.bool_(),
    pyarrow.timestamp("us"),
)
MEASURE_COLUMNS = [(name, LONG) for name in decode.MEASURES]


@dataclass(frozen=True)
class Record:
    """One Kafka record, the window that ingested it, and what became of it before any table looks at it.

    `verdict` is `undecodable`, `broken` (an event rule), `body` (a rule of its type), `held`, `duplicate` or `kept`.
    """

    window: Window
    partition: int
    offset: int
    event: decode.Event | None
    verdict: str

    @property
    def position(self):
        """What orders the records that one key can have: a key lives in one partition."""
        return (self.window.start, self.partition, self.offset)

    @property
    def sequence(self):
        """The definition: "In every group the highest (event_ts, position) wins", "Movements apply by (event_ts, position)"."""
        return (self.event.event_ts, self.position)

    def late(self, rules):
        """The definition: "is_late = ingested in a window that begins more than 24 h after the event"."""
        delay = decode.micros(self.window.start) - self.event.event_ts
        return delay > (0 if rules.late_measured_by_any_delay else LATE_AFTER.total_seconds() * 10**6)


def records(step):
    """Returns every record of the stream in the order of its position, each with its verdict."""
    read = []
    for window in step.windows:
        path = step.data / window.batch / "events.parquet"
        if path.exists():
            columns = pyarrow.parquet.read_table(path, columns=["partition", "offset", "value"]).to_pydict()
            read += sorted(zip([window] * len(columns["value"]), *columns.values()), key=lambda one: one[1:3])
    judged, ids, contents = [], set(), set()
    for window, partition, offset, value in read:
        found, verdict = judge(value, window, step.rules)
        if verdict == "kept" and not step.rules.duplicates_kept:
            # "Events are equal by event_id, or by all fields but it"; "the first by position stays".
            if found.event_id in ids or found.content() in contents:
                verdict = "duplicate"
            ids.add(found.event_id)
            contents.add(found.content())
        judged.append(Record(window, partition, offset, found, verdict))
    return judged


def judge(value, window, rules):
    """Returns the record's event and its verdict: reject before the late window, the late window before equality."""
    try:
        found = decode.event(value, rules)
    except decode.Broken as error:
        return None, "undecodable" if str(error) == "payload_undecodable" else "broken"
    if found.body:
        return found, "body"
    # "an event whose event_ts lies before the end of the window's first day less 7 days is held".
    if found.event_ts < decode.micros(window.late_from) and not rules.held_accepted:
        return found, "held"
    return found, "kept"


def kept(step, *event_types):
    """Returns the records that count for a table that uses these types, by position."""
    return [one for one in step["records"] if one.verdict == "kept" and one.event.event_type in event_types]


def distinct(found, content, rules):
    """Returns the records without those whose content some earlier one has.

    "Within a table: equal content (or equal event_id) already there -> duplicate": events that differ elsewhere can be equal here.
    "For silver_orders the compared content of an event is its group's columns + event_ts."
    """
    first = {}
    for index, one in enumerate(sorted(found, key=lambda one: one.position)):
        first.setdefault((index if rules.duplicates_kept else None, one.event.event_ts, content(one)), one)
    return list(first.values())


def header_or_payment(one):
    """Returns the columns of an event's group in silver_orders, beside its time."""
    event = one.event
    return (
        (event.customer_id, event.store_id, event.channel, event.currency)
        if event.event_type == "PLACED"
        else (event.payment_method, event.card_last4)
    )


def newest(found, rules):
    """Returns the record that wins its group, null without any."""
    order = (lambda one: one.position) if rules.late_event_wins else (lambda one: one.sequence)
    return max(found, key=order, default=None)


def orders(step):
    """The stream's view of each order: one row per order_id, the header null until its PLACED is known.

    "In every group the highest (event_ts, position) wins. status = highest rank ever seen. An order known only by a later event
    has a row with a null header."
    """
    by_order = {}
    for one in kept(step, *STATUS_RANK):
        by_order.setdefault(one.event.order_id, {}).setdefault(one.event.event_type, []).append(one)
    rows = []
    for order_id, found in by_order.items():
        winner = {name: newest(distinct(found.get(name, ()), header_or_payment, step.rules), step.rules) for name in STATUS_RANK}
        at = {name: one.event.event_ts if one else None for name, one in winner.items()}
        placed, paid = winner["PLACED"], winner["PAID"]
        status = max(found, key=STATUS_RANK.get)
        if step.rules.status_by_last_event:
            status = newest([one for group in found.values() for one in group], step.rules).event.event_type
        header = (None,) * 6
        if placed:
            header = (
                placed.event.customer_id,
                placed.event.store_id,
                placed.event.channel,
                placed.event.currency,
                "kafka",
                placed.late(step.rules),
            )
        payment = (paid.event.payment_method, paid.event.card_last4) if paid else (None, None)
        rows.append((order_id, status, STATUS_RANK[status], *header, *payment, *at.values()))
    times = [(name, INSTANT) for name in ("placed_at", "paid_at", "shipped_at", "delivered_at", "returned_at", "cancelled_at")]
    step.fill(
        [
            ("order_id", TEXT),
            ("status", TEXT),
            ("status_rank", INT),
            ("customer_id", TEXT),
            ("store_id", LONG),
            ("channel", TEXT),
            ("currency", TEXT),
            ("source", TEXT),
            ("is_late", BOOLEAN),
            ("payment_method", TEXT),
            ("card_last4", TEXT),
            *times,
        ],
        rows,
    )


def items(step):
    """The lines of PLACED events: of two events that name one line, the one with the higher (event_ts, position) counts."""
    by_line = {}
    for one in kept(step, "PLACED"):
        for line in one.event.lines:
            by_line.setdefault((one.event.order_id, line.line_number), []).append((one, line))
    rows = []
    for (order_id, line_number), found in by_line.items():
        lines = {one: line for one, line in found}
        winner = newest(distinct(lines, lines.get, step.rules), step.rules)
        line, event = lines[winner], winner.event
        rows.append((order_id, line_number, line.product_id, *line.measures(), event.event_ts, "kafka", winner.late(step.rules)))
    step.fill(
        [
            ("order_id", TEXT),
            ("line_number", INT),
            ("product_id", TEXT),
            *MEASURE_COLUMNS,
            ("occurred_at", INSTANT),
            ("source", TEXT),
            ("is_late", BOOLEAN),
        ],
        rows,
    )


def movements(step):
    """silver_order_movements: "One row per RETURNED line / CANCELLED event". Columns with `_` hold the position for the facts."""
    rows = []
    for one in kept(step, "RETURNED", "CANCELLED"):
        event = one.event
        end = (event.event_ts, "kafka", one.late(step.rules), one.partition, one.offset)
        if event.event_type == "CANCELLED":
            rows.append((event.order_id, "cancellation", None, event.event_id, None, *(None,) * 5, *end))
        for line in event.lines:
            rows.append((event.order_id, "return", line.line_number, event.event_id, line.product_id, *line.measures(), *end))
    step.fill(
        [
            ("order_id", TEXT),
            ("movement", TEXT),
            ("line_number", INT),
            ("event_id", TEXT),
            ("product_id", TEXT),
            *MEASURE_COLUMNS,
            ("occurred_at", INSTANT),
            ("source", TEXT),
            ("is_late", BOOLEAN),
            ("_partition", INT),
            ("_offset", LONG),
        ],
        rows,
    )


DECODE_FLAGS = (
    "confluent_prefix_unknown",
    "null_tokens_kept",
    "numbers_as_text_rejected",
    "broken_lines_dropped",
    "repeated_lines_kept",
    "duplicates_kept",
    "unknown_currency_accepted",
    "negative_quantity_accepted",
    "held_accepted",
)
STAGES = {
    "records": Stage(records, flags=DECODE_FLAGS),
    "stream_orders": Stage(
        orders, ("records",), ("duplicates_kept", "late_event_wins", "status_by_last_event", "late_measured_by_any_delay")
    ),
    "stream_items": Stage(items, ("records",), ("duplicates_kept", "late_event_wins", "late_measured_by_any_delay")),
    "silver_order_movements": Stage(movements, ("records",), ("late_measured_by_any_delay",)),
}
