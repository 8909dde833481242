SELECT product_id, valid_from, valid_to, category FROM gold_dim_products ORDER BY product_id, valid_from
