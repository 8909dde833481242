"""The business constants that the definitions name, in the oracle's own words.

They are written down here a second time on purpose: a wrong list in a contract or in `policy.yaml` must not be able to
agree with itself.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

BUSINESS_TIME_ZONE = "America/New_York"


@dataclass(frozen=True)
class Window:
    """One run: the batch that the sources publish before it, and the half-open UTC interval [start, stop) it ingests."""

    batch: str
    start: datetime
    stop: datetime

    @property
    def ingest_date(self):
        """`_ingest_date` is the date of the window's last instant."""
        return (self.stop - timedelta(days=1)).date()

    @property
    def late_from(self):
        """The first instant that is not held: the late window, counted back from the end of the window's first day.

        Of a window of one day that is "measured against `_ingest_date`". A window of history is as long as what it reads is old:
        counted back from its last day, all but a week of it would be held.
        """
        return self.start + timedelta(days=1) - LATE_WINDOW


WINDOWS = (
    Window("history", datetime(2017, 1, 1), datetime(2017, 12, 30)),
    Window("2017-12-30", datetime(2017, 12, 30), datetime(2017, 12, 31)),
    Window("2017-12-31", datetime(2017, 12, 31), datetime(2018, 1, 1)),
    Window("2018-01-01", datetime(2018, 1, 1), datetime(2018, 1, 2)),
)

# "window [FROM - 2 h, TO) on UPDATED_AT", "[FROM - 90 days, TO)", "at most 7 days old", "the late window of 7 days",
# "more than 24 h after the event".
WAREHOUSE_LOOKBACK = timedelta(hours=2)
FX_LOOKBACK = timedelta(days=90)
RATE_AGE_DAYS_MAX = 7
LATE_WINDOW = timedelta(days=7)
LATE_AFTER = timedelta(hours=24)

# "A window reads loaded_at in [FROM - 2 h, TO)", "objects whose cursor lies in [FROM - 1 h, TO)".
BEHAVIOR_LOOKBACK = timedelta(hours=2)
HUBSPOT_LOOKBACK = timedelta(hours=1)

# "accepted are instants t with 1999-01-02T00:00:00Z <= t < 2036-01-01T00:00:00Z": gold_dim_date, "1999-01-01 to 2035-12-31", holds
# their business dates.
CALENDAR_START, CALENDAR_END = datetime(1999, 1, 2), datetime(2036, 1, 1)

# "Null tokens (case-insensitive, after trim)".
NULL_TOKENS = ("", "null", "n/a", "none", "nan")

# "currency (ISO list: USD EUR GBP CAD CHF and all ECB currencies)".
CURRENCIES = frozenset(
    "EUR USD JPY BGN CYP CZK DKK EEK GBP HUF LTL LVL MTL PLN ROL RON SEK SIT SKK CHF ISK NOK HRK RUB TRL TRY AUD BRL CAD "
    "CNY HKD IDR ILS INR KRW MXN MYR NZD PHP SGD THB ZAR".split()
)

# "rank PLACED < PAID < SHIPPED < DELIVERED < RETURNED (also partial) < CANCELLED; the highest rank reached wins".
STATUS_RANK = {"PLACED": 1, "PAID": 2, "SHIPPED": 3, "DELIVERED": 4, "RETURNED": 5, "CANCELLED": 6}
EVENT_TYPES = frozenset(STATUS_RANK)

# "event_name page_view | search | add_to_cart | coupon_view | checkout | purchase".
BEHAVIOR_EVENTS = ("page_view", "search", "add_to_cart", "coupon_view", "checkout", "purchase")

# "[ordered_at - 30 days, ordered_at)", "2^(-seconds before / 604800), rounded to 12 decimals".
TOUCH_WINDOW = timedelta(days=30)
HALF_LIFE_SECONDS = 604800
WEIGHT_DIGITS = 12
MODELS = ("first_touch", "last_touch", "linear", "time_decay", "position_based")
UNATTRIBUTED = "unattributed"

# "distinct customers over sales (null when below 5)", "fewer than two: 30 days", "tenure_days / 30.4375".
CUSTOMERS_SHOWN_MIN = 5
DAYS_BETWEEN_ORDERS_DEFAULT = 30
DAYS_PER_MONTH = 30.4375

# "Consumer e-mail domains are a list in `policy.yaml`" (the domains that the identities are spread over).
CONSUMER_DOMAINS = frozenset("gmail.com yahoo.com outlook.com hotmail.com icloud.com".split())

# "income band (as in demographics, else `unknown`)".
INCOME_BANDS = frozenset(
    (
        "Under 15K",
        "15-24K",
        "25-34K",
        "35-49K",
        "50-74K",
        "75-99K",
        "100-124K",
        "125-149K",
        "150-174K",
        "175-199K",
        "200-249K",
        "250K+",
    )
)

SUPPRESSED = "suppressed"
GROUP_SIZE_MIN = 5

COUNTRY_CODES = frozenset(
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC "
    "CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD "
    "GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH "
    "KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW "
    "MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC "
    "SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY "
    "UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW".split()
)

# "country -> ISO-3166 alpha-2": the names under which the markets' countries are written.
COUNTRY_NAMES = {
    "usa": "US",
    "u.s.": "US",
    "u.s.a.": "US",
    "united states": "US",
    "united states of america": "US",
    "america": "US",
    "can": "CA",
    "canada": "CA",
    "gbr": "GB",
    "uk": "GB",
    "u.k.": "GB",
    "united kingdom": "GB",
    "great britain": "GB",
    "england": "GB",
    "deu": "DE",
    "germany": "DE",
    "deutschland": "DE",
    "che": "CH",
    "switzerland": "CH",
    "schweiz": "CH",
    "suisse": "CH",
}
