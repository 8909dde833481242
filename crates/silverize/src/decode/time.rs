//! Instants and dates from text.
//!
//! Source: RFC 3339, <https://www.rfc-editor.org/rfc/rfc3339>. Digits beyond microseconds are cut.

/// Returns an RFC 3339 instant in microseconds since 1970 UTC.
pub(crate) fn instant(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() < 20 || !matches!(bytes[10], b'T' | b't' | b' ') || bytes[13] != b':' || bytes[16] != b':' {
        return None;
    }
    let days = i64::from(days(&bytes[..10])?);
    let (hour, minute, second) = (two(&bytes[11..])?, two(&bytes[14..])?, two(&bytes[17..])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (micros, zone) = fraction(&bytes[19..])?;
    let offset = offset_seconds(zone)?;
    let seconds = days * 86_400 + i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second) - offset;
    Some(seconds * 1_000_000 + micros)
}

/// Returns a calendar date `2017-12-30` in days since 1970.
pub(crate) fn date(text: &str) -> Option<i32> {
    if text.len() == 10 { days(text.as_bytes()) } else { None }
}

/// Writes days since 1970 as a calendar date.
pub(crate) fn date_text(days: i32) -> String {
    let date = chrono::NaiveDate::default().checked_add_signed(chrono::Duration::days(i64::from(days)));
    date.unwrap_or_default().to_string()
}

fn days(bytes: &[u8]) -> Option<i32> {
    if bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = i32::try_from(two(bytes)? * 100 + two(&bytes[2..])?).ok()?;
    let (month, day) = (two(&bytes[5..])?, two(&bytes[8..])?);
    if year < 1 || !(1..=12).contains(&month) || day < 1 || day > month_days(year, month) {
        return None;
    }
    Some(days_from_civil(year, i32::try_from(month).ok()?, i32::try_from(day).ok()?))
}

const fn month_days(year: i32, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, counted in years that begin in March.
const fn days_from_civil(year: i32, month: i32, day: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn two(bytes: &[u8]) -> Option<u32> {
    let (tens, ones) = (bytes.first()?.wrapping_sub(b'0'), bytes.get(1)?.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| u32::from(tens) * 10 + u32::from(ones))
}

/// Reads `.123` at the front, if there, and returns its microseconds and the rest.
fn fraction(bytes: &[u8]) -> Option<(i64, &[u8])> {
    if bytes.first() != Some(&b'.') {
        return Some((0, bytes));
    }
    let count = bytes[1..].iter().take_while(|b| b.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let micros = (0..6).fold(0, |value, at| value * 10 + if at < count { i64::from(bytes[1 + at] - b'0') } else { 0 });
    Some((micros, &bytes[1 + count..]))
}

fn offset_seconds(zone: &[u8]) -> Option<i64> {
    match zone {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (two(&zone[1..])?, two(&zone[4..])?);
            let seconds = i64::from(hours) * 3_600 + i64::from(minutes) * 60;
            (hours < 24 && minutes < 60).then_some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notation_of_an_instant_is_the_same() {
        let noon = 1_514_635_200_000_000;
        for text in [
            "2017-12-30T12:00:00Z",
            "2017-12-30t12:00:00z",
            "2017-12-30 12:00:00.0Z",
            "2017-12-30T07:00:00-05:00",
            "2017-12-31T01:30:00.000000000+13:30",
            "2017-12-30T12:00:00+00:00",
        ] {
            assert_eq!(instant(text), Some(noon), "{text}");
        }
        assert_eq!(instant("2017-12-30T12:00:00.1Z"), Some(noon + 100_000));
        assert_eq!(instant("2017-12-30T12:00:00.1234567Z"), Some(noon + 123_456));
        assert_eq!(instant("1969-12-31T23:59:59.999999Z"), Some(-1));
    }

    #[test]
    fn instants_that_do_not_exist_are_none() {
        for text in [
            "2017-13-01T00:00:00Z",
            "2017-02-29T00:00:00Z",
            "2017-12-30T24:00:00Z",
            "2017-12-30T12:60:00Z",
            "2017-12-30T12:00:60Z",
            "2017-12-30T12:00:00",
            "2017-12-30T12:00:00.Z",
            "2017-12-30T12:00:00+5:00",
            "2017-12-30T12:00:00+25:00",
            "2017-12-30",
            "0000-01-01T00:00:00Z",
            "1514635200000",
            "2017-12-30T12:00:00Zx",
            "２017-12-30T12:00:00Z",
        ] {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    #[test]
    fn dates_count_from_1970() {
        assert_eq!(date("1970-01-01"), Some(0));
        assert_eq!(date("2017-12-30"), Some(17_530));
        assert_eq!(date("1900-03-01"), Some(-25_508));
        assert_eq!(date("2016-02-29"), Some(16_860));
        assert_eq!(date_text(17_530), "2017-12-30");
        for text in ["2017-2-1", "20171230", "2017-02-30", "2017-12-30T00:00:00Z", ""] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn dates_agree_with_the_calendar(days in -719_000i32..1_000_000) {
            proptest::prop_assert_eq!(date(&date_text(days)), Some(days));
        }
    }
}
