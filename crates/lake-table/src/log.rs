//! Reads the log's own entries: what each commit added, and the summary that it carries.

use crate::{DataFile, Table, TableError, obstacle::store_failed};
use deltalake::{
    DeltaTable, DeltaTableError, ObjectMeta, Path,
    kernel::{Action, Add, CommitInfo},
    table::config::TablePropertiesExt as _,
};
use futures::TryStreamExt as _;
use lake_core::Summary;
use serde_json::error::Category;
use std::collections::{BTreeMap, HashSet};

/// Log entries that are asked for at the same time: a stream's day has tens of thousands, each a request of some 20 ms.
const ENTRIES_AT_ONCE: usize = 64;

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
    /// Paths of the files that it removes without a row: their rows stand in other files now.
    pub rewritten: Vec<String>,
    /// Paths of those other files.
    into: Vec<String>,
    /// Paths of the files that it removes with their rows.
    taken: Vec<String>,
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
    /// Paths of the files that the range put into other files without a change of rows, and whose rows stand there still; they
    /// can be read.
    pub rewritten: HashSet<String>,
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
        let (mut moves, mut taken) = (Vec::new(), HashSet::new());
        for version in after.map_or(0, |v| v + 1)..=upto {
            let entry = self.entry(version).await?;
            slice.removes_rows |= entry.removes_rows;
            if entry.removes_rows || !entry.files.is_empty() {
                slice.changed = Some(version);
            }
            moves.push((entry.rewritten, entry.into));
            taken.extend(entry.taken);
            slice.files.extend(entry.files.into_iter().map(|file| SliceFile { version, file }));
        }
        slice.rewritten = still_there(moves, taken);
        Ok(slice)
    }

    /// Returns all commits after a version, up to this table's version.
    ///
    /// # Errors
    /// When a log entry is gone or broken.
    pub async fn commits(&self, after: Option<i64>) -> Result<Vec<CommitEntry>, TableError> {
        let versions: Vec<i64> = (after.map_or(0, |v| v + 1)..=self.version()).collect();
        let mut entries = Vec::with_capacity(versions.len());
        for some in versions.chunks(ENTRIES_AT_ONCE) {
            entries.extend(futures::future::try_join_all(some.iter().map(|version| self.entry(*version))).await?);
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
    pub(crate) async fn own_commit(&self, token: &str) -> Option<Summary> {
        serde_json::from_value(self.own_entry(token).await?.info.get(SUMMARY_KEY)?.clone()).ok()
    }

    /// Returns what the next version says of itself when that is the commit with this token.
    ///
    /// A store that answers late or with an error may have written the entry all the same; a second try then meets it.
    pub(crate) async fn own_entry(&self, token: &str) -> Option<CommitInfo> {
        let bytes = self.delta.log_store().read_commit_entry(u64::try_from(self.version()).ok()? + 1).await.ok()??;
        actions(&bytes).flatten().find_map(|action| match action {
            Action::CommitInfo(info) if info.info.get(TOKEN_KEY).and_then(|value| value.as_str()) == Some(token) => Some(info),
            _ => None,
        })
    }
}

/// Of files that were put into others, in the order of the log: those whose rows nobody has taken out of the others since.
///
/// Who takes some rows out of a file adds the rest of it anew: with the file that it was made from, these would count twice.
fn still_there(moves: Vec<(Vec<String>, Vec<String>)>, mut taken: HashSet<String>) -> HashSet<String> {
    let mut there = HashSet::new();
    for (from, into) in moves.into_iter().rev() {
        if into.iter().any(|path| taken.contains(path)) {
            taken.extend(from);
        } else {
            there.extend(from);
        }
    }
    there
}

fn actions(bytes: &[u8]) -> impl Iterator<Item = serde_json::Result<Action>> {
    bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(serde_json::from_slice)
}

async fn read_entry(delta: &DeltaTable, table: &str, version: i64) -> Result<CommitEntry, TableError> {
    let gone = || {
        let problem = "the entry is gone; run the reader with --full-refresh".to_owned();
        TableError::Log { table: table.to_owned(), version, problem }
    };
    let number = u64::try_from(version).map_err(|_| gone())?;
    let read = delta.log_store().read_commit_entry(number).await;
    let bytes = read.map_err(|e| TableError::delta("read the log of", table, e))?.ok_or_else(gone)?;
    parse_entry(&bytes, version).map_err(|problem| broken(delta, table, version, &problem))
}

/// Returns what an entry says, or what is wrong with it. No text of the entry goes into the error: it may hold personal data.
fn parse_entry(bytes: &[u8], version: i64) -> Result<CommitEntry, String> {
    let mut entry = CommitEntry {
        version,
        summary: None,
        added: 0,
        files: Vec::new(),
        removes_rows: false,
        rewritten: Vec::new(),
        into: Vec::new(),
        taken: Vec::new(),
        txns: BTreeMap::new(),
    };
    let mut lines = 0;
    for action in actions(bytes) {
        lines += 1;
        match action.map_err(|error| format!("is broken: line {lines} {}", fault_of(&error)))? {
            Action::Add(add) if add.data_change => entry.add(add),
            Action::Add(add) => entry.into.push(add.path),
            Action::Remove(remove) if remove.data_change => {
                entry.removes_rows = true;
                entry.taken.push(remove.path);
            }
            Action::Remove(remove) => entry.rewritten.push(remove.path),
            Action::Txn(txn) => drop(entry.txns.insert(txn.app_id, txn.version)),
            Action::CommitInfo(info) => {
                let summary = info.info.get(SUMMARY_KEY).map(|value| serde_json::from_value(value.clone()));
                entry.summary = summary.transpose().map_err(|_| "is broken: its summary cannot be read")?;
            }
            _ => {}
        }
    }
    if lines == 0 { Err("is broken: it is empty".to_owned()) } else { Ok(entry) }
}

fn fault_of(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        Category::Eof => "is cut off",
        Category::Syntax | Category::Io => "is no JSON",
        Category::Data => "is not an action of the Delta protocol",
    }
}

/// The error that names an entry's file.
fn broken(delta: &DeltaTable, table: &str, version: i64, problem: &str) -> TableError {
    let file = address(delta, &format!("_delta_log/{version:020}.json"));
    TableError::Entry { table: table.to_owned(), version, file, problem: problem.to_owned() }
}

/// Returns where a file of a table stands, as a person would look for it.
fn address(delta: &DeltaTable, path: &str) -> String {
    let log_store = delta.log_store();
    let root = log_store.root_url();
    match root.to_file_path() {
        Ok(directory) => format!("`{}`", directory.join(path).display()),
        Err(()) => format!("`{}/{path}`", root.as_str().trim_end_matches('/')),
    }
}

/// Returns the error that names the broken or missing file of a log that cannot be loaded, if there is one.
///
/// delta-rs says neither the file nor the version.
pub(crate) async fn broken_log(delta: &DeltaTable, table: &str, error: DeltaTableError) -> TableError {
    let listed: Result<Vec<_>, _> = delta.object_store().list(Some(&Path::from("_delta_log"))).try_collect().await;
    let Ok(listed) = listed else { return TableError::delta("open", table, error) };
    let names: Vec<&str> = listed.iter().filter_map(|meta| meta.location.filename()).collect();
    let checkpoint = names.iter().copied().filter(|name| name.ends_with(".parquet") && name.contains(".checkpoint.")).max();
    let first = checkpoint.and_then(version_of).map_or(0, |version| version + 1);
    let newest = names.iter().filter(|name| name.ends_with(".json")).filter_map(|name| version_of(name)).max();
    for version in first..=newest.unwrap_or(-1) {
        match read_entry(delta, table, version).await {
            Err(TableError::Log { .. }) => return broken(delta, table, version, "is gone"),
            Err(entry @ TableError::Entry { .. }) => return entry,
            _ => {}
        }
    }
    match checkpoint {
        Some(name) if !store_failed(&error) => {
            let file = address(delta, &format!("_delta_log/{name}"));
            TableError::Checkpoint { table: table.to_owned(), file, source: Box::new(error) }
        }
        _ => TableError::delta("open", table, error),
    }
}

/// Refuses a table of which a live entry is empty, as a machine that lost its power leaves it: the kernel takes it for a commit
/// that did nothing, and its rows would be gone without a word.
pub(crate) async fn no_empty_entry(delta: &DeltaTable, table: &str) -> Result<(), TableError> {
    let newest = delta.version().map_or(0, |version| i64::try_from(version).unwrap_or(i64::MAX));
    // What a checkpoint covers is not read any more; of the other entries there is never more than one page.
    let interval = delta.snapshot().map_err(|e| TableError::delta("open", table, e))?.table_config().checkpoint_interval();
    let interval = i64::try_from(interval.get()).unwrap_or(i64::MAX);
    let covered = Path::from(format!("_delta_log/{:020}.checkpoint", newest - newest % interval));
    let store = delta.object_store();
    let entries = store.list_with_offset(Some(&Path::from("_delta_log")), &covered);
    let entries: Vec<_> = entries.try_collect().await.map_err(|e| TableError::delta("read the log of", table, e.into()))?;
    let empty = |meta: &&ObjectMeta| meta.size == 0 && meta.location.filename().is_some_and(|name| name.ends_with(".json"));
    let empty = entries.iter().find(empty).and_then(|meta| version_of(meta.location.filename()?));
    match empty.filter(|version| *version <= newest) {
        Some(version) => Err(broken(delta, table, version, "is broken: it is empty")),
        None => Ok(()),
    }
}

/// Version in the name of a log's file.
fn version_of(name: &str) -> Option<i64> {
    name.split('.').next()?.parse().ok()
}

impl CommitEntry {
    fn add(&mut self, add: Add) {
        let file = DataFile::of(add);
        self.added += file.rows;
        self.files.push(file);
    }
}
