//! Rules about ages.

use crate::{
    Checks, Finding, age_seconds,
    fixtures::{batch, contract, dates, finding, instants, observe, texts, window_end},
};
use arrow::array::{ArrayRef, RecordBatch};
use lake_core::{Contract, contract::odcs::SlaProperty};

fn fresh(kind: &str, value: f64, unit: Option<&str>, element: Option<&str>) -> Contract {
    let mut contract = contract(&[&format!("at {kind}"), "c STRING"]);
    contract.document.sla_properties.push(SlaProperty {
        property: "Latency".into(),
        value,
        unit: unit.map(str::to_owned),
        element: element.map(str::to_owned),
        description: None,
        driver: None,
    });
    contract
}

fn ages(contract: &Contract, batches: &[ArrayRef]) -> Finding {
    let batches: Vec<RecordBatch> = batches.iter().map(|values| batch(vec![("at", values.clone())])).collect();
    let mut checks = Checks::of(contract, window_end());
    observe(&mut checks, &batches);
    finding(&checks.finish(), "latency:at")
}

#[test]
fn the_newest_value_decides_and_the_limit_is_inclusive() {
    let contract = fresh("TIMESTAMP", 26.0, Some("h"), Some("things.at"));
    let at = ages(
        &contract,
        &[instants(&[Some("2017-01-01T00:00:00Z"), None]), instants(&[Some("2017-12-29T22:00:00Z")]), instants(&[None])],
    );
    assert_eq!((at.passed, at.measured), (true, Some(26.0)));
    assert_eq!(at.message, "at: the newest value is 26 h old at the end of the window");
    assert_eq!((at.expected.as_str(), at.dimension.as_str()), ("<= 26 h", "timeliness"));
    let older = ages(&contract, &[instants(&[Some("2017-12-29T21:59:59.999999Z")])]);
    assert!(!older.passed && older.measured.is_some_and(|age| age > 26.0), "{older:?}");
    assert!(ages(&contract, &[instants(&[Some("2018-02-01T00:00:00Z")])]).passed);
    let newest_first = [instants(&[Some("2017-12-30T00:00:00Z")]), instants(&[Some("2017-01-01T00:00:00Z")])];
    assert_eq!(ages(&contract, &newest_first).measured, Some(24.0));
}

#[test]
fn a_date_counts_from_its_midnight() {
    let contract = fresh("DATE", 1.0, Some("d"), Some("things.at"));
    let found = ages(&contract, &[dates(&[Some("2017-12-30"), Some("2017-12-01")])]);
    assert_eq!((found.passed, found.measured), (true, Some(1.0)));
    let older = ages(&contract, &[dates(&[Some("2017-12-29")])]);
    assert_eq!((older.passed, older.measured), (false, Some(2.0)));
}

#[test]
fn units_are_what_they_say() {
    let measured = |unit| {
        ages(&fresh("TIMESTAMP", 1.0, Some(unit), Some("things.at")), &[instants(&[Some("2017-12-29T00:00:00Z")])]).measured
    };
    assert_eq!(measured("s"), Some(172_800.0));
    assert_eq!(measured("m"), Some(2_880.0));
    assert_eq!(measured("h"), Some(48.0));
    assert_eq!(measured("d"), Some(2.0));
    assert_eq!(measured("y"), None);
}

#[test]
fn no_value_is_no_freshness() {
    let contract = fresh("TIMESTAMP", 26.0, Some("h"), Some("things.at"));
    for batches in [vec![], vec![instants(&[None])]] {
        let found = ages(&contract, &batches);
        assert_eq!((found.passed, found.message.as_str()), (false, "could not run: column `at` holds no value"));
    }
}

#[test]
fn a_level_that_is_not_said_well_cannot_run() {
    let message = |contract: &Contract, rule: &str| finding(&Checks::of(contract, window_end()).finish(), rule).message;
    assert_eq!(
        message(&fresh("TIMESTAMP", 1.0, None, Some("things.at")), "latency:at"),
        "could not run: the unit of `latency` must be s, m, h or d"
    );
    assert_eq!(message(&fresh("TIMESTAMP", 1.0, Some("h"), None), "latency:"), "could not run: `latency` names no element");
    assert_eq!(
        message(&fresh("TIMESTAMP", 1.0, Some("h"), Some("things.on")), "latency:on"),
        "could not run: column `on` is not in the contract"
    );
    assert_eq!(
        message(&fresh("TIMESTAMP", 1.0, Some("h"), Some("things.c")), "latency:c"),
        "could not run: an age needs a date or a timestamp and `c` is STRING"
    );
}

#[test]
fn ages_are_looked_at_apart_from_rows() {
    let contract = fresh("TIMESTAMP", 26.0, Some("h"), Some("things.at"));
    let mut checks = Checks::of(&contract, window_end());
    assert_eq!(checks.age_columns(), ["at"]);
    assert!(!Checks::of_rows(&contract).columns().contains(&"at".to_owned()));
    checks.observe_batches(&[batch(vec![("c", texts(&[Some("a")]))])]).unwrap();
    checks.observe_ages_batches(&[batch(vec![("at", instants(&[Some("2017-12-30T23:00:00Z"), None]))])]).unwrap();
    let report = checks.finish();
    assert_eq!((report.rows, finding(&report, "latency:at").measured), (1, Some(1.0)));
    assert_eq!(age_seconds(&contract, &report.findings), Some(3600.0));
}

#[test]
fn an_age_that_was_not_found_is_no_number() {
    let contract = fresh("TIMESTAMP", 26.0, Some("h"), Some("things.at"));
    assert_eq!(age_seconds(&contract, &Checks::of(&contract, window_end()).finish().findings), None);
    assert_eq!(age_seconds(&contract, &[]), None);
}

#[test]
fn other_service_levels_are_no_rules() {
    let mut contract = fresh("TIMESTAMP", 1.0, Some("d"), Some("things"));
    contract.document.sla_properties[0].property = "frequency".into();
    assert!(Checks::of(&contract, window_end()).finish().findings.iter().all(|f| !f.rule.starts_with("latency")));
}
