//! Tells the beginning and the end of a run to the lake's outbox, `ops/lineage/` (see [`lake_core::lineage::outbox`]).
//!
//! The beginning is written before any work: what cannot tell that it begins does not begin (75). An end that cannot be
//! written makes a run that did well end with 75, so that it is tried again; the next run, which finds the work done, tells
//! its own end and the one that is missing. A run may be taken for lost while it still works, and two copies of a run meet at its
//! end: so an end is decided by the first who writes it down, and told by whoever comes. Nobody waits here for a receiver:
//! `lineage-emit` delivers, whole events or the metrics that are made from them.

use crate::{Attach as _, Edge, HasRun, fail, now};
use anyhow::Context as _;
use chrono::{DateTime, Duration, Utc};
use lake_core::{
    Contract, Run, Summary, fault_point,
    lineage::{
        DatasetName, Ending, Measure, Places, Record, RunEvent,
        event::EventType,
        facet::Assertion,
        outbox::{self, Entry},
        record::About,
    },
    summary::Outcome,
};
use lake_table::Lake;
use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex},
};

/// How far back an end may be missing: a scheduler has tried a task for the last time long before.
const MISSING_MAX: Duration = Duration::days(2);

/// An end that was decided longer ago and is not told yet is told under the present: receivers that are further look back for an
/// hour only.
const UNTOLD_MAX: Duration = Duration::minutes(30);

/// What a program tells of its run while it runs.
#[derive(Debug, Clone, Default)]
pub struct Notes(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    versions: BTreeMap<String, i64>,
    assertions: Vec<Assertion>,
    measures: BTreeMap<Measure, f64>,
    /// The run, once its beginning is told.
    begun: Option<(Lake, Record)>,
}

impl Notes {
    /// Tells what rules found in the run's table, and which versions of tables they saw. An assertion never holds a value.
    pub fn judged(&self, versions: &BTreeMap<String, i64>, assertions: Vec<Assertion>) {
        if let Ok(mut noted) = self.0.lock() {
            (noted.versions, noted.assertions) = (versions.clone(), assertions);
        }
    }

    /// Tells what was measured of the run's table. The run's end carries it, and metrics are made from that.
    pub fn measured(&self, measures: BTreeMap<Measure, f64>) {
        if let Ok(mut noted) = self.0.lock() {
            noted.measures = measures;
        }
    }

    /// Tells now what a run measures that goes on for long: an event of its own in the outbox.
    ///
    /// # Errors
    /// When the outbox cannot be written. The run's work does not depend on it.
    pub async fn running(&self, measures: BTreeMap<Measure, f64>) -> anyhow::Result<()> {
        let begun = self.0.lock().ok().and_then(|noted| noted.begun.clone());
        match begun {
            Some((lake, record)) => put(&lake, &record.running(now(), measures)).await,
            // Before its beginning and in tests there is nobody to tell.
            None => Ok(()),
        }
    }
}

/// The run as its events tell it.
#[derive(Debug)]
pub(crate) struct Teller {
    lake: Lake,
    record: Record,
    notes: Notes,
}

impl Teller {
    /// Tells the beginning of a run.
    pub(crate) async fn begin<A: HasRun>(args: &A, edge: &Edge, run: &Run) -> anyhow::Result<Self> {
        // A model that cannot be planned has no lineage of columns; the run itself will say what is wrong with it.
        let derivation = args.derivation(edge).await.inspect_err(|error| tracing::debug!(%error, "columns have no lineage")).ok();
        let places = places(args, &edge.lake, &edge.contract);
        let record = Record::of(&About {
            run,
            version: edge.version,
            judges: A::JUDGES,
            contract: &edge.contract,
            contracts: &edge.contracts,
            places: &places,
            derivation: derivation.flatten().as_ref(),
            fixed: &edge.inputs,
        });
        let teller = Self { lake: edge.lake.clone(), record, notes: edge.notes.clone() };
        teller.tell(&teller.record.started()).await.context("failed to begin: the run's lineage cannot be written")?;
        if let Ok(mut noted) = teller.notes.0.lock() {
            noted.begun = Some((teller.lake.clone(), teller.record.clone()));
        }
        fault_point!("edge.lineage.start.after");
        Ok(teller)
    }

    /// Tells the end, and ends of earlier tries that are missing; returns how the run ends.
    pub(crate) async fn end(mut self, outcome: anyhow::Result<Summary>) -> anyhow::Result<Summary> {
        fault_point!("edge.lineage.end.before");
        if let Ok(mut noted) = self.notes.0.lock() {
            self.record.judged(std::mem::take(&mut noted.versions), std::mem::take(&mut noted.assertions));
            self.record.measured(std::mem::take(&mut noted.measures));
        }
        let told = self.told(&outcome).await;
        match (outcome, told) {
            (Ok(_), Err(error)) => {
                Err(error.context("failed to tell the run's end: what it did stands, run the same command again"))
            }
            (Err(error), Err(untold)) => {
                // What failed first is what a person must know.
                tracing::warn!(error = fail::text_of(&untold), "end of the run not told");
                Err(error)
            }
            (outcome, Ok(())) => outcome,
        }
    }

    async fn told(&self, outcome: &anyhow::Result<Summary>) -> anyhow::Result<()> {
        let mended = self.mend(outcome.as_ref().ok()).await;
        let event = match outcome {
            Ok(summary) => self.record.ended(now(), Ending::Done(summary)),
            Err(error) => {
                let (exit, text) = (fail::exit_of(error).name(), fail::text_of(error));
                self.record.ended(now(), Ending::Failed(exit, &text))
            }
        };
        // The run's own end is told also when those of earlier tries cannot be.
        self.tell(&self.decide(event, self.record.run().started_at).await?).await?;
        mended
    }

    /// Decides the end of a run that began at an instant; returns the one that was decided before, if one was.
    async fn decide(&self, event: RunEvent, begun: DateTime<Utc>) -> anyhow::Result<RunEvent> {
        let place = outbox::decided(event.run.run_id, begun);
        let bytes = serde_json::to_vec(&event).context("failed to write an event")?;
        if self.lake.create(&place, bytes.into()).await.attach()? {
            return Ok(event);
        }
        let decided = self.lake.get(&place).await.attach()?;
        Ok(decided.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or(event))
    }

    async fn tell(&self, event: &RunEvent) -> anyhow::Result<()> {
        put(&self.lake, event).await
    }

    /// Tells the missing ends of the run that did this one's work, and of this run's earlier attempts.
    async fn mend(&self, summary: Option<&Summary>) -> anyhow::Result<()> {
        let run = self.record.run();
        let done = summary.filter(|summary| summary.outcome == Outcome::AlreadyDone);
        if run.attempt == 1 && done.is_none() {
            return Ok(());
        }
        for start in self.open().await? {
            let Some(bytes) = self.lake.get(&start.path).await.attach()? else { continue };
            let Ok(event) = serde_json::from_slice::<RunEvent>(&bytes) else { continue };
            let own = event.run.facets.get("sluice_run");
            let text = |key: &str| own.and_then(|own| own.get(key)).map(|value| value.to_string().replace('"', ""));
            let (id, attempt) = (text("runId").unwrap_or_default(), text("attempt").unwrap_or_default());
            let by = |summary: &&Summary| summary.run_id.to_string() == id && summary.attempt.to_string() == attempt;
            let ending = match done.filter(by) {
                Some(summary) => {
                    let committed = Summary { outcome: Outcome::Committed, ..summary.clone() };
                    self.record.ended_for(&event, now(), Ending::Done(&committed))
                }
                None if run.id.to_string() == id && attempt.parse().is_ok_and(|attempt: u32| attempt < run.attempt) => {
                    self.record.ended_for(&event, now(), Ending::Lost)
                }
                None => continue,
            };
            let mut ending = self.decide(ending, event.event_time).await?;
            if now() - ending.event_time > UNTOLD_MAX {
                ending.event_time = now();
            }
            self.tell(&ending).await?;
        }
        Ok(())
    }

    /// Beginnings of the same job without an end, but this run's.
    async fn open(&self) -> anyhow::Result<Vec<Entry>> {
        let since = outbox::since(self.record.run().started_at - MISSING_MAX);
        let names = self.lake.list_after(outbox::FOLDER, &since).await.attach()?;
        let all: Vec<Entry> = names.iter().filter_map(|name| outbox::entry(name)).collect();
        // Two days of a stream are tens of thousands of events.
        let ended: HashSet<_> = all.iter().filter(|entry| entry.kind.ends()).map(|entry| entry.run).collect();
        let open = all.iter().filter(|one| one.kind == EventType::Start && one.job == self.record.job());
        Ok(open.filter(|start| start.run != self.record.id && !ended.contains(&start.run)).cloned().collect())
    }
}

async fn put(lake: &Lake, event: &RunEvent) -> anyhow::Result<()> {
    let bytes = serde_json::to_vec(event).context("failed to write an event")?;
    lake.create(&outbox::path(event), bytes.into()).await.attach().map(|_| ())
}

fn places<A: HasRun>(args: &A, lake: &Lake, contract: &Contract) -> Places {
    let (namespace, name) = lake.place();
    Places {
        lake: lake.uri().trim_end_matches('/').to_owned(),
        root: DatasetName { namespace, name },
        source: contract.bronze().and_then(|bronze| args.source(&bronze.source)),
    }
}

#[cfg(test)]
#[path = "lineage_tests.rs"]
mod tests;
