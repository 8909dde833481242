SELECT * FROM gold_dim_customers ORDER BY customer_id, valid_from
