//! The rows of one chunk, on their way into the table.

use super::{
    keys::{KeyCodec, KeyIndex, Slot},
    shape::Shape,
};
use crate::route::{RoutePlan, Routed, VERSION};
use anyhow::Context as _;
use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch, StringArray};
use std::collections::HashMap;

/// Number of an incoming row among those of its chunk.
pub(crate) type Update = u32;

/// Rows that one route brought.
#[derive(Debug)]
pub(crate) struct Part {
    /// Number of the input.
    pub(crate) input: usize,
    /// Column group that the rows write.
    pub(crate) group: usize,
    /// The rows.
    pub(crate) batch: RecordBatch,
    versions: StringArray,
    ranks: Option<Vec<u8>>,
    first: Update,
}

/// All rows of a chunk.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    /// By route and batch.
    pub(crate) parts: Vec<Part>,
    /// By update: the slot of its key.
    pub(crate) slots: Vec<Slot>,
    /// By update: the part that it stands in.
    part_of: Vec<u32>,
}

impl Incoming {
    /// Takes routed rows in and gives each key a slot in the index.
    pub(crate) fn new(
        shape: &Shape,
        routes: &[RoutePlan],
        routed: Vec<Routed>,
        codec: &KeyCodec,
        index: &mut KeyIndex,
    ) -> anyhow::Result<Self> {
        let known: HashMap<&str, u8> = shape.ranks.iter().map(String::as_str).zip(1..).collect();
        let mut incoming = Self::default();
        for Routed { route, batch } in routed {
            let plan = routes.get(route).context("rows of a route that is none")?;
            let versions = batch
                .column_by_name(VERSION)
                .and_then(|column| column.as_string_opt::<i32>())
                .context("rows without version")?
                .clone();
            let ranks = shape.rank.as_ref().and_then(|name| batch.column_by_name(name)).map(|column| ranks(column, &known));
            let first = Update::try_from(incoming.slots.len()).context("a chunk of more than four billion rows")?;
            let part = u32::try_from(incoming.parts.len()).context("a chunk of more than four billion batches")?;
            incoming.slots.extend(index.add(codec.rows(&batch)?));
            incoming.part_of.resize(incoming.slots.len(), part);
            incoming.parts.push(Part { input: plan.input, group: plan.group, batch, versions, ranks, first });
        }
        Ok(incoming)
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Part and row of an update.
    pub(crate) fn at(&self, update: Update) -> (usize, usize) {
        let part = self.part_of[update as usize] as usize;
        (part, (update - self.parts[part].first) as usize)
    }

    /// The part of an update.
    pub(crate) fn part(&self, update: Update) -> &Part {
        &self.parts[self.part_of[update as usize] as usize]
    }

    /// Version of an update.
    pub(crate) fn version(&self, update: Update) -> &str {
        let (part, row) = self.at(update);
        self.parts[part].versions.value(row)
    }

    /// Rank that an update reaches, from 1; 0 for none.
    pub(crate) fn rank(&self, update: Update) -> u8 {
        let (part, row) = self.at(update);
        self.parts[part].ranks.as_ref().map_or(0, |ranks| ranks[row])
    }
}

/// Ranks of a column's texts, from 1; 0 for what is no rank.
pub(crate) fn ranks(column: &ArrayRef, known: &HashMap<&str, u8>) -> Vec<u8> {
    let Some(texts) = column.as_string_opt::<i32>() else { return vec![0; column.len()] };
    texts.iter().map(|text| text.and_then(|text| known.get(text).copied()).unwrap_or(0)).collect()
}
