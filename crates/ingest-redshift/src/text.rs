//! Values as text -> columns of Arrow. Exact, or refused: nothing is rounded, cut or guessed.

use anyhow::Context as _;
use arrow::{
    array::{
        ArrayRef, AsArray as _, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int32Builder,
        Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
    },
    datatypes::{Field, Schema, SchemaRef},
    error::ArrowError,
};
use chrono::{Datelike as _, NaiveDate};
use lake_bronze::{ShapeError, fitted};
use lake_core::contract::{Column, ColumnType};
use lake_edge::Attach as _;
use lake_table::arrow_type;
use std::{str::FromStr, sync::Arc};

/// Rows of one batch.
const ROWS: usize = 8_192;
/// Bytes of text after which a batch is handed on all the same.
const BYTES: usize = 16 << 20;
/// Days from the first day of the calendar to 1970-01-01, as `chrono` counts them.
const EPOCH_DAY: i32 = 719_163;

/// Rows that are being gathered to a batch.
pub(crate) struct Rows {
    schema: SchemaRef,
    columns: Vec<(Column, Values)>,
    rows: usize,
    bytes: usize,
}

enum Values {
    Text(StringBuilder),
    Int(Int32Builder),
    Long(Int64Builder),
    Double(Float64Builder),
    Boolean(BooleanBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    Binary(BinaryBuilder),
    Decimal(Decimal128Builder, u8, u32),
}

/// The columns as Arrow has them; any value may be null.
fn schema(columns: &[Column]) -> SchemaRef {
    let field = |column: &Column| Field::new(&column.name, arrow_type(column.kind), true);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// Returns rows of another system in the contract's types: text is read as such, everything else changes its representation
/// alone.
pub(crate) fn decoded(columns: &[Column], batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let decode = |(column, array): (&Column, &ArrayRef)| match array.as_string_opt::<i32>() {
        Some(texts) if column.kind != ColumnType::String => {
            let mut values = Values::new(column.kind);
            texts.iter().try_for_each(|text| values.push(text)).ok_or_else(|| ShapeError::value(column))?;
            Ok(values.finish())
        }
        _ => fitted(column, array),
    };
    let arrays = columns.iter().zip(batch.columns()).map(decode).collect::<Result<Vec<_>, _>>().attach()?;
    RecordBatch::try_new(schema(columns), arrays).context("failed to put rows together")
}

impl Rows {
    /// No rows of these columns.
    pub(crate) fn new(columns: &[Column]) -> Self {
        Self {
            schema: schema(columns),
            columns: columns.iter().map(|column| (column.clone(), Values::new(column.kind))).collect(),
            rows: 0,
            bytes: 0,
        }
    }

    /// Takes one row; `value` gives the text of the column at a place, `None` for null, an error for what is no text.
    pub(crate) fn push<'a, E>(&mut self, value: impl Fn(usize) -> Result<Option<&'a str>, E>) -> Result<(), ShapeError> {
        for (at, (column, values)) in self.columns.iter_mut().enumerate() {
            let text = value(at).map_err(|_| ShapeError::value(column))?;
            self.bytes += text.map_or(0, str::len);
            values.push(text).ok_or_else(|| ShapeError::value(column))?;
        }
        self.rows += 1;
        Ok(())
    }

    /// Whether it is time to hand the rows on.
    pub(crate) const fn full(&self) -> bool {
        self.rows >= ROWS || self.bytes >= BYTES
    }

    /// Hands the rows on and begins anew; `None` when there are none.
    pub(crate) fn take(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        if self.rows == 0 {
            return Ok(None);
        }
        (self.rows, self.bytes) = (0, 0);
        let arrays = self.columns.iter_mut().map(|(_, values)| values.finish()).collect();
        RecordBatch::try_new(self.schema.clone(), arrays).map(Some)
    }
}

impl Values {
    fn new(kind: ColumnType) -> Self {
        match kind {
            ColumnType::String => Self::Text(StringBuilder::new()),
            ColumnType::Int => Self::Int(Int32Builder::new()),
            ColumnType::Long => Self::Long(Int64Builder::new()),
            ColumnType::Double => Self::Double(Float64Builder::new()),
            ColumnType::Boolean => Self::Boolean(BooleanBuilder::new()),
            ColumnType::Date => Self::Date(Date32Builder::new()),
            ColumnType::Timestamp => Self::Timestamp(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
            ColumnType::Binary => Self::Binary(BinaryBuilder::new()),
            ColumnType::Decimal(digits, after) => {
                let builder = Decimal128Builder::new().with_data_type(arrow_type(kind));
                Self::Decimal(builder, digits, u32::from(after.unsigned_abs()))
            }
        }
    }

    /// `None`: the text is no value of the type.
    fn push(&mut self, text: Option<&str>) -> Option<()> {
        /// Null stays null; what is there must be readable.
        fn read<T>(text: Option<&str>, parse: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
            text.map_or(Some(None), |text| parse(text).map(Some))
        }
        match self {
            Self::Text(values) => values.append_option(text),
            Self::Int(values) => values.append_option(read(text, number)?),
            Self::Long(values) => values.append_option(read(text, number)?),
            Self::Double(values) => values.append_option(read(text, number)?),
            Self::Boolean(values) => values.append_option(read(text, boolean)?),
            Self::Date(values) => values.append_option(read(text, date)?),
            Self::Timestamp(values) => values.append_option(read(text, timestamp)?),
            Self::Binary(values) => values.append_option(read(text, bytes)?),
            Self::Decimal(values, digits, after) => values.append_option(read(text, |text| decimal(text, *digits, *after))?),
        }
        Some(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(values) => Arc::new(values.finish()),
            Self::Int(values) => Arc::new(values.finish()),
            Self::Long(values) => Arc::new(values.finish()),
            Self::Double(values) => Arc::new(values.finish()),
            Self::Boolean(values) => Arc::new(values.finish()),
            Self::Date(values) => Arc::new(values.finish()),
            Self::Timestamp(values) => Arc::new(values.finish()),
            Self::Binary(values) => Arc::new(values.finish()),
            Self::Decimal(values, ..) => Arc::new(values.finish()),
        }
    }
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "t" | "true" => Some(true),
        "f" | "false" => Some(false),
        _ => None,
    }
}

/// Days since 1970-01-01 of `2017-12-30`.
fn date(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits(&bytes[..4])?, digits(&bytes[5..7])?, digits(&bytes[8..])?);
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    Some(date.num_days_from_ce() - EPOCH_DAY)
}

/// Microseconds since 1970-01-01 of `2017-12-30 10:00:00[.123456][+00]`: UTC, or without a zone and taken as UTC.
fn timestamp(text: &str) -> Option<i64> {
    let (day, time) = text.split_once(' ')?;
    let time = time.strip_suffix("+00").unwrap_or(time);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let clock = clock.as_bytes();
    if clock.len() != 8 || clock[2] != b':' || clock[5] != b':' || fraction.len() > 6 {
        return None;
    }
    let (hours, minutes, seconds) = (digits(&clock[..2])?, digits(&clock[3..5])?, digits(&clock[6..])?);
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let mut micros = digits(fraction.as_bytes())?;
    for _ in fraction.len()..6 {
        micros *= 10;
    }
    let seconds = i64::from(date(day)?) * 86_400 + i64::from(hours * 3_600 + minutes * 60 + seconds);
    Some(seconds * 1_000_000 + i64::from(micros))
}

/// The number that at most nine digits say; none say 0.
fn digits(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
}

/// A decimal number with exactly so many digits after the point, as an integer.
fn decimal(text: &str, digits: u8, after: u32) -> Option<i128> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let missing = after.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    if whole.is_empty() || !plain(whole) || !plain(fraction) {
        return None;
    }
    let sum = whole
        .bytes()
        .chain(fraction.bytes())
        .try_fold(0_i128, |sum, byte| sum.checked_mul(10)?.checked_add(i128::from(byte - b'0')))?;
    let value = sum.checked_mul(10_i128.checked_pow(missing)?)?;
    (value < 10_i128.checked_pow(u32::from(digits))?).then_some(if unsigned.len() == text.len() { value } else { -value })
}

/// Bytes that are written as two digits each, in base 16.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some((digit(*high)? << 4) | digit(*low)?),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
