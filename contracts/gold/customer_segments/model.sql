-- One row per customer and as-of date: when, how often and for how much he bought, and what that says of him.
-- Key: customer_id, as_of_date. Reads: gold_fact_sales, gold_dim_customers.
-- Counted are movements up to the as-of date; rows of other as-of dates stay as they are.
WITH customers AS (
    -- The unknown member is no customer.
    SELECT customer_key, customer_id
    FROM gold_dim_customers
    WHERE customer_id <> 'unknown'
),
orders AS (
    -- An order's dollars over all its movements so far; it belongs to the date of its sale.
    SELECT
        c.customer_id,
        f.order_id,
        MIN(f.business_date) FILTER (WHERE f.movement = 'sale') AS sold_on,
        SUM(f.net_usd) AS net_usd,
        COUNT(*) AS movements
    FROM customers c
    JOIN gold_fact_sales f ON f.customer_key = c.customer_key
    WHERE f.business_date <= as_of_date()
    GROUP BY c.customer_id, f.order_id
),
purchases AS (
    -- What a customer bought; orders that came to nothing are no purchase, but their sales are sales.
    SELECT
        customer_id,
        MIN(sold_on) AS first_sold_on,
        MAX(sold_on) AS last_sold_on,
        COUNT(*) FILTER (WHERE net_usd > 0) AS frequency,
        MIN(sold_on) FILTER (WHERE net_usd > 0) AS first_purchased_on,
        MAX(sold_on) FILTER (WHERE net_usd > 0) AS last_purchased_on,
        SUM(net_usd) AS monetary_usd,
        SUM(movements) AS movements
    FROM orders
    GROUP BY customer_id
    HAVING MAX(sold_on) IS NOT NULL
),
measured AS (
    SELECT
        customer_id, frequency, monetary_usd, movements,
        CAST(as_of_date() AS INT) - CAST(last_sold_on AS INT) AS recency_days,
        CAST(as_of_date() AS INT) - CAST(first_sold_on AS INT) AS tenure_days,
        CASE
            WHEN frequency < 2 THEN CAST(30 AS DOUBLE)
            ELSE GREATEST(
                CAST(CAST(last_purchased_on AS INT) - CAST(first_purchased_on AS INT) AS DOUBLE) / CAST(frequency - 1 AS DOUBLE),
                CAST(1 AS DOUBLE)
            )
        END AS days_between_purchases
    FROM purchases
),
scored AS (
    -- Fifths from 1 to 5; among equal values the lower customer id counts as the lower value.
    SELECT
        *,
        CAST(1 + 5 * (ROW_NUMBER() OVER (ORDER BY recency_days DESC, customer_id) - 1) / COUNT(*) OVER () AS INT) AS r,
        CAST(1 + 5 * (ROW_NUMBER() OVER (ORDER BY frequency, customer_id) - 1) / COUNT(*) OVER () AS INT) AS f,
        CAST(1 + 5 * (ROW_NUMBER() OVER (ORDER BY monetary_usd, customer_id) - 1) / COUNT(*) OVER () AS INT) AS m
    FROM measured
),
rated AS (
    SELECT
        *,
        -- The mean of both, rounded up.
        (f + m + 1) / 2 AS fm,
        EXP(-CAST(recency_days AS DOUBLE) / days_between_purchases) AS stays,
        CAST(monetary_usd AS DOUBLE)
            / GREATEST(CAST(tenure_days AS DOUBLE) / CAST(30.4375 AS DOUBLE), CAST(1 AS DOUBLE)) AS monthly_usd
    FROM scored
)
SELECT
    customer_id,
    as_of_date() AS as_of_date,
    recency_days,
    frequency,
    -- Null where the column cannot hold it.
    TRY_CAST(monetary_usd AS DECIMAL(18, 4)) AS monetary_usd,
    r,
    f,
    m,
    CASE
        WHEN r >= 4 AND fm >= 4 THEN 'champion'
        WHEN fm >= 4 THEN 'loyal'
        WHEN r >= 4 AND f = 1 THEN 'new'
        WHEN r >= 3 THEN 'promising'
        WHEN fm >= 3 THEN 'at risk'
        ELSE 'hibernating'
    END AS segment,
    tenure_days,
    1 - stays AS churn_risk,
    TRY_CAST(ROUND(12 * monthly_usd * stays, 2) AS DECIMAL(18, 2)) AS expected_value_12m,
    movements
FROM rated
