"""What the behaviour system records of the real data set: visits that campaigns, coupons and baskets leave behind.

Written as the table `behavior.events` of a Redshift: rows are inserted, never updated; a correction is one more row with the
same EVENT_ID and a later LOADED_AT. For each campaign target there is a page view on the campaign's start date, for each
redemption a coupon view an hour before the basket that it matches (by New York's date), and before each basket of a third of
the households a session of four events, a tenth of them anonymous until checkout.
Not done here: anything planted (see `planted_behavior.py`, `planted_touches.py`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

import places
from events import event_id
from journey import STORE_COUNTRIES, spread
from warehouse import CAMPAIGN_CHANNEL

SCHEMA, TABLE = "behavior", "events"
# As Redshift declares them. SUPER is JSON there; the files and the local server hold its text.
COLUMNS = {
    "event_id": "VARCHAR(64)",
    "session_id": "VARCHAR(64)",
    "event_name": "VARCHAR(32)",
    "customer_id": "VARCHAR(32)",
    "event_ts": "TIMESTAMP",
    "loaded_at": "TIMESTAMP",
    "device": "VARCHAR(32)",
    "geo": "VARCHAR(64)",
    "url": "VARCHAR(2048)",
    "referrer": "VARCHAR(2048)",
    "utm_source": "VARCHAR(64)",
    "utm_medium": "VARCHAR(64)",
    "utm_campaign": "VARCHAR(128)",
    "metadata": "SUPER",
}
ARROW_SCHEMA = pa.schema([
    (name, pa.timestamp("us") if kind == "TIMESTAMP" else pa.string()) for name, kind in COLUMNS.items()
])  # fmt: skip
DEVICES = ("mobile", "desktop", "tablet", "app")
SHOP = "https://shop.sluice.example"
SEARCH_ENGINE = "https://search.sluice.example/"
# campaign channel -> utm_source, utm_medium
MEDIA = {"email": ("newsletter", "email"), "mail": ("flyer", "qr"), "social": ("friends", "social")}
# The session before a basket: event, seconds before the basket, page.
STEPS = (
    ("page_view", 1500, "/aisles"),
    ("add_to_cart", 840, "/cart"),
    ("checkout", 150, "/checkout"),
    ("purchase", 5, "/thanks"),
)
# Rows of the last minutes of a window of which some are published with the next one: well within the lookback.
PUBLISHED_LATE_WITHIN = timedelta(minutes=110)
# The first basket of a customer on a date in New York: the one in which a coupon of that date was redeemed.
FIRST_BASKETS = """
    SELECT customer_id, order_id, ordered_at, store_id,
        CAST(timezone('America/New_York', timezone('UTC', ordered_at)) AS DATE) AS business_date
    FROM orders QUALIFY row_number() OVER (PARTITION BY customer_id, business_date ORDER BY ordered_at, order_id) = 1
"""
# Rows of some days before history ends, and after, come days late.
DELAYED_FROM = places.WINDOWS[places.HISTORY][1] - timedelta(days=4)
DELAYED_UNTIL = places.WINDOWS[places.DAYS[1]][0]

Values = dict[str, object]


@dataclass(frozen=True)
class Row:
    """One planted row: where it is published, why it was planted, what Silver does with it when it first lands."""

    batch: str
    kind: str
    verdict: str
    values: Values


def make_real(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the table `behavior` with every real row, its batch and its kind."""
    connection.execute("""
        CREATE MACRO uuid_of(text) AS sha256(text)[1:8] || '-' || sha256(text)[9:12] || '-4' || sha256(text)[14:16] || '-a'
            || sha256(text)[18:20] || '-' || sha256(text)[21:32]
    """)
    connection.execute(f"""
        CREATE TABLE media AS SELECT campaign_id, start_date, {_by_channel(0)} AS utm_source, {_by_channel(1)} AS utm_medium
        FROM (SELECT *, {CAMPAIGN_CHANNEL} AS channel FROM raw_campaign_descriptions)
    """)
    connection.execute(f"""
        CREATE TABLE behavior AS
        WITH rows AS ({_target_views()} UNION ALL {_coupon_views()} UNION ALL {_sessions()}),
        loaded AS (SELECT *, {_loaded_at()} AS loaded_at FROM rows)
        SELECT {_batch()} AS batch, uuid_of(session_id || '|' || step) AS event_id, * FROM loaded
    """)


def _by_channel(place: int) -> str:
    whens = " ".join(f"WHEN '{channel}' THEN '{words[place]}'" for channel, words in MEDIA.items())
    return f"CASE channel {whens} END"


def _target_views() -> str:
    """A page view of each target on the start date: in New York, too, since it lies in the afternoon of UTC."""
    number = "household_id * 100 + campaign_id"
    return f"""
        SELECT 'real_target' AS kind, {number} AS number, 0 AS step,
            'c-' || campaign_id || '-' || household_id AS session_id, 'page_view' AS event_name,
            CAST(household_id AS VARCHAR) AS customer_id,
            start_date + INTERVAL 12 HOUR + to_seconds(spread({number}, 201, 36000))
                + to_microseconds(spread({number}, 202, 65536) * 15) AS event_ts,
            {_device("household_id")} AS device, 'US' AS geo, '{SHOP}/offers/' || campaign_id AS url, NULL AS referrer,
            utm_source, utm_medium, CAST(campaign_id AS VARCHAR) AS utm_campaign, NULL AS metadata
        FROM raw_campaigns JOIN households ON household_id = customer_id JOIN media USING (campaign_id)
    """


def _coupon_views() -> str:
    """A coupon view an hour before the first basket of the household on the redemption's date in New York."""
    return f"""
        SELECT 'real_coupon', household_id * 100 + campaign_id, row_number() OVER (
                PARTITION BY household_id, redemption_date ORDER BY campaign_id, coupon_upc),
            'r-' || order_id, 'coupon_view', CAST(household_id AS VARCHAR), ordered_at - INTERVAL 1 HOUR,
            {_device("household_id")}, {_country()}, '{SHOP}/coupons/' || coupon_upc, NULL, utm_source, utm_medium,
            CAST(campaign_id AS VARCHAR), '{{"coupon_upc": "' || coupon_upc || '"}}'
        FROM raw_coupon_redemptions JOIN media USING (campaign_id)
            JOIN ({FIRST_BASKETS}) ON household_id = customer_id AND CAST(redemption_date AS DATE) = business_date
    """


def _sessions() -> str:
    """Four events before each basket of a third of the households; a tenth of the sessions is anonymous until checkout."""
    steps = ", ".join(
        f"({step}, '{name}', {before}, '{page}')" for step, (name, before, page) in enumerate(STEPS, start=1)
    )
    return f"""
        SELECT CASE WHEN spread(order_id, 204, 10) = 0 THEN 'real_session_anonymous' ELSE 'real_session' END,
            order_id * 8 + step, step, 's-' || order_id, name,
            CASE WHEN spread(order_id, 204, 10) > 0 OR step > 2 THEN CAST(customer_id AS VARCHAR) END,
            ordered_at - to_seconds(before) + to_microseconds(spread(order_id * 8 + step, 205, 65536) * 15),
            {_device("order_id")}, {_country()}, '{SHOP}' || page,
            CASE WHEN step = 1 AND spread(order_id, 206, 3) = 0 THEN '{SEARCH_ENGINE}' END, NULL, NULL, NULL,
            CASE step WHEN 2 THEN '{{"items": ' || line_count || '}}' WHEN 4 THEN '{{"order_id": "' || order_id || '"}}' END
        FROM orders JOIN (SELECT order_id, count(*) AS line_count FROM lines GROUP BY order_id) USING (order_id),
            (VALUES {steps}) AS steps(step, name, before, page)
        WHERE spread(customer_id, 203, 3) = 0
    """


def _device(number: str) -> str:
    return f"{list(DEVICES)}[spread({number}, 207, {len(DEVICES)}) + 1]"


def _country() -> str:
    whens = " ".join(f"WHEN {digit} THEN '{country}'" for digit, (country, _) in STORE_COUNTRIES.items())
    return f"CASE store_id % 10 {whens} ELSE 'US' END"


def _loaded_at() -> str:
    """Some minutes after the event; what happened before the first window, when that began; some days late."""
    start = places.WINDOWS[places.HISTORY][0]
    return f"""CASE
        WHEN event_ts < TIMESTAMP '{start}' THEN TIMESTAMP '{start}' + to_seconds(spread(number, 208, 5400))
        WHEN event_ts >= TIMESTAMP '{DELAYED_FROM}' AND event_ts < TIMESTAMP '{DELAYED_UNTIL}' AND spread(number, 209, 9) = 0
            THEN date_trunc('day', event_ts) + CASE WHEN event_ts < TIMESTAMP '{DELAYED_FROM}' + INTERVAL 2 DAY
                THEN INTERVAL 4 DAY ELSE INTERVAL 2 DAY END + to_seconds(10800 + spread(number, 210, 14400))
        ELSE event_ts + to_seconds(60 + spread(number, 211, 540)) END"""


def _batch() -> str:
    """The batch whose window holds the loading; some of the last rows of a window come with the next batch."""
    whens = " ".join(
        f"WHEN loaded_at < TIMESTAMP '{end - PUBLISHED_LATE_WITHIN}'"
        f" OR (loaded_at < TIMESTAMP '{end}' AND spread(number, 212, 6) > 0) THEN '{batch}'"
        for batch, (_, end) in places.WINDOWS.items()
    )
    return f"CASE {whens} ELSE '{places.BATCHES[-1]}' END"


def events_file(batch: str, data: Path = places.DATA) -> Path:
    """Returns the file with the rows that `batch` inserts."""
    return data / batch / SCHEMA / f"{TABLE}.parquet"


def write_events(connection: duckdb.DuckDBPyConnection, planted: list[Row], data: Path) -> None:
    """Writes every batch's file in the order of insertion."""
    for batch in places.BATCHES:
        path = events_file(batch, data)
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = pa.Table.from_pylist([row.values for row in planted if row.batch == batch], schema=ARROW_SCHEMA)
        connection.register("planted_events", rows)
        names = ", ".join(COLUMNS)
        connection.execute(f"""
            COPY (SELECT {names} FROM behavior WHERE batch = '{batch}' UNION ALL SELECT {names} FROM planted_events
                ORDER BY loaded_at, event_id, session_id, event_ts, event_name, customer_id)
            TO '{path}' (FORMAT PARQUET, COMPRESSION ZSTD)
        """)
        connection.unregister("planted_events")


def real_kinds(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, int]]:
    """Returns batch -> kind -> rows. The first three make up all; the others say what of them is special."""
    found: dict[str, dict[str, int]] = {}
    for batch in places.BATCHES:
        start, end = places.WINDOWS[batch]
        counted = Counter(dict(connection.execute(
            "SELECT kind, count(*) FROM behavior WHERE batch = ? GROUP BY kind", [batch]).fetchall()))  # fmt: skip
        special = connection.execute(
            """
            SELECT count(*) FILTER (event_ts < ?), count(*) FILTER (event_ts < ?), count(*) FILTER (loaded_at < ?),
                count(*) FILTER (loaded_at >= ?)
            FROM behavior WHERE batch = ?
            """,
            [start - timedelta(days=1), places.held_before(batch), start, end - places.LOOKBACK, batch],
        ).fetchone()
        names = ("real_late", "real_held", "real_published_late", "real_overlap")
        counted |= Counter(dict(zip(names, special or (), strict=True)))
        found[batch] = dict(counted)
    return found


def sample(number: int, at: datetime, name: str) -> Values:
    """Returns the columns of a planted event that only its number decides."""
    return {
        "event_id": event_id("behavior", number),
        "session_id": f"p-{number}",
        "event_name": name,
        "customer_id": None,
        "event_ts": at,
        "loaded_at": at + timedelta(minutes=2 + spread(number, 213, 7), microseconds=spread(number, 214, 65536) * 15),
        "device": DEVICES[spread(number, 215, len(DEVICES))],
        "geo": "US",
        "url": f"{SHOP}/aisles/{spread(number, 216, 400)}",
        "referrer": None,
        "utm_source": None,
        "utm_medium": None,
        "utm_campaign": None,
        "metadata": None,
    }
