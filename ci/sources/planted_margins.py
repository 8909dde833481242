"""Two products of which it matters who buys them, and when: margins are shown from five customers on.

No real basket holds either, so that the counts are the same in every profile.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import places
from events import batch_of
from planted import ORPHAN_CUSTOMER, STORES, Planter
from planted_warehouse import TO_DELIVERY, PlantedOrders, currency_of, item

FIRST_SHARED_ORDER = 80_000_900_001
# Number and price in hundredths.
BOUGHT_BY_FIVE, BOUGHT_BY_FOUR = (90_000_101, 4000), (90_000_102, 1500)
COST, COST_REVISED = Decimal("25.01"), Decimal("31.07")
QUANTITY, QUANTITY_RETURNED = 40, 6
SOLD_FROM = datetime(2017, 12, 12, 16, 0, 0, 123457)
# The date of the change counts as a whole, so the sale of the afternoon is the first at the revised cost.
REVISED_AT = datetime(2017, 12, 30, 9, 0, 0, 123457)
SOLD_AGAIN_AT = datetime(2017, 12, 30, 18, 0, 0, 123457)
RETURNED_AT = datetime(2017, 12, 31, 15, 0, 0, 123457)

Kinds = dict[str, dict[str, list[str]]]


def plant_products(planted: PlantedOrders) -> Kinds:
    """Plants both products in history, and on the first day another cost of one; its price and all else stay."""
    costs = ((BOUGHT_BY_FIVE, COST), (BOUGHT_BY_FOUR, Decimal("9.99")))
    history = [_product(product, cost, datetime(2017, 1, 2, 7, place)) for place, (product, cost) in enumerate(costs)]
    planted.rows[places.HISTORY].setdefault("PRODUCTS", []).extend(history)
    revised = _product(BOUGHT_BY_FIVE, COST_REVISED, REVISED_AT)
    planted.rows[places.DAYS[0]].setdefault("PRODUCTS", []).append(revised)
    return {
        places.HISTORY: {"product_shared": [str(row["PRODUCT_ID"]) for row in history]},
        places.DAYS[0]: {"product_cost_revised": [str(BOUGHT_BY_FIVE[0])]},
    }


def plant_sales(planted: PlantedOrders) -> None:
    """Sells both in December.

    `bought_by_five`: five customers once each, before the cost is revised, and one of them again after it.
    `bought_by_four`: four customers, one of them twice, and one whom nobody knows; a fifth one in November.
    """
    planted.next_order = FIRST_SHARED_ORDER
    customers = _customers(planted.customers)
    for place, customer in enumerate(customers):
        _sell(planted, "bought_by_five", SOLD_FROM + timedelta(days=place), BOUGHT_BY_FIVE, customer)
    _sell(planted, "bought_by_five", SOLD_AGAIN_AT, BOUGHT_BY_FIVE, customers[0])
    for place, customer in enumerate([*customers[:4], customers[0], ORPHAN_CUSTOMER]):
        _sell(planted, "bought_by_four", SOLD_FROM + timedelta(days=place, hours=1), BOUGHT_BY_FOUR, customer)
    _sell(planted, "bought_by_four", SOLD_FROM - timedelta(days=30), BOUGHT_BY_FOUR, customers[4])


def plant_returns(planter: Planter) -> None:
    """Gives some of it back when the cost is revised.

    `bought_by_five_returned`: a part of the first sale, whose cost is that of the sale. `bought_by_four_returned`: three sales in
    two parts each, in amounts whose sum, as a float of dollars, is a cent short when it is cut to cents.
    """
    planter.kind = "bought_by_five_returned"
    price = BOUGHT_BY_FIVE[1]
    _give_back(planter, FIRST_SHARED_ORDER, 0, BOUGHT_BY_FIVE, [(QUANTITY_RETURNED, QUANTITY_RETURNED * price)])
    planter.kind = "bought_by_four_returned"
    for place in range(3):
        _give_back(planter, FIRST_SHARED_ORDER + 6 + place, place, BOUGHT_BY_FOUR, [(1, 2013), (1, 2024)])


def _customers(customers: list[int]) -> list[int]:
    """Returns the five who buy."""
    return [customers[place * 5 % len(customers)] for place in range(5)]


def _give_back(planter: Planter, number: int, place: int, product: tuple[int, int], parts: list[tuple[int, int]]) -> None:
    """Publishes a RETURNED event per part, which is a quantity and an amount without discount."""
    order = {
        "order_id": number, "customer_id": _customers(planter.customers)[place], "store_id": STORES[currency_of(number)],
    }  # fmt: skip
    for hour, (quantity, amount) in enumerate(parts):
        at = RETURNED_AT + timedelta(hours=hour, minutes=place)
        planter.publish(planter.give_back(order, at, [[1, product[0], quantity, amount, 0, 0]]))


def _sell(planted: PlantedOrders, kind: str, at: datetime, product: tuple[int, int], customer: int) -> None:
    """Plants an order of one line in the batch in which it is delivered."""
    delivered = at + TO_DELIVERY
    batch = batch_of(delivered)
    if batch is None:
        raise AssertionError(f"no batch brings what is delivered at {delivered}")
    number = planted.order(kind, batch, delivered, item_count=0, CUSTOMER_ID=customer)
    planted.add(kind, batch, "ORDER_ITEMS", item(number, 1, product, delivered, QUANTITY), (number, 1))


def _product(product: tuple[int, int], cost: Decimal, updated_at: datetime) -> dict:
    product_id, price = product
    return {
        "PRODUCT_ID": product_id, "DEPARTMENT": "GROCERY", "BRAND": "Private", "CATEGORY": "NEW ARRIVALS",
        "TYPE": "SEASONAL BOX", "PACKAGE_SIZE": None, "LIST_PRICE": Decimal(price) / 100, "UNIT_COST": cost,
        "IS_ACTIVE": True, "UPDATED_AT": updated_at,
    }  # fmt: skip
