//! Lands the records of a Kafka topic in its Bronze table, exactly once and byte for byte.
//!
//! Progress is the table's own log: per partition the last consumed offset, committed together with the rows. Partitions are
//! assigned at explicit offsets, up to the high watermarks seen at the start; there is no consumer group to rebalance. A
//! partition without news is not read, so a run without news fetches no record. Before a run reads on it compares the last
//! landed record of each partition, so that a topic that was made anew is not taken for the old one.
//!
//! With `--continuous` that is done again and again (`stream`): each commit is a run of its own as far as the log can tell.
//!
//! Not done here: decoding. Only whether a payload is a JSON object is checked, and a record that is none lands too.

mod args;
mod broker;
mod consume;
mod error;
mod flush;
mod lag;
mod mark;
mod plan;
mod rows;
mod stream;
mod upkeep;

pub use args::{Args, Loss, Security, StreamArgs};

use anyhow::{Context as _, anyhow};
use error::KafkaFault;
use lake_core::{
    Fault, Ledger, Summary, Window,
    contract::bronze::{KafkaSource, Source},
    fault_point, operator,
    summary::Outcome,
};
use lake_edge::{Attach as _, Edge, Termination};
use lake_table::{Batch, NewFile, Plan, Proposal, Table, TableSpec};
use mark::Marks;
use plan::{Planned, Stored};
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    process::ExitCode,
    sync::Arc,
};

/// How often a run starts again because another one landed the same records before it.
const OVERTAKEN_MAX: u32 = 5;

/// The whole program.
pub fn main(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    lake_edge::main(argv, "ingest-kafka", env!("CARGO_PKG_VERSION"), run)
}

/// Lands what is new and returns what was done.
async fn run(args: Args, edge: Edge) -> anyhow::Result<Summary> {
    let termination = args.stream.continuous.then(Termination::listen);
    let source = source(&edge)?;
    let mut table = Table::open_or_create(&edge.lake, &TableSpec::of(&edge.contract)).await.attach()?;
    let password = args.user.as_ref().map(|user| edge.secret(&format!("kafka/{user}"))).transpose()?;
    let broker = broker::Broker::new(&args, password, &edge.run.table);
    if let Some(termination) = termination {
        return stream::run(stream::Job { args, edge, source, broker, table }, termination).await;
    }
    let reading = || reading(&source);
    for _ in 0..OVERTAKEN_MAX {
        // After the table: what another run has landed by then lies before the watermarks.
        let topic = broker.topic(&source.topic).await.attach().with_context(reading)?;
        let stored = stored(&table, &topic).await?;
        let planned = plan::plan(&topic, &stored, &args.accept_loss).attach().with_context(reading)?;
        let planned = planned.comparing(&topic, &stored, &marks(&table, &topic).await?);
        if planned == Planned::default() {
            return nothing_new(&edge, &table, &topic).await;
        }
        let landed = land(&edge, &source, &broker, &topic, &table, &planned).await.with_context(reading)?;
        let summary = summary(&edge, &topic, &planned, &landed);
        if let Some(committed) = commit(&mut table, &topic, &stored, landed, summary).await? {
            return Ok(committed);
        }
    }
    Err(KafkaFault::Overtaken(OVERTAKEN_MAX)).attach()
}

/// What was being done when a topic could not be read.
fn reading(source: &KafkaSource) -> String {
    format!("failed to read Kafka topic `{}`", source.topic)
}

fn source(edge: &Edge) -> anyhow::Result<KafkaSource> {
    let refused = |text: String| Err(anyhow!(text).context(Fault::Config));
    if edge.full_refresh || edge.run.generation > 1 {
        return refused(
            "failed to read a topic again: its records are landed once, so --generation and --full-refresh are refused".into(),
        );
    }
    match edge.contract.bronze().map(|bronze| &bronze.source) {
        Some(Source::Kafka(kafka)) => Ok(kafka.clone()),
        _ => refused(format!("failed to land `{}`: it does not come from Kafka", edge.contract.table)),
    }
}

/// Returns what the table's log says of each partition, also of those that the topic does not have any more.
async fn stored(table: &Table, topic: &broker::Topic) -> anyhow::Result<Stored> {
    // The last run wrote down every partition that it saw.
    let seen = table.last_summary().await.attach()?.map(|last| last.inputs).unwrap_or_default();
    let mut partitions: BTreeSet<i32> = topic.watermarks.keys().copied().collect();
    partitions.extend(seen.keys().filter_map(|application| topic.partition(application)));
    let mut stored = Stored::new();
    for partition in partitions {
        let application = topic.application(partition);
        // A partition that was empty has no progress, but its end was seen: what came after must not be passed over.
        let offset = table.txn(&application).await.attach()?.or_else(|| seen.get(&application).copied());
        stored.extend(offset.map(|offset| (partition, offset)));
    }
    Ok(stored)
}

/// Returns what tells the last landed records from others, by the newest commit.
async fn marks(table: &Table, topic: &broker::Topic) -> anyhow::Result<Marks> {
    Ok(table.last_summary().await.attach()?.map(|last| mark::read(&last.facts, topic)).unwrap_or_default())
}

/// A window that has brought something is done already; any other run without news changes nothing.
async fn nothing_new(edge: &Edge, table: &Table, topic: &broker::Topic) -> anyhow::Result<Summary> {
    if let Some(done) = done_by(table.last_summary().await.attach()?, edge.run.window) {
        return Ok(done);
    }
    let mut summary = edge.summary();
    summary.inputs = positions(topic, &Planned::default());
    summary.table_version = Some(table.version());
    Ok(summary)
}

/// The run that has done a window's work. A stream is none, whatever its last commit says: it goes on, and whoever answers in its
/// name tells its end (`lake_edge`).
fn done_by(last: Option<Summary>, window: Window) -> Option<Summary> {
    let last = last.filter(|last| last.window == window && !last.facts.contains_key(flush::FACT))?;
    Some(Summary { outcome: Outcome::AlreadyDone, ..last })
}

/// Where each partition ends for this run: at its high watermark, or before it where less is taken.
fn positions(topic: &broker::Topic, planned: &Planned) -> BTreeMap<String, i64> {
    let mut ends: BTreeMap<i32, i64> = topic.watermarks.iter().map(|(partition, (_, high))| (*partition, *high)).collect();
    // A later run takes the end of a partition without progress from here: it must not be beyond what was read.
    ends.extend(planned.ranges.iter().map(|range| (range.partition, range.until)));
    ends.into_iter().map(|(partition, end)| (topic.application(partition), end - 1)).collect()
}

/// What was consumed and written.
struct Landed {
    files: Vec<NewFile>,
    handed: u64,
    read: u64,
    last: BTreeMap<i32, i64>,
    marks: Marks,
    gaps: Vec<String>,
    undecodable: u64,
    bytes: u64,
}

/// Consumes the ranges and writes their rows.
async fn land(
    edge: &Edge,
    source: &KafkaSource,
    broker: &broker::Broker,
    topic: &broker::Topic,
    table: &Table,
    planned: &Planned,
) -> anyhow::Result<Landed> {
    let (meta, _) = lake_bronze::Meta::new(&edge.run, &edge.contract).attach()?;
    let bar = edge.progress("records landed", Some(planned.rows()));
    fault_point!("kafka.fetch.before");
    let order = consume::Order {
        broker: broker.clone(),
        topic: topic.name.clone(),
        ranges: planned.ranges.clone(),
        checks: planned.checks.clone(),
        gaps: source.offset_gaps,
    };
    let mut reader = consume::start(order);
    let topic_name: Arc<str> = topic.name.as_str().into();
    let mut writer = table.writer();
    let (mut undecodable, mut bytes) = (0, 0);
    while let Some(records) = reader.next().await.attach()? {
        bar.inc(records.rows() as u64);
        undecodable += records.undecodable();
        bytes += records.bytes() as u64;
        let batch = rows::batch(&meta, &table.spec().schema, &topic_name, records).attach()?;
        let batch = operator!("kafka.write", Batch(batch)).0;
        writer.write(&batch).await.attach()?;
    }
    bar.done();
    fault_point!("kafka.fetch.after");
    let consumed = reader.finish().attach()?;
    let handed = writer.rows();
    let files = writer.finish().await.attach()?;
    fault_point!("kafka.write.after");
    let mut last: BTreeMap<i32, i64> = planned.given_up.iter().map(|loss| (loss.partition, loss.to)).collect();
    last.extend(consumed.last);
    let gaps = consumed.gaps.iter().map(ToString::to_string).collect();
    Ok(Landed { files, handed, read: consumed.read, last, marks: consumed.marks, gaps, undecodable, bytes })
}

fn summary(edge: &Edge, topic: &broker::Topic, planned: &Planned, landed: &Landed) -> Summary {
    let mut summary = edge.summary();
    summary.outcome = Outcome::Committed;
    summary.inputs = positions(topic, planned);
    // Read is what the offsets say, accepted what the written files say.
    let accepted = landed.files.iter().map(|file| file.rows).sum();
    summary.ledger = Ledger { read: landed.read, accepted, ..Ledger::default() };
    let offsets: Vec<String> =
        planned.ranges.iter().map(|range| format!("{}:{}-{}", range.partition, range.from, range.until - 1)).collect();
    summary.facts.insert("offsets".to_owned(), offsets.into());
    summary.facts.insert("undecodable".to_owned(), landed.undecodable.into());
    if !landed.marks.is_empty() {
        summary.facts.insert(mark::FACT.to_owned(), mark::fact(&landed.marks, topic));
    }
    if !landed.gaps.is_empty() {
        summary.facts.insert("offset_gaps".to_owned(), landed.gaps.clone().into());
    }
    if !planned.given_up.is_empty() {
        let losses: Vec<String> = planned.given_up.iter().map(ToString::to_string).collect();
        summary.facts.insert("accepted_loss".to_owned(), losses.into());
    }
    summary.duration_ms = edge.elapsed_ms();
    summary
}

/// Commits rows and progress together; `None` when another run landed records of these partitions meanwhile.
async fn commit(
    table: &mut Table,
    topic: &broker::Topic,
    before: &Stored,
    landed: Landed,
    summary: Summary,
) -> anyhow::Result<Option<Summary>> {
    let txns: Vec<(String, i64)> =
        landed.last.iter().map(|(partition, offset)| (topic.application(*partition), *offset)).collect();
    let mut overtaken = false;
    let plan = async |table: &Table| {
        if stored(table, topic).await? != *before {
            overtaken = true;
            return Ok(Plan::Done(summary.clone()));
        }
        Ok(Plan::Commit(Proposal {
            add: landed.files.clone(),
            remove: Vec::new(),
            txns: txns.clone(),
            inserted: landed.handed,
            removed: 0,
            summary: summary.clone(),
        }))
    };
    let committed = table.commit(plan).await?;
    Ok((!overtaken).then_some(committed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_done_by_a_run_that_has_ended_and_not_by_a_stream() {
        let (window, other): (Window, Window) = ("2017-12-30".parse().unwrap(), "2017-12-31".parse().unwrap());
        let id = "00000000-0000-7000-8000-000000000001".parse().unwrap();
        let run = Summary { outcome: Outcome::Committed, ..Summary::begun(id, "ingest-kafka", "bronze_kafka_orders", window) };
        let done = done_by(Some(run.clone()), window).unwrap();
        assert_eq!(done, Summary { outcome: Outcome::AlreadyDone, ..run.clone() });
        assert_eq!(done_by(Some(run.clone()), other), None);
        assert_eq!(done_by(None, window), None);
        let facts = BTreeMap::from([(flush::FACT.to_owned(), flush::Reason::Age.name().into())]);
        assert_eq!(done_by(Some(Summary { facts, ..run }), window), None);
    }

    #[test]
    fn a_partition_without_progress_ends_where_it_was_read_to() {
        let topic = broker::Topic::of(&[(0, 0, 100), (1, 0, 100), (2, 0, 0)]);
        let whole = plan::plan(&topic, &Stored::new(), &[]).unwrap();
        let ends = |planned: &Planned| positions(&topic, planned).into_values().collect::<Vec<_>>();
        assert_eq!(ends(&whole), [99, 99, -1]);
        assert_eq!(ends(&whole.clone().bounded(20)), [9, 9, -1], "what is beyond must be read by a later run");
        assert_eq!(ends(&Planned::default()), [99, 99, -1]);
    }
}
