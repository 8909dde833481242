//! What the commit protocol promises, on a directory or, when `SLUICE_TEST_LAKE` names one, on a bucket (`ci/s3`).

mod compaction;
mod conflicts;
mod log;
mod personal;
mod processes;
mod reading;
mod refusals;
mod staging;
mod unreliable;
mod writing;

use crate::{DataFile, Lake, NewFile, Plan, Proposal, Table, TableError, TableSpec};
use arrow::{
    array::{Array as _, AsArray as _, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Int64Type, Schema},
};
use lake_core::{Fault, Ledger, RunId, Summary, summary::Outcome};
use std::{collections::BTreeMap, sync::Arc};

/// A lake of one test's own.
struct World {
    lake: Lake,
    uri: String,
    directory: tempfile::TempDir,
}

#[expect(clippy::disallowed_methods, reason = "the same tests run on the bucket that `ci/s3 up` exports")]
fn bucket() -> Option<String> {
    std::env::var("SLUICE_TEST_LAKE").ok()
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let uri = match bucket() {
            Some(prefix) => format!("{}/{}", prefix.trim_end_matches('/'), uuid::Uuid::new_v4()),
            None => directory.path().join("lake").display().to_string(),
        };
        Self { lake: Lake::open(&uri).unwrap(), uri, directory }
    }

    async fn table(&self, spec: &TableSpec) -> Table {
        Table::open_or_create(&self.lake, spec).await.unwrap()
    }

    /// A table of sales that holds some rows in one file, at version 1.
    async fn sales(&self, rows: &[(i64, i64)]) -> Table {
        let mut table = self.table(&sales()).await;
        commit(&mut table, &Work::append("seed", 1, rows)).await.unwrap();
        table
    }
}

/// The table that most tests write to.
fn sales() -> TableSpec {
    let column = |name: &str, kind| Field::new(name, kind, true);
    let columns = vec![column("id", DataType::Int64), column("owner", DataType::Utf8), column("amount", DataType::Int64)];
    TableSpec {
        name: "silver_sales".into(),
        location: "silver/sales".into(),
        schema: Arc::new(Schema::new(columns)),
        partition_columns: Vec::new(),
        statistics: vec!["id".into()],
        checkpoint_interval: None,
    }
}

fn batch(rows: &[(i64, i64)]) -> RecordBatch {
    let ids = Int64Array::from_iter_values(rows.iter().map(|row| row.0));
    let owners = StringArray::from_iter_values(rows.iter().map(|row| format!("owner {}", row.0)));
    let amounts = Int64Array::from_iter_values(rows.iter().map(|row| row.1));
    RecordBatch::try_new(sales().schema, vec![Arc::new(ids), Arc::new(owners), Arc::new(amounts)]).unwrap()
}

async fn written(table: &Table, batch: &RecordBatch) -> Vec<NewFile> {
    let mut writer = table.writer();
    writer.write(batch).await.unwrap();
    writer.finish().await.unwrap()
}

fn summary(rows: u64) -> Summary {
    Summary {
        inputs: BTreeMap::from([("bronze_sales".to_owned(), 7)]),
        ledger: Ledger { read: rows, accepted: rows, ..Ledger::default() },
        contract: "silver_sales@1.0.0".into(),
        contract_hash: "ab".repeat(32),
        duration_ms: 12,
        peak_rss_bytes: 34,
        facts: BTreeMap::from([("net".to_owned(), serde_json::json!({"sum": "12345678901234567890.12"}))]),
        ..Summary::begun(RunId(uuid::Uuid::new_v4()), "test", "silver_sales", "2017-12-30".parse().unwrap())
    }
}

fn done(outcome: Outcome) -> Plan {
    Plan::Done(Summary { outcome, ..summary(0) })
}

/// A proposal that only adds rows.
fn addition(add: Vec<NewFile>, txns: &[(&str, i64)]) -> Proposal {
    let rows = add.iter().map(|file| file.rows).sum();
    let txns = txns.iter().map(|(app, version)| ((*app).to_owned(), *version)).collect();
    Proposal { add, remove: Vec::new(), txns, inserted: rows, removed: 0, summary: summary(rows) }
}

/// A piece of work as programs do it: planned at one snapshot, and known by its progress.
#[derive(Debug, Clone)]
enum Work {
    /// Rows are added.
    Append { app: String, version: i64, rows: Vec<(i64, i64)> },
    /// Rows replace those with the same id; files that hold one are rewritten.
    Upsert { app: String, version: i64, rows: Vec<(i64, i64)> },
    /// All files become one, as compaction does it; there is no progress in it.
    Rewrite,
    /// All rows go.
    Clear { app: String, version: i64 },
}

impl Work {
    fn append(app: &str, version: i64, rows: &[(i64, i64)]) -> Self {
        Self::Append { app: app.into(), version, rows: rows.to_vec() }
    }

    fn upsert(app: &str, version: i64, rows: &[(i64, i64)]) -> Self {
        Self::Upsert { app: app.into(), version, rows: rows.to_vec() }
    }

    fn progress(&self) -> Option<(&str, i64)> {
        match self {
            Self::Append { app, version, .. } | Self::Upsert { app, version, .. } | Self::Clear { app, version } => {
                Some((app, *version))
            }
            Self::Rewrite => None,
        }
    }

    async fn plan(&self, table: &Table) -> anyhow::Result<Plan> {
        if let Some((app, version)) = self.progress()
            && table.txn(app).await?.is_some_and(|stored| stored >= version)
        {
            return Ok(done(Outcome::AlreadyDone));
        }
        let files = table.files().to_vec();
        let proposal = match self {
            Self::Append { rows, .. } => addition(written(table, &batch(rows)).await, &[]),
            Self::Upsert { rows, .. } => upsert(table, rows).await?,
            Self::Rewrite => rewrite(table, files, &[]).await?,
            Self::Clear { .. } => Proposal { remove: files, removed: table.rows(), ..addition(Vec::new(), &[]) },
        };
        let txns = self.progress().map(|(app, version)| (app.to_owned(), version)).into_iter().collect();
        Ok(Plan::Commit(Proposal { txns, ..proposal }))
    }
}

/// Rewrites files to hold their rows, with changes by id.
async fn rewrite(table: &Table, remove: Vec<DataFile>, changes: &[(i64, i64)]) -> anyhow::Result<Proposal> {
    let mut rows: BTreeMap<i64, i64> = BTreeMap::new();
    for file in &remove {
        rows.extend(pairs(&stream(table, vec![file.clone()], None).await?));
    }
    let before = rows.len() as u64;
    rows.extend(changes.iter().copied());
    let rows: Vec<(i64, i64)> = rows.into_iter().collect();
    let add = written(table, &batch(&rows)).await;
    let inserted = rows.len() as u64 - before;
    Ok(Proposal { remove, inserted, removed: 0, summary: summary(changes.len() as u64), ..addition(add, &[]) })
}

async fn upsert(table: &Table, rows: &[(i64, i64)]) -> anyhow::Result<Proposal> {
    let mut touched = Vec::new();
    for file in table.files() {
        let there = pairs(&stream(table, vec![file.clone()], None).await?);
        if there.iter().any(|(id, _)| rows.iter().any(|(wanted, _)| wanted == id)) {
            touched.push(file.clone());
        }
    }
    rewrite(table, touched, rows).await
}

async fn commit(table: &mut Table, work: &Work) -> anyhow::Result<Summary> {
    table.commit(async |table: &Table| work.plan(table).await).await
}

async fn stream(table: &Table, files: Vec<DataFile>, columns: Option<&[&str]>) -> Result<Vec<RecordBatch>, TableError> {
    use futures::TryStreamExt as _;
    let columns = columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    table.scan(files, columns).try_collect().await
}

fn pairs(batches: &[RecordBatch]) -> Vec<(i64, i64)> {
    let mut all = Vec::new();
    for batch in batches {
        let column = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().clone();
        let (ids, amounts) = (column("id"), column("amount"));
        let owners = batch.column_by_name("owner").unwrap().as_string::<i32>();
        for row in 0..batch.num_rows() {
            assert!(ids.is_valid(row) && amounts.is_valid(row));
            assert_eq!(owners.value(row), format!("owner {}", ids.value(row)));
            all.push((ids.value(row), amounts.value(row)));
        }
    }
    all
}

/// All rows of the newest version by id and amount, sorted, doubles included; also checks the log's own count.
async fn content(world: &World) -> Vec<(i64, i64)> {
    let table = Table::open(&world.lake, &sales()).await.unwrap().unwrap();
    let mut rows = pairs(&table.read(None).await.unwrap());
    rows.sort_unstable();
    assert_eq!(table.rows(), rows.len() as u64);
    rows
}

/// The table's own error and the fault of a refused commit.
fn refusal(error: &anyhow::Error) -> (&TableError, Fault) {
    (error.downcast_ref().unwrap_or_else(|| panic!("{error:?}")), *error.downcast_ref::<Fault>().unwrap())
}

/// An error with all its causes.
fn chain(error: &TableError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

async fn overwrite(table: &Table, path: &str, text: &str) {
    let path = format!("{}/{path}", table.spec().location);
    table.lake().put(&path, bytes::Bytes::from(text.to_owned())).await.unwrap();
}

async fn delete(table: &Table, path: &str) {
    use deltalake::logstore::object_store::ObjectStoreExt as _;
    table.delta.object_store().delete(&deltalake::Path::parse(path).unwrap()).await.unwrap();
}

fn entry_path(version: i64) -> String {
    format!("_delta_log/{version:020}.json")
}
