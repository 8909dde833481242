//! Makes rows fit a table: a value is kept as it is, or it is an error; none is rounded, cut or made null.

use crate::TableError;
use arrow::{
    array::{ArrayRef, RecordBatch},
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, SchemaRef, TimeUnit},
    error::ArrowError,
};

/// Digits after the point that a text may have beyond those of its column before it is read as if it ended there.
const SPARE_DIGITS: i8 = 18;
const DECIMAL_PRECISION_MAX: u8 = 76;

const STRICT: CastOptions<'static> = CastOptions { safe: false, format_options: arrow::util::display::FormatOptions::new() };

/// Returns the batch with the schema's columns, matched by name, in the schema's types.
pub(crate) fn fit(table: &str, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, TableError> {
    let shape = |source| TableError::Shape { table: table.to_owned(), source };
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let name = field.name();
        let array =
            batch.column_by_name(name).ok_or_else(|| shape(ArrowError::SchemaError(format!("column `{name}` is missing"))))?;
        let fitted = cast_exactly(array, field.data_type());
        columns.push(fitted.map_err(|problem| shape(ArrowError::CastError(format!("column `{name}`: {problem}"))))?);
    }
    RecordBatch::try_new(schema.clone(), columns).map_err(shape)
}

/// Casts by value. The message names types only: a value of a row may be personal.
pub(crate) fn cast_exactly(array: &ArrayRef, target: &DataType) -> Result<ArrayRef, String> {
    let source = array.data_type();
    if source == target {
        return Ok(array.clone());
    }
    if let DataType::Dictionary(_, values) = source {
        let plain = cast_with_options(array, values, &STRICT).map_err(|e| e.to_string())?;
        return cast_exactly(&plain, target);
    }
    let changed = || format!("a value of type {source} does not fit {target}");
    let fitted = cast_with_options(array, target, &STRICT).map_err(|_| changed())?;
    if is_kept(array, &fitted).map_err(|_| changed())? { Ok(fitted) } else { Err(changed()) }
}

/// Tells whether the cast kept every value, by casting back to what can hold both.
fn is_kept(array: &ArrayRef, fitted: &ArrayRef) -> Result<bool, ArrowError> {
    let common = match (array.data_type(), fitted.data_type()) {
        (DataType::Null, _) => return Ok(true),
        (source, DataType::Decimal128(_, scale)) if is_text(source) => {
            DataType::Decimal256(DECIMAL_PRECISION_MAX, scale.saturating_add(SPARE_DIGITS))
        }
        (source, DataType::Date32) if is_text(source) => source.clone(),
        (source, DataType::Timestamp(_, zone)) if is_text(source) => DataType::Timestamp(TimeUnit::Nanosecond, zone.clone()),
        // Any other text is parsed, and the cast refuses what cannot be.
        (source, _) if is_text(source) => return Ok(true),
        (source, _) => source.clone(),
    };
    let expected = cast_with_options(array, &common, &STRICT)?;
    Ok(cast_with_options(fitted, &common, &STRICT)?.as_ref() == expected.as_ref())
}

fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}
