//! Keeps running: looks at the topic, and commits what waits by rows, bytes or age, until SIGTERM.
//!
//! Each commit is what a run on its own does: it plans from the table's own log up to the watermarks, compares the last landed
//! records, reads exactly the planned offsets, and commits rows and progress together. Nothing is kept between two commits, so
//! there is nothing to lose: a process that is killed leaves a topic with records that wait. Of two copies at once one commits, and
//! the other plans anew.
//!
//! A commit's window is the one of the caller's length in which it is made, so a day's rows stand in the day's partition.

use crate::{
    Args, Landed,
    broker::{Asking, Broker, Connections, Topic},
    commit,
    error::KafkaFault,
    flush::{self, Limits, Reason, Size, Waiting},
    lag::{self, Behind, Lag},
    land, marks,
    plan::{self, Planned, Stored},
    reading, stored, summary,
    upkeep::Upkeep,
};
use anyhow::Context as _;
use chrono::DateTime;
use lake_core::{
    Ledger, Summary, Window,
    contract::bronze::KafkaSource,
    fault_point,
    gauge::{Gauge, Unit},
    summary::Outcome,
};
use lake_edge::{Attach as _, Edge, Termination};
use lake_table::Table;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tokio::time::MissedTickBehavior;

/// Between two looks at the topic: what a lag may be told too large, and what a commit may come late.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Between two readings of the gauges that are told.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// What there is to do.
pub(crate) struct Job {
    pub(crate) args: Args,
    pub(crate) edge: Edge,
    pub(crate) source: KafkaSource,
    pub(crate) broker: Broker,
    pub(crate) table: Table,
}

/// Lands what comes until SIGTERM, and returns what all commits came to.
pub(crate) async fn run(job: Job, termination: Termination) -> anyhow::Result<Summary> {
    let mut stream = Stream::new(job);
    let ended = stream.until(termination).await;
    if ended.is_ok() {
        stream.tell().await;
    }
    let summary = stream.end().await;
    ended.map(|()| summary)
}

/// What was read and waits for its commit.
struct Flush {
    topic: Topic,
    before: Stored,
    landed: Landed,
    summary: Summary,
    reason: Reason,
    begun: Instant,
}

/// What all commits came to.
#[derive(Default)]
struct Done {
    commits: u64,
    compactions: u64,
    ledger: Ledger,
    bytes_written: u64,
    last: Option<Summary>,
}

struct Stream {
    job: Job,
    asking: Asking,
    connections: Connections,
    limits: Limits,
    size: Size,
    /// What has landed; none before the log was read.
    stored: Option<Stored>,
    lag: Lag,
    /// The caller's window.
    window: Window,
    /// Whether a broker has answered.
    answered: bool,
    /// Since when nothing was read, try after try.
    failing: Option<Instant>,
    told: Option<Instant>,
    upkeep: Upkeep,
    done: Done,
}

impl Stream {
    fn new(job: Job) -> Self {
        let (broker, connections) = job.broker.watched();
        let job = Job { broker, ..job };
        Self {
            asking: job.broker.asking(&job.source.topic),
            connections,
            limits: Limits::of(&job.args.stream),
            size: Size::default(),
            stored: None,
            lag: Lag::default(),
            window: job.edge.run.window,
            answered: false,
            failing: None,
            told: None,
            upkeep: Upkeep::default(),
            done: Done::default(),
            job,
        }
    }

    /// Lands what comes until SIGTERM.
    async fn until(&mut self, mut termination: Termination) -> anyhow::Result<()> {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Whatever is under way may be dropped, but a commit: what was read and not committed is read again.
            let flush = tokio::select! {
                biased;
                () = termination.came() => return Ok(()),
                flush = self.next(&mut looks) => flush?,
            };
            let Some(flush) = flush else { continue };
            self.commit(flush).await?;
            tokio::select! {
                biased;
                () = termination.came() => return Ok(()),
                () = self.compact() => {}
            }
        }
    }

    /// Waits for the next look, and reads what waits when that is due. What may pass by itself, as when leaders move and brokers
    /// restart, is tried again for no longer than the caller allows.
    async fn next(&mut self, looks: &mut tokio::time::Interval) -> anyhow::Result<Option<Flush>> {
        looks.tick().await;
        let begun = Instant::now();
        let flush = match self.step().await {
            Err(error) if self.bears(&error, begun) => return Ok(None),
            step => step?,
        };
        self.failing = None;
        Ok(flush)
    }

    /// Says whether a step that failed is tried again.
    fn bears(&mut self, error: &anyhow::Error, begun: Instant) -> bool {
        let Some(fault) = error.downcast_ref::<KafkaFault>().filter(|fault| fault.may_pass(self.answered)) else {
            return false;
        };
        let since = *self.failing.get_or_insert(begun);
        let goes_on = since.elapsed() < self.job.broker.timeout;
        if goes_on {
            tracing::warn!(error = %fault, "topic not read");
        }
        goes_on
    }

    /// Looks at the topic, and reads what waits when that is due.
    async fn step(&mut self) -> anyhow::Result<Option<Flush>> {
        let topic = self.look().await?;
        if self.stored.is_none() {
            self.learn(&topic).await?;
        }
        self.lag.look(&topic, lake_edge::now());
        let due = self.due(&topic);
        if tells(self.told.map(|told| told.elapsed()), due.is_some(), self.done.commits) {
            self.tell().await;
        }
        match due {
            Some(reason) => self.read(reason).await,
            None => Ok(None),
        }
    }

    /// Asks for the topic.
    async fn look(&mut self) -> anyhow::Result<Topic> {
        let topic = self.asking.topic().await.attach().with_context(|| reading(&self.job.source))?;
        self.answered = true;
        Ok(topic)
    }

    /// Reads from the log what has landed.
    async fn learn(&mut self, topic: &Topic) -> anyhow::Result<()> {
        let stored = stored(&self.job.table, topic).await?;
        let marks = marks(&self.job.table, topic).await?;
        for (partition, offset) in &stored {
            let at = marks.get(partition).and_then(|mark| DateTime::from_timestamp_millis(mark.timestamp_ms()?));
            self.lag.landed(*partition, offset + 1, at);
        }
        self.stored = Some(stored);
        Ok(())
    }

    /// Returns the limit that what waits has reached, if any.
    fn due(&self, topic: &Topic) -> Option<Reason> {
        match self.planned(topic, self.stored.as_ref().unwrap_or(&Stored::new())) {
            Ok(planned) => {
                let waiting = Waiting { rows: planned.rows(), age: self.lag.age(lake_edge::now()) };
                self.limits.reached(waiting, self.size)
            }
            Err(error) => {
                // Another copy may have landed what is gone from the topic since: the log decides.
                tracing::debug!(%error, "plan made anew");
                Some(Reason::Age)
            }
        }
    }

    fn planned(&self, topic: &Topic, stored: &Stored) -> Result<Planned, KafkaFault> {
        plan::plan(topic, stored, &self.job.args.accept_loss)
    }

    /// Reads what waits, up to the bound of a commit; `None` when nothing does.
    async fn read(&mut self, reason: Reason) -> anyhow::Result<Option<Flush>> {
        let begun = Instant::now();
        // The table before the topic: what another copy has landed by now lies before the watermarks.
        self.job.table.reload().await.attach()?;
        let topic = self.look().await?;
        self.learn(&topic).await?;
        let before = self.stored.clone().unwrap_or_default();
        let planned = self.planned(&topic, &before).attach().with_context(|| reading(&self.job.source))?;
        let marks = marks(&self.job.table, &topic).await?;
        let planned = planned.bounded(self.limits.rows_max(self.size)).comparing(&topic, &before, &marks);
        if planned == Planned::default() {
            return Ok(None);
        }
        let now = lake_edge::now();
        self.job.edge.run.window = self.window.at(now);
        self.job.edge.run.started_at = now;
        let Job { edge, source, broker, table, .. } = &self.job;
        let landed = land(edge, source, broker, &topic, table, &planned).await.with_context(|| reading(source))?;
        let mut summary = summary(edge, &topic, &planned, &landed);
        summary.duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        summary.facts.insert(flush::FACT.to_owned(), reason.name().into());
        summary.facts.insert("lag".to_owned(), lag::fact(&self.behind_after(&landed)));
        Ok(Some(Flush { topic, before, landed, summary, reason, begun }))
    }

    /// How far each partition is behind once this is committed.
    fn behind_after(&self, landed: &Landed) -> BTreeMap<i32, Behind> {
        let mut lag = self.lag.clone();
        landed.last.iter().for_each(|(partition, offset)| lag.landed(*partition, offset + 1, None));
        lag.read(lake_edge::now())
    }

    /// Commits what was read, unless another copy was first: then it is planned anew.
    async fn commit(&mut self, flush: Flush) -> anyhow::Result<()> {
        let Flush { topic, before, landed, summary, reason, begun } = flush;
        let last = landed.last.clone();
        let (rows, bytes) = (landed.read, landed.bytes);
        fault_point!("stream.commit.before");
        let Some(committed) = commit(&mut self.job.table, &topic, &before, landed, summary).await? else {
            tracing::warn!("records landed by another run");
            self.stored = None;
            return Ok(());
        };
        fault_point!("stream.commit.after");
        self.size.learn(rows, bytes);
        for (partition, offset) in last {
            self.lag.landed(partition, offset + 1, None);
            self.stored.get_or_insert_default().insert(partition, offset);
        }
        let behind = lag::total(&self.lag.read(lake_edge::now()));
        let (version, milliseconds, flushed_by) = (committed.table_version, begun.elapsed().as_millis(), reason.name());
        let (lag_records, lag_seconds) = (behind.records, behind.seconds);
        tracing::info!(rows, bytes, version, flushed_by, milliseconds, lag_records, lag_seconds, "records committed");
        self.done.take(committed);
        Ok(())
    }

    /// Puts small files together once there are too many.
    async fn compact(&mut self) {
        let small_files_max = usize::try_from(self.job.args.stream.small_files_max).unwrap_or(usize::MAX);
        let done = self.upkeep.compact(&mut self.job.table, small_files_max).await;
        self.done.compactions += u64::from(done);
    }

    /// Tells how far the table is behind, and of how many files it is made.
    async fn tell(&mut self) {
        let mut gauges = lag::gauges(&self.lag.read(lake_edge::now()));
        let files = u64::try_from(self.job.table.files().len()).unwrap_or(u64::MAX);
        gauges.push(Gauge { name: "live_files", unit: Unit::Count, part: None, value: files });
        fault_point!("stream.gauge.before");
        self.job.edge.tell_gauges(gauges).await;
        fault_point!("stream.gauge.after");
        self.told = Some(Instant::now());
    }

    /// Ends all connections, also that of a reader that was dropped, and returns what was done.
    async fn end(self) -> Summary {
        let lag = lag::fact(&self.lag.read(lake_edge::now()));
        let version = self.job.table.version();
        let summary = Summary { window: self.window, table_version: Some(version), ..self.job.edge.summary() };
        let Self { job, asking, connections, done, .. } = self;
        drop((job, asking));
        connections.ended().await;
        done.summary(summary, lag)
    }
}

/// Whether the gauges are told at a look. At its first looks a stream knows of what waits only that it came after the last landed
/// record, which may be hours old although nothing is late: that is landed before it is told.
fn tells(since_told: Option<Duration>, due: bool, commits: u64) -> bool {
    since_told.is_none_or(|since| since >= TELL_EVERY) && (commits > 0 || !due)
}

impl Done {
    fn take(&mut self, committed: Summary) {
        self.commits += 1;
        self.ledger += committed.ledger;
        self.bytes_written += committed.bytes_written;
        self.last = Some(committed);
    }

    /// What the whole stream did: a sum of its commits, each of which has its own summary in the log.
    fn summary(self, mut summary: Summary, lag: serde_json::Value) -> Summary {
        summary.ledger = self.ledger;
        summary.bytes_written = self.bytes_written;
        if let Some(last) = self.last {
            summary.outcome = Outcome::Committed;
            summary.inputs = last.inputs;
        }
        let facts = [("commits", self.commits.into()), ("compactions", self.compactions.into()), ("lag", lag)];
        summary.facts.extend(facts.map(|(name, value)| (name.to_owned(), value)));
        summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lake_core::RunId;

    fn begun() -> Summary {
        let id: RunId = "00000000-0000-7000-8000-000000000001".parse().unwrap();
        Summary::begun(id, "ingest-kafka", "bronze_kafka_orders", "2017-12-30".parse().unwrap())
    }

    fn committed(rows: u64, offset: i64) -> Summary {
        Summary {
            outcome: Outcome::Committed,
            inputs: BTreeMap::from([("kafka/c/t/0".to_owned(), offset)]),
            ledger: Ledger { read: rows, accepted: rows, ..Ledger::default() },
            bytes_written: rows * 10,
            ..begun()
        }
    }

    #[test]
    fn the_end_tells_the_sum_of_all_commits() {
        let mut done = Done::default();
        done.take(committed(3, 2));
        done.take(committed(4, 6));
        let summary = done.summary(begun(), serde_json::json!({}));
        assert_eq!((summary.outcome, summary.ledger.read, summary.ledger.accepted), (Outcome::Committed, 7, 7));
        assert_eq!((summary.inputs["kafka/c/t/0"], summary.bytes_written), (6, 70));
        assert_eq!((&summary.facts["commits"], &summary.facts["compactions"]), (&2.into(), &0.into()));
    }

    #[test]
    fn what_waits_at_the_start_is_landed_before_its_age_is_told() {
        assert!(tells(None, false, 0), "nothing has waited for long");
        assert!(!tells(None, true, 0));
        assert!(tells(None, true, 1), "it is behind in earnest");
        let (soon, late) = (TELL_EVERY / 2, TELL_EVERY);
        assert!(!tells(Some(soon), false, 1) && !tells(Some(soon), true, 1));
        assert!(tells(Some(late), true, 1) && tells(Some(late), false, 0));
    }

    #[test]
    fn a_stream_without_records_has_changed_nothing() {
        let summary = Done::default().summary(begun(), serde_json::json!({}));
        assert_eq!((summary.outcome, summary.ledger), (Outcome::Unchanged, Ledger::default()));
    }
}
