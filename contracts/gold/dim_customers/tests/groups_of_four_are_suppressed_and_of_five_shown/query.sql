-- five: five share all four attributes now, one of them with another band in between. four: the fifth has left for another country.
-- null: nulls are equal. The unknown member counts nowhere.
SELECT customer_id, valid_from, country, income_band, birth_decade, region FROM gold_dim_customers ORDER BY customer_id, valid_from
