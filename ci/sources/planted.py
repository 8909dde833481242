"""Plants orders beside the real ones: one story per kind, day and repeat.

A story is a function that takes the planter and the instant at which it begins, and adds the events of one or more
orders of its own. The function's name is the kind's name in the manifest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import duckdb

import places
from events import Event, EventLog, header, line
from journey import Sizes, spread
from rates import LAST_OF_LAPSED
from stream import payment, placed

FIRST_PLANTED_STREAM_ORDER = 90_000_000_001
ORPHAN_CUSTOMER = 990_001
ORPHAN_PRODUCT = 99_900_001
# A currency that the ECB once published and no longer does: valid, and without a rate.
ENDED_CURRENCY = "LTL"
# One that the landed files still have values of, while the stream's days have no rate that is young enough.
LAPSED_CURRENCY = LAST_OF_LAPSED[0]
# A store of each currency, and currencies that no real store has.
STORES = {
    "USD": 306, "CHF": 315, "CAD": 317, "GBP": 318, "EUR": 319, "JPY": 321, "SEK": 322, ENDED_CURRENCY: 323,
    LAPSED_CURRENCY: 324,
}  # fmt: skip
USUAL_CURRENCIES = ("USD", "EUR", "GBP", "USD", "CAD", "CHF", "USD", "JPY", "SEK")
CHANNELS = ("store", "web", "app")

Story = Callable[["Planter", datetime], None]


@dataclass
class Planter:
    """Hands out planted orders and keeps account of them."""

    log: EventLog
    products: list[tuple[int, int]]
    customers: list[int]
    next_order: int = FIRST_PLANTED_STREAM_ORDER
    kind: str = ""
    # kind -> order ids
    orders: dict[str, list[str]] = field(default_factory=dict)

    def order(self, at: datetime, currency: str | None = None, line_count: int = 2) -> dict:
        """Returns a new order of a real customer for real products, four of each, so that halves and quarters exist."""
        number = self.next_order
        self.next_order += 1
        self.orders.setdefault(self.kind, []).append(str(number))
        currency = currency or USUAL_CURRENCIES[spread(number, 61, len(USUAL_CURRENCIES))]
        return {
            "order_id": number,
            "customer_id": self.customers[spread(number, 62, len(self.customers))],
            "store_id": STORES[currency],
            "ordered_at": at,
            "channel": CHANNELS[spread(number, 63, 3)],
            "currency": currency,
            "lines": [self._line(number, place) for place in range(1, line_count + 1)],
        }

    def _line(self, number: int, line_number: int) -> list[int]:
        product_id, list_price = self.products[(spread(number, 64, 40000) + line_number * 17) % len(self.products)]
        gross = 4 * list_price
        discount = gross * spread(number + line_number, 65, 4) // 10
        coupon = (0, 0, 50, 100)[spread(number + line_number, 66, 4)]
        return [line_number, product_id, 4, gross - discount, discount, coupon]

    def place(self, order: dict, **add_options: object) -> Event:
        """Publishes the PLACED event of an order and returns it."""
        event = placed(order)
        self.log.add_event(self.kind, event, **add_options)  # type: ignore[arg-type]
        return event

    def bare(self, event_type: str, order: dict, at: datetime) -> Event:
        """Returns an event without details (SHIPPED, DELIVERED, CANCELLED)."""
        return header(event_type, order["order_id"], order["customer_id"], order["store_id"], at)

    def pay(self, order: dict, at: datetime, **changed: object) -> Event:
        """Returns the PAID event of an order."""
        return self.bare("PAID", order, at) | {"payment": payment(order["order_id"]) | changed}

    def give_back(self, order: dict, at: datetime, lines: list[list[int]]) -> Event:
        """Returns a RETURNED event with `lines`."""
        return self.bare("RETURNED", order, at) | {"lines": [line(*amounts) for amounts in lines]}

    def publish(self, event: Event, **add_options: object) -> None:
        """Publishes an event as the current kind."""
        self.log.add_event(self.kind, event, **add_options)  # type: ignore[arg-type]


def share(amounts: list[int], numerator: int, denominator: int) -> list[int]:
    """Returns a part of a line, rounded down in each measure, so that the parts never exceed the whole."""
    line_number, product_id, *measures = amounts
    return [line_number, product_id, *(measure * numerator // denominator for measure in measures)]


def remainder(amounts: list[int], taken: list[int]) -> list[int]:
    """Returns what is left of a line after `taken`."""
    return [*amounts[:2], *(whole - part for whole, part in zip(amounts[2:], taken[2:], strict=True))]


def is_last_day(at: datetime) -> bool:
    """Says whether a story that begins at `at` has no later day to go on in."""
    return at >= places.WINDOWS[places.DAYS[-1]][0]


def choose_products(connection: duckdb.DuckDBPyConnection) -> list[tuple[int, int]]:
    """Returns some real products whose price leaves room for discounts and quarters."""
    return connection.execute("""
        SELECT product_id, list_price FROM products
        WHERE list_price BETWEEN 100 AND 2000 AND spread(product_id, 67, 8) = 0 ORDER BY product_id LIMIT 4000
    """).fetchall()


def plant(planter: Planter, stories: list[Story], sizes: Sizes) -> None:
    """Tells every story on every day, `sizes.repeats` times, each at its own time between 06:00 and 18:00."""
    step = timedelta(minutes=700) / (len(stories) * sizes.repeats)
    for day in places.DAYS:
        start = places.WINDOWS[day][0] + timedelta(hours=6)
        for repeat in range(sizes.repeats):
            for place, story in enumerate(stories):
                at = start + step * (place * sizes.repeats + repeat)
                planter.kind = story.__name__
                story(planter, at.replace(microsecond=(place * 131 + repeat) * 997 % 1_000_000))


def plant_history(planter: Planter) -> None:
    """A handful of records that the stream held before its first day: the history window is not empty."""
    planter.kind = "before_first_day"
    for hour in (9, 12, 15):
        at = datetime(2017, 12, 29, hour)
        order = planter.order(at)
        planter.place(order)
        planter.publish(planter.pay(order, at + timedelta(minutes=1)))
