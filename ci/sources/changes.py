"""What happens to customers and products on each of the three days. The real data has no changes, so all are planted.

The warehouse holds one row per customer and product: a batch can change each once, and a second change within one
business date comes by the next batch. Business dates are New York's: the date line lies at 05:00 UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import identities
import places
from journey import Sizes, spread

FIRST_NEW_CUSTOMER = 900_001
FIRST_NEW_PRODUCT = 90_000_001
# Numbers of which changed and new people are made; all real customers are below.
FIRST_CHANGED_NUMBER = 3_000

Row = dict[str, object]


@dataclass(frozen=True)
class Change:
    """One change of one row."""

    kind: str
    batch: str
    key: int
    updated_at: datetime
    alter: Callable[[Row], Row]


@dataclass
class Schedule:
    """Hands out ids so that no row changes twice in one batch, and keeps the changes."""

    ids: list[int]
    changes: list[Change] = field(default_factory=list)
    used: dict[str, set[int]] = field(default_factory=dict)

    def pick(self, batches: tuple[str, ...]) -> int:
        """Returns an id that nothing changes in `batches`, and reserves it."""
        key = next(key for key in self.ids if not any(key in self.used.get(batch, ()) for batch in batches))
        for batch in batches:
            self.used.setdefault(batch, set()).add(key)
        self.ids.remove(key)
        self.ids.append(key)
        return key

    def add(self, kind: str, batch: str, key: int, updated_at: datetime, alter: Callable[[Row], Row]) -> None:
        """Schedules a change; its microseconds come from the key."""
        stamped = updated_at + timedelta(microseconds=spread(key, 101, 65536) * 15)
        self.changes.append(Change(kind, batch, key, stamped, alter))

    def in_order(self) -> Iterator[Change]:
        """Returns the changes in the order in which the batches publish them."""
        return iter(sorted(self.changes, key=lambda change: (places.BATCHES.index(change.batch), change.key)))

    def kinds(self) -> dict[str, dict[str, list[str]]]:
        """Returns batch -> kind -> keys."""
        found: dict[str, dict[str, list[str]]] = {}
        for change in self.in_order():
            found.setdefault(change.batch, {}).setdefault(change.kind, []).append(str(change.key))
        return found

    def of_kind(self, kind: str) -> dict[str, set[tuple[int, ...]]]:
        """Returns batch -> keys of one kind."""
        found: dict[str, set[tuple[int, ...]]] = {}
        for change in self.changes:
            if change.kind == kind:
                found.setdefault(change.batch, set()).add((change.key,))
        return found


def plan_times(schedule: Schedule, prefix: str, repeats: int, alter: Callable[[Row], Row]) -> None:
    """Schedules the changes that are about time; `alter` must change a tracked attribute every time.

    `late`: published a batch after UPDATED_AT. `overlap`: lands again in the next window. `twice`: two batches, one
    business date. `dateline`: UTC's date is one more than New York's. `older_replaces_newer`: the source shows an
    older row than the one that was ingested; superseded in the current table, a version of its own in the history.
    """
    for place, day in enumerate(places.DAYS):
        start, end = places.WINDOWS[day]
        before = places.BATCHES[place]
        for _ in range(repeats):
            schedule.add(f"{prefix}_late", day, schedule.pick((before, day)), start - timedelta(minutes=25), alter)
            schedule.add(f"{prefix}_overlap", day, schedule.pick((day,)), end - timedelta(minutes=50), alter)
            schedule.add(
                f"{prefix}_dateline", day, schedule.pick((day,)), start + timedelta(hours=2, minutes=30), alter
            )
            if place == 0:
                continue
            key = schedule.pick((before, day))
            schedule.add(f"{prefix}_twice_first", before, key, start - timedelta(hours=9), alter)
            schedule.add(f"{prefix}_twice_second", day, key, start + timedelta(hours=3), alter)
            key = schedule.pick((before, day))
            schedule.add(f"{prefix}_before_older", before, key, start - timedelta(minutes=10), alter)
            schedule.add(f"{prefix}_older_replaces_newer", day, key, start - timedelta(minutes=40), alter)


def plan_customers(ids: list[int], sizes: Sizes) -> Schedule:
    """Schedules the changes of customers, in the order of `ids`."""
    schedule = Schedule(list(ids))
    plan_times(schedule, "customer", max(1, sizes.changes // 3), _next_income_band)
    for day in places.DAYS:
        start = places.WINDOWS[day][0]
        for repeat in range(sizes.changes):
            at = start + timedelta(hours=8, minutes=17 * repeat)
            for place, (kind, alter) in enumerate(_CUSTOMER_CHANGES.items()):
                schedule.add(kind, day, schedule.pick((day,)), at + timedelta(hours=place), alter)
    return schedule


def plan_products(ids: list[int], sizes: Sizes) -> Schedule:
    """Schedules the changes of products, in the order of `ids`."""
    schedule = Schedule(list(ids))
    plan_times(schedule, "product", max(1, sizes.changes // 3), _raise_price)
    for day in places.DAYS:
        start = places.WINDOWS[day][0]
        for repeat in range(3 * sizes.changes):
            at = start + timedelta(hours=7, minutes=13 * repeat)
            schedule.add("product_price", day, schedule.pick((day,)), at, _raise_price)
        at = start + timedelta(hours=14)
        schedule.add("product_touched", day, schedule.pick((day,)), at, dict)
        if day == places.DAYS[1]:
            schedule.add("product_inactive", day, schedule.pick((day,)), at, lambda row: row | {"IS_ACTIVE": False})
            schedule.add(
                "product_category", day, schedule.pick((day,)), at, lambda row: row | {"CATEGORY": "NEW ARRIVALS"}
            )
    return schedule


def apply_customers(
    schedule: Schedule, people: dict[int, tuple[Row, int]], new_days: dict[str, list[int]]
) -> dict[str, list[Row]]:
    """Returns the CUSTOMERS rows of each day, as the source writes them."""
    found: dict[str, list[Row]] = {}
    fresh = FIRST_CHANGED_NUMBER
    for change in schedule.in_order():
        clean, number = people[change.key]
        clean = change.alter(clean | {"_number": fresh})
        clean.pop("_number")
        fresh += 1
        people[change.key] = (clean, number)
        row = identities.as_written(clean, number) | {"UPDATED_AT": change.updated_at}
        found.setdefault(change.batch, []).append(row)
    for day, customers in new_days.items():
        for customer_id in customers:
            clean = identities.person(customer_id, fresh, None, identities.INCOME_BANDS[fresh % 12], settled=False)
            row = identities.as_written(clean, fresh) | {"UPDATED_AT": places.WINDOWS[day][0] + timedelta(hours=16)}
            fresh += 1
            found.setdefault(day, []).append(row)
    return found


def apply_rows(schedule: Schedule, rows: dict[int, Row]) -> dict[str, list[Row]]:
    """Returns the changed rows of each batch; `rows` are what the changes start from, by the schedule's ids."""
    found: dict[str, list[Row]] = {}
    for change in schedule.in_order():
        rows[change.key] = change.alter(rows[change.key]) | {"UPDATED_AT": change.updated_at}
        found.setdefault(change.batch, []).append(rows[change.key])
    return found


def apply_products(schedule: Schedule, rows: dict[int, Row], new_days: dict[str, list[int]]) -> dict[str, list[Row]]:
    """Returns the PRODUCTS rows of each day."""
    found = apply_rows(schedule, rows)
    for day, products in new_days.items():
        for product_id in products:
            found.setdefault(day, []).append({
                "PRODUCT_ID": product_id, "DEPARTMENT": "GROCERY", "BRAND": "Private", "CATEGORY": "NEW ARRIVALS",
                "TYPE": "SEASONAL BOX", "PACKAGE_SIZE": None, "LIST_PRICE": Decimal("7.50"), "UNIT_COST": Decimal("4.80"),
                "IS_ACTIVE": True, "UPDATED_AT": places.WINDOWS[day][0] + timedelta(hours=16),
            })  # fmt: skip
    return found


def _raise_price(row: Row) -> Row:
    """A new price, always another one; the cost stays."""
    return row | {"LIST_PRICE": Decimal(str(row["LIST_PRICE"])) + Decimal("0.35")}


def _next_income_band(row: Row) -> Row:
    bands = identities.INCOME_BANDS
    place = bands.index(str(row["INCOME_BAND"])) if row["INCOME_BAND"] else -1
    return row | {"INCOME_BAND": bands[(place + 1) % len(bands)]}


def _move(row: Row) -> Row:
    """A new address in the same country."""
    return row | identities.home(str(row["COUNTRY"]), int(str(row["_number"])))


def _emigrate(row: Row) -> Row:
    """A new address in another country: a tracked attribute changes."""
    country = "CA" if row["COUNTRY"] == "US" else "US"
    return row | identities.home(country, int(str(row["_number"])))


def _change_email(row: Row) -> Row:
    """Another address, at the other class of domain."""
    company = str(row["EMAIL"]).split("@")[1] in identities.CONSUMER_DOMAINS
    number = int(str(row["_number"]))
    return row | {"EMAIL": identities.email(str(row["FIRST_NAME"]), str(row["LAST_NAME"]), number, company)}


_CUSTOMER_CHANGES: dict[str, Callable[[Row], Row]] = {
    "customer_moves": _move,
    "customer_emigrates": _emigrate,
    "customer_income_band": _next_income_band,
    "customer_email": _change_email,
    # The source forgets a value: null is the newest state, and hides nothing older.
    "customer_phone_removed": lambda row: row | {"PHONE": None},
    # Only UPDATED_AT moves: a version in the history, none in the dimension.
    "customer_touched": dict,
}
