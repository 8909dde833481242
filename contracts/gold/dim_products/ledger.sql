-- What became of every change of a product: one row per input and bucket.
WITH changes AS (
    SELECT
        product_id, changed_at, list_price, category, is_active,
        business_date(changed_at) AS changed_on,
        LEAD(changed_at) OVER (PARTITION BY product_id ORDER BY changed_at) AS next_at
    FROM silver_products_history
),
states AS (
    SELECT
        *,
        LAG(list_price) OVER history AS list_price_before,
        LAG(category) OVER history AS category_before,
        LAG(is_active) OVER history AS is_active_before,
        LAG(changed_on) OVER history AS changed_on_before
    FROM changes
    WHERE next_at IS NULL OR business_date(next_at) <> changed_on
    WINDOW history AS (PARTITION BY product_id ORDER BY changed_on)
)
-- It started a version.
SELECT 'silver_products_history' AS input, 'accepted' AS bucket, COUNT(*) AS rows
FROM gold_dim_products
WHERE product_id <> 'unknown'
UNION ALL
-- A later change of the same business date counts instead.
SELECT 'silver_products_history', 'superseded', COUNT(*)
FROM changes
WHERE business_date(next_at) = changed_on
UNION ALL
-- Nothing that starts a version is different from the state before.
SELECT 'silver_products_history', 'duplicate', COUNT(*)
FROM states
WHERE changed_on_before IS NOT NULL
    AND (list_price IS NOT DISTINCT FROM list_price_before)
    AND (category IS NOT DISTINCT FROM category_before)
    AND (is_active IS NOT DISTINCT FROM is_active_before)
