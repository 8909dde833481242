//! Lands the records of a Kafka topic in its Bronze table, exactly once and byte for byte.
//!
//! Progress is the table's own log: per partition the last consumed offset, committed together with the rows. Partitions are
//! assigned at explicit offsets, up to the high watermarks seen at the start; there is no consumer group to rebalance. A
//! partition without news is not assigned, so a run without news fetches no record.
//!
//! Not done here: decoding. Only whether a payload is a JSON object is checked, and a record that is none lands too.

mod args;
mod broker;
mod consume;
mod error;
mod plan;
mod rows;

pub use args::{Args, Loss, Security};

use anyhow::{Context as _, anyhow};
use lake_core::{
    Fault, Ledger, Summary,
    contract::bronze::{KafkaSource, OffsetGaps, Source},
    fault_point, operator,
    summary::Outcome,
};
use lake_edge::{Attach as _, Edge};
use lake_table::{Batch, NewFile, Plan, Proposal, Table, TableSpec};
use std::{collections::BTreeMap, ffi::OsString, process::ExitCode, sync::Arc};

/// The whole program.
pub fn main(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    lake_edge::main(argv, "ingest-kafka", env!("CARGO_PKG_VERSION"), run)
}

/// Lands what is new and returns what was done.
async fn run(args: Args, edge: Edge) -> anyhow::Result<Summary> {
    let source = source(&edge)?;
    let table = Table::open_or_create(&edge.lake, &TableSpec::of(&edge.contract)).await.attach()?;
    let password = args.user.as_ref().map(|user| edge.secret(&format!("kafka/{user}"))).transpose()?;
    let broker = broker::Broker::new(&args, password, &edge.run.table);
    let reading = || format!("failed to read Kafka topic `{}`", source.topic);
    let topic = broker.topic(&source.topic).await.attach().with_context(reading)?;
    let mut stored = BTreeMap::new();
    for partition in topic.watermarks.keys() {
        stored.insert(*partition, table.txn(&topic.application(*partition)).await.attach()?);
    }
    let ranges = plan::ranges(&topic, &stored, &args.accept_loss).attach().with_context(reading)?;
    let mut summary = edge.summary();
    summary.inputs = topic.watermarks.iter().map(|(partition, (_, high))| (format!("{}/{partition}", topic.name), *high)).collect();
    if ranges.is_empty() {
        summary.table_version = Some(table.version());
        return Ok(summary);
    }
    fault_point!("kafka.fetch.before");
    let landed = land(&edge, &source, &broker, &topic, &table, ranges).await.with_context(reading)?;
    fault_point!("kafka.write.after");
    summary.outcome = Outcome::Committed;
    let accepted = landed.files.iter().map(|file| file.rows).sum();
    summary.ledger = Ledger { read: landed.read, accepted, ..Ledger::default() };
    if !landed.gaps.is_empty() {
        summary.facts.insert("offset_gaps".to_owned(), landed.gaps.clone().into());
    }
    if !args.accept_loss.is_empty() {
        let texts: Vec<String> = args.accept_loss.iter().map(|l| format!("{}:{}-{}", l.partition, l.from, l.to)).collect();
        summary.facts.insert("accepted_loss".to_owned(), texts.into());
    }
    summary.duration_ms = edge.elapsed_ms();
    commit(table, &topic, &stored, landed, summary).await
}

fn source(edge: &Edge) -> anyhow::Result<KafkaSource> {
    match edge.contract.bronze().map(|bronze| &bronze.source) {
        Some(Source::Kafka(kafka)) => Ok(kafka.clone()),
        _ => Err(anyhow!("failed to land `{}`: it does not come from Kafka", edge.contract.table).context(Fault::Config)),
    }
}

/// What was consumed and written.
struct Landed {
    files: Vec<NewFile>,
    handed: u64,
    read: u64,
    last: BTreeMap<i32, i64>,
    gaps: Vec<String>,
}

/// Consumes the ranges and writes their rows.
async fn land(
    edge: &Edge,
    source: &KafkaSource,
    broker: &broker::Broker,
    topic: &broker::Topic,
    table: &Table,
    ranges: Vec<plan::Range>,
) -> anyhow::Result<Landed> {
    let (meta, _) = lake_bronze::Meta::new(&edge.run, &edge.contract).attach()?;
    let total = ranges.iter().map(|range| u64::try_from(range.until - range.from).unwrap_or(0)).sum();
    let bar = edge.progress("records landed", Some(total));
    let mut reader = consume::start(broker.clone(), topic.name.clone(), ranges);
    let topic_name: Arc<str> = topic.name.as_str().into();
    let mut writer = table.writer();
    while let Some(records) = reader.next().await.attach()? {
        bar.inc(records.rows() as u64);
        let batch = rows::batch(&meta, &table.spec().schema, &topic_name, records).attach()?;
        let batch = operator!("kafka.write", Batch(batch)).0;
        writer.write(&batch).await.attach()?;
    }
    bar.done();
    fault_point!("kafka.fetch.after");
    let consumed = reader.finish().attach()?;
    if source.offset_gaps == OffsetGaps::Refused
        && let Some(gap) = consumed.gaps.first()
    {
        return Err(error::KafkaFault::Gap(gap.clone())).attach();
    }
    let handed = writer.rows();
    let files = writer.finish().await.attach()?;
    Ok(Landed { files, handed, read: consumed.read, last: consumed.last, gaps: consumed.gaps })
}

/// Commits rows and progress together; a second copy of the run that finds its offsets in the log is done.
async fn commit(
    mut table: Table,
    topic: &broker::Topic,
    stored: &BTreeMap<i32, Option<i64>>,
    landed: Landed,
    summary: Summary,
) -> anyhow::Result<Summary> {
    let last: Vec<(i32, String, i64)> = landed.last.iter().map(|(p, offset)| (*p, topic.application(*p), *offset)).collect();
    let plan = async |table: &Table| {
        let mut moved = false;
        for (partition, application, offset) in &last {
            let now = table.txn(application).await.attach()?;
            moved |= now != stored.get(partition).copied().flatten();
            if now.is_some_and(|now| now > *offset) {
                return Err(error::KafkaFault::Overtaken(*partition)).attach();
            }
        }
        if moved {
            return already_done(table, &last).await;
        }
        Ok(Plan::Commit(Proposal {
            add: landed.files.clone(),
            remove: Vec::new(),
            txns: last.iter().map(|(_, application, offset)| (application.clone(), *offset)).collect(),
            inserted: landed.handed,
            removed: 0,
            summary: summary.clone(),
        }))
    };
    table.commit(plan).await
}

async fn already_done(table: &Table, last: &[(i32, String, i64)]) -> anyhow::Result<Plan> {
    for (partition, application, offset) in last {
        if table.txn(application).await.attach()? != Some(*offset) {
            return Err(error::KafkaFault::Overtaken(*partition)).attach();
        }
    }
    let entry = match last.first() {
        Some((_, application, _)) => table.commit_of(application).await.attach()?,
        None => None,
    };
    match entry.and_then(|entry| entry.summary) {
        Some(mut summary) => {
            summary.outcome = Outcome::AlreadyDone;
            Ok(Plan::Done(summary))
        }
        None => Err(error::KafkaFault::Overtaken(last.first().map_or(0, |(partition, ..)| *partition))).attach(),
    }
}
