//! Columns of a file as the contract types them: each value exactly, or not at all.

use arrow::{
    array::{Array as _, ArrayRef, AsArray as _, new_null_array},
    compute::{CastOptions, cast_with_options, kernels::cmp::distinct, nullif},
    datatypes::DataType,
};
use lake_core::contract::ColumnType;
use lake_table::{Notation, TextColumn, arrow_type};

const LENIENT: CastOptions<'static> = CastOptions { safe: true, format_options: arrow::util::display::FormatOptions::new() };

/// Returns an array in a contract's type, and how many of its values cannot be: those are null.
pub(super) fn fit(array: &ArrayRef, kind: ColumnType) -> (ArrayRef, u64) {
    let target = arrow_type(kind);
    let found = array.data_type();
    if *found == target {
        return (array.clone(), 0);
    }
    let values = (array.len() - array.null_count()) as u64;
    let none = || (new_null_array(&target, array.len()), values);
    match found {
        DataType::Null => (new_null_array(&target, array.len()), 0),
        DataType::Dictionary(_, plain) => match cast_with_options(array, plain, &LENIENT) {
            Ok(plain) => fit(&plain, kind),
            Err(_) => none(),
        },
        _ if is_text(found) && target != DataType::Utf8 => read_texts(array, kind),
        _ if related(found, &target) => cast_kept(array, &target).unwrap_or_else(none),
        _ => none(),
    }
}

fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn read_texts(array: &ArrayRef, kind: ColumnType) -> (ArrayRef, u64) {
    let Ok(texts) = cast_with_options(array, &DataType::Utf8, &LENIENT) else {
        return (new_null_array(&arrow_type(kind), array.len()), (array.len() - array.null_count()) as u64);
    };
    let mut values = TextColumn::new(kind, Notation::File);
    let mut unreadable = 0;
    for text in texts.as_string::<i32>() {
        unreadable += u64::from(!values.append(text.map(str::as_bytes)));
    }
    (values.finish(), unreadable)
}

/// Whether the types differ in width and not in meaning. A float is no amount of money.
fn related(found: &DataType, target: &DataType) -> bool {
    let exact = |kind: &DataType| kind.is_integer() || matches!(kind, DataType::Decimal128(..) | DataType::Decimal256(..));
    let time = |kind: &DataType| matches!(kind, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64);
    let bytes = |kind: &DataType| {
        matches!(kind, DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_))
    };
    (exact(found) && exact(target))
        || (time(found) && time(target))
        || (is_text(found) && is_text(target))
        || (bytes(found) && bytes(target))
        || ((found.is_floating() || found.is_integer()) && target.is_floating())
}

/// Casts value by value; one that is another when it is cast back is null.
fn cast_kept(array: &ArrayRef, target: &DataType) -> Option<(ArrayRef, u64)> {
    let fitted = cast_with_options(array, target, &LENIENT).ok()?;
    let back = cast_with_options(&fitted, array.data_type(), &LENIENT).ok()?;
    let changed = distinct(&back, array).ok()?;
    let kept = nullif(&fitted, &changed).ok()?;
    Some((kept, changed.true_count() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        Decimal128Array, Float64Array, Int64Array, LargeStringArray, StringArray, TimestampNanosecondArray, TimestampSecondArray,
    };
    use std::sync::Arc;

    fn fitted(array: impl arrow::array::Array + 'static, kind: ColumnType) -> (usize, u64) {
        let (array, unreadable) = fit(&(Arc::new(array) as ArrayRef), kind);
        assert_eq!(array.data_type(), &arrow_type(kind));
        (array.len() - array.null_count(), unreadable)
    }

    #[test]
    fn other_widths_of_a_type_fit_value_by_value() {
        assert_eq!(fitted(Int64Array::from(vec![Some(7), Some(1 << 40), None]), ColumnType::Int), (1, 1));
        let wide = Decimal128Array::from(vec![Some(1_230_000), Some(1_234_567), None]).with_precision_and_scale(38, 6).unwrap();
        assert_eq!(fitted(wide, ColumnType::Decimal(18, 2)), (1, 1));
        assert_eq!(fitted(Int64Array::from(vec![7]), ColumnType::Decimal(18, 2)), (1, 0));
        assert_eq!(fitted(TimestampSecondArray::from(vec![Some(1), None]), ColumnType::Timestamp), (1, 0));
        assert_eq!(fitted(TimestampNanosecondArray::from(vec![1_000, 1_001]), ColumnType::Timestamp), (1, 1));
        assert_eq!(fitted(LargeStringArray::from(vec![Some("a"), None]), ColumnType::String), (1, 0));
        assert_eq!(fitted(Int64Array::from(vec![7]), ColumnType::Double), (1, 0));
    }

    #[test]
    fn another_meaning_is_unreadable_and_texts_are_read() {
        assert_eq!(fitted(Float64Array::from(vec![Some(1.0), None]), ColumnType::Decimal(18, 2)), (0, 1));
        assert_eq!(fitted(Int64Array::from(vec![1]), ColumnType::String), (0, 1));
        assert_eq!(fitted(Int64Array::from(vec![1]), ColumnType::Timestamp), (0, 1));
        assert_eq!(fitted(StringArray::from(vec![Some("1.5"), Some("x"), None]), ColumnType::Decimal(18, 2)), (1, 1));
        assert_eq!(fitted(arrow::array::NullArray::new(2), ColumnType::Int), (0, 0));
    }
}
