-- What became of every behaviour event: one row per bucket.
WITH orders AS (
    SELECT c.customer_id, MIN(f.occurred_at) AS ordered_at
    FROM gold_dim_customers c
    JOIN gold_fact_sales f ON f.customer_key = c.customer_key
    WHERE f.movement = 'sale' AND c.customer_id <> 'unknown'
    GROUP BY c.customer_id, f.order_id
),
touches AS (
    SELECT DISTINCT e.event_id
    FROM silver_behavior_events e
    JOIN orders o
        ON o.customer_id = e.resolved_customer_id
        AND e.event_ts >= o.ordered_at - INTERVAL '30 days'
        AND e.event_ts < o.ordered_at
    WHERE e.utm_campaign <> 'unattributed'
)
SELECT 'silver_behavior_events' AS input, 'accepted' AS bucket, COUNT(*) AS rows
FROM touches
UNION ALL
-- No campaign sent it, or one by the name that we give to none.
SELECT 'silver_behavior_events', 'filtered', COUNT(*)
FROM silver_behavior_events
WHERE utm_campaign IS NULL OR utm_campaign = 'unattributed'
UNION ALL
-- Nobody knows whose it is.
SELECT 'silver_behavior_events', 'filtered', COUNT(*)
FROM silver_behavior_events
WHERE utm_campaign <> 'unattributed' AND resolved_customer_id IS NULL
UNION ALL
-- No order follows within 30 days.
SELECT 'silver_behavior_events', 'filtered', COUNT(*)
FROM silver_behavior_events
WHERE utm_campaign <> 'unattributed' AND resolved_customer_id IS NOT NULL AND event_id NOT IN (SELECT event_id FROM touches)
