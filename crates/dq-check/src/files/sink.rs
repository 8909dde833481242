//! Where the readers of all formats put their rows: typed by the contract, handed on in batches, with what the files would not
//! say kept beside them.

use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions},
    datatypes::SchemaRef,
};
use lake_core::Contract;
use lake_edge::Bar;
use lake_table::{Notation, TableSpec, TextColumn};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// Rows that are handed on at once: many, since each look of the rules has a price, and few enough to stay small in memory.
const BATCH_ROWS: usize = 65_536;
/// Longest name of an unknown column that is told, and how many: a stranger's file may have anything for a name.
const NAME_LENGTH_MAX: usize = 64;
const NAMES_MAX: usize = 100;

/// Takes the rows.
pub(super) type Take<'a> = dyn FnMut(&RecordBatch) -> anyhow::Result<()> + 'a;

/// A value as a file has it.
pub(super) enum Cell<'a> {
    /// None.
    Null,
    /// What is to be read.
    Text(Cow<'a, [u8]>),
    /// Nothing that a column can hold.
    Unreadable,
}

/// What files would not say, and what they have.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Rows that were handed on.
    pub(super) rows: u64,
    /// Records that are no rows.
    pub(super) broken: u64,
    /// Values that cannot be read, by column.
    pub(super) unreadable: BTreeMap<String, u64>,
    /// Columns of the contract that some file has.
    pub(super) present: BTreeSet<String>,
    /// Columns of the contract that a file with named columns has not.
    pub(super) missing: BTreeSet<String>,
    /// Columns that are not in the contract.
    pub(super) unknown: BTreeSet<String>,
}

/// Puts rows together.
pub(super) struct Sink<'a> {
    contract: &'a Contract,
    schema: SchemaRef,
    columns: Vec<TextColumn>,
    waiting: usize,
    take: &'a mut Take<'a>,
    pub(super) seen: &'a mut Seen,
    pub(super) bar: &'a Bar,
}

impl<'a> Sink<'a> {
    pub(super) fn new(contract: &'a Contract, seen: &'a mut Seen, bar: &'a Bar, take: &'a mut Take<'a>) -> Self {
        let columns = contract.columns.iter().map(|column| TextColumn::new(column.kind, Notation::File)).collect();
        let schema = TableSpec::of(contract).schema;
        Self { contract, schema, columns, waiting: 0, take, seen, bar }
    }

    pub(super) const fn contract(&self) -> &'a Contract {
        self.contract
    }

    /// Notes the columns of a file that names them; those that Sluice adds need not be there.
    pub(super) fn header<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        let names: Vec<&str> = names.into_iter().collect();
        if names.iter().any(|name| self.contract.column(name).is_some()) {
            for (at, name) in names.iter().enumerate() {
                self.column(name);
                if names[..at].contains(name) {
                    // The second one would never be looked at.
                    self.seen.unknown.insert(format!("{} twice", told(name)));
                }
            }
        } else {
            // Without a header these are values of a row, and those are not told.
            self.seen.unknown.insert("none of those in the first line, which may be no header".to_owned());
        }
        let absent = self.contract.columns.iter().filter(|column| !names.contains(&column.name.as_str()));
        self.seen.missing.extend(absent.filter(|column| !column.name.starts_with('_')).map(|column| column.name.clone()));
    }

    /// Notes a column.
    pub(super) fn column(&mut self, name: &str) {
        if self.contract.column(name).is_some() {
            if !self.seen.present.contains(name) {
                self.seen.present.insert(name.to_owned());
            }
        } else if self.seen.unknown.len() < NAMES_MAX {
            self.seen.unknown.insert(told(name));
        }
    }

    /// Notes a record that is no row.
    pub(super) fn broken(&mut self) {
        self.seen.broken += 1;
    }

    /// Notes a value that cannot be read.
    pub(super) fn unreadable(&mut self, column: usize, values: u64) {
        if values > 0 {
            *self.seen.unreadable.entry(self.contract.columns[column].name.clone()).or_default() += values;
        }
    }

    /// Takes a row: the value of each column of the contract, by its number.
    pub(super) fn row<'c>(&mut self, mut cell: impl FnMut(usize) -> Cell<'c>) -> anyhow::Result<()> {
        for at in 0..self.columns.len() {
            let (text, possible) = match cell(at) {
                Cell::Null => (None, true),
                Cell::Text(text) => (Some(text), true),
                Cell::Unreadable => (None, false),
            };
            let read = self.columns[at].append(text.as_deref());
            self.unreadable(at, u64::from(!(read && possible)));
        }
        self.waiting += 1;
        if self.waiting == BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    /// Takes a batch that is typed already.
    pub(super) fn batch(&mut self, columns: Vec<ArrayRef>, rows: usize) -> anyhow::Result<()> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        self.seen.rows += rows as u64;
        (self.take)(&batch)
    }

    /// Hands on the rows that wait.
    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        let rows = std::mem::take(&mut self.waiting);
        if rows == 0 {
            return Ok(());
        }
        let columns = self.columns.iter_mut().map(TextColumn::finish).collect();
        self.batch(columns, rows)
    }
}

/// A name for messages; one that may be anything else than a name is not told.
fn told(name: &str) -> String {
    let plain = name.len() <= NAME_LENGTH_MAX && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ' ');
    if plain && !name.is_empty() { format!("`{name}`") } else { "one whose name is no name".to_owned() }
}
