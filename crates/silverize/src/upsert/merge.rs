//! Who wins: pure, on the rows of a chunk and the stored rows of the same keys.
//!
//! Within a column group rows are applied in the order of their versions. One that equals what stands there (the same event, or
//! the same content at the same time) is a duplicate; a lower version is superseded; any other is accepted and replaces the
//! group as a whole. The rank only rises. What becomes of a table so does not depend on how its rows are cut into chunks; a
//! change that lost against another one of its instant is remembered for that (see `ties`).

use super::{
    incoming::{Incoming, Update},
    keys::{KeyCodec, KeyIndex, Slot},
    shape::Shape,
    stored::{Stored, StoredRow},
    ties::Mark,
};
use crate::version;
use arrow::{
    array::{Array as _, ArrayRef, AsArray as _},
    datatypes::TimestampMicrosecondType,
    util::display::array_value_to_string,
};
use lake_core::Ledger;
use std::collections::{HashMap, HashSet};

/// Where the content of a column group comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Winner {
    /// Nowhere: its columns are null.
    None,
    /// The table.
    Stored(StoredRow),
    /// The chunk.
    Update(Update),
}

/// What a chunk does to the table.
#[derive(Debug)]
pub(crate) struct Merged {
    /// The chunk.
    pub(crate) incoming: Incoming,
    /// Rows of the table.
    pub(crate) stored: Stored,
    /// Keys.
    pub(crate) index: KeyIndex,
    /// By slot: the row of the table that has the key.
    pub(crate) row: Vec<Option<StoredRow>>,
    /// By slot, then group.
    pub(crate) winners: Vec<Winner>,
    /// By slot, of a table with columns that outlast tombstones: where what a tombstone keeps comes from.
    pub(crate) kept: Vec<Winner>,
    /// By slot and group, of few: what the winner's version remembers of others at its instant.
    pub(crate) memories: HashMap<usize, String>,
    /// By slot: the rank, from 1.
    pub(crate) ranks: Vec<u8>,
    /// By slot, of a history: until when the row was true.
    pub(crate) valid_to: Vec<Option<i64>>,
    /// Slots whose row changes or is new, in the order of their keys.
    pub(crate) changed: Vec<Slot>,
    /// By input: accepted, duplicate and superseded rows.
    pub(crate) ledgers: Vec<Ledger>,
}

/// What is merged.
#[derive(Debug)]
pub(crate) struct Sides {
    /// The chunk.
    pub(crate) incoming: Incoming,
    /// Rows of the table.
    pub(crate) stored: Stored,
    /// Keys of the chunk.
    pub(crate) index: KeyIndex,
}

impl Merged {
    /// Merges a chunk with the stored rows of its keys; for a history, of all that its things ever had.
    pub(crate) fn new(shape: &Shape, codec: &KeyCodec, sides: Sides, inputs: usize) -> anyhow::Result<Self> {
        let Sides { incoming, stored, mut index } = sides;
        let row = rows_by_slot(codec, &stored, &mut index)?;
        let slots = index.len();
        let ranks = row.iter().map(|row| row.map_or(0, |row| stored.rank(row))).collect();
        let standing = |row: &Option<StoredRow>| row.map_or(Winner::None, Winner::Stored);
        let kept = if shape.keeps.is_empty() { Vec::new() } else { row.iter().map(standing).collect() };
        let winners = row.iter().flat_map(|row| vec![standing(row); shape.groups]).collect();
        let mut merged = Self {
            incoming,
            stored,
            index,
            row,
            winners,
            kept,
            memories: HashMap::new(),
            ranks,
            valid_to: Vec::new(),
            changed: Vec::new(),
            ledgers: vec![Ledger::default(); inputs],
        };
        let mut changed = vec![false; slots];
        merged.apply(shape, &mut changed);
        if shape.history() {
            merged.open_and_close(shape, &mut changed)?;
        }
        let slots = (0..).zip(&changed).filter_map(|(slot, changed)| changed.then_some(slot)).collect();
        merged.changed = merged.index.sorted(slots);
        Ok(merged)
    }

    /// Applies all rows, each group of each key by itself. Most keys meet one row: nothing is sorted for those.
    fn apply(&mut self, shape: &Shape, changed: &mut [bool]) {
        let Lists { head, next } = Lists::of(&self.incoming, self.winners.len(), shape.groups);
        let mut list = Vec::new();
        for (place, head) in head.into_iter().enumerate() {
            let mut update = head;
            list.clear();
            while let Some(at) = update {
                list.push(at);
                update = next[at as usize];
            }
            // The list runs backwards; equal versions keep the order in which they came.
            if list.len() > 1 {
                list.reverse();
                self.drop_known_events(&mut list);
                list.sort_by(|a, b| self.incoming.version(*a).cmp(self.incoming.version(*b)));
            }
            for update in &list {
                self.apply_one(shape, *update, place, changed);
            }
        }
    }

    /// Of rows that carry one event's id the first stays, as if each had come in a chunk of its own.
    fn drop_known_events(&mut self, list: &mut Vec<Update>) {
        let Self { incoming, ledgers, .. } = self;
        let mut seen = HashSet::new();
        list.retain(|update| {
            let is_new = version::identity(incoming.version(*update)).is_none_or(|id| seen.insert(id));
            ledgers[incoming.part(*update).input].duplicate += u64::from(!is_new);
            is_new
        });
    }

    fn apply_one(&mut self, shape: &Shape, update: Update, place: usize, changed: &mut [bool]) {
        let (slot, group) = (place / shape.groups, place % shape.groups);
        let ledger_of = self.incoming.part(update).input;
        let standing = self.winners[place];
        if self.equal(shape, update, standing, place) {
            self.ledgers[ledger_of].duplicate += 1;
            return;
        }
        let own = self.incoming.version(update);
        let (wins, is_tie) = match self.version(standing, group) {
            Some(other) => (own > other, version::time(own) == version::time(other)),
            None => (true, false),
        };
        if is_tie {
            let loser = if wins { standing } else { Winner::Update(update) };
            if let Some(mark) = self.mark(shape, loser, group) {
                let memory = mark.add_to(self.memory(standing, place, group));
                self.memories.insert(place, memory);
                changed[slot] = true;
            }
        } else if wins {
            self.memories.remove(&place);
        }
        let rank = self.incoming.rank(update);
        if wins {
            self.outlast(update, slot);
            self.winners[place] = Winner::Update(update);
        }
        if wins || rank > self.ranks[slot] {
            self.ranks[slot] = self.ranks[slot].max(rank);
            changed[slot] = true;
            self.ledgers[ledger_of].accepted += 1;
        } else {
            self.ledgers[ledger_of].superseded += 1;
        }
    }

    /// A row brings its own values of the columns that outlast tombstones; a tombstone brings none.
    fn outlast(&mut self, update: Update, slot: usize) {
        if !self.kept.is_empty() && !version::is_deletion(self.incoming.version(update)) {
            self.kept[slot] = Winner::Update(update);
        }
    }

    fn version(&self, winner: Winner, group: usize) -> Option<&str> {
        match winner {
            Winner::None => None,
            Winner::Stored(row) => self.stored.version(row, group),
            Winner::Update(update) => Some(self.incoming.version(update)),
        }
    }

    /// What is remembered beside a winner.
    fn memory(&self, winner: Winner, place: usize, group: usize) -> &str {
        match self.memories.get(&place) {
            Some(memory) => memory,
            None => self.version(winner, group).map_or("", version::memory),
        }
    }

    /// The same event, or the same content at the same time: as the row that stands there, or as one that lost against it.
    /// What raises the rank is news all the same.
    fn equal(&self, shape: &Shape, update: Update, standing: Winner, place: usize) -> bool {
        let (slot, group) = (place / shape.groups, place % shape.groups);
        let Some(other) = self.version(standing, group) else { return false };
        let own = self.incoming.version(update);
        if version::identity(own).is_some_and(|id| version::identity(other) == Some(id)) {
            return true;
        }
        if version::time(own) != version::time(other) || self.incoming.rank(update) > self.ranks[slot] {
            return false;
        }
        let own = Winner::Update(update);
        if self.content(shape, own, group).all(|name| self.same_value(name, own, standing)) {
            return true;
        }
        let memory = self.memory(standing, place, group);
        !memory.is_empty() && self.mark(shape, own, group).is_some_and(|mark| mark.is_in(memory))
    }

    /// The columns in which a row is compared: a tombstone brings nothing of what it keeps.
    fn content<'s>(&self, shape: &'s Shape, winner: Winner, group: usize) -> impl Iterator<Item = &'s String> + use<'s> {
        let is_deletion = !shape.keeps.is_empty() && self.version(winner, group).is_some_and(version::is_deletion);
        shape.content[group].iter().filter(move |name| !is_deletion || !shape.keeps.contains(name))
    }

    /// Columns that a route does not name are null.
    fn same_value(&self, name: &str, one: Winner, other: Winner) -> bool {
        match (self.value(name, one), self.value(name, other)) {
            (None, None) => true,
            (Some(one), Some(other)) => one.as_ref() == other.as_ref(),
            _ => false,
        }
    }

    /// The value of a column where it is not null.
    fn value(&self, name: &str, winner: Winner) -> Option<ArrayRef> {
        let (batch, row) = match winner {
            Winner::None => return None,
            Winner::Stored(row) => {
                let (batch, row) = self.stored.at(row);
                (&self.stored.batches[batch], row)
            }
            Winner::Update(update) => {
                let (part, row) = self.incoming.at(update);
                (&self.incoming.parts[part].batch, row)
            }
        };
        batch.column_by_name(name).map(|column| column.slice(row, 1)).filter(|value| value.null_count() == 0)
    }

    fn mark(&self, shape: &Shape, winner: Winner, group: usize) -> Option<Mark> {
        let text = |name: &String| self.value(name, winner).and_then(|value| array_value_to_string(&value, 0).ok());
        let content: Option<Vec<Option<String>>> =
            (!shape.personal[group]).then(|| self.content(shape, winner, group).map(text).collect());
        Mark::of(self.version(winner, group).and_then(version::identity), content.as_deref())
    }

    /// Gives each change of a thing its end: the next change. A row whose end moves is changed, too.
    fn open_and_close(&mut self, shape: &Shape, changed: &mut [bool]) -> anyhow::Result<()> {
        let Some(time) = shape.key.last() else { return Ok(()) };
        let all = self.index.sorted((0..).take(self.index.len()).collect());
        let mut valid_to = vec![None; all.len()];
        let things: Vec<Thing<'_>> = all.iter().map(|slot| self.thing(*slot, shape)).collect::<anyhow::Result<_>>()?;
        for (at, slot) in all.iter().enumerate() {
            let next = things.get(at + 1).filter(|next| next.key == things[at].key);
            let end = next.map(|next| self.instant(next.slot, time)).transpose()?.flatten();
            valid_to[*slot as usize] = end;
        }
        self.valid_to = valid_to;
        for (slot, row) in self.row.iter().enumerate() {
            if let Some(row) = row {
                let (batch, at) = self.stored.at(*row);
                let ends = self.stored.batches[batch]
                    .column_by_name("valid_to")
                    .and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
                let end = ends.filter(|ends| ends.is_valid(at)).map(|ends| ends.value(at));
                changed[slot] |= end != self.valid_to[slot];
            }
        }
        Ok(())
    }

    /// The key of a slot without its last column, as bytes.
    fn thing(&self, slot: Slot, shape: &Shape) -> anyhow::Result<Thing<'_>> {
        let key = self.index.key(slot);
        // The encoding of a timestamp is a byte for null and eight for the value, at the end of the key.
        let end = key
            .len()
            .checked_sub(9)
            .ok_or_else(|| anyhow::anyhow!("the last key column `{}` is no timestamp", shape.key[shape.thing]))?;
        Ok(Thing { slot, key: &key[..end] })
    }

    /// The instant in a key column of a slot.
    fn instant(&self, slot: Slot, column: &str) -> anyhow::Result<Option<i64>> {
        let (source, row) = self.index.origin(slot);
        let batch = match self.incoming.parts.get(source) {
            Some(part) => &part.batch,
            None => &self.stored.batches[source - self.incoming.parts.len()],
        };
        let found = batch.column_by_name(column).and_then(|found| found.as_primitive_opt::<TimestampMicrosecondType>());
        let found = found.ok_or_else(|| anyhow::anyhow!("key column `{column}` is no timestamp"))?;
        Ok(found.is_valid(row).then(|| found.value(row)))
    }
}

struct Thing<'a> {
    slot: Slot,
    key: &'a [u8],
}

/// Finds the slot of every stored row; keys that only the table has get new ones.
fn rows_by_slot(codec: &KeyCodec, stored: &Stored, index: &mut KeyIndex) -> anyhow::Result<Vec<Option<StoredRow>>> {
    let mut slots = Vec::with_capacity(stored.len());
    for batch in &stored.batches {
        slots.extend(index.add(codec.rows(batch)?));
    }
    let mut row = vec![None; index.len()];
    for (stored, slot) in (0..).zip(slots) {
        if row[slot as usize].replace(stored).is_some() {
            return Err(crate::fault::data("read the table: a key stands in it twice"));
        }
    }
    Ok(row)
}

/// Updates of each (slot, group) as linked lists.
struct Lists {
    head: Vec<Option<Update>>,
    next: Vec<Option<Update>>,
}

impl Lists {
    fn of(incoming: &Incoming, places: usize, groups: usize) -> Self {
        let mut lists = Self { head: vec![None; places], next: vec![None; incoming.len()] };
        for (update, slot) in (0..).zip(&incoming.slots) {
            let place = *slot as usize * groups + incoming.part(update).group;
            lists.next[update as usize] = lists.head[place].replace(update);
        }
        lists
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
