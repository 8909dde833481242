//! Texts that machines wrote -> columns of a contract's types. Exact, or not read: nothing is rounded, cut or guessed.
//!
//! Numbers and dates are written alike everywhere; a [`Notation`] tells the rest.
//!
//! Not done here: what becomes of a text that cannot be read; texts as people write them, which `silverize` cleans as a contract
//! says.

use crate::{ColumnBuilder, columns::days};
use arrow::array::ArrayRef;
use chrono::{DateTime, NaiveDate};
use lake_core::contract::ColumnType;
use std::str::FromStr;

const NANOSECONDS_OF_A_MICROSECOND: u32 = 1_000;

/// How truth values, instants and bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    /// In files of CSV and JSON: `true`, `2017-12-30T10:00:00+01:00` with its zone, bytes as they are.
    File,
    /// By PostgreSQL and Redshift: also `t`, `2017-12-30 10:00:00.5[+00]` in UTC, bytes in base 16.
    Postgres,
}

/// A column that texts are read into.
#[derive(Debug)]
pub struct TextColumn {
    kind: ColumnType,
    notation: Notation,
    values: ColumnBuilder,
}

impl TextColumn {
    /// No value of a type yet.
    #[must_use]
    pub fn new(kind: ColumnType, notation: Notation) -> Self {
        Self { kind, notation, values: ColumnBuilder::new(kind, 0) }
    }

    /// Appends what a text says, or null where there is none. `false`: the text is no value of the type, and null stands for it.
    #[must_use = "a text that cannot be read has become null"]
    pub fn append(&mut self, text: Option<&[u8]>) -> bool {
        let Some(bytes) = text else {
            self.values.append_null();
            return true;
        };
        let (kind, notation) = (self.kind, self.notation);
        let text = std::str::from_utf8(bytes).ok();
        match &mut self.values {
            ColumnBuilder::Text(values) => put(text, |read| values.append_option(read)),
            ColumnBuilder::Int(values) => put(text.and_then(number), |read| values.append_option(read)),
            ColumnBuilder::Long(values) => put(text.and_then(number), |read| values.append_option(read)),
            ColumnBuilder::Double(values) => put(text.and_then(number), |read| values.append_option(read)),
            ColumnBuilder::Boolean(values) => {
                put(text.and_then(|text| boolean(text, notation)), |read| values.append_option(read))
            }
            ColumnBuilder::Date(values) => put(text.and_then(date), |read| values.append_option(read)),
            ColumnBuilder::Instant(values) => {
                put(text.and_then(|text| instant(text, notation)), |read| values.append_option(read))
            }
            ColumnBuilder::Bytes(values) if notation == Notation::File => put(Some(bytes), |read| values.append_option(read)),
            ColumnBuilder::Bytes(values) => put(text.and_then(base16), |read| values.append_option(read)),
            ColumnBuilder::Decimal(values) => put(text.and_then(|text| decimal(text, kind)), |read| values.append_option(read)),
        }
    }

    /// Returns the values so far, and begins anew.
    pub fn finish(&mut self) -> ArrayRef {
        self.values.finish()
    }
}

/// Hands on what was read, and tells whether it was.
fn put<T>(read: Option<T>, append: impl FnOnce(Option<T>)) -> bool {
    let readable = read.is_some();
    append(read);
    readable
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn boolean(text: &str, notation: Notation) -> Option<bool> {
    match (text, notation) {
        ("true", _) | ("t", Notation::Postgres) => Some(true),
        ("false", _) | ("f", Notation::Postgres) => Some(false),
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
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day).map(days)
}

/// Microseconds since 1970-01-01. No notation's digits beyond them are cut.
fn instant(text: &str, notation: Notation) -> Option<i64> {
    match notation {
        Notation::File => {
            let at = DateTime::parse_from_rfc3339(text).ok()?;
            at.timestamp_subsec_nanos().is_multiple_of(NANOSECONDS_OF_A_MICROSECOND).then(|| at.timestamp_micros())
        }
        Notation::Postgres => postgres_instant(text),
    }
}

/// Of `2017-12-30 10:00:00[.123456][+00]`: UTC, or without a zone and taken as UTC.
fn postgres_instant(text: &str) -> Option<i64> {
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

/// Digits, a point and digits, as an integer of the type's scale. Zeros at the end say nothing; any other digit is kept.
fn decimal(text: &str, kind: ColumnType) -> Option<i128> {
    let ColumnType::Decimal(precision, scale) = kind else { return None };
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let missing = u32::try_from(scale).ok()?.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    let sum = whole
        .bytes()
        .chain(fraction.bytes())
        .try_fold(0_i128, |sum, byte| sum.checked_mul(10)?.checked_add(i128::from(byte - b'0')))?;
    let value = sum.checked_mul(10_i128.checked_pow(missing)?)?;
    (value < 10_i128.checked_pow(u32::from(precision))?).then_some(if unsigned.len() == text.len() { value } else { -value })
}

/// Bytes that are written as two digits each.
fn base16(text: &str) -> Option<Vec<u8>> {
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
