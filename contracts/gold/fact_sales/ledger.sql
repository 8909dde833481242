-- What became of every line and every movement of an order: one row per input and bucket.
WITH known_orders AS (
    SELECT order_id FROM silver_orders WHERE ordered_at IS NOT NULL
),
known_lines AS (
    SELECT order_id, line_number
    FROM silver_order_items
    WHERE order_id IN (SELECT order_id FROM silver_order_movements)
        AND order_id IN (SELECT order_id FROM known_orders)
),
refused_sales AS (
    SELECT order_id, line_number FROM quarantine_fact_sales WHERE movement = 'sale'
),
listed_returns AS (
    -- `is_refused`: all that the return lists stands in quarantine.
    SELECT
        m.order_id, m.line_number,
        k.order_id IS NOT NULL AS is_known,
        n.order_id IS NOT NULL AS is_without_sale,
        q.order_id IS NOT NULL AS is_refused
    FROM silver_order_movements m
    LEFT JOIN known_lines k ON k.order_id = m.order_id AND k.line_number = m.line_number
    LEFT JOIN refused_sales n ON n.order_id = m.order_id AND n.line_number = m.line_number
    LEFT JOIN quarantine_fact_sales q
        ON q.order_id = m.order_id
        AND q.line_number = m.line_number
        AND q._position = m.event_id
        AND q.quantity = -m.quantity
        AND q.gross_amount = -m.gross_amount
        AND q.discount_amount = -m.discount_amount
        AND q.net_amount = -m.net_amount
        AND q.manufacturer_coupon_amount = -m.manufacturer_coupon_amount
    WHERE m.movement = 'return'
),
returned_lines AS (
    SELECT order_id, line_number FROM gold_fact_sales WHERE movement = 'return'
),
cancellations AS (
    SELECT
        order_id,
        ROW_NUMBER() OVER (PARTITION BY order_id ORDER BY occurred_at, _version, event_id) AS place
    FROM silver_order_movements
    WHERE movement = 'cancellation'
),
cancelled_orders AS (
    -- `is_refused`: no line of the order is cancelled in the facts.
    SELECT order_id, MIN(refused) > 0 AS is_refused
    FROM (
        SELECT order_id, 0 AS refused FROM gold_fact_sales WHERE movement = 'cancellation'
        UNION ALL
        SELECT order_id, 1 FROM quarantine_fact_sales WHERE movement = 'cancellation'
    )
    GROUP BY order_id
)
SELECT 'silver_order_items' AS input, 'accepted' AS bucket, COUNT(*) AS rows
FROM gold_fact_sales
WHERE movement = 'sale'
UNION ALL
SELECT 'silver_order_items', 'quarantined', COUNT(*)
FROM quarantine_fact_sales
WHERE movement = 'sale'
UNION ALL
-- Lines of orders without a header wait in Silver.
SELECT 'silver_order_items', 'filtered', COUNT(*)
FROM silver_order_items
WHERE order_id NOT IN (SELECT order_id FROM known_orders)
UNION ALL
SELECT 'silver_order_movements', 'accepted', COUNT(*)
FROM listed_returns m
JOIN returned_lines r ON r.order_id = m.order_id AND r.line_number = m.line_number
WHERE NOT m.is_refused
UNION ALL
SELECT 'silver_order_movements', 'quarantined', COUNT(*)
FROM listed_returns
WHERE is_known AND (is_without_sale OR is_refused)
UNION ALL
-- Returns of unknown sales wait in Silver.
SELECT 'silver_order_movements', 'filtered', COUNT(*)
FROM listed_returns
WHERE NOT is_known
UNION ALL
SELECT 'silver_order_movements', CASE WHEN o.is_refused THEN 'quarantined' ELSE 'accepted' END, COUNT(*)
FROM cancellations c
JOIN cancelled_orders o ON o.order_id = c.order_id
WHERE c.place = 1
GROUP BY o.is_refused
UNION ALL
-- Cancellations that find nothing open; balance.sql proves that they leave nothing open either.
SELECT 'silver_order_movements', 'filtered', COUNT(*)
FROM cancellations
WHERE place > 1 OR order_id NOT IN (SELECT order_id FROM cancelled_orders)
