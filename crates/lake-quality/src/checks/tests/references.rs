//! Rules about references to other tables.

use crate::{
    Checks, Finding, Report,
    fixtures::{batch, cents, contract, dates, finding, instants, ints, longs, observe, texts, window_end},
};
use arrow::array::{ArrayRef, RecordBatch};
use lake_core::{
    Contract,
    contract::{
        layer::RelationshipProperty,
        odcs::{Relationship, Severity},
    },
};

const RULE: &str = "reference:owner:gold_owners.id";

fn referring(properties: Vec<RelationshipProperty>) -> Contract {
    let mut contract = contract(&["owner STRING"]);
    let (from, to) = ("things.owner".to_owned(), "gold_owners.id".to_owned());
    contract.document.schema[0].relationships.push(Relationship { from, to, custom_properties: properties });
    contract
}

fn owned(owners: &[Option<&str>]) -> RecordBatch {
    batch(vec![("owner", texts(owners))])
}

fn ids(ids: &[Option<&str>]) -> Vec<RecordBatch> {
    vec![batch(vec![("id", texts(ids))])]
}

fn run(contract: &Contract, partners: &[RecordBatch], batches: &[RecordBatch]) -> Finding {
    let mut checks = Checks::of(contract, window_end());
    assert_eq!(checks.references(), [("gold_owners".to_owned(), "id".to_owned())]);
    checks.provide_batches("gold_owners", "id", partners).unwrap();
    observe(&mut checks, batches);
    finding(&checks.finish(), RULE)
}

#[test]
fn every_value_has_a_partner_and_nulls_need_none() {
    let batches = [owned(&[Some("a"), None]), owned(&[Some("b"), Some("a")])];
    let found = run(&referring(Vec::new()), &ids(&[Some("a"), Some("b"), Some("b"), Some("c"), None]), &batches);
    assert_eq!((found.passed, found.measured, found.severity), (true, Some(0.0), Severity::Error));
}

#[test]
fn rows_without_a_partner_are_counted_over_batches() {
    let batches = [owned(&[Some("x"), None, Some("a")]), owned(&[Some("x"), Some("a")])];
    let found = run(&referring(Vec::new()), &ids(&[Some("a")]), &batches);
    assert_eq!((found.passed, found.measured), (false, Some(50.0)));
    assert_eq!(found.message, "owner: 2 of 4 rows with a value have no partner in gold_owners.id");
    assert_eq!((found.expected.as_str(), found.dimension.as_str()), ("= 0 percent", "consistency"));
}

#[test]
fn partners_may_come_in_many_frames() {
    let partners = [ids(&[Some("a")]), ids(&[Some("b")])].concat();
    assert!(run(&referring(Vec::new()), &partners, &[owned(&[Some("a"), Some("b")])]).passed);
    let mut checks = Checks::of(&referring(Vec::new()), window_end());
    let frame = |value| polars::df!("id" => [value]).unwrap();
    checks.provide("gold_owners", "id", vec![frame("a"), frame("b")]);
    observe(&mut checks, &[owned(&[Some("a"), Some("b")])]);
    assert!(finding(&checks.finish(), RULE).passed);
}

#[test]
fn some_orphans_may_be_allowed() {
    let half = referring(vec![RelationshipProperty::OrphansPercentMax(50), RelationshipProperty::Severity(Severity::Warning)]);
    let found = run(&half, &ids(&[Some("a")]), &[owned(&[Some("a"), Some("x")])]);
    assert_eq!((found.passed, found.severity, found.expected.as_str()), (true, Severity::Warning, "<= 50 percent"));
    assert!(!run(&half, &ids(&[Some("a")]), &[owned(&[Some("a"), Some("x"), Some("y")])]).passed);
}

#[test]
fn a_handful_of_orphans_is_no_percentage() {
    let referring = |min| referring(vec![RelationshipProperty::OrphansPercentMax(5), RelationshipProperty::FailingRowsMin(min)]);
    let batches = [owned(&[Some("x"), Some("y"), Some("a")])];
    let found = run(&referring(3), &ids(&[Some("a")]), &batches);
    assert_eq!((found.passed, found.measured.map(f64::round)), (true, Some(67.0)));
    assert_eq!(found.expected, "<= 5 percent, or fewer than 3 rows");
    assert!(!run(&referring(2), &ids(&[Some("a")]), &batches).passed);
    assert!(!run(&referring(0), &ids(&[Some("a")]), &batches).passed);
}

#[test]
fn an_empty_referenced_table_leaves_only_orphans() {
    assert_eq!(run(&referring(Vec::new()), &[], &[owned(&[Some("a")])]).measured, Some(100.0));
    assert!(run(&referring(Vec::new()), &[], &[owned(&[None])]).passed);
    assert!(run(&referring(Vec::new()), &[], &[]).passed);
}

fn failing(checks: Checks) -> String {
    let report: Report = checks.finish();
    let found = finding(&report, RULE);
    assert!(!found.passed && found.measured.is_none() && !report.passed());
    found.message
}

#[test]
fn a_reference_that_cannot_be_looked_at_has_failed() {
    let mut checks = Checks::of(&referring(Vec::new()), window_end());
    observe(&mut checks, &[owned(&[Some("a")])]);
    assert_eq!(failing(checks.clone()), "could not run: `gold_owners.id` was not given");
    checks.withhold("gold_owners", "table `gold_owners` is not in this lake");
    assert_eq!(failing(checks), "could not run: table `gold_owners` is not in this lake");
    let other_type: ArrayRef = crate::fixtures::longs(&[Some(1)]);
    let mut checks = Checks::of(&referring(Vec::new()), window_end());
    checks.provide_batches("gold_owners", "id", &[batch(vec![("id", other_type)])]).unwrap();
    observe(&mut checks, &[owned(&[Some("a")])]);
    assert_eq!(failing(checks), "could not run: `owner` and `gold_owners.id` differ in type");
    let mut checks = Checks::of(&referring(Vec::new()), window_end());
    checks.provide_batches("gold_owners", "id", &[batch(vec![("key", texts(&[]))])]).unwrap();
    observe(&mut checks, &[owned(&[Some("a")])]);
    assert_eq!(failing(checks), "could not run: column `id` is not in `gold_owners`");
}

#[test]
fn values_of_every_type_find_their_partners() {
    for (kind, owners, partners) in [
        ("DECIMAL(18,2)", cents(&[Some(1), Some(100), None]), cents(&[Some(100), None])),
        ("DATE", dates(&[Some("2017-12-30"), Some("2017-12-31"), None]), dates(&[Some("2017-12-31")])),
        (
            "TIMESTAMP",
            instants(&[Some("2017-12-30T00:00:00Z"), Some("2017-12-30T00:00:01Z"), None]),
            instants(&[Some("2017-12-30T00:00:01Z")]),
        ),
        ("INT", ints(&[Some(1), Some(2), None]), ints(&[Some(2)])),
        ("BIGINT", longs(&[Some(1), Some(2), None]), longs(&[Some(2)])),
    ] {
        let mut contract = referring(Vec::new());
        contract.columns[0].kind = kind.parse().unwrap();
        let found = run(&contract, &[batch(vec![("id", partners)])], &[batch(vec![("owner", owners)])]);
        assert_eq!(found.measured, Some(50.0), "{kind}: {found:?}");
    }
}

#[test]
fn withholding_one_table_spares_the_others() {
    let mut checks = Checks::of(&referring(Vec::new()), window_end());
    checks.withhold("gold_others", "gone");
    checks.provide_batches("gold_owners", "id", &ids(&[Some("a")])).unwrap();
    observe(&mut checks, &[owned(&[Some("a")])]);
    assert!(finding(&checks.finish(), RULE).passed);
}
