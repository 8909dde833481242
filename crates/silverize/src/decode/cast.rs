//! A column of a source becomes a column of a field's type, exactly.

use super::{
    column::push,
    field::{Cell, FieldPlan, Value},
    number,
    rule::Rule,
};
use anyhow::bail;
use arrow::{
    array::{Array, ArrayRef, AsArray as _, Decimal128Array},
    datatypes::{
        DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
        UInt32Type, UInt64Type,
    },
};
use lake_core::contract::ColumnType;
use lake_table::ColumnBuilder;
use std::{borrow::Cow, sync::Arc};

/// Reads a column by a field's rules; rows that break one are reported with it.
pub(crate) fn column(field: &FieldPlan, source: &ArrayRef, mut broken: impl FnMut(usize, Rule)) -> anyhow::Result<ArrayRef> {
    if let Some(same) = unchanged(field, source) {
        if source.null_count() > 0 && field.always_required() {
            let mut rules = Vec::new();
            field.judge(Value::Null, 0, &mut rules);
            let nulls = (0..source.len()).filter(|row| source.is_null(*row));
            nulls.for_each(|row| rules.iter().for_each(|rule| broken(row, *rule)));
        }
        return Ok(same);
    }
    let reader = Reader::of(source)?;
    let mut builder = ColumnBuilder::new(field.kind, source.len());
    let mut rules = Vec::new();
    for row in 0..source.len() {
        let value = if source.is_null(row) { Value::Null } else { reader.value(row) };
        let cell: Cell<'_> = field.judge(value, 0, &mut rules);
        push(&mut builder, &cell);
        rules.drain(..).for_each(|rule| broken(row, rule));
    }
    Ok(builder.finish())
}

/// A column that has the wanted type already, where nothing but nulls can be wrong with its values.
fn unchanged(field: &FieldPlan, source: &ArrayRef) -> Option<ArrayRef> {
    if !field.passes_through() {
        return None;
    }
    match (field.kind, source.data_type()) {
        (ColumnType::Date, DataType::Date32)
        | (ColumnType::Boolean, DataType::Boolean)
        | (ColumnType::Int, DataType::Int32)
        | (ColumnType::Long, DataType::Int64)
        | (ColumnType::Binary, DataType::Binary) => Some(source.clone()),
        (ColumnType::Timestamp, DataType::Timestamp(TimeUnit::Microsecond, Some(zone))) if zone.as_ref() == "UTC" => {
            Some(source.clone())
        }
        (ColumnType::Decimal(precision, scale), DataType::Decimal128(_, found)) if *found == scale => {
            let values = source.as_primitive::<Decimal128Type>();
            // Values under nulls may be anything.
            let fit = (0..values.len()).all(|row| values.is_null(row) || number::fits(values.value(row), precision));
            let same =
                Decimal128Array::new(values.values().clone(), values.nulls().cloned()).with_precision_and_scale(precision, scale);
            fit.then_some(same.ok()).flatten().map(|same| Arc::new(same) as ArrayRef)
        }
        _ => None,
    }
}

/// Reads the values of a column as what the source has.
struct Reader<'a> {
    array: &'a ArrayRef,
    read: fn(&'a ArrayRef, usize) -> Value<'a>,
}

impl<'a> Reader<'a> {
    fn value(&self, row: usize) -> Value<'a> {
        (self.read)(self.array, row)
    }

    fn of(array: &'a ArrayRef) -> anyhow::Result<Self> {
        macro_rules! whole {
            ($kind:ty) => {
                |array, row| Value::Unscaled(i128::from(array.as_primitive::<$kind>().value(row)), 0)
            };
        }
        macro_rules! micros {
            ($kind:ty, $micros:expr) => {
                |array, row| {
                    let micros: fn(i64) -> Option<i64> = $micros;
                    micros(array.as_primitive::<$kind>().value(row)).map_or(Value::Other, Value::Instant)
                }
            };
        }
        let read: fn(&'a ArrayRef, usize) -> Value<'a> = match array.data_type() {
            DataType::Utf8 => |array, row| Value::Text(Cow::Borrowed(array.as_string::<i32>().value(row))),
            DataType::LargeUtf8 => |array, row| Value::Text(Cow::Borrowed(array.as_string::<i64>().value(row))),
            DataType::Utf8View => |array, row| Value::Text(Cow::Borrowed(array.as_string_view().value(row))),
            DataType::Decimal128(..) => |array, row| {
                let scale = if let DataType::Decimal128(_, scale) = array.data_type() { *scale } else { 0 };
                Value::Unscaled(array.as_primitive::<Decimal128Type>().value(row), scale)
            },
            DataType::Int8 => whole!(Int8Type),
            DataType::Int16 => whole!(Int16Type),
            DataType::Int32 => whole!(Int32Type),
            DataType::Int64 => whole!(Int64Type),
            DataType::UInt8 => whole!(UInt8Type),
            DataType::UInt16 => whole!(UInt16Type),
            DataType::UInt32 => whole!(UInt32Type),
            DataType::UInt64 => whole!(UInt64Type),
            DataType::Float32 => |array, row| Value::Double(f64::from(array.as_primitive::<Float32Type>().value(row))),
            DataType::Float64 => |array, row| Value::Double(array.as_primitive::<Float64Type>().value(row)),
            DataType::Boolean => |array, row| Value::Boolean(array.as_boolean().value(row)),
            DataType::Date32 => |array, row| Value::Date(array.as_primitive::<Date32Type>().value(row)),
            DataType::Binary => |array, row| Value::Bytes(array.as_binary::<i32>().value(row)),
            // Digits beyond microseconds are cut, as in text.
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                micros!(TimestampNanosecondType, |value| Some(value.div_euclid(1_000)))
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => micros!(TimestampMicrosecondType, Some),
            DataType::Timestamp(TimeUnit::Millisecond, _) => micros!(TimestampMillisecondType, |value| value.checked_mul(1_000)),
            DataType::Timestamp(TimeUnit::Second, _) => micros!(TimestampSecondType, |value| value.checked_mul(1_000_000)),
            DataType::Null => |_, _| Value::Null,
            other => bail!("failed to read a column of type {other}: no field can be made of it"),
        };
        Ok(Self { array, read })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fields;
    use arrow::array::{Float64Array, Int64Array, StringArray, TimestampMicrosecondArray, TimestampNanosecondArray};

    fn read(kind: &str, required: bool, source: ArrayRef) -> (ArrayRef, Vec<usize>) {
        let name = if required { "f!" } else { "f" };
        let (mut rows, plan) = (Vec::new(), fields(&[(name, kind)]));
        let found = column(&plan[0], &source, |row, _| rows.push(row)).unwrap();
        (found, rows)
    }

    fn decimals(values: Vec<Option<i128>>, precision: u8, scale: i8) -> ArrayRef {
        Arc::new(Decimal128Array::from(values).with_precision_and_scale(precision, scale).unwrap())
    }

    #[test]
    fn numbers_become_ids_and_counts() {
        let source = decimals(vec![Some(80_000_000_001), None, Some(-7)], 38, 0);
        let (ids, broken) = read("STRING", false, source.clone());
        assert_eq!(ids.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("80000000001"), None, Some("-7")]);
        assert!(broken.is_empty());
        let (counts, broken) = read("INT", true, source);
        assert_eq!(counts.as_primitive::<Int32Type>().iter().collect::<Vec<_>>(), [None, None, Some(-7)]);
        assert_eq!(broken, [0, 1]);
    }

    #[test]
    fn decimals_keep_every_digit_or_break() {
        let (same, broken) = read("DECIMAL(18,2)", false, decimals(vec![Some(1234), Some(10i128.pow(18)), None], 38, 2));
        assert_eq!(same.as_primitive::<Decimal128Type>().iter().collect::<Vec<_>>(), [Some(1234), None, None]);
        assert_eq!((same.data_type(), broken), (&DataType::Decimal128(18, 2), vec![1]));
        let (cut, broken) = read("DECIMAL(18,2)", false, decimals(vec![Some(12_340), Some(12_345)], 20, 3));
        assert_eq!((cut.as_primitive::<Decimal128Type>().value(0), broken), (1234, vec![1]));
        let (doubles, broken) = read("DECIMAL(18,2)", false, Arc::new(Float64Array::from(vec![0.07, 1e300, f64::NAN])));
        assert_eq!((doubles.as_primitive::<Decimal128Type>().value(0), broken), (7, vec![1, 2]));
    }

    #[test]
    fn instants_become_utc_microseconds() {
        let kind = lake_table::arrow_type(ColumnType::Timestamp);
        for source in [
            Arc::new(TimestampMicrosecondArray::from(vec![1_500_000])) as ArrayRef,
            Arc::new(TimestampNanosecondArray::from(vec![1_500_000_999])),
            Arc::new(StringArray::from(vec!["1970-01-01T00:00:01.5Z"])),
        ] {
            let (found, _) = read("TIMESTAMP", false, source);
            assert_eq!((found.data_type(), found.as_primitive::<TimestampMicrosecondType>().value(0)), (&kind, 1_500_000));
        }
    }

    #[test]
    fn a_null_breaks_a_required_column_of_the_same_type() {
        let (_, broken) = read("BIGINT", true, Arc::new(Int64Array::from(vec![Some(1), None])));
        assert_eq!(broken, [1]);
    }
}
