//! Reads a topic from its first record to its high watermarks and does nothing with it: what `ingest-kafka` is measured against.
//!
//! `bare-consumer BOOTSTRAP TOPIC` prints `{"rows", "bytes", "seconds"}` as JSON. It connects with the options of the program
//! (`crates/ingest-kafka/src/broker.rs`), so that a difference between the two is the program's own work.

#![expect(clippy::print_stdout, reason = "what it prints is all that it does")]

use anyhow::{Context as _, bail};
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How long the broker may stay silent.
const SILENCE: Duration = Duration::from_secs(30);

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [bootstrap, topic] = arguments.as_slice() else { bail!("usage: bare-consumer BOOTSTRAP TOPIC") };
    let started = Instant::now();
    let consumer = connect(bootstrap)?;
    let open = assign(&consumer, topic)?;
    let (rows, bytes) = read(&consumer, open)?;
    let seconds = started.elapsed().as_secs_f64();
    println!("{}", serde_json::json!({ "rows": rows, "bytes": bytes, "seconds": seconds }));
    Ok(())
}

fn connect(bootstrap: &str) -> anyhow::Result<BaseConsumer> {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "sluice-bench")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("check.crcs", "true")
        .set("fetch.queue.backoff.ms", "10")
        .set("queued.max.messages.kbytes", "65536")
        .create()
        .context("failed to make a consumer")
}

/// Assigns every partition that holds records from its first one; returns the bound of each.
fn assign(consumer: &BaseConsumer, topic: &str) -> anyhow::Result<BTreeMap<i32, i64>> {
    let metadata = consumer.fetch_metadata(Some(topic), SILENCE).context("failed to ask for the topic")?;
    let partitions = metadata.topics().first().map(|found| found.partitions()).unwrap_or_default();
    let mut open = BTreeMap::new();
    let mut assignment = TopicPartitionList::new();
    for partition in partitions {
        let (low, high) = consumer.fetch_watermarks(topic, partition.id(), SILENCE).context("failed to ask for watermarks")?;
        if low < high {
            open.insert(partition.id(), high);
            assignment.add_partition_offset(topic, partition.id(), Offset::Offset(low)).context("failed to name a partition")?;
        }
    }
    consumer.assign(&assignment).context("failed to assign the partitions")?;
    Ok(open)
}

/// Polls until every partition has reached its bound; returns records and bytes of their values.
fn read(consumer: &BaseConsumer, mut open: BTreeMap<i32, i64>) -> anyhow::Result<(u64, u64)> {
    let (mut rows, mut bytes) = (0, 0);
    while !open.is_empty() {
        let message = match consumer.poll(SILENCE) {
            Some(Ok(message)) => message,
            // librdkafka reconnects by itself.
            Some(Err(KafkaError::MessageConsumption(_) | KafkaError::Global(_))) => continue,
            Some(Err(error)) => return Err(error).context("failed to read the topic"),
            None => bail!("the broker was silent for {} s", SILENCE.as_secs()),
        };
        rows += 1;
        bytes += message.payload().map_or(0, <[u8]>::len) as u64;
        // A transaction's marker would be the last offset; the benchmark's topic has none.
        if open.get(&message.partition()).is_some_and(|high| message.offset() + 1 >= *high) {
            open.remove(&message.partition());
        }
    }
    Ok((rows, bytes))
}
