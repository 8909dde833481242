//! Merges chunks into a table whose rows are found by their key: current states and histories.

use super::{
    Change,
    assemble::{Assembler, Stamp},
    files::{Files, write},
    incoming::Incoming,
    keys::{KeyCodec, KeyIndex, Slot},
    merge::{Merged, Sides},
    resolve::Resolver,
    shape::Shape,
    stored::{Origin, Stored},
};
use crate::route::{RoutePlan, Routed};
use anyhow::Context as _;
use arrow::{
    array::{Array, RecordBatch, UInt64Array},
    compute::{interleave, take_record_batch},
};
use lake_core::Ledger;
use lake_table::{Batch, DataWriter, NewFile, Table};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Rows of one batch that is written: the writer's row group.
const BATCH_ROWS: usize = 65_536;
/// From so many new rows on, two writers share them.
const SHARED_ROWS: usize = 100_000;

/// State of merging.
#[derive(Debug)]
pub(crate) struct Keyed<'t> {
    files: Files<'t>,
    shape: Arc<Shape>,
    routes: Arc<[RoutePlan]>,
    /// Of the whole key.
    key: KeyCodec,
    /// Of the things whose rows are read together.
    thing: KeyCodec,
    /// Of a table with a column that rows take from others.
    resolver: Option<Resolver>,
    stamp: Stamp,
    inserted: u64,
    resolved: u64,
    ledgers: Vec<Ledger>,
}

impl<'t> Keyed<'t> {
    pub(crate) fn new(
        files: Files<'t>,
        shape: Shape,
        routes: Arc<[RoutePlan]>,
        stamp: Stamp,
        inputs: usize,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            key: KeyCodec::new(&shape.schema, &shape.key)?,
            thing: KeyCodec::new(&shape.schema, &shape.key[..shape.thing])?,
            resolver: Resolver::new(&shape)?,
            shape: Arc::new(shape),
            files,
            routes,
            stamp,
            inserted: 0,
            resolved: 0,
            ledgers: vec![Ledger::default(); inputs],
        })
    }

    /// Merges a chunk.
    pub(crate) async fn apply(&mut self, routed: Vec<Routed>) -> anyhow::Result<()> {
        let rows: usize = routed.iter().map(|routed| routed.batch.num_rows()).sum();
        if rows == 0 {
            return Ok(());
        }
        let mut index = KeyIndex::with_capacity(rows);
        let incoming = Incoming::new(&self.shape, &self.routes, routed, &self.key, &mut index)?;
        let stored =
            if self.shape.history() { self.stored(&self.things(&incoming)?).await? } else { self.stored(&index).await? };
        let merged = Merged::new(&self.shape, &self.key, Sides { incoming, stored, index }, self.ledgers.len())?;
        for (total, ledger) in self.ledgers.iter_mut().zip(&merged.ledgers) {
            *total += *ledger;
        }
        lake_core::fault_point!("silver.merge.after");
        self.put(merged).await
    }

    /// Appends rows that are known to be new: no stored row is looked for.
    pub(crate) async fn append(&mut self, routed: Vec<Routed>) -> anyhow::Result<()> {
        let mut index = KeyIndex::default();
        let incoming = Incoming::new(&self.shape, &self.routes, routed, &self.key, &mut index)?;
        let sides = Sides { incoming, stored: Stored::default(), index };
        let merged = Merged::new(&self.shape, &self.key, sides, self.ledgers.len())?;
        for (total, ledger) in self.ledgers.iter_mut().zip(&merged.ledgers) {
            *total += *ledger;
        }
        self.put(merged).await
    }

    /// The files as they stand now.
    pub(crate) const fn files(&self) -> &Files<'t> {
        &self.files
    }

    /// Ends the run's work on the table.
    pub(crate) fn finish(self) -> Change {
        let (add, remove) = self.files.finish();
        Change { add, remove, inserted: self.inserted, removed: 0, resolved: self.resolved, ledgers: self.ledgers }
    }

    /// The things that a chunk is about.
    fn things(&self, incoming: &Incoming) -> anyhow::Result<KeyIndex> {
        let mut things = KeyIndex::default();
        for part in &incoming.parts {
            things.add(self.thing.rows(&part.batch)?);
        }
        Ok(things)
    }

    /// Reads the stored rows of some things: first the keys of files that may hold one, then the files that do.
    async fn stored(&self, things: &KeyIndex) -> anyhow::Result<Stored> {
        let mut stored = Stored::default();
        let first = self.thing.names().first().context("a key without columns")?;
        for file in self.files.candidates(things, first)? {
            let mut rows: Vec<usize> = Vec::new();
            self.files
                .read(file, Some(self.thing.names().to_vec()), async |from, batch| {
                    let keys = self.thing.rows(&batch)?;
                    rows.extend(
                        (0..keys.num_rows()).filter(|row| things.find(keys.row(*row).data()).is_some()).map(|row| from + row),
                    );
                    Ok(())
                })
                .await?;
            if !rows.is_empty() {
                self.fetch(file, &rows, &mut stored).await?;
            }
        }
        Ok(stored)
    }

    /// Reads whole rows of a file by their numbers.
    async fn fetch(&self, file: usize, rows: &[usize], stored: &mut Stored) -> anyhow::Result<()> {
        let before = stored.len();
        self.files
            .read(file, None, async |from, batch| {
                let start = rows.partition_point(|row| *row < from);
                let end = rows.partition_point(|row| *row < from + batch.num_rows());
                if start == end {
                    return Ok(());
                }
                let wanted = UInt64Array::from_iter_values(rows[start..end].iter().map(|row| (row - from) as u64));
                let found = lake_core::operator!("silver.fetch", Batch(take_record_batch(&batch, &wanted)?)).0;
                let origins = rows[start..end].iter().map(|row| Origin { file, row: *row }).collect();
                stored.add(&self.shape, found, origins)
            })
            .await?;
        crate::fault::rows("stored rows of known keys", rows.len() as u64, (stored.len() - before) as u64)
    }

    /// Writes what changed: rewrites files that hold a changed row, and puts new rows in files of their own.
    async fn put(&mut self, merged: Merged) -> anyhow::Result<()> {
        let mut replaced: BTreeMap<usize, Vec<(usize, Slot)>> = BTreeMap::new();
        let mut new = Vec::new();
        for slot in &merged.changed {
            match merged.row[*slot as usize] {
                Some(row) => {
                    let origin = merged.stored.origins[row as usize];
                    replaced.entry(origin.file).or_default().push((origin.row, *slot));
                }
                None => new.push(*slot),
            }
        }
        self.inserted += new.len() as u64;
        let mut assembler = Assembler::new(merged, self.shape.clone(), self.stamp.clone());
        if let Some(resolver) = &self.resolver {
            assembler.resolution = resolver.resolve(&self.files, &assembler).await?;
        }
        self.resolved += assembler.resolution.rows();
        let assembler = Arc::new(assembler);
        let gone: BTreeSet<usize> = replaced.keys().copied().chain(assembler.resolution.files()).collect();
        let mut come = Vec::new();
        for file in &gone {
            let mut rows = replaced.remove(file).unwrap_or_default();
            rows.sort_unstable();
            lake_core::fault_point!("silver.rewrite.before");
            come.extend(self.rewrite(*file, &rows, &assembler).await?);
        }
        come.extend(insert(self.files.table(), &assembler, new).await?);
        assembler.resolution.check()?;
        self.files.replace(gone.into_iter().collect(), come);
        Ok(())
    }

    /// Writes a file again, with the new values of some rows; the others pass as they are, in their order.
    async fn rewrite(&self, file: usize, rows: &[(usize, Slot)], assembler: &Assembler) -> anyhow::Result<Vec<NewFile>> {
        let slots: Vec<Slot> = rows.iter().map(|(_, slot)| *slot).collect();
        let values = assembler.rows(&slots)?;
        let mut writer = self.files.table().writer();
        self.files
            .read(file, None, async |from, batch| {
                let patched = assembler.resolved(patched(&batch, from, rows, &values)?, file, from)?;
                let patched = lake_core::operator!("silver.rewrite", Batch(patched)).0;
                lake_edge::Attach::attach(writer.write(&patched).await)
            })
            .await?;
        lake_edge::Attach::attach(writer.finish().await).context("failed to rewrite a file")
    }
}

/// Puts new values in place of some rows of a batch.
fn patched(batch: &RecordBatch, from: usize, rows: &[(usize, Slot)], values: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let start = rows.partition_point(|(row, _)| *row < from);
    let end = rows.partition_point(|(row, _)| *row < from + batch.num_rows());
    if start == end {
        return Ok(batch.clone());
    }
    let mut at: Vec<(usize, usize)> = (0..batch.num_rows()).map(|row| (0, row)).collect();
    for (value, (row, _)) in rows.iter().enumerate().take(end).skip(start) {
        at[row - from] = (1, value);
    }
    let columns = batch.columns().iter().zip(values.columns()).map(|(old, new)| {
        let sources: [&dyn Array; 2] = [old.as_ref(), new.as_ref()];
        interleave(&sources, &at)
    });
    Ok(RecordBatch::try_new(batch.schema(), columns.collect::<Result<_, _>>()?)?)
}

/// Writes new rows in the order of their keys; many are shared by two writers.
async fn insert(table: &Table, assembler: &Arc<Assembler>, new: Vec<Slot>) -> anyhow::Result<Vec<NewFile>> {
    let slots = lake_core::operator!("silver.insert", new);
    if slots.len() < SHARED_ROWS {
        return insert_part(table.writer(), assembler.clone(), slots).await;
    }
    let parts = slots.chunks(slots.len().div_ceil(2));
    let tasks: Vec<_> = parts.map(|part| tokio::spawn(insert_part(table.writer(), assembler.clone(), part.to_vec()))).collect();
    let mut files = Vec::new();
    for task in tasks {
        files.extend(task.await.context("a writer stopped")??);
    }
    Ok(files)
}

async fn insert_part(writer: DataWriter, assembler: Arc<Assembler>, slots: Vec<Slot>) -> anyhow::Result<Vec<NewFile>> {
    let parts: Vec<Vec<Slot>> = slots.chunks(BATCH_ROWS).map(<[Slot]>::to_vec).collect();
    write(writer, parts.into_iter().map(move |slots| assembler.rows(&slots))).await
}

#[cfg(test)]
#[path = "keyed_tests.rs"]
mod tests;
