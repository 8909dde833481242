//! What can go wrong, and who has to act.

use lake_core::{Fault, Window, fault::Faulty};
use std::path::PathBuf;

/// Why a table is not let through.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DqError {
    /// Error rules failed.
    #[error("pass the gate: {failed} of {rules} rules failed on `{table}` version {version}: {names}")]
    Gate {
        table: String,
        version: i64,
        failed: usize,
        rules: usize,
        /// Ids of the failed error rules.
        names: String,
        window: Window,
        /// Rows of an earlier version that failed are still there.
        earlier: bool,
    },
    /// Error rules failed on files.
    #[error("keep the contract of `{table}`: {failed} of {rules} rules failed: {names}")]
    Files {
        table: String,
        failed: usize,
        rules: usize,
        /// Ids of the failed error rules.
        names: String,
    },
    /// A file with rows of another table that cannot be compared with.
    #[error("compare with `{table}` in {}: {problem}", file.display())]
    Reference { table: String, file: PathBuf, problem: String },
    /// There is nothing to check.
    #[error("check `{0}`: there is no such table in this lake")]
    NoTable(String),
    /// A scan delivered other rows than the log counts.
    #[error("check `{table}`: the scan delivered {scanned} rows where the log counts {counted}")]
    Rows { table: String, scanned: u64, counted: u64 },
    /// A waiver of something that did not fail.
    #[error("waive version {version} of `{table}`: no failed verdict is about it in window {window}")]
    NothingToWaive { table: String, version: i64, window: Window },
    /// A waiver by nobody.
    #[error("waive a version: nobody is named")]
    Nobody,
    /// A waiver for no reason.
    #[error("waive a version: the reason is empty")]
    NoReason,
}

impl Faulty for DqError {
    fn fault(&self) -> Fault {
        match self {
            Self::Gate { .. } | Self::Files { .. } | Self::Reference { .. } | Self::NoTable(_) | Self::Rows { .. } => Fault::Data,
            Self::NothingToWaive { .. } | Self::Nobody | Self::NoReason => Fault::Config,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Gate { table, version, window, earlier, .. } => {
                let mend = if *earlier {
                    "run the window that failed again with its next --generation (a topic is read once only)"
                } else {
                    "mend the rows"
                };
                format!("{mend}, or let them pass on record: dq-check {table} --window {window} --waive {version} --reason TEXT")
            }
            Self::Files { .. } | Self::Reference { .. } => return None,
            Self::NoTable(_) => "run the program that builds it first".into(),
            Self::Rows { .. } => "run it again; when that does not help, the table's files are damaged".into(),
            Self::NothingToWaive { .. } => "give the window and the version of the verdict that failed".into(),
            Self::Nobody => "give --waived-by NAME".into(),
            Self::NoReason => "give --reason TEXT".into(),
        })
    }
}
