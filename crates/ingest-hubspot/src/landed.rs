//! Writes rows and counts them where they are decided.

use crate::rows::{Plan, Row};
use anyhow::Context as _;
use lake_bronze::Landing;
use lake_core::operator;
use lake_edge::Attach as _;
use lake_table::{Batch, DataWriter, NewFile};
use serde_json::Value;
use std::collections::BTreeMap;

/// What was read and written, before its commit.
#[derive(Debug)]
pub(crate) struct Landed {
    /// Files.
    pub(crate) files: Vec<NewFile>,
    /// Rows that the writer was handed.
    pub(crate) handed: u64,
    /// Rows that were to be written.
    pub(crate) read: u64,
    /// What the summary tells beside the ledger.
    pub(crate) facts: BTreeMap<String, Value>,
}

/// Rows on their way to the files.
pub(crate) struct Out<'a> {
    plan: &'a Plan,
    landing: &'a Landing,
    writer: DataWriter,
    read: u64,
}

impl<'a> Out<'a> {
    /// Returns a writer to the table of a landing.
    pub(crate) fn new(plan: &'a Plan, landing: &'a Landing) -> Self {
        Self { plan, landing, writer: landing.table().writer(), read: 0 }
    }

    /// Writes rows that an answer brought; `read` is what it announces.
    pub(crate) async fn fetched(&mut self, read: u64, rows: Vec<Row>) -> anyhow::Result<()> {
        self.read += read;
        self.write(operator!("hubspot.fetch", rows)).await
    }

    /// Writes rows that a comparison with Bronze decided.
    pub(crate) async fn swept(&mut self, rows: Vec<Row>) -> anyhow::Result<()> {
        self.read += rows.len() as u64;
        self.write(operator!("hubspot.sweep", rows)).await
    }

    async fn write(&mut self, rows: Vec<Row>) -> anyhow::Result<()> {
        let batch = self.plan.batch(&self.landing.table().spec().schema, &rows).attach().context("failed to land rows")?;
        let batch = operator!("hubspot.write", Batch(batch)).0;
        self.writer.write(&batch).await.attach().context("failed to land rows")
    }

    /// Closes the files.
    pub(crate) async fn finish(self, facts: BTreeMap<String, Value>) -> anyhow::Result<Landed> {
        let handed = self.writer.rows();
        let files = self.writer.finish().await.attach()?;
        Ok(Landed { files, handed, read: self.read, facts })
    }
}
