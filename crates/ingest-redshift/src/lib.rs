//! Lands one window of a Redshift table in its Bronze table: columns, names and types as the source has them.
//!
//! The window is on the contract's cursor column and reads back as far as its lookback says, so that rows which became visible
//! late are seen; what lands again is told apart by `silverize`. What is read is what the source counts over the same predicate
//! in the same state of the table: another number ends the run with 75 and lands nothing.
//!
//! Not done here: any change of a value.

mod access;
mod args;
mod aws_error;
mod columns;
mod data_api;
mod long_value;
mod manifest;
mod query;
mod rows;
mod text;
mod tls;
mod wire;
mod wire_error;

pub use args::Args;

use access::{Access, Counts};
use anyhow::Context as _;
use lake_bronze::Landing;
use lake_core::{Ledger, Summary, fault_point, operator, summary::Outcome};
use lake_edge::{Attach as _, Edge};
use lake_table::{Batch, DataWriter, NewFile};
use std::{ffi::OsString, process::ExitCode};

/// The whole program.
pub fn main(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    lake_edge::main(argv, "ingest-redshift", env!("CARGO_PKG_VERSION"), run)
}

/// Lands one window and returns what was done.
async fn run(args: Args, edge: Edge) -> anyhow::Result<Summary> {
    let plan = rows::Plan::new(&edge).context("failed to land a Redshift table")?;
    let landing = Landing::open(&edge.lake, &edge.contract, &edge.run).await.attach()?;
    if let Some(done) = landing.already_done().await.attach()? {
        // The attempt that landed the window may have died before it took its staged files away.
        if args.access == args::Way::DataApi {
            data_api::DataApi::new(&args, &edge.run, plan.scope.clone()).await?.clean().await;
        }
        return Ok(done);
    }
    let reading = format!("failed to read Redshift table `{}`", plan.scope.name());
    let window = Window { edge: &edge, plan: &plan, reading: reading.clone() };
    fault_point!("redshift.fetch.before");
    match args.access {
        args::Way::Wire => {
            let password = edge.secret("redshift/password")?;
            let wire = wire::Wire::connect(&args, &password, plan.scope.clone()).await.context(reading)?;
            window.land(landing, wire).await
        }
        args::Way::DataApi => {
            let data_api = data_api::DataApi::new(&args, &edge.run, plan.scope.clone()).await.context(reading)?;
            window.land(landing, data_api).await
        }
    }
}

/// One window that is landed.
struct Window<'a> {
    edge: &'a Edge,
    plan: &'a rows::Plan,
    reading: String,
}

/// What was read and written, before its commit.
struct Landed {
    counts: Counts,
    not_landed: Vec<String>,
    files: Vec<NewFile>,
    handed: u64,
}

impl Window<'_> {
    /// Lands the window and takes away what the reading left behind, however it ends.
    async fn land<A: Access>(&self, landing: Landing, mut access: A) -> anyhow::Result<Summary> {
        let landed = self.read_and_commit(landing, &mut access).await;
        access.clean().await;
        landed
    }

    async fn read_and_commit<A: Access>(&self, landing: Landing, access: &mut A) -> anyhow::Result<Summary> {
        let landed = self.read(&landing, access).await?;
        fault_point!("redshift.write.after");
        let mut summary = self.edge.summary();
        summary.outcome = Outcome::Committed;
        let accepted = landed.files.iter().map(|file| file.rows).sum();
        summary.ledger = Ledger { read: landed.counts.rows, accepted, ..Ledger::default() };
        summary.facts.insert("access".to_owned(), access.name().into());
        if landed.counts.without_cursor > 0 {
            let rows = landed.counts.without_cursor;
            tracing::warn!(rows, "rows whose cursor is null are in no window and are not landed");
            summary.facts.insert("rows_without_cursor".to_owned(), rows.into());
        }
        if !landed.not_landed.is_empty() {
            tracing::warn!(columns = landed.not_landed.join(","), "source columns outside the contract are not landed");
            summary.facts.insert("columns_not_landed".to_owned(), landed.not_landed.into());
        }
        summary.duration_ms = self.edge.elapsed_ms();
        landing.commit(landed.files, landed.handed, summary).await
    }

    /// Reads the window and writes its files, uncommitted.
    async fn read<A: Access>(&self, landing: &Landing, access: &mut A) -> anyhow::Result<Landed> {
        let failed = || self.reading.clone();
        let found = access.columns().await.with_context(failed)?;
        let (statements, not_landed) = self.plan.compare(&found).attach().with_context(failed)?;
        let counts = access.begin(&statements, self.plan.columns()).await.with_context(failed)?;
        let bar = self.edge.progress("rows read", Some(counts.rows));
        let mut writer = landing.table().writer();
        while let Some(batch) = access.next().await.with_context(failed)? {
            bar.inc(batch.num_rows() as u64);
            self.write(landing, &mut writer, batch).await?;
        }
        bar.done();
        fault_point!("redshift.fetch.after");
        let handed = writer.rows();
        let files = writer.finish().await.attach()?;
        Ok(Landed { counts, not_landed, files, handed })
    }

    /// Writes one batch of the source.
    async fn write(&self, landing: &Landing, writer: &mut DataWriter, batch: arrow::array::RecordBatch) -> anyhow::Result<()> {
        let batch = operator!("redshift.fetch", Batch(batch)).0;
        let batch = self.plan.batch(&landing.table().spec().schema, &batch)?;
        let batch = operator!("redshift.write", Batch(batch)).0;
        writer.write(&batch).await.attach().context("failed to land rows")
    }
}
