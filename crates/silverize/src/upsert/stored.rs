//! Rows of the table whose keys a chunk touches.

use super::{incoming::ranks, shape::Shape};
use anyhow::Context as _;
use arrow::array::{Array as _, AsArray as _, RecordBatch, StringArray};
use std::collections::HashMap;

/// Number of a stored row among those that were read for a chunk.
pub(crate) type StoredRow = u32;

/// Where a stored row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Number of the file.
    pub(crate) file: usize,
    /// Row in it.
    pub(crate) row: usize,
}

/// Rows of the table, whole, with where they stand.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// The rows, in the table's columns.
    pub(crate) batches: Vec<RecordBatch>,
    /// By stored row: where it stands in the table.
    pub(crate) origins: Vec<Origin>,
    /// By stored row: batch and row in it.
    at: Vec<(u32, u32)>,
    /// By batch, then group.
    versions: Vec<Vec<StringArray>>,
    /// By stored row.
    ranks: Vec<u8>,
}

impl Stored {
    /// Adds rows in the table's columns.
    pub(crate) fn add(&mut self, shape: &Shape, batch: RecordBatch, origins: Vec<Origin>) -> anyhow::Result<()> {
        let number = u32::try_from(self.batches.len()).context("more than four billion batches")?;
        let text = |name: &String| {
            let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
            column.cloned().with_context(|| format!("column `{name}` is missing"))
        };
        self.versions.push(shape.versions.iter().map(text).collect::<anyhow::Result<_>>()?);
        let known: HashMap<&str, u8> = shape.ranks.iter().map(String::as_str).zip(1..).collect();
        match shape.rank.as_ref().and_then(|name| batch.column_by_name(name)) {
            Some(column) => self.ranks.extend(ranks(column, &known)),
            None => self.ranks.resize(self.ranks.len() + batch.num_rows(), 0),
        }
        let rows = u32::try_from(batch.num_rows()).context("a batch of more than four billion rows")?;
        self.at.extend((0..rows).map(|row| (number, row)));
        self.origins.extend(origins);
        self.batches.push(batch);
        Ok(())
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.at.len()
    }

    /// Batch and row of a stored row.
    pub(crate) fn at(&self, stored: StoredRow) -> (usize, usize) {
        let (batch, row) = self.at[stored as usize];
        (batch as usize, row as usize)
    }

    /// Version of a column group, where it has one.
    pub(crate) fn version(&self, stored: StoredRow, group: usize) -> Option<&str> {
        let (batch, row) = self.at(stored);
        let versions = &self.versions[batch][group];
        versions.is_valid(row).then(|| versions.value(row))
    }

    /// Rank, from 1; 0 for none.
    pub(crate) fn rank(&self, stored: StoredRow) -> u8 {
        self.ranks[stored as usize]
    }
}
