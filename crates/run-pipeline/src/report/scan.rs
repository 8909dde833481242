//! Typed columns of tables, batch by batch.

use anyhow::Context as _;
use arrow::array::{Array, AsArray as _, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, NaiveDate, Utc};
use futures::TryStreamExt as _;
use lake_edge::Attach as _;
use lake_table::{DataFile, Table};

/// Shows some columns of some files to a function, batch by batch.
pub(super) async fn each(
    table: &Table,
    files: Vec<DataFile>,
    columns: &[&str],
    mut take: impl FnMut(&Columns<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let columns = columns.iter().map(|name| (*name).to_owned()).collect();
    let mut batches = table.scan(files, Some(columns));
    while let Some(batch) = batches.try_next().await.attach()? {
        take(&Columns { table: &table.spec().name, batch: &batch })?;
    }
    Ok(())
}

/// The columns of a batch.
pub(super) struct Columns<'a> {
    table: &'a str,
    batch: &'a RecordBatch,
}

impl<'a> Columns<'a> {
    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    fn array(&self, name: &str) -> anyhow::Result<&'a dyn Array> {
        let array = self.batch.column_by_name(name).map(AsRef::as_ref);
        array.with_context(|| format!("failed to read {}: it has no column `{name}`", self.table))
    }

    fn wrong(&self, name: &str) -> String {
        format!("failed to read {}: column `{name}` has another type", self.table)
    }

    /// A column of texts.
    pub(super) fn texts(&self, name: &str) -> anyhow::Result<&'a StringArray> {
        self.array(name)?.as_string_opt::<i32>().with_context(|| self.wrong(name))
    }

    /// A column of counts; what is missing or negative counts nothing.
    pub(super) fn counts(&self, name: &str) -> anyhow::Result<impl Fn(usize) -> u64 + 'a> {
        let array = self.array(name)?.as_primitive_opt::<Int64Type>().with_context(|| self.wrong(name))?;
        Ok(move |row| if array.is_valid(row) { u64::try_from(array.value(row)).unwrap_or(0) } else { 0 })
    }

    /// A column of dates.
    pub(super) fn dates(&self, name: &str) -> anyhow::Result<impl Fn(usize) -> Option<NaiveDate> + 'a> {
        let array = self.array(name)?.as_primitive_opt::<Date32Type>().with_context(|| self.wrong(name))?;
        Ok(move |row| array.is_valid(row).then(|| Date32Type::to_naive_date_opt(array.value(row))).flatten())
    }

    /// A column of instants.
    pub(super) fn instants(&self, name: &str) -> anyhow::Result<impl Fn(usize) -> Option<DateTime<Utc>> + 'a> {
        let array = self.array(name)?.as_primitive_opt::<TimestampMicrosecondType>().with_context(|| self.wrong(name))?;
        Ok(move |row| array.is_valid(row).then(|| DateTime::from_timestamp_micros(array.value(row))).flatten())
    }

    /// A column of exact amounts.
    pub(super) fn amounts(&self, name: &str) -> anyhow::Result<impl Fn(usize) -> Option<Amount> + 'a> {
        let array = self.array(name)?.as_primitive_opt::<Decimal128Type>().with_context(|| self.wrong(name))?;
        let DataType::Decimal128(_, scale) = array.data_type() else { anyhow::bail!(self.wrong(name)) };
        let scale = u32::try_from(*scale).with_context(|| self.wrong(name))?;
        Ok(move |row| array.is_valid(row).then(|| Amount { units: array.value(row), scale }))
    }
}

/// An exact decimal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Amount {
    /// The number without its point.
    pub(super) units: i128,
    /// Digits after the point.
    pub(super) scale: u32,
}

impl Amount {
    /// Returns one number divided by another, rounded half away from zero; none when the other is not positive.
    pub(super) fn divided_by(self, other: Self, digits: u32) -> Option<Self> {
        let up = |units: i128, places: u32| units.checked_mul(10_i128.checked_pow(places)?);
        let (above, below) = (up(self.units, digits + other.scale)?, up(other.units, self.scale)?);
        if below <= 0 {
            return None;
        }
        let rounded = (above.abs().checked_mul(2)? + below) / below.checked_mul(2)?;
        Some(Self { units: above.signum() * rounded, scale: digits })
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (places, sign) = (self.scale as usize, if self.units < 0 { "-" } else { "" });
        let digits = format!("{:0>width$}", self.units.unsigned_abs(), width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        if places == 0 { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{fraction}") }
    }
}

/// A sum of exact amounts; none when one of them is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sum(Option<Amount>);

impl Default for Sum {
    fn default() -> Self {
        Self(Some(Amount { units: 0, scale: 0 }))
    }
}

impl Sum {
    /// Adds an amount. Those of one column have one scale, which the sum takes from the first.
    pub(super) fn add(&mut self, amount: Option<Amount>) {
        self.0 = match (self.0, amount) {
            (Some(sum), Some(amount)) if sum.units == 0 || sum.scale == amount.scale => {
                sum.units.checked_add(amount.units).map(|units| Amount { units, scale: amount.scale })
            }
            _ => None,
        };
    }

    /// Returns the sum.
    pub(super) const fn amount(self) -> Option<Amount> {
        self.0
    }

    /// Returns the sum as text, with all its digits.
    pub(super) fn text(self) -> Option<String> {
        self.0.map(|amount| amount.to_string())
    }
}
