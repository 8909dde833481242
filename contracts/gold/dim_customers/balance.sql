-- Every customer of Silver has exactly one current version.
SELECT
    'customers' AS measure,
    (SELECT COUNT(DISTINCT customer_id) FROM silver_customers_history) AS expected,
    (SELECT COUNT(DISTINCT customer_id) FROM gold_dim_customers WHERE customer_id <> 'unknown') AS found
UNION ALL
SELECT
    'current versions',
    (SELECT COUNT(DISTINCT customer_id) FROM silver_customers_history),
    (SELECT COUNT(*) FROM gold_dim_customers WHERE customer_id <> 'unknown' AND is_current)
