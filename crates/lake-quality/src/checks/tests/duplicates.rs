//! Rules about keys.

use crate::fixtures::{
    batch, booleans, cents, column_rule, contract, dates, doubles, finding, instants, ints, measured, quality, report, texts,
};
use lake_core::contract::odcs::Severity;
use serde_json::json;

fn repeated(columns: &[&str]) -> serde_json::Value {
    json!({"id": "r", "metric": "duplicateValues", "arguments": {"properties": columns}, "mustBe": 0})
}

#[test]
fn every_row_of_a_repeated_value_counts() {
    let rule = json!({"id": "r", "metric": "duplicateValues", "mustBe": 0});
    assert_eq!(measured("STRING", rule.clone(), texts(&[Some("a"), Some("b"), Some("a"), Some("a")])), Ok(3.0));
    assert_eq!(measured("STRING", rule.clone(), texts(&[Some("a"), Some("b")])), Ok(0.0));
    assert_eq!(measured("STRING", rule.clone(), texts(&[None, None, Some("a")])), Ok(0.0));
    assert_eq!(measured("DECIMAL(18,2)", rule.clone(), cents(&[Some(1), Some(1), Some(10)])), Ok(2.0));
    assert_eq!(
        measured("TIMESTAMP", rule.clone(), instants(&[Some("2017-12-30T00:00:00Z"), Some("2017-12-30T00:00:00.000001Z")])),
        Ok(0.0)
    );
    assert_eq!(measured("DOUBLE", rule.clone(), doubles(&[Some(1.5), Some(1.5)])), Ok(2.0));
    assert_eq!(measured("BOOLEAN", rule.clone(), booleans(&[Some(true), Some(false), Some(true)])), Ok(2.0));
    assert_eq!(measured("DATE", rule, dates(&[Some("2017-12-30"), Some("2017-12-30"), None])), Ok(2.0));
}

#[test]
fn a_value_repeats_across_batches() {
    let contract = column_rule("STRING", json!({"id": "r", "metric": "duplicateValues", "mustBe": 0}));
    let one = |value| batch(vec![("c", texts(&[Some(value)]))]);
    let found = finding(&report(&contract, &[one("a"), one("b"), one("a")]), "r");
    assert_eq!((found.passed, found.measured), (false, Some(2.0)));
    assert_eq!(found.message, "c: 2 of 3 rows share their value with another row");
    assert!(finding(&report(&contract, &[one("a"), one("b")]), "r").passed);
}

#[test]
fn a_combination_repeats_only_as_a_whole() {
    let mut contract = contract(&["a STRING", "b INT"]);
    contract.document.schema[0].quality.push(quality(repeated(&["a", "b"])));
    let rows = |a, b| batch(vec![("a", texts(a)), ("b", ints(b))]);
    let distinct = rows(&[Some("x"), Some("x"), Some("y")], &[Some(1), Some(2), Some(1)]);
    assert!(finding(&report(&contract, &[distinct]), "r").passed);
    // A null inside a combination is a value like another; a combination of nothing but nulls is none.
    let nulls = rows(&[Some("x"), Some("x"), None, None], &[None, None, None, None]);
    assert_eq!(finding(&report(&contract, &[nulls]), "r").measured, Some(2.0));
    // "ab" + "c" is not "a" + "bc".
    let mut texts_only = crate::fixtures::contract(&["a STRING", "b STRING"]);
    texts_only.document.schema[0].quality.push(quality(repeated(&["a", "b"])));
    let shifted = batch(vec![("a", texts(&[Some("ab"), Some("a")])), ("b", texts(&[Some("c"), Some("bc")]))]);
    assert!(finding(&report(&texts_only, &[shifted]), "r").passed);
}

#[test]
fn the_primary_key_is_unique_and_nulls_are_keys() {
    let contract = contract(&["id STRING key", "line INT key"]);
    let rows = |id, line| batch(vec![("id", texts(id)), ("line", ints(line))]);
    let good = rows(&[Some("a"), Some("a"), Some("b")], &[Some(1), None, None]);
    assert!(finding(&report(&contract, std::slice::from_ref(&good)), "primary-key:id,line").passed);
    let again = finding(&report(&contract, &[good, rows(&[Some("a")], &[None])]), "primary-key:id,line");
    assert_eq!((again.passed, again.measured), (false, Some(2.0)));
    let nothing = rows(&[None, None], &[None, None]);
    assert_eq!(finding(&report(&contract, &[nothing]), "primary-key:id,line").measured, Some(2.0));
    assert_eq!(again.dimension, "uniqueness");
}

#[test]
fn a_repeated_key_is_as_bad_as_the_contract_says() {
    let mut contract = contract(&["id STRING key", "line INT key"]);
    let twice = batch(vec![("id", texts(&[Some("a"), Some("a")])), ("line", ints(&[Some(1), Some(1)]))]);
    let found = |contract: &lake_core::Contract| report(contract, std::slice::from_ref(&twice));
    assert!(!found(&contract).passed());
    // A rule about a part of the key says nothing of the whole.
    let mut part = repeated(&["id"]);
    part["severity"] = json!("warning");
    contract.document.schema[0].quality.push(quality(part));
    assert!(!found(&contract).passed());
    let mut whole = repeated(&["line", "id"]);
    whole["severity"] = json!("warning");
    contract.document.schema[0].quality.push(quality(whole));
    let report = found(&contract);
    let implied = finding(&report, "primary-key:id,line");
    assert_eq!((report.passed(), implied.passed, implied.severity), (true, false, Severity::Warning));
}

#[test]
fn duplicates_can_be_in_percent() {
    let mut rule = repeated(&["c"]);
    rule["unit"] = json!("percent");
    assert_eq!(measured("STRING", rule, texts(&[Some("a"), Some("a"), Some("b"), Some("c")])), Ok(50.0));
}
