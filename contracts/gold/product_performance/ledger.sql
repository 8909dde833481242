-- Every movement of an order stands in one product and month.
SELECT 'gold_fact_sales' AS input, 'accepted' AS bucket, COALESCE(SUM(movements), 0) AS rows
FROM gold_product_performance
