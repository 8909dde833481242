"""One Kafka record -> one event, or the reason why it is none. Pure: bytes in, values out.

Amounts are integers of cents, instants integers of microseconds since 1970 UTC.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Context, Decimal

from oracle.text import cleaned
from oracle.vocabulary import CALENDAR_END, CALENDAR_START, CURRENCIES, EVENT_TYPES

EPOCH = datetime(1970, 1, 1)
MEASURES = ("quantity", "gross_amount", "discount_amount", "net_amount", "manufacturer_coupon_amount")
CENTS_MAX = 10**18
EXACT = Context(prec=200)
RFC_3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))", flags=re.ASCII)
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,2})?", flags=re.ASCII)


class Broken(Exception):
    """A value that is missing though required, or that breaks a rule. The argument names the rule, never the value."""


@dataclass(frozen=True, order=True)
class Line:
    """One line of a PLACED or RETURNED event."""

    line_number: int
    product_id: str
    quantity: int
    gross_amount: int
    discount_amount: int
    net_amount: int
    manufacturer_coupon_amount: int

    def measures(self):
        """Returns the five measures in their fixed order."""
        return tuple(getattr(self, name) for name in MEASURES)


@dataclass(frozen=True)
class Event:
    """A well-formed event. `body` names the rule that its body breaks, null when it breaks none; `repeated` counts the lines that
    collapsed into an equal one."""

    event_id: str
    event_type: str
    order_id: str
    event_ts: int
    customer_id: str | None = None
    store_id: int | None = None
    currency: str | None = None
    channel: str | None = None
    lines: tuple = ()
    payment_method: str | None = None
    card_last4: str | None = None
    repeated: int = 0
    body: str | None = None

    def content(self):
        """The definition: "Events are equal by event_id, or by all fields but it": all fields but it."""
        return (
            self.event_type,
            self.order_id,
            self.event_ts,
            self.customer_id,
            self.store_id,
            self.currency,
            self.channel,
            tuple(sorted(self.lines)),
            self.payment_method,
            self.card_last4,
        )


def payload(value, rules):
    """Returns the JSON object of a record's value, or raises.

    "payload_undecodable: null or empty value, not UTF-8, not JSON, not a JSON object (after an optional Confluent prefix)".
    """
    if not value:
        raise Broken("payload_undecodable")
    if value[0] == 0 and not rules.confluent_prefix_unknown:
        value = value[5:]
    try:
        fields = json.loads(value.decode("utf-8"), parse_float=Decimal, parse_constant=refuse)
        if b"\\u" in value:
            json.dumps(fields, ensure_ascii=False, default=str).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise Broken("payload_undecodable") from error
    if not isinstance(fields, dict):
        raise Broken("payload_undecodable")
    return fields


def refuse(constant):
    """NaN and Infinity are Python's additions to JSON."""
    raise ValueError(f"{constant} is not JSON")


def event(value, rules):
    """Returns the event of a record's value; raises when it is undecodable or breaks an event rule.

    "event_id, order_id, event_ts, event_type required and valid; event_type one of the six"; an event_ts that the calendar does not
    hold is invalid. What its body breaks does not raise: tables that do not use this type filter the event "without looking at their other rules".
    """
    fields = payload(value, rules)
    event_type = required(text(fields.get("event_type"), rules)).upper()
    if event_type not in EVENT_TYPES:
        raise Broken("event_type")
    known = {
        "event_id": required(text(fields.get("event_id"), rules)),
        "event_type": event_type,
        "order_id": required(text(fields.get("order_id"), rules)),
        "event_ts": required(instant(fields.get("event_ts"), rules)),
    }
    if not micros(CALENDAR_START) <= known["event_ts"] < micros(CALENDAR_END):
        raise Broken("event_ts")
    try:
        return Event(**known, **body(fields, event_type, rules))
    except Broken as error:
        return Event(**known, body=str(error), lines=raw_lines(fields))


def body(fields, event_type, rules):
    """Returns the fields beside the required four that belong to this type of event, repaired."""
    values = {
        "customer_id": quiet(text, fields.get("customer_id"), rules),
        "store_id": quiet(integer, fields.get("store_id"), rules),
    }
    if event_type == "PLACED":
        values["customer_id"] = required(text(fields.get("customer_id"), rules))
        values["store_id"] = required(integer(fields.get("store_id"), rules))
        values["currency"] = required(text(fields.get("currency"), rules)).upper()
        values["channel"] = required(text(fields.get("channel"), rules)).lower()
        if values["currency"] not in CURRENCIES and not rules.unknown_currency_accepted:
            raise Broken("currency")
    if event_type == "PAID":
        payment = fields.get("payment")
        payment = payment if isinstance(payment, dict) else {}
        values["payment_method"] = quiet(text, payment.get("method"), rules)
        values["card_last4"] = quiet(text, payment.get("card_last4"), rules)
    if event_type in ("PLACED", "RETURNED"):
        values["lines"] = lines(fields.get("lines"), event_type, rules)
        values["repeated"] = len(fields["lines"]) - len(values["lines"])
    return values


def lines(items, event_type, rules):
    """Returns the lines of an event, equal ones once.

    "Identical repeated lines of one event collapse; one line_number with different content, or any line that breaks an error
    rule, quarantines the whole event"; "lines non-empty".
    """
    if not isinstance(items, list) or not items:
        raise Broken("lines")
    found = []
    for item in items:
        try:
            found.append(line(item, event_type, rules))
        except Broken:
            if not rules.broken_lines_dropped:
                raise
    distinct = found if rules.repeated_lines_kept else list(dict.fromkeys(found))
    if len({one.line_number for one in dict.fromkeys(found)}) < len(set(found)):
        raise Broken("line_number")
    if not distinct:
        raise Broken("lines")
    return tuple(distinct)


def line(item, event_type, rules):
    """The definition: "each line: line_number >= 1, product_id, quantity >= 0, amounts numbers with at most 2 decimals, all five
    required, net = gross - discount"; RETURNED also "quantity > 0 or an amount > 0, quantity/amounts >= 0"."""
    if not isinstance(item, dict):
        raise Broken("line")
    number = required(integer(item.get("line_number"), rules))
    product_id = required(text(item.get("product_id"), rules))
    quantity = required(integer(item.get("quantity"), rules))
    amounts = [required(cents(item.get(name), rules)) for name in MEASURES[1:]]
    gross, discount, net, _ = amounts
    if not 1 <= number < 2**31:
        raise Broken("line_number")
    if quantity < 0 and not rules.negative_quantity_accepted:
        raise Broken("quantity")
    if net != gross - discount:
        raise Broken("net_amount")
    if event_type == "RETURNED" and (min(amounts) < 0 or max(quantity, *amounts) <= 0):
        raise Broken("returned")
    return Line(number, product_id, quantity, *amounts)


def raw_lines(fields):
    """Returns one empty place per line of a broken event: what its exploded rows are counted by."""
    items = fields.get("lines")
    return (None,) * len(items) if isinstance(items, list) else ()


def required(value):
    """Returns the value; raises when there is none."""
    if value is None:
        raise Broken("required")
    return value


def quiet(parse, value, rules):
    """Parses a field that no rule speaks of: what cannot be read is null."""
    try:
        return parse(value, rules)
    except Broken:
        return None


def text(value, rules):
    """Returns a text without padding, null for a null token; a number stands for its digits."""
    if isinstance(value, bool) or isinstance(value, (dict, list)):
        raise Broken("text")
    if value is None or isinstance(value, (int, Decimal)):
        return None if value is None else str(value)
    return value.strip() or None if rules.null_tokens_kept else cleaned(value)


def number(value, rules):
    """Returns a JSON number, or a text that holds one ("Numbers may be text"), as an exact decimal."""
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return Decimal(value)
    digits = text(value, rules)
    if digits is None:
        return None
    if rules.numbers_as_text_rejected or not NUMBER.fullmatch(digits):
        raise Broken("number")
    return Decimal(digits)


def scaled(value, digits, rules):
    """Returns a number as an integer of its last digit; raises when it has more digits than that after the point."""
    exact = number(value, rules)
    if exact is None:
        return None
    unscaled = EXACT.scaleb(exact, digits)
    if abs(exact.adjusted()) > 100 or unscaled != unscaled.to_integral_value() or abs(unscaled) >= CENTS_MAX:
        raise Broken("number")
    return int(unscaled)


def integer(value, rules):
    """Returns a whole number."""
    return scaled(value, 0, rules)


def cents(value, rules):
    """The definition: "amounts numbers with at most 2 decimals"."""
    return scaled(value, 2, rules)


def instant(value, rules):
    """Returns an RFC 3339 timestamp in microseconds since 1970 UTC."""
    written = text(value, rules)
    if written is None:
        return None
    match = RFC_3339.fullmatch(written)
    if not match:
        raise Broken("event_ts")
    *calendar, fraction, _, sign, hours, minutes = match.groups()
    try:
        moment = datetime(*map(int, calendar), int(((fraction or "") + "000000")[:6]))
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        return micros(moment - offset if sign == "+" else moment + offset)
    except (ValueError, OverflowError) as error:
        raise Broken("event_ts") from error


def micros(moment):
    """Returns a naive UTC datetime in microseconds since 1970, in integers."""
    return (moment - EPOCH) // timedelta(microseconds=1)
