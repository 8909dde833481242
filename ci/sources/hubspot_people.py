"""Who stands in HubSpot: contacts of the warehouse's customers and of others, and companies, as untidy as people type them.

A contact shares its e-mail with its customer. All its other personal values are made of a number of its own, so that a
search knows which system a value came from.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import identities
from hubspot_world import Properties
from journey import spread

# Numbers of which contacts are made: all customers' and changed customers' are below, names repeat from 8,000 on.
FIRST_CONTACT_NUMBER = 4_000
FIRST_CHANGED_NUMBER = 7_200
LAST_NUMBER = 7_999
LIFECYCLE_STAGES = (
    "subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer", "evangelist", "other",
)  # fmt: skip
LEAD_STATUSES = ("NEW", "OPEN", "IN_PROGRESS", "OPEN_DEAL", "UNQUALIFIED", "CONNECTED", "BAD_TIMING")
ANALYTICS_SOURCES = (
    "ORGANIC_SEARCH", "PAID_SEARCH", "EMAIL_MARKETING", "SOCIAL_MEDIA", "REFERRALS", "DIRECT_TRAFFIC", "OFFLINE",
)  # fmt: skip
OWNERS = ("41270931", "41270932", "5003317", "1199246")
# What Silver cannot read, and makes null.
UNREADABLE_INCOMES = ("about 50k", "61500.125", "-")
UNREADABLE_BIRTH_DATES = ("1971-13-03", "spring of 1971", "1968-02-30")
UNKNOWN_COUNTRY = "Wonderland"

COMPANY_HEADS = (
    "Anvilgate", "Brassmoor", "Coppervale", "Dunlark", "Emberfield", "Flintshore", "Glasswick", "Hazelport", "Ironvale",
    "Juttland", "Keystrand", "Lanternhall", "Mosswater",
)  # fmt: skip
COMPANY_TAILS = (
    "Analytics",
    "Bakeries",
    "Cargo",
    "Dairies",
    "Energy",
    "Farms",
    "Grocers",
    "Hotels",
    "Insurance",
    "Joinery",
)
COMPANY_FORMS = ("Inc", "LLC", "Ltd", "GmbH", "AG")
INDUSTRIES = (
    "RETAIL",
    "FOOD_PRODUCTION",
    "LOGISTICS_AND_SUPPLY_CHAIN",
    "HOSPITALITY",
    "INSURANCE",
    "COMPUTER_SOFTWARE",
)
COMPANY_COUNTRIES = ("US", "US", "US", "CA", "GB", "DE", "CH")
UNREADABLE_EMPLOYEES = "about forty"


def contact_id(place: int) -> int:
    """Returns a contact's id. Some have a digit more, so that ids as text stand in another order than as numbers."""
    return (51_000_000 if spread(place, 201, 3) else 100_000_000) + 37 * place + spread(place, 202, 37)


def company_id(place: int) -> int:
    """Returns a company's id, some with more digits."""
    return (8_400_000_000 if spread(place, 203, 2) else 10_200_000_000) + 53 * place + spread(place, 204, 53)


def contact(number: int, email: str | None, customer: object) -> Properties:
    """Returns the properties of a contact; `number` (unique) is what its unique values are made of."""
    if not FIRST_CONTACT_NUMBER <= number <= LAST_NUMBER:
        raise AssertionError(f"{number} is no contact's number: names would repeat")
    country = ("US", "US", "US", "US", "US", "US", "US", "CA", "GB", "DE", "CH")[spread(number, 211, 11)]
    first, last = identities.names(number)
    home = identities.home(country, number)
    own_email = identities.email(first, last, number, company=spread(number, 212, 4) == 0)
    spellings = identities.COUNTRY_SPELLINGS[country]
    return {
        "email": email_as_written(email or own_email, number),
        "firstname": (None, "")[number % 2] if spread(number, 213, 40) == 0 else first,
        "lastname": f" {last} " if spread(number, 214, 12) == 0 else last,
        "phone": identities.phone_as_written(identities.phone(country, number), number),
        "address": f" {home['ADDRESS']}  " if spread(number, 215, 12) == 0 else str(home["ADDRESS"]),
        "city": f"{home['CITY']} " if spread(number, 216, 12) == 0 else str(home["CITY"]),
        "state": str(home["STATE"]).lower() if spread(number, 217, 12) == 0 else str(home["STATE"]),
        "zip": str(home["ZIP"]),
        "country": UNKNOWN_COUNTRY if spread(number, 218, 45) == 0 else spellings[spread(number, 219, len(spellings))],
        "date_of_birth": _birth_date_as_written(number),
        "annual_income": _income_as_written(number),
        "external_customer_id": None if customer is None else customer_as_written(customer, number),
        "lifecyclestage": stage_as_written(LIFECYCLE_STAGES[spread(number, 220, len(LIFECYCLE_STAGES))], number),
        "hs_lead_status": ("", None)[number % 2]
        if spread(number, 221, 5) == 0
        else LEAD_STATUSES[spread(number, 222, 7)],
        "hs_analytics_source": ANALYTICS_SOURCES[spread(number, 223, 7)],
        "hubspot_owner_id": None if spread(number, 224, 6) == 0 else OWNERS[spread(number, 225, 4)],
    } | _unknown_properties(number)


def email_as_written(email: str, number: int) -> str:
    """Returns an address as somebody typed it."""
    return (f" {email.upper()}", f"{email.title()} ", email, email, email, email, email)[spread(number, 226, 7)]


def customer_as_written(customer: object, number: int) -> str:
    """Returns a customer's number, here and there with blanks."""
    return f" {customer} " if spread(number, 227, 12) == 0 else str(customer)


def stage_as_written(stage: str, number: int) -> str:
    """Returns a lifecycle stage, here and there in another case and with blanks."""
    return (f" {stage.title()}", f"{stage.upper()} ", stage, stage, stage, stage, stage, stage)[spread(number, 228, 8)]


def new_phone(number: int) -> str:
    """Returns a phone number that Silver can read."""
    return identities.phone("US", number)


def new_email(number: int) -> str:
    """Returns an address that nobody else has."""
    first, last = identities.names(number)
    return identities.email(first, last, number, company=number % 2 == 0)


def _birth_date_as_written(number: int) -> str | None:
    born = identities.birth_date(number, None).isoformat()
    unreadable = UNREADABLE_BIRTH_DATES[number % 3]
    return {0: None, 1: "", 2: unreadable, 3: f" {born}"}.get(spread(number, 229, 30), born)


def _income_as_written(number: int) -> str | None:
    income = 18_000 + 250 * spread(number, 230, 800)
    choices = {0: None, 1: "", 2: UNREADABLE_INCOMES[number % 3], 3: f" {income} ", 4: f"{income}.00", 5: f"{income}.5"}
    return choices.get(spread(number, 231, 24), str(income))


def _unknown_properties(number: int) -> Properties:
    """Properties that no contract names."""
    if spread(number, 232, 8):
        return {}
    aisle = ("Bakery", "Pet food", "")[number % 3]
    return {"hs_email_optout": "false", "favourite_aisle": aisle, "legacy_score": str(number % 100)}


def born_before(updated_at: datetime, number: int) -> datetime:
    """Returns when an object was created: up to three years before it was last changed."""
    return updated_at - timedelta(days=1 + spread(number, 233, 1000), seconds=spread(number, 234, 86_400))


def company(place: int) -> Properties:
    """Returns the properties of a company."""
    head, tail = (
        COMPANY_HEADS[place // len(COMPANY_TAILS) % len(COMPANY_HEADS)],
        COMPANY_TAILS[place % len(COMPANY_TAILS)],
    )
    name = f"{head} {tail} {COMPANY_FORMS[spread(place, 241, len(COMPANY_FORMS))]}"
    domain = f"{head}-{tail}.example".lower()
    employees, revenue = 5 + spread(place, 242, 900), 150_000 + 12_500 * spread(place, 243, 4_000)
    return {
        "name": f" {name}  " if spread(place, 244, 10) == 0 else name,
        "domain": f" {domain.title()}" if spread(place, 245, 6) == 0 else domain,
        "industry": (None, "")[place % 2]
        if spread(place, 246, 9) == 0
        else INDUSTRIES[spread(place, 247, len(INDUSTRIES))],
        "country": COMPANY_COUNTRIES[spread(place, 248, len(COMPANY_COUNTRIES))],
        "numberofemployees": {0: "", 1: f" {employees} "}.get(spread(place, 249, 9), str(employees)),
        "annualrevenue": {0: None, 1: "", 2: f"{revenue}.75"}.get(spread(place, 250, 11), str(revenue)),
    }
