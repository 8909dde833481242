//! Consumes ranges of offsets on a thread of its own and hands records over in batches.

use crate::{
    broker::{Broker, Watch, Watermarks},
    error::KafkaFault,
    mark::{Mark, Marks},
    plan::{Check, Range},
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
/// For how long it does depends on its followers, so the end is asked for as well before anything counts as missing.
const END_PATIENCE: Duration = Duration::from_secs(1);
/// Only records within so many offsets of a range's end get a mark: there the last one stands, before the few markers of
/// transactions that may follow it, and no other record costs anything.
const MARKED_OFFSETS: i64 = 16;

/// What a whole consumption came to, counted from offsets and not from rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Consumed {
    /// Records.
    pub(crate) read: u64,
    /// Last offset of each partition.
    pub(crate) last: BTreeMap<i32, i64>,
    /// Missing offsets.
    pub(crate) gaps: Vec<Gap>,
    /// What the next run compares.
    pub(crate) marks: Marks,
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
    /// Landed records that are compared.
    pub(crate) checks: Vec<Check>,
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
    for (partition, offset) in starts(&order.ranges, &order.checks) {
        assignment.add_partition_offset(&order.topic, partition, Offset::Offset(offset)).map_err(failed)?;
    }
    consumer.assign(&assignment).map_err(failed)?;
    let mut progress = Progress::new(&order.ranges, &order.checks, order.gaps);
    let mut records = Records::default();
    let mut heard = Instant::now();
    while !progress.open.is_empty() {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                heard = Instant::now();
                let (partition, offset) = (message.partition(), message.offset());
                let mark = || Mark::of(&message);
                if !progress.compare(partition, offset, mark)? && progress.take(partition, offset, mark)? {
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
                if sender.is_closed() {
                    return Err(stopped());
                }
                progress.give_up_ended(|| order.broker.watermarks(&order.topic))?;
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

/// Where each partition is read from: a landed record that is compared comes first.
fn starts(ranges: &[Range], checks: &[Check]) -> BTreeMap<i32, i64> {
    let mut starts: BTreeMap<i32, i64> = ranges.iter().map(|range| (range.partition, range.from)).collect();
    starts.extend(checks.iter().map(|check| (check.partition, check.mark.offset)));
    starts
}

fn hand_over(sender: &Sender<Item>, records: Records) -> Result<(), KafkaFault> {
    if records.rows() == 0 {
        return Ok(());
    }
    sender.blocking_send(Item::Records(records)).map_err(|_| stopped())
}

/// Nobody takes the records any more.
fn stopped() -> KafkaFault {
    KafkaFault::Consume("the writer stopped".into())
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
    /// Whether the leader has said since then that its end is not before the bound.
    confirmed: bool,
}

impl Position {
    /// Whether it has reported its end, and for how long nothing came after that.
    fn is_over(&self) -> bool {
        self.ended.is_some_and(|at| at.elapsed() >= END_PATIENCE)
    }

    /// Whether offsets would count as missing because of an end that may lag.
    const fn is_doubtful(&self) -> bool {
        self.next < self.until && !self.confirmed
    }
}

/// What has been read, by offsets alone.
#[derive(Debug)]
struct Progress {
    open: BTreeMap<i32, Position>,
    checks: BTreeMap<i32, Check>,
    gaps: OffsetGaps,
    consumed: Consumed,
}

impl Progress {
    fn new(ranges: &[Range], checks: &[Check], gaps: OffsetGaps) -> Self {
        let position = |next, until| Position { next, until, ended: None, confirmed: false };
        // A partition without news is open until its landed record has been compared.
        let mut open: BTreeMap<i32, Position> =
            checks.iter().map(|check| (check.partition, position(check.stored + 1, check.stored + 1))).collect();
        open.extend(ranges.iter().map(|range| (range.partition, position(range.from, range.until))));
        let checks = checks.iter().map(|check| (check.partition, check.clone())).collect();
        Self { open, checks, gaps, consumed: Consumed::default() }
    }

    /// Compares a record of a landed offset with what was landed from there; true when it is that one, which is not read again.
    fn compare(&mut self, partition: i32, offset: i64, mark: impl FnOnce() -> Mark) -> Result<bool, KafkaFault> {
        let Some(check) = self.checks.get(&partition) else { return Ok(false) };
        if offset > check.stored {
            // It has been compared, or compaction took it. A record of this run is what the next one compares.
            self.checks.remove(&partition);
            self.consumed.marks.remove(&partition);
            return Ok(false);
        }
        if mark() != check.mark {
            return Err(KafkaFault::Replaced { partition, offset });
        }
        self.consumed.marks.insert(partition, check.mark.clone());
        if let Some(position) = self.open.get_mut(&partition) {
            (position.ended, position.confirmed) = (None, false);
        }
        Ok(true)
    }

    /// Counts a record; false for one beyond the range, which a later run takes.
    fn take(&mut self, partition: i32, offset: i64, mark: impl FnOnce() -> Mark) -> Result<bool, KafkaFault> {
        let Some(position) = self.open.get_mut(&partition) else { return Ok(false) };
        if offset < position.next {
            return Err(KafkaFault::Again { partition, offset });
        }
        let (next, until) = (position.next, position.until);
        let inside = offset < until;
        position.next = if inside { offset + 1 } else { until };
        (position.ended, position.confirmed) = (None, false);
        if next < offset.min(until) {
            self.gap(Gap { partition, from: next, to: offset.min(until) - 1 })?;
        }
        self.consumed.read += u64::from(inside);
        self.consumed.last.insert(partition, offset.min(until - 1));
        if inside && until - offset <= MARKED_OFFSETS {
            self.consumed.marks.insert(partition, mark());
        }
        Ok(inside)
    }

    /// Whether a partition has just reached its bound; it is open no longer.
    fn done(&mut self, partition: i32) -> bool {
        let reached = self.open.get(&partition).is_some_and(|position| position.next >= position.until);
        if reached {
            self.open.remove(&partition);
            self.checks.remove(&partition);
        }
        reached
    }

    /// Remembers that a partition reported its end.
    fn ended(&mut self, partition: i32, now: Instant) {
        if let Some(position) = self.open.get_mut(&partition) {
            position.ended.get_or_insert(now);
        }
    }

    /// Ends the partitions that reported their end and brought nothing since: what is missing up to their bound are records
    /// of the broker's own (transactions) or was compacted away. A leader that ends before the bound has not caught up with the one
    /// before it: its records are waited for.
    fn give_up_ended(&mut self, ends: impl FnOnce() -> Result<Watermarks, KafkaFault>) -> Result<(), KafkaFault> {
        if self.open.values().any(|position| position.is_over() && position.is_doubtful()) {
            let ends = ends()?;
            for (partition, position) in self.open.iter_mut().filter(|(_, p)| p.is_over() && p.is_doubtful()) {
                position.confirmed = ends.get(partition).is_some_and(|(_, end)| *end >= position.until);
                // What came while the end was asked for is on its way.
                position.ended = Some(Instant::now());
            }
        }
        let over: Vec<i32> = self.open.iter().filter(|(_, p)| p.is_over()).map(|(partition, _)| *partition).collect();
        for partition in over {
            // Of a partition without news only the record to compare can be missing: compaction took it.
            if let Some(position) = self.open.remove(&partition).filter(|position| position.next < position.until) {
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
#[path = "consume_tests.rs"]
mod tests;
