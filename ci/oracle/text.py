"""Repairs of single values, as the definitions list them: null tokens, trims, countries, phones, e-mail, masks."""

import re
from datetime import date
from decimal import Context, Decimal

from oracle.vocabulary import CONSUMER_DOMAINS, COUNTRY_CODES, COUNTRY_NAMES, INCOME_BANDS, NULL_TOKENS


def cleaned(text):
    """The definition: "Null tokens (case-insensitive, after trim) ... Text is trimmed"."""
    if text is None:
        return None
    text = text.strip()
    return None if text.lower() in NULL_TOKENS else text


def country_code(text):
    """The definition: "country -> ISO-3166 alpha-2": a code in any case, or a name of one of the markets; else null."""
    if text is None:
        return None
    if text.upper() in COUNTRY_CODES and text.lower() not in COUNTRY_NAMES:
        return text.upper()
    return COUNTRY_NAMES.get(" ".join(text.lower().split()))


def income_band(text):
    """The definition: "income band (as in demographics...)", "Repair: case"; other texts stay as they are."""
    return next((band for band in INCOME_BANDS if text is not None and band.lower() == text.lower()), text)


def phone_number(text):
    """The definition: "phone -> E.164 (bare 10 digits = +1; unparseable -> null with no violation)"."""
    if text is None or not re.fullmatch(r"\+?[0-9 ().\-/]+", text):
        return None
    digits = re.sub(r"[^0-9]", "", text)
    if not text.startswith("+"):
        if len(digits) == 10:
            digits = "1" + digits
        elif digits.startswith("00"):
            digits = digits[2:]
        elif not (len(digits) == 11 and digits.startswith("1")):
            return None
    return "+" + digits if re.fullmatch(r"[1-9][0-9]{7,14}", digits) else None


def email_address(text):
    """The definition: "email lower-cased, trimmed"."""
    return None if text is None else text.lower()


def calendar_date(text):
    """The definition: "birth_date DATE [onInvalid null]": a date as `1980-05-06`, null where it is none."""
    if text is None or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def exact_number(text, digits):
    """The definition: "annual_income DECIMAL(18,2) [onInvalid null]": a number as an integer of its last digit; null where the text is
    none, has more digits after the point, or more than 18 in all (as DECIMAL(18,2) and BIGINT in its range)."""
    if text is None or not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?", text):
        return None
    unscaled = Decimal(text).scaleb(digits, Context(prec=500))
    if unscaled != unscaled.to_integral_value() or abs(unscaled) >= (10**18 if digits else 2**63):
        return None
    return int(unscaled)


def email_domain_class(email):
    """The definition: "email_domain_class by policy.yaml's consumer list (`consumer`|`company`, null without e-mail)"."""
    if email is None:
        return None
    return "consumer" if email.rpartition("@")[2].lower() in CONSUMER_DOMAINS else "company"


def name_masked(name):
    """The definition: "first_name_masked, last_name_masked (initial + '.')", the initial as in "name as initials"."""
    return None if name is None else initial(name)


def email_masked(email):
    """The definition: "email_masked (first character + `***@` + domain)"."""
    return None if email is None else f"{email[0]}***@{email.rpartition('@')[2]}"


def phone_masked(phone):
    """The definition: "phone_masked (`***` + last two digits)"."""
    return None if phone is None else "***" + phone[-2:]


def redacted(value):
    """The definition: "address_masked, ssn_masked, credit_card_masked (`[redacted]`)"; "A null has a null twin"."""
    return None if value is None else "[redacted]"


def birth_decade(birth_date):
    """The definition: "birth_date_masked (`1980s`)", "birth_decade string `1980s`, null -> null"."""
    return None if birth_date is None else f"{birth_date.year // 10 * 10:04d}s"


def name_initials(first_name, last_name):
    """The definition: "name_initials `F.L.` upper"; a name that is missing leaves its letter out, and without any name it is null."""
    return "".join(initial(name) for name in (first_name, last_name) if name) or None


def initial(name):
    """The definition: "name as initials": one letter, the first of the name in upper case (`ß` in upper case has two)."""
    return name.upper()[0] + "."
