//! Which offsets are new, and whether any are gone. Pure.

use crate::{Loss, broker::Topic, error::KafkaFault};
use std::collections::BTreeMap;

/// Offsets of one partition, `[from, until)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    /// Partition.
    pub(crate) partition: i32,
    /// First offset to consume.
    pub(crate) from: i64,
    /// First offset not to consume: the high watermark at the start.
    pub(crate) until: i64,
}

/// Returns the ranges with something new.
///
/// A stored offset beyond the end means another topic under the same name; one before the beginning means that retention
/// took records, which is an error unless exactly those offsets are given up on record.
pub(crate) fn ranges(topic: &Topic, stored: &BTreeMap<i32, Option<i64>>, losses: &[Loss]) -> Result<Vec<Range>, KafkaFault> {
    let mut ranges = Vec::new();
    let mut gone = Vec::new();
    for (&partition, &(low, high)) in &topic.watermarks {
        let from = match stored.get(&partition).copied().flatten() {
            Some(stored) if stored >= high => return Err(KafkaFault::Recreated { partition, stored, high }),
            Some(stored) if stored + 1 < low => {
                gone.push(Loss { partition, from: stored + 1, to: low - 1 });
                low
            }
            Some(stored) => stored + 1,
            None => low,
        };
        if from < high {
            ranges.push(Range { partition, from, until: high });
        }
    }
    if let Some(wrong) = losses.iter().find(|loss| !gone.contains(loss)) {
        return Err(KafkaFault::WrongLoss { partition: wrong.partition, from: wrong.from, to: wrong.to });
    }
    match gone.iter().find(|loss| !losses.contains(loss)) {
        Some(lost) => Err(KafkaFault::Lost { partition: lost.partition, from: lost.from, to: lost.to }),
        None => Ok(ranges),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(low: i64, high: i64, stored: Option<i64>, losses: &[Loss]) -> Result<Vec<Range>, KafkaFault> {
        ranges(&Topic::of(&[(0, low, high)]), &BTreeMap::from([(0, stored)]), losses)
    }

    #[test]
    fn consuming_goes_on_after_the_stored_offset() {
        assert_eq!(of(0, 10, None, &[]).unwrap(), [Range { partition: 0, from: 0, until: 10 }]);
        assert_eq!(of(0, 10, Some(3), &[]).unwrap(), [Range { partition: 0, from: 4, until: 10 }]);
        assert_eq!(of(0, 10, Some(9), &[]).unwrap(), []);
        assert_eq!(of(0, 0, None, &[]).unwrap(), []);
        assert_eq!(of(5, 10, Some(4), &[]).unwrap(), [Range { partition: 0, from: 5, until: 10 }]);
    }

    #[test]
    fn a_topic_that_ends_before_the_stored_offset_was_made_anew() {
        assert!(matches!(of(0, 10, Some(10), &[]), Err(KafkaFault::Recreated { stored: 10, high: 10, .. })));
    }

    #[test]
    fn lost_offsets_stop_the_run_unless_exactly_they_are_accepted() {
        assert!(matches!(of(6, 10, Some(3), &[]), Err(KafkaFault::Lost { from: 4, to: 5, .. })));
        let right = Loss { partition: 0, from: 4, to: 5 };
        assert_eq!(of(6, 10, Some(3), &[right]).unwrap(), [Range { partition: 0, from: 6, until: 10 }]);
        let wrong = Loss { partition: 0, from: 4, to: 6 };
        assert!(matches!(of(6, 10, Some(3), &[wrong]), Err(KafkaFault::WrongLoss { .. })));
        assert!(matches!(of(0, 10, Some(3), &[right]), Err(KafkaFault::WrongLoss { .. })));
    }
}
