//! Consumes ranges of offsets on a thread of its own and hands records over in batches.

use crate::{
    broker::{Broker, Watch},
    error::KafkaFault,
    plan::Range,
    rows::Records,
};
use lake_core::contract::bronze::OffsetGaps;
use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
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
/// How long a partition that reports its end before its bound may still bring a record: a new leader first reports an end that lags.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// What a whole consumption came to, counted from offsets and not from rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Consumed {
    /// Records.
    pub(crate) read: u64,
    /// Last offset of each partition.
    pub(crate) last: BTreeMap<i32, i64>,
    /// Missing offsets.
    pub(crate) gaps: Vec<Gap>,
}

/// Missing offsets of a partition, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    partition: i32,
    from: i64,
    to: i64,
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}-{}", self.partition, self.from, self.to)
    }
}

#[expect(clippy::large_enum_variant, reason = "few are in flight, and boxing one costs more than moving it")]
enum Item {
    Records(Records),
    End(Result<Consumed, KafkaFault>),
}

/// What to consume.
pub(crate) struct Order {
    /// Where.
    pub(crate) broker: Broker,
    /// Topic.
    pub(crate) topic: String,
    /// Offsets of each partition.
    pub(crate) ranges: Vec<Range>,
    /// What missing offsets mean.
    pub(crate) gaps: OffsetGaps,
}

/// The records of some ranges, as they come.
pub(crate) struct Reader {
    items: Receiver<Item>,
    end: Option<Consumed>,
}

/// Starts to consume.
pub(crate) fn start(order: Order) -> Reader {
    let (sender, items) = channel(BATCHES_IN_FLIGHT);
    // A thread of its own: librdkafka's calls block, and one that a dead broker keeps must not keep the process.
    std::thread::spawn(move || {
        let end = consume(&order, &sender);
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

fn consume(order: &Order, sender: &Sender<Item>) -> Result<Consumed, KafkaFault> {
    let (consumer, watch) = order.broker.consumer()?;
    let failed = |e: KafkaError| KafkaFault::Consume(e.to_string());
    let mut assignment = TopicPartitionList::new();
    for range in &order.ranges {
        assignment.add_partition_offset(&order.topic, range.partition, Offset::Offset(range.from)).map_err(failed)?;
    }
    consumer.assign(&assignment).map_err(failed)?;
    let mut progress = Progress::new(&order.ranges, order.gaps);
    let mut records = Records::default();
    let mut heard = Instant::now();
    while !progress.open.is_empty() {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                heard = Instant::now();
                let partition = message.partition();
                if progress.take(partition, message.offset())? {
                    records.push(&message);
                }
                if progress.done(partition) {
                    pause(&consumer, &order.topic, partition).map_err(failed)?;
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                heard = Instant::now();
                progress.ended(partition, heard);
            }
            Some(Err(error)) => tolerable(&error, &watch, &order.broker)?,
            None => {
                progress.give_up_ended()?;
                if !progress.open.is_empty() && (watch.refused() || heard.elapsed() >= order.broker.timeout) {
                    return Err(watch.fault(order.broker.timeout.as_secs()));
                }
            }
        }
        if records.rows() >= BATCH_RECORDS || records.bytes() >= BATCH_BYTES {
            hand_over(sender, std::mem::take(&mut records))?;
        }
    }
    hand_over(sender, records)?;
    Ok(progress.consumed)
}

fn hand_over(sender: &Sender<Item>, records: Records) -> Result<(), KafkaFault> {
    if records.rows() == 0 {
        return Ok(());
    }
    sender.blocking_send(Item::Records(records)).map_err(|_| KafkaFault::Consume("the writer stopped".into()))
}

/// Stops the fetching of a partition that has reached its bound; what came beyond it is passed over.
fn pause(consumer: &BaseConsumer<Watch>, topic: &str, partition: i32) -> Result<(), KafkaError> {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, partition);
    consumer.pause(&list)
}

/// librdkafka reconnects by itself; only what it will not overcome ends the run.
fn tolerable(error: &KafkaError, watch: &Watch, broker: &Broker) -> Result<(), KafkaFault> {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => Err(KafkaFault::Vanished),
        _ if watch.refused() => Err(watch.fault(broker.timeout.as_secs())),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::Resolve
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::RequestTimedOut
            | RDKafkaErrorCode::LeaderNotAvailable
            | RDKafkaErrorCode::NotLeaderForPartition,
        ) => Ok(()),
        _ => Err(KafkaFault::Consume(error.to_string())),
    }
}

/// Where an unfinished partition stands.
#[derive(Debug)]
struct Position {
    next: i64,
    until: i64,
    ended: Option<Instant>,
}

/// What has been read, by offsets alone.
#[derive(Debug)]
struct Progress {
    open: BTreeMap<i32, Position>,
    gaps: OffsetGaps,
    consumed: Consumed,
}

impl Progress {
    fn new(ranges: &[Range], gaps: OffsetGaps) -> Self {
        let open = ranges.iter().map(|range| (range.partition, Position { next: range.from, until: range.until, ended: None }));
        Self { open: open.collect(), gaps, consumed: Consumed::default() }
    }

    /// Counts a record; false for one beyond the range, which a later run takes.
    fn take(&mut self, partition: i32, offset: i64) -> Result<bool, KafkaFault> {
        let Some(position) = self.open.get_mut(&partition) else { return Ok(false) };
        if offset < position.next {
            return Err(KafkaFault::Again { partition, offset });
        }
        let (next, until) = (position.next, position.until);
        let inside = offset < until;
        position.next = if inside { offset + 1 } else { until };
        position.ended = None;
        if next < offset.min(until) {
            self.gap(Gap { partition, from: next, to: offset.min(until) - 1 })?;
        }
        self.consumed.read += u64::from(inside);
        self.consumed.last.insert(partition, offset.min(until - 1));
        Ok(inside)
    }

    /// Whether a partition has just reached its bound; it is open no longer.
    fn done(&mut self, partition: i32) -> bool {
        let reached = self.open.get(&partition).is_some_and(|position| position.next >= position.until);
        reached && self.open.remove(&partition).is_some()
    }

    /// Remembers that a partition reported its end.
    fn ended(&mut self, partition: i32, now: Instant) {
        if let Some(position) = self.open.get_mut(&partition) {
            position.ended.get_or_insert(now);
        }
    }

    /// Ends the partitions that reported their end and brought nothing since: what is missing up to their bound are records
    /// of the broker's own (transactions) or was compacted away.
    fn give_up_ended(&mut self) -> Result<(), KafkaFault> {
        let over: Vec<i32> =
            self.open.iter().filter(|(_, p)| p.ended.is_some_and(|at| at.elapsed() >= END_PATIENCE)).map(|(p, _)| *p).collect();
        for partition in over {
            if let Some(position) = self.open.remove(&partition) {
                self.gap(Gap { partition, from: position.next, to: position.until - 1 })?;
                self.consumed.last.insert(partition, position.until - 1);
            }
        }
        Ok(())
    }

    fn gap(&mut self, gap: Gap) -> Result<(), KafkaFault> {
        if self.gaps == OffsetGaps::Refused {
            return Err(KafkaFault::Gap { partition: gap.partition, from: gap.from, to: gap.to });
        }
        self.consumed.gaps.push(gap);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(from: i64, until: i64, gaps: OffsetGaps) -> Progress {
        Progress::new(&[Range { partition: 0, from, until }], gaps)
    }

    #[test]
    fn every_record_up_to_the_bound_counts_once() {
        let mut progress = progress(3, 5, OffsetGaps::Refused);
        assert!(progress.take(0, 3).unwrap());
        assert!(!progress.done(0));
        assert!(progress.take(0, 4).unwrap());
        assert!(progress.done(0));
        assert!(!progress.take(0, 5).unwrap(), "a record beyond the bound is a later run's");
        assert!(!progress.take(1, 0).unwrap(), "a partition that was not asked for");
        assert_eq!((progress.consumed.read, progress.consumed.last[&0]), (2, 4));
    }

    #[test]
    fn a_gap_stops_the_run_unless_the_contract_allows_it() {
        let mut refused = progress(3, 9, OffsetGaps::Refused);
        assert!(matches!(refused.take(0, 5), Err(KafkaFault::Gap { partition: 0, from: 3, to: 4 })));
        let mut allowed = progress(3, 9, OffsetGaps::Allowed);
        assert!(allowed.take(0, 5).unwrap());
        assert!(!allowed.take(0, 12).unwrap(), "a record beyond the bound ends the range");
        assert!(allowed.done(0));
        let gaps: Vec<String> = allowed.consumed.gaps.iter().map(ToString::to_string).collect();
        assert_eq!(gaps, ["0:3-4", "0:6-8"]);
        assert_eq!((allowed.consumed.read, allowed.consumed.last[&0]), (1, 8));
    }

    #[test]
    fn an_offset_that_comes_again_is_refused() {
        let mut progress = progress(3, 9, OffsetGaps::Allowed);
        assert!(progress.take(0, 3).unwrap());
        assert!(matches!(progress.take(0, 3), Err(KafkaFault::Again { offset: 3, .. })));
    }

    #[test]
    fn an_end_before_the_bound_counts_only_when_nothing_follows() {
        let mut progress = progress(3, 9, OffsetGaps::Allowed);
        let long_ago = Instant::now().checked_sub(END_PATIENCE).unwrap();
        progress.ended(0, long_ago);
        assert!(progress.take(0, 3).unwrap());
        progress.give_up_ended().unwrap();
        assert!(!progress.open.is_empty(), "the record took the end back");
        progress.ended(0, long_ago);
        progress.give_up_ended().unwrap();
        assert!(progress.open.is_empty());
        assert_eq!(progress.consumed.last[&0], 8);
        assert_eq!(progress.consumed.gaps, [Gap { partition: 0, from: 4, to: 8 }]);
    }
}
