//! Reads Bronze files and decodes them, ahead of what merges the rows.
//!
//! One task reads, the decoding of a few batches runs on threads of its own, and results come in the order of the rows.

use crate::{decode::Decoded, decode::InputPlan, fault, plan::Input};
use anyhow::Context as _;
use futures::TryStreamExt as _;
use lake_core::contract::ContractSet;
use lake_edge::Attach as _;
use lake_table::{Batch, SliceFile, Table};
use std::sync::Arc;
use tokio::{sync::mpsc, task::JoinHandle};

/// Batches that are decoded, or wait to be merged, at once: bounds the memory.
const AHEAD: usize = 4;

type Decoding = anyhow::Result<JoinHandle<anyhow::Result<Decoded>>>;

/// Decoded batches, in the order of the files.
#[derive(Debug)]
pub(crate) struct Decodings {
    receiver: mpsc::Receiver<Decoding>,
    /// Rows that were decoded, and rows that the log says there are.
    found: u64,
    expected: u64,
    table: String,
}

/// Starts to read some files of an input.
pub(crate) fn decode(plan: &InputPlan, contracts: &ContractSet, input: &Input, files: &[SliceFile]) -> anyhow::Result<Decodings> {
    let source = contracts.table(&plan.table).attach()?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    let streams: Vec<_> = files.iter().map(|file| (stream(&input.table, file, plan.columns(source)), file.version)).collect();
    tokio::spawn(read(Arc::new(plan.clone()), streams, sender));
    Ok(Decodings { receiver, found: 0, expected: files.iter().map(|file| file.file.rows).sum(), table: plan.table.clone() })
}

type BatchStream = futures::stream::BoxStream<'static, Result<arrow::array::RecordBatch, lake_table::TableError>>;

fn stream(table: &Table, file: &SliceFile, columns: Vec<String>) -> BatchStream {
    table.scan(vec![file.file.clone()], Some(columns))
}

async fn read(plan: Arc<InputPlan>, streams: Vec<(BatchStream, i64)>, sender: mpsc::Sender<Decoding>) {
    for (mut stream, version) in streams {
        loop {
            let decoding = match stream.try_next().await.attach() {
                Ok(None) => break,
                Ok(Some(batch)) => {
                    let batch = lake_core::operator!("silver.scan", Batch(batch)).0;
                    let plan = plan.clone();
                    Ok(tokio::task::spawn_blocking(move || plan.decode(&batch, version)))
                }
                Err(error) => Err(error),
            };
            // The receiver is gone when the run has failed: nobody wants more.
            if sender.send(decoding).await.is_err() {
                return;
            }
        }
    }
}

impl Decodings {
    /// Returns the next batch; at the end, checks that every row of the files was decoded.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Decoded>> {
        let Some(decoding) = self.receiver.recv().await else {
            fault::rows(&format!("`{}`", self.table), self.expected, self.found)?;
            return Ok(None);
        };
        let decoded =
            decoding?.await.context("decoding stopped")?.with_context(|| format!("failed to decode `{}`", self.table))?;
        self.found += decoded.rows;
        Ok(Some(decoded))
    }
}
