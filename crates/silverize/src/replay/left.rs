//! Which left-over rows are submitted again, and where they stand.

use super::{
    bronze::Source,
    settle::{Marks, specs},
};
use crate::args::ReplayArgs;
use anyhow::Context as _;
use arrow::{
    array::{Array as _, ArrayRef, AsArray as _, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{Int64Type, TimestampMicrosecondType},
};
use futures::TryStreamExt as _;
use lake_edge::{Attach as _, Edge};
use lake_table::Table;
use std::collections::{BTreeMap, BTreeSet};

const COLUMNS: [&str; 6] = ["_input_table", "_input_version", "_position", "_contract", "_rules", "_ingested_at"];

/// Where Bronze has the row of a leftover. Sources that enforce no key may have several rows at one position.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    /// Number of the input.
    pub(crate) input: usize,
    /// Version that brought the row.
    pub(crate) version: i64,
    /// Its position.
    pub(crate) position: String,
}

/// Where a leftover stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RowAt {
    /// Number of the table among those of leftovers.
    pub(crate) table: usize,
    /// Number of its file.
    pub(crate) file: usize,
    /// Row of the file.
    pub(crate) row: usize,
}

/// Left-over rows that are submitted again.
#[derive(Debug, Default)]
pub(crate) struct Left {
    tables: Vec<Table>,
    /// By what they were made from.
    pub(crate) rows: BTreeMap<Place, Vec<RowAt>>,
}

impl Left {
    /// Finds the leftovers that are asked for. Rows of versions that the data has not consumed count for nobody.
    pub(crate) async fn select(edge: &Edge, ask: &ReplayArgs, sources: &[Source<'_>]) -> anyhow::Result<Self> {
        let mut left = Self::default();
        for spec in specs(&edge.contract) {
            let Some(table) = Table::open(&edge.lake, &spec).await.attach()? else { continue };
            let number = left.tables.len();
            for (file, data) in table.files().iter().enumerate() {
                let mut stream = table.scan(vec![data.clone()], Some(COLUMNS.map(str::to_owned).to_vec()));
                let mut first = 0;
                while let Some(batch) = stream.try_next().await.attach()? {
                    let rows = Rows::of(&batch)?;
                    for row in (0..batch.num_rows()).filter(|row| rows.asked(*row, ask)) {
                        if let Some(place) = rows.place(row, sources) {
                            left.rows.entry(place).or_default().push(RowAt { table: number, file, row: first + row });
                        }
                    }
                    first += batch.num_rows();
                }
            }
            left.tables.push(table);
        }
        Ok(left)
    }

    /// Reads the payloads of some leftovers.
    pub(crate) async fn payloads(&self, wanted: &BTreeSet<RowAt>) -> anyhow::Result<BTreeMap<RowAt, Option<Vec<u8>>>> {
        let mut found = BTreeMap::new();
        let files: BTreeSet<(usize, usize)> = wanted.iter().map(|at| (at.table, at.file)).collect();
        for (number, file) in files {
            let table = &self.tables[number];
            let mut stream = table.scan(vec![table.files()[file].clone()], Some(vec!["_payload".to_owned()]));
            let mut first = 0;
            while let Some(batch) = stream.try_next().await.attach()? {
                let payloads = batch.column(0).as_binary_opt::<i32>().context("`_payload` is not binary")?;
                for row in 0..batch.num_rows() {
                    let at = RowAt { table: number, file, row: first + row };
                    if wanted.contains(&at) {
                        found.insert(at, payloads.is_valid(row).then(|| payloads.value(row).to_vec()));
                    }
                }
                first += batch.num_rows();
            }
        }
        Ok(found)
    }

    /// Says which rows are resolved so that they are found again: by file and row, at the version that was read.
    pub(crate) fn marks(&self, resolved: &BTreeSet<RowAt>) -> BTreeMap<String, Marks> {
        let mut all: BTreeMap<String, Marks> = BTreeMap::new();
        for at in resolved {
            let table = &self.tables[at.table];
            let marks = all.entry(table.spec().name.clone()).or_insert_with(|| Marks::of(table.version()));
            marks.add(&table.files()[at.file].path, at.row);
        }
        all
    }
}

/// The columns of a batch of leftovers.
struct Rows<'b> {
    inputs: &'b StringArray,
    versions: &'b Int64Array,
    positions: &'b StringArray,
    contracts: &'b StringArray,
    rules: &'b StringArray,
    ingested_at: &'b TimestampMicrosecondArray,
}

impl<'b> Rows<'b> {
    fn of(batch: &'b RecordBatch) -> anyhow::Result<Self> {
        let text = |name| typed(batch, name, |array| array.as_string_opt::<i32>());
        Ok(Self {
            inputs: text(COLUMNS[0])?,
            versions: typed(batch, COLUMNS[1], |array| array.as_primitive_opt::<Int64Type>())?,
            positions: text(COLUMNS[2])?,
            contracts: text(COLUMNS[3])?,
            rules: text(COLUMNS[4])?,
            ingested_at: typed(batch, COLUMNS[5], |array| array.as_primitive_opt::<TimestampMicrosecondType>())?,
        })
    }

    fn asked(&self, row: usize, ask: &ReplayArgs) -> bool {
        let version =
            |contract: &str| contract.rsplit_once('@').is_some_and(|(_, version)| Some(version) == ask.contract.as_deref());
        let at = self.ingested_at.value(row);
        ask.rule.as_deref().is_none_or(|rule| self.rules.value(row).split(',').any(|id| id == rule))
            && (ask.contract.is_none() || version(self.contracts.value(row)))
            && ask.since.is_none_or(|since| since.timestamp_micros() <= at)
            && ask.until.is_none_or(|until| at < until.timestamp_micros())
    }

    fn place(&self, row: usize, sources: &[Source<'_>]) -> Option<Place> {
        let (input, version) = (self.inputs.value(row), self.versions.value(row));
        let source = sources.iter().find(|source| source.name() == input && version <= source.consumed)?;
        Some(Place { input: source.number, version, position: self.positions.value(row).to_owned() })
    }
}

fn typed<'b, T>(batch: &'b RecordBatch, name: &str, cast: impl Fn(&'b ArrayRef) -> Option<&'b T>) -> anyhow::Result<&'b T> {
    batch
        .column_by_name(name)
        .and_then(cast)
        .with_context(|| format!("column `{name}` of the leftovers is not as it was written"))
}
