//! Rules about the table as a whole, and what all rules have in common.

use crate::{
    Checks, Need, State,
    checks::Test,
    fixtures::{batch, contract, finding, ints, observe, quality, report, texts, window_end},
};
use lake_core::contract::odcs::Severity;
use polars::prelude::col;
use serde_json::json;

#[test]
fn rows_are_counted_over_batches_and_none_is_zero() {
    let mut contract = contract(&["c STRING"]);
    contract.document.schema[0].quality.push(quality(json!({"id": "r", "metric": "rowCount", "mustBeGreaterThan": 2})));
    let two = batch(vec![("c", texts(&[Some("a"), None]))]);
    let four = report(&contract, &[two.clone(), two.clone()]);
    assert_eq!((four.rows, finding(&four, "r").passed, finding(&four, "r").measured), (4, true, Some(4.0)));
    assert!(!finding(&report(&contract, &[two]), "r").passed);
    let none = report(&contract, &[]);
    assert_eq!((none.rows, finding(&none, "r").measured, finding(&none, "r").passed), (0, Some(0.0), false));
}

#[test]
fn required_columns_hold_no_null() {
    let contract = contract(&["c STRING required", "d STRING"]);
    let rows = |c, d| batch(vec![("c", texts(c)), ("d", texts(d))]);
    let report_ = report(&contract, &[rows(&[Some("a")], &[None])]);
    assert!(finding(&report_, "required:c").passed);
    assert!(report_.findings.iter().all(|f| f.rule != "required:d"));
    let broken = finding(&report(&contract, &[rows(&[None, Some("a")], &[None, None])]), "required:c");
    assert_eq!((broken.passed, broken.measured, broken.severity), (false, Some(1.0), Severity::Error));
}

#[test]
fn a_rule_on_a_missing_column_has_failed_and_spares_the_others() {
    let contract = contract(&["c STRING required", "d STRING required", "e INT required"]);
    let report = report(&contract, &[batch(vec![("c", texts(&[None, Some("a")])), ("e", texts(&[Some("1"), None]))])]);
    assert_eq!(finding(&report, "required:c").measured, Some(1.0));
    let gone = finding(&report, "required:d");
    assert_eq!(
        (gone.passed, gone.measured, gone.message.as_str()),
        (false, None, "could not run: column `d` is not in the table")
    );
    assert_eq!(finding(&report, "required:e").message, "could not run: column `e` is not INT in the table");
    assert!(!report.passed());
}

#[test]
fn a_column_that_vanishes_between_batches_fails_its_rule() {
    let contract = contract(&["c STRING required"]);
    let report = report(&contract, &[batch(vec![("c", texts(&[Some("a")]))]), batch(vec![("d", texts(&[Some("a")]))])]);
    assert_eq!((report.rows, finding(&report, "required:c").measured), (2, None));
}

#[test]
fn one_expression_that_fails_spares_the_others() {
    let contract = contract(&["c STRING required", "d STRING required"]);
    let mut checks = Checks::of(&contract, window_end());
    checks.rules[0].0.test = Ok(Test::Count { column: "c".into(), expr: col("nowhere").sum(), what: "are odd" });
    observe(&mut checks, &[batch(vec![("c", texts(&[None])), ("d", texts(&[None]))])]);
    let report = checks.finish();
    assert_eq!(finding(&report, "required:c").message, "could not run: a column is missing");
    assert_eq!(finding(&report, "required:d").measured, Some(1.0));
}

#[test]
fn rules_that_contradict_the_contract_cannot_run() {
    let mut contract = contract(&["c STRING"]);
    for (id, more) in [
        ("unknown", json!({"metric": "duplicateValues", "arguments": {"properties": ["c", "d"]}})),
        ("nowhere", json!({"metric": "duplicateValues"})),
        ("nothing", json!({})),
        ("two", json!({"metric": "nullValues", "arguments": {"properties": ["c", "c"]}})),
        ("share", json!({"metric": "rowCount", "unit": "percent"})),
    ] {
        let mut rule = json!({"id": id, "mustBe": 0});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        contract.document.schema[0].quality.push(quality(rule));
    }
    let report = report(&contract, &[batch(vec![("c", texts(&[Some("a")]))])]);
    let message = |id| finding(&report, id).message;
    assert_eq!(message("unknown"), "could not run: column `d` is not in the contract");
    assert_eq!(message("nowhere"), "could not run: the rule names no column");
    assert_eq!(message("nothing"), "could not run: the rule names no metric");
    assert_eq!(message("two"), "could not run: the rule must stand at a column, or name exactly one");
    assert_eq!(message("share"), "could not run: rows cannot be counted in percent of themselves");
    assert!(report.findings.iter().filter(|f| f.measured.is_none()).all(|f| !f.passed));
}

#[test]
fn a_query_is_asked_elsewhere_and_its_silence_is_a_failure() {
    let mut contract = contract(&["c STRING"]);
    let query = |id: &str, unit: &str| json!({"id": id, "type": "sql", "query": "SELECT COUNT(*) FROM {object}", "mustBe": 50, "unit": unit});
    contract.document.schema[0].quality.extend(["asked", "silent", "failed"].map(|id| quality(query(id, "rows"))));
    contract.document.schema[0].quality.push(quality(query("share", "percent")));
    let mut checks = Checks::of(&contract, window_end());
    let tables = std::collections::BTreeSet::from(["gold_things".to_owned()]);
    let asked = crate::Query { rule: "asked".into(), sql: "SELECT COUNT(*) FROM gold_things".into(), tables };
    assert_eq!(checks.queries()[0], asked);
    assert_eq!(checks.queries().len(), 4);
    checks.answer("asked", Ok(50.0));
    checks.answer("share", Ok(1.0));
    checks.answer("failed", Err("the table is upside down".into()));
    observe(&mut checks, &[batch(vec![("c", texts(&[Some("a"), Some("a")]))])]);
    let report = checks.finish();
    assert_eq!((finding(&report, "asked").passed, finding(&report, "asked").measured), (true, Some(50.0)));
    assert_eq!((finding(&report, "share").passed, finding(&report, "share").measured), (true, Some(50.0)));
    assert_eq!(finding(&report, "silent").message, "could not run: the query was not run");
    assert_eq!(finding(&report, "failed").message, "could not run: the table is upside down");
}

#[test]
fn only_the_columns_that_rules_need_are_read() {
    let wide = contract(&["a STRING key", "b STRING", "c INT required", "d STRING"]);
    assert_eq!(Checks::of_rows(&wide).columns(), ["a", "c"]);
    assert_eq!(Checks::of(&wide, window_end()).columns(), ["a", "b", "c", "d"], "nulls are counted where they may be");
    assert!(Checks::of(&wide, window_end()).age_columns().is_empty());
    let mut bare = contract(&["a STRING"]);
    bare.columns.iter_mut().for_each(|column| column.key_position = None);
    assert_eq!(Checks::of(&bare, window_end()).columns(), ["a"]);
}

#[test]
fn an_audit_has_no_rule_that_needs_more_than_the_rows() {
    let mut contract = contract(&["a STRING key required"]);
    let to = "gold_owners.id".to_owned();
    let relationship = lake_core::contract::odcs::Relationship { from: "things.a".into(), to, custom_properties: Vec::new() };
    contract.document.schema[0].relationships.push(relationship);
    let rules: Vec<String> = Checks::of_rows(&contract).finish().findings.into_iter().map(|f| f.rule).collect();
    assert_eq!(rules, ["required:a", "primary-key:a"]);
    assert_eq!(Checks::of(&contract, window_end()).finish().findings.len(), 3);
}

#[test]
fn no_message_holds_a_value() {
    let mut contract = contract(&["c STRING key required", "n INT"]);
    let schema = &mut contract.document.schema[0];
    for (at, rule) in [
        (0, json!({"id": "listed", "metric": "invalidValues", "arguments": {"validValues": ["x"]}, "mustBe": 0})),
        (0, json!({"id": "pattern", "metric": "invalidValues", "arguments": {"pattern": "x"}, "mustBe": 0})),
        (0, json!({"id": "twice", "metric": "duplicateValues", "mustBe": 0})),
        (1, json!({"id": "least", "metric": "invalidValues", "arguments": {"minimum": 0}, "mustBe": 0})),
    ] {
        schema.properties[at].quality.push(quality(rule));
    }
    let secret = "ada@example.com";
    let report =
        report(&contract, &[batch(vec![("c", texts(&[Some(secret), Some(secret)])), ("n", ints(&[Some(-4711), None]))])]);
    assert_eq!(report.findings.iter().filter(|f| !f.passed).count(), 5);
    let said = format!("{report:?}");
    assert!(!said.contains("ada") && !said.contains("4711"), "{said}");
}

#[test]
fn polars_own_words_are_not_repeated() {
    let error = polars::prelude::PolarsError::ComputeError("conversion of 'ada@example.com' failed".into());
    assert_eq!(super::super::reason(&error), "the computation failed");
}

#[test]
fn a_rule_that_lacks_what_it_needs_is_not_judged() {
    let mut contract = contract(&["a STRING key required", "at TIMESTAMP"]);
    let schema = &mut contract.document.schema[0];
    for (id, sql, reads) in [
        ("own", "SELECT COUNT(*) FROM {object}", json!([])),
        ("meta", "SELECT COUNT(_run_id) FROM {object}", json!([])),
        ("other", "SELECT COUNT(*) FROM gold_owners", json!(["gold_owners"])),
    ] {
        let properties = json!([{"property": "reads", "value": reads}]);
        schema.quality.push(quality(json!({"id": id, "type": "sql", "query": sql, "mustBe": 1, "customProperties": properties})));
    }
    let to = "gold_owners.id".to_owned();
    schema.relationships.push(lake_core::contract::odcs::Relationship {
        from: "things.a".into(),
        to,
        custom_properties: Vec::new(),
    });
    let latency = json!({"property": "latency", "value": 1, "unit": "d", "element": "things.at"});
    contract.document.sla_properties.push(serde_json::from_value(latency).unwrap());
    let mut checks = Checks::of(&contract, window_end());
    checks.leave_out(Need::Column("_run_id"), "it is not in the file");
    checks.leave_out(Need::Table("gold_owners"), "it was not given");
    checks.leave_out(Need::Instant, "no window was given");
    let asked: Vec<String> = checks.queries().into_iter().map(|query| query.rule).collect();
    assert_eq!((asked, checks.references()), (vec!["own".to_owned()], vec![]));
    checks.answer("own", Ok(1.0));
    observe(&mut checks, &[batch(vec![("a", texts(&[Some("x")]))])]);
    let report = checks.finish();
    let silent: Vec<&str> = report.findings.iter().filter(|f| f.state == State::NotJudged).map(|f| f.rule.as_str()).collect();
    assert_eq!(silent, ["meta", "other", "reference:a:gold_owners.id", "latency:at"]);
    assert_eq!(finding(&report, "latency:at").message, "not judged: no window was given");
    assert!(report.passed() && finding(&report, "required:a").held() && finding(&report, "primary-key:a").held());
}

#[test]
fn nulls_are_counted_where_they_are_no_failure() {
    let contract = contract(&["a STRING key", "b STRING", "c INT required", "d STRING"]);
    let mut checks = Checks::of(&contract, window_end());
    assert!(checks.null_shares().is_empty(), "of no rows there is no share");
    let rows =
        |b: &[Option<&str>]| batch(vec![("a", texts(b)), ("b", texts(b)), ("c", ints(&vec![None; b.len()])), ("d", texts(b))]);
    observe(&mut checks, &[rows(&[None, Some("x")]), rows(&[Some("y"), Some("z")])]);
    assert_eq!(checks.null_shares(), [("b".to_owned(), 25.0), ("d".to_owned(), 25.0)]);
    observe(&mut checks, &[batch(vec![("a", texts(&[Some("x")])), ("d", texts(&[None]))])]);
    assert_eq!(checks.null_shares(), [("d".to_owned(), 40.0)], "a column that is not always there tells nothing");
    assert!(Checks::of_rows(&contract).null_shares().is_empty());
}
