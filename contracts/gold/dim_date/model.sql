-- One row per calendar day from 1999-01-01 to 2035-12-31. Key: date_key. Reads: no table.
-- Holidays are the federal ones of the US on their own dates: one that falls on a weekend is not moved.
WITH days AS (
    SELECT CAST(value AS DATE) AS date
    FROM generate_series(DATE '1999-01-01', DATE '2035-12-31', INTERVAL '1 day')
),
weekdays AS (
    SELECT
        date,
        CAST(EXTRACT(YEAR FROM date) AS BIGINT) AS year,
        CAST(EXTRACT(MONTH FROM date) AS BIGINT) AS month,
        CAST(EXTRACT(DAY FROM date) AS BIGINT) AS day,
        (CAST(EXTRACT(DOW FROM date) AS BIGINT) + 6) % 7 + 1 AS day_of_week
    FROM days
),
weeks AS (
    -- An ISO week starts on Monday and belongs to the year of its Thursday.
    SELECT
        *,
        CAST(DATE_TRUNC('week', date) AS DATE) + INTERVAL '3 days' AS thursday,
        (month - fiscal_first_month() + 12) % 12 + 1 AS fiscal_month
    FROM weekdays
)
SELECT
    year * 10000 + month * 100 + day AS date_key,
    date,
    year,
    (month + 2) / 3 AS quarter,
    month,
    CAST(EXTRACT(YEAR FROM thursday) AS BIGINT) AS iso_year,
    (CAST(EXTRACT(DOY FROM thursday) AS BIGINT) + 6) / 7 AS iso_week,
    day_of_week,
    -- A fiscal year is named by the calendar year in which it ends.
    CASE WHEN fiscal_first_month() > 1 AND month >= fiscal_first_month() THEN year + 1 ELSE year END AS fiscal_year,
    (fiscal_month + 2) / 3 AS fiscal_quarter,
    day_of_week >= 6 AS is_weekend,
    CASE
        WHEN month = 1 AND day = 1 THEN 'New Year''s Day'
        WHEN month = 1 AND day_of_week = 1 AND day BETWEEN 15 AND 21 THEN 'Martin Luther King Jr. Day'
        WHEN month = 2 AND day_of_week = 1 AND day BETWEEN 15 AND 21 THEN 'Washington''s Birthday'
        WHEN month = 5 AND day_of_week = 1 AND day BETWEEN 25 AND 31 THEN 'Memorial Day'
        WHEN month = 6 AND day = 19 AND year >= 2021 THEN 'Juneteenth National Independence Day'
        WHEN month = 7 AND day = 4 THEN 'Independence Day'
        WHEN month = 9 AND day_of_week = 1 AND day BETWEEN 1 AND 7 THEN 'Labor Day'
        WHEN month = 10 AND day_of_week = 1 AND day BETWEEN 8 AND 14 THEN 'Columbus Day'
        WHEN month = 11 AND day = 11 THEN 'Veterans Day'
        WHEN month = 11 AND day_of_week = 4 AND day BETWEEN 22 AND 28 THEN 'Thanksgiving Day'
        WHEN month = 12 AND day = 25 THEN 'Christmas Day'
    END AS holiday_name
FROM weeks
