SELECT * FROM gold_dim_products ORDER BY product_id, valid_from
