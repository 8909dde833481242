//! Keys as bytes that sort, and a map from key to slot.

use arrow::{
    array::{ArrayRef, RecordBatch, new_null_array},
    datatypes::{DataType, SchemaRef},
    row::{RowConverter, Rows, SortField},
};
use std::{
    collections::HashMap,
    hash::{BuildHasher as _, BuildHasherDefault, Hasher},
};

/// Number of a key among those of a chunk.
pub(crate) type Slot = u32;

/// Turns key columns into bytes whose order is the order of the keys.
#[derive(Debug)]
pub(crate) struct KeyCodec {
    converter: RowConverter,
    names: Vec<String>,
    kinds: Vec<DataType>,
}

impl KeyCodec {
    /// A codec for some columns of a schema.
    pub(crate) fn new(schema: &SchemaRef, names: &[String]) -> anyhow::Result<Self> {
        let mut kinds = Vec::with_capacity(names.len());
        for name in names {
            kinds.push(schema.field_with_name(name)?.data_type().clone());
        }
        let fields = kinds.iter().cloned().map(SortField::new).collect();
        Ok(Self { converter: RowConverter::new(fields)?, names: names.to_vec(), kinds })
    }

    /// The columns.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the keys of a batch. A column that the batch does not have is null in every row: a movement of a whole order
    /// has no line.
    pub(crate) fn rows(&self, batch: &RecordBatch) -> anyhow::Result<Rows> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.names.len());
        for (name, kind) in self.names.iter().zip(&self.kinds) {
            let column = batch.column_by_name(name).cloned();
            columns.push(column.unwrap_or_else(|| new_null_array(kind, batch.num_rows())));
        }
        Ok(self.converter.convert_columns(&columns)?)
    }
}

/// Slots by key. Keys stay in the [`Rows`] that they came in, so the index owns them and can move between threads.
#[derive(Debug, Default)]
pub(crate) struct KeyIndex {
    rows: Vec<Rows>,
    /// By slot: where its key stands in `rows`.
    at: Vec<(u32, u32)>,
    hasher: foldhash::fast::RandomState,
    first: HashMap<u64, Slot, BuildHasherDefault<Hashed>>,
    /// By slot: the next slot with the same hash.
    next: Vec<Option<Slot>>,
}

impl KeyIndex {
    /// Returns an empty index with room for so many keys.
    pub(crate) fn with_capacity(keys: usize) -> Self {
        let mut index = Self::default();
        index.first.reserve(keys);
        index.at.reserve(keys);
        index.next.reserve(keys);
        index
    }

    /// Adds keys and returns the slot of each.
    pub(crate) fn add(&mut self, rows: Rows) -> Vec<Slot> {
        let source = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        self.rows.push(rows);
        let count = self.rows[source as usize].num_rows();
        (0..count).map(|row| self.slot(source, row)).collect()
    }

    fn slot(&mut self, source: u32, row: usize) -> Slot {
        let new = Slot::try_from(self.at.len()).unwrap_or(Slot::MAX);
        let key = self.rows[source as usize].row(row);
        let hash = self.hasher.hash_one(key.data());
        let mut last = None;
        let mut candidate = self.first.get(&hash).copied();
        while let Some(slot) = candidate {
            if self.key(slot) == key.data() {
                return slot;
            }
            last = Some(slot);
            candidate = self.next[slot as usize];
        }
        match last {
            Some(last) => self.next[last as usize] = Some(new),
            None => drop(self.first.insert(hash, new)),
        }
        self.at.push((source, u32::try_from(row).unwrap_or(u32::MAX)));
        self.next.push(None);
        new
    }

    /// Returns the slot of a key.
    pub(crate) fn find(&self, key: &[u8]) -> Option<Slot> {
        let mut candidate = self.first.get(&self.hasher.hash_one(key)).copied();
        while let Some(slot) = candidate {
            if self.key(slot) == key {
                return Some(slot);
            }
            candidate = self.next[slot as usize];
        }
        None
    }

    /// Number of keys.
    pub(crate) fn len(&self) -> usize {
        self.at.len()
    }

    /// The key of a slot.
    pub(crate) fn key(&self, slot: Slot) -> &[u8] {
        let (source, row) = self.at[slot as usize];
        self.rows[source as usize].row(row as usize).data()
    }

    /// Where the key of a slot came from: number of the rows added, and row.
    pub(crate) fn origin(&self, slot: Slot) -> (usize, usize) {
        let (source, row) = self.at[slot as usize];
        (source as usize, row as usize)
    }

    /// Slots in the order of their keys.
    pub(crate) fn sorted(&self, mut slots: Vec<Slot>) -> Vec<Slot> {
        // Sources often deliver by key: then there is nothing to do.
        if !slots.windows(2).all(|pair| self.key(pair[0]) <= self.key(pair[1])) {
            slots.sort_unstable_by(|a, b| self.key(*a).cmp(self.key(*b)));
        }
        slots
    }
}

/// A hash that is one already.
#[derive(Debug, Default)]
pub(crate) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::{
        array::{Int32Array, StringArray},
        datatypes::{Field, Schema},
    };
    use std::sync::Arc;

    fn rows(list: &[(&str, Option<i32>)]) -> (KeyCodec, Rows) {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Utf8, true), Field::new("b", DataType::Int32, true)]));
        let codec = KeyCodec::new(&schema, &["a".into(), "b".into()]).unwrap();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(list.iter().map(|key| key.0))),
            Arc::new(Int32Array::from_iter(list.iter().map(|key| key.1))),
        ];
        let rows = codec.rows(&RecordBatch::try_new(schema, columns).unwrap()).unwrap();
        (codec, rows)
    }

    #[test]
    fn equal_keys_share_a_slot_across_batches() {
        let mut index = KeyIndex::default();
        assert_eq!(index.add(rows(&[("x", Some(1)), ("x", None), ("x", Some(1))]).1), [0, 1, 0]);
        let (_, more) = rows(&[("y", Some(1)), ("x", None)]);
        assert_eq!(index.find(more.row(1).data()), Some(1));
        assert_eq!(index.find(more.row(0).data()), None);
        assert_eq!(index.add(more), [2, 1]);
        assert_eq!((index.len(), index.origin(2)), (3, (1, 0)));
    }

    #[test]
    fn keys_sort_as_their_values_do() {
        let mut index = KeyIndex::default();
        let slots =
            index.add(rows(&[("b", Some(1)), ("a", Some(10)), ("a", Some(9)), ("a", None), ("a", Some(-1)), ("ab", Some(0))]).1);
        assert_eq!(index.sorted(slots), [3, 4, 2, 1, 5, 0]);
    }
}
