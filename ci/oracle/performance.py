"""gold_product_performance: what each product sold in each month, how it ranks and grows, and roughly what it earned."""

from oracle.sales import SCALE
from oracle.workbench import Stage


def product_facts(step):
    """The rows of gold_fact_sales with product, month, customer and the sale's unit cost.

    "product (missing ones together as `unknown`) x month of business_date": a reversal counts in the month of its own business date.
    "unit cost (USD, at the sale)": that of the product's change that holds on the sale's business date; of two changes on one date the
    last one counts, and the first change holds from the beginning, as in the dimension. A product that is missing has none.
    """
    rules = step.rules
    on_date = "utc_date" if rules.utc_date else "business_date"
    costs_on = "f.business_date" if rules.cost_of_movement_date else "DATE '9999-12-30'" if rules.cost_as_now else "s.sold_on"
    step.create(
        f"WITH dated AS (SELECT product_id, unit_cost, {on_date}(changed_at) AS valid_from FROM {step['silver_products_history']} "
        "QUALIFY row_number() OVER (PARTITION BY product_id, valid_from ORDER BY changed_at DESC) = 1), "
        "costs AS (SELECT product_id, unit_cost, lead(valid_from) OVER product AS valid_to, "
        "CASE WHEN row_number() OVER product = 1 THEN DATE '1900-01-01' ELSE valid_from END AS valid_from FROM dated "
        "WINDOW product AS (PARTITION BY product_id ORDER BY valid_from)), "
        f"sold AS (SELECT order_id, line_number, business_date AS sold_on FROM {step['gold_fact_sales']} WHERE movement = 'sale') "
        "SELECT COALESCE(p.product_id, 'unknown') AS product_id, CAST(date_trunc('month', f.business_date) AS DATE) AS month, "
        "f.movement, f.quantity, f.gross_amount, f.discount_amount, f.net_usd, f.usd_rate, c.customer_id, o.unit_cost "
        f"FROM {step['gold_fact_sales']} f JOIN sold s USING (order_id, line_number) "
        f"LEFT JOIN {step['gold_dim_products']} p USING (product_key) LEFT JOIN {step['gold_dim_customers']} c USING (customer_key) "
        f"LEFT JOIN costs o ON o.product_id = p.product_id AND o.valid_from <= {costs_on} "
        f"AND {costs_on} < COALESCE(o.valid_to, DATE '9999-12-31')"
    )


def measured(step):
    """One row per product and month with what is summed.

    "units = sale quantity; net USD = all movements of the month; discount rate = discount / gross of the sales, each converted at its
    line's rate", and rounded to 4 digits, as money is where a rate is applied; "return rate = returned / sold quantity of that month":
    rows of movement `return`, not cancellations; "distinct customers over sales": the unknown member is nobody; "margin USD = net USD
    - quantity x unit cost": null where a cost is not known. Dollars are integers of the fourth digit, so a cent of cost is 100.
    """
    known = "true" if step.rules.unknown_is_a_customer else "customer_id <> 'unknown'"
    returned = "movement <> 'sale'" if step.rules.cancellations_are_returns else "movement = 'return'"
    converted = {name: f"sum(divided({name}::HUGEINT * usd_rate, {SCALE})) FILTER (WHERE movement = 'sale')" for name in (
        "discount_amount", "gross_amount")}  # fmt: skip
    step.create(
        "SELECT product_id, month, CAST(COALESCE(sum(quantity) FILTER (WHERE movement = 'sale'), 0) AS BIGINT) AS units, "
        f"CAST(-COALESCE(sum(quantity) FILTER (WHERE {returned}), 0) AS BIGINT) AS returned, "
        f"CAST(sum(net_usd) AS HUGEINT) AS net_usd, {converted['discount_amount']} AS discount, {converted['gross_amount']} AS gross, "
        f"count(DISTINCT customer_id) FILTER (WHERE movement = 'sale' AND {known}) AS customers, "
        "CASE WHEN count(*) = count(unit_cost) THEN CAST(sum(net_usd) - sum(quantity::HUGEINT * unit_cost) * 100 AS HUGEINT) END AS margin "
        f"FROM {step['product_facts']} GROUP BY product_id, month"
    )


def product_performance(step):
    """gold_product_performance: a row for every product and month in which anything moved.

    "RANK in the current category by net USD": the largest of a month is 1, equal ones share a rank and leave a gap; null for a product
    without a category. "growth to the month and the year before (null without a positive predecessor)": net USD
    of this month by that of the same product then, less 1. "published rounded to 3 significant digits" (half away from zero, and
    never finer than a cent) "and null where the customer count is hidden"; "null when below 5". Money that its column cannot hold is
    null.
    """
    rules = step.rules
    shown = "true" if rules.small_counts_shown else f"customers >= {rules.customers_shown_min}"
    known = "true" if rules.margins_shown_whole else shown
    digit = "100" if rules.margins_shown_whole else "greatest(100, CAST(pow(10, length(abs(margin)::VARCHAR) - 3) AS HUGEINT))"
    rank = "dense_rank" if rules.rank_dense else "rank"
    category = "valid_from = DATE '1900-01-01'" if rules.category_of_first_version else "is_current"
    otherwise = "1.0" if rules.growth_from_nothing else "NULL"
    growth = {
        name: f"CASE WHEN {name}.net_usd > 0 THEN m.net_usd::DOUBLE / {name}.net_usd::DOUBLE - 1 ELSE {otherwise} END"
        for name in ("before", "year")
    }
    step.create(
        "SELECT m.product_id, m.month, m.units, held_by_money(m.net_usd) AS net_usd, "
        "CASE WHEN m.gross <> 0 THEN m.discount::DOUBLE / m.gross::DOUBLE END AS discount_rate, "
        "CASE WHEN m.units <> 0 THEN m.returned::DOUBLE / m.units::DOUBLE END AS return_rate, "
        f"CASE WHEN {shown} THEN m.customers END AS distinct_customers, "
        f"CASE WHEN {known} THEN held_by_money(divided(margin, {digit}) * {digit} // 100) END AS margin_usd, "
        f"CASE WHEN p.category IS NOT NULL THEN {rank}() OVER (PARTITION BY m.month, p.category ORDER BY m.net_usd DESC) END "
        "AS rank_in_category, "
        f"{growth['before']} AS growth_month, {growth['year']} AS growth_year FROM {step['product_months']} m "
        f"LEFT JOIN (FROM {step['gold_dim_products']} WHERE {category}) p USING (product_id) "
        f"LEFT JOIN (SELECT product_id, month, net_usd FROM {step['product_months']}) before "
        "ON before.product_id = m.product_id AND before.month = m.month - INTERVAL 1 MONTH "
        f"LEFT JOIN (SELECT product_id, month, net_usd FROM {step['product_months']}) year "
        "ON year.product_id = m.product_id AND year.month = m.month - INTERVAL 1 YEAR"
    )


STAGES = {
    "product_facts": Stage(
        product_facts,
        ("gold_fact_sales", "gold_dim_products", "gold_dim_customers", "silver_products_history"),
        ("utc_date", "cost_as_now", "cost_of_movement_date"),
    ),
    "product_months": Stage(measured, ("product_facts",), ("cancellations_are_returns", "unknown_is_a_customer")),
    "gold_product_performance": Stage(
        product_performance,
        ("product_months", "gold_dim_products"),
        ("small_counts_shown", "customers_shown_min", "margins_shown_whole", "rank_dense", "category_of_first_version", "growth_from_nothing"),
    ),
}
