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
/// Rows that are written again at once: a stream lands nothing meanwhile, and a program that is ended before begins anew.
const ROWS_MAX: u64 = 8 * FILE_ROWS;
/// Bytes likewise: what becomes one row group is held in memory.
const BYTES_MAX: u64 = 8 * SMALL_BYTES;

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
    /// Whether a partition has more than `small_files_max` small files.
    #[must_use]
    pub fn is_scattered(&self, small_files_max: usize) -> bool {
        !small(self.files(), &self.spec().partition_columns, small_files_max).is_empty()
    }

    /// Rewrites the small files of each partition that has more than `small_files_max` of them; `None` when there is none, and when
    /// another commit came first: the files are there for the next time. So are those that are too much for one time.
    ///
    /// # Errors
    /// When a file cannot be read or written, the store fails, or the rows that were written are not those that were read.
    pub async fn compact(&mut self, small_files_max: usize) -> anyhow::Result<Option<Compacted>> {
        let remove = bounded(small(self.files(), &self.spec().partition_columns, small_files_max));
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
        let properties = CommitProperties::default().with_metadata([(TOKEN_KEY.to_owned(), token.as_str().into())]);
        // What readers of the history show; a file is cut by rows, so there is no size to aim at.
        let operation = DeltaOperation::Optimize { predicate: None, target_size: 0 };
        let mut committed = self.write_entry(actions, properties, operation).await;
        // After an error the entry may stand all the same, as in `Table::commit`.
        if committed.is_err() && self.own_entry(&token).await.is_some() {
            committed = Ok(());
        }
        match committed {
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
    let many = partitions.into_values().filter(|files| files.len() > small_files_max);
    many.flat_map(smallest_first).cloned().collect()
}

fn smallest_first(mut files: Vec<&DataFile>) -> Vec<&DataFile> {
    files.sort_by_key(|file| file.rows);
    files
}

/// As many of some small files as one compaction may rewrite. A few fit in any case.
fn bounded(files: Vec<DataFile>) -> Vec<DataFile> {
    let (mut rows, mut bytes) = (0, 0);
    let fits = |file: &DataFile| {
        rows += file.rows;
        bytes += file.bytes;
        rows <= ROWS_MAX && bytes <= BYTES_MAX
    };
    files.into_iter().take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deltalake::kernel::Add;

    /// Files of the same size and number of rows, from a number on.
    fn files(count: usize, rows: u64, bytes: u64) -> Vec<DataFile> {
        let add = |number: usize| Add {
            path: format!("{rows}-{number}"),
            size: i64::try_from(bytes).unwrap(),
            stats: Some(serde_json::json!({ "numRecords": rows }).to_string()),
            ..Add::default()
        };
        (0..count).map(|number| DataFile::of(add(number))).collect()
    }

    #[test]
    fn one_compaction_rewrites_a_bounded_part_and_the_smallest_files_first() {
        let mut all = files(40, 100_000, 1 << 20);
        all.extend(files(100, 1_000, 1 << 20));
        let chosen = bounded(small(&all, &[], 32));
        let of_rows = |rows| chosen.iter().filter(|file| file.rows == rows).count();
        assert_eq!((of_rows(1_000), of_rows(100_000), chosen.len()), (100, 19, 119));
        assert!(chosen.iter().map(|file| file.rows).sum::<u64>() <= ROWS_MAX);
        assert_eq!(bounded(small(&files(5_000, 10, 60 << 20), &[], 32)).len(), 8, "by bytes");
        assert_eq!(bounded(small(&files(33, 25_000, 5 << 20), &[], 32)).len(), 33, "an ordinary stream's fit at once");
        assert!(small(&files(33, SMALL_ROWS, 1), &[], 32).is_empty() && small(&files(33, 1, SMALL_BYTES), &[], 32).is_empty());
        // Two small files fit into one that is whole, so each compaction leaves fewer.
        assert!(bounded(files(40, SMALL_ROWS - 1, SMALL_BYTES - 1)).len() >= 2);
    }
}
