//! `ops/runs` and `ops/ledger`: what the commits of all tables say of themselves, as two tables that people can query.
//!
//! The proof is the summary in each commit; these tables only repeat it, after it, and can be deleted and made again. Per
//! source table the transaction (its Delta id, the last version that is in) says how far they are, so that running again
//! adds nothing and a run that died before this point is made up for by the next.

use anyhow::Context as _;
use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use lake_core::{
    Contract, Ledger, RunId, Summary, Window,
    contract::{ContractSet, Layer},
    summary,
};
use lake_edge::Attach as _;
use lake_table::{CommitEntry, Lake, Plan, Proposal, Table, TableSpec};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

/// Tables that are opened at the same time: there are some seventy, and each takes a few requests one after another.
const OPENED_AT_ONCE: usize = 8;

/// Who writes the projections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Author {
    /// Id of the whole run.
    pub(crate) run_id: RunId,
    /// Attempt of the whole run.
    pub(crate) attempt: u32,
    /// Its window.
    pub(crate) window: Window,
}

/// Rows that were added to the projections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Added {
    /// To `ops/runs`.
    pub(crate) runs: u64,
    /// To `ops/ledger`.
    pub(crate) ledger: u64,
}

/// One commit that carries a summary.
struct Entry {
    table: String,
    version: i64,
    added: u64,
    summary: Summary,
}

/// Brings both tables up to the newest commits of all others.
pub(crate) async fn write(lake: &Lake, contracts: &ContractSet, author: Author) -> anyhow::Result<Added> {
    let all: Vec<TableSpec> = contracts.iter().flat_map(specs).collect();
    let opened = stream::iter(all.iter().map(|spec| Table::open(lake, spec))).buffered(OPENED_AT_ONCE);
    let opened: Vec<Option<Table>> = opened.try_collect().await.attach()?;
    let sources: Vec<Table> = opened.into_iter().flatten().collect();
    let runs = project(lake, &sources, author, &runs_spec(), runs_batch).await.context("failed to write ops/runs")?;
    let ledger = project(lake, &sources, author, &ledger_spec(), ledger_batch).await.context("failed to write ops/ledger")?;
    Ok(Added { runs, ledger })
}

/// The table of runs.
pub(crate) fn runs_spec() -> TableSpec {
    TableSpec::ops("runs", runs_schema())
}

/// The table of row counts.
pub(crate) fn ledger_spec() -> TableSpec {
    TableSpec::ops("ledger", ledger_schema())
}

/// The table of a contract and what its rows may be put aside in.
fn specs(contract: &Contract) -> Vec<TableSpec> {
    let mut specs = vec![TableSpec::of(contract)];
    if !matches!(contract.layer, Layer::Bronze(_)) {
        specs.extend([TableSpec::quarantine(contract), TableSpec::held(contract)]);
    }
    specs
}

async fn project(
    lake: &Lake,
    sources: &[Table],
    author: Author,
    spec: &TableSpec,
    batch: fn(SchemaRef, &[Entry]) -> anyhow::Result<RecordBatch>,
) -> anyhow::Result<u64> {
    let mut target = Table::open_or_create(lake, spec).await.attach()?;
    let done = target
        .commit(async |table: &Table| {
            let known = table.txns().await.attach()?;
            let (entries, txns) = unseen(sources, &known).await?;
            let mut summary = own_summary(author, table, entries.len());
            if txns.is_empty() {
                return Ok(Plan::Done(summary));
            }
            summary.outcome = summary::Outcome::Committed;
            let mut writer = table.writer();
            if !entries.is_empty() {
                writer.write(&batch(spec.schema.clone(), &entries)?).await.attach()?;
            }
            let inserted = writer.rows();
            let add = writer.finish().await.attach()?;
            Ok(Plan::Commit(Proposal { add, remove: Vec::new(), txns, inserted, removed: 0, summary }))
        })
        .await?;
    Ok(done.ledger.accepted)
}

/// Returns the commits that are not in yet, and per source how far they reach.
async fn unseen(sources: &[Table], known: &BTreeMap<String, i64>) -> anyhow::Result<(Vec<Entry>, Vec<(String, i64)>)> {
    let (mut entries, mut txns) = (Vec::new(), Vec::new());
    for source in sources {
        let after = known.get(source.id()).copied();
        if after.is_some_and(|after| after >= source.version()) {
            continue;
        }
        let commits = source.commits(after).await.attach()?;
        let table = &source.spec().name;
        let with_summary = commits.into_iter().filter_map(|commit| {
            let CommitEntry { version, summary, added, .. } = commit;
            Some(Entry { table: table.clone(), version, added, summary: summary? })
        });
        entries.extend(with_summary);
        txns.push((source.id().to_owned(), source.version()));
    }
    entries.sort_by(|a, b| (&a.table, a.version).cmp(&(&b.table, b.version)));
    Ok((entries, txns))
}

pub(crate) fn own_summary(author: Author, table: &Table, rows: usize) -> Summary {
    let rows = u64::try_from(rows).unwrap_or(u64::MAX);
    Summary {
        attempt: author.attempt,
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        ledger: Ledger { read: rows, accepted: rows, ..Ledger::default() },
        ..Summary::begun(author.run_id, crate::PROGRAM, &table.spec().name, author.window)
    }
}

/// A bucket of the ledger by its name.
type Count = (&'static str, fn(&Ledger) -> u64);

const COUNTS: [Count; 7] = [
    ("read", |ledger| ledger.read),
    ("accepted", |ledger| ledger.accepted),
    ("quarantined", |ledger| ledger.quarantined),
    ("duplicate", |ledger| ledger.duplicate),
    ("superseded", |ledger| ledger.superseded),
    ("filtered", |ledger| ledger.filtered),
    ("held", |ledger| ledger.held),
];

fn common_fields() -> Vec<Field> {
    let instant = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    vec![
        Field::new("table", DataType::Utf8, true),
        Field::new("version", DataType::Int64, true),
        Field::new("run_id", DataType::Utf8, true),
        Field::new("program", DataType::Utf8, true),
        Field::new("window_from", instant(), true),
        Field::new("window_to", instant(), true),
    ]
}

fn ledger_schema() -> SchemaRef {
    let mut fields = common_fields();
    fields.extend(COUNTS.map(|(name, _)| Field::new(name, DataType::Int64, true)));
    Arc::new(Schema::new(fields))
}

const RUN_TEXTS: [&str; 5] = ["program_version", "contract", "contract_hash", "inputs", "facts"];
const RUN_NUMBERS: [&str; 5] = ["attempt", "rows_added", "bytes_written", "duration_ms", "peak_rss_bytes"];

fn runs_schema() -> SchemaRef {
    let mut fields = common_fields();
    fields.extend(RUN_TEXTS.map(|name| Field::new(name, DataType::Utf8, true)));
    fields.extend(RUN_NUMBERS.map(|name| Field::new(name, DataType::Int64, true)));
    Arc::new(Schema::new(fields))
}

fn texts(entries: &[Entry], of: impl Fn(&Entry) -> String) -> ArrayRef {
    Arc::new(entries.iter().map(|entry| Some(of(entry))).collect::<StringArray>())
}

fn numbers(entries: &[Entry], of: impl Fn(&Entry) -> u64) -> ArrayRef {
    Arc::new(entries.iter().map(|entry| i64::try_from(of(entry)).ok()).collect::<Int64Array>())
}

fn instants(entries: &[Entry], of: impl Fn(&Entry) -> chrono::DateTime<chrono::Utc>) -> ArrayRef {
    let micros: TimestampMicrosecondArray = entries.iter().map(|entry| Some(of(entry).timestamp_micros())).collect();
    Arc::new(micros.with_timezone("UTC"))
}

fn common_columns(entries: &[Entry]) -> Vec<ArrayRef> {
    vec![
        texts(entries, |entry| entry.table.clone()),
        Arc::new(entries.iter().map(|entry| Some(entry.version)).collect::<Int64Array>()),
        texts(entries, |entry| entry.summary.run_id.to_string()),
        texts(entries, |entry| entry.summary.program.clone()),
        instants(entries, |entry| entry.summary.window.from()),
        instants(entries, |entry| entry.summary.window.to()),
    ]
}

fn ledger_batch(schema: SchemaRef, entries: &[Entry]) -> anyhow::Result<RecordBatch> {
    let mut columns = common_columns(entries);
    columns.extend(COUNTS.map(|(_, of)| numbers(entries, |entry| of(&entry.summary.ledger))));
    RecordBatch::try_new(schema, columns).context("failed to build the rows")
}

fn runs_batch(schema: SchemaRef, entries: &[Entry]) -> anyhow::Result<RecordBatch> {
    let json = |value: serde_json::Result<String>| value.unwrap_or_default();
    let mut columns = common_columns(entries);
    columns.extend([
        texts(entries, |entry| entry.summary.program_version.clone()),
        texts(entries, |entry| entry.summary.contract.clone()),
        texts(entries, |entry| entry.summary.contract_hash.clone()),
        texts(entries, |entry| json(serde_json::to_string(&entry.summary.inputs))),
        texts(entries, |entry| json(serde_json::to_string(&entry.summary.facts))),
        numbers(entries, |entry| entry.summary.attempt.into()),
        numbers(entries, |entry| entry.added),
        numbers(entries, |entry| entry.summary.bytes_written),
        numbers(entries, |entry| entry.summary.duration_ms),
        numbers(entries, |entry| entry.summary.peak_rss_bytes),
    ]);
    RecordBatch::try_new(schema, columns).context("failed to build the rows")
}
