SELECT business_date, campaign_id, model, touches, conversions, attributed_usd
FROM gold_marketing_attribution
WHERE model IN ('position_based', 'linear') OR business_date < DATE '2017-12-24'
ORDER BY business_date, campaign_id, model
