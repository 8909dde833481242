use super::*;
use reqwest::header::{HeaderName, HeaderValue};

const NAMES: Headers = Headers { max: "x-max", remaining: "x-left", interval_ms: "x-ms", day_remaining: "x-day" };
const SECOND: Allowance = Allowance { requests: 5, interval: Duration::from_secs(1) };

/// Instants in milliseconds after a start.
struct Clock(Instant);

impl Clock {
    fn at(&self, ms: u64) -> Instant {
        self.0 + Duration::from_millis(ms)
    }
}

fn clock() -> Clock {
    Clock(Instant::now())
}

fn said(max: u32, remaining: u32) -> Option<Announced> {
    Some(Announced {
        max: Some(max),
        remaining: Some(remaining),
        interval: Some(Duration::from_secs(10)),
        day_remaining: Some(1_000),
    })
}

/// An allowance of 40 in 10 s that one answered request has told; 38 are ours.
fn known(clock: &Clock) -> Slots {
    let mut slots = Slots::announced(SECOND);
    assert_eq!(slots.take(clock.at(0)), Turn::Now);
    slots.answered(clock.at(0), clock.at(10), said(40, 39));
    slots
}

#[test]
fn headers_are_numbers_or_unsaid() {
    let map = |pairs: &[(&'static str, &'static str)]| {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect::<HeaderMap>()
    };
    let all = NAMES.read(&map(&[("x-max", "190"), ("x-left", " 12 "), ("x-ms", "10000"), ("x-day", "0")]));
    let expected =
        Announced { max: Some(190), remaining: Some(12), interval: Some(Duration::from_secs(10)), day_remaining: Some(0) };
    assert_eq!(all, expected);
    assert_eq!(NAMES.read(&map(&[("x-max", "0"), ("x-left", "many"), ("x-ms", "-1")])), Announced::default());
    assert_eq!(NAMES.read(&map(&[("x-max", "4000000000")])), Announced::default(), "nobody allows so many");
}

#[test]
fn a_documented_allowance_is_empty_at_first_then_full() {
    let clock = clock();
    let mut slots = Slots::documented(SECOND, clock.at(0));
    assert_eq!(slots.take(clock.at(999)), Turn::At(clock.at(1_000)));
    for _ in 0..5 {
        assert_eq!(slots.take(clock.at(1_000)), Turn::Now);
    }
    assert_eq!(slots.take(clock.at(1_000)), Turn::AfterAnswer);
    assert_eq!(slots.sent(), 5);
}

#[test]
fn a_slot_is_free_one_interval_after_its_answer() {
    let clock = clock();
    let mut slots = Slots::documented(SECOND, clock.at(0));
    for at in 0..5 {
        assert_eq!(slots.take(clock.at(1_000 + at * 100)), Turn::Now);
        slots.answered(clock.at(1_000 + at * 100), clock.at(1_050 + at * 100), Some(Announced::default()));
    }
    assert_eq!(slots.take(clock.at(1_500)), Turn::At(clock.at(2_050)));
    assert_eq!(slots.take(clock.at(2_050)), Turn::Now);
    assert_eq!(slots.take(clock.at(2_050)), Turn::At(clock.at(2_150)), "the next is free when the second one is over");
}

#[test]
fn before_the_first_answer_one_request_is_sent() {
    let clock = clock();
    let mut slots = Slots::announced(SECOND);
    assert_eq!(slots.take(clock.at(0)), Turn::Now);
    assert_eq!(slots.take(clock.at(1)), Turn::AfterAnswer);
    slots.answered(clock.at(0), clock.at(10), None);
    assert_eq!(slots.take(clock.at(11)), Turn::At(clock.at(1_010)), "a broken connection tells nothing");
    assert_eq!(slots.take(clock.at(1_010)), Turn::Now);
    slots.answered(clock.at(1_010), clock.at(1_020), Some(Announced::default()));
    assert_eq!(slots.take(clock.at(1_030)), Turn::Now, "an answer without headers leaves the allowance as it was taken to be");
}

#[test]
fn a_twentieth_is_left_to_others() {
    let clock = clock();
    let mut slots = known(&clock);
    let sent = (0..60).filter(|_| slots.take(clock.at(20)) == Turn::Now).count();
    assert_eq!(sent, 37, "38 of 40, and one was the first");
    assert_eq!(slots.take(clock.at(20)), Turn::At(clock.at(10_010)));
}

#[test]
fn what_others_spend_is_counted_once() {
    let clock = clock();
    let mut slots = known(&clock);
    assert_eq!(slots.take(clock.at(20)), Turn::Now);
    slots.answered(clock.at(20), clock.at(30), said(40, 28));
    assert_eq!(slots.take(clock.at(40)), Turn::Now);
    slots.answered(clock.at(40), clock.at(50), said(40, 27));
    let sent = (0..60).filter(|_| slots.take(clock.at(60)) == Turn::Now).count();
    assert_eq!(sent, 38 - 3 - 10, "ten of the twelve that the service counts are not ours");
    for _ in 0..sent {
        slots.answered(clock.at(60), clock.at(70), said(40, 2));
    }
    assert_eq!(slots.take(clock.at(10_029)), Turn::Now, "the first of ours is over");
    assert_eq!(slots.take(clock.at(10_029)), Turn::At(clock.at(10_030)));
    let later = (0..60).filter(|_| slots.take(clock.at(10_030)) == Turn::Now).count();
    assert_eq!(later, 11, "then the second of ours and what others had spent");
}

#[test]
fn an_answer_that_comes_late_speaks_of_requests_that_are_over() {
    let clock = clock();
    let mut slots = known(&clock);
    // Sent before the first one is over, answered after it.
    assert_eq!(slots.take(clock.at(10_000)), Turn::Now);
    assert_eq!(slots.take(clock.at(10_015)), Turn::Now);
    slots.answered(clock.at(10_000), clock.at(10_020), said(40, 38));
    let sent = (0..60).filter(|_| slots.take(clock.at(10_030)) == Turn::Now).count();
    assert_eq!(sent, 36, "nobody else has spent anything");
}

#[test]
fn no_request_is_sent_on_a_day_that_is_spent() {
    let clock = clock();
    let mut slots = known(&clock);
    assert_eq!(slots.take(clock.at(20)), Turn::Now);
    let spent = said(40, 30).map(|said| Announced { day_remaining: Some(0), ..said });
    slots.answered(clock.at(20), clock.at(30), spent);
    assert_eq!(slots.take(clock.at(40)), Turn::Never);
}

/// Whatever answers take, no interval of the service sees more than it allows: neither a sliding nor a fixed one.
#[test]
fn no_interval_ever_sees_more_than_is_allowed() {
    let clock = clock();
    let mut slots = Slots::documented(SECOND, clock.at(0));
    let (mut arrived, mut open) = (Vec::new(), Vec::<(u64, u64)>::new());
    let mut random: u64 = 42;
    for ms in 0..20_000 {
        let ended: Vec<(u64, u64)> = open.extract_if(.., |(_, answer)| *answer <= ms).collect();
        for (sent, _) in ended {
            slots.answered(clock.at(sent), clock.at(ms), Some(Announced::default()));
        }
        while slots.take(clock.at(ms)) == Turn::Now {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (way, work) = ((random >> 33) % 90, (random >> 40) % 60);
            arrived.push(ms + way);
            open.push((ms, ms + way + work));
        }
    }
    arrived.sort_unstable();
    for window in arrived.windows(6) {
        assert!(window[5] - window[0] >= 1_000, "six requests arrived within {} ms", window[5] - window[0]);
    }
    assert!(arrived.len() > 80, "the allowance is used, not only kept: {}", arrived.len());
}
