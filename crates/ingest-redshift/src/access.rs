//! What every way to read a window must do.

use crate::{columns::SourceColumn, query::Statements};
use arrow::array::RecordBatch;
use lake_core::contract::Column;

/// What the source counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Rows of the window.
    pub(crate) rows: u64,
    /// Rows that no window reads, since their cursor is null.
    pub(crate) without_cursor: u64,
}

/// One way to read one window of one table, as a consistent cut. The methods are called in the order in which they stand.
pub(crate) trait Access {
    /// Name of the way and of the server, for people.
    fn name(&self) -> String;

    /// Returns the table's columns by the server's catalogue.
    async fn columns(&mut self) -> anyhow::Result<Vec<SourceColumn>>;

    /// Counts the window's rows, in the cut that is then read, and begins to read them.
    async fn begin(&mut self, statements: &Statements, columns: &[Column]) -> anyhow::Result<Counts>;

    /// Returns the next rows in the contract's columns and types; `None` once all that were counted have come.
    async fn next(&mut self) -> anyhow::Result<Option<RecordBatch>>;

    /// Takes away what the reading left behind: once the rows are committed, or nothing will come of them.
    async fn clean(&mut self);
}
