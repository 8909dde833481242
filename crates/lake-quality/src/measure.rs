//! Compiles one metric of a contract to a Polars expression that counts rows of a batch.
//!
//! Dates, timestamps and decimals are compared as the whole numbers that they are stored as: Polars rounds and widens
//! decimal literals in ways that no rule should depend on.

use lake_core::contract::{
    Column, ColumnType,
    odcs::{Arguments, Metric},
};
use polars::prelude::{DataType, Expr, NamedFrom as _, PlSmallStr, Scalar, Series, TimeUnit, col, lit};

/// Why a rule cannot run; said in its finding.
pub(crate) type Reason = String;

/// Returns the expression that is true for rows that a column rule counts.
pub(crate) fn predicate(metric: Metric, column: &Column, arguments: &Arguments) -> Result<Expr, Reason> {
    let null = col(column.name.as_str()).is_null();
    match metric {
        Metric::NullValues => Ok(null),
        Metric::MissingValues => Ok(null.or(any_of(column, &arguments.missing_values)?)),
        Metric::InvalidValues => invalid(column, arguments),
        Metric::DuplicateValues | Metric::RowCount => Err("the metric does not look at single values".into()),
    }
}

/// Returns the expression that adds up a predicate over a batch; a null counts as false.
pub(crate) fn count(predicate: Expr) -> Expr {
    predicate.cast(DataType::UInt64).sum()
}

fn invalid(column: &Column, arguments: &Arguments) -> Result<Expr, Reason> {
    let mut valid: Option<Expr> = None;
    let mut and = |expr: Expr| valid = Some(valid.take().map_or_else(|| expr.clone(), |all| all.and(expr.clone())));
    if !arguments.valid_values.is_empty() {
        and(any_of(column, &arguments.valid_values)?);
    }
    if let Some(pattern) = &arguments.pattern {
        and(matches(column, pattern)?);
    }
    if let Some(minimum) = arguments.minimum {
        and(at_least(column, minimum)?);
    }
    let valid = valid.ok_or("`invalidValues` needs `validValues`, `pattern` or `minimum`")?;
    let missing = col(column.name.as_str()).is_null().or(any_of(column, &arguments.missing_values)?);
    Ok(missing.not().and(valid.not()))
}

/// True where the value is one of some texts, read as values of the column's type.
fn any_of(column: &Column, texts: &[String]) -> Result<Expr, Reason> {
    let name = column.name.as_str();
    if texts.is_empty() {
        return Ok(lit(false));
    }
    if column.kind == ColumnType::String {
        let list = Series::new(PlSmallStr::from_static("listed"), texts);
        return Ok(col(name).is_in(lit(list).implode(false), false));
    }
    let mut any = lit(false);
    for text in texts {
        let value = literal(column.kind, text).ok_or_else(|| format!("a listed value is no {} as `{name}` is", column.kind))?;
        any = any.or(col(name).to_physical().eq(value));
    }
    Ok(any)
}

/// Reads a text as a value of a type, as the whole number that the type is stored as.
fn literal(kind: ColumnType, text: &str) -> Option<Expr> {
    Some(match kind {
        ColumnType::String => lit(text.to_owned()),
        ColumnType::Int => typed(text.parse::<i32>().ok()?),
        ColumnType::Long => typed(text.parse::<i64>().ok()?),
        ColumnType::Double => typed(text.parse::<f64>().ok()?),
        ColumnType::Boolean => typed(text.parse::<bool>().ok()?),
        ColumnType::Date => typed(days(text)?),
        ColumnType::Timestamp => typed(chrono::DateTime::parse_from_rfc3339(text).ok()?.timestamp_micros()),
        ColumnType::Binary => return None,
        ColumnType::Decimal(_, scale) => match scaled(text, scale)? {
            (value, true) => typed(value),
            (_, false) => return None,
        },
    })
}

/// A literal of exactly this type; Polars' plain literals are widened and narrowed as it sees fit.
fn typed(value: impl Into<Scalar>) -> Expr {
    lit(value.into())
}

fn days(text: &str) -> Option<i32> {
    let date: chrono::NaiveDate = text.parse().ok()?;
    i32::try_from(date.signed_duration_since(chrono::NaiveDate::default()).num_days()).ok()
}

/// True where the text of a value matches a pattern as a whole.
fn matches(column: &Column, pattern: &str) -> Result<Expr, Reason> {
    let text = match column.kind {
        ColumnType::String => col(column.name.as_str()),
        ColumnType::Int | ColumnType::Long | ColumnType::Date => col(column.name.as_str()).cast(DataType::String),
        other => return Err(format!("a pattern needs text and `{}` is {other}", column.name)),
    };
    // The pattern alone must be sound: `a)|(b` would become sound, and mean something else, between our own brackets.
    regex::Regex::new(pattern).map_err(|_| "the pattern is no regular expression")?;
    let whole = format!(r"\A(?:{pattern})\z");
    regex::Regex::new(&whole).map_err(|_| "the pattern is no regular expression that can match as a whole")?;
    Ok(text.str().contains(lit(whole), true))
}

/// True where a number is at least a minimum; no number (NaN) is not.
fn at_least(column: &Column, minimum: f64) -> Result<Expr, Reason> {
    let value = col(column.name.as_str());
    match column.kind {
        ColumnType::Double => Ok(value.clone().is_nan().not().and(value.gt_eq(lit(minimum)))),
        ColumnType::Int | ColumnType::Long => {
            let (whole, exact) = scaled(&minimum.to_string(), 0).ok_or("the minimum is out of range")?;
            Ok(value.cast(DataType::Int128).gt_eq(typed(ceiling(whole, exact, minimum))))
        }
        ColumnType::Decimal(_, scale) => {
            let (whole, exact) = scaled(&minimum.to_string(), scale).ok_or("the minimum is out of range")?;
            Ok(value.to_physical().gt_eq(typed(ceiling(whole, exact, minimum))))
        }
        other => Err(format!("a minimum needs a number and `{}` is {other}", column.name)),
    }
}

/// The smallest whole number that is not below a value which was cut towards zero.
const fn ceiling(cut: i128, exact: bool, value: f64) -> i128 {
    if exact || value < 0.0 { cut } else { cut + 1 }
}

/// Reads a decimal text as a whole number of units of `10^-scale`, cut towards zero, and whether nothing was cut.
fn scaled(text: &str, scale: i8) -> Option<(i128, bool)> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let sound = !whole.is_empty() && whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit());
    let scale = usize::try_from(scale).ok()?;
    if !sound {
        return None;
    }
    let (kept, cut) = fraction.split_at(scale.min(fraction.len()));
    let number: i128 = format!("{whole}{kept:0<scale$}").parse().ok()?;
    Some((sign * number, cut.bytes().all(|b| b == b'0')))
}

/// Whether a column of a data frame has the type that the contract says.
pub(crate) fn fits(kind: ColumnType, found: &DataType) -> bool {
    match (kind, found) {
        (ColumnType::String, DataType::String)
        | (ColumnType::Int, DataType::Int32)
        | (ColumnType::Long, DataType::Int64)
        | (ColumnType::Double, DataType::Float64)
        | (ColumnType::Boolean, DataType::Boolean)
        | (ColumnType::Date, DataType::Date)
        | (ColumnType::Binary, DataType::Binary)
        | (ColumnType::Timestamp, DataType::Datetime(TimeUnit::Microseconds, _)) => true,
        (ColumnType::Decimal(_, scale), DataType::Decimal(_, other)) => usize::try_from(scale).is_ok_and(|scale| scale == *other),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_exactly() {
        assert_eq!(scaled("12.5", 2), Some((1250, true)));
        assert_eq!(scaled("-12.5", 2), Some((-1250, true)));
        assert_eq!(scaled("0.005", 2), Some((0, false)));
        assert_eq!(scaled("12.500", 2), Some((1250, true)));
        assert_eq!(scaled("7", 0), Some((7, true)));
        assert_eq!(scaled("9999999999999999.99", 2), Some((999_999_999_999_999_999, true)));
        for wrong in ["", ".5", "1e3", "NaN", "1.2.3", "+1", "-", "1-1"] {
            assert_eq!(scaled(wrong, 2), None, "{wrong}");
        }
    }

    #[test]
    fn a_minimum_between_two_values_is_the_upper_one() {
        assert_eq!(ceiling(0, false, 0.005), 1);
        assert_eq!(ceiling(0, false, -0.005), 0);
        assert_eq!(ceiling(-1, true, -0.01), -1);
        assert_eq!(ceiling(5, true, 0.05), 5);
    }
}
