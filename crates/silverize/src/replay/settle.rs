//! Takes leftovers out that a replay has resolved.
//!
//! The commit of the data names them by the version, the files and the rows at which it read them. They are taken out afterwards,
//! wherever they stand by then: rows are found by all that they hold, the run that left them over included, so that a row that a
//! later rebuild left over again is not meant. A rebuild that the replay came in between leaves the same rows over once more, as
//! the same run: so after a rebuild nothing is taken out. The table of leftovers keeps the number of the last replay that was
//! settled.

use crate::quarantine::{Cut, REBUILT};
use anyhow::Context as _;
use arrow::{
    array::{BooleanArray, RecordBatch},
    row::{RowConverter, SortField},
};
use futures::TryStreamExt as _;
use lake_core::{Contract, Ledger, Summary, mask::sha256_hex};
use lake_edge::{Attach as _, Edge};
use lake_table::{CommitEntry, Plan, Proposal, Table, TableSpec};
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
    /// By file, in turns: how many rows are not meant, and how many are. This stands in the log, and there may be as many marks as
    /// rows.
    files: BTreeMap<String, Vec<usize>>,
    /// The row after the last one that was added.
    #[serde(skip)]
    end: usize,
}

impl Marks {
    /// No rows of a version.
    pub(crate) fn of(version: i64) -> Self {
        Self { version, rows: 0, files: BTreeMap::new(), end: 0 }
    }

    /// Adds a row; rows of a file come together and in their order.
    pub(crate) fn add(&mut self, file: &str, row: usize) {
        self.rows += 1;
        if !self.files.contains_key(file) {
            self.end = 0;
        }
        let turns = self.files.entry(file.to_owned()).or_default();
        match turns.last_mut() {
            Some(meant) if row == self.end => *meant += 1,
            _ => turns.extend([row - self.end, 1]),
        }
        self.end = row + 1;
    }

    /// The rows of a file, in their order.
    fn of_file(&self, file: &str) -> impl Iterator<Item = usize> {
        let turns = self.files.get(file).map(Vec::as_slice).unwrap_or_default();
        let mut end = 0;
        turns.chunks_exact(2).flat_map(move |turn| {
            let from = end + turn[0];
            end = from + turn[1];
            from..end
        })
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
            let summary = Summary { table: spec.name.clone(), ledger: Ledger::default(), facts: BTreeMap::new(), ..summary };
            left.commit(async |left: &Table| take_out(left, &wanted, number, &summary).await).await?;
        }
    }
    Ok(())
}

async fn take_out(left: &Table, wanted: &Wanted, number: i64, summary: &Summary) -> anyhow::Result<Plan> {
    if left.txn(REPLAY).await.attach()?.is_some_and(|settled| settled >= number) {
        return Ok(Plan::Done(summary.clone()));
    }
    let mut cut = Cut::default();
    if !rebuilt_since(left, wanted.version).await? {
        let mut counts = wanted.counts.clone();
        cut = Cut::of(left, |_| true, |batch| wanted.others(batch, &mut counts)).await?;
    }
    let facts = BTreeMap::from([("replayed_rows".to_owned(), cut.removed.into())]);
    lake_core::fault_point!("replay.leftovers.before");
    Ok(Plan::Commit(Proposal {
        add: cut.kept,
        remove: cut.files,
        txns: vec![(REPLAY.to_owned(), number)],
        inserted: 0,
        removed: cut.removed,
        summary: Summary { facts, ..summary.clone() },
    }))
}

/// Says whether a rebuild has put its rows in place of all that stood in the table at a version.
async fn rebuilt_since(left: &Table, version: i64) -> anyhow::Result<bool> {
    let rebuilds = |commit: &CommitEntry| commit.summary.as_ref().is_some_and(|summary| summary.facts.contains_key(REBUILT));
    Ok(left.commits(Some(version)).await.attach()?.iter().any(rebuilds))
}

/// Rows by all that they hold, and how often each is wanted.
struct Wanted {
    /// The version at which they were marked.
    version: i64,
    converter: RowConverter,
    counts: HashMap<String, u64>,
}

impl Wanted {
    /// Reads the marked rows where they were marked.
    async fn read(left: &Table, marks: &Marks) -> anyhow::Result<Self> {
        let kinds = left.spec().schema.fields().iter().map(|field| SortField::new(field.data_type().clone()));
        let mut wanted = Self { version: marks.version, converter: RowConverter::new(kinds.collect())?, counts: HashMap::new() };
        let then = Table::open_at(left.lake(), left.spec(), marks.version).await.attach()?;
        for file in then.files() {
            let mut marked = marks.of_file(&file.path).peekable();
            if marked.peek().is_none() {
                continue;
            }
            let mut stream = then.scan(vec![file.clone()], None);
            let mut first = 0;
            while let Some(batch) = stream.try_next().await.attach()? {
                for (row, content) in wanted.contents(&batch)?.into_iter().enumerate() {
                    if marked.next_if_eq(&(first + row)).is_some() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        leftover::{LATE_WINDOW, Leftover, Reason},
        quarantine::{Context, Leftovers},
        testing,
        testing_lake::summary,
        upsert::Stamp,
    };
    use lake_table::Lake;

    #[test]
    fn marks_say_in_little_room_which_rows_are_meant() {
        let mut marks = Marks::of(7);
        let every_other: Vec<usize> = (0..10_000).step_by(2).collect();
        every_other.iter().for_each(|row| marks.add("a", *row));
        [3, 4, 5, 9].iter().for_each(|row| marks.add("b", *row));
        let text = serde_json::to_string(&marks).unwrap();
        assert!(text.len() < 5 * every_other.len(), "{}", text.len());
        let read: Marks = serde_json::from_str(&text).unwrap();
        assert_eq!(read.of_file("a").collect::<Vec<_>>(), every_other);
        assert_eq!(read.of_file("b").collect::<Vec<_>>(), [3, 4, 5, 9]);
        assert_eq!((read.of_file("c").count(), read.rows), (0, 5_004));
    }

    /// Leaves a row over, as the same run each time.
    async fn leave(lake: &Lake, rebuild: bool) -> Table {
        let contract = testing::orders();
        let context = Context {
            inputs: vec!["bronze_events".to_owned()],
            contract: contract.reference(),
            contract_hash: contract.hash.clone(),
            stamp: Stamp { run_id: "r".to_owned(), ingested_at: chrono::DateTime::UNIX_EPOCH },
        };
        let row = Leftover {
            reason: Reason::Held,
            row: 0,
            input: 0,
            version: 1,
            position: "events/0/0".to_owned(),
            line: None,
            rules: LATE_WINDOW.to_owned(),
            payload: None,
            ingest_date: testing::INGEST_DATE,
        };
        let mut held = Leftovers::new(Reason::Held, &contract, lake, context);
        held.take(&[row]).await.unwrap();
        held.commit(&[], rebuild, summary("silver_orders")).await.unwrap();
        Table::open(lake, &TableSpec::held(&contract)).await.unwrap().unwrap()
    }

    #[test]
    fn rows_that_a_rebuild_has_put_in_their_place_are_not_taken_out() {
        for (rebuild, before) in [(false, 2), (true, 1)] {
            let dir = tempfile::tempdir().unwrap();
            let lake = Lake::open(&dir.path().join("lake").display().to_string()).unwrap();
            let rows = testing::runtime().block_on(async {
                let left = leave(&lake, true).await;
                let mut marks = Marks::of(left.version());
                marks.add(&left.files()[0].path, 0);
                let wanted = Wanted::read(&left, &marks).await.unwrap();
                // The rebuild has lost against the replay and plans again; or a run has left an equal row over.
                let mut left = leave(&lake, rebuild).await;
                let before = left.rows();
                let taken_out = summary("held_orders");
                left.commit(async |left: &Table| take_out(left, &wanted, 1, &taken_out).await).await.unwrap();
                (before, left.rows())
            });
            assert_eq!(rows, (before, 1), "rebuild: {rebuild}");
        }
    }
}
