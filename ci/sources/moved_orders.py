"""Returns and cancellations of real orders, of the warehouse and of the stream.

The sale stays what it was; the movement's rows stand beside it. Only orders whose PLACED has arrived are moved.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import duckdb

import places
from journey import STREAM_FROM, Sizes
from planted import Planter, remainder, share

HOUR = timedelta(hours=1)
KINDS = ("whole", "part", "in_parts", "cancelled", "cancelled_after_part")
# Warehouse orders that are moved are at most this old: nobody returns last January's milk.
RECENT = timedelta(days=90)


def move_real(planter: Planter, connection: duckdb.DuckDBPyConnection, sizes: Sizes) -> dict[str, list[str]]:
    """Adds the movements of real orders and returns their ids by kind."""
    moved: dict[str, list[str]] = {}
    for place, day in enumerate(places.DAYS):
        start = places.WINDOWS[day][0]
        wanted = sizes.moved * len(KINDS)
        sources = {"warehouse": _orders(connection, STREAM_FROM - RECENT, STREAM_FROM, place, wanted)}
        if place > 0:
            sources["stream"] = _orders(connection, STREAM_FROM, start, place, wanted)
        for source, orders in sources.items():
            for number, order in enumerate(orders):
                kind = KINDS[number % len(KINDS)]
                planter.kind = f"real_{source}_{kind}"
                _move(planter, order, kind, start + timedelta(hours=3, minutes=11 * number, seconds=place))
                moved.setdefault(planter.kind, []).append(str(order["order_id"]))
    return moved


def _move(planter: Planter, order: dict, kind: str, at: datetime) -> None:
    """Adds the events of one kind of movement."""
    half = share(order["lines"][0], 1, 2)
    match kind:
        case "whole":
            planter.publish(planter.give_back(order, at, order["lines"]))
        case "part":
            planter.publish(planter.give_back(order, at, [half]))
        case "in_parts":
            planter.publish(planter.give_back(order, at, [half]))
            planter.publish(planter.give_back(order, at + 2 * HOUR, [remainder(order["lines"][0], half)]))
        case "cancelled":
            planter.publish(planter.bare("CANCELLED", order, at))
        case "cancelled_after_part":
            planter.publish(planter.give_back(order, at, [half]))
            planter.publish(planter.bare("CANCELLED", order, at + HOUR))


def _orders(
    connection: duckdb.DuckDBPyConnection, start: datetime, end: datetime, place: int, wanted: int
) -> list[dict]:
    """Returns real orders placed in [start, end), other ones on each day, with the lines of which something was bought.

    The first line is the one with the largest quantity, so that half of it is something.
    """
    rows = connection.execute(
        """
        WITH chosen AS (
            SELECT *, spread(order_id, 44, 20) = 0 AS late FROM orders
            WHERE ordered_at >= ? AND ordered_at < ? AND spread(order_id, 71, 3) = ?
                AND NOT late
                AND order_id IN (SELECT order_id FROM lines WHERE quantity > 1 AND net > 1)
            ORDER BY spread(order_id, 72, 65536), order_id LIMIT ?
        )
        SELECT order_id, chosen.customer_id, chosen.store_id, list([line_number, product_id, quantity, net, discount, coupon]
            ORDER BY quantity DESC, line_number)
        FROM chosen JOIN lines USING (order_id) WHERE quantity > 0
        GROUP BY order_id, chosen.customer_id, chosen.store_id ORDER BY spread(order_id, 72, 65536), order_id
        """,
        [start, end, place, wanted],
    ).fetchall()
    return [dict(zip(("order_id", "customer_id", "store_id", "lines"), row, strict=True)) for row in rows]
