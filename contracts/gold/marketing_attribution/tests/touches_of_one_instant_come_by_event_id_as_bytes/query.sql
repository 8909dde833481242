SELECT campaign_id, model, conversions, attributed_usd
FROM gold_marketing_attribution
WHERE model IN ('first_touch', 'last_touch', 'linear', 'time_decay')
ORDER BY model, campaign_id
