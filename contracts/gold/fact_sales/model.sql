-- One row per order line and movement: its sale, the sum of its returns, its cancellation.
-- Key: order_id, line_number, movement.
-- Reads: silver_orders, silver_order_items, silver_order_movements, silver_fx_rates, gold_dim_customers, gold_dim_products.
-- A row with `_rules` breaks them: it is no fact and goes to quarantine/fact_sales.
WITH known_orders AS (
    -- An order without a header has no sale time yet: its lines wait in Silver.
    SELECT
        order_id, customer_id, store_id, ordered_at, channel, currency, status,
        business_date(ordered_at) AS business_date,
        source = 'snowflake' AND is_late AS is_late_in_warehouse
    FROM silver_orders
    WHERE ordered_at IS NOT NULL
),
orders AS (
    -- Rate and customer of the sale's business date.
    SELECT
        o.order_id, o.store_id, o.ordered_at, o.business_date, o.channel, o.currency, o.status, o.is_late_in_warehouse,
        CASE WHEN o.currency = 'USD' THEN CAST(1 AS DECIMAL(18, 10)) ELSE r.usd_rate END AS usd_rate,
        CASE WHEN o.currency = 'USD' THEN o.business_date ELSE r.observation_date END AS rate_date,
        COALESCE(c.customer_key, SUBSTR(sha256_hex('customer|unknown|1900-01-01'), 1, 32)) AS customer_key
    FROM known_orders o
    LEFT JOIN silver_fx_rates r
        ON r.currency = o.currency
        AND r.date = o.business_date
        AND r.observation_date >= r.date - INTERVAL '7 days'
    LEFT JOIN gold_dim_customers c
        ON c.customer_id = o.customer_id
        AND c.valid_from <= o.business_date
        AND (c.valid_to IS NULL OR o.business_date < c.valid_to)
),
movements AS (
    -- Movements of an order apply by time and, at one time, by position.
    SELECT
        order_id, movement, line_number, event_id, occurred_at, source, is_late,
        quantity, gross_amount, discount_amount, net_amount, manufacturer_coupon_amount,
        ROW_NUMBER() OVER (PARTITION BY order_id ORDER BY occurred_at, _version, event_id) AS place
    FROM silver_order_movements
),
cancellations AS (
    -- The first one cancels; later ones find nothing.
    SELECT order_id, occurred_at, source, is_late, place
    FROM movements
    WHERE movement = 'cancellation'
    QUALIFY ROW_NUMBER() OVER (PARTITION BY order_id ORDER BY place) = 1
),
moved_lines AS (
    SELECT
        i.order_id, i.line_number, i.product_id,
        i.quantity, i.gross_amount, i.discount_amount, i.net_amount, i.manufacturer_coupon_amount
    FROM silver_order_items i
    WHERE i.order_id IN (SELECT order_id FROM movements)
        AND i.order_id IN (SELECT order_id FROM known_orders)
),
listed_returns AS (
    -- Every returned line with what was sold, and the sum of the returns before it.
    SELECT
        m.order_id, m.line_number, l.product_id, m.event_id, m.occurred_at, m.source, m.is_late, m.place,
        m.quantity, m.gross_amount, m.discount_amount, m.net_amount, m.manufacturer_coupon_amount,
        l.quantity AS sold_quantity,
        l.gross_amount AS sold_gross,
        l.discount_amount AS sold_discount,
        l.net_amount AS sold_net,
        l.manufacturer_coupon_amount AS sold_coupon,
        COALESCE(SUM(m.quantity) OVER earlier, 0) AS earlier_quantity,
        COALESCE(SUM(m.gross_amount) OVER earlier, 0) AS earlier_gross,
        COALESCE(SUM(m.discount_amount) OVER earlier, 0) AS earlier_discount,
        COALESCE(SUM(m.net_amount) OVER earlier, 0) AS earlier_net,
        COALESCE(SUM(m.manufacturer_coupon_amount) OVER earlier, 0) AS earlier_coupon,
        COALESCE(m.place > c.place, FALSE) AS is_after_cancellation
    FROM movements m
    JOIN moved_lines l ON l.order_id = m.order_id AND l.line_number = m.line_number
    LEFT JOIN cancellations c ON c.order_id = m.order_id
    WHERE m.movement = 'return'
    WINDOW earlier AS (
        PARTITION BY m.order_id, m.line_number ORDER BY m.place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),
judged_returns AS (
    -- Closed: nothing of the line is open any more. Exceeding: the return lists more than what is open in some measure.
    SELECT
        *,
        is_after_cancellation
            OR earlier_quantity > sold_quantity
            OR earlier_gross > sold_gross
            OR earlier_discount > sold_discount
            OR earlier_net > sold_net
            OR earlier_coupon > sold_coupon
            OR (
                earlier_quantity = sold_quantity
                AND earlier_gross = sold_gross
                AND earlier_discount = sold_discount
                AND earlier_net = sold_net
                AND earlier_coupon = sold_coupon
            ) AS is_closed,
        earlier_quantity + quantity > sold_quantity
            OR earlier_gross + gross_amount > sold_gross
            OR earlier_discount + discount_amount > sold_discount
            OR earlier_net + net_amount > sold_net
            OR earlier_coupon + manufacturer_coupon_amount > sold_coupon AS is_exceeding
    FROM listed_returns
),
applied_returns AS (
    -- A return that exceeds reverses all that is open, in every measure.
    SELECT
        *,
        CASE WHEN is_closed THEN 0 WHEN is_exceeding THEN sold_quantity - earlier_quantity ELSE quantity END AS returned_quantity,
        CASE WHEN is_closed THEN 0 WHEN is_exceeding THEN sold_gross - earlier_gross ELSE gross_amount END AS returned_gross,
        CASE WHEN is_closed THEN 0 WHEN is_exceeding THEN sold_discount - earlier_discount ELSE discount_amount END
            AS returned_discount,
        CASE WHEN is_closed THEN 0 WHEN is_exceeding THEN sold_net - earlier_net ELSE net_amount END AS returned_net,
        CASE WHEN is_closed THEN 0 WHEN is_exceeding THEN sold_coupon - earlier_coupon ELSE manufacturer_coupon_amount END
            AS returned_coupon
    FROM judged_returns
),
returned_lines AS (
    -- Dated by the last return that still found something open.
    SELECT
        order_id, line_number, product_id,
        LAST_VALUE(occurred_at ORDER BY place) AS occurred_at,
        LAST_VALUE(source ORDER BY place) AS source,
        LAST_VALUE(is_late ORDER BY place) AS is_late,
        SUM(returned_quantity) AS quantity,
        CAST(SUM(returned_gross) AS DECIMAL(18, 2)) AS gross_amount,
        CAST(SUM(returned_discount) AS DECIMAL(18, 2)) AS discount_amount,
        CAST(SUM(returned_net) AS DECIMAL(18, 2)) AS net_amount,
        CAST(SUM(returned_coupon) AS DECIMAL(18, 2)) AS manufacturer_coupon_amount
    FROM applied_returns
    WHERE NOT is_closed
    GROUP BY order_id, line_number, product_id
),
open_lines AS (
    -- What the returns left of every line of a cancelled order.
    SELECT
        l.order_id, l.line_number, l.product_id, c.occurred_at, c.source, c.is_late,
        l.quantity - COALESCE(r.quantity, 0) AS quantity,
        l.gross_amount - COALESCE(r.gross_amount, 0) AS gross_amount,
        l.discount_amount - COALESCE(r.discount_amount, 0) AS discount_amount,
        l.net_amount - COALESCE(r.net_amount, 0) AS net_amount,
        l.manufacturer_coupon_amount - COALESCE(r.manufacturer_coupon_amount, 0) AS manufacturer_coupon_amount,
        l.net_amount AS sold_net,
        COALESCE(r.net_amount, 0) AS returned_net
    FROM moved_lines l
    JOIN cancellations c ON c.order_id = l.order_id
    LEFT JOIN returned_lines r ON r.order_id = l.order_id AND r.line_number = l.line_number
),
entries AS (
    -- `sold_net` and `returned_net` stand where the dollars are what is left of them.
    SELECT
        order_id, line_number, 'sale' AS movement, CAST(NULL AS TIMESTAMP) AS moved_at, source, is_late, product_id,
        quantity, gross_amount, discount_amount, net_amount, manufacturer_coupon_amount,
        CAST(NULL AS DECIMAL(18, 2)) AS sold_net, CAST(NULL AS DECIMAL(18, 2)) AS returned_net,
        CAST(NULL AS VARCHAR) AS rule, CAST(NULL AS VARCHAR) AS event_id
    FROM silver_order_items
    UNION ALL
    SELECT
        order_id, line_number, 'return', occurred_at, source, is_late, product_id,
        -quantity, -gross_amount, -discount_amount, -net_amount, -manufacturer_coupon_amount,
        NULL, NULL, NULL, NULL
    FROM returned_lines
    UNION ALL
    SELECT
        order_id, line_number, 'cancellation', occurred_at, source, is_late, product_id,
        -quantity, -gross_amount, -discount_amount, -net_amount, -manufacturer_coupon_amount,
        sold_net, returned_net, NULL, NULL
    FROM open_lines
    WHERE quantity <> 0 OR gross_amount <> 0 OR discount_amount <> 0 OR net_amount <> 0 OR manufacturer_coupon_amount <> 0
    UNION ALL
    -- The part of a return that found nothing open, with the sign of a return.
    SELECT
        order_id, line_number, 'return', occurred_at, source, is_late, product_id,
        returned_quantity - quantity, returned_gross - gross_amount, returned_discount - discount_amount,
        returned_net - net_amount, returned_coupon - manufacturer_coupon_amount,
        NULL, NULL, 'return_exceeds_open', event_id
    FROM applied_returns
    WHERE is_closed OR is_exceeding
)
-- What stands on the left of a join is held in memory: products and orders, not the lines.
SELECT
    e.order_id,
    e.line_number,
    e.movement,
    COALESCE(business_date(e.moved_at), o.business_date) AS business_date,
    COALESCE(e.moved_at, o.ordered_at) AS occurred_at,
    o.customer_key,
    COALESCE(p.product_key, SUBSTR(sha256_hex('product|unknown|1900-01-01'), 1, 32)) AS product_key,
    o.store_id,
    o.channel,
    o.currency,
    e.quantity,
    e.gross_amount,
    e.discount_amount,
    e.net_amount,
    o.usd_rate,
    o.rate_date,
    CASE
        WHEN e.movement = 'cancellation' THEN ROUND(e.returned_net * o.usd_rate, 4) - ROUND(e.sold_net * o.usd_rate, 4)
        ELSE ROUND(e.net_amount * o.usd_rate, 4)
    END AS net_usd,
    e.manufacturer_coupon_amount,
    o.status AS order_status,
    e.source,
    CASE WHEN e.movement = 'sale' THEN e.is_late OR o.is_late_in_warehouse ELSE e.is_late END AS is_late,
    NULLIF(CONCAT_WS(',', e.rule, CASE WHEN o.usd_rate IS NULL THEN 'rate_missing' END), '') AS _rules,
    CASE WHEN e.movement = 'sale' THEN 'silver_order_items' ELSE 'silver_order_movements' END AS _input_table,
    e.event_id AS _position,
    e.line_number AS _line
FROM gold_dim_products p
RIGHT JOIN (orders o JOIN entries e ON e.order_id = o.order_id)
    ON p.product_id = e.product_id
    AND p.valid_from <= o.business_date
    AND (p.valid_to IS NULL OR o.business_date < p.valid_to)
