//! States -> Bronze rows: bytes untouched, meta columns beside them.

use crate::{
    decode::{Object, Pair},
    states::{Change, Key, State},
};
use arrow::{
    array::{ArrayRef, BinaryArray, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::SchemaRef,
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use lake_bronze::{BronzeError, Meta, refuse_refresh};
use lake_core::{Contract, Run, contract::layer::HubspotSource};
use lake_edge::{Attach as _, Edge};
use std::sync::Arc;

/// One state that lands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// What it is about.
    pub(crate) key: Key,
    /// What became of it.
    pub(crate) change: Change,
    /// Since when, in microseconds.
    pub(crate) at: i64,
    /// Since when an association is there, or was until it was removed, whatever its types; 0 for objects.
    pub(crate) since: i64,
    /// Bytes as received; none of what is absent.
    pub(crate) payload: Option<Bytes>,
}

impl Row {
    /// The state of an object as received.
    pub(crate) fn object(object: Object) -> Self {
        let (change, at) = match object.archived_at {
            None => (Change::Present, object.updated_at),
            Some(at) => (Change::Archived, at),
        };
        Self { key: Key::Object(object.id), change, at: at.timestamp_micros(), since: 0, payload: Some(object.bytes) }
    }

    /// The state of an association as received; HubSpot does not say since when.
    pub(crate) fn pair(pair: Pair, at: i64, since: i64) -> Self {
        Self { key: Key::Pair(pair.from, pair.to), change: Change::Present, at, since, payload: Some(pair.bytes) }
    }

    /// The state of an object that is there no more.
    pub(crate) const fn absent(id: u64, at: i64) -> Self {
        Self { key: Key::Object(id), change: Change::Absent, at, since: 0, payload: None }
    }

    /// The state of an association that is there no more.
    pub(crate) const fn removed(key: Key, at: i64, since: i64) -> Self {
        Self { key, change: Change::Absent, at, since, payload: None }
    }

    /// What is known once the row is landed.
    pub(crate) const fn state(&self) -> State {
        State { at: self.at, change: self.change, types: 0, since: self.since }
    }
}

/// What one window needs, from contract and run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The source's part of the contract.
    pub(crate) source: HubspotSource,
    /// Start of the window, in microseconds.
    pub(crate) from: i64,
    /// End of the window, in microseconds.
    pub(crate) to: i64,
    meta: Meta,
}

impl Plan {
    /// Returns the plan of a run.
    pub(crate) fn new(edge: &Edge) -> anyhow::Result<Self> {
        refuse_refresh(edge.full_refresh).attach()?;
        Self::of(&edge.run, &edge.contract)
    }

    pub(crate) fn of(run: &Run, contract: &Contract) -> anyhow::Result<Self> {
        let (meta, _, source) = Meta::of_source::<HubspotSource>(run, contract).attach()?;
        let micros = |at: DateTime<Utc>| at.timestamp_micros();
        Ok(Self { source: source.clone(), from: micros(run.window.from()), to: micros(run.window.to()), meta })
    }

    /// Returns Bronze rows.
    pub(crate) fn batch(&self, schema: &SchemaRef, rows: &[Row]) -> Result<RecordBatch, BronzeError> {
        let texts =
            |text: &dyn Fn(&Row) -> String| -> ArrayRef { Arc::new(StringArray::from_iter_values(rows.iter().map(text))) };
        let ids = |row: &Row| match row.key {
            Key::Object(id) => (id, 0),
            Key::Pair(from, to) => (from, to),
        };
        let instants = |instant: &dyn Fn(&Row) -> i64| -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(instant)).with_timezone("UTC"))
        };
        let own: [(&str, ArrayRef); 9] = [
            ("_payload", Arc::new(BinaryArray::from_iter(rows.iter().map(|row| row.payload.as_deref())))),
            ("_change", texts(&|row| row.change.name().to_owned())),
            ("_observed_at", instants(&|row| row.at)),
            ("_present_since", instants(&|row| row.since)),
            ("from_id", texts(&|row| ids(row).0.to_string())),
            ("to_id", texts(&|row| ids(row).1.to_string())),
            ("_key", texts(&|row| row.key.to_string())),
            ("_position", texts(&|row| format!("{}/{}", row.key, shown(row.at)))),
            ("_violations", Arc::new(StringArray::new_null(rows.len()))),
        ];
        self.meta.assemble(schema, &own, rows.len())
    }
}

/// An instant in a fixed width, so that text order is time order.
fn shown(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros).unwrap_or_default().format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_became_of_an_object_and_since_when() {
        let at = |micros| DateTime::from_timestamp_micros(micros).unwrap();
        let live = Object { updated_at: at(5), ..Object::of(512) };
        let row = Row::object(live.clone());
        assert_eq!((row.key, row.change, row.at), (Key::Object(512), Change::Present, 5));
        let archived = Row::object(Object { archived_at: Some(at(9)), ..live });
        assert_eq!((archived.change, archived.at, archived.payload), (Change::Archived, 9, Some(Bytes::new())));
        let removed = Row::removed(Key::Pair(1, 2), 7, 3);
        assert_eq!((removed.change, removed.at, removed.since, removed.payload), (Change::Absent, 7, 3, None));
    }

    #[test]
    fn positions_sort_by_time() {
        assert_eq!(shown(1_514_595_723_004_000), "2017-12-30T01:02:03.004000Z");
        assert!(shown(1_514_595_723_004_000) < shown(1_514_595_723_040_000));
    }
}
