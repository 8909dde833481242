//! The summary: what a run did, as one JSON object.
//!
//! It is the last line of stdout with `--output json`, what `--summary-to` writes, and what every commit carries in its
//! `commitInfo`, so that the log alone can tell the outcome of a run.

use crate::{Ledger, RunId, Window};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the summary's own shape. Readers ignore fields that they do not know.
pub const SCHEMA_VERSION: u32 = 1;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A commit was made.
    Committed,
    /// There was nothing new to do, so nothing was committed.
    Unchanged,
    /// An earlier run had done this work; the rest of the summary is that run's.
    AlreadyDone,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// The run whose work this is.
    pub run_id: RunId,
    /// Attempt of that run.
    pub attempt: u32,
    /// Program name.
    pub program: String,
    /// Version of the program.
    pub program_version: String,
    /// Full name of the table.
    pub table: String,
    /// Window of the run.
    pub window: Window,
    /// Delta version of each input that was read (sources: their own position).
    pub inputs: BTreeMap<String, i64>,
    /// What became of every row.
    pub ledger: Ledger,
    /// Delta version of the table after the run.
    pub table_version: Option<i64>,
    /// `id@version` of the contract.
    pub contract: String,
    /// SHA-256 of the contract file.
    pub contract_hash: String,
    /// Wall-clock milliseconds.
    pub duration_ms: u64,
    /// Bytes written to data files.
    pub bytes_written: u64,
    /// Peak resident memory in bytes.
    pub peak_rss_bytes: u64,
    /// Further facts of the program: conserved sums, rows in and out of joins, offsets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, serde_json::Value>,
}

impl Summary {
    /// The summary of a run that has done nothing yet: its identity, and everything else empty.
    #[must_use]
    pub fn begun(run_id: RunId, program: &str, table: &str, window: Window) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            outcome: Outcome::Unchanged,
            run_id,
            attempt: 1,
            program: program.to_owned(),
            program_version: String::new(),
            table: table.to_owned(),
            window,
            inputs: BTreeMap::new(),
            ledger: Ledger::default(),
            table_version: None,
            contract: String::new(),
            contract_hash: String::new(),
            duration_ms: 0,
            bytes_written: 0,
            peak_rss_bytes: 0,
            facts: BTreeMap::new(),
        }
    }
}
