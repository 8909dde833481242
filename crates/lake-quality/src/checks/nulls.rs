//! How many values are null, in the columns where that is no failure: compared with earlier windows, not with a limit.

use lake_core::{Contract, contract::tolerance::percent};
use polars::prelude::DataFrame;

/// Columns and their nulls so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Nulls(Vec<(String, u64)>);

impl Nulls {
    /// Columns that may be null. Masked twins follow their columns, and columns that Sluice adds are its own affair.
    pub(super) fn of(contract: &Contract) -> Self {
        let columns = contract.columns.iter().filter(|column| {
            !column.required && column.key_position.is_none() && column.mask.is_none() && !column.name.starts_with('_')
        });
        Self(columns.map(|column| (column.name.clone(), 0)).collect())
    }

    pub(super) fn counts(&self, column: &str) -> bool {
        self.0.iter().any(|(name, _)| name == column)
    }

    /// Counts the nulls of a batch; a column that is not there tells nothing, now or later.
    pub(super) fn observe(&mut self, frame: &DataFrame) {
        self.0.retain_mut(|(name, count)| match frame.column(name) {
            Ok(column) => {
                *count += column.null_count() as u64;
                true
            }
            Err(_) => false,
        });
    }

    /// Nulls in percent of a number of rows.
    pub(super) fn shares(&self, rows: u64) -> Vec<(String, f64)> {
        let known = self.0.iter().filter(|_| rows > 0);
        known.map(|(name, count)| (name.clone(), percent(*count as f64, rows))).collect()
    }
}
