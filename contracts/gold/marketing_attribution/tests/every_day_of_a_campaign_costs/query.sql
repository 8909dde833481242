SELECT campaign_id, business_date, model, touches, conversions, attributed_usd, cost_usd, roas, cac
FROM gold_marketing_attribution
WHERE model IN ('first_touch', 'last_touch')
ORDER BY campaign_id, business_date, model
