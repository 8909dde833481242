"""Makes contacts and companies, picks those that a story changes, and keeps account of what the stories did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import hubspot_people as people
import places
from hubspot_world import COMPANIES, CONTACTS, Crm, Thing
from journey import Sizes, spread
from manifest import RowKinds

Wanted = Callable[[Thing], bool]


@dataclass
class Teller:
    """One run of the stories over all batches."""

    crm: Crm
    sizes: Sizes
    # Customers with their e-mail before the first day; those whose change matters most come first.
    emails: dict[int, str]
    batch: str = places.HISTORY
    known_emails: frozenset[str] = frozenset()
    # Contacts, and companies, that any story may pick, in turn.
    pool: list[int] = field(default_factory=list)
    companies: list[int] = field(default_factory=list)
    # Contacts that stand for a role: only their own stories change them.
    roles: dict[str, list[Thing]] = field(default_factory=dict)
    # Customers that no contact belongs to.
    strangers: list[int] = field(default_factory=list)
    kinds: RowKinds = field(default_factory=dict)
    # (batch, purpose) -> ids that are taken
    reserved: dict[tuple[str, str], set[int]] = field(default_factory=dict)
    # (story, batch) -> what the story goes on with in that batch
    promised: dict[tuple[str, str], list[Thing]] = field(default_factory=dict)
    # Companies that Silver quarantines each time they land.
    broken_companies: set[int] = field(default_factory=set)
    places_used: int = 0
    companies_used: int = 0
    numbers_used: int = 0

    def __post_init__(self) -> None:
        self.known_emails = frozenset(self.emails.values())

    @property
    def start(self) -> datetime:
        """When the batch's window begins."""
        return places.WINDOWS[self.batch][0]

    @property
    def end(self) -> datetime:
        """When the batch's window ends."""
        return places.WINDOWS[self.batch][1]

    @property
    def has_next_day(self) -> bool:
        """Whether a story that begins in this batch can go on in another one."""
        return self.batch != places.DAYS[-1]

    @property
    def next_batch(self) -> str:
        """The batch after this one."""
        return places.BATCHES[places.BATCHES.index(self.batch) + 1]

    def at(self, thing: Thing, hours: float) -> datetime:
        """Returns an instant so long after the window begins, with milliseconds of the object's own."""
        return self.start + timedelta(hours=hours, milliseconds=spread(thing.id, 251, 60_000))

    def number(self) -> int:
        """Returns a number of which one new value is made."""
        self.numbers_used += 1
        return people.FIRST_CHANGED_NUMBER + self.numbers_used

    def note(self, kind: str, *keys: object) -> None:
        """Keeps account of what a story did."""
        self.kinds.setdefault(self.batch, {}).setdefault(kind, []).extend(map(str, keys))

    def contact(self, email: str | None, customer: object, at: datetime, digits: int | None = None) -> Thing:
        """Adds a contact that was last changed `at`, with an id of so many digits."""
        self.places_used += 1
        while digits and len(str(people.contact_id(self.places_used))) != digits:
            self.places_used += 1
        number = people.FIRST_CONTACT_NUMBER + self.places_used
        if number >= people.FIRST_CHANGED_NUMBER:
            raise AssertionError("more contacts than numbers to make them of")
        properties = people.contact(number, email, customer)
        created_at = people.born_before(at, number) if self.batch == places.HISTORY else at
        return self.crm.add(CONTACTS, people.contact_id(self.places_used), properties, created_at, at)

    def company(self, at: datetime) -> Thing:
        """Adds a company that was last changed `at`."""
        self.companies_used += 1
        properties = people.company(self.companies_used - 1)
        created_at = people.born_before(at, self.companies_used) if self.batch == places.HISTORY else at
        return self.crm.add(COMPANIES, people.company_id(self.companies_used), properties, created_at, at)

    def belongs_to_somebody(self, thing: Thing) -> bool:
        """Whether a contact names a customer, or has the e-mail of one."""
        email = str(thing.properties.get("email") or "").strip().lower()
        return bool(thing.properties.get("external_customer_id")) or email in self.known_emails

    def pick(self, wanted: Wanted | None = None, hold: bool = False, purpose: str = "edit") -> Thing:
        """Returns the next live contact that nothing else picks for `purpose` in this batch, nor in the next one: `hold`."""
        thing = self._take(CONTACTS, self.pool, wanted, hold, purpose)
        if thing is None:
            raise AssertionError(f"{self.batch}: no contact is left to pick")
        return thing

    def pick_customers(self, hold: bool = False) -> Thing:
        """Returns a contact of a customer while there is one, since only those show in Gold."""
        return self._take(CONTACTS, self.pool, self.belongs_to_somebody, hold, "edit") or self.pick(hold=hold)

    def pick_nobodys(self, hold: bool = False) -> Thing:
        """Returns a contact of nobody while there is one, for what does not show in Gold."""
        nobodys = self._take(CONTACTS, self.pool, lambda thing: not self.belongs_to_somebody(thing), hold, "edit")
        return nobodys or self.pick(hold=hold)

    def pick_company(self, wanted: Wanted | None = None, hold: bool = False, purpose: str = "edit") -> Thing | None:
        """Returns the next live company that nothing else picks for `purpose`, if there is one."""
        return self._take(COMPANIES, self.companies, wanted, hold, f"company {purpose}")

    def _take(self, kind: str, pool: list[int], wanted: Wanted | None, hold: bool, purpose: str) -> Thing | None:
        batches = [self.batch, self.next_batch] if hold else [self.batch]
        for place, number in enumerate(pool):
            thing = self.crm.objects[kind][number]
            free = all(number not in self.reserved.get((batch, purpose), ()) for batch in batches)
            if thing.live and free and (wanted is None or wanted(thing)):
                pool.append(pool.pop(place))
                for batch in batches:
                    self.reserved.setdefault((batch, purpose), set()).add(number)
                return thing
        return None

    def kept(self, story: str) -> list[Thing]:
        """Returns what a story began on the day before, once."""
        return self.promised.pop((story, self.batch), [])

    def promise(self, story: str, thing: Thing) -> None:
        """Keeps what a story goes on with on the next day."""
        self.promised.setdefault((story, self.next_batch), []).append(thing)
