-- What became of every change of a product: one row per input and bucket.
WITH changes AS (
    SELECT
        product_id, changed_at, list_price, category, is_active,
        business_date(changed_at) AS changed_on
    FROM silver_products_history
),
last_changes AS (
    SELECT product_id, changed_on, MAX(changed_at) AS changed_at
    FROM changes
    GROUP BY product_id, changed_on
),
states AS (
    -- States of what changed more than once: nothing else can repeat itself.
    SELECT
        c.*,
        LAG(c.list_price) OVER history AS list_price_before,
        LAG(c.category) OVER history AS category_before,
        LAG(c.is_active) OVER history AS is_active_before,
        LAG(c.changed_on) OVER history AS changed_on_before
    FROM changes c
    JOIN last_changes l ON l.product_id = c.product_id AND l.changed_at = c.changed_at
    WHERE c.product_id IN (SELECT product_id FROM last_changes GROUP BY product_id HAVING COUNT(*) > 1)
    WINDOW history AS (PARTITION BY c.product_id ORDER BY c.changed_on)
)
-- It started a version.
SELECT 'silver_products_history' AS input, 'accepted' AS bucket, COUNT(*) AS rows
FROM gold_dim_products
WHERE product_id <> 'unknown'
UNION ALL
-- A later change of the same business date counts instead.
SELECT 'silver_products_history', 'superseded', COUNT(*)
FROM changes c
JOIN last_changes l ON l.product_id = c.product_id AND l.changed_on = c.changed_on
WHERE c.changed_at < l.changed_at
UNION ALL
-- Nothing that starts a version is different from the state before.
SELECT 'silver_products_history', 'duplicate', COUNT(*)
FROM states
WHERE changed_on_before IS NOT NULL
    AND (list_price IS NOT DISTINCT FROM list_price_before)
    AND (category IS NOT DISTINCT FROM category_before)
    AND (is_active IS NOT DISTINCT FROM is_active_before)
