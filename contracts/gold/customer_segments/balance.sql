-- The dollars, the orders and the customers of the facts, counted there and summed here.
WITH orders AS (
    SELECT c.customer_id, f.order_id, SUM(f.net_usd) AS net_usd, COUNT(*) FILTER (WHERE f.movement = 'sale') AS sales
    FROM gold_dim_customers c
    JOIN gold_fact_sales f ON f.customer_key = c.customer_key
    WHERE c.customer_id <> 'unknown' AND f.business_date <= as_of_date()
    GROUP BY c.customer_id, f.order_id
),
customers AS (
    SELECT customer_id, SUM(net_usd) AS net_usd, COUNT(*) FILTER (WHERE net_usd > 0) AS orders
    FROM orders
    GROUP BY customer_id
    HAVING SUM(sales) > 0
),
expected AS (
    SELECT
        COUNT(*) AS customers,
        COALESCE(SUM(orders), 0) AS orders,
        -- What the column cannot hold is in neither sum.
        COALESCE(SUM(TRY_CAST(net_usd AS DECIMAL(18, 4))), 0) AS net_usd
    FROM customers
),
found AS (
    SELECT COUNT(*) AS customers, COALESCE(SUM(frequency), 0) AS orders, COALESCE(SUM(monetary_usd), 0) AS net_usd
    FROM gold_customer_segments
)
SELECT 'customers' AS measure, CAST(e.customers AS DECIMAL(38, 4)) AS expected, CAST(f.customers AS DECIMAL(38, 4)) AS found
FROM expected e
CROSS JOIN found f
UNION ALL
SELECT 'orders', CAST(e.orders AS DECIMAL(38, 4)), CAST(f.orders AS DECIMAL(38, 4))
FROM expected e
CROSS JOIN found f
UNION ALL
SELECT 'net dollars', CAST(e.net_usd AS DECIMAL(38, 4)), CAST(f.net_usd AS DECIMAL(38, 4))
FROM expected e
CROSS JOIN found f
