//! Which offsets are new, and whether any are gone. Pure.

use crate::{
    Loss,
    broker::Topic,
    error::KafkaFault,
    mark::{Mark, Marks},
};
use std::collections::BTreeMap;

/// Last landed offset of each partition, by the table's log.
pub(crate) type Stored = BTreeMap<i32, i64>;

/// Offsets of one partition, `[from, until)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    /// Partition.
    pub(crate) partition: i32,
    /// First offset to consume.
    pub(crate) from: i64,
    /// First offset not to consume: the high watermark at the start, or less of a range that is bounded.
    pub(crate) until: i64,
}

/// A landed record that is compared before its partition is read on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    /// Partition.
    pub(crate) partition: i32,
    /// Last landed offset; behind the record's own, markers of transactions may stand.
    pub(crate) stored: i64,
    /// The record.
    pub(crate) mark: Mark,
}

/// What a run consumes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Planned {
    /// Partitions with something new.
    pub(crate) ranges: Vec<Range>,
    /// Offsets that retention took and the caller gives up.
    pub(crate) given_up: Vec<Loss>,
    /// Landed records that are compared.
    pub(crate) checks: Vec<Check>,
}

impl Planned {
    /// Number of offsets to consume.
    pub(crate) fn rows(&self) -> u64 {
        self.ranges.iter().map(|range| u64::try_from(range.until - range.from).unwrap_or(0)).sum()
    }

    /// Takes no more than about so many offsets: short ranges whole, the others share what is left; none is left out.
    pub(crate) fn bounded(mut self, rows_max: u64) -> Self {
        let mut shortest_first: Vec<usize> = (0..self.ranges.len()).collect();
        shortest_first.sort_by_key(|place| self.ranges[*place].until - self.ranges[*place].from);
        let mut left = i64::try_from(rows_max).unwrap_or(i64::MAX);
        let mut waiting = i64::try_from(shortest_first.len()).unwrap_or(i64::MAX);
        for place in shortest_first {
            let range = &mut self.ranges[place];
            let taken = (range.until - range.from).min((left / waiting).max(1));
            range.until = range.from + taken;
            left -= taken;
            waiting -= 1;
        }
        self
    }

    /// Adds the comparisons, also those of partitions without news; a run without any news needs none.
    ///
    /// A record before the beginning of its partition went with retention: there is nothing to compare.
    pub(crate) fn comparing(mut self, topic: &Topic, stored: &Stored, marks: &Marks) -> Self {
        if self == Self::default() {
            return self;
        }
        let check = |(partition, mark): (&i32, &Mark)| {
            let (low, _) = *topic.watermarks.get(partition)?;
            let stored = *stored.get(partition)?;
            let there = low <= mark.offset && mark.offset <= stored;
            there.then(|| Check { partition: *partition, stored, mark: mark.clone() })
        };
        self.checks = marks.iter().filter_map(check).collect();
        self
    }
}

/// Plans a run.
///
/// A stored offset beyond the end, or of a partition that the topic does not have, means another topic under the same name
/// (one that has grown beyond the stored offset shows only when it is read, see [`Planned::comparing`]);
/// one before the beginning means that retention took records, which is an error unless exactly those offsets are given up.
/// A partition that no commit has seen, of a topic that one has, was added since and began at offset 0.
/// A loss that an earlier run has given up is passed over, so that the same command can run again.
pub(crate) fn plan(topic: &Topic, stored: &Stored, losses: &[Loss]) -> Result<Planned, KafkaFault> {
    if let Some(partition) = stored.keys().find(|partition| !topic.watermarks.contains_key(partition)) {
        return Err(KafkaFault::Fewer { partition: *partition, partitions: topic.watermarks.len() });
    }
    let mut planned = Planned::default();
    for (&partition, &(low, high)) in &topic.watermarks {
        let added = (!stored.is_empty()).then_some(-1);
        let from = match stored.get(&partition).copied().or(added) {
            Some(stored) if stored >= high => return Err(KafkaFault::Recreated { partition, stored, high }),
            Some(stored) if stored + 1 < low => {
                planned.given_up.push(Loss { partition, from: stored + 1, to: low - 1 });
                low
            }
            Some(stored) => stored + 1,
            None => low,
        };
        if from < high {
            planned.ranges.push(Range { partition, from, until: high });
        }
    }
    let past = |loss: &Loss| stored.get(&loss.partition).is_some_and(|stored| *stored >= loss.to);
    if let Some(lost) = planned.given_up.iter().find(|gone| !losses.contains(gone)) {
        return Err(KafkaFault::Lost { partition: lost.partition, from: lost.from, to: lost.to });
    }
    match losses.iter().find(|loss| !planned.given_up.contains(loss) && !past(loss)) {
        Some(wrong) => Err(KafkaFault::WrongLoss { partition: wrong.partition, from: wrong.from, to: wrong.to }),
        None => Ok(planned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(low: i64, high: i64, stored: Option<i64>, losses: &[Loss]) -> Result<Planned, KafkaFault> {
        let stored = stored.map(|stored| (0, stored)).into_iter().collect();
        plan(&Topic::of(&[(0, low, high)]), &stored, losses)
    }

    fn ranges(low: i64, high: i64, stored: Option<i64>) -> Vec<(i64, i64)> {
        of(low, high, stored, &[]).unwrap().ranges.iter().map(|range| (range.from, range.until)).collect()
    }

    #[test]
    fn consuming_goes_on_after_the_stored_offset() {
        assert_eq!(ranges(0, 10, None), [(0, 10)]);
        assert_eq!(ranges(3, 10, None), [(3, 10)]);
        assert_eq!(ranges(0, 10, Some(0)), [(1, 10)]);
        assert_eq!(ranges(0, 10, Some(3)), [(4, 10)]);
        assert_eq!(ranges(5, 10, Some(4)), [(5, 10)]);
    }

    #[test]
    fn a_partition_without_news_is_not_assigned() {
        assert_eq!(ranges(0, 10, Some(9)), []);
        assert_eq!(ranges(0, 0, None), []);
        assert_eq!(ranges(10, 10, Some(9)), []);
    }

    #[test]
    fn the_first_records_of_a_partition_that_was_added_are_not_skipped() {
        let stored = Stored::from([(0, 9)]);
        let of = |low, high, losses: &[Loss]| plan(&Topic::of(&[(0, 0, 10), (1, low, high)]), &stored, losses);
        assert_eq!(of(0, 4, &[]).unwrap().ranges, [Range { partition: 1, from: 0, until: 4 }]);
        assert_eq!(of(0, 0, &[]).unwrap(), Planned::default());
        for high in [3, 9] {
            assert!(matches!(of(3, high, &[]), Err(KafkaFault::Lost { partition: 1, from: 0, to: 2 })), "ends at {high}");
        }
        let accepted = of(3, 9, &[Loss { partition: 1, from: 0, to: 2 }]).unwrap();
        assert_eq!(accepted.ranges, [Range { partition: 1, from: 3, until: 9 }]);
    }

    #[test]
    fn a_topic_that_ends_before_the_stored_offset_was_made_anew() {
        assert!(matches!(of(0, 10, Some(10), &[]), Err(KafkaFault::Recreated { stored: 10, high: 10, .. })));
        assert!(matches!(of(0, 0, Some(0), &[]), Err(KafkaFault::Recreated { stored: 0, high: 0, .. })));
    }

    #[test]
    fn a_topic_with_fewer_partitions_was_made_anew() {
        let stored = Stored::from([(0, 3), (1, 5)]);
        let result = plan(&Topic::of(&[(0, 0, 10)]), &stored, &[]);
        assert!(matches!(result, Err(KafkaFault::Fewer { partition: 1, partitions: 1 })), "{result:?}");
    }

    #[test]
    fn lost_offsets_stop_the_run_unless_exactly_they_are_accepted() {
        assert!(matches!(of(6, 10, Some(3), &[]), Err(KafkaFault::Lost { from: 4, to: 5, .. })));
        let right = Loss { partition: 0, from: 4, to: 5 };
        let planned = of(6, 10, Some(3), &[right]).unwrap();
        let ranges = vec![Range { partition: 0, from: 6, until: 10 }];
        assert_eq!(planned, Planned { ranges, given_up: vec![right], checks: vec![] });
        let wrong = Loss { partition: 0, from: 4, to: 6 };
        assert!(matches!(of(6, 10, Some(3), &[wrong]), Err(KafkaFault::Lost { .. })));
        assert!(matches!(of(6, 10, Some(3), &[right, wrong]), Err(KafkaFault::WrongLoss { .. })));
        assert!(matches!(of(0, 10, Some(3), &[right]), Err(KafkaFault::WrongLoss { .. })));
        assert!(matches!(of(0, 10, None, &[right]), Err(KafkaFault::WrongLoss { .. })));
    }

    #[test]
    fn a_loss_that_was_given_up_before_is_passed_over() {
        let past = Loss { partition: 0, from: 4, to: 5 };
        assert_eq!(of(6, 10, Some(9), &[past]).unwrap(), Planned::default());
    }

    #[test]
    fn a_bound_is_shared_and_leaves_no_partition_out() {
        let topic = Topic::of(&[(0, 0, 1_000), (1, 0, 10), (2, 5, 1_005), (3, 7, 7)]);
        let bounded = |rows_max| {
            let planned = plan(&topic, &Stored::from([(2, 4), (3, 6)]), &[]).unwrap().bounded(rows_max);
            planned.ranges.iter().map(|range| (range.partition, range.from, range.until)).collect::<Vec<_>>()
        };
        assert_eq!(bounded(110), [(0, 0, 50), (1, 0, 10), (2, 5, 55)]);
        assert_eq!(bounded(1), [(0, 0, 1), (1, 0, 1), (2, 5, 6)]);
        assert_eq!(bounded(u64::MAX), [(0, 0, 1_000), (1, 0, 10), (2, 5, 1_005)]);
        assert_eq!(plan(&topic, &Stored::new(), &[]).unwrap().rows(), 2_010);
    }

    fn mark(offset: i64) -> Mark {
        Mark::new(offset, Some(1), [None, Some(b"{}".as_slice())])
    }

    /// Partition and offset of what is compared.
    fn compared(topic: &Topic, stored: &Stored, marks: &Marks) -> Vec<(i32, i64)> {
        let planned = plan(topic, stored, &[]).unwrap().comparing(topic, stored, marks);
        planned.checks.iter().map(|check| (check.partition, check.mark.offset)).collect()
    }

    #[test]
    fn the_last_landed_record_is_compared_where_it_may_still_be() {
        let topic = Topic::of(&[(0, 0, 10), (1, 6, 10), (2, 4, 6), (3, 0, 5), (4, 0, 3)]);
        let stored = Stored::from([(0, 4), (1, 5), (2, 5), (3, 4), (4, -1)]);
        // Two markers of transactions behind it, gone by retention, without news, not written down, never landed.
        let marks = Marks::from([(0, mark(2)), (1, mark(5)), (2, mark(5)), (9, mark(1))]);
        assert_eq!(compared(&topic, &stored, &marks), [(0, 2), (2, 5)]);
        assert_eq!(compared(&topic, &stored, &Marks::new()), []);
    }

    #[test]
    fn a_run_without_news_compares_nothing() {
        let (topic, stored) = (Topic::of(&[(0, 0, 10)]), Stored::from([(0, 9)]));
        let planned = plan(&topic, &stored, &[]).unwrap().comparing(&topic, &stored, &Marks::from([(0, mark(9))]));
        assert_eq!(planned, Planned::default());
    }
}
