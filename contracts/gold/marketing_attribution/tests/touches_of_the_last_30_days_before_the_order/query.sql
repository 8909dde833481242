SELECT campaign_id, business_date, model, touches, conversions, attributed_usd
FROM gold_marketing_attribution
WHERE model IN ('first_touch', 'time_decay')
ORDER BY campaign_id, model
