-- In every model stand all orders, all their dollars, all pairs of an order and a touch, and all costs.
WITH orders AS (
    SELECT
        order_id,
        MIN(customer_key) AS customer_key,
        MIN(occurred_at) FILTER (WHERE movement = 'sale') AS ordered_at,
        SUM(net_usd) AS net_usd
    FROM gold_fact_sales
    GROUP BY order_id
),
conversions AS (
    SELECT COUNT(*) AS conversions, COALESCE(SUM(net_usd), 0) AS attributed_usd
    FROM orders
    WHERE net_usd > 0
),
pairs AS (
    SELECT COUNT(*) AS touches
    FROM silver_behavior_events e
    JOIN gold_dim_customers c ON c.customer_id = e.resolved_customer_id
    JOIN orders o
        ON o.customer_key = c.customer_key
        AND e.event_ts >= o.ordered_at - INTERVAL '30 days'
        AND e.event_ts < o.ordered_at
    WHERE e.utm_campaign <> 'unattributed' AND c.customer_id <> 'unknown'
),
calendar AS (
    SELECT MIN(date) AS first_date, MAX(date) AS last_date
    FROM gold_dim_date
),
campaigns AS (
    SELECT
        c.daily_cost,
        CAST(LEAST(c.end_date, k.last_date) AS INT) - CAST(GREATEST(c.start_date, k.first_date) AS INT) + 1 AS days
    FROM silver_campaigns c
    CROSS JOIN calendar k
    WHERE c.start_date IS NOT NULL AND c.end_date IS NOT NULL AND c.campaign_id <> 'unattributed'
),
customers AS (
    -- An order whose customer the dimension does not know would silently be nobody's.
    SELECT (SELECT COUNT(*) FROM orders) AS orders, COUNT(*) AS found
    FROM orders o
    JOIN gold_dim_customers c ON c.customer_key = o.customer_key
),
costs AS (
    SELECT COALESCE(SUM(daily_cost * days), 0) AS cost_usd
    FROM campaigns
    WHERE days > 0
),
found AS (
    -- Without dollars that the column cannot hold there is nothing to compare.
    SELECT
        model,
        SUM(conversions) AS conversions,
        CASE WHEN COUNT(attributed_usd) = COUNT(*) THEN SUM(attributed_usd) END AS attributed_usd,
        SUM(touches) AS touches,
        SUM(cost_usd) AS cost_usd
    FROM gold_marketing_attribution
    GROUP BY model
)
SELECT
    CONCAT('conversions by ', f.model) AS measure,
    CAST(e.conversions AS DECIMAL(38, 4)) AS expected,
    CAST(f.conversions AS DECIMAL(38, 4)) AS found
FROM found f
CROSS JOIN conversions e
UNION ALL
SELECT CONCAT('dollars by ', f.model), CAST(e.attributed_usd AS DECIMAL(38, 4)), CAST(f.attributed_usd AS DECIMAL(38, 4))
FROM found f
CROSS JOIN conversions e
WHERE f.attributed_usd IS NOT NULL
UNION ALL
SELECT CONCAT('touches by ', f.model), CAST(e.touches AS DECIMAL(38, 4)), CAST(f.touches AS DECIMAL(38, 4))
FROM found f
CROSS JOIN pairs e
UNION ALL
SELECT CONCAT('cost by ', f.model), CAST(e.cost_usd AS DECIMAL(38, 4)), CAST(f.cost_usd AS DECIMAL(38, 4))
FROM found f
CROSS JOIN costs e
UNION ALL
SELECT 'orders with a customer', CAST(orders AS DECIMAL(38, 4)), CAST(found AS DECIMAL(38, 4))
FROM customers
UNION ALL
SELECT 'models', CAST(5 AS DECIMAL(38, 4)), CAST(COUNT(*) AS DECIMAL(38, 4))
FROM found
