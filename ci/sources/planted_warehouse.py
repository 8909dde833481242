"""Planted orders of the warehouse: dirt, rows that land twice by the lookback, rows that are published late.

Nothing here is an order of the real data, and no planted header is quarantined while its lines are not: a line
without an order has no definition.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import places
from planted import LAPSED_CURRENCY, ORPHAN_CUSTOMER, ORPHAN_PRODUCT, STORES

FIRST_PLANTED_WAREHOUSE_ORDER = 80_000_000_001
# An order is delivered, and last updated, so much after it was placed.
TO_DELIVERY = timedelta(hours=26)
LAST_HOUR, OVERLAP = timedelta(minutes=35), timedelta(minutes=75)


@dataclass
class PlantedOrders:
    """Rows per batch and table, the kinds, and which rows break a rule."""

    products: list[tuple[int, int]]
    customers: list[int]
    rows: dict[str, dict[str, list[dict]]] = field(default_factory=dict)
    # batch -> kind -> keys of the rows
    kinds: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    # table -> keys of rows that Silver quarantines each time they land
    broken: dict[str, set[tuple[int, ...]]] = field(default_factory=lambda: {"ORDERS": set(), "ORDER_ITEMS": set()})
    next_order: int = FIRST_PLANTED_WAREHOUSE_ORDER

    def order(self, kind: str, batch: str, updated_at: datetime, item_count: int = 2, **header: object) -> int:
        """Plants one order with its lines and returns its id."""
        number = self.next_order
        self.next_order += 1
        currency = currency_of(number)
        row = {
            "ORDER_ID": number, "CUSTOMER_ID": self.customers[number * 7 % len(self.customers)], "STORE_ID": STORES[currency],
            "ORDERED_AT": updated_at - TO_DELIVERY, "CHANNEL": "store", "CURRENCY": currency, "STATUS": "DELIVERED",
            "UPDATED_AT": updated_at,
        }  # fmt: skip
        self.add(kind, batch, "ORDERS", row | header, (number,))
        for line_number in range(1, item_count + 1):
            product = self.products[(number * 13 + line_number * 5) % len(self.products)]
            self.add(kind, batch, "ORDER_ITEMS", item(number, line_number, product, updated_at), (number, line_number))
        return number

    def change_item(self, batch: str, number: int, line_number: int, broken: bool = False, **changed: object) -> None:
        """Changes a planted line before it is written."""
        items = self.rows[batch]["ORDER_ITEMS"]
        item = next(row for row in items if (row["ORDER_ID"], row["LINE_NUMBER"]) == (number, line_number))
        item.update(changed)
        if broken:
            self.broken["ORDER_ITEMS"].add((number, line_number))

    def add(self, kind: str, batch: str, table: str, row: dict, key: tuple[int, ...]) -> None:
        """Plants one row as it is."""
        self.rows.setdefault(batch, {}).setdefault(table, []).append(row)
        label = f"{table.lower()}_{kind}"
        self.kinds.setdefault(batch, {}).setdefault(label, []).append("/".join(map(str, key)))


def currency_of(number: int) -> str:
    """Returns the currency of a planted order that does not name one."""
    return ("USD", "EUR", "GBP", "CAD", "CHF")[number % 5]


def item(number: int, line_number: int, product: tuple[int, int], updated_at: datetime, quantity: int = 4) -> dict:
    """Returns a line of an order; `product` is its number and its price in hundredths."""
    product_id, list_price = product
    gross, discount = Decimal(quantity * list_price) / 100, Decimal(list_price * (number % 3) // 3) / 100
    return {
        "ORDER_ID": number, "LINE_NUMBER": line_number, "PRODUCT_ID": product_id, "QUANTITY": quantity, "GROSS_AMOUNT": gross,
        "DISCOUNT_AMOUNT": discount, "NET_AMOUNT": gross - discount, "MANUFACTURER_COUPON_AMOUNT": Decimal("0.50"),
        "UPDATED_AT": updated_at,
    }  # fmt: skip


def plant_orders(planted: PlantedOrders) -> None:
    """Plants every kind: dirt in history, and in each batch rows of its last two hours and rows published late."""
    _plant_dirt(planted, places.HISTORY, datetime(2017, 12, 20, 15, 30, 0, 123457))
    # Sold on the days of the planted rates: the first changes its rate when the missing one is published (see rates.py),
    # the second keeps the first published one, the third's is 7 days old and counts for the last time.
    planted.order("rate_published_late", places.HISTORY, datetime(2017, 12, 28, 20), CURRENCY="CAD")
    planted.order("rate_revised", places.HISTORY, datetime(2017, 12, 29, 20), CURRENCY="GBP")
    planted.order(
        "rate_as_old_as_allowed", places.HISTORY, datetime(2017, 12, 29, 20), ORDERED_AT=datetime(2017, 12, 29, 16),
        CURRENCY=LAPSED_CURRENCY, STORE_ID=STORES[LAPSED_CURRENCY],
    )  # fmt: skip
    for batch in places.BATCHES:
        start, end = places.WINDOWS[batch]
        # Lands again in the next window by its lookback: a duplicate, or quarantined once more.
        planted.order("overlap", batch, end - OVERLAP)
        _plant_broken(planted, "overlap", batch, end - OVERLAP + timedelta(seconds=1))
        if batch != places.HISTORY:
            # Updated within the day before, published today: only the lookback finds it.
            planted.order("late", batch, start - LAST_HOUR, ORDERED_AT=start - timedelta(hours=40))


def _plant_dirt(planted: PlantedOrders, batch: str, at: datetime) -> None:
    """Repaired: padding and case of channel, currency and status. Accepted: orphans. Quarantined: see below."""
    planted.order("untidy", batch, at, CHANNEL=" Web", CURRENCY="usd ", STATUS=" delivered ")
    planted.order("untidy", batch, at, CHANNEL="STORE ", CURRENCY=" Eur", STATUS="Delivered")
    planted.order("orphan_customer", batch, at, CUSTOMER_ID=ORPHAN_CUSTOMER)
    number = planted.order("orphan_product", batch, at)
    planted.change_item(batch, number, 1, PRODUCT_ID=ORPHAN_PRODUCT)
    _plant_broken(planted, "broken", batch, at)


def _plant_broken(planted: PlantedOrders, kind: str, batch: str, at: datetime) -> None:
    """Quarantined: a header with an unknown currency (it has no lines), a negative quantity, a net that disagrees."""
    number = planted.order(f"{kind}_unknown_currency", batch, at, item_count=0, CURRENCY="XXX")
    planted.broken["ORDERS"].add((number,))
    number = planted.order(f"{kind}_negative_quantity", batch, at)
    planted.change_item(batch, number, 2, broken=True, QUANTITY=-4)
    number = planted.order(f"{kind}_net_disagrees", batch, at)
    planted.change_item(batch, number, 1, broken=True, NET_AMOUNT=Decimal("0.01"))
