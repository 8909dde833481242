-- One row per product and month in which something of it moved. Key: product_id, month.
-- Reads: gold_fact_sales, gold_dim_products, gold_dim_customers, silver_products_history.
-- Products that the warehouse does not know stand together as `unknown`.
WITH last_cost_changes AS (
    -- Two changes on one business date: the last one counts.
    SELECT product_id, business_date(changed_at) AS changed_on, unit_cost
    FROM silver_products_history
    QUALIFY ROW_NUMBER() OVER (PARTITION BY product_id, business_date(changed_at) ORDER BY changed_at DESC) = 1
),
costs AS (
    -- The first cost holds from the beginning, as the first version of a product does.
    SELECT
        product_id,
        unit_cost,
        CASE WHEN ROW_NUMBER() OVER history = 1 THEN DATE '1900-01-01' ELSE changed_on END AS valid_from,
        COALESCE(LEAD(changed_on) OVER history, DATE '9999-12-31') AS valid_to
    FROM last_cost_changes
    WINDOW history AS (PARTITION BY product_id ORDER BY changed_on)
),
products AS (
    SELECT
        p.product_key,
        p.product_id,
        c.unit_cost,
        COALESCE(c.valid_from, DATE '1900-01-01') AS valid_from,
        COALESCE(c.valid_to, DATE '9999-12-31') AS valid_to
    FROM gold_dim_products p
    LEFT JOIN costs c ON c.product_id = p.product_id
),
reversals AS (
    SELECT *
    FROM gold_fact_sales
    WHERE movement <> 'sale'
),
movements AS (
    -- A reversal costs what its sale did.
    SELECT
        product_key, customer_key, movement, business_date, business_date AS sold_on,
        quantity, gross_amount, discount_amount, usd_rate, net_usd
    FROM gold_fact_sales
    WHERE movement = 'sale'
    UNION ALL
    SELECT
        r.product_key, r.customer_key, r.movement, r.business_date, s.business_date,
        r.quantity, r.gross_amount, r.discount_amount, r.usd_rate, r.net_usd
    FROM reversals r
    JOIN gold_fact_sales s ON s.order_id = r.order_id AND s.line_number = r.line_number AND s.movement = 'sale'
),
priced_movements AS (
    -- No cost is one that is not known, or beyond all measure.
    SELECT
        p.product_id,
        CAST(DATE_TRUNC('month', m.business_date) AS DATE) AS month,
        c.customer_id,
        m.movement,
        CAST(m.quantity AS DECIMAL(19, 0)) AS quantity,
        ROUND(m.gross_amount * m.usd_rate, 4) AS gross_usd,
        ROUND(m.discount_amount * m.usd_rate, 4) AS discount_usd,
        m.net_usd,
        TRY_CAST(CAST(m.quantity AS DECIMAL(19, 0)) * p.unit_cost AS DECIMAL(28, 2)) AS cost_usd
    FROM products p
    JOIN movements m ON m.product_key = p.product_key AND p.valid_from <= m.sold_on AND m.sold_on < p.valid_to
    JOIN gold_dim_customers c ON c.customer_key = m.customer_key
),
customer_months AS (
    -- Summed per customer first, so that customers are counted without a set of them per product and month.
    SELECT
        product_id,
        month,
        customer_id,
        COUNT(*) AS movements,
        COUNT(cost_usd) AS movements_with_cost,
        SUM(quantity) FILTER (WHERE movement = 'sale') AS sold,
        SUM(-quantity) FILTER (WHERE movement = 'return') AS returned,
        SUM(gross_usd) FILTER (WHERE movement = 'sale') AS gross_usd,
        SUM(discount_usd) FILTER (WHERE movement = 'sale') AS discount_usd,
        SUM(net_usd) AS net_usd,
        SUM(cost_usd) AS cost_usd
    FROM priced_movements
    GROUP BY product_id, month, customer_id
),
months AS (
    SELECT
        product_id,
        month,
        CAST(SUM(movements) AS BIGINT) AS movements,
        SUM(movements_with_cost) = SUM(movements) AS has_cost,
        COUNT(*) FILTER (WHERE sold IS NOT NULL AND customer_id <> 'unknown') AS customers,
        COALESCE(SUM(sold), 0) AS sold,
        COALESCE(SUM(returned), 0) AS returned,
        SUM(gross_usd) AS gross_usd,
        SUM(discount_usd) AS discount_usd,
        SUM(net_usd) AS net_usd,
        SUM(net_usd) - SUM(cost_usd) AS margin_usd
    FROM customer_months
    GROUP BY product_id, month
),
compared AS (
    -- Beside each month what the product made in the month and in the year before it, and its rank in today's category.
    SELECT
        m.*,
        p.category,
        RANK() OVER (PARTITION BY m.month, p.category ORDER BY m.net_usd DESC) AS place,
        MAX(m.net_usd) OVER (
            PARTITION BY m.product_id ORDER BY m.month RANGE BETWEEN INTERVAL '1 month' PRECEDING AND INTERVAL '1 month' PRECEDING
        ) AS net_usd_month_before,
        MAX(m.net_usd) OVER (
            PARTITION BY m.product_id ORDER BY m.month RANGE BETWEEN INTERVAL '1 year' PRECEDING AND INTERVAL '1 year' PRECEDING
        ) AS net_usd_year_before
    FROM (SELECT product_id, category FROM gold_dim_products WHERE is_current) p
    JOIN months m ON m.product_id = p.product_id
)
SELECT
    product_id,
    month,
    -- Null where the column cannot hold the sum.
    TRY_CAST(sold AS BIGINT) AS units,
    TRY_CAST(net_usd AS DECIMAL(18, 4)) AS net_usd,
    CAST(discount_usd AS DOUBLE) / NULLIF(CAST(gross_usd AS DOUBLE), 0) AS discount_rate,
    CAST(returned AS DOUBLE) / NULLIF(CAST(sold AS DOUBLE), 0) AS return_rate,
    CASE WHEN customers >= suppression_threshold() THEN customers END AS distinct_customers,
    CASE
        WHEN customers < suppression_threshold() OR NOT has_cost THEN NULL
        -- Below a dollar three digits are finer than a cent.
        WHEN ABS(margin_usd) < 1 THEN CAST(ROUND(margin_usd, 2) AS DECIMAL(18, 2))
        ELSE TRY_CAST(round_significant(margin_usd, 3) AS DECIMAL(18, 2))
    END AS margin_usd,
    CASE WHEN category IS NOT NULL THEN place END AS rank_in_category,
    CASE
        WHEN net_usd_month_before > 0
            THEN CAST(net_usd - net_usd_month_before AS DOUBLE) / CAST(net_usd_month_before AS DOUBLE)
    END AS growth_month,
    CASE
        WHEN net_usd_year_before > 0 THEN CAST(net_usd - net_usd_year_before AS DOUBLE) / CAST(net_usd_year_before AS DOUBLE)
    END AS growth_year,
    movements
FROM compared
