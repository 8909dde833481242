"""Made-up people for the real households: who they are, and how untidily the old warehouse wrote them down.

Every personal value is unique, and made so that it occurs nowhere else by chance: names are made of syllables that no
product text holds, cards pass Luhn's check, birth dates lie before the first exchange rate. `person` gives the clean
value and `as_written` the column as the source holds it; the standardisers of Silver lead from one to the other.
"""

from __future__ import annotations

from datetime import date, timedelta

from journey import spread

FIRST_HEADS = (
    "Ado", "Bre", "Cori", "Dal", "Elo", "Fenna", "Gwe", "Hali", "Ilo", "Jora", "Kess", "Lumi", "Mave", "Nadi",
    "Orla", "Pell", "Quen", "Rho", "Sati", "Tavi",
)  # fmt: skip
FIRST_MIDDLES = (
    "ba", "de", "fi", "go", "hu", "ja", "ke", "li", "mo", "nu", "pa", "re", "si", "to", "vu", "wa", "xe", "yi",
    "zo", "lo",
)  # fmt: skip
FIRST_TAILS = (
    "belle", "dric", "fyn", "gard", "helm", "iah", "jarn", "kell", "lyn", "mira", "nor", "pher", "quill", "ris",
    "seth", "trix", "vyn", "wyn", "xia", "zara",
)  # fmt: skip
LAST_HEADS = (
    "Abren", "Bolvi", "Crand", "Dromi", "Esker", "Falva", "Grint", "Hobar", "Ivers", "Jolda", "Kamro", "Lenk",
    "Morve", "Nuvol", "Ostra", "Prind", "Quorn", "Rusk", "Stavel", "Torv",
)  # fmt: skip
LAST_MIDDLES = (
    "a", "e", "i", "o", "u", "ai", "ei", "ou", "ya", "ye", "yo", "ua", "ue", "io", "ea", "oa", "au", "ie", "eo",
    "oi",
)  # fmt: skip
LAST_TAILS = (
    "bexley", "chford", "dunstan", "fisk", "ghast", "hurstan", "jovic", "kvist", "lomond", "mquist", "nstrom",
    "pworth", "rquist", "skov", "thwaite", "uvard", "vik", "wexley", "yskin", "zberg",
)  # fmt: skip
STREETS = (
    "Alderbrook Lane", "Birchmoor Road", "Cinderhill Way", "Dovecote Street", "Elmsgate Avenue",
    "Foxglove Court", "Gravelpit Road", "Heronsfoot Drive", "Ivybank Terrace", "Juniper Crossing", "Kestrel Rise",
    "Larkspur Close",
)  # fmt: skip
CONSUMER_DOMAINS = ("gmail.com", "yahoo.com", "outlook.com", "hotmail.com", "icloud.com")
COMPANY_DOMAINS = (
    "brightwell-logistics.com",
    "norvane.io",
    "tessel-works.com",
    "quayside-foods.com",
    "halden-group.com",
)

# country -> (city, state, zip) choices. Few states, so that some groups of quasi-identifiers are large enough to show.
PLACES = {
    "US": (("Cincinnati", "OH", "45202"), ("Louisville", "KY", "40202"), ("Columbus", "OH", "43004"),
           ("Lexington", "KY", "40507"), ("Cleveland", "OH", "44101"), ("Indianapolis", "IN", "46204")),
    "CA": (("Toronto", "ON", "M5H 2N2"), ("Ottawa", "ON", "K1P 1J1")),
    "GB": (("Leeds", "ENG", "LS1 4DY"), ("Glasgow", "SCT", "G1 1XQ")),
    "DE": (("Hamburg", "HH", "20095"), ("Munich", "BY", "80331")),
    "CH": (("Zurich", "ZH", "8001"), ("Basel", "BS", "4051")),
}  # fmt: skip
COUNTRY_SPELLINGS = {
    "US": ("US", "usa", "United States", " us ", "USA"),
    "CA": ("CA", "Canada", "canada "),
    "GB": ("GB", "United Kingdom", "gb"),
    "DE": ("DE", "Germany", " germany"),
    "CH": ("CH", "Switzerland", "ch "),
}
INCOME_BANDS = ("Under 15K", "15-24K", "25-34K", "35-49K", "50-74K", "75-99K", "100-124K", "125-149K", "150-174K",
                "175-199K", "200-249K", "250K+")  # fmt: skip
# Customers who share country, state, decade and income band in a state that nobody else lives in: wherever the others
# move, one too few to be shown. By id, the numbers that they are made of: between real customers and those of `changes`.
NEIGHBOURS = {910_001: 2_901, 910_002: 2_902, 910_003: 2_903, 910_004: 2_904}
NEIGHBOURHOOD: dict[str, object] = {"CITY": "Detroit", "STATE": "MI", "ZIP": "48201"}
NEIGHBOURS_BORN_FROM = date(1971, 5, 3)
ACQUISITION_SOURCES = ("organic", "referral", "email", "social", "paid search", "store")
NULL_TEXTS = ("N/A", "null", "", " none ", "NaN")
# The youngest and the oldest at the end of 2017, by the band of the demographics.
AGE_BANDS = {
    "19-24": (19, 24),
    "25-34": (25, 34),
    "35-44": (35, 44),
    "45-54": (45, 54),
    "55-64": (55, 64),
    "65+": (65, 84),
}

Person = dict[str, object]


def person(customer_id: int, number: int, age: str | None, income: str | None, settled: bool) -> Person:
    """Returns the clean attributes of one customer; `number` (unique) is what the unique values are made of.

    `settled` people live in Ohio, but for every sixth one.
    """
    home_country = ("US", "US", "US", "US", "US", "US", "US", "CA", "GB", "DE", "CH")[spread(number, 11, 11)]
    live_at = None
    if settled and spread(number, 19, 6) > 0:
        home_country, live_at = "US", "OH"
    first, last = names(number)
    clean: Person = {
        "CUSTOMER_ID": customer_id,
        "FIRST_NAME": first,
        "LAST_NAME": last,
        "EMAIL": email(first, last, number, company=spread(number, 12, 4) == 0),
        "PHONE": phone(home_country, number),
        "BIRTH_DATE": birth_date(number, age),
        "INCOME_BAND": income,
        "SSN": None if spread(number, 13, 29) == 0 else ssn(number),
        "CREDIT_CARD": None if spread(number, 14, 31) == 0 else credit_card(number),
        "ACQUISITION_SOURCE": ACQUISITION_SOURCES[spread(number, 15, 6)],
    }
    return clean | home(home_country, number, live_at)


def neighbour(customer_id: int) -> tuple[Person, int]:
    """Returns one of `NEIGHBOURS` and the number that it is made of."""
    number = NEIGHBOURS[customer_id]
    born = NEIGHBOURS_BORN_FROM + timedelta(days=spread(number, 18, 365))
    clean = person(customer_id, number, age=None, income=None, settled=False)
    return clean | home("US", number) | NEIGHBOURHOOD | {"BIRTH_DATE": born}, number


def home(country: str, number: int, state: str | None = None) -> Person:
    """Returns an address that no other `number` has, in `state` where one is given."""
    choices = [place for place in PLACES[country] if state in (None, place[1])]
    city, state, postcode = choices[spread(number, 16, len(choices))]
    street = STREETS[number % len(STREETS)]
    house = 11 + number // len(STREETS)
    return {"ADDRESS": f"{house} {street}", "CITY": city, "STATE": state, "ZIP": postcode, "COUNTRY": country}


def names(number: int) -> tuple[str, str]:
    """Returns a first and a last name; each is unique for numbers below 8,000 (a permutation of the syllables)."""
    one, other = number * 3571 % 8000, (number * 1873 + 17) % 8000
    first = FIRST_HEADS[one // 400] + FIRST_MIDDLES[one // 20 % 20] + FIRST_TAILS[one % 20]
    last = LAST_HEADS[other // 400] + LAST_MIDDLES[other // 20 % 20] + LAST_TAILS[other % 20]
    return first, last


def email(first: str, last: str, number: int, company: bool) -> str:
    """Returns an e-mail address at a consumer's or a company's domain."""
    domains = COMPANY_DOMAINS if company else CONSUMER_DOMAINS
    return f"{first}.{last}.{number}@{domains[spread(number, 17, 5)]}".lower()


def phone(country: str, number: int) -> str:
    """Returns a number in E.164. National numbers begin with digits that keep them apart from order ids."""
    scrambled = number * 7919 % 100000
    if country in ("US", "CA"):
        area = ((513, 859, 614, 216, 606, 740), (647, 905))[country == "CA"]
        return f"+1{area[number % len(area)]}{200 + scrambled // 10000 * 70 + number % 70}{scrambled % 10000:04d}"
    prefix = {"GB": "+4478", "DE": "+49151", "CH": "+4179"}[country]
    return f"{prefix}{number % 90 + 10}{scrambled:05d}" + ("7" if country != "CH" else "")


def ssn(number: int) -> str:
    """Returns a number in the form of a social security number, unique for numbers below 80,000."""
    scrambled = number * 48271 % 79999
    return f"{120 + scrambled % 540:03d}-{10 + scrambled // 540 % 89:02d}-{1000 + number * 7 % 8999:04d}"


def credit_card(number: int) -> str:
    """Returns sixteen digits that pass Luhn's check."""
    body = f"4{53200000000000 + number * 7368787 % 900000000000:014d}"
    total = 0
    for place, digit in enumerate(reversed(body)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return body + str(-total % 10)


def birth_date(number: int, age: str | None) -> date:
    """Returns a birth date within the age band; without demographics, most people were born within two decades."""
    youngest, oldest = AGE_BANDS.get(age or "", (33, 52))
    days = (oldest - youngest + 1) * 365
    return date(2017 - youngest, 12, 28) - timedelta(days=spread(number, 18, days))


def as_written(clean: Person, number: int) -> Person:
    """Returns the row as the source holds it: padded, in mixed case, with nulls as text and phones in any notation."""
    row = dict(clean)
    if spread(number, 21, 9) == 0:
        row["EMAIL"] = f"  {str(clean['EMAIL']).upper()} "
    row["PHONE"] = phone_as_written(clean["PHONE"], number)
    spellings = COUNTRY_SPELLINGS[str(clean["COUNTRY"])]
    row["COUNTRY"] = spellings[spread(number, 22, len(spellings))]
    for column, salt in (("CITY", 23), ("LAST_NAME", 24), ("ADDRESS", 25), ("INCOME_BAND", 26)):
        if clean[column] is not None and spread(number, salt, 12) == 0:
            row[column] = f" {clean[column]}  "
    for column, salt in (("INCOME_BAND", 27), ("SSN", 28), ("CREDIT_CARD", 29)):
        if clean[column] is None and spread(number, salt, 2) == 0:
            row[column] = NULL_TEXTS[spread(number, salt + 10, len(NULL_TEXTS))]
    if spread(number, 30, 15) == 0:
        row["ACQUISITION_SOURCE"] = NULL_TEXTS[spread(number, 31, len(NULL_TEXTS))]
    return row


def phone_as_written(clean: object, number: int) -> str | None:
    """One of several notations. Some cannot be read as a number at all, and are null in Silver."""
    if clean is None:
        return None
    digits = str(clean)
    if not digits.startswith("+1"):
        return (digits, f"{digits[:3]} {digits[3:7]} {digits[7:]}", f" {digits[:3]}-{digits[3:]}")[
            spread(number, 32, 3)
        ]
    area, exchange, line = digits[2:5], digits[5:8], digits[8:]
    if spread(number, 33, 23) == 0:
        return (f"{exchange}-{line}", "ask reception")[number % 2]
    return (
        digits,
        f"({area}) {exchange}-{line}",
        f"{area}-{exchange}-{line}",
        f"{area}.{exchange}.{line}",
        f"{area}{exchange}{line}",
        f"+1 {area} {exchange} {line}",
    )[spread(number, 34, 6)]
