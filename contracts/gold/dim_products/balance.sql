-- Every product of Silver has exactly one current version.
SELECT
    'products' AS measure,
    (SELECT COUNT(DISTINCT product_id) FROM silver_products_history) AS expected,
    (SELECT COUNT(DISTINCT product_id) FROM gold_dim_products WHERE product_id <> 'unknown') AS found
UNION ALL
SELECT
    'current versions',
    (SELECT COUNT(DISTINCT product_id) FROM silver_products_history),
    (SELECT COUNT(*) FROM gold_dim_products WHERE product_id <> 'unknown' AND is_current)
