//! Rules about the values of one column.

use crate::fixtures::{
    batch, booleans, cents, column_rule, dates, doubles, finding, instants, ints, longs, measured, report, texts,
};
use serde_json::{Value, json};

fn rule(metric: &str, arguments: Value) -> Value {
    json!({"id": "r", "metric": metric, "arguments": arguments, "mustBe": 0})
}

#[test]
fn nulls_are_counted_over_all_batches() {
    let contract = column_rule("STRING", rule("nullValues", json!({})));
    let batches = [
        batch(vec![("c", texts(&[Some("a"), None]))]),
        batch(vec![("c", texts(&[]))]),
        batch(vec![("c", texts(&[None, None, Some("")]))]),
    ];
    let found = finding(&report(&contract, &batches), "r");
    assert_eq!((found.passed, found.measured), (false, Some(3.0)));
    assert_eq!(found.message, "c: 3 of 5 rows are null");
    assert_eq!(found.expected, "= 0 rows");
    assert!(finding(&report(&contract, &[batch(vec![("c", texts(&[Some("a")]))])]), "r").passed);
}

#[test]
fn nulls_are_counted_in_every_type() {
    let nulls = |kind, values| measured(kind, rule("nullValues", json!({})), values);
    assert_eq!(nulls("DECIMAL(18,2)", cents(&[Some(1), None])), Ok(1.0));
    assert_eq!(nulls("TIMESTAMP", instants(&[None, None, Some("2017-12-30T00:00:00Z")])), Ok(2.0));
    assert_eq!(nulls("DATE", dates(&[Some("2017-12-30"), None])), Ok(1.0));
    assert_eq!(nulls("BOOLEAN", booleans(&[None, Some(false)])), Ok(1.0));
    assert_eq!(nulls("DOUBLE", doubles(&[Some(f64::NAN), None])), Ok(1.0));
}

#[test]
fn placeholders_are_missing_exactly_as_they_stand() {
    let missing = rule("missingValues", json!({"missingValues": ["", "N/A"]}));
    let values = texts(&[Some(""), Some("N/A"), Some("n/a"), Some(" "), None, Some("x")]);
    assert_eq!(measured("STRING", missing, values), Ok(3.0));
    let numbers = longs(&[Some(-1), Some(1), None, Some(-11)]);
    assert_eq!(measured("BIGINT", rule("missingValues", json!({"missingValues": ["-1"]})), numbers), Ok(2.0));
    assert_eq!(measured("STRING", rule("missingValues", json!({})), texts(&[None, Some("")])), Ok(1.0));
}

#[test]
fn values_outside_the_list_are_invalid_and_nulls_are_not() {
    let listed = |values: Value| rule("invalidValues", json!({"validValues": values}));
    assert_eq!(
        measured("STRING", listed(json!(["a", "b"])), texts(&[Some("a"), Some("A"), None, Some("ab"), Some("b")])),
        Ok(2.0)
    );
    assert_eq!(measured("INT", listed(json!(["1", "2"])), ints(&[Some(1), Some(3), None])), Ok(1.0));
    assert_eq!(measured("BOOLEAN", listed(json!(["true"])), booleans(&[Some(true), Some(false), None])), Ok(1.0));
    assert_eq!(measured("DOUBLE", listed(json!(["1.5"])), doubles(&[Some(1.5), Some(1.25)])), Ok(1.0));
    assert_eq!(measured("DATE", listed(json!(["2017-12-30"])), dates(&[Some("2017-12-30"), Some("2017-12-31"), None])), Ok(1.0));
    let instant = listed(json!(["2017-12-30T01:00:00+01:00"]));
    let values = instants(&[Some("2017-12-30T00:00:00Z"), Some("2017-12-30T00:00:00.000001Z"), None]);
    assert_eq!(measured("TIMESTAMP", instant, values), Ok(1.0));
}

#[test]
fn decimals_are_compared_to_the_last_digit() {
    let listed = rule("invalidValues", json!({"validValues": ["1.1", "9999999999999999.99"]}));
    let values = cents(&[Some(110), Some(111), Some(999_999_999_999_999_999), Some(999_999_999_999_999_998), None]);
    assert_eq!(measured("DECIMAL(18,2)", listed, values), Ok(2.0));
}

#[test]
fn a_decimal_of_another_scale_is_another_type() {
    let found = measured("DECIMAL(18,4)", rule("nullValues", json!({})), cents(&[Some(1)]));
    assert_eq!(found, Err("could not run: column `c` is not DECIMAL(18,4) in the table".to_owned()));
}

#[test]
fn a_placeholder_is_not_invalid() {
    let both = rule("invalidValues", json!({"validValues": ["a"], "missingValues": ["-"]}));
    assert_eq!(measured("STRING", both, texts(&[Some("a"), Some("-"), Some("b"), None])), Ok(1.0));
}

#[test]
fn a_pattern_matches_the_whole_value() {
    let pattern = |pattern: &str| rule("invalidValues", json!({"pattern": pattern}));
    assert_eq!(
        measured("STRING", pattern("[A-Z]{3}"), texts(&[Some("USD"), Some("USDX"), Some("xUSD"), Some("USD\n"), None])),
        Ok(3.0)
    );
    assert_eq!(measured("STRING", pattern("a|bc"), texts(&[Some("a"), Some("bc"), Some("ac"), Some("abc"), Some("")])), Ok(3.0));
    assert_eq!(measured("STRING", pattern("(?m)^a$"), texts(&[Some("a"), Some("b\na")])), Ok(1.0));
    assert_eq!(measured("INT", pattern("[0-9]{4}"), ints(&[Some(2017), Some(17), None])), Ok(1.0));
    assert_eq!(measured("DATE", pattern("2017-.*"), dates(&[Some("2017-12-30"), Some("2018-01-01")])), Ok(1.0));
}

#[test]
fn a_pattern_that_is_none_cannot_run() {
    let pattern = |pattern: &str| measured("STRING", rule("invalidValues", json!({"pattern": pattern})), texts(&[Some("a")]));
    for broken in ["(", "a)|(b", "[z-a]"] {
        assert_eq!(pattern(broken), Err("could not run: the pattern is no regular expression".to_owned()), "{broken}");
    }
    assert!(pattern("(?x)a # b").unwrap_err().starts_with("could not run: "));
    let decimal = measured("DECIMAL(18,2)", rule("invalidValues", json!({"pattern": "1.*"})), cents(&[Some(100)]));
    assert_eq!(decimal, Err("could not run: a pattern needs text and `c` is DECIMAL(18,2)".to_owned()));
}

#[test]
fn a_minimum_is_inclusive_and_exact() {
    let minimum = |minimum: f64| rule("invalidValues", json!({"minimum": minimum}));
    assert_eq!(measured("INT", minimum(0.0), ints(&[Some(-1), Some(0), Some(1), None])), Ok(1.0));
    assert_eq!(measured("BIGINT", minimum(0.5), longs(&[Some(0), Some(1), Some(i64::MIN)])), Ok(2.0));
    assert_eq!(measured("BIGINT", minimum(-0.5), longs(&[Some(0), Some(-1)])), Ok(1.0));
    assert_eq!(measured("DOUBLE", minimum(0.5), doubles(&[Some(0.5), Some(0.49), Some(f64::NAN), None])), Ok(2.0));
    assert_eq!(measured("DECIMAL(18,2)", minimum(0.1), cents(&[Some(9), Some(10), Some(-10), None])), Ok(2.0));
    assert_eq!(measured("DECIMAL(18,2)", minimum(0.005), cents(&[Some(0), Some(1)])), Ok(1.0));
    let date = measured("DATE", minimum(0.0), dates(&[Some("2017-12-30")]));
    assert_eq!(date, Err("could not run: a minimum needs a number and `c` is DATE".to_owned()));
}

#[test]
fn list_pattern_and_minimum_hold_together() {
    let both = rule("invalidValues", json!({"validValues": ["10", "-5", "300"], "minimum": 0, "pattern": "..?"}));
    assert_eq!(measured("INT", both, ints(&[Some(10), Some(-5), Some(300), Some(11)])), Ok(3.0));
}

#[test]
fn a_listed_value_of_another_type_cannot_run() {
    for (kind, values, wrong) in [
        ("INT", ints(&[Some(1)]), "x"),
        ("DATE", dates(&[Some("2017-12-30")]), "30.12.2017"),
        ("DECIMAL(18,2)", cents(&[Some(1)]), "1.005"),
        ("TIMESTAMP", instants(&[None]), "2017-12-30"),
    ] {
        let found = measured(kind, rule("invalidValues", json!({"validValues": [wrong]})), values);
        assert_eq!(found, Err(format!("could not run: a listed value is no {kind} as `c` is")));
    }
}

#[test]
fn percent_is_of_all_rows_and_none_of_none() {
    let percent = json!({"id": "r", "metric": "nullValues", "mustBeLessOrEqualTo": 25, "unit": "percent"});
    let contract = column_rule("STRING", percent.clone());
    let at = batch(vec![("c", texts(&[None, Some("a"), Some("a"), Some("a")]))]);
    let found = finding(&report(&contract, std::slice::from_ref(&at)), "r");
    assert_eq!((found.passed, found.measured, found.expected.as_str()), (true, Some(25.0), "<= 25 percent"));
    let above = finding(&report(&contract, &[at, batch(vec![("c", texts(&[None]))])]), "r");
    assert_eq!((above.passed, above.measured), (false, Some(40.0)));
    assert_eq!(measured("STRING", percent, texts(&[])), Ok(0.0));
}

#[test]
fn a_handful_of_failing_rows_is_no_percentage() {
    let found = |more: Value| {
        let mut rule = json!({"id": "r", "metric": "nullValues", "mustBeLessThan": 20, "unit": "percent"});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        finding(&report(&column_rule("INT", rule), &[batch(vec![("c", ints(&[None, None, Some(1)]))])]), "r")
    };
    let least = |rows: u32| found(json!({"customProperties": [{"property": "failingRowsMin", "value": rows}]}));
    assert!(!found(json!({})).passed);
    let few = least(3);
    assert_eq!((few.passed, few.expected.as_str()), (true, "< 20 percent, or fewer than 3 rows"));
    assert!(!least(2).passed);
}

#[test]
fn an_argument_that_a_metric_would_ignore_cannot_run() {
    for (metric, arguments, named) in [
        ("nullValues", json!({"missingValues": ["x"]}), "missingValues"),
        ("missingValues", json!({"validValues": ["x"]}), "validValues"),
        ("duplicateValues", json!({"pattern": "x"}), "pattern"),
        ("missingValues", json!({"minimum": 1}), "minimum"),
    ] {
        let found = measured("STRING", rule(metric, arguments), texts(&[Some("a")]));
        assert_eq!(found, Err(format!("could not run: the metric does not take `{named}`")));
    }
    let nothing = measured("STRING", rule("invalidValues", json!({})), texts(&[Some("a")]));
    assert_eq!(nothing, Err("could not run: `invalidValues` needs `validValues`, `pattern` or `minimum`".to_owned()));
}
