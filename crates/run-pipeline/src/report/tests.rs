//! The pure parts.

use super::{
    history::comparable,
    label,
    scan::{Amount, Sum},
};
use crate::{
    graph::{Graph, Step, Work},
    outcome,
    resume::StepState,
    schedule::{End, Ran},
};
use lake_core::{Exit, RunId, Summary, Window, summary::Outcome};

fn window(text: &str) -> Window {
    text.parse().unwrap()
}

fn amount(units: i128, scale: u32) -> Amount {
    Amount { units, scale }
}

#[test]
fn windows_are_told_as_short_as_they_can_be() {
    assert_eq!(label(window("2017-12-30")), "2017-12-30");
    assert_eq!(label(window("2017-01-01/2017-12-30")), "2017-01-01/2017-12-30");
    assert_eq!(label(window("2017-12-30T00:00:00Z/2017-12-30T02:00:00Z")), "2017-12-30 00:00:00/02:00:00");
    assert_eq!(label(window("2017-12-30T22:00:00Z/2017-12-31")), "2017-12-30 22:00:00/2017-12-31 00:00:00");
}

#[test]
fn only_windows_of_the_same_length_up_to_the_shown_one_are_compared() {
    let known = ["2017-01-01/2017-12-30", "2017-12-30", "2018-01-02", "2017-12-31", "2018-01-01", "2017-12-30"];
    let of =
        |max| comparable(known.into_iter().map(window), window("2018-01-01"), max).into_iter().map(label).collect::<Vec<_>>();
    assert_eq!(of(60), ["2017-12-30", "2017-12-31", "2018-01-01"]);
    assert_eq!(of(2), ["2017-12-31", "2018-01-01"]);
}

#[test]
fn amounts_are_exact() {
    let texts = [amount(0, 4), amount(-5, 4), amount(1_234_567, 2), amount(-120, 0)].map(|one| one.to_string());
    assert_eq!(texts, ["0.0000", "-0.0005", "12345.67", "-120"]);
    let mut sum = Sum::default();
    for units in [100_000_000_000_000_001, -1, 5] {
        sum.add(Some(amount(units, 4)));
    }
    assert_eq!(sum.text().unwrap(), "10000000000000.0005");
    sum.add(None);
    assert_eq!(sum.text(), None, "a sum of something unknown is not known");
    sum.add(Some(amount(1, 4)));
    assert_eq!(sum.text(), None);
}

#[test]
fn ratios_are_rounded_half_away_from_zero() {
    let ratio = |above, below| amount(above, 4).divided_by(amount(below, 2), 2).map(|ratio| ratio.to_string());
    assert_eq!(ratio(25_000, 100).unwrap(), "2.50");
    assert_eq!(ratio(10_050, 100).unwrap(), "1.01");
    assert_eq!(ratio(-10_050, 100).unwrap(), "-1.01");
    assert_eq!(ratio(10_049, 100).unwrap(), "1.00");
    assert_eq!((ratio(1, 0), ratio(1, -100)), (None, None), "without cost there is no ratio");
}

fn step(program: &'static str, work: Work) -> Step {
    Step { program, table: "silver_orders".into(), work, inputs: Vec::new(), after: Vec::new(), height: 1, alone: false }
}

#[test]
fn a_note_says_of_every_step_how_it_ended_and_why() {
    let summary = Summary {
        outcome: Outcome::Committed,
        ..Summary::begun(RunId(uuid::Uuid::nil()), "silverize", "silver_orders", window("2017-12-30"))
    };
    let ran =
        |exit, error: Option<&str>, summary| End::Ran(Ran { exit, summary, error: error.map(str::to_owned), elapsed_ms: 12 });
    let steps = vec![step("silverize", Work::Build), step("dq-check", Work::Check), step("goldify", Work::Build)];
    let blocked = End::Blocked("dq-check silver_orders".into());
    let ends = [ran(Exit::Ok, None, Some(summary)), ran(Exit::Data, Some("failed to pass"), None), blocked];
    let notes = outcome::steps(&Graph { steps }, &ends);
    let told = notes.iter().map(|one| (one.state, one.outcome.as_deref(), one.exit, one.why.as_deref(), one.duration_ms));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            (StepState::Ok, Some("committed"), Some(0), None, Some(12)),
            (StepState::Failed, None, Some(65), Some("failed to pass"), Some(12)),
            (StepState::NotRun, None, None, Some("dq-check silver_orders"), None),
        ]
    );
}
