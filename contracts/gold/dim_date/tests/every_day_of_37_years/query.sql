-- 37 years of which 9 are leap years; 10 holidays a year until 2020, 11 from 2021.
SELECT COUNT(*) AS days, MIN(date) AS first_day, MAX(date) AS last_day, COUNT(holiday_name) AS holidays FROM gold_dim_date
