//! Lands one window of a Snowflake table in its Bronze table: columns, names and types as the source has them.
//!
//! The window is on the contract's cursor column and reads back as far as its lookback says, so that rows which became
//! visible late are seen; what lands again is told apart by `silverize`. What is read is what the source counts over the same
//! predicate: another number means that the table moved, and the run ends with 75 and lands nothing.
//!
//! Not done here: any change of a value.

mod args;
mod client;
mod query;
mod rows;
mod session;

pub use args::Args;

use anyhow::Context as _;
use lake_bronze::Landing;
use lake_core::{Ledger, Summary, fault_point, operator, summary::Outcome};
use lake_edge::{Attach as _, Edge};
use lake_table::{Batch, DataWriter};
use std::{ffi::OsString, process::ExitCode};

/// The whole program.
pub fn main(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    lake_edge::main(argv, "ingest-snowflake", env!("CARGO_PKG_VERSION"), run)
}

/// Lands one window and returns what was done.
async fn run(args: Args, edge: Edge) -> anyhow::Result<Summary> {
    let plan = rows::Plan::new(&edge).context("failed to land a Snowflake table")?;
    let landing = Landing::open(&edge.lake, &edge.contract, &edge.run).await.attach()?;
    if let Some(done) = landing.already_done().await.attach()? {
        return Ok(done);
    }
    let options = client::Options::new(&args, edge.secret("snowflake/password")?, &plan.source);
    let reading = format!("failed to read Snowflake table `{}`", plan.source.table);
    fault_point!("snowflake.fetch.before");
    let found = session::find(&options, &plan.query).await.attach().with_context(|| reading.clone())?;
    let extra = plan.compare(&found.schema).attach().with_context(|| reading.clone())?;
    let mut reader = found.read().await.attach().with_context(|| reading.clone())?;
    let bar = edge.progress("rows read", Some(reader.count));
    let mut writer = landing.table().writer();
    while let Some(batch) = reader.next().await.attach().with_context(|| reading.clone())? {
        bar.inc(batch.num_rows() as u64);
        land(&plan, &landing, &mut writer, batch).await?;
    }
    bar.done();
    fault_point!("snowflake.fetch.after");
    let handed = writer.rows();
    let files = writer.finish().await.attach()?;
    fault_point!("snowflake.write.after");
    let mut summary = edge.summary();
    summary.outcome = Outcome::Committed;
    let accepted = files.iter().map(|file| file.rows).sum();
    summary.ledger = Ledger { read: reader.count, accepted, ..Ledger::default() };
    summary.facts.insert("slices".to_owned(), reader.slices.into());
    if reader.without_cursor > 0 {
        tracing::warn!(rows = reader.without_cursor, "rows whose cursor is null are in no window and are not landed");
        summary.facts.insert("rows_without_cursor".to_owned(), reader.without_cursor.into());
    }
    if !extra.is_empty() {
        tracing::warn!(columns = extra.join(","), "source columns outside the contract are not landed");
        summary.facts.insert("columns_not_landed".to_owned(), extra.into());
    }
    summary.duration_ms = edge.elapsed_ms();
    landing.commit(files, handed, summary).await
}

/// Writes one batch of the source.
async fn land(
    plan: &rows::Plan,
    landing: &Landing,
    writer: &mut DataWriter,
    batch: arrow::array::RecordBatch,
) -> anyhow::Result<()> {
    let batch = operator!("snowflake.fetch", Batch(batch)).0;
    let batch = plan.batch(&landing.table().spec().schema, &batch)?;
    let batch = operator!("snowflake.write", Batch(batch)).0;
    writer.write(&batch).await.attach().context("failed to land rows")
}
