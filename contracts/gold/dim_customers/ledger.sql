-- What became of every change of a customer: one row per input and bucket.
WITH changes AS (
    SELECT
        customer_id, changed_at, country, email_domain_class,
        CASE
            WHEN income_band IN (
                'Under 15K', '15-24K', '25-34K', '35-49K', '50-74K', '75-99K', '100-124K', '125-149K', '150-174K', '175-199K',
                '200-249K', '250K+'
            ) THEN income_band
            ELSE 'unknown'
        END AS income_band,
        business_date(changed_at) AS changed_on
    FROM silver_customers_history
),
last_changes AS (
    SELECT customer_id, changed_on, MAX(changed_at) AS changed_at
    FROM changes
    GROUP BY customer_id, changed_on
),
states AS (
    -- States of what changed more than once: nothing else can repeat itself.
    SELECT
        c.*,
        LAG(c.country) OVER history AS country_before,
        LAG(c.income_band) OVER history AS income_band_before,
        LAG(c.email_domain_class) OVER history AS email_domain_class_before,
        LAG(c.changed_on) OVER history AS changed_on_before
    FROM changes c
    JOIN last_changes l ON l.customer_id = c.customer_id AND l.changed_at = c.changed_at
    WHERE c.customer_id IN (SELECT customer_id FROM last_changes GROUP BY customer_id HAVING COUNT(*) > 1)
    WINDOW history AS (PARTITION BY c.customer_id ORDER BY c.changed_on)
)
-- It started a version.
SELECT 'silver_customers_history' AS input, 'accepted' AS bucket, COUNT(*) AS rows
FROM gold_dim_customers
WHERE customer_id <> 'unknown'
UNION ALL
-- A later change of the same business date counts instead.
SELECT 'silver_customers_history', 'superseded', COUNT(*)
FROM changes c
JOIN last_changes l ON l.customer_id = c.customer_id AND l.changed_on = c.changed_on
WHERE c.changed_at < l.changed_at
UNION ALL
-- Nothing that starts a version is different from the state before.
SELECT 'silver_customers_history', 'duplicate', COUNT(*)
FROM states
WHERE changed_on_before IS NOT NULL
    AND (country IS NOT DISTINCT FROM country_before)
    AND (income_band IS NOT DISTINCT FROM income_band_before)
    AND (email_domain_class IS NOT DISTINCT FROM email_domain_class_before)
