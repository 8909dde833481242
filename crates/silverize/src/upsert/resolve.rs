//! Fills a column from the first row of the same session, and keeps it so when rows come, change or go.
//!
//! A session is touched when a row of it comes, changes, or leaves for another one. All rows of touched sessions are looked at:
//! those of the chunk, and those of the table in the few columns that decide, in files that may hold one. Rows of the table that
//! take another value than they have are written again with what the chunk changes; no ledger counts them, so each is counted
//! where it is decided and where it is written.

use super::{
    assemble::Assembler,
    files::Files,
    keys::{KeyCodec, KeyIndex, Slot},
    shape::Shape,
    stored::StoredRow,
};
use anyhow::Context as _;
use arrow::{
    array::{Array as _, ArrayRef, AsArray as _, RecordBatch, StringArray, UInt64Array},
    compute::{filter_record_batch, is_not_null, take_record_batch},
};
use lake_core::contract::layer::Resolve;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::atomic::{AtomicU64, Ordering},
};

/// Number of a touched session.
type Session = Slot;
/// Number of a value that rows take.
type Value = u32;

/// Finds what rows take from others.
#[derive(Debug)]
pub(crate) struct Resolver {
    resolve: Resolve,
    within: KeyCodec,
    order: KeyCodec,
    /// The columns that decide.
    deciding: Vec<String>,
    /// These, and the one that is filled.
    columns: Vec<String>,
}

/// A row that takes a value from another one; the value is null where no row has one any more.
#[derive(Debug, Clone, Copy)]
struct Taking {
    row: Row,
    value: Option<Value>,
}

#[derive(Debug, Clone, Copy)]
enum Row {
    Chunk(Slot),
    Stored { file: usize, row: usize },
}

/// What rows take from others.
#[derive(Debug, Default)]
pub(crate) struct Resolution {
    values: Vec<String>,
    /// Rows of the chunk, by slot.
    chunk: Vec<(Slot, Option<Value>)>,
    /// By file, then row: rows of the table.
    stored: BTreeMap<usize, Vec<(usize, Option<Value>)>>,
    decided: u64,
    written: AtomicU64,
}

impl Resolver {
    /// Prepares the resolved column of a table, where it has one.
    pub(crate) fn new(shape: &Shape) -> anyhow::Result<Option<Self>> {
        let Some(resolve) = shape.resolve.clone() else { return Ok(None) };
        let mut deciding = vec![resolve.within.clone(), resolve.from.clone()];
        deciding.extend(resolve.order.iter().filter(|name| **name != resolve.within && **name != resolve.from).cloned());
        Ok(Some(Self {
            within: KeyCodec::new(&shape.schema, std::slice::from_ref(&resolve.within))?,
            order: KeyCodec::new(&shape.schema, &resolve.order)?,
            columns: deciding.iter().chain([&resolve.column]).cloned().collect(),
            deciding,
            resolve,
        }))
    }

    /// Decides what rows take once a chunk is merged; `files` are as they were before.
    pub(crate) async fn resolve(&self, files: &Files<'_>, assembler: &Assembler) -> anyhow::Result<Resolution> {
        let merged = &assembler.merged;
        let mut sessions = Sessions::default();
        let come = assembler.columns(&self.deciding, &merged.changed)?;
        let own = sessions.touch(&self.within, &come)?;
        let before: Vec<StoredRow> = merged.changed.iter().filter_map(|slot| merged.row[*slot as usize]).collect();
        sessions.touch(&self.within, &assembler.stored(self.within.names(), &before)?)?;
        let (from, order) = (text(&come, &self.resolve.from)?, self.order.rows(&come)?);
        let mut waiting = Vec::new();
        for (at, slot) in merged.changed.iter().enumerate() {
            let Some(session) = own[at] else { continue };
            if from.is_valid(at) {
                sessions.offer(session, order.row(at).data(), from.value(at));
            } else {
                waiting.push((Row::Chunk(*slot), session, None));
            }
        }
        let gone: HashSet<(usize, usize)> =
            before.iter().map(|row| merged.stored.origins[*row as usize]).map(|origin| (origin.file, origin.row)).collect();
        for file in files.candidates(&sessions.index, &self.resolve.within)? {
            let mut members = self.members(files, file, &sessions).await?;
            members.retain(|(row, _)| !gone.contains(&(file, *row)));
            if !members.is_empty() {
                waiting.extend(self.look(files, file, &members, &mut sessions).await?);
            }
        }
        let differs = |(row, session, has): (Row, Session, Option<Value>)| {
            let value = sessions.firsts[session as usize].as_ref().map(|first| first.value);
            (value != has).then_some(Taking { row, value })
        };
        let takings: Vec<Taking> = waiting.into_iter().filter_map(differs).collect();
        let decided = takings.len() as u64;
        Ok(Resolution::new(sessions.values, lake_core::operator!("silver.resolve", takings), decided))
    }

    /// Rows of a file that are of touched sessions.
    async fn members(&self, files: &Files<'_>, file: usize, sessions: &Sessions) -> anyhow::Result<Vec<(usize, Session)>> {
        let mut members = Vec::new();
        files
            .read(file, Some(self.within.names().to_vec()), async |first, batch| {
                let keys = self.within.rows(&batch)?;
                let found =
                    (0..keys.num_rows()).filter_map(|row| Some((first + row, sessions.index.find(keys.row(row).data())?)));
                members.extend(found);
                Ok(())
            })
            .await?;
        Ok(members)
    }

    /// Looks at rows of a file: those with a value of their own offer it, the others may take one.
    async fn look(
        &self,
        files: &Files<'_>,
        file: usize,
        members: &[(usize, Session)],
        sessions: &mut Sessions,
    ) -> anyhow::Result<Vec<(Row, Session, Option<Value>)>> {
        let mut waiting = Vec::new();
        files
            .read(file, Some(self.columns.clone()), async |first, batch| {
                let start = members.partition_point(|(row, _)| *row < first);
                let end = members.partition_point(|(row, _)| *row < first + batch.num_rows());
                let wanted = UInt64Array::from_iter_values(members[start..end].iter().map(|(row, _)| (row - first) as u64));
                let found = take_record_batch(&batch, &wanted)?;
                let (from, has) = (text(&found, &self.resolve.from)?, text(&found, &self.resolve.column)?);
                let order = self.order.rows(&found)?;
                for (at, (row, session)) in members[start..end].iter().enumerate() {
                    if from.is_valid(at) {
                        sessions.offer(*session, order.row(at).data(), from.value(at));
                    } else {
                        let has = has.is_valid(at).then(|| sessions.value(has.value(at)));
                        waiting.push((Row::Stored { file, row: *row }, *session, has));
                    }
                }
                Ok(())
            })
            .await?;
        Ok(waiting)
    }
}

/// The touched sessions, and who is first in each.
#[derive(Debug, Default)]
struct Sessions {
    index: KeyIndex,
    /// By session.
    firsts: Vec<Option<First>>,
    values: Vec<String>,
    numbers: HashMap<String, Value>,
}

/// The first row of a session that has a value.
#[derive(Debug, Clone)]
struct First {
    order: Vec<u8>,
    value: Value,
}

impl Sessions {
    /// Takes in the sessions of some rows; rows without one have none.
    fn touch(&mut self, within: &KeyCodec, rows: &RecordBatch) -> anyhow::Result<Vec<Option<Session>>> {
        let column = rows.column_by_name(&within.names()[0]).context("the column of sessions is missing")?;
        let has_one = is_not_null(column)?;
        let mut found = self.index.add(within.rows(&filter_record_batch(rows, &has_one)?)?).into_iter();
        self.firsts.resize(self.index.len(), None);
        Ok(has_one.values().iter().map(|has_one| if has_one { found.next() } else { None }).collect())
    }

    fn offer(&mut self, session: Session, order: &[u8], text: &str) {
        let first = &self.firsts[session as usize];
        if first.as_ref().is_none_or(|first| order < first.order.as_slice()) {
            let value = self.value(text);
            self.firsts[session as usize] = Some(First { order: order.to_vec(), value });
        }
    }

    fn value(&mut self, text: &str) -> Value {
        if let Some(known) = self.numbers.get(text) {
            return *known;
        }
        let new = Value::try_from(self.values.len()).unwrap_or(Value::MAX);
        self.values.push(text.to_owned());
        self.numbers.insert(text.to_owned(), new);
        new
    }
}

impl Resolution {
    fn new(values: Vec<String>, takings: Vec<Taking>, decided: u64) -> Self {
        let mut resolution = Self { values, decided, ..Self::default() };
        for Taking { row, value } in takings {
            match row {
                Row::Chunk(slot) => resolution.chunk.push((slot, value)),
                Row::Stored { file, row } => resolution.stored.entry(file).or_default().push((row, value)),
            }
        }
        resolution.chunk.sort_unstable();
        resolution.stored.values_mut().for_each(|rows| rows.sort_unstable());
        resolution
    }

    /// Files with rows that take another value.
    pub(crate) fn files(&self) -> impl Iterator<Item = usize> {
        self.stored.keys().copied()
    }

    /// How many rows of the table take another value.
    pub(crate) fn rows(&self) -> u64 {
        self.stored.values().map(|rows| rows.len() as u64).sum()
    }

    /// The column of some slots: their own values, and where they have none, what they take.
    pub(crate) fn column(&self, slots: &[Slot], own: ArrayRef) -> anyhow::Result<ArrayRef> {
        if self.chunk.is_empty() {
            return Ok(own);
        }
        let own = own.as_string_opt::<i32>().context("what rows take is no text")?;
        let mut written = 0;
        let mut value = |slot: Slot| {
            let start = self.chunk.partition_point(|(other, _)| *other < slot);
            let end = self.chunk.partition_point(|(other, _)| *other <= slot);
            written += (end - start) as u64;
            self.chunk[start..end].first().and_then(|(_, value)| self.text(*value))
        };
        let column: StringArray = slots.iter().zip(own).map(|(slot, own)| own.or_else(|| value(*slot))).collect();
        self.written.fetch_add(written, Ordering::Relaxed);
        Ok(std::sync::Arc::new(column))
    }

    /// What rows of a file take, from a row on, as many rows as a batch has: the rows, and their values as a column.
    pub(crate) fn of_batch(&self, file: usize, first: usize, count: usize) -> (Vec<usize>, StringArray) {
        let all = self.stored.get(&file).map_or(&[][..], Vec::as_slice);
        let start = all.partition_point(|(row, _)| *row < first);
        let end = all.partition_point(|(row, _)| *row < first + count);
        let takings = &all[start..end];
        self.written.fetch_add(takings.len() as u64, Ordering::Relaxed);
        let values = takings.iter().map(|(_, value)| self.text(*value)).collect();
        (takings.iter().map(|(row, _)| *row).collect(), values)
    }

    fn text(&self, value: Option<Value>) -> Option<&str> {
        value.map(|value| self.values[value as usize].as_str())
    }

    /// Checks that every row that was to take a value was written.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        crate::fault::rows("touched sessions", self.decided, self.written.load(Ordering::Relaxed))
    }
}

fn text<'a>(batch: &'a RecordBatch, name: &str) -> anyhow::Result<&'a StringArray> {
    let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    column.with_context(|| format!("column `{name}` is missing"))
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
