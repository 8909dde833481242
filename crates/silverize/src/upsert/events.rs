//! Keeps one row per event: equal events are one, and the first by position stays.
//!
//! Two events are equal when their ids are, or everything but the ids. Events are never changed, so new ones are appended.

use super::{Change, keyed::Keyed};
use crate::{
    route::{EVENT_HASH, RoutePlan, Routed, VERSION},
    version,
};
use anyhow::Context as _;
use arrow::{
    array::{Array as _, AsArray as _, BooleanArray, RecordBatch, StringArray},
    compute::filter_record_batch,
};
use lake_core::Ledger;
use std::{collections::HashSet, ops::Range, sync::Arc};

/// State of keeping events.
#[derive(Debug)]
pub(crate) struct Events<'t> {
    table: Keyed<'t>,
    routes: Arc<[RoutePlan]>,
    ledgers: Vec<Ledger>,
}

/// One event of a chunk.
#[derive(Debug)]
struct Event<'a> {
    input: usize,
    part: usize,
    rows: Range<usize>,
    place: &'a str,
    id: Option<&'a str>,
    hash: &'a str,
}

impl<'t> Events<'t> {
    pub(crate) fn new(table: Keyed<'t>, routes: Arc<[RoutePlan]>, inputs: usize) -> Self {
        Self { table, routes, ledgers: vec![Ledger::default(); inputs] }
    }

    /// Appends the events of a chunk that are new.
    pub(crate) async fn apply(&mut self, routed: Vec<Routed>) -> anyhow::Result<()> {
        let mut events = events(&self.routes, &routed)?;
        if events.is_empty() {
            return Ok(());
        }
        let mut seen = self.known(&events).await?;
        events.sort_by_key(|event| event.place);
        let mut kept: Vec<Vec<bool>> = routed.iter().map(|routed| vec![false; routed.batch.num_rows()]).collect();
        for event in &events {
            if seen.hold(event.id, event.hash) {
                self.ledgers[event.input].duplicate += event.rows.len() as u64;
            } else {
                kept[event.part][event.rows.clone()].fill(true);
            }
            seen.add(event.id, event.hash);
        }
        let fresh = routed.iter().zip(kept).map(|(routed, kept)| {
            let batch = filter_record_batch(&routed.batch, &BooleanArray::from(kept))?;
            Ok(Routed { route: routed.route, batch })
        });
        let fresh = fresh.collect::<anyhow::Result<_>>()?;
        self.table.append(fresh).await
    }

    /// Ends the run's work on the table.
    pub(crate) fn finish(self) -> Change {
        let mut change = self.table.finish();
        for (total, ledger) in change.ledgers.iter_mut().zip(self.ledgers) {
            *total += ledger;
        }
        change
    }

    /// Ids and fingerprints of the chunk that the table has already.
    async fn known(&self, events: &[Event<'_>]) -> anyhow::Result<Seen> {
        let mut wanted = Seen::default();
        events.iter().for_each(|event| wanted.add(event.id, event.hash));
        let mut known = Seen::default();
        let files = self.table.files();
        for file in files.all() {
            files
                .read(file, Some(vec!["_version".into(), "_event_hash".into()]), async |_, batch| {
                    let (versions, hashes) = (text(&batch, "_version")?, text(&batch, "_event_hash")?);
                    for row in 0..batch.num_rows() {
                        let id = versions.is_valid(row).then(|| version::identity(versions.value(row))).flatten();
                        let hash = if hashes.is_valid(row) { hashes.value(row) } else { "" };
                        if wanted.hold(id, hash) {
                            known.add(id, hash);
                        }
                    }
                    Ok(())
                })
                .await?;
        }
        Ok(known)
    }
}

/// Ids and fingerprints of events.
#[derive(Debug, Default)]
struct Seen {
    ids: HashSet<String>,
    hashes: HashSet<String>,
}

impl Seen {
    fn add(&mut self, id: Option<&str>, hash: &str) {
        self.ids.extend(id.map(str::to_owned));
        if !hash.is_empty() {
            self.hashes.insert(hash.to_owned());
        }
    }

    fn hold(&self, id: Option<&str>, hash: &str) -> bool {
        id.is_some_and(|id| self.ids.contains(id)) || self.hashes.contains(hash)
    }
}

/// The events of a chunk: rows of one event stand together and have one version.
fn events<'a>(routes: &[RoutePlan], routed: &'a [Routed]) -> anyhow::Result<Vec<Event<'a>>> {
    let mut events = Vec::new();
    for (part, Routed { route, batch }) in routed.iter().enumerate() {
        let input = routes.get(*route).context("rows of a route that is none")?.input;
        let (versions, hashes) = (text(batch, VERSION)?, text(batch, EVENT_HASH)?);
        let mut first = 0;
        for row in 1..=batch.num_rows() {
            if row < batch.num_rows() && versions.value(row) == versions.value(first) {
                continue;
            }
            let own = versions.value(first);
            events.push(Event {
                input,
                part,
                rows: first..row,
                place: version::place(own),
                id: version::identity(own),
                hash: hashes.value(first),
            });
            first = row;
        }
    }
    Ok(events)
}

fn text<'a>(batch: &'a RecordBatch, name: &str) -> anyhow::Result<&'a StringArray> {
    batch.column_by_name(name).and_then(|column| column.as_string_opt()).with_context(|| format!("column `{name}` is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decode::InputPlan, testing};

    #[test]
    fn the_rows_of_an_event_stand_together() {
        let line = |n: i32| format!(r#"{{"line":{n},"quantity":1,"gross":1,"discount":0,"net":1}}"#);
        let event = |id: &str, lines: &str| {
            format!(r#"{{"id":"{id}","kind":"RETURNED","order_id":"o","at":"2017-12-30T12:00:00Z","lines":[{lines}]}}"#)
        };
        let payloads = [event("a", &format!("{},{}", line(1), line(2))), event("b", &line(3))];
        let batch = testing::bronze(&[Some(payloads[0].as_bytes()), Some(payloads[1].as_bytes())]);
        let plans = InputPlan::all(&testing::movements(), &testing::contracts()).unwrap();
        let routed = plans[0].decode(&batch, 1).unwrap().routed;
        let events = events(plans[0].routes(), &routed).unwrap();
        let found: Vec<_> = events.iter().map(|event| (event.id, event.rows.clone(), event.place)).collect();
        assert_eq!(found, [(Some("a"), 0..2, "r00000/0000000000000000"), (Some("b"), 2..3, "r00000/0000000000000001")]);
    }

    #[test]
    fn an_event_is_known_by_id_or_content() {
        let mut seen = Seen::default();
        seen.add(Some("a"), "h");
        assert!(
            seen.hold(Some("a"), "other") && seen.hold(Some("b"), "h") && !seen.hold(Some("b"), "other") && !seen.hold(None, "")
        );
    }
}
