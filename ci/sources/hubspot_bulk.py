"""A large account for measuring: 60,000 contacts, of which 25,000 were changed in the same millisecond, as bulk edits do it.

`Bulk.population` is what it holds at first, `Bulk.changes` what then happens on 2017-12-30. Both are rows as in a batch's
files, so that whoever measures can compute from them what must arrive. Nothing of it is in the demo.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hubspot_properties import TEXT
from hubspot_world import ASSOCIATIONS, BRANCHES, COMPANIES, CONTACTS, DELETED, MERGED, TYPES
from journey import spread

CONTACT_COUNT, COMPANY_COUNT, BRANCH_COUNT = 60_000, 200, 9
# Below it the places of those to which something happens would not all be there; of such a multiple the contact with three
# pages of associations has none of its own.
CONTACT_COUNT_MIN, CONTACT_COUNT_STEP = 3_000, 6
SAME_MILLISECOND = datetime(2017, 6, 15, 12, 0, 0, 123_000)
START, DAY = datetime(2017, 1, 1), datetime(2017, 12, 30)
# Properties of the account's own: so many that no URL holds their names.
SURVEY_COUNT = 400
# Associations of the one contact that has three pages of them.
MANY_COMPANIES = 12
PRIMARY, PLAIN = [TYPES["primary"], TYPES["plain"]], [TYPES["plain"]]
# Places of the contacts to which something happens, and what; see `changes`.
EDITED, EDITED_LAST, ARCHIVED = range(1_100, 1_500), range(300, 350), range(400, 450)
REMOVED, LOSERS, WINNERS = range(500, 540), range(600, 620), range(700, 720)
UNLINKED, SWITCHED, LINKED = range(900, 960, 3), range(960, 1_020, 3), range(1_021, 1_081, 3)
# Places of contacts to which nothing happens: whoever measures has the lists leave them out.
UNLISTED = range(1_600, 2_200)

Rows = dict[str, list[dict]]


def survey_property(number: int) -> str:
    """Returns the name of one of the account's own properties."""
    return f"survey_answer_of_question_{number:03d}"


def survey_properties() -> dict[str, str]:
    """Returns the account's own properties with their types."""
    return {survey_property(number): TEXT for number in range(SURVEY_COUNT)}


def contact_id(place: int) -> int:
    """Returns a contact's id; a third of them have fewer digits than the others."""
    return 900_000_000 + 11 * place if place % 3 == 0 else 20_100_000_000 + 7 * place


def company_id(place: int) -> int:
    """Returns a company's id."""
    return 7_000_000 + 13 * (place % COMPANY_COUNT)


@dataclass(frozen=True)
class Bulk:
    """An account of so many contacts."""

    contacts: int = CONTACT_COUNT

    def __post_init__(self) -> None:
        if self.contacts < CONTACT_COUNT_MIN or self.contacts % CONTACT_COUNT_STEP:
            raise ValueError(f"a bulk account has at least {CONTACT_COUNT_MIN} contacts, a multiple of {CONTACT_COUNT_STEP}")

    @property
    def same_millisecond(self) -> int:
        """How many contacts were last changed in one millisecond."""
        return self.contacts * 5 // 12

    @property
    def many(self) -> int:
        """The place of the contact with three pages of associations."""
        return self.contacts // 2 + 1

    def updated_at(self, place: int) -> datetime:
        """Returns when a contact was last changed before 2017-12-30."""
        if place < self.same_millisecond:
            return SAME_MILLISECOND
        return START + timedelta(
            days=spread(place, 271, 360), seconds=spread(place, 272, 65_536), milliseconds=place % 1000
        )

    def population(self) -> Rows:
        """Returns what the account holds at first."""
        companies = [
            {
                "id": company_id(place), "properties": {"name": f"Company {place}", "domain": f"company-{place}.example"},
                "created_at": START, "updated_at": START + timedelta(hours=place), "archived": False,
            }
            for place in range(COMPANY_COUNT)
        ]  # fmt: skip
        pairs = [_pair(place, place // 3, PRIMARY) for place in range(0, self.contacts, 3)]
        pairs += [_pair(self.many, place, PRIMARY if place == 7 else PLAIN) for place in range(MANY_COMPANIES)]
        contacts = [contact(place, self.updated_at(place)) for place in range(self.contacts)]
        return {CONTACTS: contacts, COMPANIES: companies, BRANCHES: branches(), ASSOCIATIONS: pairs}

    def changes(self) -> Rows:
        """Returns what happens on 2017-12-30: edits, some of them in its last ten minutes, and what only a sweep finds."""
        noon, late = DAY + timedelta(hours=12), DAY + timedelta(hours=23, minutes=50)
        contacts = [_edited(place, noon + timedelta(seconds=place)) for place in EDITED]
        contacts += [_edited(place, late + timedelta(seconds=place)) for place in EDITED_LAST]
        contacts += [contact(place, self.updated_at(place), archived=True, archived_at=noon) for place in ARCHIVED]
        contacts += [contact(place, noon, properties={}, gone=DELETED) for place in REMOVED]
        for loser, winner in zip(LOSERS, WINNERS, strict=True):
            contacts.append(contact(loser, noon, properties={}, gone=MERGED, merged_into=contact_id(winner)))
            contacts.append(_edited(winner, noon))
        pairs = [_pair(place, place // 3, [], present=False) for place in UNLINKED]
        pairs += [_pair(place, place // 3, PLAIN) for place in SWITCHED]
        pairs += [_pair(place, place, PRIMARY) for place in LINKED]
        # What is archived or gone takes its associations along.
        away = [place for places in (ARCHIVED, REMOVED, LOSERS) for place in places if place % 3 == 0]
        pairs += [_pair(place, place // 3, [], present=False) for place in away]
        return {CONTACTS: contacts, BRANCHES: branch_changes(), ASSOCIATIONS: pairs}


def branches() -> list[dict]:
    """Returns the objects of the account's own type that are there at first."""
    return [branch(place, START + timedelta(days=place)) for place in range(BRANCH_COUNT)]


def branch_changes() -> list[dict]:
    """Returns what happens to them on 2017-12-30: one is edited, one archived, one deleted, one new."""
    noon = DAY + timedelta(hours=12)
    edited = branch(0, noon)
    edited["properties"] |= {"city": "Lübeck"}
    archived = branch(1, START + timedelta(days=1), archived=True, archived_at=noon)
    return [
        edited, archived, branch(2, noon, properties={}, gone=DELETED), branch(BRANCH_COUNT, noon, created_at=noon),
    ]  # fmt: skip


def branch(place: int, at: datetime, **changed: object) -> dict:
    """Returns the row of an object of the account's own type."""
    properties = {"name": f"Branch {place}", "city": ("Bremen", "Graz", "Zürich")[place % 3]}
    row = {"id": 31_000_000 + place, "properties": properties, "created_at": START, "updated_at": at}
    return row | {"archived": False, "archived_at": None, "gone": None, "merged_into": None} | changed


def contact(place: int, at: datetime, **changed: object) -> dict:
    """Returns a contact's row."""
    properties = {
        "email": f"contact.{place}@bulk.example",
        "firstname": f"Given{place}",
        "lastname": f"Family{place}",
        "lifecyclestage": ("lead", "customer", "subscriber")[place % 3],
        survey_property(place % SURVEY_COUNT): f"answer {place}",
        survey_property((place + 199) % SURVEY_COUNT): "yes",
    }
    row = {"id": contact_id(place), "properties": properties, "created_at": START - timedelta(days=1 + place % 900)}
    return row | {"updated_at": at, "archived": False, "archived_at": None, "gone": None, "merged_into": None} | changed


def _edited(place: int, at: datetime) -> dict:
    row = contact(place, at)
    row["properties"] |= {"lifecyclestage": "opportunity", survey_property(0): f"changed {place}"}
    return row


def _pair(contact_place: int, company_place: int, types: list[dict], present: bool = True) -> dict:
    ends = {"contact_id": contact_id(contact_place), "company_id": company_id(company_place)}
    return ends | {"type_ids": types, "present": present}
