SELECT product_id, valid_from, valid_to, is_current, list_price FROM gold_dim_products WHERE product_id <> 'unknown' ORDER BY product_id, valid_from
