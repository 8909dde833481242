//! New values of rows, put together column by column: values are never copied one by one.

use super::{
    keys::Slot,
    merge::{Merged, Winner},
    shape::{Role, Shape},
};
use crate::version;
use arrow::{
    array::{Array, ArrayRef, AsArray as _, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array},
    compute::interleave,
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
    shape: Arc<Shape>,
    stamp: Stamp,
    /// By column: the arrays that values are taken from. The first is one null, then the chunk's, then the table's.
    sources: Vec<Vec<ArrayRef>>,
}

impl Assembler {
    pub(crate) fn new(merged: Merged, shape: Arc<Shape>, stamp: Stamp) -> Self {
        let sources = (0..shape.roles.len()).map(|column| sources(&merged, &shape, column)).collect();
        Self { merged, shape, stamp, sources }
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
                Role::ValidTo => self.ends(slots),
                Role::RunId => constant_string(&self.stamp.run_id, slots.len()),
                Role::IngestedAt => constant_timestamp(self.stamp.ingested_at, slots.len()),
            });
        }
        Ok(RecordBatch::try_new(self.shape.schema.clone(), columns)?)
    }

    /// Keys stand in the batch that first brought them.
    fn key_at(&self, slot: Slot) -> (usize, usize) {
        let (source, row) = self.merged.index.origin(slot);
        (source + 1, row)
    }

    fn winner_at(&self, slot: Slot, group: usize) -> (usize, usize) {
        match self.merged.winners[slot as usize * self.shape.groups + group] {
            Winner::None => (0, 0),
            Winner::Update(update) => {
                let (part, row) = self.merged.incoming.at(update);
                (part + 1, row)
            }
            Winner::Stored(row) => {
                let (batch, row) = self.merged.stored.at(row);
                (self.merged.incoming.parts.len() + batch + 1, row)
            }
        }
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
            Role::Key | Role::EventHash => true,
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
