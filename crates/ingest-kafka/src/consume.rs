//! Consumes ranges of offsets on a thread of its own and hands records over in batches.

use crate::{
    broker::{Broker, Watch},
    error::KafkaFault,
    plan::Range,
    rows::Records,
};
use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
    message::BorrowedMessage,
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Records of one batch: bounds the memory together with the batches in flight.
const BATCH_RECORDS: usize = 65_536;
/// Bytes of one batch.
const BATCH_BYTES: usize = 32 << 20;
const BATCHES_IN_FLIGHT: usize = 2;

/// What a whole consumption came to, counted from offsets and not from rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Consumed {
    /// Records.
    pub(crate) read: u64,
    /// Last offset of each partition.
    pub(crate) last: BTreeMap<i32, i64>,
    /// Missing offsets, `partition:from-to`.
    pub(crate) gaps: Vec<String>,
}

enum Item {
    Records(Records),
    End(Result<Consumed, KafkaFault>),
}

/// The records of some ranges, as they come.
pub(crate) struct Reader {
    items: Receiver<Item>,
    end: Option<Consumed>,
}

/// Starts to consume.
pub(crate) fn start(broker: Broker, topic: String, ranges: Vec<Range>) -> Reader {
    let (sender, items) = channel(BATCHES_IN_FLIGHT);
    std::thread::spawn(move || {
        let end = consume(&broker, &topic, &ranges, &sender);
        // A reader that has gone away needs no answer.
        let _ = sender.blocking_send(Item::End(end));
    });
    Reader { items, end: None }
}

impl Reader {
    /// Returns the next batch; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Records>, KafkaFault> {
        match self.items.recv().await {
            Some(Item::Records(records)) => Ok(Some(lake_core::operator!("kafka.fetch", records))),
            Some(Item::End(end)) => {
                self.end = Some(end?);
                Ok(None)
            }
            None => Err(KafkaFault::Consume("the consumer stopped without an answer".into())),
        }
    }

    /// Returns what the whole consumption came to.
    pub(crate) fn finish(self) -> Result<Consumed, KafkaFault> {
        self.end.ok_or_else(|| KafkaFault::Consume("the consumer has not ended".into()))
    }
}

/// Where a partition stands.
struct Position {
    next: i64,
    until: i64,
}

struct Progress {
    positions: BTreeMap<i32, Position>,
    open: usize,
    consumed: Consumed,
}

fn consume(broker: &Broker, topic: &str, ranges: &[Range], sender: &Sender<Item>) -> Result<Consumed, KafkaFault> {
    let (consumer, watch) = broker.consumer()?;
    let failed = |e: KafkaError| KafkaFault::Consume(e.to_string());
    let mut assignment = TopicPartitionList::new();
    for range in ranges {
        assignment.add_partition_offset(topic, range.partition, Offset::Offset(range.from)).map_err(failed)?;
    }
    consumer.assign(&assignment).map_err(failed)?;
    let positions = ranges.iter().map(|r| (r.partition, Position { next: r.from, until: r.until })).collect();
    let mut progress = Progress { positions, open: ranges.len(), consumed: Consumed::default() };
    let mut records = Records::default();
    let mut heard = Instant::now();
    while progress.open > 0 {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                heard = Instant::now();
                if progress.take(&message) {
                    records.push(&message);
                }
                progress.close_when_done(&consumer, topic, message.partition()).map_err(failed)?;
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                heard = Instant::now();
                progress.end_of_partition(partition);
            }
            Some(Err(error)) => tolerable(&error, &watch, broker)?,
            None if watch.refused() || heard.elapsed() >= broker.timeout => return Err(watch.fault(broker.timeout.as_secs())),
            None => {}
        }
        if (records.rows() >= BATCH_RECORDS || records.bytes() >= BATCH_BYTES) && sender.blocking_send(Item::Records(std::mem::take(&mut records))).is_err() {
            return Err(KafkaFault::Consume("the writer stopped".into()));
        }
    }
    if records.rows() > 0 && sender.blocking_send(Item::Records(records)).is_err() {
        return Err(KafkaFault::Consume("the writer stopped".into()));
    }
    Ok(progress.consumed)
}

/// librdkafka reconnects by itself; only what it will not overcome ends the run.
fn tolerable(error: &KafkaError, watch: &Watch, broker: &Broker) -> Result<(), KafkaFault> {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
            Err(KafkaFault::Gap("from the start of the range on (they went while they were read)".into()))
        }
        Some(RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::AllBrokersDown) if !watch.refused() => Ok(()),
        _ if watch.refused() => Err(watch.fault(broker.timeout.as_secs())),
        _ => Err(KafkaFault::Consume(error.to_string())),
    }
}

impl Progress {
    /// Counts a record; false for one beyond the range, which a later run takes.
    fn take(&mut self, message: &BorrowedMessage<'_>) -> bool {
        let (partition, offset) = (message.partition(), message.offset());
        let Some(position) = self.positions.get_mut(&partition).filter(|p| offset >= p.next && offset < p.until) else {
            return false;
        };
        let next = position.next;
        position.next = offset + 1;
        if offset > next {
            self.gap(partition, next, offset - 1);
        }
        self.consumed.read += 1;
        self.consumed.last.insert(partition, offset);
        true
    }

    /// Pauses a partition that has reached its bound, so that nothing beyond it is fetched.
    fn close_when_done(&mut self, consumer: &BaseConsumer<Watch>, topic: &str, partition: i32) -> Result<(), KafkaError> {
        if self.positions.get(&partition).is_some_and(|p| p.next >= p.until) {
            self.positions.remove(&partition);
            self.open -= 1;
            let mut list = TopicPartitionList::new();
            list.add_partition(topic, partition);
            consumer.pause(&list)?;
        }
        Ok(())
    }

    /// The end before the bound: what is missing there are records of the broker's own (transactions).
    fn end_of_partition(&mut self, partition: i32) {
        if let Some(position) = self.positions.remove(&partition) {
            self.open -= 1;
            self.gap(partition, position.next, position.until - 1);
            self.consumed.last.insert(partition, position.until - 1);
        }
    }

    fn gap(&mut self, partition: i32, from: i64, to: i64) {
        self.consumed.gaps.push(format!("{partition}:{from}-{to}"));
    }
}
