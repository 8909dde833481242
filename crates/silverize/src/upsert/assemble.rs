//! New values of rows, put together column by column: values are never copied one by one.

use super::{
    keys::Slot,
    merge::{Merged, Winner},
    resolve::Resolution,
    shape::{Role, Shape},
    stored::StoredRow,
};
use crate::version;
use anyhow::Context as _;
use arrow::{
    array::{Array, ArrayRef, AsArray as _, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array},
    compute::interleave,
    datatypes::Schema,
};
use lake_table::columns::{constant_string, constant_timestamp};
use std::{borrow::Cow, sync::Arc};

/// Who writes rows, and when.
#[derive(Debug, Clone)]
pub(crate) struct Stamp {
    /// The run.
    pub(crate) run_id: String,
    /// Its start.
    pub(crate) ingested_at: chrono::DateTime<chrono::Utc>,
}

/// Puts rows of a merge together.
#[derive(Debug)]
pub(crate) struct Assembler {
    /// The merge.
    pub(crate) merged: Merged,
    /// What rows take from others.
    pub(crate) resolution: Resolution,
    shape: Arc<Shape>,
    stamp: Stamp,
    /// By column: the arrays that values are taken from. The first is one null, then the chunk's, then the table's.
    sources: Vec<Vec<ArrayRef>>,
}

impl Assembler {
    pub(crate) fn new(merged: Merged, shape: Arc<Shape>, stamp: Stamp) -> Self {
        let sources = (0..shape.roles.len()).map(|column| sources(&merged, &shape, column)).collect();
        Self { merged, resolution: Resolution::default(), shape, stamp, sources }
    }

    /// Returns some columns of the rows of some slots: of the key or of the first group.
    pub(crate) fn columns(&self, names: &[String], slots: &[Slot]) -> anyhow::Result<RecordBatch> {
        let at: Vec<(usize, usize)> = slots.iter().map(|slot| self.winner_at(*slot, 0)).collect();
        let keys: Vec<(usize, usize)> = slots.iter().map(|slot| self.key_at(*slot)).collect();
        self.named(names, |role| if role == Role::Key { &keys } else { &at })
    }

    /// Returns some columns of stored rows as the table has them.
    pub(crate) fn stored(&self, names: &[String], rows: &[StoredRow]) -> anyhow::Result<RecordBatch> {
        let at: Vec<(usize, usize)> = rows.iter().map(|row| self.stored_at(*row)).collect();
        self.named(names, |_| &at)
    }

    fn named<'a>(&self, names: &[String], at: impl Fn(Role) -> &'a Vec<(usize, usize)>) -> anyhow::Result<RecordBatch> {
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        for name in names {
            let column = self.shape.schema.index_of(name)?;
            fields.push(self.shape.schema.field(column).clone());
            columns.push(pick(&self.sources[column], at(self.shape.roles[column]))?);
        }
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
    }

    /// Returns the rows of some slots, in the table's columns.
    pub(crate) fn rows(&self, slots: &[Slot]) -> anyhow::Result<RecordBatch> {
        let keys: Vec<(usize, usize)> = slots.iter().map(|slot| self.key_at(*slot)).collect();
        let groups: Vec<Vec<(usize, usize)>> =
            (0..self.shape.groups).map(|group| slots.iter().map(|slot| self.winner_at(*slot, group)).collect()).collect();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.shape.roles.len());
        for (column, role) in self.shape.roles.iter().enumerate() {
            columns.push(match role {
                Role::Key => pick(&self.sources[column], &keys)?,
                Role::Group(group) => pick(&self.sources[column], &groups[*group])?,
                Role::Version(group) => self.remembering(pick(&self.sources[column], &groups[*group])?, slots, *group),
                Role::EventHash => pick(&self.sources[column], &groups[0])?,
                Role::Rank => self.ranks(slots),
                Role::Kept => pick(&self.sources[column], &self.places(&self.merged.kept, slots))?,
                Role::Resolved => self.resolution.column(slots, pick(self.own_values()?, &groups[0])?)?,
                Role::ValidTo => self.ends(slots),
                Role::RunId => constant_string(&self.stamp.run_id, slots.len()),
                Role::IngestedAt => constant_timestamp(self.stamp.ingested_at, slots.len()),
            });
        }
        Ok(RecordBatch::try_new(self.shape.schema.clone(), columns)?)
    }

    /// Gives stored rows of a batch what they take from others; the run writes them.
    pub(crate) fn resolved(&self, batch: RecordBatch, file: usize, first: usize) -> anyhow::Result<RecordBatch> {
        let (rows, values) = self.resolution.of_batch(file, first, batch.num_rows());
        if rows.is_empty() {
            return Ok(batch);
        }
        let values: ArrayRef = Arc::new(values);
        let mut at: Vec<(usize, usize)> = (0..batch.num_rows()).map(|row| (0, row)).collect();
        rows.iter().enumerate().for_each(|(taking, row)| at[row - first] = (1, taking));
        let columns = batch.columns().iter().zip(&self.shape.roles).map(|(old, role)| {
            let new = match role {
                Role::Resolved => values.clone(),
                Role::RunId => constant_string(&self.stamp.run_id, rows.len()),
                Role::IngestedAt => constant_timestamp(self.stamp.ingested_at, rows.len()),
                _ => return Ok(old.clone()),
            };
            pick(&[old.clone(), new], &at)
        });
        Ok(RecordBatch::try_new(batch.schema(), columns.collect::<anyhow::Result<_>>()?)?)
    }

    /// Where a row has the value of its own that others take.
    fn own_values(&self) -> anyhow::Result<&[ArrayRef]> {
        let resolve = self.shape.resolve.as_ref().context("no column is resolved")?;
        Ok(&self.sources[self.shape.schema.index_of(&resolve.from)?])
    }

    /// Keys stand in the batch that first brought them.
    fn key_at(&self, slot: Slot) -> (usize, usize) {
        let (source, row) = self.merged.index.origin(slot);
        (source + 1, row)
    }

    fn winner_at(&self, slot: Slot, group: usize) -> (usize, usize) {
        self.place(self.merged.winners[slot as usize * self.shape.groups + group])
    }

    fn places(&self, winners: &[Winner], slots: &[Slot]) -> Vec<(usize, usize)> {
        slots.iter().map(|slot| self.place(winners[*slot as usize])).collect()
    }

    fn place(&self, winner: Winner) -> (usize, usize) {
        match winner {
            Winner::None => (0, 0),
            Winner::Update(update) => {
                let (part, row) = self.merged.incoming.at(update);
                (part + 1, row)
            }
            Winner::Stored(row) => self.stored_at(row),
        }
    }

    fn stored_at(&self, row: StoredRow) -> (usize, usize) {
        let (batch, row) = self.merged.stored.at(row);
        (self.merged.incoming.parts.len() + batch + 1, row)
    }

    /// Puts into versions what they are to remember.
    fn remembering(&self, versions: ArrayRef, slots: &[Slot], group: usize) -> ArrayRef {
        let memories = &self.merged.memories;
        let Some(texts) = versions.as_string_opt::<i32>().filter(|_| !memories.is_empty()) else { return versions };
        let texts = slots.iter().zip(texts).map(|(slot, text)| {
            let memory = memories.get(&(*slot as usize * self.shape.groups + group));
            text.map(|text| memory.map_or(Cow::Borrowed(text), |memory| Cow::Owned(version::with_memory(text, memory))))
        });
        Arc::new(texts.collect::<StringArray>())
    }

    fn ranks(&self, slots: &[Slot]) -> ArrayRef {
        let names = slots
            .iter()
            .map(|slot| usize::from(self.merged.ranks[*slot as usize]).checked_sub(1).and_then(|at| self.shape.ranks.get(at)));
        Arc::new(StringArray::from_iter(names))
    }

    fn ends(&self, slots: &[Slot]) -> ArrayRef {
        let ends = slots.iter().map(|slot| self.merged.valid_to[*slot as usize]);
        Arc::new(TimestampMicrosecondArray::from_iter(ends).with_timezone("UTC"))
    }
}

/// Only arrays of the column's own group are ever picked from; where a route of it does not name the column, its rows are null.
fn sources(merged: &Merged, shape: &Shape, column: usize) -> Vec<ArrayRef> {
    let kind = shape.schema.field(column).data_type();
    let null = new_null_array(kind, 1);
    let name = shape.routed_name(column);
    let mut sources = vec![null.clone()];
    for part in &merged.incoming.parts {
        let own = match shape.roles[column] {
            Role::Key | Role::EventHash | Role::Kept => true,
            Role::Group(group) | Role::Version(group) => group == part.group,
            _ => false,
        };
        sources.push(match part.batch.column_by_name(name) {
            _ if !own => null.clone(),
            Some(found) => found.clone(),
            None => new_null_array(kind, part.batch.num_rows()),
        });
    }
    sources.extend(merged.stored.batches.iter().map(|batch| batch.column(column).clone()));
    sources
}

fn pick(sources: &[ArrayRef], at: &[(usize, usize)]) -> anyhow::Result<ArrayRef> {
    let sources: Vec<&dyn Array> = sources.iter().map(AsRef::as_ref).collect();
    Ok(interleave(&sources, at)?)
}
