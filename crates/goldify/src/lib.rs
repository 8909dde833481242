//! Rebuilds one Gold table from the versions of its inputs.
//!
//! The table's model runs over views without personal data; the result is audited against its contract and its rows and sums
//! are accounted for while it still lies on the local disk; then quarantine and table are each replaced in one commit. The
//! log knows which versions of the inputs a table is made from, so the same versions and the same model are done already.
//!
//! A table whose contract has a `snapshot` holds rows of many dates: a run replaces those of its own, the business date of its
//! window's last instant, and the log knows all this per date.
//!
//! `goldify show-cte` shows the rows of a step of a model (`cte`).
//! `goldify rotate-key` gives all tables that hold tokens another key (`rotation`).
//!
//! Not done here: which versions belong together is decided by `run-pipeline` and only checked here.

mod args;
mod build;
mod cte;
mod cut;
mod error;
mod keys;
mod proof;
mod release;
mod rotation;
mod rows;

pub use args::{Args, CteArgs, PlaceArgs, RotateArgs};

use anyhow::Context as _;
use build::Build;
use lake_core::Summary;
use lake_edge::{Attach as _, Edge};
use lake_table::{Table, TableSpec};
use release::Older;
use std::{ffi::OsString, process::ExitCode};

const PROGRAM: &str = "goldify";
/// What stands in place of a table when all that hold tokens are meant.
const ROTATE: &str = "rotate-key";
/// What stands before a table when a step of its model is asked for.
const SHOW_CTE: &str = "show-cte";

/// The whole program.
pub fn main(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut argv: Vec<OsString> = argv.into_iter().collect();
    if argv.get(1).is_some_and(|word| word == ROTATE) {
        argv.remove(1);
        return lake_edge::main_plain(argv, rotation::run);
    }
    if argv.get(1).is_some_and(|word| word == SHOW_CTE) {
        argv.remove(1);
        return lake_edge::main_plain(argv, cte::run);
    }
    lake_edge::main(argv, PROGRAM, env!("CARGO_PKG_VERSION"), run)
}

/// Rebuilds the table, unless it is made from these inputs already.
async fn run(_: Args, edge: Edge) -> anyhow::Result<Summary> {
    let table = edge.contract.table.clone();
    rebuild(&edge).await.with_context(|| format!("failed to build `{table}`"))
}

async fn rebuild(edge: &Edge) -> anyhow::Result<Summary> {
    let build = Build::of(edge, None).await?;
    let mut table = Table::open_or_create(&edge.lake, &TableSpec::of(&edge.contract)).await.attach()?;
    if let Some(done) = build.release.done(&table, Older::Done).await? {
        return Ok(done);
    }
    build.check().await?.commit(&mut table).await
}

#[cfg(test)]
mod tests;
