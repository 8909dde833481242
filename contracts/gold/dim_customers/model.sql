-- One row per customer and version, and the unknown member. Key: customer_key. Reads: silver_customers_history.
-- A version starts on the business date on which country, income band, lifecycle stage, company or e-mail domain class
-- changes; other attributes show the newest change on all versions.
WITH changes AS (
    -- Lifecycle stage and company come with the CRM.
    SELECT
        customer_id, changed_at, country, state, email_domain_class, email_token, phone_last2, birth_decade, acquisition_source,
        business_date(changed_at) AS changed_on,
        NULLIF(CONCAT(first_initial, last_initial), '') AS name_initials,
        CASE
            WHEN income_band IN (
                'Under 15K', '15-24K', '25-34K', '35-49K', '50-74K', '75-99K', '100-124K', '125-149K', '150-174K', '175-199K',
                '200-249K', '250K+'
            ) THEN income_band
            ELSE 'unknown'
        END AS income_band,
        CAST(NULL AS VARCHAR) AS lifecycle_stage,
        CAST(NULL AS VARCHAR) AS company_name
    FROM silver_customers_history
),
last_changes AS (
    -- Two changes on one business date: the last one counts.
    SELECT customer_id, MAX(changed_at) AS changed_at
    FROM changes
    GROUP BY customer_id, changed_on
),
states AS (
    SELECT c.customer_id, c.changed_on, c.country, c.income_band, c.lifecycle_stage, c.company_name, c.email_domain_class
    FROM changes c
    JOIN last_changes l ON l.customer_id = c.customer_id AND l.changed_at = c.changed_at
),
compared AS (
    SELECT
        *,
        LAG(changed_on) OVER history AS changed_on_before,
        LAG(country) OVER history AS country_before,
        LAG(income_band) OVER history AS income_band_before,
        LAG(lifecycle_stage) OVER history AS lifecycle_stage_before,
        LAG(company_name) OVER history AS company_name_before,
        LAG(email_domain_class) OVER history AS email_domain_class_before
    FROM states
    WINDOW history AS (PARTITION BY customer_id ORDER BY changed_on)
),
starts AS (
    -- The first version holds from the beginning, so that every fact finds one.
    SELECT
        customer_id, country, income_band, lifecycle_stage, company_name, email_domain_class,
        CASE WHEN changed_on_before IS NULL THEN DATE '1900-01-01' ELSE changed_on END AS valid_from
    FROM compared
    WHERE changed_on_before IS NULL
        OR (country IS DISTINCT FROM country_before)
        OR (income_band IS DISTINCT FROM income_band_before)
        OR (lifecycle_stage IS DISTINCT FROM lifecycle_stage_before)
        OR (company_name IS DISTINCT FROM company_name_before)
        OR (email_domain_class IS DISTINCT FROM email_domain_class_before)
),
versions AS (
    SELECT *, LEAD(valid_from) OVER (PARTITION BY customer_id ORDER BY valid_from) AS valid_to
    FROM starts
),
newest_changes AS (
    SELECT customer_id, MAX(changed_at) AS changed_at
    FROM changes
    GROUP BY customer_id
),
newest AS (
    SELECT c.customer_id, c.name_initials, c.email_token, c.phone_last2, c.birth_decade, c.state AS region, c.acquisition_source
    FROM changes c
    JOIN newest_changes n ON n.customer_id = c.customer_id AND n.changed_at = c.changed_at
),
alike AS (
    -- How many customers share what could tell who somebody is, counted over current versions; nulls are equal.
    SELECT
        v.customer_id,
        COUNT(*) OVER (PARTITION BY v.country, n.region, n.birth_decade, v.income_band) AS customers
    FROM versions v
    JOIN newest n ON n.customer_id = v.customer_id
    WHERE v.valid_to IS NULL
),
members AS (
    SELECT
        v.customer_id,
        v.valid_from,
        v.valid_to,
        n.name_initials,
        n.email_token,
        v.email_domain_class,
        n.phone_last2,
        CASE WHEN a.customers < suppression_threshold() THEN 'suppressed' ELSE n.birth_decade END AS birth_decade,
        v.income_band,
        v.country,
        CASE WHEN a.customers < suppression_threshold() THEN 'suppressed' ELSE n.region END AS region,
        v.lifecycle_stage,
        n.acquisition_source,
        v.company_name
    FROM versions v
    JOIN newest n ON n.customer_id = v.customer_id
    JOIN alike a ON a.customer_id = v.customer_id
    UNION ALL
    SELECT 'unknown', DATE '1900-01-01', NULL, NULL, NULL, NULL, NULL, NULL, 'unknown', NULL, NULL, NULL, NULL, NULL
)
SELECT
    SUBSTR(sha256_hex(CONCAT('customer|', customer_id, '|', CAST(valid_from AS VARCHAR))), 1, 32) AS customer_key,
    customer_id,
    valid_from,
    valid_to,
    valid_to IS NULL AS is_current,
    name_initials,
    email_token,
    email_domain_class,
    phone_last2,
    birth_decade,
    income_band,
    country,
    region,
    lifecycle_stage,
    acquisition_source,
    company_name,
    token_key_id() AS token_key_id
FROM members
