//! Brings a Silver table up to date: Bronze rows become typed, standard, deduplicated and complete.
//!
//! What the contract declares is prepared once (`decode`, `route`, `upsert::shape`); nothing here knows an order from a customer.
//! A run plans which input versions are new (`plan`), reads and decodes them on threads of their own (`source`, `decode`), merges
//! them chunk by chunk into the table's files (`upsert`), commits what is left over (`quarantine`) and then the data with its
//! progress. Running it again changes nothing: the log knows which versions are in.
//!
//! With `--replay` left-over rows are submitted again instead (`replay`).
//!
//! Not done here: reading sources, checking whole tables (`dq-check`).

mod args;
mod decode;
mod fault;
#[cfg(test)]
mod lake_tests;
#[cfg(test)]
mod lake_tests_keyed;
#[cfg(test)]
mod lake_tests_replay;
mod leftover;
mod plan;
mod quarantine;
mod replay;
mod route;
mod run;
mod source;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod testing_keyed;
#[cfg(test)]
mod testing_lake;
mod upsert;
mod version;

pub use args::{Args, ReplayArgs};

use lake_core::Summary;
use lake_edge::{Attach as _, Edge};
use lake_table::{Table, TableSpec};
use std::{ffi::OsString, process::ExitCode};

/// Small files that a partition of the table may have. A table that is brought up to date each minute gets a file with each run.
const SMALL_FILES_MAX: usize = 32;

/// Runs the program with its arguments.
pub fn main(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    lake_edge::main(argv, "silverize", env!("CARGO_PKG_VERSION"), run)
}

/// Consumes what is new in the inputs of a Silver table and reports what became of every row.
///
/// # Errors
/// See the exit codes in the help.
pub async fn run(args: Args, edge: Edge) -> anyhow::Result<Summary> {
    if args.replay.replay {
        return replay::run(&edge, &args.replay).await;
    }
    let job = run::Job::new(&edge)?;
    let mut table = Table::open_or_create(&edge.lake, &TableSpec::of(&edge.contract)).await.attach()?;
    // Before the data: its commit is then the newest version, as the summary says and the next gate expects. And only where there is
    // data: the same command again must make no version, which gates and Gold would have to look at.
    if !edge.full_refresh && table.is_scattered(SMALL_FILES_MAX) && job.has_news(&table).await? {
        table.compact(SMALL_FILES_MAX).await?;
    }
    table.commit(async |table| job.attempt(table).await).await
}
