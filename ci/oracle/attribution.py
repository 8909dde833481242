"""gold_marketing_attribution: the touches of each order, what each is worth in each model, and what the campaigns cost."""

from decimal import ROUND_HALF_UP, Context, Decimal

import pyarrow

from oracle.tables import ATTRIBUTION_SHARES
from oracle.vocabulary import MODELS, TOUCH_WINDOW, UNATTRIBUTED, WEIGHT_DIGITS
from oracle.workbench import Stage

# Shares are decimal(18,4): a whole conversion is this much.
CONVERSION = 10**4
EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
MICROS = 10**6


def order_revenue(step):
    """One row per order of gold_fact_sales: when it was ordered, by whom, and what it brought.

    "`ordered_at` of an order = the earliest `sale` occurred_at in gold_fact_sales; order's customer = silver_orders.customer_id;
    business_date of the order = the sale's"; "What is attributed: the order's net USD over all movements"; "order of an unknown/null
    customer: unattributed": a customer is known who stands in silver_customers.
    """
    counted = "FILTER (WHERE movement = 'sale')" if step.rules.reversals_not_attributed else ""
    step.create(
        "WITH revenue AS (SELECT order_id, min(occurred_at) FILTER (WHERE movement = 'sale') AS ordered_at, "
        "arg_min(business_date, occurred_at) FILTER (WHERE movement = 'sale') AS business_date, "
        f"CAST(sum(net_usd) {counted} AS HUGEINT) AS net_usd FROM {step['gold_fact_sales']} GROUP BY order_id) "
        f"SELECT r.*, c.customer_id FROM revenue r LEFT JOIN {step['silver_orders']} o USING (order_id) "
        f"LEFT JOIN {step['silver_customers']} c ON c.customer_id = o.customer_id"
    )


def touches(step):
    """The pairs of an order and a touch of its customer: "[ordered_at - 30 days, ordered_at) count".

    "A touch counts when utm_campaign is not null (whatever campaign it names); campaign_id = utm_campaign", but for the name that
    stands for no campaign. A day has 24 hours.
    """
    rules = step.rules
    start = ">" if rules.touch_at_start_excluded else ">="
    end = "<=" if rules.touch_at_order_included else "<"
    step.create(
        "SELECT o.order_id, o.business_date, o.net_usd, e.event_id, e.utm_campaign AS campaign_id, e.event_ts, "
        "epoch_us(o.ordered_at) - epoch_us(e.event_ts) AS micros_before "
        f"FROM {step['order_revenue']} o JOIN {step['silver_behavior_events']} e ON e.resolved_customer_id = o.customer_id "
        f"WHERE e.utm_campaign <> '{UNATTRIBUTED}' AND e.event_ts {start} o.ordered_at - INTERVAL {TOUCH_WINDOW.days * 24} HOUR "
        f"AND e.event_ts {end} o.ordered_at"
    )


def decayed(micros_before, half_life_seconds, known={}):
    """The definition: "weight 2^(-seconds before / 604800), rounded to 12 decimals, then integers". `known` remembers the answers."""
    asked = (micros_before, half_life_seconds)
    if asked not in known:
        exponent = EXACT.divide(Decimal(-micros_before), Decimal(half_life_seconds * MICROS))
        known[asked] = int(EXACT.power(2, exponent).scaleb(WEIGHT_DIGITS, EXACT).to_integral_value(ROUND_HALF_UP))
    return known[asked]


def weights(model, micros_before, rules):
    """Returns one integer per touch, in the order of the touches.

    "Models: first touch, last touch, linear, time decay ..., position based (40/20/40; two touches 50/50; one touch 100 % in every
    model)"; the touches between the first and the last share the 20 evenly.
    """
    count = len(micros_before)
    if count == 1 or model == "linear":
        return [1] * count
    if model == "first_touch":
        return [1] + [0] * (count - 1)
    if model == "last_touch":
        return [0] * (count - 1) + [1]
    if model == "time_decay":
        return [decayed(micros, rules.half_life_seconds) for micros in micros_before]
    if count == 2:
        return [2, 3] if rules.two_positions_unequal else [1, 1]
    return [2 * (count - 2)] + [1] * (count - 2) + [2 * (count - 2)]


def split(total, parts, rules):
    """Returns the shares of an integer: "rounded down, the rest by largest remainder (ties by touch time, event_id)"."""
    whole = sum(parts)
    if rules.shares_rounded:
        return [(2 * total * part + whole) // (2 * whole) for part in parts]
    shares = [total * part // whole for part in parts]
    rest = total - sum(shares)
    if rules.rest_to_last_touch:
        shares[-1] += rest
        return shares
    by_remainder = sorted(range(len(parts)), key=lambda place: (-(total * parts[place] % whole), place))
    for place in by_remainder[:rest]:
        shares[place] += 1
    return shares


def touch_shares(step):
    """What each touch of each order is worth in each model.

    Touches stand in the order of (event_ts, event_id as bytes): the first is the first touch, the last the last. "where that is <= 0: no
    conversion, no revenue": the touches stay, with shares of zero.
    """
    rules = step.rules
    ties = "DESC" if rules.touch_ties_reversed else "ASC"
    of_order = {}
    for order_id, *touch in step.rows(
        "SELECT order_id, business_date, net_usd, event_id, campaign_id, micros_before "
        f"FROM {step['touches']} ORDER BY order_id, event_ts, event_id {ties}"
    ):
        of_order.setdefault(order_id, []).append(touch)
    rows = []
    for order_id, found in of_order.items():
        business_date, net_usd = found[0][:2]
        converted = CONVERSION if net_usd > 0 or rules.unpaid_orders_convert else 0
        for model in MODELS:
            parts = weights(model, [touch[4] for touch in found], rules)
            conversions, revenue = split(converted, parts, rules), split(max(net_usd, 0), parts, rules)
            for (_, _, event_id, campaign_id, _), conversion, usd in zip(found, conversions, revenue):
                rows.append((order_id, model, event_id, campaign_id, business_date, conversion, usd))
    text, long = pyarrow.string(), pyarrow.int64()
    kinds = (text, text, text, text, pyarrow.date32(), long, long)
    step.fill(list(zip(ATTRIBUTION_SHARES.columns, kinds)), rows)


def shares(step):
    """All orders' shares: "Orders without touch are rows of campaign_id `unattributed`", here with no event."""
    models = ", ".join(f"('{model}')" for model in MODELS)
    converted = "true" if step.rules.unpaid_orders_convert else "net_usd > 0"
    untouched = (
        f"UNION ALL SELECT o.order_id, m.model, NULL, '{UNATTRIBUTED}', o.business_date, "
        f"CASE WHEN {converted} THEN {CONVERSION} ELSE 0 END, greatest(o.net_usd, 0) "
        f"FROM {step['order_revenue']} o ANTI JOIN {step['touches']} t USING (order_id) CROSS JOIN (VALUES {models}) m (model)"
    )
    names = ("order_id", "model", "event_id", "campaign_id", "business_date", "conversions", "attributed_usd")
    step.create(
        f"SELECT {', '.join(names)} FROM {step['touch_shares']} {'' if step.rules.unattributed_dropped else untouched}"
    )


def marketing_attribution(step):
    """gold_marketing_attribution: "Grain campaign x business_date of the order x model: touches (order-touch pairs)" in every model,
    whatever the touch is worth in it.

    "Cost rows: for every campaign of silver_campaigns, every date in [start_date, end_date], every model, also without order;
    `unattributed` has cost 0.00; a campaign unknown to silver_campaigns has cost 0.00", and so has a known one outside its dates.
    "ROAS = revenue / cost, CAC = cost / conversions (null where the divisor is 0)".
    """
    rules = step.rules
    models = ", ".join(f"('{model}')" for model in MODELS)
    last = "end_date - 1" if rules.cost_without_last_day else "end_date"
    step.create(
        "WITH earned AS (SELECT campaign_id, business_date, model, count(event_id) AS touches, "
        "CAST(sum(conversions) AS BIGINT) AS conversions, CAST(sum(attributed_usd) AS HUGEINT) AS attributed_usd "
        f"FROM {step['attribution_shares']} GROUP BY ALL), "
        "days AS (SELECT campaign_id, daily_cost, CAST(unnest(generate_series(CAST(start_date AS TIMESTAMP), "
        f"CAST({last} AS TIMESTAMP), INTERVAL 1 DAY)) AS DATE) AS business_date FROM {step['silver_campaigns']} "
        f"WHERE campaign_id <> '{UNATTRIBUTED}'), "
        f"spent AS (SELECT campaign_id, business_date, model, daily_cost FROM days CROSS JOIN (VALUES {models}) m (model)), "
        "met AS (SELECT campaign_id, business_date, model, COALESCE(touches, 0) AS touches, COALESCE(conversions, 0) AS conversions, "
        "COALESCE(attributed_usd, 0) AS attributed_usd, COALESCE(daily_cost, 0) AS cost_usd "
        f"FROM earned {'LEFT' if rules.cost_only_with_orders else 'FULL'} JOIN spent USING (campaign_id, business_date, model)) "
        "SELECT * REPLACE (held_by_money(attributed_usd) AS attributed_usd), "
        "CASE WHEN cost_usd <> 0 THEN (attributed_usd / 1e4) / (cost_usd / 1e2) END AS roas, "
        "CASE WHEN conversions <> 0 THEN (cost_usd / 1e2) / (conversions / 1e4) END AS cac FROM met"
    )


STAGES = {
    "order_revenue": Stage(order_revenue, ("gold_fact_sales", "silver_orders", "silver_customers"), ("reversals_not_attributed",)),
    "touches": Stage(
        touches, ("order_revenue", "silver_behavior_events"), ("touch_at_start_excluded", "touch_at_order_included")
    ),
    "touch_shares": Stage(
        touch_shares,
        ("touches",),
        (
            "touch_ties_reversed",
            "half_life_seconds",
            "two_positions_unequal",
            "shares_rounded",
            "rest_to_last_touch",
            "unpaid_orders_convert",
        ),
    ),
    "attribution_shares": Stage(
        shares, ("touch_shares", "touches", "order_revenue"), ("unattributed_dropped", "unpaid_orders_convert")
    ),
    "gold_marketing_attribution": Stage(
        marketing_attribution, ("attribution_shares", "silver_campaigns"), ("cost_without_last_day", "cost_only_with_orders")
    ),
}
