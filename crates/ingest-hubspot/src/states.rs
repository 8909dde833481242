//! What Bronze knows of each object or association: its newest state. Pure, but for the reading of the table.
//!
//! A state is about a hundred bytes, whatever an object holds, so the memory that a sweep needs grows with the number of
//! objects alone.

use anyhow::anyhow;
use arrow::{
    array::{Array as _, AsArray as _, RecordBatch},
    datatypes::TimestampMicrosecondType,
};
use futures::StreamExt as _;
use lake_bronze::Landing;
use lake_core::Fault;
use lake_edge::Attach as _;
use std::{
    collections::{HashMap, HashSet},
    fmt,
};

/// What became of an object or association. Of two states of one instant the later in this order is the newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    /// It is there.
    Present,
    /// It is archived.
    Archived,
    /// It is nowhere: deleted, or merged into another one.
    Absent,
}

impl Change {
    const ALL: [Self; 3] = [Self::Present, Self::Archived, Self::Absent];

    /// Value of `_change`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Archived => "archived",
            Self::Absent => "absent",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|change| change.name() == name)
    }
}

/// What a row of Bronze is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Key {
    /// An object.
    Object(u64),
    /// An association, from one object to another.
    Pair(u64, u64),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(id) => write!(f, "{id}"),
            Self::Pair(from, to) => write!(f, "{from}/{to}"),
        }
    }
}

impl Key {
    /// Reads a `_key`.
    fn of(text: &str) -> Option<Self> {
        match text.split_once('/') {
            None => text.parse().ok().map(Self::Object),
            Some((from, to)) => Some(Self::Pair(from.parse().ok()?, to.parse().ok()?)),
        }
    }
}

/// The newest state of an object or association.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    /// `_observed_at`, in microseconds.
    pub(crate) at: i64,
    /// What became of it.
    pub(crate) change: Change,
    /// What an association is, as `decode::target` tells it; 0 for objects.
    pub(crate) types: u64,
    /// `_present_since` of an association, in microseconds; 0 for objects.
    pub(crate) since: i64,
}

/// The newest state of each.
#[derive(Debug, Default)]
pub(crate) struct States(HashMap<Key, State>);

impl States {
    /// Reads the states of the rows that stay when a landing is committed.
    pub(crate) async fn read(landing: &Landing, pairs: bool) -> anyhow::Result<Self> {
        let mut columns = vec!["_key".to_owned(), "_change".to_owned(), "_observed_at".to_owned()];
        if pairs {
            columns.extend(["_payload", "_present_since"].map(str::to_owned));
        }
        let mut batches = landing.table().scan(landing.staying().await.attach()?, Some(columns));
        let mut states = Self::default();
        while let Some(batch) = batches.next().await {
            let taken = states.take(&batch.attach()?);
            taken.ok_or_else(|| {
                anyhow!("failed to read what Bronze knows: a row is none of a HubSpot table").context(Fault::Data)
            })?;
        }
        Ok(states)
    }

    /// Takes the rows of a batch; `None` when one of them is not what this program lands.
    fn take(&mut self, batch: &RecordBatch) -> Option<()> {
        let texts = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
        let (keys, changes) = (texts("_key")?, texts("_change")?);
        let instants = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>();
        let (times, begun) = (instants("_observed_at")?, instants("_present_since"));
        let payloads = batch.column_by_name("_payload").and_then(|column| column.as_binary_opt::<i32>());
        for row in 0..batch.num_rows() {
            let types = match payloads.filter(|payloads| payloads.is_valid(row)) {
                Some(payloads) => crate::decode::target(payloads.value(row)).ok()?.1,
                None => 0,
            };
            let since = begun.map_or(0, |begun| begun.value(row));
            let state = State { at: times.value(row), change: Change::named(changes.value(row))?, types, since };
            self.observe(Key::of(keys.value(row))?, state);
        }
        Some(())
    }

    /// Takes down a state, if it is newer than what is known.
    pub(crate) fn observe(&mut self, key: Key, state: State) {
        let known = self.0.entry(key).or_insert(state);
        if (known.at, known.change) < (state.at, state.change) {
            *known = state;
        }
    }

    /// Whether an archival is newer than all that is known of an object.
    pub(crate) fn archival_is_new(&self, id: u64, at: i64) -> bool {
        self.0.get(&Key::Object(id)).is_none_or(|known| (known.at, known.change) < (at, Change::Archived))
    }

    /// Ids that are known as present and are not among the live ones, in order. What is known from this instant on is left to
    /// a later window: an older state would change nothing.
    pub(crate) fn gone(&self, live: &HashMap<u64, i64>, at: i64) -> Vec<u64> {
        let gone = |(key, state): (&Key, &State)| match key {
            Key::Object(id) if state.change == Change::Present && state.at < at && !live.contains_key(id) => Some(*id),
            _ => None,
        };
        let mut ids: Vec<u64> = self.0.iter().filter_map(gone).collect();
        ids.sort_unstable();
        ids
    }

    /// Number of live objects that changed before an instant and are not known in that state: the index of the search lags, or
    /// they changed before every window.
    pub(crate) fn behind(&self, live: &HashMap<u64, i64>, before: i64) -> usize {
        let known = |id: u64, at: i64| {
            self.0.get(&Key::Object(id)).is_some_and(|known| known.change == Change::Present && known.at >= at)
        };
        live.iter().filter(|(id, at)| **at < before && !known(**id, **at)).count()
    }

    /// Since when a present association is there, if that it is, or is of these types, is news at an instant. One that is
    /// unknown or known as absent begins then; one that is now of other types began before.
    pub(crate) fn pair_is_new(&self, key: Key, types: u64, at: i64) -> Option<i64> {
        match self.0.get(&key) {
            None => Some(at),
            Some(known) if known.at >= at => None,
            Some(known) if known.change != Change::Present => Some(at),
            Some(known) => (known.types != types).then_some(known.since),
        }
    }

    /// Associations that are known as present from before an instant and were not seen, in order, and since when they were there.
    pub(crate) fn unseen(&self, seen: &HashSet<Key>, at: i64) -> Vec<(Key, i64)> {
        let unseen = |(key, state): &(&Key, &State)| state.change == Change::Present && state.at < at && !seen.contains(key);
        let mut keys: Vec<(Key, i64)> = self.0.iter().filter(unseen).map(|(key, state)| (*key, state.since)).collect();
        keys.sort_unstable();
        keys
    }
}

#[cfg(test)]
#[path = "states_tests.rs"]
mod tests;
