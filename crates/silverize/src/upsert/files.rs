//! The table's files as a run sees them: committed ones, and those that it has written itself.
//!
//! A file is read only when its statistics and then its keys say that it holds a key of the chunk, and rewritten only when one
//! of its rows changes. Every read is compared with the log's own count of rows.

use super::keys::KeyIndex;
use crate::fault;
use anyhow::Context as _;
use arrow::{
    array::{ArrayRef, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field},
    row::{RowConverter, SortField},
};
use futures::TryStreamExt as _;
use lake_edge::Attach as _;
use lake_table::{Batch, DataFile, DataWriter, NewFile, Table};
use std::sync::Arc;

/// Statistics may cut long texts: a maximum of this length bounds nothing.
const TEXT_MAX: usize = 32;

/// One file, committed or not.
#[derive(Debug, Clone)]
struct File {
    data: DataFile,
    /// Set when this run has written it.
    new: Option<NewFile>,
}

/// The files of a table during a run.
#[derive(Debug)]
pub(crate) struct Files<'t> {
    table: &'t Table,
    live: Vec<File>,
    removed: Vec<DataFile>,
}

impl<'t> Files<'t> {
    /// All files of the table's version.
    pub(crate) fn of(table: &'t Table) -> Self {
        let live = table.files().iter().map(|data| File { data: data.clone(), new: None }).collect();
        Self { table, live, removed: Vec::new() }
    }

    /// None of them: the table is rebuilt.
    pub(crate) fn emptied(table: &'t Table) -> Self {
        Self { table, live: Vec::new(), removed: table.files().to_vec() }
    }

    /// The table.
    pub(crate) const fn table(&self) -> &'t Table {
        self.table
    }

    /// Numbers of all files.
    pub(crate) fn all(&self) -> Vec<usize> {
        (0..self.live.len()).collect()
    }

    /// Numbers of the files that may hold a key of the index, by their statistics of the first key column.
    pub(crate) fn candidates(&self, index: &KeyIndex, column: &str) -> anyhow::Result<Vec<usize>> {
        if self.live.is_empty() {
            return Ok(Vec::new());
        }
        let field = self.table.spec().schema.field_with_name(column)?;
        let keys = index.sorted((0..).take(index.len()).collect());
        let converter = RowConverter::new(vec![SortField::new(field.data_type().clone())])?;
        let mut found = Vec::new();
        for (number, file) in self.live.iter().enumerate() {
            let bounds = Bounds::of(&file.data, field, &converter)?;
            if bounds.hold_one(keys.len(), |at| index.key(keys[at])) {
                found.push(number);
            }
        }
        Ok(found)
    }

    /// Shows a file's rows, batch by batch, with the number of the first row of each.
    pub(crate) async fn read(
        &self,
        number: usize,
        columns: Option<Vec<String>>,
        mut see: impl AsyncFnMut(usize, RecordBatch) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let file = &self.live[number].data;
        let mut stream = self.table.scan(vec![file.clone()], columns);
        let mut first = 0;
        while let Some(batch) = stream.try_next().await.attach()? {
            let batch = lake_core::operator!("silver.stored", Batch(batch)).0;
            let rows = batch.num_rows();
            see(first, batch).await?;
            first += rows;
        }
        fault::rows(&format!("data file `{}` of `{}`", file.path, self.table.spec().name), file.rows, first as u64)
    }

    /// Puts written files in place of some files.
    pub(crate) fn replace(&mut self, mut gone: Vec<usize>, come: Vec<NewFile>) {
        gone.sort_unstable();
        for number in gone.into_iter().rev() {
            let file = self.live.swap_remove(number);
            if file.new.is_none() {
                self.removed.push(file.data);
            }
        }
        self.live.extend(come.into_iter().map(|new| File { data: new.data_file(), new: Some(new) }));
    }

    /// Files to add and to remove in the commit.
    pub(crate) fn finish(self) -> (Vec<NewFile>, Vec<DataFile>) {
        (self.live.into_iter().filter_map(|file| file.new).collect(), self.removed)
    }
}

/// What the first key column of a file may hold, as key bytes.
#[derive(Debug)]
struct Bounds {
    lowest: Option<Vec<u8>>,
    highest: Option<Vec<u8>>,
}

impl Bounds {
    fn of(file: &DataFile, field: &Field, converter: &RowConverter) -> anyhow::Result<Self> {
        let encoded = |value: Option<&serde_json::Value>| -> anyhow::Result<Option<Vec<u8>>> {
            let Some(array) = value.and_then(|value| one(value, field.data_type())) else { return Ok(None) };
            Ok(Some(converter.convert_columns(&[array])?.row(0).data().to_vec()))
        };
        let long = |value: &&serde_json::Value| value.as_str().is_some_and(|text| text.len() >= TEXT_MAX);
        Ok(Self {
            lowest: encoded(file.minimum(field.name()))?,
            highest: encoded(file.maximum(field.name()).filter(|value| !long(value)))?,
        })
    }

    /// Says whether one of the sorted keys begins with a value inside the bounds.
    fn hold_one<'k>(&self, count: usize, key: impl Fn(usize) -> &'k [u8]) -> bool {
        if count == 0 {
            return false;
        }
        // Statistics say nothing of nulls, whose first byte is 0.
        let nulls = key(0).first() == Some(&0);
        let lowest = self.lowest.as_deref().unwrap_or_default();
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            if key(middle) < lowest { low = middle + 1 } else { high = middle }
        }
        let inside = |key: &[u8]| self.highest.as_deref().is_none_or(|highest| &key[..key.len().min(highest.len())] <= highest);
        nulls || (low < count && inside(key(low)))
    }
}

/// A statistic as a column of one row; `None` for types whose statistics are not exact.
fn one(value: &serde_json::Value, kind: &DataType) -> Option<ArrayRef> {
    Some(match kind {
        DataType::Utf8 => Arc::new(StringArray::from(vec![value.as_str()?])),
        DataType::Int32 => Arc::new(Int32Array::from(vec![i32::try_from(value.as_i64()?).ok()?])),
        DataType::Int64 => Arc::new(Int64Array::from(vec![value.as_i64()?])),
        DataType::Date32 => Arc::new(Date32Array::from(vec![crate::decode::time::date(value.as_str()?)?])),
        _ => return None,
    })
}

/// Writes batches, in order, and ends the files.
pub(crate) async fn write(
    mut writer: DataWriter,
    batches: impl IntoIterator<Item = anyhow::Result<RecordBatch>>,
) -> anyhow::Result<Vec<NewFile>> {
    for batch in batches {
        writer.write(&lake_core::operator!("silver.write", Batch(batch?)).0).await.attach()?;
    }
    writer.finish().await.attach().context("failed to write rows")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Vec<u8> {
        let converter = RowConverter::new(vec![SortField::new(DataType::Utf8), SortField::new(DataType::Int32)]).unwrap();
        let columns: [ArrayRef; 2] = [Arc::new(StringArray::from(vec![text])), Arc::new(Int32Array::from(vec![7]))];
        converter.convert_columns(&columns).unwrap().row(0).data().to_vec()
    }

    fn hold(lowest: Option<&str>, highest: Option<&str>, keys: &[&str]) -> bool {
        let converter = RowConverter::new(vec![SortField::new(DataType::Utf8)]).unwrap();
        let bound = |text: &str| {
            converter.convert_columns(&[Arc::new(StringArray::from(vec![text])) as ArrayRef]).unwrap().row(0).data().to_vec()
        };
        let bounds = Bounds { lowest: lowest.map(bound), highest: highest.map(bound) };
        let keys: Vec<Vec<u8>> = keys.iter().map(|text| key(text)).collect();
        bounds.hold_one(keys.len(), |at| &keys[at])
    }

    #[test]
    fn only_files_that_may_hold_a_key_are_read() {
        assert!(hold(Some("b"), Some("d"), &["a", "c", "e"]));
        assert!(hold(Some("b"), Some("d"), &["d"]) && hold(Some("b"), Some("d"), &["b"]));
        assert!(!hold(Some("b"), Some("d"), &["a", "e"]));
        assert!(!hold(Some("b"), Some("d"), &["da"]) && !hold(Some("b"), Some("d"), &["azzzzzzzzzz"]));
        assert!(hold(Some("b"), Some("dddddddddddddddd"), &["dddddddddddddddc"]));
        assert!(!hold(Some("b"), Some("d"), &[]));
    }

    #[test]
    fn unknown_bounds_hold_everything() {
        assert!(hold(None, None, &["a"]) && hold(None, Some("d"), &["a"]) && hold(Some("b"), None, &["z"]));
        assert!(!hold(None, Some("d"), &["e"]) && !hold(Some("b"), None, &["a"]));
    }
}
