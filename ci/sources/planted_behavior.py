"""Stories of visits: what the behaviour system records broken, untidy, twice, corrected, or without a name.

A story takes the planter and an instant, and adds rows of sessions of its own; its function's name is the kind's name in the
manifest. Each docstring says what Sluice must do with it. A "touch" is an event with a campaign. Stories of time stand in
`planted_visits_late.py`, those about the touches of real orders in `planted_touches.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import places
from behavior import MEDIA, Row, Values, sample
from events import batch_of, event_id
from journey import Sizes, spread
from planted import ORPHAN_CUSTOMER

MICROSECOND, SECOND, MINUTE, HOUR, DAY = (
    timedelta(microseconds=1), timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1),
)  # fmt: skip
# Real campaigns of the last months, and names that no campaign has.
CAMPAIGNS = ("18", "20", "15", "22", "13", "23", "21", "19")
UNKNOWN_CAMPAIGNS = ("991", "spring & <b>summer</b>")
# History's stories are told on its last day: what goes on a day later arrives with the first batch that follows.
TOLD_ON = (datetime(2017, 12, 29), *(places.WINDOWS[day][0] for day in places.DAYS))

Story = Callable[["Visits", datetime], None]


@dataclass
class Visits:
    """Hands out planted events and keeps account of them."""

    # Customers whom campaigns reach anyway: others have exactly the touches that are planted for their orders.
    customers: list[int]
    rows: list[Row] = field(default_factory=list)
    kind: str = ""
    next_number: int = 1

    def event(self, name: str, at: datetime, **columns: object) -> Values:
        """Returns a new event, in a session of its own unless `session_id` is given."""
        number = self.next_number
        self.next_number += 1
        return sample(number, at, name) | columns

    def touch(self, name: str, at: datetime, campaign: str | None = None, **columns: object) -> Values:
        """Returns a new event with a campaign."""
        campaign = campaign or CAMPAIGNS[self.next_number % len(CAMPAIGNS)]
        source, medium = list(MEDIA.values())[self.next_number % len(MEDIA)]
        marked = {"utm_source": source, "utm_medium": medium, "utm_campaign": campaign}
        return self.event(name, at, **(marked | columns))

    def customer(self) -> str:
        """Returns a customer for the next event."""
        return str(self.customers[spread(self.next_number, 221, len(self.customers))])

    def two_customers(self) -> tuple[str, str]:
        """Returns two different customers for the next events."""
        place = spread(self.next_number, 222, len(self.customers))
        return str(self.customers[place]), str(self.customers[place - 1])

    def publish(self, values: Values, verdict: str = "accepted", batch: str | None = None) -> Values:
        """Publishes a row with the batch in whose window it is loaded, or with a later one; returns it.

        What is loaded after the last day never is.
        """
        loaded_at = values["loaded_at"]
        assert isinstance(loaded_at, datetime)
        batch = batch or batch_of(loaded_at)
        if batch is not None:
            self.rows.append(Row(batch, self.kind, verdict, values))
        return values

    def again(self, values: Values, later: timedelta, **changed: object) -> Values:
        """Returns a row with the same id that is loaded later."""
        return values | {"loaded_at": values["loaded_at"] + later} | changed  # type: ignore[operator]


def tell(visits: Visits, stories: list[Story], sizes: Sizes) -> None:
    """Tells every story on every day, and once in history, each at its own time between 06:00 and 18:00."""
    for told_on in TOLD_ON:
        repeats = 1 if batch_of(told_on) == places.HISTORY else sizes.repeats
        step = timedelta(minutes=700) / (len(stories) * repeats)
        for repeat in range(repeats):
            for place, story in enumerate(stories):
                at = told_on + 6 * HOUR + step * (place * repeats + repeat)
                visits.kind = story.__name__
                story(visits, at.replace(microsecond=(place * 131 + repeat) * 997 % 1_000_000))


def is_last_day(at: datetime) -> bool:
    """Says whether a story that begins at `at` has no later day to go on in."""
    return at >= places.WINDOWS[places.DAYS[-1]][0]


def clean(visits: Visits, at: datetime) -> None:
    """Accepted: a whole session, from a campaign to a purchase."""
    customer = visits.customer()
    first = visits.publish(visits.touch("page_view", at, customer_id=customer))
    for minute, name in enumerate(("search", "add_to_cart", "checkout", "purchase"), start=1):
        details = '{"query": "milk"}' if name == "search" else '{"items": 3, "basket": {"net": 12.50, "lines": [1, 2]}}'
        visits.publish(visits.event(
            name, at + minute * MINUTE, customer_id=customer, session_id=first["session_id"], metadata=details
        ))  # fmt: skip


def exact_duplicate(visits: Visits, at: datetime) -> None:
    """The same row twice or three times: the copies are duplicates."""
    row = visits.publish(visits.touch("page_view", at, customer_id=visits.customer()))
    visits.publish(row, "duplicate")
    if visits.next_number % 2:
        visits.publish(row, "duplicate")


def untidy_duplicate(visits: Visits, at: datetime) -> None:
    """The same row with padding and another case, loaded at the same instant: a duplicate once it is cleaned."""
    row = visits.publish(visits.event("add_to_cart", at, customer_id=visits.customer()))
    untidy = {"event_id": f" {row['event_id']} ", "event_name": "ADD_TO_CART ", "customer_id": f"{row['customer_id']} "}
    visits.publish(row | untidy, "duplicate")


def loaded_again(visits: Visits, at: datetime) -> None:
    """The same event loaded again three hours later, equal otherwise: accepted, the later loading stays."""
    row = visits.publish(visits.touch("page_view", at, customer_id=visits.customer()))
    visits.publish(visits.again(row, 3 * HOUR))


def corrected(visits: Visits, at: datetime) -> None:
    """The same event with another campaign, two hours later: accepted, the correction stays."""
    row = visits.publish(visits.touch("page_view", at, CAMPAIGNS[0], customer_id=visits.customer()))
    visits.publish(visits.again(row, 2 * HOUR, utm_campaign=CAMPAIGNS[1], metadata='{"corrected": true}'))


def corrected_next_day(visits: Visits, at: datetime) -> None:
    """An anonymous event whose correction, a day later, names the customer: both accepted, it is known from then on."""
    row = visits.publish(visits.touch("page_view", at))
    visits.publish(visits.again(row, DAY, customer_id=visits.customer()))


def customer_taken_back(visits: Visits, at: datetime) -> None:
    """The only named event of a session becomes anonymous a day later: all accepted; then nobody of it is known."""
    row = visits.publish(visits.event("checkout", at + 5 * MINUTE, customer_id=visits.customer()))
    visits.publish(visits.touch("page_view", at, session_id=row["session_id"]))
    visits.publish(visits.again(row, DAY, customer_id=None))


def moved_to_another_session(visits: Visits, at: datetime) -> None:
    """The named event of a session moves to another one a day later: accepted. The session that it leaves has no name any
    more, the one that it joins has."""
    left = visits.publish(visits.touch("page_view", at))
    joined = visits.publish(visits.touch("page_view", at + MINUTE))
    named = visits.event("checkout", at + 5 * MINUTE, customer_id=visits.customer(), session_id=left["session_id"])
    visits.publish(named)
    visits.publish(visits.again(named, DAY, session_id=joined["session_id"]))


def broken_correction(visits: Visits, at: datetime) -> None:
    """A later row of the same event that breaks a rule: quarantined, the earlier row stays."""
    row = visits.publish(visits.touch("page_view", at, customer_id=visits.customer()))
    visits.publish(visits.again(row, HOUR, event_name="page-view"), "quarantined")


def untidy(visits: Visits, at: datetime) -> None:
    """Repaired: text trimmed, the event's name lower; metadata keeps its inner blanks."""
    row = visits.touch("page_view", at, " 20  ", customer_id=f" {visits.customer()}", event_name=" Page_View ")
    padded = {"session_id": f"{row['session_id']} ", "device": "  mobile", "geo": " US ", "metadata": ' {"a":  1} '}
    visits.publish(row | padded)
    visits.publish(visits.event("SEARCH", at + MINUTE, session_id=row["session_id"]))


def nulls_as_text(visits: Visits, at: datetime) -> None:
    """Repaired: a null token in an optional column is null, so this is anonymous and no touch."""
    tokens = {"customer_id": "N/A", "device": "null", "geo": "NaN", "url": "", "referrer": " none ", "utm_source": "n/a",
              "utm_medium": "None", "utm_campaign": "NULL", "metadata": "null"}  # fmt: skip
    visits.publish(visits.event("page_view", at, **tokens))


def unknown_event_name(visits: Visits, at: datetime) -> None:
    """A name that nobody knows: quarantined."""
    name = ("scroll", "page view", "purchases")[visits.next_number % 3]
    visits.publish(visits.touch(name, at, customer_id=visits.customer()), "quarantined")


def missing_event_id(visits: Visits, at: datetime) -> None:
    """No id, or a null token: quarantined."""
    missing = (None, "none")[visits.next_number % 2]
    visits.publish(visits.touch("page_view", at, event_id=missing, customer_id=visits.customer()), "quarantined")


def missing_session_id(visits: Visits, at: datetime) -> None:
    """No session, or a null token: quarantined."""
    missing = (None, "")[visits.next_number % 2]
    visits.publish(visits.touch("page_view", at, session_id=missing, customer_id=visits.customer()), "quarantined")


def missing_event_name(visits: Visits, at: datetime) -> None:
    """No name, or a null token: quarantined."""
    name = (None, "N/A")[visits.next_number % 2]
    visits.publish(visits.event("page_view", at, customer_id=visits.customer()) | {"event_name": name}, "quarantined")


def missing_event_ts(visits: Visits, at: datetime) -> None:
    """No time: quarantined."""
    visits.publish(visits.event("page_view", at, customer_id=visits.customer()) | {"event_ts": None}, "quarantined")


def out_of_calendar(visits: Visits, at: datetime) -> None:
    """A microsecond before the first instant of the calendar, or the first after it: quarantined."""
    for happened in (datetime(1999, 1, 2) - MICROSECOND, datetime(2036, 1, 1)):
        row = visits.touch("page_view", at, customer_id=visits.customer())
        visits.publish(row | {"event_ts": happened}, "quarantined")


def edges_of_calendar(visits: Visits, at: datetime) -> None:
    """The first instant of the calendar is far behind the late window: held. The last one, in the future: accepted."""
    first, last = (visits.touch("page_view", at, customer_id=visits.customer()) for _ in range(2))
    visits.publish(first | {"event_ts": datetime(1999, 1, 2)}, "held")
    visits.publish(last | {"event_ts": datetime(2036, 1, 1) - MICROSECOND})


def orphan_customer(visits: Visits, at: datetime) -> None:
    """A customer that CUSTOMERS lacks: accepted; orders of that customer stay unattributed."""
    visits.publish(visits.touch("page_view", at - 3 * HOUR, customer_id=str(ORPHAN_CUSTOMER)))


def unknown_campaign(visits: Visits, at: datetime) -> None:
    """A campaign that CAMPAIGNS lacks: accepted, a touch like any other, without cost."""
    for campaign in UNKNOWN_CAMPAIGNS:
        visits.publish(visits.touch("page_view", at, campaign, customer_id=visits.customer()))


def never_named(visits: Visits, at: datetime) -> None:
    """A session without any name: accepted, and nobody's."""
    row = visits.publish(visits.touch("page_view", at))
    visits.publish(visits.event("search", at + MINUTE, session_id=row["session_id"]))


def two_customers(visits: Visits, at: datetime) -> None:
    """Two customers in one session: what is anonymous, also what comes later, belongs to the first; named events keep theirs."""
    first, other = visits.two_customers()
    row = visits.publish(visits.touch("page_view", at))
    for minute, customer in enumerate((first, None, other, None), start=1):
        visits.publish(visits.touch(
            "page_view", at + minute * MINUTE, customer_id=customer, session_id=row["session_id"]
        ))  # fmt: skip


def named_at_one_instant(visits: Visits, at: datetime) -> None:
    """Two names at one instant: the event with the lower id, compared as bytes, decides."""
    customers = visits.two_customers()
    row = visits.publish(visits.touch("page_view", at))
    # Lower as bytes is the upper-case letter, lower in a dictionary the other one.
    for place, head in enumerate(("a", "B") if visits.next_number % 2 else ("B", "a")):
        named = {"customer_id": customers[place], "session_id": row["session_id"]}
        own_id = head + event_id("named", row["event_id"], place)[1:]
        visits.publish(visits.event("checkout", at + 5 * MINUTE, event_id=own_id, **named))


def purchase_past_midnight(visits: Visits, at: datetime) -> None:
    """A purchase at 02:30 UTC: in New York it is still the day before."""
    night = at.replace(hour=2, minute=30)
    customer = visits.customer()
    row = visits.publish(visits.touch("page_view", night - 3 * HOUR, customer_id=customer))
    visits.publish(visits.event("purchase", night, customer_id=customer, session_id=row["session_id"]))


STORIES: list[Story] = [
    clean, exact_duplicate, untidy_duplicate, loaded_again, corrected, corrected_next_day, customer_taken_back,
    moved_to_another_session, broken_correction, untidy, nulls_as_text, unknown_event_name, missing_event_id,
    missing_session_id, missing_event_name, missing_event_ts, out_of_calendar, edges_of_calendar, orphan_customer,
    unknown_campaign, never_named, two_customers, named_at_one_instant, purchase_past_midnight,
]  # fmt: skip
