//! Reads the log's own entries: what each commit added, and the summary that it carries.

use crate::{DataFile, Table, TableError};
use deltalake::kernel::{Action, Add};
use lake_core::Summary;
use std::collections::BTreeMap;

/// Key of `commitInfo` under which a commit carries its summary.
pub(crate) const SUMMARY_KEY: &str = "sluice";

/// One commit.
#[derive(Debug, Clone)]
pub struct CommitEntry {
    /// Delta version.
    pub version: i64,
    /// The summary that it carries; absent on the commit that created the table.
    pub summary: Option<Summary>,
    /// Rows in the files that it adds.
    pub added: u64,
    /// Files that it adds with `dataChange`.
    pub files: Vec<DataFile>,
    /// Whether it removes rows.
    pub removes_rows: bool,
    /// Transactions.
    pub txns: BTreeMap<String, i64>,
}

/// What a range of versions added.
#[derive(Debug, Clone, Default)]
pub struct Slice {
    /// Files, in the order of their versions.
    pub files: Vec<SliceFile>,
    /// Whether some version in the range removes rows: then the files alone do not tell the change.
    pub removes_rows: bool,
}

/// A file of a slice.
#[derive(Debug, Clone)]
pub struct SliceFile {
    /// Version that added it.
    pub version: i64,
    /// The file.
    pub file: DataFile,
}

impl Table {
    /// Returns the files that versions `(after, upto]` added with `dataChange`.
    ///
    /// # Errors
    /// When a log entry of the range is gone or broken.
    pub async fn slice(&self, after: Option<i64>, upto: i64) -> Result<Slice, TableError> {
        let mut slice = Slice::default();
        for version in after.map_or(0, |v| v + 1)..=upto {
            let entry = self.entry(version).await?;
            slice.removes_rows |= entry.removes_rows;
            slice.files.extend(entry.files.into_iter().map(|file| SliceFile { version, file }));
        }
        Ok(slice)
    }

    /// Returns all commits after a version, up to this table's version.
    ///
    /// # Errors
    /// When a log entry is gone or broken.
    pub async fn commits(&self, after: Option<i64>) -> Result<Vec<CommitEntry>, TableError> {
        let mut entries = Vec::new();
        for version in after.map_or(0, |v| v + 1)..=self.version() {
            entries.push(self.entry(version).await?);
        }
        Ok(entries)
    }

    /// Returns the newest commit that carries a transaction of an application.
    ///
    /// # Errors
    /// When a log entry is gone or broken.
    pub async fn commit_of(&self, application: &str) -> Result<Option<CommitEntry>, TableError> {
        for version in (0..=self.version()).rev() {
            let entry = self.entry(version).await?;
            if entry.txns.contains_key(application) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Returns the newest commit that carries a summary.
    ///
    /// # Errors
    /// When a log entry is gone or broken.
    pub async fn last_summary(&self) -> Result<Option<Summary>, TableError> {
        for version in (0..=self.version()).rev() {
            if let Some(summary) = self.entry(version).await?.summary {
                return Ok(Some(summary));
            }
        }
        Ok(None)
    }

    /// Returns the last transaction of every application, as of this version.
    ///
    /// # Errors
    /// When a log entry is gone or broken.
    pub async fn txns(&self) -> Result<BTreeMap<String, i64>, TableError> {
        let mut all = BTreeMap::new();
        for entry in self.commits(None).await? {
            all.extend(entry.txns);
        }
        Ok(all)
    }

    async fn entry(&self, version: i64) -> Result<CommitEntry, TableError> {
        let broken = |problem: String| TableError::Log { table: self.spec().name.clone(), version, problem };
        let number = u64::try_from(version).map_err(|e| broken(e.to_string()))?;
        let read = self.delta.log_store().read_commit_entry(number).await;
        let bytes = read.map_err(|e| TableError::delta("read the log of", &self.spec().name, e))?;
        let bytes = bytes.ok_or_else(|| broken("the entry is gone; run the reader with --full-refresh".into()))?;
        let mut entry =
            CommitEntry { version, summary: None, added: 0, files: Vec::new(), removes_rows: false, txns: BTreeMap::new() };
        for line in bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
            let action: Action =
                serde_json::from_slice(line).map_err(|e| broken(format!("not an action of the Delta protocol ({e})")))?;
            match action {
                Action::Add(add) if add.data_change => entry.add(add),
                Action::Remove(remove) if remove.data_change => entry.removes_rows = true,
                Action::Txn(txn) => drop(entry.txns.insert(txn.app_id, txn.version)),
                Action::CommitInfo(info) => {
                    entry.summary = info.info.get(SUMMARY_KEY).and_then(|value| serde_json::from_value(value.clone()).ok());
                }
                _ => {}
            }
        }
        Ok(entry)
    }
}

impl CommitEntry {
    fn add(&mut self, add: Add) {
        let file = DataFile::of(add);
        self.added += file.rows;
        self.files.push(file);
    }
}
