//! The outbox: one file per event, under a name that sorts by time and tells what the event is about.
//!
//! `ops/lineage/2017-12-30/020104123456-silverize.silver_orders-<run>-start.json`: a folder per day, so that old ones can be
//! put away; the time of the event in UTC; job; run; kind.
//!
//! Nothing in such a name keeps two processes from telling two ends of one run, so an end is decided first, under a name that has
//! only the run in it: `ops/lineage_ends/2017-12-30/<run>.json`, in the folder of the day on which the run began.

use super::event::{EventType, RunEvent};
use chrono::{DateTime, NaiveDateTime, Utc};
use uuid::Uuid;

/// The folder, under the lake's root.
pub const FOLDER: &str = "ops/lineage";
/// The folder of decided ends, under the lake's root.
const ENDS: &str = "ops/lineage_ends";
/// Characters of a UUID.
const UUID_LENGTH: usize = 36;

/// What the name of an event's file tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The file, under the lake's root.
    pub path: String,
    /// Time of the event.
    pub at: DateTime<Utc>,
    /// `program.table`.
    pub job: String,
    /// The run.
    pub run: Uuid,
    /// What happened to it.
    pub kind: EventType,
}

/// The place of everything from an instant on: names of later events are greater.
#[must_use]
pub fn since(at: DateTime<Utc>) -> String {
    format!("{FOLDER}/{}", at.format("%Y-%m-%d/%H%M%S%6f"))
}

/// The file of an event.
#[must_use]
pub fn path(event: &RunEvent) -> String {
    let (job, run) = (&event.job.name, event.run.run_id);
    format!("{}-{job}-{run}-{}.json", since(event.event_time), event.event_type.name())
}

/// The file that decides the end of a run that began at an instant.
#[must_use]
pub fn decided(run: Uuid, begun: DateTime<Utc>) -> String {
    format!("{ENDS}/{}/{run}.json", begun.format("%Y-%m-%d"))
}

/// Reads the name of an event's file; `None` for the name of anything else.
#[must_use]
pub fn entry(path: &str) -> Option<Entry> {
    let (date, name) = path.strip_prefix(FOLDER)?.strip_prefix('/')?.split_once('/')?;
    let (rest, kind) = name.strip_suffix(".json")?.rsplit_once('-')?;
    let (rest, run) = rest.split_at_checked(rest.len().checked_sub(UUID_LENGTH)?)?;
    let (time, job) = rest.strip_suffix('-')?.split_once('-')?;
    let at = NaiveDateTime::parse_from_str(&format!("{date}/{time}"), "%Y-%m-%d/%H%M%S%6f").ok()?.and_utc();
    Some(Entry { path: path.to_owned(), at, job: job.to_owned(), run: run.parse().ok()?, kind: EventType::of_name(kind)? })
}
