//! Columns that hold one value in every row, as meta columns do.

use arrow::array::{ArrayRef, Date32Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray, new_null_array};
use arrow::datatypes::DataType;
use chrono::{DateTime, NaiveDate, Utc};
use std::sync::Arc;

/// A text in every row.
#[must_use]
pub fn constant_string(value: &str, rows: usize) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(std::iter::repeat_n(value, rows)))
}

/// A date in every row.
#[must_use]
pub fn constant_date(value: NaiveDate, rows: usize) -> ArrayRef {
    Arc::new(Date32Array::from_value(days(value), rows))
}

/// An instant in every row.
#[must_use]
pub fn constant_timestamp(value: DateTime<Utc>, rows: usize) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_value(value.timestamp_micros(), rows).with_timezone("UTC"))
}

/// A 64-bit number in every row.
#[must_use]
pub fn constant_long(value: i64, rows: usize) -> ArrayRef {
    Arc::new(Int64Array::from_value(value, rows))
}

/// A 32-bit number in every row.
#[must_use]
pub fn constant_int(value: i32, rows: usize) -> ArrayRef {
    Arc::new(Int32Array::from_value(value, rows))
}

/// Null in every row.
#[must_use]
pub fn nulls(kind: &DataType, rows: usize) -> ArrayRef {
    new_null_array(kind, rows)
}

/// Days since 1970-01-01, as Arrow counts dates.
#[must_use]
pub fn days(date: NaiveDate) -> i32 {
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).unwrap_or(i32::MAX)
}
