-- What became of every movement of an order: one row per bucket.
WITH customers AS (
    SELECT customer_key, customer_id
    FROM gold_dim_customers
    WHERE customer_id <> 'unknown'
),
movements AS (
    SELECT c.customer_id, f.movement, f.business_date <= as_of_date() AS counts
    FROM customers c
    RIGHT JOIN gold_fact_sales f ON f.customer_key = c.customer_key
),
first_sales AS (
    SELECT customer_id, MIN(business_date) AS sold_on
    FROM customers c
    JOIN gold_fact_sales f ON f.customer_key = c.customer_key
    WHERE f.movement = 'sale'
    GROUP BY customer_id
)
SELECT 'gold_fact_sales' AS input, 'accepted' AS bucket, COALESCE(SUM(movements), 0) AS rows
FROM gold_customer_segments
UNION ALL
-- It comes after the date.
SELECT 'gold_fact_sales', 'filtered', COUNT(*)
FROM movements
WHERE NOT counts
UNION ALL
-- Nobody knows whose it is. One of no customer at all is in no bucket: the facts would be of another dimension.
SELECT 'gold_fact_sales', 'filtered', COUNT(*)
FROM gold_dim_customers c
JOIN gold_fact_sales f ON f.customer_key = c.customer_key
WHERE c.customer_id = 'unknown' AND f.business_date <= as_of_date()
UNION ALL
-- A reversal that is dated before the sale, and before anything else that its customer bought.
SELECT 'gold_fact_sales', 'filtered', COUNT(*)
FROM movements m
JOIN first_sales s ON s.customer_id = m.customer_id
WHERE m.counts AND s.sold_on > as_of_date()
