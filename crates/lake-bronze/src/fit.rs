//! Arrays of a source -> arrays of the contract's types, by a change of representation alone.

use crate::ShapeError;
use arrow::{
    array::{Array as _, ArrayRef, AsArray as _},
    compute::cast,
    datatypes::{DataType, TimeUnit, TimestampMicrosecondType},
};
use lake_core::contract::{Column, ColumnType};
use lake_table::arrow_type;
use std::sync::Arc;

/// Checks that a source's type becomes the contract's by a change of representation alone, which loses nothing.
///
/// # Errors
/// When something could be lost.
pub fn fits(column: &Column, found: &DataType) -> Result<(), ShapeError> {
    let fits = match (found, column.kind) {
        (DataType::Decimal128(p, s), ColumnType::Decimal(q, t)) => *s == t && *p <= q,
        (DataType::Int64 | DataType::Int32 | DataType::Int16 | DataType::Int8, ColumnType::Decimal(p, 0)) => p >= 19,
        (DataType::Timestamp(unit, _), ColumnType::Timestamp) => *unit != TimeUnit::Nanosecond,
        (DataType::LargeUtf8 | DataType::Utf8View, ColumnType::String) | (DataType::LargeBinary, ColumnType::Binary) => true,
        (found, kind) => *found == arrow_type(kind),
    };
    if fits { Ok(()) } else { Err(ShapeError::kind(column, spoken(found))) }
}

/// Names a type as contracts do, where they have a name for it.
fn spoken(kind: &DataType) -> String {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ColumnType::String.to_string(),
        DataType::Decimal128(p, s) => ColumnType::Decimal(*p, *s).to_string(),
        DataType::Int64 => ColumnType::Long.to_string(),
        DataType::Int32 => ColumnType::Int.to_string(),
        DataType::Float64 => ColumnType::Double.to_string(),
        DataType::Boolean => ColumnType::Boolean.to_string(),
        DataType::Date32 => ColumnType::Date.to_string(),
        DataType::Timestamp(TimeUnit::Microsecond, _) => ColumnType::Timestamp.to_string(),
        DataType::Binary | DataType::LargeBinary => ColumnType::Binary.to_string(),
        other => other.to_string(),
    }
}

/// Returns the values in the contract's type. Times without a zone are UTC.
///
/// # Errors
/// When the type does not fit, or a value does not.
pub fn fitted(column: &Column, array: &ArrayRef) -> Result<ArrayRef, ShapeError> {
    fits(column, array.data_type())?;
    let lost = || ShapeError::value(column);
    let target = match array.data_type() {
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        _ => arrow_type(column.kind),
    };
    let cast = cast(array, &target).map_err(|_| lost())?;
    // A cast that cannot hold a value makes a null of it: that would be a loss.
    if cast.null_count() != array.null_count() {
        return Err(lost());
    }
    Ok(match target {
        // Times without zone are UTC, and times with one are instants: only the label changes.
        DataType::Timestamp(..) => Arc::new(cast.as_primitive::<TimestampMicrosecondType>().clone().with_timezone("UTC")),
        _ => cast,
    })
}

#[cfg(test)]
#[path = "fit_tests.rs"]
mod tests;
