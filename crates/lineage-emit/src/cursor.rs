//! How far a receiver is: `ops/lineage_cursors/<name>.json`.
//!
//! Names of events sort by time, but an event may land in the outbox after one that is later: clocks differ, and a slow store
//! shows a file late. So the cursor also names what was delivered in the last hour before its place, and what lands in that
//! hour is still seen. Losing a cursor costs a second delivery and nothing else.
//!
//! The place is never later than the present: one event of a clock that is ahead would hide those of all others until its time.

use crate::error::EmitError;
use anyhow::Context as _;
use chrono::{DateTime, Duration, Utc};
use lake_core::lineage::outbox::{self, Entry};
use lake_edge::Attach as _;
use lake_table::Lake;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How much later than its time an event may land and still be seen.
const LATE_MAX: Duration = Duration::hours(1);

/// A receiver's place.
#[derive(Debug)]
pub(crate) struct Cursor {
    path: String,
    place: Place,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// Time of the last event that was delivered.
    upto: Option<DateTime<Utc>>,
    /// Events that were delivered in the last hour before it.
    recent: BTreeSet<String>,
}

impl Cursor {
    /// Reads the cursor; one that is not there stands before the first event.
    pub(crate) async fn open(lake: &Lake, name: &str, now: DateTime<Utc>) -> anyhow::Result<Self> {
        let path = format!("ops/lineage_cursors/{name}.json");
        let mut place: Place = match lake.get(&path).await.attach()? {
            None => Place::default(),
            Some(bytes) => {
                let read = serde_json::from_slice(&bytes).map_err(|_| EmitError::Cursor { path: path.clone() });
                read.attach()?
            }
        };
        // The clock was ahead when this place was kept, so it says nothing: what it does not name is delivered, maybe again.
        if place.upto.is_some_and(|upto| upto > now + LATE_MAX) {
            place.upto = None;
        }
        Ok(Self { path, place })
    }

    /// Events that were not delivered yet, in their order.
    pub(crate) async fn waiting(&self, lake: &Lake) -> anyhow::Result<Vec<Entry>> {
        let names = match self.place.upto {
            None => lake.list(outbox::FOLDER).await,
            Some(upto) => lake.list_after(outbox::FOLDER, &outbox::since(upto - LATE_MAX)).await,
        };
        let entries = names.attach()?.into_iter().filter_map(|name| outbox::entry(&name));
        Ok(entries.filter(|entry| !self.place.recent.contains(&entry.path)).collect())
    }

    /// Takes an event for delivered.
    pub(crate) fn pass(&mut self, entry: &Entry, now: DateTime<Utc>) {
        let at = entry.at.min(now);
        let upto = self.place.upto.map_or(at, |upto| upto.max(at));
        self.place.upto = Some(upto);
        self.place.recent.insert(entry.path.clone());
    }

    /// Keeps the place.
    pub(crate) async fn save(&mut self, lake: &Lake) -> anyhow::Result<()> {
        if let Some(upto) = self.place.upto {
            let since = outbox::since(upto - LATE_MAX);
            self.place.recent.retain(|path| *path >= since);
        }
        let json = serde_json::to_vec(&self.place).context("failed to write the cursor")?;
        lake.put(&self.path, json.into()).await.attach()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "0191d9a0-0000-7000-8000-000000000001";

    fn name(time: &str, kind: &str) -> String {
        format!("ops/lineage/2017-12-30/{time}-silverize.silver_orders-{RUN}-{kind}.json")
    }

    async fn put(lake: &Lake, name: &str) {
        assert!(lake.create(name, "{}".into()).await.unwrap());
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn evening() -> DateTime<Utc> {
        at("2017-12-30T23:00:00Z")
    }

    async fn waiting(lake: &Lake, now: DateTime<Utc>) -> Vec<String> {
        let cursor = Cursor::open(lake, "c", now).await.unwrap();
        cursor.waiting(lake).await.unwrap().into_iter().map(|entry| entry.path).collect()
    }

    /// Delivers all that waits.
    async fn deliver(lake: &Lake, now: DateTime<Utc>) {
        let mut cursor = Cursor::open(lake, "c", now).await.unwrap();
        for entry in cursor.waiting(lake).await.unwrap() {
            cursor.pass(&entry, now);
        }
        cursor.save(lake).await.unwrap();
    }

    #[tokio::test]
    async fn what_lands_late_is_still_seen_and_nothing_twice() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().to_str().unwrap()).unwrap();
        let (first, late, second) =
            (name("020000000000", "start"), name("020000500000", "fail"), name("020001000000", "complete"));
        put(&lake, &first).await;
        put(&lake, &second).await;
        put(&lake, "ops/lineage/2017-12-30/notes.txt").await;
        assert_eq!(waiting(&lake, evening()).await, [first.clone(), second.clone()]);
        deliver(&lake, evening()).await;
        assert_eq!(waiting(&lake, evening()).await, Vec::<String>::new());
        put(&lake, &late).await;
        assert_eq!(waiting(&lake, evening()).await, [late]);
    }

    #[tokio::test]
    async fn an_event_of_a_clock_that_is_ahead_hides_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().to_str().unwrap()).unwrap();
        put(&lake, &name("200000000000", "start")).await;
        deliver(&lake, at("2017-12-30T02:00:00Z")).await;
        let next = name("020500000000", "start");
        put(&lake, &next).await;
        assert_eq!(waiting(&lake, at("2017-12-30T02:06:00Z")).await, [next]);
        deliver(&lake, at("2017-12-30T02:06:00Z")).await;
        // Its own time comes, and it does not come again.
        assert_eq!(waiting(&lake, at("2017-12-30T20:01:00Z")).await, Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_place_that_was_kept_by_a_clock_that_was_ahead_hides_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().to_str().unwrap()).unwrap();
        put(&lake, &name("200000000000", "start")).await;
        deliver(&lake, at("2017-12-30T20:00:00Z")).await;
        let next = name("020500000000", "start");
        put(&lake, &next).await;
        assert_eq!(waiting(&lake, at("2017-12-30T02:06:00Z")).await, [next]);
    }

    #[tokio::test]
    async fn a_cursor_forgets_what_is_long_ago() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().to_str().unwrap()).unwrap();
        let mut cursor = Cursor::open(&lake, "c", evening()).await.unwrap();
        for time in ["020000000000", "040000000000"] {
            cursor.pass(&outbox::entry(&name(time, "start")).unwrap(), evening());
        }
        cursor.save(&lake).await.unwrap();
        assert_eq!(cursor.place.recent.len(), 1);
    }

    #[tokio::test]
    async fn a_broken_cursor_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().to_str().unwrap()).unwrap();
        lake.put("ops/lineage_cursors/c.json", "torn".into()).await.unwrap();
        let error = Cursor::open(&lake, "c", evening()).await.unwrap_err();
        assert!(format!("{error:#}").contains("ops/lineage_cursors/c.json"), "{error:#}");
    }
}
