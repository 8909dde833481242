"""What happens to campaigns, their targets and redemptions, and which of them are new; with the visits that these leave behind.

As in `changes.py`, each batch changes a row once. A target and a redemption have nothing but their key: their changes only
move UPDATED_AT. Redemptions are planted in history, too, because the small slice has one: all that change are of these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

import duckdb

import changes
import places
import tables
import warehouse
from behavior import FIRST_BASKETS, MEDIA, SHOP
from changes import Row, Schedule
from planted import ORPHAN_CUSTOMER
from planted_behavior import Visits

FIRST_NEW_CAMPAIGN = 901
FIRST_HISTORY_CAMPAIGN = 951
ORPHAN_CAMPAIGN = 990
FIRST_COUPON = 59_990_000_001
REDEMPTIONS = 12
TARGETS_OF_NEW = 6
Keys = dict[str, dict[str, set[tuple]]]


@dataclass
class Campaigns:
    """Rows per batch and table, their kinds, and which of them replace newer ones."""

    rows: dict[str, dict[str, list[Row]]] = field(default_factory=dict)
    # batch -> kind -> keys of the rows
    kinds: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    # table -> batch -> keys of rows that are older than what they replace
    older: Keys = field(default_factory=dict)
    # Customers whom planted redemptions give a touch.
    reached: set[int] = field(default_factory=set)
    next_coupon: int = FIRST_COUPON

    def add(self, kind: str, batch: str, table: str, row: Row) -> None:
        """Adds a row."""
        self.rows.setdefault(batch, {}).setdefault(table, []).append(row)
        key = "/".join(str(row[name]) for name in tables.KEYS[table])
        self.kinds.setdefault(batch, {}).setdefault(kind, []).append(key)

    def change(self, table: str, schedule: Schedule, rows: dict[int, Row]) -> None:
        """Adds what a schedule does to rows; its ids are the keys of `rows`."""
        keys = {number: tuple(row[name] for name in tables.KEYS[table]) for number, row in rows.items()}
        for batch, changed in changes.apply_rows(schedule, rows).items():
            self.rows.setdefault(batch, {}).setdefault(table, []).extend(changed)
        for change in schedule.in_order():
            label = "/".join(map(str, keys[change.key]))
            self.kinds.setdefault(change.batch, {}).setdefault(change.kind, []).append(label)
            if change.kind.endswith("_older_replaces_newer"):
                self.older.setdefault(table, {}).setdefault(change.batch, set()).add(keys[change.key])


def targeted(connection: duckdb.DuckDBPyConnection) -> list[int]:
    """Returns the customers whom the real campaigns reach."""
    rows = connection.execute("""
        SELECT DISTINCT customer_id FROM households JOIN raw_campaigns ON household_id = customer_id ORDER BY customer_id
    """).fetchall()
    return [customer for (customer,) in rows]


def plant_campaigns(connection: duckdb.DuckDBPyConnection, visits: Visits) -> Campaigns:
    """Plants everything; the visits of new targets and redemptions go to `visits`."""
    planted = Campaigns()
    _plant_new_campaigns(planted, visits)
    _change_campaigns(planted, connection)
    _change_targets(planted, connection)
    _plant_redemptions(planted, connection, visits)
    return planted


def _plant_new_campaigns(planted: Campaigns, visits: Visits) -> None:
    """One campaign begins on each day, and some in history are untidy or read twice; each with its targets' visits."""
    end = places.WINDOWS[places.HISTORY][1]
    started = [
        ("campaign_untidy", places.HISTORY, date(2017, 11, 20), datetime(2017, 11, 19, 9, 30, 0, 123457),
         {"NAME": "  Advent Market ", "CHANNEL": " SOCIAL"}),
        ("campaign_one_day", places.HISTORY, date(2017, 12, 24), datetime(2017, 12, 1, 9), {"END_DATE": date(2017, 12, 24)}),
        ("campaign_free_overlap", places.HISTORY, date(2017, 12, 29), end - timedelta(minutes=75),
         {"DAILY_COST": Decimal("0.00"), "BUDGET": None}),
    ]  # fmt: skip
    started += [
        ("campaign_new", day, date.fromisoformat(day), places.WINDOWS[day][0] + timedelta(hours=1, microseconds=place), {})
        for place, day in enumerate(places.DAYS)
    ]
    for place, (kind, batch, starts, updated_at, columns) in enumerate(started):
        number = FIRST_HISTORY_CAMPAIGN + place if batch == places.HISTORY else FIRST_NEW_CAMPAIGN + place - 3
        row = {
            "CAMPAIGN_ID": number, "NAME": f"Winter {number}", "CHANNEL": list(MEDIA)[number % 3],
            "BUDGET": Decimal("1234.50"), "DAILY_COST": Decimal("33.33") + number % 7, "START_DATE": starts,
            "END_DATE": starts + timedelta(days=9), "UPDATED_AT": updated_at,
        }  # fmt: skip
        planted.add(kind, batch, "CAMPAIGNS", row | columns)
        _plant_targets(planted, visits, f"target_of_{kind}", batch, row)


def _plant_targets(planted: Campaigns, visits: Visits, kind: str, batch: str, campaign: Row) -> None:
    """Adds the targets of a new campaign, and the page view of each on its start date."""
    number, starts = int(str(campaign["CAMPAIGN_ID"])), campaign["START_DATE"]
    assert isinstance(starts, date)
    people = visits.customers
    for customer in sorted({people[(number * 31 + one * 17) % len(people)] for one in range(TARGETS_OF_NEW)}):
        target: Row = {
            "CAMPAIGN_ID": number, "CUSTOMER_ID": customer,
            "UPDATED_AT": campaign["UPDATED_AT"] + timedelta(seconds=1),  # type: ignore[operator]
        }  # fmt: skip
        planted.add(kind, batch, "CAMPAIGN_TARGETS", target)
        visits.kind = "planted_target"
        at = datetime(starts.year, starts.month, starts.day, 13) + timedelta(minutes=customer % 300, microseconds=number)
        columns = {"customer_id": str(customer), "url": f"{SHOP}/offers/{number}"}
        visits.publish(visits.touch("page_view", at, str(number), **columns))


def _change_campaigns(planted: Campaigns, connection: duckdb.DuckDBPyConnection) -> None:
    """Real campaigns are renamed, cost more, last longer; their texts become untidy; see also `changes.plan_times`."""
    rows = {int(str(row["CAMPAIGN_ID"])): row for row in warehouse.as_written(connection, "CAMPAIGNS")}
    # Those that still run first.
    schedule = Schedule(sorted(rows, key=lambda number: (rows[number]["END_DATE"], number), reverse=True))  # type: ignore[arg-type,return-value]
    for place, day in enumerate(places.DAYS):
        start = places.WINDOWS[day][0] + timedelta(hours=9)
        for hour, (kind, alter) in enumerate(_campaign_changes(place).items()):
            schedule.add(kind, day, schedule.pick((day,)), start + timedelta(hours=hour), alter)
    changes.plan_times(schedule, "campaign", 1, _raise_cost)
    planted.change("CAMPAIGNS", schedule, rows)


def _campaign_changes(place: int) -> dict[str, Callable[[Row], Row]]:
    return {
        "campaign_cost": _raise_cost,
        "campaign_prolonged": lambda row: row | {"END_DATE": row["END_DATE"] + timedelta(days=14)},  # type: ignore[operator]
        "campaign_renamed": lambda row: row | {"NAME": f"Renamed {row['CAMPAIGN_ID']} ({place + 1})"},
        "campaign_name_padded": lambda row: row | {"NAME": f"  {row['NAME']}  "},
        "campaign_channel_untidy": lambda row: row | {"CHANNEL": f" {str(row['CHANNEL']).title()} "},
        "campaign_name_null_text": lambda row: row | {"NAME": ("N/A", " none ", "NULL")[place]},
        # Only UPDATED_AT moves.
        "campaign_touched": dict,
    }


def _raise_cost(row: Row) -> Row:
    return row | {"DAILY_COST": Decimal(str(row["DAILY_COST"])) + Decimal("12.34")}


def _change_targets(planted: Campaigns, connection: duckdb.DuckDBPyConnection) -> None:
    """Orphans in history, a target more on each day, and real targets that are touched, late, read twice, older."""
    at = datetime(2017, 12, 20, 15, 30, 0, 123457)
    for kind, campaign, customer in (
        ("target_orphan_customer", 20, ORPHAN_CUSTOMER),
        ("target_orphan_campaign", ORPHAN_CAMPAIGN, ORPHAN_CUSTOMER + 1),
    ):
        row = {"CAMPAIGN_ID": campaign, "CUSTOMER_ID": customer, "UPDATED_AT": at}
        planted.add(kind, places.HISTORY, "CAMPAIGN_TARGETS", row)
    real = warehouse.as_written(connection, "CAMPAIGN_TARGETS")
    rows = dict(enumerate(real[:: max(1, len(real) // 40)]))
    schedule = Schedule(sorted(rows))
    for day in places.DAYS:
        schedule.add("target_touched", day, schedule.pick((day,)), places.WINDOWS[day][0] + timedelta(hours=8), dict)
    changes.plan_times(schedule, "target", 1, dict)
    planted.change("CAMPAIGN_TARGETS", schedule, rows)


def _plant_redemptions(planted: Campaigns, connection: duckdb.DuckDBPyConnection, visits: Visits) -> None:
    """Redemptions in history, of which some change later, one or two new ones on each day, and orphans."""
    rows = {}
    for number, basket in enumerate(_baskets(connection, datetime(2017, 9, 10), datetime(2017, 12, 20), REDEMPTIONS)):
        rows[number] = _redeem(planted, visits, "redemption_planted", places.HISTORY, basket)
    for day in places.DAYS:
        for basket in _baskets(connection, *places.WINDOWS[day], 2):
            _redeem(planted, visits, "redemption_new", day, basket)
    for kind, campaign, customer in (
        ("redemption_orphan_customer", 20, ORPHAN_CUSTOMER),
        ("redemption_orphan_campaign", ORPHAN_CAMPAIGN, visits.customers[0]),
    ):
        row = {
            "CUSTOMER_ID": customer, "COUPON_UPC": planted.next_coupon, "CAMPAIGN_ID": campaign,
            "REDEEMED_ON": date(2017, 12, 20), "UPDATED_AT": datetime(2017, 12, 20, 20),
        }  # fmt: skip
        planted.next_coupon += 1
        planted.add(kind, places.HISTORY, "COUPON_REDEMPTIONS", row)
    schedule = Schedule(sorted(rows))
    for day in places.DAYS:
        schedule.add("redemption_touched", day, schedule.pick((day,)), places.WINDOWS[day][0] + timedelta(hours=8), dict)
    changes.plan_times(schedule, "redemption", 1, dict)
    planted.change("COUPON_REDEMPTIONS", schedule, rows)


def _redeem(planted: Campaigns, visits: Visits, kind: str, batch: str, basket: tuple[int, datetime, date]) -> Row:
    """Adds a redemption in a basket, and the coupon view an hour before it."""
    customer, ordered_at, business_date = basket
    coupon, campaign = planted.next_coupon, (18, 20, 15)[planted.next_coupon % 3]
    planted.next_coupon += 1
    updated_at = datetime(business_date.year, business_date.month, business_date.day, 20)
    row: Row = {
        "CUSTOMER_ID": customer, "COUPON_UPC": coupon, "CAMPAIGN_ID": campaign, "REDEEMED_ON": business_date,
        "UPDATED_AT": updated_at if batch == places.HISTORY else places.WINDOWS[batch][0] + timedelta(hours=20),
    }  # fmt: skip
    planted.add(kind, batch, "COUPON_REDEMPTIONS", row)
    planted.reached.add(customer)
    visits.kind = "planted_coupon"
    visits.publish(visits.touch(
        "coupon_view", ordered_at - timedelta(hours=1), str(campaign), customer_id=str(customer),
        url=f"{SHOP}/coupons/{coupon}", metadata=f'{{"coupon_upc": "{coupon}"}}',
    ))  # fmt: skip
    return row


def _baskets(
    connection: duckdb.DuckDBPyConnection, start: datetime, end: datetime, wanted: int
) -> list[tuple[int, datetime, date]]:
    """Returns customer, instant and New York date of baskets to redeem in, first of customers whom campaigns reach."""
    return connection.execute(
        f"""
        SELECT customer_id, ordered_at, business_date FROM ({FIRST_BASKETS}) WHERE ordered_at >= ? AND ordered_at < ?
        ORDER BY customer_id NOT IN (SELECT household_id FROM raw_campaigns), spread(order_id, 225, 65536), order_id LIMIT ?
        """,
        [start, end, wanted],
    ).fetchall()
