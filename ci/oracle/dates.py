"""gold_dim_date: each day of 1999 to 2035 with its calendar, fiscal and holiday attributes."""

from datetime import date, timedelta

import pyarrow

from oracle.workbench import Stage

FIRST, LAST = date(1999, 1, 1), date(2035, 12, 31)
JUNETEENTH_SINCE = 2021
MONDAY, THURSDAY = 0, 3


def weekday_of_month(year, month, weekday, place):
    """Returns the n-th weekday of a month; place -1 is the last one."""
    if place < 0:
        last = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
        return last - timedelta(days=(last.weekday() - weekday) % 7)
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (place - 1))


def holidays(year, shifted=False):
    """The definition: "US federal holidays by rule, not shifted"; Juneteenth from 2021. Returns {date: name}."""
    fixed = {
        date(year, 1, 1): "New Year's Day",
        date(year, 7, 4): "Independence Day",
        date(year, 11, 11): "Veterans Day",
        date(year, 12, 25): "Christmas Day",
    }
    if year >= JUNETEENTH_SINCE:
        fixed[date(year, 6, 19)] = "Juneteenth National Independence Day"
    if shifted:
        move = {5: timedelta(days=-1), 6: timedelta(days=1)}
        fixed = {day + move.get(day.weekday(), timedelta()): name for day, name in fixed.items()}
    return fixed | {
        weekday_of_month(year, 1, MONDAY, 3): "Martin Luther King Jr. Day",
        weekday_of_month(year, 2, MONDAY, 3): "Washington's Birthday",
        weekday_of_month(year, 5, MONDAY, -1): "Memorial Day",
        weekday_of_month(year, 9, MONDAY, 1): "Labor Day",
        weekday_of_month(year, 10, MONDAY, 2): "Columbus Day",
        weekday_of_month(year, 11, THURSDAY, 4): "Thanksgiving Day",
    }


def dim_date(step):
    """The definition: "gold_dim_date: 1999-01-01 to 2035-12-31; fiscal = calendar year by default"."""
    named = {}
    for year in range(FIRST.year, LAST.year + 1):
        named |= holidays(year, step.rules.holidays_shifted)
    rows = []
    for offset in range((LAST - FIRST).days + 1):
        day = FIRST + timedelta(days=offset)
        iso_year, iso_week, day_of_week = day.isocalendar()
        quarter = (day.month + 2) // 3
        rows.append(
            (
                day.year * 10000 + day.month * 100 + day.day,
                day,
                day.year,
                quarter,
                day.month,
                iso_year,
                iso_week,
                day_of_week,
                day.year,
                quarter,
                day_of_week >= 6,
                named.get(day),
            )
        )
    whole = pyarrow.int32()
    names = "year quarter month iso_year iso_week day_of_week fiscal_year fiscal_quarter".split()
    step.fill(
        [
            ("date_key", whole),
            ("date", pyarrow.date32()),
            *((name, whole) for name in names),
            ("is_weekend", pyarrow.bool_()),
            ("holiday_name", pyarrow.string()),
        ],
        rows,
    )


STAGES = {"gold_dim_date": Stage(dim_date, flags=("holidays_shifted",))}
