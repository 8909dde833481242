//! Tests of what is counted, compared and missing, by offsets alone.

use super::*;

fn progress(from: i64, until: i64, gaps: OffsetGaps) -> Progress {
    Progress::new(&[Range { partition: 0, from, until }], &[], gaps)
}

fn any() -> Mark {
    mark(0, 1)
}

fn mark(offset: i64, timestamp: i64) -> Mark {
    Mark::new(offset, Some(timestamp), [None, Some(b"{}".as_slice())])
}

#[test]
fn every_record_up_to_the_bound_counts_once() {
    let mut progress = progress(3, 5, OffsetGaps::Refused);
    assert!(progress.take(0, 3, any).unwrap());
    assert!(!progress.done(0));
    assert!(progress.take(0, 4, any).unwrap());
    assert!(progress.done(0));
    assert!(!progress.take(0, 5, any).unwrap(), "a record beyond the bound is a later run's");
    assert!(!progress.take(1, 0, any).unwrap(), "a partition that was not asked for");
    assert_eq!((progress.consumed.read, progress.consumed.last[&0]), (2, 4));
}

#[test]
fn a_gap_stops_the_run_unless_the_contract_allows_it() {
    let mut refused = progress(3, 9, OffsetGaps::Refused);
    assert!(matches!(refused.take(0, 5, any), Err(KafkaFault::Gap { partition: 0, from: 3, to: 4 })));
    let mut allowed = progress(3, 9, OffsetGaps::Allowed);
    assert!(allowed.take(0, 5, any).unwrap());
    assert!(!allowed.take(0, 12, any).unwrap(), "a record beyond the bound ends the range");
    assert!(allowed.done(0));
    let gaps: Vec<String> = allowed.consumed.gaps.iter().map(ToString::to_string).collect();
    assert_eq!(gaps, ["0:3-4", "0:6-8"]);
    assert_eq!((allowed.consumed.read, allowed.consumed.last[&0]), (1, 8));
}

#[test]
fn an_offset_that_comes_again_is_refused() {
    let mut progress = progress(3, 9, OffsetGaps::Allowed);
    assert!(progress.take(0, 3, any).unwrap());
    assert!(matches!(progress.take(0, 3, any), Err(KafkaFault::Again { offset: 3, .. })));
}

#[test]
fn an_end_before_the_bound_counts_only_when_nothing_follows() {
    let mut progress = progress(3, 9, OffsetGaps::Allowed);
    over(&mut progress);
    assert!(progress.take(0, 3, any).unwrap());
    progress.give_up_ended(never).unwrap();
    assert!(!progress.open.is_empty(), "the record took the end back");
    over(&mut progress);
    progress.give_up_ended(|| ends(9)).unwrap();
    assert!(!progress.open.is_empty(), "what came meanwhile is on its way");
    over(&mut progress);
    progress.give_up_ended(never).unwrap();
    assert!(progress.open.is_empty());
    assert_eq!(progress.consumed.last[&0], 8);
    assert_eq!(progress.consumed.gaps, [Gap { partition: 0, from: 4, to: 8 }]);
}

#[test]
fn records_that_a_new_leader_does_not_show_yet_are_not_missing() {
    for gaps in [OffsetGaps::Allowed, OffsetGaps::Refused] {
        let mut progress = progress(3, 9, gaps);
        assert!(progress.take(0, 3, any).unwrap());
        for _ in 0..3 {
            over(&mut progress);
            progress.give_up_ended(|| ends(4)).unwrap();
        }
        over(&mut progress);
        progress.give_up_ended(|| ends(9)).unwrap();
        for offset in 4..9 {
            assert!(progress.take(0, offset, any).unwrap());
        }
        assert!(progress.done(0));
        assert_eq!((progress.consumed.read, progress.consumed.gaps.len()), (6, 0));
    }
    let mut silent = progress(3, 9, OffsetGaps::Allowed);
    over(&mut silent);
    let unknown = silent.give_up_ended(|| Err(KafkaFault::Silent { seconds: 3, reason: None }));
    assert!(matches!(unknown, Err(KafkaFault::Silent { .. })), "an end that nobody tells is none");
}

#[test]
fn an_end_is_confirmed_anew_once_a_record_has_come() {
    let mut progress = progress(3, 9, OffsetGaps::Allowed);
    over(&mut progress);
    progress.give_up_ended(|| ends(9)).unwrap();
    assert!(progress.take(0, 5, any).unwrap());
    over(&mut progress);
    progress.give_up_ended(|| ends(6)).unwrap();
    over(&mut progress);
    progress.give_up_ended(|| ends(6)).unwrap();
    assert!(!progress.open.is_empty());
}

/// Lets partition 0 have reported its end long ago.
fn over(progress: &mut Progress) {
    let long_ago = Instant::now().checked_sub(END_PATIENCE).unwrap();
    progress.open.get_mut(&0).unwrap().ended = Some(long_ago);
}

fn ends(high: i64) -> Result<Watermarks, KafkaFault> {
    Ok(Watermarks::from([(0, (0, high))]))
}

fn never() -> Result<Watermarks, KafkaFault> {
    panic!("there is nothing to ask")
}

/// Offsets up to 4 are landed, the last record at `landed`; what is new ends at `until`.
fn checked(landed: i64, until: i64) -> Progress {
    let ranges = if until > 5 { vec![Range { partition: 0, from: 5, until }] } else { Vec::new() };
    let checks = [Check { partition: 0, stored: 4, mark: mark(landed, 1) }];
    assert_eq!(starts(&ranges, &checks)[&0], landed, "reading begins at the landed record");
    Progress::new(&ranges, &checks, OffsetGaps::Refused)
}

#[test]
fn the_record_that_is_compared_is_not_read_again() {
    let mut progress = checked(4, 7);
    assert!(progress.compare(0, 4, || mark(4, 1)).unwrap());
    assert!(!progress.done(0));
    for offset in [5, 6] {
        assert!(!progress.compare(0, offset, || mark(offset, 2)).unwrap());
        assert!(progress.take(0, offset, || mark(offset, 2)).unwrap());
    }
    assert!(progress.done(0));
    assert_eq!((progress.consumed.read, progress.consumed.last[&0]), (2, 6));
    assert_eq!(progress.consumed.marks, Marks::from([(0, mark(6, 2))]));
}

#[test]
fn another_record_at_a_landed_offset_stops_the_run() {
    let mut other = checked(4, 7);
    assert!(matches!(other.compare(0, 4, || mark(4, 2)), Err(KafkaFault::Replaced { partition: 0, offset: 4 })));
    // The landed record is there, but where nothing was landed behind it (a marker) a record stands now.
    let mut more = checked(2, 7);
    assert!(more.compare(0, 2, || mark(2, 1)).unwrap());
    assert!(matches!(more.compare(0, 3, || mark(3, 1)), Err(KafkaFault::Replaced { partition: 0, offset: 3 })));
}

#[test]
fn a_landed_record_that_is_gone_cannot_be_compared() {
    let mut progress = checked(4, 6);
    assert!(!progress.compare(0, 5, || mark(5, 2)).unwrap());
    assert!(progress.take(0, 5, || mark(5, 2)).unwrap());
    assert!(progress.done(0));
    assert_eq!((progress.consumed.read, progress.consumed.last[&0]), (1, 5));
}

#[test]
fn a_partition_without_news_is_only_compared() {
    let mut there = checked(4, 5);
    assert!(there.compare(0, 4, || mark(4, 1)).unwrap());
    assert!(there.done(0));
    assert_eq!((there.consumed.read, there.consumed.last.len()), (0, 0));
    assert_eq!(there.consumed.marks, Marks::from([(0, mark(4, 1))]), "the next run compares it too");

    let mut gone = checked(4, 5);
    gone.ended(0, Instant::now().checked_sub(END_PATIENCE).unwrap());
    gone.give_up_ended(never).unwrap();
    assert!(gone.open.is_empty());
    assert_eq!((gone.consumed.last.len(), gone.consumed.gaps.len(), gone.consumed.marks.len()), (0, 0, 0));
}

#[test]
fn the_last_record_before_markers_is_compared_next_and_no_early_one() {
    let mut progress = Progress { gaps: OffsetGaps::Allowed, ..checked(4, 100) };
    assert!(progress.compare(0, 4, || mark(4, 1)).unwrap());
    assert!(!progress.compare(0, 10, any).unwrap());
    assert!(progress.take(0, 10, || panic!("no record costs anything but the last ones")).unwrap());
    assert!(progress.consumed.marks.is_empty(), "a record was landed after the one that was compared");
    assert!(progress.take(0, 97, || mark(97, 2)).unwrap());
    progress.ended(0, Instant::now().checked_sub(END_PATIENCE).unwrap());
    progress.give_up_ended(|| ends(100)).unwrap();
    over(&mut progress);
    progress.give_up_ended(never).unwrap();
    assert_eq!((progress.consumed.last[&0], &progress.consumed.marks[&0]), (99, &mark(97, 2)));
}
