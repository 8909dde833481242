//! The Bronze rows that leftovers were made from.
//!
//! A position is enough to find one, but where the source enforces no key: then the leftover's payload tells which of the rows at
//! its position it is. Rows that are equal in every column have one fate.

use super::{
    left::{Left, Place, RowAt},
    rebuilt,
};
use crate::{decode::InputPlan, run::Job};
use anyhow::Context as _;
use arrow::{
    array::{AsArray as _, RecordBatch, StringArray, UInt32Array},
    compute::take_record_batch,
};
use futures::{TryStreamExt as _, stream::BoxStream};
use lake_edge::Attach as _;
use lake_table::{SliceFile, Table, TableError, TableSpec};
use std::collections::{BTreeMap, BTreeSet, HashMap};

const POSITION: &str = "_position";

/// An input of the table, as far as the table has consumed it.
pub(crate) struct Source<'j> {
    /// Number of the input.
    pub(crate) number: usize,
    /// How its rows are read.
    pub(crate) plan: &'j InputPlan,
    /// The last version that the table has consumed.
    pub(crate) consumed: i64,
    table: Table,
    columns: Vec<String>,
}

/// Returns the inputs that a table has consumed something of, as of its snapshot.
pub(crate) async fn sources<'j>(job: &'j Job<'_>, table: &Table) -> anyhow::Result<Vec<Source<'j>>> {
    let mut sources = Vec::new();
    for (number, plan) in job.plans.iter().enumerate() {
        let contract = job.edge.contracts.table(&plan.table).attach()?;
        let Some(found) = Table::open(&job.edge.lake, &TableSpec::of(contract)).await.attach()? else { continue };
        let Some(consumed) = table.txn(found.id()).await.attach()? else { continue };
        sources.push(Source { number, plan, consumed, table: found, columns: plan.columns(contract) });
    }
    Ok(sources)
}

impl Source<'_> {
    /// Name of the input.
    pub(crate) fn name(&self) -> &str {
        &self.plan.table
    }

    /// Returns the files that hold rows of some units, in the order of their versions.
    pub(crate) async fn files(&self, units: &Units) -> anyhow::Result<Vec<SliceFile>> {
        self.files_of(units.versions(self.number)).await
    }

    async fn files_of(&self, versions: BTreeSet<i64>) -> anyhow::Result<Vec<SliceFile>> {
        let mut files = Vec::new();
        if versions.is_empty() {
            return Ok(files);
        }
        // As for a run that consumes: what a generation took away is met by a rebuild only.
        if self.table.slice(Some(self.consumed), self.table.version()).await.attach()?.removes_rows {
            return Err(rebuilt(self.name()));
        }
        for version in versions {
            files.extend(self.table.slice(Some(version - 1), version).await.attach()?.files);
        }
        Ok(files)
    }

    /// Starts to read a file.
    pub(crate) fn scan(&self, file: &SliceFile) -> Picked<'_> {
        let stream = self.table.scan(vec![file.file.clone()], Some(self.columns.clone()));
        Picked { source: self, version: file.version, stream }
    }

    /// Counts the rows at some positions of a version.
    async fn count(&self, version: i64, counts: &mut HashMap<&str, usize>) -> anyhow::Result<()> {
        for file in self.files_of(BTreeSet::from([version])).await? {
            let mut stream = self.table.scan(vec![file.file], Some(vec![POSITION.to_owned()]));
            while let Some(batch) = stream.try_next().await.attach()? {
                for position in positions(&batch)?.iter().flatten() {
                    if let Some(count) = counts.get_mut(position) {
                        *count += 1;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The rows of a file that belong to units.
pub(crate) struct Picked<'s> {
    source: &'s Source<'s>,
    version: i64,
    stream: BoxStream<'static, Result<RecordBatch, TableError>>,
}

impl Picked<'_> {
    /// Returns the next rows, with the number of the unit of each.
    pub(crate) async fn next(&mut self, units: &Units) -> anyhow::Result<Option<(RecordBatch, Vec<usize>)>> {
        while let Some(batch) = self.stream.try_next().await.attach()? {
            let (mut rows, mut numbers) = (Vec::new(), Vec::new());
            let at = units.at.get(&(self.source.number, self.version));
            for (row, position) in (0_u32..).zip(positions(&batch)?) {
                let candidates = at.zip(position).and_then(|(at, position)| at.get(position));
                let own = |number: &usize| units.units[*number].shown(self.source.plan, &batch, row as usize);
                for number in candidates.into_iter().flatten() {
                    if own(number)? {
                        rows.push(row);
                        numbers.push(*number);
                        break;
                    }
                }
            }
            if !rows.is_empty() {
                return Ok(Some((take_record_batch(&batch, &UInt32Array::from(rows))?, numbers)));
            }
        }
        Ok(None)
    }
}

fn positions(batch: &RecordBatch) -> anyhow::Result<&StringArray> {
    let column = batch.column_by_name(POSITION).and_then(|column| column.as_string_opt::<i32>());
    column.with_context(|| format!("column `{POSITION}` is no text"))
}

/// What became of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// Its row was not met.
    Missing,
    /// It keeps the contract.
    Leaves,
    /// It breaks the contract still.
    Stays,
}

/// A row of Bronze, or some that are equal, with all that is left over of it.
#[derive(Debug)]
struct Unit {
    /// What tells it from others at its place, where there are others.
    payload: Option<Option<Vec<u8>>>,
    rows: Vec<RowAt>,
    fate: Fate,
}

impl Unit {
    /// Says whether a Bronze row at the unit's place is its own.
    fn shown(&self, plan: &InputPlan, batch: &RecordBatch, row: usize) -> anyhow::Result<bool> {
        self.payload.as_ref().map_or(Ok(true), |payload| plan.shows(batch, row, payload.as_deref()))
    }
}

/// All rows that are submitted again.
#[derive(Debug, Default)]
pub(crate) struct Units {
    units: Vec<Unit>,
    /// By input and version, then by position: numbers of units.
    at: BTreeMap<(usize, i64), HashMap<String, Vec<usize>>>,
}

impl Units {
    /// Finds out which leftovers belong together.
    pub(crate) async fn of(left: &Left, sources: &[Source<'_>]) -> anyhow::Result<Self> {
        let shared = shared(left, sources).await?;
        let doubtful = shared.iter().flat_map(|place| &left.rows[*place]).copied().collect();
        let mut payloads = left.payloads(&doubtful).await?;
        let mut units = Self::default();
        for (place, rows) in &left.rows {
            let mut alike: BTreeMap<Option<Option<Vec<u8>>>, Vec<RowAt>> = BTreeMap::new();
            for row in rows {
                alike.entry(payloads.remove(row)).or_default().push(*row);
            }
            let at = units.at.entry((place.input, place.version)).or_default().entry(place.position.clone()).or_default();
            for (payload, rows) in alike {
                at.push(units.units.len());
                units.units.push(Unit { payload, rows, fate: Fate::Missing });
            }
        }
        Ok(units)
    }

    fn versions(&self, input: usize) -> BTreeSet<i64> {
        self.at.keys().filter(|(number, _)| *number == input).map(|(_, version)| *version).collect()
    }

    /// Takes in what became of some rows: the unit of each, and whether it stays.
    pub(crate) fn judge(&mut self, units: &[usize], stays: &[bool]) {
        for (unit, stays) in units.iter().zip(stays) {
            let fate = if *stays { Fate::Stays } else { Fate::Leaves };
            self.units[*unit].fate = self.units[*unit].fate.max(fate);
        }
    }

    /// Checks that every leftover of a source was met in it.
    pub(crate) fn check(&self, source: &Source<'_>) -> anyhow::Result<()> {
        let own = self.at.iter().filter(|((number, _), _)| *number == source.number).flat_map(|(_, at)| at.values().flatten());
        let missing = own.filter(|number| self.units[**number].fate == Fate::Missing).count();
        if missing == 0 { Ok(()) } else { Err(rebuilt(source.name())) }
    }

    /// The leftovers that are none any more.
    pub(crate) fn resolved(&self) -> BTreeSet<RowAt> {
        self.units.iter().filter(|unit| unit.fate == Fate::Leaves).flat_map(|unit| &unit.rows).copied().collect()
    }
}

/// Places at which Bronze has more than one row.
async fn shared<'l>(left: &'l Left, sources: &[Source<'_>]) -> anyhow::Result<Vec<&'l Place>> {
    let mut by_version: BTreeMap<(usize, i64), Vec<&Place>> = BTreeMap::new();
    for place in left.rows.keys() {
        by_version.entry((place.input, place.version)).or_default().push(place);
    }
    let mut shared = Vec::new();
    for ((input, version), places) in by_version {
        let mut counts: HashMap<&str, usize> = places.iter().map(|place| (place.position.as_str(), 0)).collect();
        if let Some(source) = sources.iter().find(|source| source.number == input) {
            source.count(version, &mut counts).await?;
        }
        shared.extend(places.into_iter().filter(|place| counts[place.position.as_str()] > 1));
    }
    Ok(shared)
}
