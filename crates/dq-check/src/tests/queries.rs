//! SQL rules: what they see, and who is to blame when they cannot be answered.

use super::*;
use lake_core::{Fault, contract::odcs::Quality};

const RATES: &str = "bronze_rates";

/// A rule that is one query.
fn query(sql: &str, must_be: u32, reads: &[&str]) -> Quality {
    let reads = serde_json::json!([{"property": "reads", "value": reads}]);
    let rule = serde_json::json!({"id": "asked", "type": "sql", "query": sql, "mustBe": must_be, "customProperties": reads});
    serde_json::from_value(rule).unwrap()
}

async fn owned_things() -> World {
    let world = World::new();
    world.put("gold_owners", &[("id", texts(&[Some("o1"), Some("o2")]))], false).await;
    world.put("gold_things", &super::things(&["a", "b"], Some("o1"), 3), false).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_reads_the_tables_that_it_declares() {
    let world = owned_things().await;
    let sql = "SELECT COUNT(*) FROM {object} AS own JOIN gold_owners ON gold_owners.id = own.owner";
    let declared = || query(sql, 2, &["gold_owners"]);
    let judged = world.ask("gold_things").with_rule(declared()).judge().await.unwrap();
    assert_eq!((failed(&judged), finding(&judged, "asked").measured), (vec![], Some(2.0)));
    // The version of what it reads is part of the question.
    world.put("gold_owners", &[("id", texts(&[Some("o2")]))], true).await;
    let moved = world.ask("gold_things").with_rule(declared()).judge().await.unwrap();
    assert_eq!(failed(&moved), ["asked", "reference:owner:gold_owners.id"]);
    let error = world.ask("gold_things").with_rule(query(sql, 2, &[])).window("2017-12-31").judge().await.unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Fault::Config));
    assert!(format!("{error:#}").contains("use table `gold_owners`: the contract declares `gold_things`"), "{error:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_declared_and_not_there_fails_its_rule() {
    let world = World::new();
    world.put(RATES, &rates("2017-12-30", &[Some("USD")]), false).await;
    let rule = query("SELECT COUNT(*) FROM gold_owners", 0, &["gold_owners"]);
    let judged = world.ask(RATES).with_rule(rule).judge().await.unwrap();
    assert_eq!(finding(&judged, "asked").message, "could not run: table `gold_owners` is not in this lake");
    assert_eq!((failed(&judged), judged.verdict.passed), (vec!["asked"], false));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_bronze_a_query_sees_the_rows_that_are_judged() {
    let world = World::new();
    let one = || query("SELECT COUNT(*) FROM {object}", 1, &[]);
    world.put(RATES, &rates("2017-12-30", &[Some("USD")]), false).await;
    assert!(world.ask(RATES).with_rule(one()).judge().await.unwrap().verdict.passed);
    world.put(RATES, &rates("2017-12-31", &[Some("GBP")]), false).await;
    let next = world.ask(RATES).with_rule(one()).window("2017-12-31").judge().await.unwrap();
    assert_eq!((failed(&next), finding(&next, "asked").measured), (vec![], Some(1.0)));
    let whole = world.ask(RATES).with_rule(one()).window("2018-01-01").whole().judge().await.unwrap();
    assert_eq!((failed(&whole), finding(&whole, "asked").measured), (vec!["asked"], Some(2.0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_failed_slice_is_asked_by_itself() {
    let world = World::new();
    // Later rows must not make up for it: the rule wants at least as many dollars as pounds.
    let sql =
        "SELECT GREATEST(COUNT(*) FILTER (WHERE currency = 'GBP') - COUNT(*) FILTER (WHERE currency = 'USD'), 0) FROM {object}";
    let rule = || query(sql, 0, &[]);
    world.put(RATES, &rates("2017-12-30", &[Some("USD")]), false).await;
    assert!(world.ask(RATES).with_rule(rule()).judge().await.unwrap().verdict.passed);
    world.put(RATES, &rates("2017-12-31", &[Some("GBP")]), false).await;
    assert_eq!(failed(&world.ask(RATES).with_rule(rule()).window("2017-12-31").judge().await.unwrap()), ["asked"]);
    world.put(RATES, &rates("2018-01-01", &[Some("USD")]), false).await;
    let later = world.ask(RATES).with_rule(rule()).window("2018-01-01").judge().await.unwrap();
    assert_eq!(failed(&later), ["failed-slice:2"]);
    world.put(RATES, &rates("2017-12-31", &[Some("USD")]), true).await;
    assert!(world.ask(RATES).with_rule(rule()).window("2018-01-01").judge().await.unwrap().verdict.passed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_no_row_can_save_ends_the_run_without_a_verdict() {
    let world = World::new();
    world.put(RATES, &rates("2017-12-30", &[Some("USD")]), false).await;
    for (sql, said) in [
        ("DELETE FROM {object}", "it must be exactly one SELECT"),
        ("SELECT 1; SELECT 2", "it must be exactly one SELECT"),
        ("SELECT COUNT(*) FROM '/etc/passwd'", "use table `/etc/passwd`"),
        ("SELECT COUNT(_key) FROM {object}", "use column `_key`: it is personal data of `bronze_rates`, and no model sees it"),
        ("SELECT COUNT(nothing) FROM {object}", "plan the query"),
        ("SELECT 1, 2", "2 columns instead of one number"),
        ("SELECT currency FROM {object}", "instead of a number"),
    ] {
        let asked = world.ask(RATES).with_rule(query(sql, 0, &[])).personal("_key");
        let error = asked.judge().await.unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Fault::Config), "{sql}: {error:#}");
        let told = format!("{error:#}");
        assert!(told.contains("failed to run rule `asked`") && told.contains(said), "{sql}: {told}");
    }
    assert!(world.verdicts(RATES).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_the_rows_cannot_answer_is_a_finding() {
    let world = World::new();
    world.put(RATES, &rates("2017-12-30", &[Some("USD")]), false).await;
    for (day, sql, said) in [
        ("2017-12-30", "SELECT MAX(1) FROM {object} WHERE currency = 'CHF'", "answer rule `asked`: null"),
        ("2017-12-31", "SELECT CAST(currency AS INT) FROM {object}", "run the query: a value cannot be cast"),
        ("2018-01-01", "SELECT 1 FROM {object} WHERE FALSE", "answer rule `asked`: no row"),
    ] {
        let judged = world.ask(RATES).with_rule(query(sql, 0, &[])).window(day).judge().await.unwrap();
        let asked = finding(&judged, "asked");
        assert_eq!((asked.passed, asked.measured), (false, None), "{sql}");
        assert!(asked.message.contains(said) && !asked.message.contains("USD"), "{sql}: {}", asked.message);
    }
}
