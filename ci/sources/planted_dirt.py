"""Stories of dirt: what arrives broken, untidy or twice.

Each docstring says what Sluice must do with it.
"""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from datetime import datetime, timedelta

from events import ITEMS, ORDERS, Cents, Event, buckets, encode, event_id, unreadable
from planted import ENDED_CURRENCY, LAPSED_CURRENCY, ORPHAN_CUSTOMER, ORPHAN_PRODUCT, Planter, Story, is_last_day
from stream import placed

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def clean(planter: Planter, at: datetime) -> None:
    """Accepted: the whole life of an order."""
    order = planter.order(at, line_count=3)
    planter.place(order)
    planter.publish(planter.pay(order, at + MINUTE))
    planter.publish(planter.bare("SHIPPED", order, at + HOUR))
    planter.publish(planter.bare("DELIVERED", order, at + 5 * HOUR))


def exact_duplicate(planter: Planter, at: datetime) -> None:
    """The second copy is a duplicate, on the same day or two days later (when it would be late, were it new)."""
    order = planter.order(at)
    event, payment = planter.place(order), planter.pay(order, at + MINUTE)
    planter.publish(payment)
    planter.publish(event, verdict="duplicate", delay=HOUR)
    planter.publish(payment, verdict="duplicate", delay=2 * HOUR)
    planter.publish(event, verdict="duplicate", delay=2 * DAY)


def rekeyed_duplicate(planter: Planter, at: datetime) -> None:
    """Equal in all fields but `event_id`: a duplicate."""
    order = planter.order(at)
    event, payment = planter.place(order), planter.pay(order, at + MINUTE)
    planter.publish(payment)
    for delay in (HOUR, DAY, 2 * DAY):
        copy = event | {"event_id": event_id("copy", order["order_id"], delay)}
        planter.publish(copy, verdict="duplicate", delay=delay)
    planter.publish(payment | {"event_id": event_id("copy", order["order_id"])}, verdict="duplicate", delay=HOUR)


def truncated(planter: Planter, at: datetime) -> None:
    """Bytes that stop in the middle: quarantined in every table (`payload_undecodable`)."""
    order = planter.order(at)
    value = encode(placed(order))
    planter.log.add(planter.kind, at, order["order_id"], value[: len(value) * 3 // 5], unreadable())


def not_utf8(planter: Planter, at: datetime) -> None:
    """A Latin-1 byte inside: quarantined in every table."""
    order = planter.order(at)
    value = encode(placed(order) | {"note": "caf?"}).replace(b"caf?", b"caf\xe9")
    planter.log.add(planter.kind, at, order["order_id"], value, unreadable())


def empty_payload(planter: Planter, at: datetime) -> None:
    """No bytes: quarantined in every table."""
    planter.log.add(planter.kind, at, planter.order(at)["order_id"], b"", unreadable())


def null_payload(planter: Planter, at: datetime) -> None:
    """Kafka's null value: quarantined in every table."""
    planter.log.add(planter.kind, at, planter.order(at)["order_id"], None, unreadable())


def not_an_object(planter: Planter, at: datetime) -> None:
    """JSON, but no object: quarantined in every table."""
    order = planter.order(at)
    value = (b"[1,2]", b'"PLACED"', b"42", b"null")[int(order["order_id"]) % 4]
    planter.log.add(planter.kind, at, order["order_id"], value, unreadable())


def prefix_alone(planter: Planter, at: datetime) -> None:
    """The registry's prefix with nothing, or half of it: quarantined in every table."""
    order = planter.order(at)
    value = (b"\x00\x00\x00\x00\x07", b"\x00\x00\x00")[int(order["order_id"]) % 2]
    planter.log.add(planter.kind, at, order["order_id"], value, unreadable())


def confluent_prefix(planter: Planter, at: datetime) -> None:
    """A schema id before the JSON: accepted."""
    planter.place(planter.order(at), prefixed=True)


def numbers_as_text(planter: Planter, at: datetime) -> None:
    """Repaired: "12.50" is 12.50."""
    event = placed(planter.order(at))
    event["store_id"] = str(event["store_id"])
    event["lines"] = [{name: str(value) for name, value in part.items()} for part in _lines(event)]
    planter.publish(event)


def nulls_as_text(planter: Planter, at: datetime) -> None:
    """Repaired: a null token in an optional field is null."""
    order = planter.order(at)
    planter.place(order)
    planter.publish(planter.pay(order, at + MINUTE, card_last4=("N/A", "null", "", "None")[order["order_id"] % 4]))


def null_where_required(planter: Planter, at: datetime) -> None:
    """A null token in a required field of PLACED: the event is quarantined."""
    event = placed(planter.order(at)) | {"customer_id": "none"}
    planter.publish(event, verdict="quarantined")


def mixed_case_and_padding(planter: Planter, at: datetime) -> None:
    """Repaired: type and currency upper, channel lower, text trimmed."""
    event = placed(planter.order(at))
    event |= {
        "event_type": " Placed ",
        "order_id": f" {event['order_id']}",
        "channel": f" {str(event['channel']).upper()} ",
        "currency": f"{str(event['currency']).lower()} ",
        "lines": [part | {"product_id": f" {part['product_id']} "} for part in _lines(event)],
    }
    planter.log.add(planter.kind, at, str(event["order_id"]).strip(), encode(event), buckets("PLACED", 2))


def unknown_fields(planter: Planter, at: datetime) -> None:
    """Fields that no contract names: ignored, accepted."""
    event = placed(planter.order(at))
    event["loyalty"] = {"tier": "gold", "points": 12}
    event["lines"] = [part | {"promotion": ["two for one"]} for part in _lines(event)]
    planter.publish(event)


def timestamp_notations(planter: Planter, at: datetime) -> None:
    """RFC 3339 with an offset, or with six decimals: the same instant, accepted."""
    order = planter.order(at)
    for event, hours in ((placed(order), -5), (planter.pay(order, at + MINUTE), 1)):
        local = (datetime.fromisoformat(str(event["event_ts"]).removesuffix("Z")) + hours * HOUR).isoformat(
            timespec="microseconds"
        )
        stamped = event | {"event_ts": f"{local}{hours:+03d}:00"}
        planter.log.add(planter.kind, at, order["order_id"], encode(stamped), buckets(str(event["event_type"]), 2))


def negative_quantity(planter: Planter, at: datetime) -> None:
    """One impossible line: the whole event is quarantined, one row per line."""
    planter.publish(_with_line(placed(planter.order(at, line_count=3)), 1, quantity=-4), verdict="quarantined")


def net_disagrees(planter: Planter, at: datetime) -> None:
    """net is not gross - discount: the whole event is quarantined."""
    event = placed(planter.order(at))
    off_by_a_cent = Cents(_lines(event)[0]["net_amount"] + 1)  # type: ignore[operator]
    planter.publish(_with_line(event, 0, net_amount=off_by_a_cent), verdict="quarantined")


def three_decimals(planter: Planter, at: datetime) -> None:
    """An amount that is no whole cent: the whole event is quarantined, nothing is rounded."""
    event = placed(planter.order(at))
    planter.publish(_with_line(event, 0, manufacturer_coupon_amount=0.125), verdict="quarantined")


def month_13(planter: Planter, at: datetime) -> None:
    """An instant that does not exist: quarantined in every table."""
    event = placed(planter.order(at)) | {"event_ts": "2017-13-01T00:00:00Z"}
    planter.log.add(planter.kind, at, event["order_id"], encode(event), unreadable())


def missing_order_id(planter: Planter, at: datetime) -> None:
    """No order to belong to: quarantined in every table."""
    event = placed(planter.order(at))
    key = event.pop("order_id")
    planter.log.add(planter.kind, at, key, encode(event), unreadable())


def unknown_event_type(planter: Planter, at: datetime) -> None:
    """A type that nobody knows: quarantined in every table."""
    event = placed(planter.order(at)) | {"event_type": "REFUNDED"}
    planter.log.add(planter.kind, at, event["order_id"], encode(event), unreadable())


def unknown_currency(planter: Planter, at: datetime) -> None:
    """XXX is not on the list: the event is quarantined."""
    planter.publish(placed(planter.order(at)) | {"currency": "XXX"}, verdict="quarantined")


def ended_currency(planter: Planter, at: datetime) -> None:
    """On the list, but without a rate for years: accepted in Silver; Gold quarantines its lines (`rate_missing`)."""
    planter.place(planter.order(at, currency=ENDED_CURRENCY))


def lapsed_currency(planter: Planter, at: datetime) -> None:
    """Its newest rate is 8 days old or more: accepted in Silver; Gold quarantines its lines (`rate_missing`)."""
    planter.place(planter.order(at, currency=LAPSED_CURRENCY))


def orphan_product(planter: Planter, at: datetime) -> None:
    """A product that PRODUCTS lacks: accepted; Gold shows the unknown member."""
    planter.publish(_with_line(placed(planter.order(at)), 0, product_id=str(ORPHAN_PRODUCT)))


def orphan_customer(planter: Planter, at: datetime) -> None:
    """A customer that CUSTOMERS lacks: accepted; Gold shows the unknown member."""
    order = planter.order(at) | {"customer_id": ORPHAN_CUSTOMER}
    planter.place(order)


def header_unknown(planter: Planter, at: datetime) -> None:
    """An order known only by SHIPPED: accepted, its header is null."""
    order = planter.order(at)
    planter.publish(planter.bare("SHIPPED", order, at))


def line_repeated(planter: Planter, at: datetime) -> None:
    """The same line twice in one event: it counts once, the copy is a duplicate (items only)."""
    order = planter.order(at)
    event = placed(order)
    event["lines"] = [*_lines(event), deepcopy(_lines(event)[1])]
    expected = buckets("PLACED", 2)
    expected[ITEMS] = Counter(accepted=2, duplicate=1)
    planter.log.add(planter.kind, at, order["order_id"], encode(event), expected)


def line_conflict(planter: Planter, at: datetime) -> None:
    """One line number with two contents: the whole event is quarantined, one row per line."""
    event = placed(planter.order(at))
    event["lines"] = [*_lines(event), _lines(event)[1] | {"quantity": 7}]
    planter.publish(event, verdict="quarantined")


def no_lines(planter: Planter, at: datetime) -> None:
    """PLACED with an empty list, or with none: quarantined, one row in orders and one in items."""
    event = placed(planter.order(at))
    if int(str(event["order_id"])) % 2:
        event["lines"] = []
    else:
        del event["lines"]
    planter.publish(event, verdict="quarantined")


def out_of_order(planter: Planter, at: datetime) -> None:
    """Later events published first: all accepted, the order ends the same."""
    order = planter.order(at)
    planter.publish(planter.bare("SHIPPED", order, at + HOUR))
    planter.publish(planter.pay(order, at + MINUTE), delay=2 * HOUR)
    planter.place(order, delay=3 * HOUR)


def paid_twice(planter: Planter, at: datetime) -> None:
    """Two payments in one batch, the later one published first: both accepted (applied by event time), it wins."""
    order = planter.order(at)
    planter.place(order)
    planter.publish(planter.pay(order, at + 2 * HOUR, method="wallet", card_last4=None))
    planter.publish(planter.pay(order, at + HOUR, method="card", card_last4="0042"), delay=2 * HOUR)


def paid_earlier_arrives_later(planter: Planter, at: datetime) -> None:
    """A payment older than the one that yesterday's batch brought: superseded in silver_orders."""
    if is_last_day(at):
        return
    order = planter.order(at)
    planter.place(order)
    planter.publish(planter.pay(order, at + 2 * HOUR, method="wallet", card_last4=None))
    older = planter.pay(order, at + HOUR, method="card", card_last4="0043")
    expected = buckets("PAID") | {ORDERS: Counter(superseded=1)}
    planter.log.add(planter.kind, at + DAY, order["order_id"], encode(older), expected)


def _lines(event: Event) -> list[Event]:
    return event["lines"]  # type: ignore[return-value]


def _with_line(event: Event, place: int, **changed: object) -> Event:
    """Returns the event with one line changed."""
    lines = [part | changed if index == place else part for index, part in enumerate(_lines(event))]
    return event | {"lines": lines}


STORIES: list[Story] = [
    clean, exact_duplicate, rekeyed_duplicate, out_of_order, paid_twice, paid_earlier_arrives_later, truncated, not_utf8,
    empty_payload, null_payload, not_an_object, prefix_alone, confluent_prefix, numbers_as_text, nulls_as_text,
    null_where_required, mixed_case_and_padding, unknown_fields, timestamp_notations, negative_quantity, net_disagrees,
    three_decimals, month_13, missing_order_id, unknown_event_type, unknown_currency, ended_currency, lapsed_currency,
    orphan_product, orphan_customer, header_unknown, line_repeated, line_conflict, no_lines,
]  # fmt: skip
