//! Lands one window of the ECB's euro reference rates in its Bronze table, exactly as published.
//!
//! A window reads back as far as the contract's lookback says, so that values published late and values revised are seen;
//! what lands again is accepted here and told apart by `silverize`. Running a window again changes nothing: rows and
//! progress are one commit, and the log knows that the window is in.
//!
//! Not done here: conversion and the filling of gaps (`silverize`).

mod args;
mod client;
mod decode;
mod rows;
#[cfg(test)]
mod testdata;

pub use args::Args;

use anyhow::Context as _;
use lake_bronze::Landing;
use lake_core::{Ledger, Summary, fault_point, operator, summary::Outcome};
use lake_edge::{Attach as _, Edge};
use lake_table::Batch;
use std::{ffi::OsString, process::ExitCode};

/// The whole program.
pub fn main(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    lake_edge::main(argv, "ingest-fx", env!("CARGO_PKG_VERSION"), run)
}

/// Lands one window and returns what was done.
async fn run(args: Args, edge: Edge) -> anyhow::Result<Summary> {
    let plan = rows::Plan::new(&edge).context("failed to land exchange rates")?;
    let landing = Landing::open(&edge.lake, &edge.contract, &edge.run).await.attach()?;
    if let Some(done) = landing.already_done().await.attach()? {
        return Ok(done);
    }
    fault_point!("fx.fetch.before");
    let (file, sheet) = client::fetch(&args, &plan.wanted).await.context("failed to read exchange rates")?;
    fault_point!("fx.fetch.after");
    let observations = operator!("fx.decode", sheet.observations);
    let batch = plan.batch(&landing.table().spec().schema, &observations).attach().context("failed to land exchange rates")?;
    let batch = operator!("fx.write", Batch(batch)).0;
    let mut writer = landing.table().writer();
    writer.write(&batch).await.attach()?;
    let handed = writer.rows();
    let files = writer.finish().await.attach()?;
    fault_point!("fx.write.after");
    let mut summary = edge.summary();
    summary.outcome = Outcome::Committed;
    let accepted = files.iter().map(|file| file.rows).sum();
    summary.ledger = Ledger { read: sheet.cells, accepted, ..Ledger::default() };
    summary.facts.insert("file".to_owned(), file.name().into());
    summary
        .facts
        .insert("newest_observation".to_owned(), sheet.newest.map_or_else(|| "none".into(), |day| day.to_string().into()));
    summary.duration_ms = edge.elapsed_ms();
    landing.commit(files, handed, summary).await
}
