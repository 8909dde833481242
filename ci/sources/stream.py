"""The real baskets of the last days as order events: PLACED, PAID, SHIPPED, DELIVERED.

Some arrive out of order, some a day and a half late, a tenth stand behind the registry's prefix. All of them are
accepted: nothing here may cost a real line.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import duckdb

import places
from events import EventLog, header, line
from journey import STREAM_FROM, spread

PAID_AFTER = timedelta(minutes=1)
SHIPPED_AFTER = timedelta(hours=2)
DELIVERED_AFTER = timedelta(hours=26)
LATE_AT_LEAST = timedelta(hours=26)
PAYMENT_METHODS = ("card", "card", "card", "wallet", "cash", "gift card")


def payment(order_number: int) -> dict[str, object]:
    """Returns how an order was paid; only cards have last digits."""
    method = PAYMENT_METHODS[spread(order_number, 41, len(PAYMENT_METHODS))]
    return {"method": method, "card_last4": f"{spread(order_number, 42, 10000):04d}" if method == "card" else None}


def stream_orders(connection: duckdb.DuckDBPyConnection) -> list[dict]:
    """Returns the real orders of the stream with their lines."""
    headers = connection.execute(f"""
        SELECT order_id, customer_id, store_id, ordered_at, channel, currency FROM orders
        WHERE ordered_at >= TIMESTAMP '{STREAM_FROM}' ORDER BY ordered_at, order_id
    """)
    names = [column[0] for column in headers.description]
    orders = {row[0]: dict(zip(names, row, strict=True)) | {"lines": []} for row in headers.fetchall()}
    for order_id, *amounts in connection.execute(f"""
        SELECT order_id, line_number, product_id, quantity, net, discount, coupon FROM lines
        WHERE ordered_at >= TIMESTAMP '{STREAM_FROM}' ORDER BY order_id, line_number
    """).fetchall():
        orders[order_id]["lines"].append(amounts)
    return list(orders.values())


def publish_real(log: EventLog, orders: list[dict]) -> None:
    """Adds the events of the real orders."""
    last_day = places.WINDOWS[places.DAYS[-1]][0]
    for order in orders:
        number, at = order["order_id"], order["ordered_at"]
        prefixed = spread(number, 43, 10) == 0
        kind, delay = "real", timedelta(0)
        if spread(number, 44, 20) == 0 and at + LATE_AT_LEAST < last_day:
            # On the second day after, soon after midnight: late, and well within the late window.
            kind, delay = "real_late", last_day + timedelta(minutes=spread(number, 45, 120)) - at
            delay = max(delay, LATE_AT_LEAST)
        elif spread(number, 46, 15) == 0:
            kind, delay = "real_out_of_order", timedelta(minutes=150)
        log.add_event(kind, placed(order), delay=delay, prefixed=prefixed)
        log.add_event("real", paid(order, at + PAID_AFTER), prefixed=prefixed)
        log.add_event("real", _bare("SHIPPED", order, at + SHIPPED_AFTER), prefixed=prefixed)
        log.add_event("real", _bare("DELIVERED", order, at + DELIVERED_AFTER), prefixed=prefixed)


def placed(order: dict) -> dict[str, object]:
    """Returns the PLACED event of an order."""
    return _bare("PLACED", order, order["ordered_at"]) | {
        "currency": order["currency"],
        "channel": order["channel"],
        "lines": [line(*amounts) for amounts in order["lines"]],
    }


def paid(order: dict, at: datetime) -> dict[str, object]:
    """Returns the PAID event of an order."""
    return _bare("PAID", order, at) | {"payment": payment(order["order_id"])}


def _bare(event_type: str, order: dict, at: datetime) -> dict[str, object]:
    return header(event_type, order["order_id"], order["customer_id"], order["store_id"], at)
