//! Fits the columns of a result to the contract's types, exactly or not at all.

use crate::SqlError;
use arrow::{
    array::{Array as _, ArrayRef, RecordBatch},
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, SchemaRef},
};

const STRICT: CastOptions<'static> = CastOptions { safe: false, format_options: arrow::util::display::FormatOptions::new() };

/// Returns the columns of `target`, by name, from a batch of a result.
///
/// A cast must lose nothing: the value cast back is the value. Floats never become numbers that count money, and texts never
/// become numbers.
///
/// # Errors
/// When a column is missing or a value does not fit.
pub(crate) fn exact(table: &str, batch: &RecordBatch, target: &SchemaRef) -> Result<RecordBatch, SqlError> {
    let mut arrays = Vec::with_capacity(target.fields().len());
    for field in target.fields() {
        let Some(array) = batch.column_by_name(field.name()) else {
            let difference = format!("column `{}` is missing", field.name());
            return Err(SqlError::Columns { table: table.to_owned(), difference });
        };
        let fitted = column(array, field.data_type()).ok_or_else(|| SqlError::Lossy {
            table: table.to_owned(),
            column: field.name().clone(),
            found: array.data_type().to_string(),
            wanted: field.data_type().to_string(),
        })?;
        arrays.push(fitted);
    }
    RecordBatch::try_new(target.clone(), arrays).map_err(|e| SqlError::arrow(&e))
}

fn column(array: &ArrayRef, wanted: &DataType) -> Option<ArrayRef> {
    let found = array.data_type();
    if found == wanted {
        return Some(array.clone());
    }
    if !related(found, wanted) {
        return None;
    }
    let fitted = cast_with_options(array, wanted, &STRICT).ok()?;
    let back = cast_with_options(&fitted, found, &STRICT).ok()?;
    (back.to_data() == array.to_data() && back.null_count() == array.null_count()).then_some(fitted)
}

/// Whether a cast between the types is a matter of width and not of meaning.
fn related(found: &DataType, wanted: &DataType) -> bool {
    let text = |kind: &DataType| matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let exact = |kind: &DataType| kind.is_integer() || matches!(kind, DataType::Decimal128(..) | DataType::Decimal256(..));
    let time = |kind: &DataType| matches!(kind, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64);
    matches!(found, DataType::Null)
        || (text(found) && text(wanted))
        || (exact(found) && exact(wanted))
        || (time(found) && time(wanted))
        || (found.is_floating() && wanted.is_floating())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::{
        array::{Date32Array, Decimal128Array, Float64Array, Int64Array, StringViewArray, TimestampNanosecondArray},
        datatypes::TimeUnit,
    };
    use std::sync::Arc;

    #[test]
    fn wider_types_with_values_that_fit_are_fitted() {
        let wide: ArrayRef =
            Arc::new(Decimal128Array::from(vec![Some(1_230_000), None]).with_precision_and_scale(38, 6).unwrap());
        let fitted = column(&wide, &DataType::Decimal128(18, 2)).unwrap();
        assert_eq!(fitted.as_ref(), &Decimal128Array::from(vec![Some(123), None]).with_precision_and_scale(18, 2).unwrap());
        let view: ArrayRef = Arc::new(StringViewArray::from(vec!["a"]));
        assert_eq!(column(&view, &DataType::Utf8).unwrap().data_type(), &DataType::Utf8);
        let midnight: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![86_400_000_000_000]));
        assert_eq!(column(&midnight, &DataType::Date32).unwrap().as_ref(), &Date32Array::from(vec![1]));
    }

    #[test]
    fn what_would_lose_something_is_refused() {
        let digits: ArrayRef = Arc::new(Decimal128Array::from(vec![1_234_567]).with_precision_and_scale(38, 6).unwrap());
        assert!(column(&digits, &DataType::Decimal128(18, 2)).is_none());
        let large: ArrayRef = Arc::new(Int64Array::from(vec![1 << 40]));
        assert!(column(&large, &DataType::Int32).is_none());
        let noon: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![43_200_000_000_000]));
        assert!(column(&noon, &DataType::Date32).is_none());
    }

    #[test]
    fn floats_never_become_money_and_texts_never_numbers() {
        let float: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
        assert!(column(&float, &DataType::Decimal128(18, 2)).is_none());
        let text: ArrayRef = Arc::new(StringViewArray::from(vec!["1"]));
        assert!(column(&text, &DataType::Int64).is_none());
        assert!(column(&text, &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))).is_none());
    }
}
