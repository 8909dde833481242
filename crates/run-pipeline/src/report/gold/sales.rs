//! Net sales by month and currency.

use crate::report::scan::{self, Sum};
use chrono::{Datelike as _, NaiveDate};
use lake_table::Table;
use serde::Serialize;
use std::collections::BTreeMap;

/// Sales of all months.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sales {
    /// Those with the most sales first.
    currencies: Vec<String>,
    months: Vec<Month>,
}

#[derive(Debug, Clone, Serialize)]
struct Month {
    month: String,
    /// All currencies together.
    net_usd: Option<String>,
    currencies: Vec<OfCurrency>,
}

#[derive(Debug, Clone, Serialize)]
struct OfCurrency {
    currency: String,
    net_amount: Option<String>,
    net_usd: Option<String>,
    /// Lines that were sold.
    sales: u64,
    /// Lines that were returned or cancelled.
    reversals: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    net_amount: Sum,
    net_usd: Sum,
    sales: u64,
    reversals: u64,
}

/// Year and month.
type When = (i32, u32);

/// Returns the sales; none without rows.
pub(super) async fn of(table: &Table) -> anyhow::Result<Option<Sales>> {
    let mut found: BTreeMap<When, BTreeMap<String, Tally>> = BTreeMap::new();
    let names = ["business_date", "movement", "currency", "net_amount", "net_usd"];
    scan::each(table, table.files().to_vec(), &names, |columns| {
        let (dates, movements) = (columns.dates("business_date")?, columns.texts("movement")?);
        let (currencies, nets, dollars) =
            (columns.texts("currency")?, columns.amounts("net_amount")?, columns.amounts("net_usd")?);
        for row in 0..columns.rows() {
            let Some(date) = dates(row) else { continue };
            let month = found.entry((date.year(), date.month())).or_default();
            // Most rows meet a currency that is there already, and need no text of their own.
            if !month.contains_key(currencies.value(row)) {
                month.insert(currencies.value(row).to_owned(), Tally::default());
            }
            if let Some(tally) = month.get_mut(currencies.value(row)) {
                tally.net_amount.add(nets(row));
                tally.net_usd.add(dollars(row));
                *if movements.value(row) == "sale" { &mut tally.sales } else { &mut tally.reversals } += 1;
            }
        }
        Ok(())
    })
    .await?;
    Ok((!found.is_empty()).then(|| Sales { currencies: by_size(&found), months: found.into_iter().map(month).collect() }))
}

fn month(((year, month), currencies): (When, BTreeMap<String, Tally>)) -> Month {
    let mut net_usd = Sum::default();
    currencies.values().for_each(|tally| net_usd.add(tally.net_usd.amount()));
    let of_currency = |(currency, tally): (String, Tally)| OfCurrency {
        currency,
        net_amount: tally.net_amount.text(),
        net_usd: tally.net_usd.text(),
        sales: tally.sales,
        reversals: tally.reversals,
    };
    let name = NaiveDate::from_ymd_opt(year, month, 1).map(|first| first.format("%Y-%m").to_string());
    Month {
        month: name.unwrap_or_default(),
        net_usd: net_usd.text(),
        currencies: currencies.into_iter().map(of_currency).collect(),
    }
}

fn by_size(found: &BTreeMap<When, BTreeMap<String, Tally>>) -> Vec<String> {
    let mut totals: BTreeMap<&str, Sum> = BTreeMap::new();
    for (currency, tally) in found.values().flatten() {
        totals.entry(currency).or_default().add(tally.net_usd.amount());
    }
    let mut order: Vec<(&str, Sum)> = totals.into_iter().collect();
    order.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.amount().map(|amount| amount.units)));
    order.into_iter().map(|(currency, _)| currency.to_owned()).collect()
}
