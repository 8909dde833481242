//! Reads the log's own entries: what each commit added, and the summary that it carries.

use crate::{DataFile, Table, TableError};
use deltalake::{
    DeltaTable, Path,
    kernel::{Action, Add},
};
use futures::TryStreamExt as _;
use lake_core::Summary;
use std::collections::BTreeMap;

/// Key of `commitInfo` under which a commit carries its summary.
pub(crate) const SUMMARY_KEY: &str = "sluice";
/// Key of `commitInfo` under which a commit carries what tells it from all others.
pub(crate) const TOKEN_KEY: &str = "sluiceCommit";

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
    /// The last version in the range that adds or removes rows.
    pub changed: Option<i64>,
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
            if entry.removes_rows || !entry.files.is_empty() {
                slice.changed = Some(version);
            }
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
        read_entry(&self.delta, &self.spec().name, version).await
    }

    /// Returns the summary of the next version when that is the commit with this token.
    ///
    /// A store that answers late or with an error may have written the entry all the same; a second try then meets it.
    pub(crate) async fn own_commit(&self, token: &str) -> Option<Summary> {
        let bytes = self.delta.log_store().read_commit_entry(u64::try_from(self.version()).ok()? + 1).await.ok()??;
        actions(&bytes).flatten().find_map(|action| match action {
            Action::CommitInfo(info) if info.info.get(TOKEN_KEY).and_then(|value| value.as_str()) == Some(token) => {
                serde_json::from_value(info.info.get(SUMMARY_KEY)?.clone()).ok()
            }
            _ => None,
        })
    }
}

fn actions(bytes: &[u8]) -> impl Iterator<Item = serde_json::Result<Action>> {
    bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(serde_json::from_slice)
}

async fn read_entry(delta: &DeltaTable, table: &str, version: i64) -> Result<CommitEntry, TableError> {
    let broken = |problem: String| TableError::Log { table: table.to_owned(), version, problem };
    let number = u64::try_from(version).map_err(|e| broken(e.to_string()))?;
    let read = delta.log_store().read_commit_entry(number).await;
    let bytes = read.map_err(|e| TableError::delta("read the log of", table, e))?;
    let bytes = bytes.ok_or_else(|| broken("the entry is gone; run the reader with --full-refresh".into()))?;
    let mut entry =
        CommitEntry { version, summary: None, added: 0, files: Vec::new(), removes_rows: false, txns: BTreeMap::new() };
    for action in actions(&bytes) {
        match action.map_err(|e| broken(format!("not an action of the Delta protocol ({e})")))? {
            Action::Add(add) if add.data_change => entry.add(add),
            Action::Remove(remove) if remove.data_change => entry.removes_rows = true,
            Action::Txn(txn) => drop(entry.txns.insert(txn.app_id, txn.version)),
            Action::CommitInfo(info) => {
                let summary = info.info.get(SUMMARY_KEY).map(|value| serde_json::from_value(value.clone()));
                entry.summary = summary.transpose().map_err(|e| broken(format!("its summary cannot be read ({e})")))?;
            }
            _ => {}
        }
    }
    Ok(entry)
}

/// Returns the error that names the broken or missing entry of a log that cannot be loaded, if there is one.
///
/// delta-rs says neither the file nor the version.
pub(crate) async fn broken_entry(delta: &DeltaTable, table: &str) -> Option<TableError> {
    let listed: Vec<_> = delta.object_store().list(Some(&Path::from("_delta_log"))).try_collect().await.ok()?;
    let version = |name: &str| name.strip_suffix(".json").and_then(|digits| digits.parse::<i64>().ok());
    let versions: Vec<i64> = listed.iter().filter_map(|meta| version(meta.location.filename()?)).collect();
    for version in *versions.iter().min()?..=*versions.iter().max()? {
        if let Err(error @ TableError::Log { .. }) = read_entry(delta, table, version).await {
            return Some(error);
        }
    }
    None
}

impl CommitEntry {
    fn add(&mut self, add: Add) {
        let file = DataFile::of(add);
        self.added += file.rows;
        self.files.push(file);
    }
}
