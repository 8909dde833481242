"""gold_customer_segments: how recently, how often and for how much each customer bought, as of the end of each window."""

import math
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pyarrow

from oracle.vocabulary import DAYS_BETWEEN_ORDERS_DEFAULT, DAYS_PER_MONTH
from oracle.workbench import Stage


@dataclass(frozen=True)
class Customer:
    """What a customer bought up to a date. `first_paid` and `last_paid` are of the orders that count as frequency."""

    customer_id: str
    first_sale: date
    last_sale: date
    monetary: int
    frequency: int
    first_paid: date | None
    last_paid: date | None


def as_of_date(bench, window, rules):
    """The definition: "as_of_date = business date of (window TO - 1 microsecond)"."""
    if rules.as_of_utc:
        return window.stop.date()
    last = window.stop - timedelta(microseconds=1)
    return bench.connection.execute(f"SELECT {'utc_date' if rules.utc_date else 'business_date'}(TIMESTAMP '{last}')").fetchone()[0]


def customers_of(bench, as_of, rules):
    """Returns the customers "with at least one sale up to it (unknown: none)", by what gold_fact_sales holds in this workbench.

    Only rows with a business date up to the as-of date count, reversals too. "frequency = orders whose net USD over all movements is
    positive; monetary = net USD of all movements". An order's date is its sale's business date.
    """
    paid = "true" if rules.frequency_of_all_orders else "net > 0"
    rows = bench.connection.execute(
        "WITH orders AS (SELECT c.customer_id, f.order_id, min(f.business_date) FILTER (WHERE f.movement = 'sale') AS sold_on, "
        f"sum(f.net_usd) AS net FROM {bench.get('gold_fact_sales', rules)} f JOIN {bench.get('gold_dim_customers', rules)} c "
        f"USING (customer_key) WHERE c.customer_id <> 'unknown' AND f.business_date <= DATE '{as_of}' GROUP BY ALL) "
        f"SELECT customer_id, min(sold_on), max(sold_on), CAST(sum(net) AS HUGEINT), count(*) FILTER (WHERE {paid}), "
        f"min(sold_on) FILTER (WHERE {paid}), max(sold_on) FILTER (WHERE {paid}) FROM orders GROUP BY customer_id "
        "HAVING count(sold_on) > 0"
    ).fetchall()
    return [Customer(*row) for row in rows]


def scores(customers, value, rules):
    """Returns {customer_id: score}: "Score = 1 + floor(5 x (rank - 1) / n), ranks ascending by value ..., ties by customer id compared
    as bytes", so no rank occurs twice."""
    tie = int if rules.score_ties_by_number else str.encode
    ranked = sorted(customers, key=lambda one: (value(one), tie(one.customer_id)))
    shift = 0 if rules.score_from_rank else 1
    return {one.customer_id: min(5, 1 + 5 * (rank - shift) // len(ranked)) for rank, one in enumerate(ranked, 1)}


def segment(recency, frequency, frequency_monetary):
    """The definition: "Segment, first that holds: champion R>=4, FM>=4 · loyal FM>=4 · new R>=4, F=1 · promising R>=3 · at risk FM>=3 ·
    hibernating"; all three are scores."""
    if frequency_monetary >= 4:
        return "champion" if recency >= 4 else "loyal"
    if recency >= 4 and frequency == 1:
        return "new"
    if recency >= 3:
        return "promising"
    return "at risk" if frequency_monetary >= 3 else "hibernating"


def outlook(one, as_of, rules):
    """Returns (churn risk, expected value of the next twelve months in cents).

    "monthly value = monetary / max(tenure_days / 30.4375, 1); churn risk = 1 - exp(-recency_days / max(mean days between those orders,
    1)) (fewer than two: 30 days); expected_value_12m = 12 x monthly value x (1 - churn risk), to 2 decimals". The mean is that of
    the dates of the orders that count as frequency: from the first to the last, by one less than there are.
    """
    between = 1 if rules.churn_without_default else DAYS_BETWEEN_ORDERS_DEFAULT
    if one.frequency >= 2:
        between = (one.last_paid - one.first_paid).days / (one.frequency - 1)
    churn_risk = 1 - math.exp(-(as_of - one.last_sale).days / max(between, 1))
    monthly = one.monetary / 10**4 / max((as_of - one.first_sale).days / DAYS_PER_MONTH, 1)
    expected = Decimal(12 * monthly * (1 - churn_risk))
    return churn_risk, held_by_money(int(expected.scaleb(2).to_integral_value(ROUND_HALF_UP)))


def held_by_money(value):
    """Returns an integer of the last digit; null where a decimal of 18 digits does not hold it."""
    return value if abs(value) < 10**18 else None


def segmented(customers, as_of, rules):
    """Yields the rows of one as-of date: "(recency descending)": the longer ago, the lower the rank; "FM = ceil((F + M) / 2)"."""
    sign = 1 if rules.recency_ascending else -1
    recency = scores(customers, lambda one: sign * (as_of - one.last_sale).days, rules)
    frequency = scores(customers, lambda one: one.frequency, rules)
    monetary = scores(customers, lambda one: one.monetary, rules)
    for one in customers:
        r, f, m = (found[one.customer_id] for found in (recency, frequency, monetary))
        both = (f + m) // 2 if rules.mean_score_rounded_down else (f + m + 1) // 2
        days = ((as_of - one.last_sale).days, one.frequency, held_by_money(one.monetary))
        tenure = (as_of - one.first_sale).days
        yield (one.customer_id, as_of, *days, r, f, m, segment(r, f, both), tenure, *outlook(one, as_of, rules))


def customer_segments(step):
    """gold_customer_segments: "customer x as-of date (the window's last business_date)"; "keeps rows of earlier as-of dates", each as
    Silver and gold_fact_sales stood after its window."""
    rows = []
    for index, window in enumerate(step.windows):
        state = step.bench if step.rules.segments_of_newest_state else step.bench.after(index)
        as_of = as_of_date(step.bench, window, step.rules)
        rows += segmented(customers_of(state, as_of, step.rules), as_of, step.rules)
    text, whole, long = pyarrow.string(), pyarrow.int32(), pyarrow.int64()
    columns = [("customer_id", text), ("as_of_date", pyarrow.date32()), ("recency_days", whole), ("frequency", long)]
    columns += [("monetary_usd", long), ("r", whole), ("f", whole), ("m", whole), ("segment", text), ("tenure_days", whole)]
    step.fill([*columns, ("churn_risk", pyarrow.float64()), ("expected_value_12m", long)], rows)


STAGES = {
    "gold_customer_segments": Stage(
        customer_segments,
        ("gold_fact_sales", "gold_dim_customers"),
        (
            "utc_date",
            "as_of_utc",
            "frequency_of_all_orders",
            "score_ties_by_number",
            "score_from_rank",
            "recency_ascending",
            "mean_score_rounded_down",
            "churn_without_default",
            "segments_of_newest_state",
        ),
    ),
}
