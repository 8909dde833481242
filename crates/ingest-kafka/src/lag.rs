//! How far the table is behind the topic: records that wait, and for how long the oldest has waited. Pure.
//!
//! Kafka does not say when an offset came without reading it. So each look at the watermarks is remembered: what lies beyond the
//! end that the look before saw has come since that look: nobody looks while a commit is made. Of what was there at the first look
//! only the last landed record's time is known, which is no later: a lag is never told too small.

use crate::broker::Topic;
use chrono::{DateTime, Utc};
use lake_core::gauge::{Gauge, Unit};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// Ends that are remembered of a partition: ten minutes of looks in which each saw a new one.
const ENDS_MAX: usize = 1_200;

/// What all partitions wait for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lag(BTreeMap<i32, Partition>);

#[derive(Debug, Clone, Default)]
struct Partition {
    /// First offset that has not landed.
    next: i64,
    /// Time of the record before it, until the first look.
    before: Option<DateTime<Utc>>,
    /// When it was looked at last.
    looked: Option<DateTime<Utc>>,
    /// Ends that were seen, with the instant since which what lies before each may wait.
    ends: VecDeque<(i64, DateTime<Utc>)>,
}

/// How far a partition is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Behind {
    /// Offsets that have not landed.
    pub(crate) records: u64,
    /// How long the oldest of them has waited, in whole seconds.
    pub(crate) seconds: u64,
}

impl Partition {
    /// The newest end that was seen.
    fn end(&self) -> i64 {
        self.ends.back().map_or(self.next, |(end, _)| *end)
    }
}

impl Lag {
    /// Takes note of what has landed of a partition: the next offset, and the time of the last record.
    pub(crate) fn landed(&mut self, partition: i32, next: i64, at: Option<DateTime<Utc>>) {
        let known = self.0.entry(partition).or_insert_with(|| Partition { before: at, ..Partition::default() });
        known.next = next;
        while known.ends.front().is_some_and(|(end, _)| *end <= next) {
            known.ends.pop_front();
        }
    }

    /// Takes note of what the topic holds.
    pub(crate) fn look(&mut self, topic: &Topic, at: DateTime<Utc>) {
        for (&partition, &(low, high)) in &topic.watermarks {
            let known = self.0.entry(partition).or_insert_with(|| Partition { next: low, ..Partition::default() });
            let looked = known.looked.replace(at).filter(|looked| *looked < at).unwrap_or(at);
            let since = known.before.take().filter(|before| *before < at).unwrap_or(looked);
            if high <= known.end() {
                continue;
            }
            let full = known.ends.len() >= ENDS_MAX;
            match known.ends.back_mut().filter(|_| full) {
                // Told too large rather than too small: these count as come with the ones before.
                Some((end, _)) => *end = high,
                None => known.ends.push_back((high, since)),
            }
        }
    }

    /// Returns how far each partition is behind at an instant.
    pub(crate) fn read(&self, at: DateTime<Utc>) -> BTreeMap<i32, Behind> {
        let behind = |(partition, known): (&i32, &Partition)| {
            let since = known.ends.front().map(|(_, since)| (at - *since).num_seconds());
            let records = u64::try_from(known.end() - known.next).unwrap_or(0);
            (*partition, Behind { records, seconds: since.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0) })
        };
        self.0.iter().map(behind).collect()
    }

    /// Returns how long the oldest record of all has waited.
    pub(crate) fn age(&self, at: DateTime<Utc>) -> Duration {
        let oldest = self.0.values().filter_map(|known| known.ends.front()).map(|(_, since)| *since).min();
        oldest.and_then(|since| (at - since).to_std().ok()).unwrap_or_default()
    }
}

/// Returns the sum of the records and the longest wait.
pub(crate) fn total(behind: &BTreeMap<i32, Behind>) -> Behind {
    let records = behind.values().map(|one| one.records).sum();
    Behind { records, seconds: behind.values().map(|one| one.seconds).max().unwrap_or(0) }
}

/// Returns the lag as a fact of a commit.
pub(crate) fn fact(behind: &BTreeMap<i32, Behind>) -> serde_json::Value {
    let one = |(partition, behind): (&i32, &Behind)| {
        (partition.to_string(), serde_json::json!({ "records": behind.records, "seconds": behind.seconds }))
    };
    serde_json::Value::Object(behind.iter().map(one).collect())
}

/// Returns the lag as gauges, of the whole topic and of each partition.
pub(crate) fn gauges(behind: &BTreeMap<i32, Behind>) -> Vec<Gauge> {
    let parts = behind.iter().map(|(partition, behind)| (Some(partition.to_string()), *behind));
    let all = std::iter::once((None, total(behind))).chain(parts);
    all.flat_map(|(part, behind)| {
        let gauge = |name, unit, value| Gauge { name, unit, part: part.clone(), value };
        [gauge("lag_records", Unit::Count, behind.records), gauge("lag_seconds", Unit::Seconds, behind.seconds)]
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::Duration::seconds(seconds)
    }

    fn look(lag: &mut Lag, high: i64, seconds: i64) {
        lag.look(&Topic::of(&[(0, 0, high)]), at(seconds));
    }

    fn behind(lag: &Lag, seconds: i64) -> (u64, u64) {
        let behind = lag.read(at(seconds))[&0];
        (behind.records, behind.seconds)
    }

    #[test]
    fn what_waits_may_have_come_right_after_the_look_before() {
        let mut lag = Lag::default();
        lag.landed(0, 10, Some(at(1)));
        look(&mut lag, 10, 100);
        assert_eq!((behind(&lag, 200), lag.age(at(200))), ((0, 0), Duration::ZERO), "a quiet topic is not behind");
        look(&mut lag, 10, 200);
        look(&mut lag, 12, 201);
        look(&mut lag, 12, 203);
        // Nobody looked while something was committed.
        look(&mut lag, 15, 211);
        assert_eq!((behind(&lag, 212), lag.age(at(212))), ((5, 12), Duration::from_secs(12)));
        lag.landed(0, 12, Some(at(202)));
        assert_eq!(behind(&lag, 212), (3, 9), "the rest came later");
        lag.landed(0, 15, Some(at(204)));
        assert_eq!(behind(&lag, 300), (0, 0));
    }

    #[test]
    fn what_waits_at_the_start_has_waited_since_the_last_landed_record() {
        let mut lag = Lag::default();
        lag.landed(0, 10, Some(at(50)));
        look(&mut lag, 12, 100);
        assert_eq!(behind(&lag, 100), (2, 50));
        lag.landed(0, 12, Some(at(99)));
        look(&mut lag, 13, 101);
        assert_eq!(behind(&lag, 101), (1, 1));
    }

    #[test]
    fn a_partition_of_which_nothing_has_landed_begins_with_its_first_record() {
        let mut lag = Lag::default();
        lag.look(&Topic::of(&[(3, 4, 9)]), at(5));
        assert_eq!(lag.read(at(7))[&3], Behind { records: 5, seconds: 2 });
    }

    #[test]
    fn a_record_from_the_future_has_not_waited() {
        let mut lag = Lag::default();
        lag.landed(0, 1, Some(at(900)));
        look(&mut lag, 2, 100);
        assert_eq!(behind(&lag, 100), (1, 0));
    }

    #[test]
    fn a_long_wait_is_remembered_in_bounded_space() {
        let mut lag = Lag::default();
        lag.landed(0, 0, None);
        let looks = i64::try_from(ENDS_MAX).unwrap() * 2;
        for look_at in 1..=looks {
            look(&mut lag, look_at, look_at);
        }
        assert_eq!(lag.0[&0].ends.len(), ENDS_MAX);
        let all = u64::try_from(looks).unwrap();
        assert_eq!(behind(&lag, looks), (all, all - 1));
        lag.landed(0, looks - 1, None);
        assert_eq!(behind(&lag, looks).0, 1);
        assert!(behind(&lag, looks).1 >= 1, "never too small");
    }

    #[test]
    fn facts_and_gauges_say_the_same() {
        let read = BTreeMap::from([(0, Behind { records: 3, seconds: 9 }), (7, Behind { records: 1, seconds: 11 })]);
        assert_eq!(total(&read), Behind { records: 4, seconds: 11 });
        let expected = serde_json::json!({ "0": { "records": 3, "seconds": 9 }, "7": { "records": 1, "seconds": 11 } });
        assert_eq!(fact(&read), expected);
        let told: Vec<_> = gauges(&read).into_iter().map(|gauge| (gauge.part, gauge.name, gauge.value)).collect();
        let part = |partition: &str| Some(partition.to_owned());
        assert_eq!(
            told,
            [
                (None, "lag_records", 4),
                (None, "lag_seconds", 11),
                (part("0"), "lag_records", 3),
                (part("0"), "lag_seconds", 9),
                (part("7"), "lag_records", 1),
                (part("7"), "lag_seconds", 11),
            ]
        );
    }
}
