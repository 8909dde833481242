//! The window of a run: a half-open interval of UTC instants that the caller gives.

use chrono::{DateTime, Datelike as _, Duration, NaiveDate, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// A half-open interval `[from, to)` of UTC instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

/// Why a text is no window.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WindowError {
    /// Neither a date nor an RFC 3339 instant.
    #[error("`{0}` is neither a date (2017-12-30) nor an instant (2017-12-30T00:00:00Z)")]
    Instant(String),
    /// The end is not after the start.
    #[error("the window ends at {to}, which is not after its start {from}")]
    Empty {
        /// Start as given.
        from: String,
        /// End as given.
        to: String,
    },
}

impl Window {
    /// Returns the window between two instants.
    ///
    /// # Errors
    /// When `to` is not after `from`.
    pub fn new(from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Self, WindowError> {
        if from < to { Ok(Self { from, to }) } else { Err(WindowError::Empty { from: text(from), to: text(to) }) }
    }

    /// First instant inside.
    #[must_use]
    pub const fn from(&self) -> DateTime<Utc> {
        self.from
    }

    /// First instant after the window.
    #[must_use]
    pub const fn to(&self) -> DateTime<Utc> {
        self.to
    }

    /// Returns the window of the same length that holds an instant, in the row of windows that this one begins: this one itself
    /// until its end has come.
    #[must_use]
    pub fn at(&self, instant: DateTime<Utc>) -> Self {
        let length = self.to - self.from;
        let each = length.num_microseconds().filter(|each| *each > 0);
        let (Some(each), Some(passed)) = (each, (instant - self.from).num_microseconds()) else { return *self };
        if instant < self.to {
            return *self;
        }
        let from = self.from + Duration::microseconds(passed / each * each);
        Self { from, to: from + length }
    }

    /// `_ingest_date`: the UTC date of the window's last instant.
    #[must_use]
    pub fn ingest_date(&self) -> NaiveDate {
        (self.to - Duration::microseconds(1)).date_naive()
    }
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Reads an instant; a date is short for its beginning.
///
/// # Errors
/// When the text is neither.
pub fn instant(text: &str) -> Result<DateTime<Utc>, WindowError> {
    let unreadable = || WindowError::Instant(text.to_owned());
    let at = match NaiveDate::from_str(text) {
        Ok(date) => date.and_time(chrono::NaiveTime::MIN).and_utc(),
        Err(_) => DateTime::parse_from_rfc3339(text).map_err(|_| unreadable())?.with_timezone(&Utc),
    };
    if in_calendar(at) { Ok(at) } else { Err(unreadable()) }
}

/// Days are added to an instant and taken away, and it is written and read again: a calendar ends somewhere.
fn in_calendar(at: DateTime<Utc>) -> bool {
    (1..=9999).contains(&at.year())
}

impl FromStr for Window {
    type Err = WindowError;

    /// Reads `FROM/TO`; a single date is short for that whole UTC day.
    fn from_str(text: &str) -> Result<Self, WindowError> {
        if let Some((from, to)) = text.split_once('/') {
            return Self::new(instant(from)?, instant(to)?);
        }
        NaiveDate::from_str(text).map_err(|_| WindowError::Instant(text.to_owned()))?;
        let from = instant(text)?;
        let to = from + Duration::days(1);
        // The day after the last one could be written, in a summary, and never be read again.
        if in_calendar(to) { Self::new(from, to) } else { Err(WindowError::Instant(text.to_owned())) }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", text(self.from), text(self.to))
    }
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_short_for_its_day() {
        let day: Window = "2017-12-30".parse().unwrap();
        assert_eq!(day.to_string(), "2017-12-30T00:00:00Z/2017-12-31T00:00:00Z");
        assert_eq!(day.to_string().parse::<Window>().unwrap(), day);
        assert_eq!(day.ingest_date().to_string(), "2017-12-30");
        assert_eq!("2017-01-01/2017-12-30".parse::<Window>().unwrap().ingest_date().to_string(), "2017-12-29");
    }

    #[test]
    fn a_window_is_followed_by_others_of_its_length() {
        let day: Window = "2017-12-30".parse().unwrap();
        for (at, expected) in [
            ("2016-01-01", "2017-12-30"),
            ("2017-12-30T23:59:59.999999Z", "2017-12-30"),
            ("2017-12-31", "2017-12-31"),
            ("2026-02-28T13:00:00Z", "2026-02-28"),
        ] {
            assert_eq!(day.at(instant(at).unwrap()), expected.parse().unwrap(), "{at}");
        }
        let hours: Window = "2017-12-30T06:00:00Z/2017-12-30T08:00:00Z".parse().unwrap();
        assert_eq!(hours.at(instant("2017-12-31T09:30:00Z").unwrap()).to_string(), "2017-12-31T08:00:00Z/2017-12-31T10:00:00Z");
    }

    #[test]
    fn windows_that_hold_nothing_are_refused() {
        assert!(matches!("2017-12-30/2017-12-30".parse::<Window>(), Err(WindowError::Empty { .. })));
        assert!(matches!("yesterday".parse::<Window>(), Err(WindowError::Instant(_))));
        assert!(matches!("2017-12-30/soon".parse::<Window>(), Err(WindowError::Instant(_))));
        for far in ["+262142-12-31", "-262143-01-01", "2017-12-30/+10000-01-01", "0000-01-01", "9999-12-31"] {
            assert!(matches!(far.parse::<Window>(), Err(WindowError::Instant(_))), "{far}");
        }
    }
}
