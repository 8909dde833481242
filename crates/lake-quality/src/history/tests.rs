use super::*;
use crate::{Report, verdict::VerdictKey};
use chrono::{DateTime, Duration, Utc};
use lake_core::contract::odcs::Severity;
use proptest::prelude::*;

const FLOOR: Floor = Floor { absolute: 1.0, share: 0.05 };
const TREND: Trend = Trend { deviations_max: 5, severity: Severity::Warning };

fn point(number: f64) -> Point<'static> {
    let told = format!("{number} rows were added");
    Point { rule: "volume:rows".into(), dimension: "coverage", number, told, digits: 0, floor: FLOOR }
}

fn start() -> DateTime<Utc> {
    "2017-12-01T00:00:00Z".parse().unwrap()
}

/// The window of the day with a number.
fn day(number: i64) -> Window {
    Window::new(start() + Duration::days(number), start() + Duration::days(number + 1)).unwrap()
}

/// A verdict about a day at a version, in which a number was measured.
fn verdict(number: i64, version: i64, measured: f64) -> Verdict {
    let finding = compare(&[], day(number), TREND, point(measured));
    let key = VerdictKey {
        table: "gold_things".into(),
        version,
        contract_hash: "c0ffee".into(),
        window: day(number),
        references: BTreeMap::new(),
    };
    let report = Report { rows: 1, findings: vec![finding] };
    let run_id = "00000000-0000-7000-8000-000000000001".parse().unwrap();
    Verdict::of(key, "gold_things@1.0.0".into(), report, start() + Duration::days(number + 40), run_id)
}

/// Days 0 to 13, with the numbers 100 to 113.
fn fortnight() -> Vec<Verdict> {
    (0..14_i32).map(|number| verdict(number.into(), number.into(), f64::from(100 + number))).collect()
}

#[test]
fn the_median_and_the_usual_distance_are_those_of_the_middle() {
    let numbers: Vec<f64> = (1..=15).map(f64::from).collect();
    let usual = Baseline::of(&numbers, FLOOR).unwrap();
    assert_eq!((usual.windows, usual.median, usual.deviation), (15, 8.0, NORMAL * 4.0));
    let even = Baseline::of(&(1..=14).map(f64::from).collect::<Vec<_>>(), FLOOR).unwrap();
    assert_eq!((even.median, even.deviation), (7.5, NORMAL * 3.5));
    assert_eq!(usual.distance(8.0), 0.0);
    assert!((usual.distance(8.0 - 2.0 * usual.deviation) - 2.0).abs() < 1e-9);
    assert!(Baseline::of(&numbers[..13], FLOOR).is_none());
    let broken: Vec<f64> = numbers[..13].iter().copied().chain([f64::NAN, f64::INFINITY]).collect();
    assert!(Baseline::of(&broken, FLOOR).is_none(), "no number is no point");
}

#[test]
fn windows_that_are_all_equal_leave_the_next_one_some_room() {
    let equal = |number: f64| Baseline::of(&[number; 14], FLOOR).unwrap();
    assert_eq!((equal(1_000.0).deviation, equal(3.0).deviation, equal(0.0).deviation), (50.0, 1.0, 1.0));
    assert_eq!((equal(1_000.0).distance(1_000.0), equal(1_000.0).distance(1_250.0)), (0.0, 5.0));
    assert_eq!(equal(-1_000.0).deviation, 50.0);
}

#[test]
fn fewer_than_fourteen_windows_are_learning_and_never_fail() {
    let known = fortnight();
    for seen in 0..14 {
        let finding = compare(&known[..seen], day(30), TREND, point(1e9));
        assert_eq!((finding.state, finding.failed(), finding.measured), (State::Learning, false, Some(1e9)), "{seen}");
        assert!(finding.message.contains(&format!("{seen} of 14 earlier windows")), "{}", finding.message);
    }
    let judged = |number| compare(&known, day(30), TREND, point(number));
    assert!(judged(106.0).held() && judged(1e9).failed());
    // 5 deviations of 1.4826 x 3.5, or of 5 % where that is more, from 106.5.
    assert!(judged(106.5 + 5.0 * 5.32).held() && judged(106.5 + 5.0 * 5.33).failed() && judged(79.0).failed());
    assert_eq!(judged(1e9).expected, "<= 5 deviations of 5 from 106, the median of 14 windows", "{:?}", judged(1e9));
    assert_eq!(judged(106.0).message, "106 rows were added, 0.1 deviations from the median of earlier windows");
}

#[test]
fn the_window_that_is_tested_and_later_ones_are_not_in_its_baseline() {
    let mut known = fortnight();
    let last = known.pop().unwrap();
    let learning = |known: &[Verdict]| compare(known, day(20), TREND, point(1.0)).state == State::Learning;
    // Thirteen, and the tested window itself, in whatever version, or a later one.
    for number in [20, 21] {
        let more = [known.clone(), vec![verdict(number, 90, 1.0), verdict(number, 91, 1.0)]].concat();
        assert!(learning(&more), "day {number}");
    }
    assert!(!learning(&[known, vec![last]].concat()));
}

#[test]
fn only_windows_that_passed_by_themselves_and_are_as_long_count_and_each_once() {
    let known = fortnight();
    let learning = |change: fn(&mut Verdict)| {
        let mut known = known.clone();
        change(&mut known[3]);
        compare(&known, day(30), TREND, point(1.0)).state == State::Learning
    };
    assert!(!learning(|_| {}));
    assert!(learning(|verdict| verdict.passed = false));
    assert!(learning(|verdict| verdict.waived_by = Some("ada".into())));
    assert!(learning(|verdict| verdict.key.window = Window::new(start(), day(3).to()).unwrap()));
    assert!(learning(|verdict| verdict.report.findings[0].measured = None));
    assert!(learning(|verdict| verdict.report.findings[0].rule = "nulls:c".into()));
    assert!(learning(|verdict| verdict.key.window = day(4)), "two verdicts about one window are one point");
    // Of two verdicts about a window the one that was decided last counts.
    let mut again = verdict(3, 77, 1e9);
    again.checked_at += Duration::days(1);
    let mut more = known.clone();
    more.push(again.clone());
    assert_eq!(
        earlier(&more, day(30)).iter().filter(|v| v.key.window == day(3)).map(|v| v.key.version).collect::<Vec<_>>(),
        [77]
    );
    again.passed = false;
    *more.last_mut().unwrap() = again;
    assert_eq!(earlier(&more, day(30)).len(), 13, "a window that failed in the end is no baseline");
}

#[test]
fn a_baseline_is_of_the_newest_windows() {
    let known: Vec<Verdict> = (0..200_i32).map(|number| verdict(number.into(), number.into(), f64::from(number))).collect();
    let kept = earlier(&known, day(300));
    assert_eq!((kept.len(), kept[0].key.version, kept[89].key.version), (90, 199, 110));
}

#[test]
fn rows_of_a_window_begin_where_the_one_before_ended() {
    let known = [verdict(0, 3, 1.0), verdict(1, 5, 1.0)];
    assert_eq!(before(&known, day(2), 9), Before::Version(5));
    assert_eq!(before(&known, day(2), 5), Before::Version(5), "nothing came");
    assert_eq!(before(&[], day(2), 9), Before::Nothing);
    assert_eq!(before(&known[1..], day(1), 9), Before::Nothing, "its own verdict is not before it");
    // A verdict that failed tells as well where the table stood.
    let mut failed = known.clone();
    failed[1].passed = false;
    assert_eq!(before(&failed, day(2), 9), Before::Version(5));
    // Day 1 is made up for after day 2 ran.
    let late = [verdict(0, 3, 1.0), verdict(2, 5, 1.0)];
    assert_eq!(before(&late, day(1), 7), Before::Unknown);
    // Day 2 again, whose rows were there before those of day 1 came.
    let made_up = [verdict(0, 3, 1.0), verdict(2, 5, 1.0), verdict(1, 7, 1.0)];
    assert_eq!(before(&made_up, day(2), 7), Before::Unknown);
    assert_eq!(before(&made_up, day(3), 9), Before::Version(7), "what was made up for is not its");
    // Two windows at one version, of which the later is asked again.
    let equal = [verdict(0, 5, 1.0), verdict(1, 5, 1.0)];
    assert_eq!(before(&equal, day(1), 5), Before::Unknown);
    // The same day at a newer version, by its next generation.
    let again = [verdict(0, 3, 1.0), verdict(1, 5, 1.0)];
    assert_eq!(before(&again, day(1), 6), Before::Version(3));
}

fn numbers() -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec(-1e6..1e6_f64, POINTS_MIN..60)
}

proptest! {
    #[test]
    fn the_order_of_windows_does_not_matter(numbers in numbers().prop_flat_map(|n| (Just(n.clone()), Just(n).prop_shuffle()))) {
        let (one, other) = numbers;
        prop_assert_eq!(Baseline::of(&one, FLOOR), Baseline::of(&other, FLOOR));
    }

    #[test]
    fn a_third_of_wild_windows_moves_a_baseline_only_within_the_others(
        good in proptest::collection::vec(900.0..1_100.0_f64, 14..60),
        wild in proptest::collection::vec(prop_oneof![-1e12..1e12_f64, Just(f64::NAN), Just(f64::INFINITY)], 0..30),
    ) {
        let wild = &wild[..wild.len().min(good.len() / 2)];
        let usual = Baseline::of(&[good.clone(), wild.to_vec()].concat(), FLOOR).unwrap();
        prop_assert!((900.0..=1_100.0).contains(&usual.median), "{:?}", usual);
        prop_assert!(usual.deviation <= NORMAL * 200.0, "{:?}", usual);
        // So a window that is far out is still seen.
        prop_assert!(usual.distance(1e6) > 5.0);
    }

    #[test]
    fn a_deviation_is_never_nothing(numbers in numbers(), number in -1e9..1e9_f64) {
        let usual = Baseline::of(&numbers, FLOOR).unwrap();
        prop_assert!(usual.deviation >= FLOOR.absolute);
        prop_assert!(usual.distance(number).is_finite() && usual.distance(number) >= 0.0);
        prop_assert!(usual.distance(usual.median) == 0.0);
    }

    #[test]
    fn windows_twice_as_large_are_judged_alike(numbers in numbers(), number in -1e6..1e6_f64) {
        let none = Floor { absolute: f64::MIN_POSITIVE, share: 0.0 };
        let (one, double) = (Baseline::of(&numbers, none).unwrap(), numbers.iter().map(|n| n * 2.0).collect::<Vec<_>>());
        let double = Baseline::of(&double, none).unwrap();
        let (near, far) = (one.distance(number), double.distance(number * 2.0));
        prop_assert!((near - far).abs() <= 1e-9 * near.max(1.0), "{} {}", near, far);
    }
}
