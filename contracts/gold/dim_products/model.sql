-- One row per product and version, and the unknown member. Key: product_key. Reads: silver_products_history.
-- A version starts on the business date on which list price, category or active flag changes; other attributes show the
-- newest change on all versions.
WITH changes AS (
    SELECT *, business_date(changed_at) AS changed_on
    FROM silver_products_history
),
last_changes AS (
    -- Two changes on one business date: the last one counts.
    SELECT product_id, MAX(changed_at) AS changed_at
    FROM changes
    GROUP BY product_id, changed_on
),
states AS (
    SELECT c.product_id, c.changed_on, c.list_price, c.category, c.is_active
    FROM changes c
    JOIN last_changes l ON l.product_id = c.product_id AND l.changed_at = c.changed_at
),
compared AS (
    SELECT
        *,
        LAG(changed_on) OVER history AS changed_on_before,
        LAG(list_price) OVER history AS list_price_before,
        LAG(category) OVER history AS category_before,
        LAG(is_active) OVER history AS is_active_before
    FROM states
    WINDOW history AS (PARTITION BY product_id ORDER BY changed_on)
),
starts AS (
    -- The first version holds from the beginning, so that every fact finds one.
    SELECT
        product_id, list_price, category, is_active,
        CASE WHEN changed_on_before IS NULL THEN DATE '1900-01-01' ELSE changed_on END AS valid_from
    FROM compared
    WHERE changed_on_before IS NULL
        OR (list_price IS DISTINCT FROM list_price_before)
        OR (category IS DISTINCT FROM category_before)
        OR (is_active IS DISTINCT FROM is_active_before)
),
versions AS (
    SELECT *, LEAD(valid_from) OVER (PARTITION BY product_id ORDER BY valid_from) AS valid_to
    FROM starts
),
newest_changes AS (
    SELECT product_id, MAX(changed_at) AS changed_at
    FROM changes
    GROUP BY product_id
),
newest AS (
    SELECT c.product_id, c.department, c.brand, c.type, c.package_size
    FROM changes c
    JOIN newest_changes n ON n.product_id = c.product_id AND n.changed_at = c.changed_at
),
members AS (
    SELECT
        v.product_id, v.valid_from, v.valid_to, n.department, n.brand, v.category, n.type, n.package_size, v.list_price, v.is_active
    FROM versions v
    JOIN newest n ON n.product_id = v.product_id
    UNION ALL
    SELECT 'unknown', DATE '1900-01-01', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
)
SELECT
    SUBSTR(sha256_hex(CONCAT('product|', product_id, '|', CAST(valid_from AS VARCHAR))), 1, 32) AS product_key,
    product_id,
    valid_from,
    valid_to,
    valid_to IS NULL AS is_current,
    department,
    brand,
    category,
    type,
    package_size,
    list_price,
    is_active
FROM members
