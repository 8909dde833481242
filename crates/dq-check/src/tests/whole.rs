//! Silver and Gold: a verdict is about all rows of a version.

use super::*;
use crate::{error::DqError, gate, text};
use lake_core::{Fault, contract::odcs::Severity, summary::Outcome};

async fn good() -> World {
    let world = World::new();
    world.put("gold_owners", &[("id", texts(&[Some("o1"), Some("o2")]))], false).await;
    world.put("gold_things", &things(&["a", "b"], Some("o1"), 3), false).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_version_passes_and_is_recorded() {
    let world = good().await;
    let judged = world.ask("gold_things").judge().await.unwrap();
    assert_eq!(failed(&judged), Vec::<&str>::new());
    assert_eq!((judged.verdict.passed, judged.verdict.score, judged.verdict.report.rows), (true, 100.0, 2));
    let summary = &judged.summary;
    assert_eq!(
        (summary.outcome, summary.ledger.read, summary.ledger.accepted, summary.table_version),
        (Outcome::Committed, 2, 2, Some(1))
    );
    assert_eq!(summary.inputs, BTreeMap::from([("gold_owners".to_owned(), 1), ("gold_things".to_owned(), 1)]));
    assert_eq!((&summary.facts["score"], &summary.facts["checked_version"]), (&100.0.into(), &1.into()));
    assert_eq!(world.verdicts("gold_things").await, [judged.verdict]);
    assert_eq!(world.passed("gold_things").await, Some(1));
    assert_eq!(world.passed("gold_owners").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_origin_of_rules_can_fail_the_gate() {
    let world = good().await;
    let bad = [
        ("id", texts(&[Some("a"), None, None])),
        ("owner", texts(&[Some("x"), None, None])),
        ("size", longs(&[Some(-1), None, None])),
    ];
    world.put("gold_things", &bad, false).await;
    let judged = world.ask("gold_things").judge().await.unwrap();
    let rules = ["sizes_negative", "size_missing", "required:id", "primary-key:id", "reference:owner:gold_owners.id"];
    assert_eq!(failed(&judged), rules);
    assert_eq!(finding(&judged, "primary-key:id").measured, Some(4.0));
    assert_eq!(finding(&judged, "sizes_negative").measured, Some(1.0));
    assert_eq!(finding(&judged, "size_missing").severity, Severity::Warning);
    assert_eq!((judged.verdict.passed, judged.verdict.score), (false, 0.0));
    assert_eq!(world.passed("gold_things").await, None);
    let error = gate(&judged).unwrap_err();
    assert!(matches!(error, DqError::Gate { version: 2, failed: 4, rules: 5, .. }), "{error:?}");
    assert_eq!(judged.summary.facts["failed_rules"].as_array().map(Vec::len), Some(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_is_reported_and_passes() {
    let world = good().await;
    world.put("gold_things", &[("id", texts(&[Some("c")]))], false).await;
    let judged = world.ask("gold_things").judge().await.unwrap();
    assert_eq!((failed(&judged), judged.verdict.passed), (vec!["size_missing"], true));
    assert!(gate(&judged).is_ok());
    assert_eq!(world.passed("gold_things").await, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_again_commits_nothing_and_answers_the_same() {
    let world = good().await;
    world.put("gold_things", &things(&["a"], None, 1), false).await;
    let first = world.ask("gold_things").judge().await.unwrap();
    let version = Table::open(&world.lake, &verdict::spec()).await.unwrap().unwrap().version();
    let again = world.ask("gold_things").run(2).judge().await.unwrap();
    assert_eq!(again.verdict, first.verdict);
    assert!(gate(&again).is_err());
    assert_eq!((again.summary.outcome, again.summary.run_id), (Outcome::AlreadyDone, first.summary.run_id));
    assert_eq!(
        (again.summary.ledger, again.summary.inputs, again.summary.facts),
        (first.summary.ledger, first.summary.inputs, first.summary.facts)
    );
    assert_eq!(Table::open(&world.lake, &verdict::spec()).await.unwrap().unwrap().version(), version);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_window_contract_or_reference_is_another_question() {
    let world = good().await;
    world.ask("gold_things").judge().await.unwrap();
    let later = world.ask("gold_things").window("2017-12-31").judge().await.unwrap();
    let same_end = world.ask("gold_things").window("2017-12-30/2018-01-01").judge().await.unwrap();
    let edited = world.ask("gold_things").edited().judge().await.unwrap();
    world.put("gold_owners", &[("id", texts(&[Some("o3")]))], true).await;
    let moved = world.ask("gold_things").judge().await.unwrap();
    let outcomes = [&later, &same_end, &edited, &moved].map(|judged| judged.summary.outcome);
    assert_eq!(outcomes, [Outcome::Committed, Outcome::AlreadyDone, Outcome::Committed, Outcome::Committed]);
    assert_eq!(failed(&moved), ["reference:owner:gold_owners.id"]);
    assert_eq!(world.verdicts("gold_things").await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_caller_fixes_versions() {
    let world = good().await;
    world.put("gold_things", &things(&["a"], Some("o1"), 3), false).await;
    world.put("gold_owners", &[("id", texts(&[Some("o3")]))], true).await;
    let judged = world.ask("gold_things").at("gold_things", 1).at("gold_owners", 1).judge().await.unwrap();
    assert_eq!((judged.verdict.passed, judged.verdict.key.version), (true, 1));
    assert_eq!(judged.verdict.key.references, BTreeMap::from([("gold_owners".to_owned(), 1)]));
    let newest = world.ask("gold_things").judge().await.unwrap();
    assert_eq!((newest.verdict.passed, newest.verdict.key.version), (false, 2));
    assert_eq!(world.passed("gold_things").await, Some(1));
    let beyond = world.ask("gold_things").at("gold_things", 9).judge().await.unwrap_err();
    assert_eq!(beyond.downcast_ref(), Some(&Fault::Data));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_not_there_is_no_pass() {
    let world = World::new();
    let error = world.ask("gold_things").judge().await.unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Fault::Data));
    assert!(format!("{error:#}").contains("check `gold_things`: there is no such table in this lake"), "{error:#}");
    world.put("gold_things", &things(&["a"], Some("o1"), 3), false).await;
    let judged = world.ask("gold_things").judge().await.unwrap();
    assert_eq!(failed(&judged), ["reference:owner:gold_owners.id"]);
    assert_eq!(
        finding(&judged, "reference:owner:gold_owners.id").message,
        "could not run: table `gold_owners` is not in this lake"
    );
    assert!(judged.verdict.key.references.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_table_is_judged_too() {
    let world = World::new();
    world.table("gold_things").await;
    world.table("gold_owners").await;
    let judged = world.ask("gold_things").judge().await.unwrap();
    assert_eq!((failed(&judged), judged.summary.ledger.read), (Vec::<&str>::new(), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_copies_at_once_one_commits() {
    let world = good().await;
    world.table("gold_owners").await;
    let (first, second) = tokio::join!(world.ask("gold_things").judge(), world.ask("gold_things").run(2).judge());
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(world.verdicts("gold_things").await.len(), 1);
    assert_eq!(first.verdict, second.verdict);
    let mut outcomes = [first.summary.outcome, second.summary.outcome].map(|outcome| format!("{outcome:?}"));
    outcomes.sort();
    assert_eq!(outcomes, ["AlreadyDone", "Committed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_are_shown_to_people_and_to_programs() {
    let world = good().await;
    world.put("gold_things", &[("id", texts(&[Some("a")]))], false).await;
    let judged = world.ask("gold_things").judge().await.unwrap();
    let lines = text::of(&judged.verdict).json_lines();
    assert_eq!(lines.len(), 8, "five rules, and three that are learning");
    assert!(
        lines[5].contains(r#""rule":"volume:rows""#) && lines[5].contains(r#""state":"learning","passed":null,"measured":3.0"#)
    );
    let missing = lines.iter().find(|line| line.contains("size_missing")).unwrap();
    assert_eq!(
        missing,
        r#"{"table":"gold_things","version":2,"rule":"size_missing","severity":"warning","dimension":"completeness","state":"judged","passed":false,"measured":1.0,"expected":"= 0 rows","message":"size: 1 of 3 rows are null"}"#
    );
    assert!(lines.iter().all(|line| serde_json::from_str::<Summary>(line).is_err()), "a finding is no summary");
    let table = text::of(&judged.verdict).table(&text::decision(&judged.verdict));
    assert!(
        table[0].starts_with("failed  warning  size_missing  ") || table[0].starts_with("FAILED  error    primary-key:id"),
        "{table:#?}"
    );
    assert!(table[0].contains("(expected = 0 rows)"), "{table:#?}");
    assert_eq!(table[table.len() - 2], "learn   3 rules compare with earlier windows, and need 14 of them");
    let last = "gold_things version 2 failed: 3 of 5 rules hold for 3 rows, score 69.2";
    assert_eq!(table.last().map(String::as_str), Some(last));
}
