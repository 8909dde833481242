-- What became of every change of a customer and of a contact: one row per input and bucket.
WITH changes AS (
    SELECT
        customer_id, changed_at, country, email_domain_class, email_token,
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
    SELECT
        c.*,
        LAG(c.country) OVER history AS country_before,
        LAG(c.income_band) OVER history AS income_band_before,
        LAG(c.email_domain_class) OVER history AS email_domain_class_before,
        LAG(c.changed_on) OVER history AS changed_on_before
    FROM changes c
    JOIN last_changes l ON l.customer_id = c.customer_id AND l.changed_at = c.changed_at
    WINDOW history AS (PARTITION BY c.customer_id ORDER BY c.changed_on)
),
customers AS (
    SELECT customer_id, MIN(changed_on) AS first_on
    FROM last_changes
    GROUP BY customer_id
),
starts AS (
    -- Dates on which versions start; the first one does so with the customer.
    SELECT
        d.customer_id,
        CASE WHEN d.valid_from = DATE '1900-01-01' THEN k.first_on ELSE d.valid_from END AS started_on
    FROM gold_dim_customers d
    JOIN customers k ON k.customer_id = d.customer_id
),
addresses AS (
    SELECT c.email_token, MIN(c.customer_id) AS customer_id
    FROM changes c
    JOIN (SELECT customer_id, MAX(changed_at) AS changed_at FROM changes GROUP BY customer_id) n
        ON n.customer_id = c.customer_id AND n.changed_at = c.changed_at
    GROUP BY c.email_token
),
contact_changes AS (
    SELECT
        contact_id, changed_at, deleted_at, customer_id, email_token, lifecycle_stage,
        business_date(changed_at) AS changed_on,
        MAX(changed_at) OVER (PARTITION BY contact_id) AS last_changed_at,
        MAX(changed_at) FILTER (WHERE deleted_at IS NULL) OVER (PARTITION BY contact_id) AS last_lived_at
    FROM silver_contacts_history
),
chosen_contacts AS (
    SELECT
        COALESCE(k.customer_id, a.customer_id) AS customer_id,
        c.contact_id
    FROM contact_changes c
    LEFT JOIN customers k ON k.customer_id = c.customer_id
    LEFT JOIN addresses a ON a.email_token = c.email_token
    WHERE c.changed_at = c.last_lived_at AND COALESCE(k.customer_id, a.customer_id) IS NOT NULL
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY COALESCE(k.customer_id, a.customer_id)
        ORDER BY
            k.customer_id IS NULL,
            c.last_lived_at < c.last_changed_at,
            TRY_CAST(c.contact_id AS DECIMAL(38, 0)),
            c.contact_id
    ) = 1
),
counting_changes AS (
    -- Of the changes of one date the last one counts, and of those before the customer the last one is in his first version.
    SELECT
        h.customer_id, c.lifecycle_stage, c.changed_at,
        GREATEST(c.changed_on, k.first_on) AS counts_on,
        LEAD(GREATEST(c.changed_on, k.first_on)) OVER (PARTITION BY c.contact_id ORDER BY c.changed_at) AS counts_until
    FROM contact_changes c
    JOIN chosen_contacts h ON h.contact_id = c.contact_id
    JOIN customers k ON k.customer_id = h.customer_id
),
contact_states AS (
    SELECT
        customer_id, counts_on, lifecycle_stage,
        LAG(lifecycle_stage) OVER (PARTITION BY customer_id ORDER BY counts_on) AS lifecycle_stage_before
    FROM counting_changes
    WHERE counts_until IS DISTINCT FROM counts_on
)
-- It started a version, or changed on the date on which one starts.
SELECT 'silver_customers_history' AS input, 'accepted' AS bucket, COUNT(*) AS rows
FROM last_changes l
JOIN starts s ON s.customer_id = l.customer_id AND s.started_on = l.changed_on
UNION ALL
-- A later change of the same business date counts instead.
SELECT 'silver_customers_history', 'superseded', COUNT(*)
FROM changes c
JOIN last_changes l ON l.customer_id = c.customer_id AND l.changed_on = c.changed_on
WHERE c.changed_at < l.changed_at
UNION ALL
-- Nothing that starts a version is different from the state before.
SELECT 'silver_customers_history', 'duplicate', COUNT(*)
FROM states c
LEFT JOIN starts s ON s.customer_id = c.customer_id AND s.started_on = c.changed_on
WHERE s.customer_id IS NULL
    AND c.changed_on_before IS NOT NULL
    AND (c.country IS NOT DISTINCT FROM c.country_before)
    AND (c.income_band IS NOT DISTINCT FROM c.income_band_before)
    AND (c.email_domain_class IS NOT DISTINCT FROM c.email_domain_class_before)
UNION ALL
-- The contact is nobody's, or another one is the customer's.
SELECT 'silver_contacts_history', 'filtered', COUNT(*)
FROM silver_contacts_history
WHERE contact_id NOT IN (SELECT contact_id FROM chosen_contacts)
UNION ALL
-- A later change of the same business date, or one that was there before the customer, counts instead.
SELECT 'silver_contacts_history', 'superseded', COUNT(*)
FROM counting_changes
WHERE counts_until = counts_on
UNION ALL
-- It is in the first version, or one starts with it.
SELECT 'silver_contacts_history', 'accepted', COUNT(*)
FROM contact_states c
JOIN starts s ON s.customer_id = c.customer_id AND s.started_on = c.counts_on
UNION ALL
-- The stage is that of the state before.
SELECT 'silver_contacts_history', 'duplicate', COUNT(*)
FROM contact_states c
LEFT JOIN starts s ON s.customer_id = c.customer_id AND s.started_on = c.counts_on
WHERE s.customer_id IS NULL AND (c.lifecycle_stage IS NOT DISTINCT FROM c.lifecycle_stage_before)
