"""Rates: the first published observations, their revisions, and one USD rate per currency and calendar day."""

import csv
from bisect import bisect_right
from datetime import date, timedelta
from decimal import Decimal

import pyarrow

from oracle.vocabulary import FX_LOOKBACK, RATE_AGE_DAYS_MAX
from oracle.workbench import Stage

RATE_DIGITS = 10


def divided(numerator, denominator, half_even=False):
    """Returns numerator / denominator (denominator > 0) as an integer: "half away from zero"."""
    if half_even:
        floor, rest = divmod(abs(numerator), denominator)
        whole = floor + (2 * rest > denominator or (2 * rest == denominator and floor % 2))
    else:
        whole = (2 * abs(numerator) + denominator) // (2 * denominator)
    return whole if numerator >= 0 else -whole


def landed(step, window, missing=False):
    """Yields (currency, observation date, units per EUR as an integer of 10 digits) that the window ingests.

    "ingest-fx lands the observations of [FROM - 90 days, TO)"; `N/A` is no value, and comes with null if `missing` ones are asked for.
    """
    path = step.data / window.batch / "fx" / "eurofxref-hist.csv"
    first, stop = (window.start - FX_LOOKBACK).date(), window.stop.date()
    with path.open(newline="") as file:
        reader = csv.reader(file)
        currencies = [name.strip() for name in next(reader)[1:]]
        for row in reader:
            observed = date.fromisoformat(row[0].strip())
            if not first <= observed < stop:
                continue
            for currency, value in zip(currencies, row[1:]):
                if not currency:
                    continue
                if value.strip() in ("", "N/A"):
                    if missing:
                        yield currency, observed, None
                else:
                    units = Decimal(value.strip()).scaleb(RATE_DIGITS)
                    assert units == int(units) > 0, f"{currency} of {observed} has more than {RATE_DIGITS} digits"
                    yield currency, observed, int(units)


def observations(step):
    """Returns ({currency: {date: units}}, [revisions]).

    "keeps the **first published** value of an observation; a later, different one goes to silver_fx_revisions with both values";
    the same pair of values is one revision, "revised_on = `_ingest_date` of the window in which it was first seen".
    """
    first, revisions = {}, {}
    for window in step.windows:
        for currency, observed, units in landed(step, window):
            values = first.setdefault(currency, {})
            if step.rules.missing_value_never_filled and window is not step.windows[0] and observed < window.start.date():
                if observed not in values:
                    continue
            known = values.setdefault(observed, units)
            if units != known:
                revisions.setdefault((currency, observed, known, units), window.ingest_date)
                if step.rules.revised_value_wins:
                    values[observed] = units
    return first, [(*key, revised_on) for key, revised_on in revisions.items()]


def revisions(step):
    """silver_fx_revisions."""
    step.fill(
        [
            ("currency", pyarrow.string()),
            ("observation_date", pyarrow.date32()),
            ("first_units_per_eur", pyarrow.int64()),
            ("revised_units_per_eur", pyarrow.int64()),
            ("revised_on", pyarrow.date32()),
        ],
        step["fx_observations"][1],
    )


def rates(step):
    """silver_fx_rates: "one USD rate per currency and calendar day with its observation date"."""
    values, _ = step["fx_observations"]
    stop = step.windows[-1].stop.date()
    usd = values.get("USD", {})
    # "USD and EUR included; EUR: units 1".
    by_currency = {**values, "EUR": {day: 10**RATE_DIGITS for day in usd}}
    rows = []
    for currency, units in by_currency.items():
        # "o = latest date <= d on which the currency has a value (and USD has one)".
        days = sorted(set(units) & set(usd))
        for day in calendar(days, stop):
            observed = observation(days, day, step.rules)
            if observed is None:
                continue
            # "usd_rate(c, d) = (USD per EUR at o) / (c per EUR at o) ... Rounded to 10 decimals".
            rate = divided(usd[observed] * 10**RATE_DIGITS, units[observed], step.rules.half_even)
            rows.append((currency, day, rate, observed, units[observed]))
    step.fill(
        [
            ("currency", pyarrow.string()),
            ("date", pyarrow.date32()),
            ("usd_rate", pyarrow.int64()),
            ("observation_date", pyarrow.date32()),
            ("units_per_eur", pyarrow.int64()),
        ],
        rows,
    )


def calendar(days, stop):
    """Yields each day "from the currency's first landed observation to the day before the newest window's TO"."""
    day = days[0] if days else stop
    while day < stop:
        yield day
        day += timedelta(days=1)


def observation(days, day, rules):
    """Returns the observation that counts on a day: "only while the observation is at most 7 days old"."""
    index = bisect_right(days, day) - 1
    observed = days[index]
    if rules.next_observation_wins and observed != day and index + 1 < len(days):
        observed = days[index + 1]
    if rules.weekend_without_rate and observed != day:
        return None
    if (day - observed).days > RATE_AGE_DAYS_MAX and not rules.old_rate_allowed:
        return None
    return observed


STAGES = {
    "fx_observations": Stage(observations, flags=("revised_value_wins", "missing_value_never_filled")),
    "silver_fx_revisions": Stage(revisions, ("fx_observations",)),
    "silver_fx_rates": Stage(
        rates, ("fx_observations",), ("half_even", "next_observation_wins", "weekend_without_rate", "old_rate_allowed")
    ),
}
