"""The ECB's reference rates as it would have served them on each day: real bytes, three planted events.

One observation is revised on 2017-12-31, one that was missing (`N/A`) is published on that day, and one currency has
no value after 2017-12-22 in any file, so that its last rate grows too old. Nothing newer than the batch's day is in a
file. 2017-12-30, -31 and 2018-01-01 have no observation: weekend and holiday.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import places
from journey import package_files

REVISED_IN = "2017-12-31"
REVISION = ("GBP", "2017-12-28", "0.89013")
# The rate of a day on which real orders were placed: they convert at 2017-12-22's until it is published.
MISSING_UNTIL_REVISED = ("CAD", "2017-12-27")
# The last value of a currency. It counts for 7 days: a sale of 2017-12-29 still converts, one of 2017-12-30 does not.
LAST_OF_LAPSED = ("HRK", "2017-12-22")
SMALL_FROM = "2016-10-03"
SMALL_CURRENCIES = ("USD", "JPY", "GBP", "SEK", "CHF", "HRK", "CAD", "LTL")


@dataclass(frozen=True)
class Rates:
    """One file: its currencies and the values by date, newest first."""

    currencies: tuple[str, ...]
    values: dict[str, tuple[str, ...]]

    def value(self, currency: str, day: str) -> str:
        """Returns the published text."""
        return self.values[day][self.currencies.index(currency)]

    def with_value(self, currency: str, day: str, text: str) -> Rates:
        """Returns the rates with one cell changed."""
        place = self.currencies.index(currency)
        changed = (*self.values[day][:place], text, *self.values[day][place + 1 :])
        return Rates(self.currencies, self.values | {day: changed})


def real_rates(profile: str) -> Rates:
    """Returns the real observations up to the end of 2017."""
    with zipfile.ZipFile(package_files("currency_converter", "eurofxref-hist.zip")) as archive:
        text = archive.read("eurofxref-hist.csv").decode("ascii")
    rows = csv.reader(io.StringIO(text))
    header = next(rows)
    small = profile == "small"
    kept = [place for place, name in enumerate(header) if place and name and (not small or name in SMALL_CURRENCIES)]
    start = SMALL_FROM if small else "1999-01-01"
    values = {row[0]: tuple(row[place] for place in kept) for row in rows if start <= row[0] < "2018-01-01"}
    return Rates(tuple(header[place] for place in kept), values)


def lapsed_rates(rates: Rates) -> Rates:
    """Returns the rates without the values of the lapsed currency after its last one."""
    currency, last = LAST_OF_LAPSED
    if rates.value(currency, last) == "N/A":
        raise AssertionError(f"{currency} has no value on {last}, so another one is its last")
    for day in [day for day in rates.values if day > last]:
        rates = rates.with_value(currency, day, "N/A")
    return rates


def published_rates(profile: str) -> dict[str, Rates]:
    """Returns the rates that each batch serves."""
    real = lapsed_rates(real_rates(profile))
    revised = real.with_value(*REVISION)
    first = real.with_value(*MISSING_UNTIL_REVISED, "N/A")
    if real.value(*REVISION[:2]) in (REVISION[2], "N/A") or real.value(*MISSING_UNTIL_REVISED) == "N/A":
        raise AssertionError("the planted revision changes nothing")
    return {batch: revised if batch >= REVISED_IN and batch != places.HISTORY else first for batch in places.BATCHES}


def write_rates(served: dict[str, Rates], data: Path) -> None:
    """Writes the three files of each batch."""
    for batch, rates in served.items():
        folder = data / batch / "fx"
        folder.mkdir(parents=True, exist_ok=True)
        table = _csv(rates)
        (folder / "eurofxref-hist.csv").write_text(table)
        with zipfile.ZipFile(folder / "eurofxref-hist.zip", "w") as archive:
            # The ECB's zip has a date of its own; a fixed one keeps the bytes equal everywhere.
            entry = zipfile.ZipInfo("eurofxref-hist.csv", date_time=(2017, 12, 29, 16, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, table)
        (folder / "eurofxref-daily.xml").write_text(_daily_xml(rates))


def rates_ledger(served: dict[str, Rates]) -> dict[str, dict[str, Counter]]:
    """Returns batch -> table -> buckets; a row is one (observation date, currency) in [FROM - 90 days, TO).

    Counted from what is planted: every value repeats the first one but for the revised cell, and lands first in
    history but for the cell that was missing.
    """
    ledger: dict[str, dict[str, Counter]] = {}
    for batch, rates in served.items():
        start, end = places.WINDOWS[batch]
        landed = {
            day for day in rates.values if (start - places.FX_LOOKBACK).date() <= date.fromisoformat(day) < end.date()
        }
        if {REVISION[1], MISSING_UNTIL_REVISED[1], LAST_OF_LAPSED[1]} - landed:
            raise AssertionError(f"{batch} does not land the planted observations")
        missing = sum(text == "N/A" for day in landed for text in rates.values[day])
        present = len(landed) * len(rates.currencies) - missing
        is_revised = batch >= REVISED_IN and batch != places.HISTORY
        current, revisions = Counter(filtered=missing), Counter(filtered=missing + present)
        if batch == places.HISTORY:
            current["accepted"] = present
        elif not is_revised:
            current["duplicate"] = present
        else:
            newly_published = int(batch == REVISED_IN)
            current.update(accepted=newly_published, superseded=1, duplicate=present - 1 - newly_published)
            revisions["filtered"] -= 1
            revisions["accepted" if batch == REVISED_IN else "duplicate"] = 1
        ledger[batch] = {
            "bronze_fx_rates": Counter(accepted=missing + present),
            "silver_fx_rates": current,
            "silver_fx_revisions": revisions,
        }
    return ledger


def _csv(rates: Rates) -> str:
    """The ECB's own form: a trailing comma in the header and in each row."""
    rows = [",".join(("Date", *rates.currencies)) + ","]
    rows += [",".join((day, *values)) + "," for day, values in rates.values.items()]
    return "\n".join(rows) + "\n"


def _daily_xml(rates: Rates) -> str:
    """The newest observation, without the currencies that have none."""
    newest = max(rates.values)
    cubes = "".join(
        f"\t\t\t<Cube currency='{currency}' rate='{text}'/>\n"
        for currency, text in zip(rates.currencies, rates.values[newest], strict=True)
        if text != "N/A"
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"'
        ' xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">\n'
        "\t<gesmes:subject>Reference rates</gesmes:subject>\n"
        "\t<gesmes:Sender>\n\t\t<gesmes:name>European Central Bank</gesmes:name>\n\t</gesmes:Sender>\n"
        f"\t<Cube>\n\t\t<Cube time='{newest}'>\n{cubes}\t\t</Cube>\n\t</Cube>\n</gesmes:Envelope>\n"
    )
