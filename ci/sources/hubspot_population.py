"""What HubSpot holds before the first day: a contact for most customers, contacts of nobody, companies, associations.

Some customers have more than one contact, or one that does not say whose it is: each such case is a role with a function of
its own, whose docstring says whose contact counts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import places
from hubspot_people import UNREADABLE_EMPLOYEES
from hubspot_teller import Teller
from hubspot_world import CONTACTS, Thing
from journey import spread

# How many of each there are: contacts of nobody, companies, customers per role.
CONTACTS_OF_NOBODY = {"small": 30, "full": 300}
COMPANY_COUNT = {"small": 14, "full": 120}
ROLE_REPEATS = {"small": 1, "full": 4}
# Customers without any contact that the stories need.
STRANGERS_MIN = 4
# More than two pages of associations (see `hubspot_server`), on one contact.
MANY_COMPANIES = 11
FIRST_UNKNOWN_CUSTOMER = 990_101
# Digits of an id: the lower one as a number is the higher one as text.
SHORT, LONG = 8, 9


def last_changed(number: int) -> datetime:
    """Returns when an object was last changed before the first day: half of them on the first day of 2017.

    That is when the warehouse's customers were written: some contacts are older than their customer's first version, some
    are younger.
    """
    start = places.WINDOWS[places.HISTORY][0]
    days = 0 if spread(number, 261, 2) == 0 else spread(number, 262, 361)
    return start + timedelta(days=days, minutes=spread(number, 263, 1439), milliseconds=spread(number, 264, 60_000))


def populate(teller: Teller) -> None:
    """Fills HubSpot as it stands before the first day."""
    customers = list(teller.emails)
    count = ROLE_REPEATS[teller.sizes.profile] * len(ROLES)
    ordinary, with_role = customers[:-count], customers[-count:]
    # The small slice is so small that chance might leave too few.
    first_stranger = len(ordinary) - STRANGERS_MIN
    for place, customer in enumerate(ordinary):
        if spread(customer, 265, 10) == 0 or (teller.sizes.profile == "small" and place >= first_stranger):
            teller.strangers.append(customer)
            continue
        named = customer if spread(customer, 266, 10) else None
        teller.pool.append(teller.contact(teller.emails[customer], named, last_changed(customer)).id)
    # Contacts of nobody stand between the others, so that stories pick both.
    of_nobody = CONTACTS_OF_NOBODY[teller.sizes.profile]
    for place in range(of_nobody):
        thing = teller.contact(None, None, last_changed(5_000 + place))
        teller.pool.insert(3 + 4 * place, thing.id)
        teller.note("contact_of_nobody", thing.id)
    for place, customer in enumerate(with_role):
        role = ROLES[place % len(ROLES)]
        things = role(teller, customer)
        teller.roles.setdefault(role.__name__, []).extend(things)
        teller.note(f"contact_{role.__name__}", *(thing.id for thing in things))
    for place in range(COMPANY_COUNT[teller.sizes.profile]):
        teller.companies.append(teller.company(last_changed(10_000 + place)).id)
    _unreadable_company(teller)
    _associate(teller)


def shared_email(teller: Teller, customer: int) -> list[Thing]:
    """Two contacts with the customer's e-mail and no customer's number: the lowest id counts, as a number."""
    email = teller.emails[customer]
    return [
        teller.contact(email, None, last_changed(customer + place), digits)
        for place, digits in enumerate((LONG, SHORT))
    ]


def two_named(teller: Teller, customer: int) -> list[Thing]:
    """Two contacts that name the customer: the lowest id counts, as a number."""
    email = teller.emails[customer]
    other = teller.contact(None, customer, last_changed(customer + 1), LONG)
    return [teller.contact(email, customer, last_changed(customer), SHORT), other]


def two_named_lowest_archived(teller: Teller, customer: int) -> list[Thing]:
    """The same, but the lowest one is archived on the second day: the other one counts from then on for the whole history."""
    return two_named(teller, customer)


def named_archived(teller: Teller, customer: int) -> list[Thing]:
    """One names the customer and is archived on the first day, one with a lower id has the e-mail: the first one counts."""
    email = teller.emails[customer]
    named = teller.contact(None, customer, last_changed(customer), LONG)
    return [named, teller.contact(email, None, last_changed(customer + 1), SHORT)]


def named_above_email(teller: Teller, customer: int) -> list[Thing]:
    """One names the customer, one with a lower id has the e-mail: the first one counts."""
    return named_archived(teller, customer)


def unknown_customer(teller: Teller, customer: int) -> list[Thing]:
    """The contact names a customer that nobody knows, and has the e-mail of one that is known: it belongs to that one."""
    unknown = FIRST_UNKNOWN_CUSTOMER + len(teller.roles.get("unknown_customer", []))
    return [teller.contact(teller.emails[customer], unknown, last_changed(customer))]


def archived_before(teller: Teller, customer: int) -> list[Thing]:
    """The only contact was archived before the first day, and comes back on the second: until then it was never seen live."""
    thing = teller.contact(teller.emails[customer], customer, last_changed(customer))
    teller.crm.archive(thing, thing.updated_at + timedelta(hours=30))
    return [thing]


def email_comes_later(teller: Teller, customer: int) -> list[Thing]:
    """A contact of nobody that gets the customer's e-mail on the first day: it belongs to the customer from then on."""
    return [teller.contact(None, None, last_changed(customer))]


def email_goes(teller: Teller, customer: int) -> list[Thing]:
    """A contact that has the customer's e-mail until the second day: from then on it belongs to nobody."""
    return [teller.contact(teller.emails[customer], None, last_changed(customer))]


ROLES: list[Callable[[Teller, int], list[Thing]]] = [
    shared_email, two_named, two_named_lowest_archived, named_archived, named_above_email, unknown_customer, archived_before,
    email_comes_later, email_goes,
]  # fmt: skip


def _unreadable_company(teller: Teller) -> None:
    """A company whose number of employees is no number: quarantined, until it is mended on the second day."""
    thing = teller.company(last_changed(20_000))
    teller.crm.edit(thing, thing.updated_at, numberofemployees=UNREADABLE_EMPLOYEES)
    teller.broken_companies.add(thing.id)
    teller.roles["unreadable_company"] = [thing]
    teller.note("company_unreadable", thing.id)


def _associate(teller: Teller) -> None:
    """Associates about a third of the contacts (half of the few in the small slice).

    One has so many companies that they fill three pages.
    """
    crm = teller.crm
    companies = list(teller.companies)
    with_role = [thing.id for things in teller.roles.values() for thing in things if thing.kind == CONTACTS]
    every = 2 if teller.sizes.profile == "small" else 3
    chosen = with_role + [number for place, number in enumerate(teller.pool) if place % every == 1]
    for place, number in enumerate(chosen):
        first, second = (companies[(spread(number, salt, 5_000) + place) % len(companies)] for salt in (267, 268))
        crm.pairs[number, first] = ("primary", "plain")
        if place % 3 == 1 and first != second:
            crm.pairs[number, second] = ("plain", "decision_maker") if place % 2 else ("plain",)
        if place % 10 == 7:
            # Several companies, and none of them is the primary one.
            crm.pairs[number, first] = ("plain",)
            teller.note("associations_without_primary", number)
    many = teller.pool.pop(teller.pool.index(chosen[-1]))
    for pair in crm.companies_of(crm.objects[CONTACTS][many]):
        del crm.pairs[pair]
    # From the end of the list: stories archive and merge companies from its beginning.
    for place, company in enumerate(companies[-MANY_COMPANIES:]):
        crm.pairs[many, company] = ("primary", "plain") if place == MANY_COMPANIES // 2 else ("plain",)
    teller.roles["many_companies"] = [crm.objects[CONTACTS][many]]
    teller.note("associations_three_pages", many)
