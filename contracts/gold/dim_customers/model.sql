-- One row per customer and version, and the unknown member. Key: customer_key.
-- Reads: silver_customers_history, silver_contacts_history, silver_contact_companies, silver_companies.
-- A version starts on the business date on which country, income band, lifecycle stage, company or e-mail domain class
-- changes; other attributes show the newest change on all versions. Stage and company are those of the customer's contact.
WITH customer_changes AS (
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
        END AS income_band
    FROM silver_customers_history
),
newest AS (
    SELECT customer_id, name_initials, email_token, phone_last2, birth_decade, state AS region, acquisition_source
    FROM customer_changes
    QUALIFY ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY changed_at DESC) = 1
),
last_customer_changes AS (
    -- Two changes on one business date: the last one counts.
    SELECT customer_id, changed_on, country, income_band, email_domain_class
    FROM customer_changes
    QUALIFY ROW_NUMBER() OVER (PARTITION BY customer_id, changed_on ORDER BY changed_at DESC) = 1
),
customer_states AS (
    SELECT *, LEAD(changed_on) OVER (PARTITION BY customer_id ORDER BY changed_on) AS changed_again_on
    FROM last_customer_changes
),
contacts AS (
    -- The newest state in which a contact lived, and whether it lives still.
    SELECT
        contact_id, customer_id, email_token,
        changed_at = MAX(changed_at) OVER (PARTITION BY contact_id) AS is_live
    FROM silver_contacts_history
    QUALIFY deleted_at IS NULL
        AND ROW_NUMBER() OVER (PARTITION BY contact_id, deleted_at IS NULL ORDER BY changed_at DESC) = 1
),
addresses AS (
    -- Of customers who share an address the lowest id has it.
    SELECT email_token, MIN(customer_id) AS customer_id
    FROM newest
    WHERE email_token IS NOT NULL
    GROUP BY email_token
),
matches AS (
    -- A contact belongs to the customer that it names, else, or if nobody has that number, to the one with its address.
    SELECT
        c.contact_id, c.is_live,
        n.customer_id IS NOT NULL AS is_named,
        COALESCE(n.customer_id, a.customer_id) AS customer_id
    FROM contacts c
    LEFT JOIN newest n ON n.customer_id = c.customer_id
    LEFT JOIN addresses a ON a.email_token = c.email_token
),
customer_contacts AS (
    SELECT customer_id, contact_id
    FROM matches
    WHERE customer_id IS NOT NULL
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY customer_id
        ORDER BY is_named DESC, is_live DESC, TRY_CAST(contact_id AS DECIMAL(38, 0)), contact_id
    ) = 1
),
last_contact_changes AS (
    -- A deleted contact has no stage.
    SELECT contact_id, business_date(changed_at) AS changed_on, lifecycle_stage
    FROM silver_contacts_history
    QUALIFY ROW_NUMBER() OVER (PARTITION BY contact_id, business_date(changed_at) ORDER BY changed_at DESC) = 1
),
contact_states AS (
    SELECT
        k.customer_id, s.changed_on, s.lifecycle_stage,
        LEAD(s.changed_on) OVER (PARTITION BY k.customer_id ORDER BY s.changed_on) AS changed_again_on
    FROM customer_contacts k
    JOIN last_contact_changes s ON s.contact_id = k.contact_id
),
associations AS (
    -- Until the contact leaves the company, or the company is deleted.
    SELECT
        k.customer_id, c.company_id, c.name,
        COALESCE(a.is_primary, FALSE) AS is_primary,
        business_date(a.associated_at) AS begun_on,
        LEAST(business_date(a.deleted_at), business_date(c.deleted_at)) AS ended_on
    FROM customer_contacts k
    JOIN silver_contact_companies a ON a.contact_id = k.contact_id
    JOIN silver_companies c ON c.company_id = a.company_id
    WHERE a.associated_at IS NOT NULL
),
change_dates AS (
    SELECT customer_id, changed_on FROM customer_states
    UNION
    SELECT customer_id, changed_on FROM contact_states
    UNION
    SELECT customer_id, UNNEST([begun_on, ended_on]) FROM associations
),
states AS (
    -- At the end of each date on which something changed. What came before the customer himself is in his first state.
    -- Of several companies the primary one counts, else the one with the lowest number.
    SELECT d.customer_id, d.changed_on, c.country, c.income_band, s.lifecycle_stage, a.name AS company_name, c.email_domain_class
    FROM change_dates d
    JOIN customer_states c
        ON c.customer_id = d.customer_id
        AND c.changed_on <= d.changed_on
        AND (c.changed_again_on IS NULL OR d.changed_on < c.changed_again_on)
    LEFT JOIN contact_states s
        ON s.customer_id = d.customer_id
        AND s.changed_on <= d.changed_on
        AND (s.changed_again_on IS NULL OR d.changed_on < s.changed_again_on)
    LEFT JOIN associations a
        ON a.customer_id = d.customer_id
        AND a.begun_on <= d.changed_on
        AND (a.ended_on IS NULL OR d.changed_on < a.ended_on)
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY d.customer_id, d.changed_on
        ORDER BY a.is_primary DESC NULLS LAST, TRY_CAST(a.company_id AS DECIMAL(38, 0)), a.company_id
    ) = 1
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
counted AS (
    -- How many customers share today what could tell who somebody is; nulls are equal.
    SELECT
        v.*, n.name_initials, n.email_token, n.phone_last2, n.birth_decade, n.region, n.acquisition_source,
        COUNT(*) FILTER (WHERE v.valid_to IS NULL)
            OVER (PARTITION BY v.country, n.region, n.birth_decade, v.income_band) AS customers_alike
    FROM versions v
    JOIN newest n ON n.customer_id = v.customer_id
),
recognisable AS (
    -- All versions of a customer follow the current one.
    SELECT
        *,
        MIN(customers_alike) FILTER (WHERE valid_to IS NULL) OVER (PARTITION BY customer_id)
            < suppression_threshold() AS is_hidden
    FROM counted
),
members AS (
    SELECT
        customer_id,
        valid_from,
        valid_to,
        name_initials,
        email_token,
        email_domain_class,
        phone_last2,
        CASE WHEN is_hidden THEN 'suppressed' ELSE birth_decade END AS birth_decade,
        income_band,
        country,
        CASE WHEN is_hidden THEN 'suppressed' ELSE region END AS region,
        lifecycle_stage,
        acquisition_source,
        company_name
    FROM recognisable
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
