SELECT campaign_id, business_date, model, touches, conversions, attributed_usd
FROM gold_marketing_attribution
WHERE model IN ('last_touch', 'linear')
ORDER BY campaign_id, business_date, model
