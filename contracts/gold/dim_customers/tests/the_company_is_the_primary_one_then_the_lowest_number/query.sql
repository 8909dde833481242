SELECT customer_id, valid_from, valid_to, lifecycle_stage, company_name FROM gold_dim_customers WHERE customer_id <> 'unknown' ORDER BY customer_id, valid_from
