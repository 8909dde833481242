//! When a run that keeps running commits what waits, and how much of it. Pure.

use crate::StreamArgs;
use std::time::Duration;

/// Name of the fact: which limit was reached. Only commits of a run that keeps running have it.
pub(crate) const FACT: &str = "flushed_by";
/// Bytes of a record until some were read.
const RECORD_BYTES: u64 = 1_024;

/// What may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    rows: u64,
    bytes: u64,
    age: Duration,
}

/// What waits in the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Records.
    pub(crate) rows: u64,
    /// How long the oldest of them has waited.
    pub(crate) age: Duration,
}

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Enough records.
    Rows,
    /// Enough bytes.
    Bytes,
    /// One has waited long enough.
    Age,
}

impl Reason {
    /// Name in facts and logs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Bytes => "bytes",
            Self::Age => "age",
        }
    }
}

/// Mean size of the records that were read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size(u64);

impl Default for Size {
    fn default() -> Self {
        Self(RECORD_BYTES)
    }
}

impl Size {
    /// Takes the records of a commit; none say nothing.
    pub(crate) fn learn(&mut self, rows: u64, bytes: u64) {
        if let Some(mean) = bytes.checked_div(rows) {
            self.0 = mean.max(1);
        }
    }
}

impl Limits {
    /// The limits that the caller gives.
    pub(crate) const fn of(args: &StreamArgs) -> Self {
        Self { rows: args.flush_rows, bytes: args.flush_bytes, age: Duration::from_secs(args.flush_seconds) }
    }

    /// Returns the limit that what waits has reached, if it has reached any.
    pub(crate) fn reached(&self, waiting: Waiting, size: Size) -> Option<Reason> {
        match waiting {
            Waiting { rows: 0, .. } => None,
            Waiting { rows, .. } if rows >= self.rows => Some(Reason::Rows),
            Waiting { rows, .. } if rows >= self.rows_of_bytes(size) => Some(Reason::Bytes),
            Waiting { age, .. } if age >= self.age => Some(Reason::Age),
            _ => None,
        }
    }

    /// Records of one commit at most.
    pub(crate) fn rows_max(&self, size: Size) -> u64 {
        self.rows.min(self.rows_of_bytes(size))
    }

    fn rows_of_bytes(&self, size: Size) -> u64 {
        (self.bytes / size.0).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { rows: 1_000, bytes: 100_000, age: Duration::from_secs(5) };

    fn reached(rows: u64, seconds: u64, size: Size) -> Option<Reason> {
        LIMITS.reached(Waiting { rows, age: Duration::from_secs(seconds) }, size)
    }

    fn size(rows: u64, bytes: u64) -> Size {
        let mut size = Size::default();
        size.learn(rows, bytes);
        size
    }

    #[test]
    fn whatever_limit_is_reached_first_is_the_reason() {
        let small = size(10, 100);
        assert_eq!(reached(999, 4, small), None);
        assert_eq!(reached(999, 5, small), Some(Reason::Age));
        assert_eq!(reached(1_000, 0, small), Some(Reason::Rows));
        let large = size(10, 10_000);
        assert_eq!(reached(99, 4, large), None);
        assert_eq!(reached(100, 0, large), Some(Reason::Bytes));
    }

    #[test]
    fn nothing_is_committed_when_nothing_waits() {
        assert_eq!(reached(0, 3_600, Size::default()), None);
    }

    #[test]
    fn a_commit_is_bounded_by_rows_and_by_bytes() {
        assert_eq!(LIMITS.rows_max(size(10, 100)), 1_000);
        assert_eq!(LIMITS.rows_max(size(10, 10_000)), 100);
        assert_eq!(LIMITS.rows_max(size(1, 9_000_000)), 1, "one record is always taken");
        assert_eq!(LIMITS.rows_max(Size::default()), 97, "before anything was read");
    }

    #[test]
    fn a_commit_without_records_says_nothing_of_their_size() {
        let mut known = size(10, 10_000);
        known.learn(0, 0);
        assert_eq!(LIMITS.rows_max(known), 100);
        known.learn(10, 0);
        assert_eq!(LIMITS.rows_max(known), 1_000, "deletions have no bytes");
    }
}
