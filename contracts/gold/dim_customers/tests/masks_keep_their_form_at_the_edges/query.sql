SELECT customer_id, name_initials, birth_decade FROM gold_dim_customers WHERE customer_id <> 'unknown' ORDER BY customer_id
