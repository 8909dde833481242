-- Sums that must stand in facts and quarantine together exactly as they stand in Silver, and cancelled lines that must be zero.
WITH known_orders AS (
    SELECT order_id, currency FROM silver_orders WHERE ordered_at IS NOT NULL
),
moved_lines AS (
    SELECT i.order_id, i.line_number, o.currency
    FROM silver_order_items i
    JOIN known_orders o ON o.order_id = i.order_id
    WHERE i.order_id IN (SELECT order_id FROM silver_order_movements)
),
listed AS (
    -- What Silver lists, with the sign that it has in Gold.
    SELECT 'sale' AS movement, o.currency, i.quantity, i.gross_amount, i.net_amount, i.manufacturer_coupon_amount
    FROM silver_order_items i
    JOIN known_orders o ON o.order_id = i.order_id
    UNION ALL
    SELECT m.movement, l.currency, -m.quantity, -m.gross_amount, -m.net_amount, -m.manufacturer_coupon_amount
    FROM silver_order_movements m
    JOIN moved_lines l ON l.order_id = m.order_id AND l.line_number = m.line_number
    WHERE m.movement = 'return'
),
results AS (
    SELECT order_id, line_number, movement, currency, quantity, gross_amount, net_amount, manufacturer_coupon_amount, FALSE AS is_excess
    FROM gold_fact_sales
    UNION ALL
    SELECT
        order_id, line_number, movement, currency, quantity, gross_amount, net_amount, manufacturer_coupon_amount,
        _position IS NOT NULL
    FROM quarantine_fact_sales
),
expected AS (
    SELECT
        movement, currency, SUM(quantity) AS quantity, SUM(gross_amount) AS gross, SUM(net_amount) AS net,
        SUM(manufacturer_coupon_amount) AS coupon
    FROM listed
    GROUP BY movement, currency
),
found AS (
    SELECT
        movement, currency, SUM(quantity) AS quantity, SUM(gross_amount) AS gross, SUM(net_amount) AS net,
        SUM(manufacturer_coupon_amount) AS coupon
    FROM results
    WHERE movement <> 'cancellation'
    GROUP BY movement, currency
),
compared AS (
    SELECT
        CONCAT(COALESCE(e.movement, f.movement), ' ', COALESCE(e.currency, f.currency)) AS part,
        e.quantity AS expected_quantity, f.quantity AS found_quantity,
        e.gross AS expected_gross, f.gross AS found_gross,
        e.net AS expected_net, f.net AS found_net,
        e.coupon AS expected_coupon, f.coupon AS found_coupon
    FROM expected e
    FULL JOIN found f ON f.movement = e.movement AND f.currency = e.currency
),
cancelled_lines AS (
    SELECT order_id, line_number, SUM(quantity) AS quantity, SUM(gross_amount) AS gross, SUM(net_amount) AS net,
        SUM(manufacturer_coupon_amount) AS coupon
    FROM results
    WHERE NOT is_excess AND order_id IN (SELECT order_id FROM silver_order_movements WHERE movement = 'cancellation')
    GROUP BY order_id, line_number
)
SELECT CONCAT('quantity of ', part) AS measure, CAST(expected_quantity AS DECIMAL(38, 2)) AS expected, CAST(found_quantity AS DECIMAL(38, 2)) AS found
FROM compared
UNION ALL
SELECT CONCAT('gross amount of ', part), CAST(expected_gross AS DECIMAL(38, 2)), CAST(found_gross AS DECIMAL(38, 2))
FROM compared
UNION ALL
SELECT CONCAT('net amount of ', part), CAST(expected_net AS DECIMAL(38, 2)), CAST(found_net AS DECIMAL(38, 2))
FROM compared
UNION ALL
SELECT CONCAT('coupon amount of ', part), CAST(expected_coupon AS DECIMAL(38, 2)), CAST(found_coupon AS DECIMAL(38, 2))
FROM compared
UNION ALL
SELECT 'cancelled lines that are not zero', CAST(0 AS DECIMAL(38, 2)), CAST(COUNT(*) AS DECIMAL(38, 2))
FROM cancelled_lines
WHERE quantity <> 0 OR gross <> 0 OR net <> 0 OR coupon <> 0
