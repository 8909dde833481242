//! Values of a file as the contract types them: exactly, or not at all.

use arrow::{
    array::{
        Array as _, ArrayRef, AsArray as _, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder,
        Int32Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder, new_null_array,
    },
    compute::{CastOptions, cast_with_options, kernels::cmp::distinct, nullif},
    datatypes::DataType,
};
use chrono::{DateTime, NaiveDate};
use lake_core::contract::ColumnType;
use lake_table::{arrow_type, columns::days};
use std::sync::Arc;

const LENIENT: CastOptions<'static> = CastOptions { safe: true, format_options: arrow::util::display::FormatOptions::new() };
const NANOSECONDS_OF_A_MICROSECOND: u32 = 1_000;

/// Values of one column.
pub(super) enum Values {
    Text(StringBuilder),
    Int(Int32Builder),
    Long(Int64Builder),
    Double(Float64Builder),
    Boolean(BooleanBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    Binary(BinaryBuilder),
    Decimal(Decimal128Builder, u8, i8),
}

impl Values {
    /// No value of a type yet.
    pub(super) fn of(kind: ColumnType) -> Self {
        let exact = arrow_type(kind);
        match kind {
            ColumnType::String => Self::Text(StringBuilder::new()),
            ColumnType::Int => Self::Int(Int32Builder::new()),
            ColumnType::Long => Self::Long(Int64Builder::new()),
            ColumnType::Double => Self::Double(Float64Builder::new()),
            ColumnType::Boolean => Self::Boolean(BooleanBuilder::new()),
            ColumnType::Date => Self::Date(Date32Builder::new()),
            ColumnType::Timestamp => Self::Timestamp(TimestampMicrosecondBuilder::new().with_data_type(exact)),
            ColumnType::Binary => Self::Binary(BinaryBuilder::new()),
            ColumnType::Decimal(precision, scale) => {
                Self::Decimal(Decimal128Builder::new().with_data_type(exact), precision, scale)
            }
        }
    }

    /// Appends what a text says, or null where there is none or it cannot be read; tells whether nothing was unreadable.
    pub(super) fn append(&mut self, value: Option<&[u8]>) -> bool {
        match self {
            Self::Text(values) => put(value, Some, |read| values.append_option(read)),
            Self::Int(values) => put(value, |text| text.parse().ok(), |read| values.append_option(read)),
            Self::Long(values) => put(value, |text| text.parse().ok(), |read| values.append_option(read)),
            Self::Double(values) => put(value, |text| text.parse().ok(), |read| values.append_option(read)),
            Self::Boolean(values) => put(value, |text| text.parse().ok(), |read| values.append_option(read)),
            Self::Date(values) => put(value, date, |read| values.append_option(read)),
            Self::Timestamp(values) => put(value, instant, |read| values.append_option(read)),
            Self::Binary(values) => {
                values.append_option(value);
                true
            }
            Self::Decimal(values, precision, scale) => {
                put(value, |text| decimal(text, *precision, *scale), |read| values.append_option(read))
            }
        }
    }

    /// Returns the values so far, and begins anew.
    pub(super) fn finish(&mut self) -> ArrayRef {
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

/// Reads a text and hands on the value; what cannot be read is null.
fn put<'a, T>(value: Option<&'a [u8]>, read: impl FnOnce(&'a str) -> Option<T>, append: impl FnOnce(Option<T>)) -> bool {
    let Some(bytes) = value else {
        append(None);
        return true;
    };
    let read = std::str::from_utf8(bytes).ok().and_then(read);
    let readable = read.is_some();
    append(read);
    readable
}

fn date(text: &str) -> Option<i32> {
    text.parse::<NaiveDate>().ok().map(days)
}

/// Instants say their zone, and have no digits beyond microseconds.
fn instant(text: &str) -> Option<i64> {
    let at = DateTime::parse_from_rfc3339(text).ok()?;
    at.timestamp_subsec_nanos().is_multiple_of(NANOSECONDS_OF_A_MICROSECOND).then(|| at.timestamp_micros())
}

/// Digits, a point and digits; none is rounded away.
fn decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let sound = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let scale = usize::try_from(scale).ok()?;
    let fraction = fraction.trim_end_matches('0');
    if whole.is_empty() || !sound(whole) || !sound(fraction) || fraction.len() > scale {
        return None;
    }
    let number: i128 = format!("{whole}{fraction:0<scale$}").parse().ok()?;
    (number < 10_i128.checked_pow(precision.into())?).then_some(sign * number)
}

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
    let mut values = Values::of(kind);
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

    /// Which of some texts a type reads.
    fn readable(kind: ColumnType, texts: &[&str]) -> Vec<bool> {
        let mut values = Values::of(kind);
        let read = texts.iter().map(|text| values.append(Some(text.as_bytes()))).collect();
        let array = values.finish();
        assert_eq!((array.len(), array.data_type()), (texts.len(), &arrow_type(kind)));
        read
    }

    #[test]
    fn a_text_is_a_value_of_the_type_or_unreadable() {
        assert_eq!(
            readable(ColumnType::Int, &["7", "-7", "2147483648", "7.0", " 7", ""]),
            [true, true, false, false, false, false]
        );
        assert_eq!(readable(ColumnType::Long, &["2147483648", "9223372036854775808"]), [true, false]);
        assert_eq!(readable(ColumnType::Double, &["1.5", "1e3", "x"]), [true, true, false]);
        assert_eq!(readable(ColumnType::Boolean, &["true", "false", "True", "1"]), [true, true, false, false]);
        assert_eq!(readable(ColumnType::Date, &["2017-12-30", "2017-13-01", "30.12.2017"]), [true, false, false]);
        let instants =
            ["2017-12-30T00:00:00Z", "2017-12-30T00:00:00.123456+02:00", "2017-12-30T00:00:00", "2017-12-30T00:00:00.1234567Z"];
        assert_eq!(readable(ColumnType::Timestamp, &instants), [true, true, false, false]);
        let amounts = ["1.10", "-1", "1.100", "1.105", "9999999999999999.99", "10000000000000000", "1e3", ".5", "1.2.3", "+1"];
        let read = [true, true, true, false, true, false, false, false, false, false];
        assert_eq!(readable(ColumnType::Decimal(18, 2), &amounts), read);
        assert_eq!(readable(ColumnType::Binary, &["\u{0}x"]), [true]);
        assert!(!Values::of(ColumnType::String).append(Some(&[0xff])));
        assert!(Values::of(ColumnType::String).append(None));
    }

    #[test]
    fn decimals_keep_every_digit() {
        assert_eq!(decimal("-12.5", 18, 2), Some(-1_250));
        assert_eq!(decimal("0.010", 18, 2), Some(1));
        assert_eq!(decimal("7", 38, 0), Some(7));
        assert_eq!(decimal("7.0", 38, 0), Some(7));
    }

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
