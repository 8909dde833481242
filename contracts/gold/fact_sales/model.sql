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
    -- Every returned line with what was sold.
    SELECT
        m.order_id, m.line_number, l.product_id, m.event_id, m.occurred_at, m.source, m.is_late, m.place,
        m.quantity, m.gross_amount, m.discount_amount, m.net_amount, m.manufacturer_coupon_amount,
        l.quantity AS sold_quantity,
        l.gross_amount AS sold_gross,
        l.discount_amount AS sold_discount,
        l.net_amount AS sold_net,
        l.manufacturer_coupon_amount AS sold_coupon,
        c.place IS NULL OR m.place < c.place AS counts
    FROM movements m
    JOIN moved_lines l ON l.order_id = m.order_id AND l.line_number = m.line_number
    LEFT JOIN cancellations c ON c.order_id = m.order_id
    WHERE m.movement = 'return'
),
summed_returns AS (
    -- What was listed up to each return; what comes after the cancellation adds nothing.
    SELECT
        *,
        COALESCE(SUM(CAST(quantity AS DECIMAL(19, 0))) FILTER (WHERE counts) OVER so_far, 0) AS listed_quantity,
        COALESCE(SUM(gross_amount) FILTER (WHERE counts) OVER so_far, 0) AS listed_gross,
        COALESCE(SUM(discount_amount) FILTER (WHERE counts) OVER so_far, 0) AS listed_discount,
        COALESCE(SUM(manufacturer_coupon_amount) FILTER (WHERE counts) OVER so_far, 0) AS listed_coupon
    FROM listed_returns
    WINDOW so_far AS (
        PARTITION BY order_id, line_number ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
),
bounded_returns AS (
    -- The same between 0 and what was sold, which may be negative.
    SELECT
        *,
        GREATEST(LEAST(listed_quantity, GREATEST(sold_quantity, 0)), LEAST(sold_quantity, 0)) AS reversed_quantity,
        GREATEST(LEAST(listed_gross, GREATEST(sold_gross, 0)), LEAST(sold_gross, 0)) AS reversed_gross,
        GREATEST(LEAST(listed_discount, GREATEST(sold_discount, 0)), LEAST(sold_discount, 0)) AS bounded_discount,
        GREATEST(LEAST(listed_coupon, GREATEST(sold_coupon, 0)), LEAST(sold_coupon, 0)) AS reversed_coupon
    FROM summed_returns
),
reversed_returns AS (
    -- What the returns up to each reverse. Net has a bound of its own, and the discount is what lies between gross and net.
    SELECT
        *,
        GREATEST(LEAST(reversed_gross - bounded_discount, GREATEST(sold_net, 0)), LEAST(sold_net, 0)) AS reversed_net
    FROM bounded_returns
),
applied_returns AS (
    -- What each return adds to those before it.
    SELECT
        order_id, line_number, product_id, event_id, occurred_at, source, is_late, place, sold_net,
        quantity, gross_amount, discount_amount, net_amount, manufacturer_coupon_amount,
        CAST(reversed_quantity - COALESCE(LAG(reversed_quantity) OVER line, 0) AS BIGINT) AS applied_quantity,
        CAST(reversed_gross - COALESCE(LAG(reversed_gross) OVER line, 0) AS DECIMAL(18, 2)) AS applied_gross,
        CAST(
            reversed_gross - reversed_net - COALESCE(LAG(reversed_gross - reversed_net) OVER line, 0) AS DECIMAL(18, 2)
        ) AS applied_discount,
        CAST(reversed_net - COALESCE(LAG(reversed_net) OVER line, 0) AS DECIMAL(18, 2)) AS applied_net,
        CAST(reversed_coupon - COALESCE(LAG(reversed_coupon) OVER line, 0) AS DECIMAL(18, 2)) AS applied_coupon
    FROM reversed_returns
    WINDOW line AS (PARTITION BY order_id, line_number ORDER BY place)
),
returned_lines AS (
    -- Dated by the last return that found something open.
    SELECT
        order_id, line_number, product_id, sold_net,
        LAST_VALUE(occurred_at ORDER BY place) AS occurred_at,
        LAST_VALUE(source ORDER BY place) AS source,
        LAST_VALUE(is_late ORDER BY place) AS is_late,
        SUM(applied_quantity) AS quantity,
        CAST(SUM(applied_gross) AS DECIMAL(18, 2)) AS gross_amount,
        CAST(SUM(applied_discount) AS DECIMAL(18, 2)) AS discount_amount,
        CAST(SUM(applied_net) AS DECIMAL(18, 2)) AS net_amount,
        CAST(SUM(applied_coupon) AS DECIMAL(18, 2)) AS manufacturer_coupon_amount
    FROM applied_returns
    WHERE applied_quantity <> 0 OR applied_gross <> 0 OR applied_discount <> 0 OR applied_net <> 0 OR applied_coupon <> 0
    GROUP BY order_id, line_number, product_id, sold_net
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
    -- `sold_net` says whether the line is a fact at all; `returned_net` stands where the dollars are what is left.
    SELECT
        order_id, line_number, 'sale' AS movement, CAST(NULL AS TIMESTAMP) AS moved_at, source, is_late, product_id,
        quantity, gross_amount, discount_amount, net_amount, manufacturer_coupon_amount,
        net_amount AS sold_net, CAST(NULL AS DECIMAL(18, 2)) AS returned_net,
        CAST(NULL AS VARCHAR) AS rule, CAST(NULL AS VARCHAR) AS event_id
    FROM silver_order_items
    UNION ALL
    SELECT
        order_id, line_number, 'return', occurred_at, source, is_late, product_id,
        -quantity, -gross_amount, -discount_amount, -net_amount, -manufacturer_coupon_amount,
        sold_net, NULL, NULL, NULL
    FROM returned_lines
    UNION ALL
    SELECT
        order_id, line_number, 'cancellation', occurred_at, source, is_late, product_id,
        -quantity, -gross_amount, -discount_amount, -net_amount, -manufacturer_coupon_amount,
        sold_net, returned_net, NULL, NULL
    FROM open_lines
    WHERE quantity <> 0 OR gross_amount <> 0 OR discount_amount <> 0 OR net_amount <> 0 OR manufacturer_coupon_amount <> 0
    UNION ALL
    -- What a return lists beyond what is open, with the sign of a return.
    SELECT
        order_id, line_number, 'return', occurred_at, source, is_late, product_id,
        applied_quantity - quantity, applied_gross - gross_amount, applied_discount - discount_amount,
        applied_net - net_amount, applied_coupon - manufacturer_coupon_amount,
        sold_net, NULL, 'return_exceeds_open', event_id
    FROM applied_returns
    WHERE applied_quantity <> quantity
        OR applied_gross <> gross_amount
        OR applied_discount <> discount_amount
        OR applied_net <> net_amount
        OR applied_coupon <> manufacturer_coupon_amount
),
priced_entries AS (
    -- Dollars are null where DECIMAL(18, 4) does not hold them.
    SELECT
        e.*,
        o.ordered_at, o.business_date AS sold_on, o.customer_key, o.store_id, o.channel, o.currency, o.usd_rate, o.rate_date,
        o.status, o.is_late_in_warehouse,
        TRY_CAST(ROUND(e.sold_net * o.usd_rate, 4) AS DECIMAL(18, 4)) AS sold_usd,
        TRY_CAST(
            CASE
                WHEN e.movement = 'cancellation' THEN ROUND(e.returned_net * o.usd_rate, 4) - ROUND(e.sold_net * o.usd_rate, 4)
                ELSE ROUND(e.net_amount * o.usd_rate, 4)
            END AS DECIMAL(18, 4)
        ) AS net_usd
    FROM orders o
    JOIN entries e ON e.order_id = o.order_id
),
judged_entries AS (
    -- A reversal is no fact without its sale.
    SELECT
        *,
        usd_rate IS NOT NULL AND (sold_usd IS NULL OR net_usd IS NULL) AS is_out_of_range
    FROM priced_entries
)
-- What stands on the left of a join is held in memory: products and orders, not the lines.
SELECT
    e.order_id,
    e.line_number,
    e.movement,
    COALESCE(business_date(e.moved_at), e.sold_on) AS business_date,
    COALESCE(e.moved_at, e.ordered_at) AS occurred_at,
    e.customer_key,
    COALESCE(p.product_key, SUBSTR(sha256_hex('product|unknown|1900-01-01'), 1, 32)) AS product_key,
    e.store_id,
    e.channel,
    e.currency,
    e.quantity,
    e.gross_amount,
    e.discount_amount,
    e.net_amount,
    e.usd_rate,
    e.rate_date,
    CASE WHEN NOT e.is_out_of_range THEN e.net_usd END AS net_usd,
    e.manufacturer_coupon_amount,
    e.status AS order_status,
    e.source,
    CASE WHEN e.movement = 'sale' THEN e.is_late OR e.is_late_in_warehouse ELSE e.is_late END AS is_late,
    NULLIF(
        CONCAT_WS(
            ',',
            e.rule,
            CASE WHEN e.usd_rate IS NULL THEN 'rate_missing' END,
            CASE WHEN e.is_out_of_range THEN 'net_usd_out_of_range' END
        ),
        ''
    ) AS _rules,
    CASE WHEN e.movement = 'sale' THEN 'silver_order_items' ELSE 'silver_order_movements' END AS _input_table,
    e.event_id AS _position,
    e.line_number AS _line
FROM gold_dim_products p
RIGHT JOIN judged_entries e
    ON p.product_id = e.product_id
    AND p.valid_from <= e.sold_on
    AND (p.valid_to IS NULL OR e.sold_on < p.valid_to)
