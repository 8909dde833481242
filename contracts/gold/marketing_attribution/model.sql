-- One row per campaign, business date and attribution model. Key: campaign_id, business_date, model.
-- Reads: gold_fact_sales, gold_dim_customers, gold_dim_date, silver_behavior_events, silver_campaigns.
-- A touch is an event with a campaign, by a customer, at most 30 days before his order. Orders without touch stand under
-- `unattributed`, and every day of a campaign has its cost, also without order.
WITH orders AS (
    -- What an order came to over all its movements; what came to nothing gives nothing.
    SELECT
        order_id,
        MIN(customer_key) AS customer_key,
        MIN(occurred_at) FILTER (WHERE movement = 'sale') AS ordered_at,
        MIN(business_date) FILTER (WHERE movement = 'sale') AS business_date,
        GREATEST(SUM(net_usd), 0) AS net_usd,
        CAST(CASE WHEN SUM(net_usd) > 0 THEN 1 ELSE 0 END AS DECIMAL(18, 4)) AS conversions
    FROM gold_fact_sales
    GROUP BY order_id
),
customer_orders AS (
    SELECT c.customer_id, o.order_id, o.ordered_at, o.business_date, o.net_usd, o.conversions
    FROM gold_dim_customers c
    JOIN orders o ON o.customer_key = c.customer_key
),
touches AS (
    SELECT event_id, resolved_customer_id AS customer_id, event_ts AS touched_at, utm_campaign AS campaign_id
    FROM silver_behavior_events
    -- `unattributed` is our word for no campaign; anybody can write it into a link.
    WHERE utm_campaign <> 'unattributed' AND resolved_customer_id <> 'unknown'
),
touched_orders AS (
    -- Every touch of every order, in the order in which they came.
    SELECT
        o.order_id, o.business_date, o.net_usd, o.conversions, t.event_id, t.campaign_id, t.touched_at,
        ROW_NUMBER() OVER (PARTITION BY o.order_id ORDER BY t.touched_at, t.event_id) AS place,
        COUNT(*) OVER (PARTITION BY o.order_id) AS touches,
        CAST(CAST(o.ordered_at AS BIGINT) - CAST(t.touched_at AS BIGINT) AS DOUBLE) / 1000000 AS seconds_before
    FROM touches t
    JOIN customer_orders o
        ON o.customer_id = t.customer_id
        AND t.touched_at >= o.ordered_at - INTERVAL '30 days'
        AND t.touched_at < o.ordered_at
),
models AS (
    SELECT column1 AS model
    FROM (VALUES ('first_touch'), ('last_touch'), ('linear'), ('time_decay'), ('position_based'))
),
weighted_touches AS (
    -- Whole numbers in the proportion that each model gives: 40/20/40 is 2 : 1 : 2, the middle shared by all between.
    SELECT
        t.*,
        m.model,
        CASE m.model
            WHEN 'first_touch' THEN CASE WHEN t.place = 1 THEN 1 ELSE 0 END
            WHEN 'last_touch' THEN CASE WHEN t.place = t.touches THEN 1 ELSE 0 END
            WHEN 'linear' THEN 1
            WHEN 'time_decay' THEN CAST(ROUND(POWER(CAST(2 AS DOUBLE), -t.seconds_before / 604800) * 1000000000000) AS BIGINT)
            WHEN 'position_based' THEN
                CASE WHEN t.touches > 2 AND (t.place = 1 OR t.place = t.touches) THEN 2 * (t.touches - 2) ELSE 1 END
        END AS weight
    FROM touched_orders t
    CROSS JOIN models m
),
touch_shares AS (
    SELECT
        order_id, model, event_id, campaign_id, business_date,
        largest_remainder(conversions, weight) OVER touches_of_order AS conversions,
        largest_remainder(net_usd, weight) OVER touches_of_order AS attributed_usd
    FROM weighted_touches
    WINDOW touches_of_order AS (PARTITION BY order_id, model ORDER BY touched_at, event_id)
),
shares AS (
    -- Every order in every model: to the touches that it had, or to none.
    SELECT order_id, model, event_id, campaign_id, business_date, conversions, attributed_usd FROM touch_shares
    UNION ALL
    SELECT o.order_id, m.model, NULL, 'unattributed', o.business_date, o.conversions, o.net_usd
    FROM orders o
    CROSS JOIN models m
    WHERE o.order_id NOT IN (SELECT order_id FROM touched_orders)
),
campaign_days AS (
    SELECT c.campaign_id, d.date AS business_date, COALESCE(c.daily_cost, 0) AS daily_cost
    FROM silver_campaigns c
    JOIN gold_dim_date d ON d.date BETWEEN c.start_date AND c.end_date
    WHERE c.campaign_id <> 'unattributed'
),
entries AS (
    SELECT campaign_id, business_date, model, event_id, conversions, attributed_usd, CAST(0 AS DECIMAL(18, 2)) AS cost_usd
    FROM shares
    UNION ALL
    SELECT c.campaign_id, c.business_date, m.model, NULL, 0, 0, c.daily_cost
    FROM campaign_days c
    CROSS JOIN models m
),
sums AS (
    SELECT
        campaign_id, business_date, model,
        COUNT(event_id) AS touches,
        SUM(conversions) AS conversions,
        SUM(attributed_usd) AS attributed_usd,
        SUM(cost_usd) AS cost_usd
    FROM entries
    GROUP BY campaign_id, business_date, model
)
SELECT
    campaign_id,
    business_date,
    model,
    touches,
    CAST(conversions AS DECIMAL(18, 4)) AS conversions,
    -- Null where the column cannot hold the sum.
    TRY_CAST(attributed_usd AS DECIMAL(18, 4)) AS attributed_usd,
    CAST(cost_usd AS DECIMAL(18, 2)) AS cost_usd,
    CAST(attributed_usd AS DOUBLE) / NULLIF(CAST(cost_usd AS DOUBLE), 0) AS roas,
    CAST(cost_usd AS DOUBLE) / NULLIF(CAST(conversions AS DOUBLE), 0) AS cac
FROM sums
