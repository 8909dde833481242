SELECT campaign_id, business_date, model, touches, conversions, attributed_usd, cost_usd, roas, cac
FROM gold_marketing_attribution
WHERE model = 'linear'
ORDER BY campaign_id, business_date
