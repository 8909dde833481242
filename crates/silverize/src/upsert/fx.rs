//! The tables of exchange rates: rates per calendar day, and revisions.
//!
//! Both are made of all that was ever published, in the order of publication, so what earlier versions of the input brought is
//! read again (it is narrow and small); only rows of the slice are counted. The table of rates is put together anew and its
//! unchanged rows keep the run that wrote them; revisions are appended.

use super::{
    Change,
    assemble::Stamp,
    files::{Files, write},
    rates::{Observations, Published, Rate, Terms},
};
use crate::{fault, route::Routed};
use anyhow::Context as _;
use arrow::{
    array::{Array, ArrayRef, AsArray as _, Date32Array, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{Date32Type, Decimal128Type, TimestampMicrosecondType},
};
use lake_core::Ledger;
use std::{collections::BTreeMap, sync::Arc};

type RateKey = (String, i32);

/// A published value.
#[derive(Debug)]
struct Value {
    currency: String,
    date: i32,
    units: Option<i128>,
    /// When it was ingested, where the route says so.
    ingested_on: Option<i32>,
}

/// State of making rates.
#[derive(Debug)]
pub(crate) struct Rates<'t> {
    files: Files<'t>,
    observations: Observations,
    terms: Terms,
    /// The day after the last one that is filled.
    end: i32,
    stamp: Stamp,
    ledger: Ledger,
}

/// State of collecting revisions.
#[derive(Debug)]
pub(crate) struct Revisions<'t> {
    files: Files<'t>,
    observations: Observations,
    rows: Vec<(Value, i128)>,
    stamp: Stamp,
    ledger: Ledger,
}

impl<'t> Rates<'t> {
    pub(crate) fn new(files: Files<'t>, terms: Terms, end: i32, stamp: Stamp) -> Self {
        Self { files, observations: Observations::default(), terms, end, stamp, ledger: Ledger::default() }
    }

    /// Takes in what earlier versions of the input brought.
    pub(crate) fn recall(&mut self, routed: &[Routed]) -> anyhow::Result<()> {
        recall(&mut self.observations, routed, "units_per_eur")
    }

    /// Takes in what the slice brings.
    pub(crate) fn apply(&mut self, routed: &[Routed]) -> anyhow::Result<()> {
        for value in values(routed, "units_per_eur")? {
            match value.units.map(|units| self.observations.publish(&value.currency, value.date, units)) {
                None => self.ledger.filtered += 1,
                Some(Published::First) => self.ledger.accepted += 1,
                Some(Published::Same) => self.ledger.duplicate += 1,
                Some(Published::Revised { .. } | Published::RevisedBefore) => self.ledger.superseded += 1,
            }
        }
        Ok(())
    }

    /// Ends the run's work on the table.
    pub(crate) async fn finish(mut self) -> anyhow::Result<Change> {
        let rates = self.observations.rates(&self.terms, self.end);
        let rates = rates.ok_or_else(|| fault::data("make rates: one does not fit decimal(18,10)"))?;
        let stored = self.stored().await?;
        let inserted = rates.keys().filter(|key| !stored.contains_key(*key)).count() as u64;
        let removed = stored.keys().filter(|key| !rates.contains_key(*key)).count() as u64;
        let same =
            inserted == 0 && removed == 0 && rates.iter().all(|(key, rate)| stored.get(key).is_some_and(|row| row.rate == *rate));
        if !same {
            let rows = lake_core::operator!("silver.rates", rates.iter().collect::<Vec<_>>());
            let batch = self.batch(&rows, &stored)?;
            let written = write(self.files.table().writer(), [Ok(batch)]).await?;
            let all = self.files.all();
            self.files.replace(all, written);
        }
        let (add, remove) = self.files.finish();
        Ok(Change { add, remove, inserted, removed, resolved: 0, ledgers: vec![self.ledger] })
    }

    async fn stored(&self) -> anyhow::Result<BTreeMap<RateKey, StoredRate>> {
        let mut stored = BTreeMap::new();
        for file in self.files.all() {
            self.files
                .read(file, None, async |_, batch| {
                    stored.extend(stored_rates(&batch)?);
                    Ok(())
                })
                .await?;
        }
        Ok(stored)
    }

    fn batch(&self, rows: &[(&RateKey, &Rate)], stored: &BTreeMap<RateKey, StoredRate>) -> anyhow::Result<RecordBatch> {
        let kept = |key: &RateKey, rate: &Rate| stored.get(key).filter(|row| row.rate == *rate);
        let run = |key, rate| kept(key, rate).map_or(self.stamp.run_id.as_str(), |row| row.run_id.as_str());
        let at = |key, rate| kept(key, rate).map_or(self.stamp.ingested_at.timestamp_micros(), |row| row.ingested_at);
        columns(&self.files, |name| {
            Ok(match name {
                "currency" => Arc::new(StringArray::from_iter_values(rows.iter().map(|(key, _)| key.0.as_str()))) as ArrayRef,
                "date" => Arc::new(Date32Array::from_iter_values(rows.iter().map(|(key, _)| key.1))),
                "usd_rate" => decimals(rows.iter().map(|(_, rate)| Some(rate.rate)))?,
                "observation_date" => Arc::new(Date32Array::from_iter_values(rows.iter().map(|(_, rate)| rate.observed))),
                "units_per_eur" => decimals(rows.iter().map(|(_, rate)| Some(rate.units)))?,
                "_run_id" => Arc::new(StringArray::from_iter_values(rows.iter().map(|(key, rate)| run(key, rate)))),
                "_ingested_at" => instants(rows.iter().map(|(key, rate)| at(key, rate)).collect()),
                other => anyhow::bail!("column `{other}` is none of a table of rates"),
            })
        })
    }
}

impl<'t> Revisions<'t> {
    pub(crate) fn new(files: Files<'t>, stamp: Stamp) -> Self {
        Self { files, observations: Observations::default(), rows: Vec::new(), stamp, ledger: Ledger::default() }
    }

    /// Takes in what earlier versions of the input brought.
    pub(crate) fn recall(&mut self, routed: &[Routed]) -> anyhow::Result<()> {
        recall(&mut self.observations, routed, "revised_units_per_eur")
    }

    /// Takes in what the slice brings.
    pub(crate) fn apply(&mut self, routed: &[Routed]) -> anyhow::Result<()> {
        for value in values(routed, "revised_units_per_eur")? {
            match value.units.map(|units| self.observations.publish(&value.currency, value.date, units)) {
                None | Some(Published::First | Published::Same) => self.ledger.filtered += 1,
                Some(Published::RevisedBefore) => self.ledger.duplicate += 1,
                Some(Published::Revised { first }) => {
                    self.ledger.accepted += 1;
                    self.rows.push((value, first));
                }
            }
        }
        Ok(())
    }

    /// Ends the run's work on the table.
    pub(crate) async fn finish(mut self) -> anyhow::Result<Change> {
        let inserted = self.rows.len() as u64;
        if inserted > 0 {
            let batch = self.batch()?;
            let written = write(self.files.table().writer(), [Ok(batch)]).await?;
            self.files.replace(Vec::new(), written);
        }
        let (add, remove) = self.files.finish();
        Ok(Change { add, remove, inserted, removed: 0, resolved: 0, ledgers: vec![self.ledger] })
    }

    fn batch(&self) -> anyhow::Result<RecordBatch> {
        let rows = &self.rows;
        columns(&self.files, |name| {
            Ok(match name {
                "currency" => {
                    Arc::new(StringArray::from_iter_values(rows.iter().map(|(value, _)| value.currency.as_str()))) as ArrayRef
                }
                "observation_date" => Arc::new(Date32Array::from_iter_values(rows.iter().map(|(value, _)| value.date))),
                "first_units_per_eur" => decimals(rows.iter().map(|(_, first)| Some(*first)))?,
                "revised_units_per_eur" => decimals(rows.iter().map(|(value, _)| value.units))?,
                "revised_on" => Arc::new(Date32Array::from_iter(rows.iter().map(|(value, _)| value.ingested_on))),
                "_run_id" => lake_table::columns::constant_string(&self.stamp.run_id, rows.len()),
                "_ingested_at" => lake_table::columns::constant_timestamp(self.stamp.ingested_at, rows.len()),
                other => anyhow::bail!("column `{other}` is none of a table of revisions"),
            })
        })
    }
}

/// A row of the table of rates.
#[derive(Debug)]
struct StoredRate {
    rate: Rate,
    run_id: String,
    ingested_at: i64,
}

fn stored_rates(batch: &RecordBatch) -> anyhow::Result<Vec<(RateKey, StoredRate)>> {
    let missing = |name: &str| format!("column `{name}` is missing");
    let column = |name: &str| batch.column_by_name(name).with_context(|| missing(name));
    let text = |name: &str| column(name)?.as_string_opt::<i32>().with_context(|| missing(name));
    let date = |name: &str| column(name)?.as_primitive_opt::<Date32Type>().with_context(|| missing(name));
    let decimal = |name: &str| column(name)?.as_primitive_opt::<Decimal128Type>().with_context(|| missing(name));
    let (currency, day, rate) = (text("currency")?, date("date")?, decimal("usd_rate")?);
    let (observed, units, run_id) = (date("observation_date")?, decimal("units_per_eur")?, text("_run_id")?);
    let ingested_at =
        column("_ingested_at")?.as_primitive_opt::<TimestampMicrosecondType>().with_context(|| missing("_ingested_at"))?;
    let row = |row: usize| {
        let found = Rate { rate: rate.value(row), observed: observed.value(row), units: units.value(row) };
        let stored = StoredRate { rate: found, run_id: run_id.value(row).to_owned(), ingested_at: ingested_at.value(row) };
        ((currency.value(row).to_owned(), day.value(row)), stored)
    };
    Ok((0..batch.num_rows()).map(row).collect())
}

fn recall(observations: &mut Observations, routed: &[Routed], units: &str) -> anyhow::Result<()> {
    for value in values(routed, units)? {
        if let Some(units) = value.units {
            observations.publish(&value.currency, value.date, units);
        }
    }
    Ok(())
}

fn values(routed: &[Routed], units: &str) -> anyhow::Result<Vec<Value>> {
    let mut values = Vec::new();
    for Routed { batch, .. } in routed {
        let column = |name: &str| batch.column_by_name(name).with_context(|| format!("the route of rates maps no `{name}`"));
        let currency = column("currency")?.as_string_opt::<i32>().context("`currency` is no text")?;
        let date = column("observation_date")?.as_primitive_opt::<Date32Type>().context("`observation_date` is no date")?;
        let units = column(units)?.as_primitive_opt::<Decimal128Type>().context("the units are no decimal")?;
        let ingested_on = batch.column_by_name("revised_on").and_then(|column| column.as_primitive_opt::<Date32Type>());
        values.extend((0..batch.num_rows()).map(|row| Value {
            currency: currency.value(row).to_owned(),
            date: date.value(row),
            units: units.is_valid(row).then(|| units.value(row)),
            ingested_on: ingested_on.filter(|on| on.is_valid(row)).map(|on| on.value(row)),
        }));
    }
    Ok(values)
}

/// Puts the table's columns together by name.
fn columns(files: &Files<'_>, column: impl Fn(&str) -> anyhow::Result<ArrayRef>) -> anyhow::Result<RecordBatch> {
    let schema = files.table().spec().schema.clone();
    let columns = schema.fields().iter().map(|field| column(field.name())).collect::<anyhow::Result<_>>()?;
    Ok(RecordBatch::try_new(schema, columns)?)
}

fn decimals(values: impl Iterator<Item = Option<i128>>) -> anyhow::Result<ArrayRef> {
    Ok(Arc::new(values.collect::<Decimal128Array>().with_precision_and_scale(18, 10)?))
}

fn instants(values: Vec<i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
}
