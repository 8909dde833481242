//! Puts the rows of many small files into few large ones. No row changes, and the log says so (`dataChange` is false): who reads
//! what versions added passes the commit over, and reads the files that were there before, as long as they are kept.
//!
//! It has no progress and carries no summary: it is nobody's run. What it replaces is read at one snapshot and replaced by
//! compare-and-set on it, so rows that another commit brings or takes away meanwhile are neither lost nor doubled.
//!
//! Not done here: deleting the files that were replaced; readers of older versions need them.

use crate::{
    DataFile, NewFile, Table, TableError,
    commit::{attach, is_conflict},
    log::TOKEN_KEY,
    write::FILE_ROWS,
};
use deltalake::{
    kernel::{Action, transaction::CommitProperties},
    protocol::DeltaOperation,
};
use futures::TryStreamExt as _;
use std::collections::BTreeMap;

/// A file with fewer rows is small: two of them fit into one that is whole.
const SMALL_ROWS: u64 = FILE_ROWS / 2;
/// A file with more bytes is not small, however few rows it has.
const SMALL_BYTES: u64 = 64 << 20;

/// What a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Files that were replaced.
    pub files_before: usize,
    /// Files that replace them.
    pub files_after: usize,
    /// Rows in them.
    pub rows: u64,
    /// Delta version that the commit made.
    pub version: i64,
}

impl Table {
    /// Rewrites the small files of each partition that has more than `small_files_max` of them; `None` when there is none, and when
    /// another commit came first: the files are there for the next time.
    ///
    /// # Errors
    /// When a file cannot be read or written, the store fails, or the rows that were written are not those that were read.
    pub async fn compact(&mut self, small_files_max: usize) -> anyhow::Result<Option<Compacted>> {
        let remove = small(self.files(), &self.spec().partition_columns, small_files_max);
        if remove.is_empty() {
            return Ok(None);
        }
        let add = self.rewritten(&remove).await?;
        let (rows, written) = (self.standing(&remove)?, self.arriving(&add)?);
        if rows != written {
            let (table, before, after) = (self.spec().name.clone(), rows, written);
            return Err(attach(TableError::Proof { table, before, inserted: 0, removed: 0, after }));
        }
        let done = Compacted { files_before: remove.len(), files_after: add.len(), rows, version: self.version() + 1 };
        let mut actions = self.removes(&remove, false).map_err(attach)?;
        actions.extend(add.into_iter().map(|mut file| {
            file.add.data_change = false;
            Action::Add(file.add)
        }));
        let token = uuid::Uuid::new_v4().to_string();
        let properties = CommitProperties::default().with_metadata([(TOKEN_KEY.to_owned(), token.into())]);
        // What readers of the history show; a file is cut by rows, so there is no size to aim at.
        let operation = DeltaOperation::Optimize { predicate: None, target_size: 0 };
        match self.write_entry(actions, properties, operation).await {
            Ok(()) => {
                self.reload().await.map_err(attach)?;
                Ok(Some(done))
            }
            Err(error) if is_conflict(&error) => {
                self.reload().await.map_err(attach)?;
                Ok(None)
            }
            Err(error) => Err(attach(error)),
        }
    }

    /// Writes the rows of some files to new ones, batch by batch.
    async fn rewritten(&self, files: &[DataFile]) -> anyhow::Result<Vec<NewFile>> {
        let mut writer = self.writer();
        let mut batches = self.scan(files.to_vec(), None);
        while let Some(batch) = batches.try_next().await.map_err(attach)? {
            writer.write(&batch).await.map_err(attach)?;
        }
        writer.finish().await.map_err(attach)
    }
}

/// The small files of the partitions that have too many.
fn small(files: &[DataFile], partition_columns: &[String], small_files_max: usize) -> Vec<DataFile> {
    let mut partitions: BTreeMap<Vec<Option<&str>>, Vec<&DataFile>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.rows < SMALL_ROWS && file.bytes < SMALL_BYTES) {
        let partition = partition_columns.iter().map(|column| file.partition_value(column)).collect();
        partitions.entry(partition).or_default().push(file);
    }
    partitions.into_values().filter(|files| files.len() > small_files_max).flatten().cloned().collect()
}
