//! Customers by segment on the newest date, beside the date before.

use crate::report::scan::{self, Sum};
use chrono::NaiveDate;
use lake_table::{DataFile, Table};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The date of a snapshot.
const DATE: &str = "as_of_date";
/// From the best customers to those that are lost.
const ORDER: [&str; 6] = ["champion", "loyal", "new", "promising", "at risk", "hibernating"];

/// Segments of the newest date.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Segments {
    as_of_date: NaiveDate,
    before: Option<NaiveDate>,
    /// Smaller groups are not told.
    threshold: u32,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, Serialize)]
struct Segment {
    segment: String,
    customers: Option<u64>,
    before: Option<u64>,
    monetary_usd: Option<String>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    customers: u64,
    monetary_usd: Sum,
}

/// Returns the segments; none without rows.
pub(super) async fn of(table: &Table, threshold: u32) -> anyhow::Result<Option<Segments>> {
    let mut found: BTreeMap<NaiveDate, BTreeMap<String, Tally>> = BTreeMap::new();
    scan::each(table, newest(table), &[DATE, "segment", "monetary_usd"], |columns| {
        let (dates, segments) = (columns.dates(DATE)?, columns.texts("segment")?);
        let dollars = columns.amounts("monetary_usd")?;
        for row in 0..columns.rows() {
            let Some(date) = dates(row) else { continue };
            let tally = found.entry(date).or_default().entry(segments.value(row).to_owned()).or_default();
            tally.customers += 1;
            tally.monetary_usd.add(dollars(row));
        }
        Ok(())
    })
    .await?;
    let Some((as_of_date, now)) = found.pop_last() else { return Ok(None) };
    let before = found.pop_last();
    let names: BTreeSet<&String> = now.keys().chain(before.iter().flat_map(|(_, tallies)| tallies.keys())).collect();
    let place = |name: &str| ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len());
    let mut names: Vec<&String> = names.into_iter().collect();
    names.sort_by_key(|name| place(name));
    let told = |customers: u64| (customers == 0 || customers >= u64::from(threshold)).then_some(customers);
    let segments = names.into_iter().map(|name| {
        let own = now.get(name).copied().unwrap_or_default();
        let earlier = before.as_ref().map(|(_, tallies)| tallies.get(name).map_or(0, |tally| tally.customers));
        let customers = told(own.customers);
        let monetary_usd = customers.and_then(|_| own.monetary_usd.text());
        Segment { segment: name.clone(), customers, before: earlier.and_then(told), monetary_usd }
    });
    let segments = segments.collect();
    Ok(Some(Segments { as_of_date, before: before.map(|(date, _)| date), threshold, segments }))
}

/// Returns the files of the two newest dates. The date is the table's partition, so each file has one.
fn newest(table: &Table) -> Vec<DataFile> {
    let date = |file: &DataFile| file.partition_value(DATE).and_then(|date| date.parse::<NaiveDate>().ok());
    let dates: BTreeSet<NaiveDate> = table.files().iter().filter_map(date).collect();
    let from = dates.iter().rev().nth(1).copied();
    table.files().iter().filter(|file| date(file).is_none_or(|date| Some(date) >= from)).cloned().collect()
}
