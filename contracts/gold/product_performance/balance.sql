-- Dollars, units and movements of the facts, by month. What a column cannot hold is compared nowhere.
WITH expected AS (
    SELECT
        CAST(DATE_TRUNC('month', business_date) AS DATE) AS month,
        COUNT(*) AS movements,
        SUM(CAST(quantity AS DECIMAL(19, 0))) FILTER (WHERE movement = 'sale') AS units,
        SUM(net_usd) AS net_usd
    FROM gold_fact_sales
    GROUP BY CAST(DATE_TRUNC('month', business_date) AS DATE)
),
found AS (
    SELECT
        month,
        SUM(movements) AS movements,
        SUM(CAST(units AS DECIMAL(19, 0))) AS units,
        SUM(net_usd) AS net_usd,
        COUNT(units) = COUNT(*) AS has_units,
        COUNT(net_usd) = COUNT(*) AS has_dollars
    FROM gold_product_performance
    GROUP BY month
),
compared AS (
    SELECT
        CAST(COALESCE(e.month, f.month) AS VARCHAR) AS month,
        e.movements AS expected_movements, f.movements AS found_movements,
        COALESCE(e.units, 0) AS expected_units, f.units AS found_units, f.has_units,
        e.net_usd AS expected_usd, f.net_usd AS found_usd, f.has_dollars
    FROM expected e
    FULL JOIN found f ON f.month = e.month
)
SELECT
    CONCAT('movements of ', month) AS measure,
    CAST(expected_movements AS DECIMAL(38, 4)) AS expected,
    CAST(found_movements AS DECIMAL(38, 4)) AS found
FROM compared
UNION ALL
SELECT CONCAT('units of ', month), CAST(expected_units AS DECIMAL(38, 4)), CAST(found_units AS DECIMAL(38, 4))
FROM compared
WHERE has_units IS DISTINCT FROM FALSE
UNION ALL
SELECT CONCAT('net dollars of ', month), CAST(expected_usd AS DECIMAL(38, 4)), CAST(found_usd AS DECIMAL(38, 4))
FROM compared
WHERE has_dollars IS DISTINCT FROM FALSE
