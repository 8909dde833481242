"""gold_fact_sales: one row per sale line, its summed returns and its cancellation, in the sale's currency and rate."""

from dataclasses import dataclass

import pyarrow

from oracle.decode import MEASURES
from oracle.dims import unknown_key
from oracle.fx import divided
from oracle.workbench import Stage

RATE_ONE = 10**10
# Amounts have 2 digits, rates 10, net_usd 4: a product has 12 and loses 8.
SCALE = 10**8
# Where the last digit of decimal(18,4) ends.
DOLLARS_END = 10**18


def sale_orders(step):
    """The orders that a line can be a sale of: with business date, customer and rate.

    "d = the sale's business_date", "facts look up by the sale's business_date", "USD = 1", and rate_date of USD is the business_date
    itself. An order without a header has no sale time and no currency yet: its lines wait in Silver.
    """
    rules = step.rules
    date = "utc_date" if rules.utc_date else "business_date"
    lookup = "o.business_date - 1" if rules.rate_of_day_before else "o.business_date"
    step.create(
        f"WITH dated AS (SELECT *, {date}(ordered_at) AS business_date FROM {step['silver_orders']} WHERE source IS NOT NULL) "
        f"SELECT o.*, CASE WHEN o.currency = 'USD' THEN {RATE_ONE} ELSE r.usd_rate END AS usd_rate, "
        "CASE WHEN o.currency = 'USD' THEN o.business_date ELSE r.observation_date END AS rate_date, "
        f"COALESCE(c.customer_key, '{unknown_key('customer')}') AS customer_key "
        f"FROM dated o LEFT JOIN {step['silver_fx_rates']} r ON r.currency = o.currency AND r.date = {lookup} "
        f"{'INNER' if rules.orphan_customers_dropped else 'LEFT'} JOIN {step['gold_dim_customers']} c "
        f"ON c.customer_id = o.customer_id AND {valid('c', rules)}"
    )


def valid(dimension, rules):
    """Returns the SQL condition of a dimension lookup: "valid_to is exclusive", null = open.

    Comparisons alone: with an OR in it DuckDB joins by nested loops.
    """
    until = "<=" if rules.valid_to_inclusive else "<"
    return f"{dimension}.valid_from <= o.business_date AND o.business_date {until} COALESCE({dimension}.valid_to, DATE '9999-12-31')"


def sales(step):
    """Every sale row: "`sale` from PLACED (or the warehouse line)", "Lines with quantity 0 are ordinary rows".

    "is_late of a sale = the item's is_late or the order's is_late for warehouse". Lines without a rate are not facts, nor are lines
    "whose dollars decimal(18,4) cannot hold, with all their movements"; a reversal is never larger than its sale.
    """
    rules = step.rules
    step.create(
        "SELECT * FROM (SELECT i.order_id, i.line_number, o.business_date, o.ordered_at AS occurred_at, o.customer_key, "
        f"COALESCE(p.product_key, '{unknown_key('product')}') AS product_key, o.store_id, o.channel, o.currency, "
        f"{', '.join(f'i.{name}' for name in MEASURES)}, o.usd_rate, o.rate_date, "
        f"{net_usd_sql(rules)} AS net_usd, o.status AS order_status, i.source, "
        "i.is_late OR (i.source = 'snowflake' AND o.is_late) AS is_late "
        f"FROM {step['silver_order_items']} i JOIN {step['sale_orders']} o USING (order_id) "
        f"{'INNER' if rules.orphan_products_dropped else 'LEFT'} JOIN {step['gold_dim_products']} p "
        f"ON p.product_id = i.product_id AND {valid('p', rules)} WHERE o.usd_rate IS NOT NULL) WHERE abs(net_usd) < {DOLLARS_END}"
    )


def net_usd_sql(rules):
    """The definition: "Rounding: half away from zero, once per line, where a rate is applied"; null where 64 bits are too few."""
    if rules.float_money:
        product = "(i.net_amount::DOUBLE / 100) * (o.usd_rate::DOUBLE / 1e10)"
        return f"TRY_CAST(replace(printf('%.4f', {product}), '.', '') AS BIGINT)"
    macro = "divided_half_even" if rules.half_even else "divided"
    return f"TRY_CAST({macro}(i.net_amount::HUGEINT * o.usd_rate, {SCALE}) AS BIGINT)"


def net_usd(net_amount, usd_rate, rules):
    """The same in Python's integers."""
    if rules.float_money:
        return int(f"{(net_amount / 100) * (usd_rate / 1e10):.4f}".replace(".", ""))
    return divided(net_amount * usd_rate, SCALE, rules.half_even)


@dataclass
class Movement:
    """A RETURNED line or a CANCELLED event of silver_order_movements."""

    measures: tuple
    occurred_at: object
    business_date: object
    source: str
    is_late: bool
    position: tuple

    @property
    def sequence(self):
        """The definition: "Movements apply by (event_ts, position)"."""
        return (self.occurred_at, self.position)


def movements_of(step):
    """Returns ({(order_id, line_number): [returns]}, {order_id: [cancellations]}), each in the order in which they apply."""
    returns, cancellations = {}, {}
    date = "utc_date" if step.rules.utc_date else "business_date"
    for order_id, movement, line_number, occurred_at, on_date, source, is_late, partition, offset, *measures in step.rows(
        f"SELECT order_id, movement, line_number, occurred_at, {date}(occurred_at), source, is_late, _partition, _offset, "
        f"{', '.join(MEASURES)} FROM {step['silver_order_movements']}"
    ):
        one = Movement(tuple(measures), occurred_at, on_date, source, is_late, (partition, offset))
        if movement == "return":
            returns.setdefault((order_id, line_number), []).append(one)
        else:
            cancellations.setdefault(order_id, []).append(one)
    for found in (*returns.values(), *cancellations.values()):
        found.sort(key=lambda one: one.sequence)
    return returns, cancellations


def reversed_by(sold, returns, rules):
    """Returns (what the returns reverse of the sale's five measures, the return that dates the row or null).

    "Returns of a line before its order's first cancellation apply in order (event_ts, position). What they reverse up to one of them
    follows from the sum of what they list up to it"; "what a return applies is that less what was reversed before it"; dated by "the
    last return that applied something".
    """
    listed, done, dated_by = (0,) * len(sold), (0,) * len(sold), None
    if rules.only_last_return_counts:
        returns = returns[-1:]
    for one in returns:
        if rules.partial_returns_ignored and one.measures != sold:
            continue
        listed = tuple(map(sum, zip(listed, one.measures)))
        if rules.float_sum:
            # The wrong sum: amounts as floats, cut to cents.
            listed = tuple(int(value / 100 * 100) for value in listed)
        before, done = done, open_part(listed, sold, rules)
        if done != before and (dated_by is None or not rules.return_dated_by_first):
            dated_by = one
    return done, dated_by


def open_part(listed, sold, rules):
    """Returns how much of what is listed a sale can give back.

    "Quantity, gross, discount and coupon are limited to the interval between 0 and the sale's; net is limited gross less limited
    discount, again limited to the interval between 0 and the sale's net; the discount that is reversed is gross less net".
    """
    if rules.returns_uncapped:
        return listed
    quantity, gross, discount, _, coupon = map(limited, listed, sold)
    net = limited(gross - discount, sold[3])
    return quantity, gross, gross - net, net, coupon


def limited(value, bound):
    """Returns the value within the interval between 0 and the bound, which may be negative."""
    return sorted((0, value, bound))[1]


def reversals(step):
    """Every return and cancellation row.

    "Reversals ... carry the sale's customer_key, product_key, currency and rate; net_usd of a return = its net x rate, rounded; of a
    cancellation = -(sale + return net_usd)"; "nothing open, no row"; "A movement whose sale is unknown ... counts as filtered".
    """
    rules = step.rules
    returns, cancellations = movements_of(step)
    rates = {}
    if rules.rate_of_movement_date:
        rates = {(one[0], one[1]): one[2] for one in step.rows(f"SELECT currency, date, usd_rate FROM {step['silver_fx_rates']}")}
    rows = []
    for order_id, line_number, rate, sale_usd, currency, *sold in step.rows(
        f"SELECT order_id, line_number, usd_rate, net_usd, currency, {', '.join(MEASURES)} FROM {step['sales']} "
        f"WHERE order_id IN (SELECT order_id FROM {step['silver_order_movements']})"
    ):
        sold = tuple(sold)
        cancelled_by = first_cancellation(cancellations.get(order_id, []), rules)
        listed = applicable(returns.get((order_id, line_number), []), cancelled_by, rules)
        returned, dated_by = reversed_by(sold, listed, rules)
        return_usd = 0
        if dated_by:
            reversal = negative(returned, rules)
            return_usd = net_usd(reversal[3], rates.get((currency, dated_by.business_date), rate), rules)
            rows.append((order_id, line_number, "return", *dated(dated_by), *reversal, return_usd))
        still_open = sold if rules.cancellation_of_whole_sale else tuple(map(int.__sub__, sold, returned))
        if cancelled_by and any(still_open):
            reversal = negative(still_open, rules)
            alone = net_usd(reversal[3], rate, rules) if rules.cancellation_rounded_alone else -(sale_usd + return_usd)
            rows.append((order_id, line_number, "cancellation", *dated(cancelled_by), *reversal, alone))
    step.fill(
        [
            ("order_id", pyarrow.string()),
            ("line_number", pyarrow.int32()),
            ("movement", pyarrow.string()),
            ("occurred_at", pyarrow.timestamp("us")),
            ("business_date", pyarrow.date32()),
            ("source", pyarrow.string()),
            ("is_late", pyarrow.bool_()),
            *((name, pyarrow.int64()) for name in (*MEASURES, "net_usd")),
        ],
        rows,
    )


def first_cancellation(cancellations, rules):
    """Returns the cancellation that counts, null without any: "Later cancellations of the same order: filtered"."""
    if not cancellations:
        return None
    return cancellations[-1] if rules.last_cancellation_counts else cancellations[0]


def applicable(returns, cancelled_by, rules):
    """Returns the returns that apply: those before the order's cancellation; "after the cancellation ... is excess"."""
    if cancelled_by is None:
        return returns
    if rules.cancellation_before_return:
        return []
    if rules.return_after_cancellation_accepted:
        return returns
    return [one for one in returns if one.sequence < cancelled_by.sequence]


def dated(one):
    """What a reversal takes from its movement: "dated by CANCELLED", "`source` = where the movement came from"."""
    return one.occurred_at, one.business_date, one.source, one.is_late


def negative(measures, rules):
    """The definition: "Reversals are negative in quantity, gross, discount, net and manufacturer_coupon_amount"."""
    quantity, gross, discount, net, coupon = measures if rules.return_positive else (-value for value in measures)
    if rules.discount_positive:
        discount = -discount
    if rules.coupon_not_reversed:
        coupon = 0
    return quantity, gross, discount, net, coupon


def fact_sales(step):
    """gold_fact_sales: key (order_id, line_number, movement); a reversal has the business date of its own movement."""
    of_sale = ("customer_key", "product_key", "store_id", "channel", "currency", "usd_rate", "rate_date", "order_status")
    of_row = ("order_id", "line_number", "business_date", "occurred_at", *MEASURES, "net_usd", "source", "is_late")
    sale = ", ".join(f"s.{name}" for name in (*of_row, *of_sale))
    reversal = ", ".join([f"r.{name}" for name in of_row] + [f"s.{name}" for name in of_sale])
    step.create(
        f"SELECT 'sale' AS movement, {sale} FROM {step['sales']} s UNION ALL "
        f"SELECT r.movement, {reversal} FROM {step['reversals']} r JOIN {step['sales']} s USING (order_id, line_number)"
    )


STAGES = {
    "sale_orders": Stage(
        sale_orders,
        ("silver_orders", "silver_fx_rates", "gold_dim_customers"),
        ("utc_date", "rate_of_day_before", "orphan_customers_dropped", "valid_to_inclusive"),
    ),
    "sales": Stage(
        sales,
        ("silver_order_items", "sale_orders", "gold_dim_products"),
        ("float_money", "half_even", "orphan_products_dropped", "valid_to_inclusive"),
    ),
    "reversals": Stage(
        reversals,
        ("sales", "silver_order_movements", "silver_fx_rates"),
        (
            "utc_date",
            "float_money",
            "float_sum",
            "half_even",
            "partial_returns_ignored",
            "only_last_return_counts",
            "returns_uncapped",
            "return_dated_by_first",
            "return_after_cancellation_accepted",
            "cancellation_before_return",
            "last_cancellation_counts",
            "cancellation_rounded_alone",
            "cancellation_of_whole_sale",
            "return_positive",
            "discount_positive",
            "coupon_not_reversed",
            "rate_of_movement_date",
        ),
    ),
    "gold_fact_sales": Stage(fact_sales, ("sales", "reversals"), view=True),
}
