-- Named by the calendar year in which it ends.
SELECT date, fiscal_year, fiscal_quarter FROM gold_dim_date
WHERE date IN (DATE '2017-06-30', DATE '2017-07-01', DATE '2017-10-01', DATE '2017-12-31', DATE '2018-01-01', DATE '2018-06-30')
ORDER BY date
