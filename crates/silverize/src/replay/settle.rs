//! Takes leftovers out that a replay has resolved.
//!
//! The commit of the data names them by the version, the files and the rows at which it read them. They are taken out afterwards,
//! wherever they stand by then: rows are found by all that they hold, the run that left them over included, so that a row that a
//! later rebuild left over again is not meant. The table of leftovers keeps the number of the last replay that was settled.

use crate::quarantine::Cut;
use anyhow::Context as _;
use arrow::{
    array::{BooleanArray, RecordBatch},
    row::{RowConverter, SortField},
};
use futures::TryStreamExt as _;
use lake_core::{Contract, Ledger, Summary, mask::sha256_hex};
use lake_edge::{Attach as _, Edge};
use lake_table::{Plan, Proposal, Table, TableSpec};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// Application of the number of a table's replays, and name of what a replay says of itself.
pub(crate) const REPLAY: &str = "replay";

/// What a replay says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// What was asked for.
    pub(crate) asked: BTreeMap<String, String>,
    /// By table of leftovers: the rows that are none any more.
    pub(crate) leftovers: BTreeMap<String, Marks>,
}

/// Some rows of a table of leftovers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Marks {
    /// The version at which they were read.
    version: i64,
    /// How many.
    rows: u64,
    /// By file: ranges of rows, half-open.
    files: BTreeMap<String, Vec<(usize, usize)>>,
}

impl Marks {
    /// No rows of a version.
    pub(crate) fn of(version: i64) -> Self {
        Self { version, rows: 0, files: BTreeMap::new() }
    }

    /// Adds a row; rows of a file come in their order.
    pub(crate) fn add(&mut self, file: &str, row: usize) {
        self.rows += 1;
        let ranges = self.files.entry(file.to_owned()).or_default();
        match ranges.last_mut() {
            Some(last) if last.1 == row => last.1 += 1,
            _ => ranges.push((row, row + 1)),
        }
    }
}

/// Tables of leftovers of a contract.
pub(crate) fn specs(contract: &Contract) -> [TableSpec; 2] {
    [TableSpec::quarantine(contract), TableSpec::held(contract)]
}

/// Takes out what the table's last replay has resolved, unless that is done.
pub(crate) async fn settle(edge: &Edge, table: &Table) -> anyhow::Result<()> {
    let Some(number) = table.txn(REPLAY).await.attach()? else { return Ok(()) };
    for spec in specs(&edge.contract) {
        let Some(mut left) = Table::open(&edge.lake, &spec).await.attach()? else { continue };
        if left.txn(REPLAY).await.attach()?.is_some_and(|settled| settled >= number) {
            continue;
        }
        let Some(summary) = table.commit_of(REPLAY).await.attach()?.and_then(|commit| commit.summary) else { continue };
        let facts = summary.facts.get(REPLAY).context("a replay that does not say what it has resolved")?;
        let facts: Facts = serde_json::from_value(facts.clone())?;
        if let Some(marks) = facts.leftovers.get(&spec.name) {
            let wanted = Wanted::read(&left, marks).await?;
            let summary = Summary {
                table: spec.name.clone(),
                ledger: Ledger::default(),
                facts: BTreeMap::from([("replayed_rows".to_owned(), marks.rows.into())]),
                ..summary
            };
            left.commit(async |left: &Table| take_out(left, &wanted, number, &summary).await).await?;
        }
    }
    Ok(())
}

async fn take_out(left: &Table, wanted: &Wanted, number: i64, summary: &Summary) -> anyhow::Result<Plan> {
    if left.txn(REPLAY).await.attach()?.is_some_and(|settled| settled >= number) {
        return Ok(Plan::Done(summary.clone()));
    }
    let mut counts = wanted.counts.clone();
    let cut = Cut::of(left, |_| true, |batch| wanted.others(batch, &mut counts)).await?;
    lake_core::fault_point!("replay.leftovers.before");
    Ok(Plan::Commit(Proposal {
        add: cut.kept,
        remove: cut.files,
        txns: vec![(REPLAY.to_owned(), number)],
        inserted: 0,
        removed: cut.removed,
        summary: summary.clone(),
    }))
}

/// Rows by all that they hold, and how often each is wanted.
struct Wanted {
    converter: RowConverter,
    counts: HashMap<String, u64>,
}

impl Wanted {
    /// Reads the marked rows where they were marked.
    async fn read(left: &Table, marks: &Marks) -> anyhow::Result<Self> {
        let kinds = left.spec().schema.fields().iter().map(|field| SortField::new(field.data_type().clone()));
        let mut wanted = Self { converter: RowConverter::new(kinds.collect())?, counts: HashMap::new() };
        let then = Table::open_at(left.lake(), left.spec(), marks.version).await.attach()?;
        for file in then.files() {
            let Some(ranges) = marks.files.get(&file.path) else { continue };
            let mut stream = then.scan(vec![file.clone()], None);
            let mut first = 0;
            while let Some(batch) = stream.try_next().await.attach()? {
                for (row, content) in wanted.contents(&batch)?.into_iter().enumerate() {
                    if ranges.iter().any(|(from, to)| (*from..*to).contains(&(first + row))) {
                        *wanted.counts.entry(content).or_default() += 1;
                    }
                }
                first += batch.num_rows();
            }
        }
        let found: u64 = wanted.counts.values().sum();
        crate::fault::rows(&format!("`{}` that were replayed", left.spec().name), marks.rows, found)?;
        Ok(wanted)
    }

    /// Which rows are not wanted, or not so often.
    fn others(&self, batch: &RecordBatch, counts: &mut HashMap<String, u64>) -> anyhow::Result<BooleanArray> {
        let contents = self.contents(batch)?;
        let is_other = |content: String| match counts.get_mut(&content) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        };
        Ok(contents.into_iter().map(is_other).map(Some).collect())
    }

    /// All that rows hold, in little room: only in memory, for a payload may hold personal data.
    fn contents(&self, batch: &RecordBatch) -> anyhow::Result<Vec<String>> {
        let rows = self.converter.convert_columns(batch.columns())?;
        Ok(rows.iter().map(|row| sha256_hex(row.data())).collect())
    }
}
