//! The ledger: what became of every row that a run read.
//!
//! read = accepted + quarantined + duplicate + superseded + filtered + held. Every bucket is counted where its rows are
//! put, none by subtraction, so a row that is lost or doubled between two operators makes the ledger unbalanced.

use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

/// Row counts of one run; the unit is a source row (for exploded tables the exploded row).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Rows that the run received from its input.
    pub read: u64,
    /// Rows that changed the table.
    pub accepted: u64,
    /// Rows that break an error rule.
    pub quarantined: u64,
    /// Rows whose equal content is there.
    pub duplicate: u64,
    /// Rows that lost by sequence.
    pub superseded: u64,
    /// Rows that are not this table's.
    pub filtered: u64,
    /// Rows behind the late window.
    pub held: u64,
}

/// A ledger whose buckets do not add up to what was read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "balance the ledger: read {} rows but accounted for {} (accepted {}, quarantined {}, duplicate {}, superseded {}, filtered {}, held {})",
    .0.read, .0.accounted(), .0.accepted, .0.quarantined, .0.duplicate, .0.superseded, .0.filtered, .0.held
)]
pub struct Imbalance(pub Ledger);

impl Ledger {
    /// Returns the sum of the buckets.
    #[must_use]
    pub const fn accounted(&self) -> u64 {
        self.accepted + self.quarantined + self.duplicate + self.superseded + self.filtered + self.held
    }

    /// Checks that every row read is in exactly one bucket.
    ///
    /// # Errors
    /// When it is not: the run must end with 65 and commit nothing.
    pub const fn balanced(&self) -> Result<(), Imbalance> {
        if self.read == self.accounted() { Ok(()) } else { Err(Imbalance(*self)) }
    }
}

impl AddAssign for Ledger {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.accepted += other.accepted;
        self.quarantined += other.quarantined;
        self.duplicate += other.duplicate;
        self.superseded += other.superseded;
        self.filtered += other.filtered;
        self.held += other.held;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_row_is_an_imbalance() {
        let mut ledger = Ledger { read: 3, accepted: 2, held: 1, ..Ledger::default() };
        assert_eq!(ledger.balanced(), Ok(()));
        ledger.accepted = 1;
        let text = ledger.balanced().unwrap_err().to_string();
        assert!(text.contains("read 3 rows but accounted for 2"), "{text}");
    }
}
