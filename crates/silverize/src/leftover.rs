//! Rows that do not reach the table: broken ones and those behind the late window.

/// Why a row is left over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It breaks an error rule.
    Quarantined,
    /// It came later than the late window allows.
    Held,
}

/// The rule that a held row names.
pub(crate) const LATE_WINDOW: &str = "late_window";

/// A row that is left over, with all that `replay` needs to bring it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leftover {
    /// Why.
    pub(crate) reason: Reason,
    /// Row of the batch that was decoded.
    pub(crate) row: usize,
    /// Number of the input in the contract.
    pub(crate) input: usize,
    /// Delta version of the input that brought it.
    pub(crate) version: i64,
    /// Where its source has it.
    pub(crate) position: String,
    /// Which of the record's lines, from 1; none for a whole record.
    pub(crate) line: Option<i32>,
    /// Ids of the rules.
    pub(crate) rules: String,
    /// The record's bytes, or the row as JSON; none where the source had none.
    pub(crate) payload: Option<Vec<u8>>,
    /// Ingest date in days since 1970.
    pub(crate) ingest_date: i32,
}
