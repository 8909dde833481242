//! Data that breaks its contract: undecodable records, failing gates, offsets that retention took.

use crate::support::{Variables, contracts_with, lake, pinned, root, run, sources, with};
use std::{path::Path, process::Command};

fn on_lake(sources: &Variables, directory: &Path) -> Variables {
    with(sources.clone(), &[("LAKE_URI", lake(directory)["LAKE_URI"].clone())])
}

/// A topic of a test's own, and the variables that lead to its lake and to contracts that name it.
pub(crate) fn on_topic(sources: &Variables, directory: &Path, name: &str) -> (String, Variables) {
    let topic = format!("{name}-{}", std::process::id());
    let named = format!("topic: {topic}");
    let contracts = contracts_with(directory, "bronze/kafka_orders.odcs.yaml", "topic: orders.events", &named);
    (topic, with(on_lake(sources, directory), &[("LAKE_CONTRACTS", contracts)]))
}

#[test]
fn an_undecodable_record_is_landed_marked_and_quarantined() {
    let (sources, directory) = (sources(), tempfile::tempdir().unwrap());
    let (topic, variables) = on_topic(&sources, directory.path(), "broken");
    records(&sources, &["create", &topic, "5"]);
    records(&sources, &["produce-broken", &topic]);
    for (name, program) in [("undecodable-landed", "ingest-kafka"), ("undecodable-checked", "dq-check")] {
        let ran = run(&[program, "bronze_kafka_orders", "--window", "2017-12-30"], &variables);
        assert_eq!(ran.code, 0, "{ran}");
        pinned(name, &renamed(&ran, &topic), directory.path());
    }
    records(&sources, &["drop", &topic]);
    let ran = run(&["silverize", "silver_order_movements", "--window", "2017-12-30"], &variables);
    assert_eq!(ran.code, 0, "{ran}");
    pinned("undecodable-quarantined", &ran, directory.path());
}

#[test]
fn a_failing_gate_stops_the_next_layer() {
    let (sources, directory) = (sources(), tempfile::tempdir().unwrap());
    let variables = on_lake(&sources, directory.path());
    let logs = directory.path().join("logs").display().to_string();
    // Nothing came from the warehouse for two months: freshness fails there.
    let ran = run(&["run-pipeline", "day", "--window", "2018-03-01", "--logs", &logs, "--jobs", "1"], &variables);
    assert_eq!(ran.code, 65, "{ran}");
    let line = |start: &str| ran.stdout.lines().find(|line| line.starts_with(start)).unwrap_or_default().to_owned();
    assert!(line("bronze_snowflake_customers ").ends_with("gate failed 65"), "{ran}");
    assert!(line("silver_customers ").ends_with("blocked by dq-check bronze_snowflake_customers"), "{ran}");
    assert!(!directory.path().join("lake/silver/customers").exists(), "the next layer was started");
    let gate = run(&["dq-check", "bronze_snowflake_customers", "--window", "2018-03-01"], &variables);
    pinned("failing-gate", &gate, directory.path());

    // What a scheduler's last job does adds nothing to what the day has noted itself, and makes it anew where it is gone.
    let quality = line("quality ");
    let ledger = || run(&["run-pipeline", "ledger", "--window", "2018-03-01"], &variables);
    let said = |rows: usize| format!("ops/runs: {rows} rows added, ops/ledger: {rows} rows added\n{quality}\n");
    let (again, scores) = (ledger(), directory.path().join("lake/ops/quality_scores"));
    assert_eq!((again.code, again.stdout.as_str()), (0, said(0).as_str()), "{again}");
    assert!(!scores.join("_delta_log/00000000000000000002.json").exists(), "the same scores are no news");
    for table in ["runs", "ledger", "quality_scores"] {
        std::fs::remove_dir_all(directory.path().join("lake/ops").join(table)).unwrap();
    }
    let anew = ledger();
    let commits = anew.stdout.split(' ').nth(1).and_then(|rows| rows.parse().ok()).unwrap_or_default();
    assert!(commits > 0 && scores.exists(), "{anew}");
    assert_eq!((anew.code, anew.stdout.as_str()), (0, said(commits).as_str()), "{anew}");
}

#[test]
fn offsets_that_retention_took_are_never_skipped() {
    let (sources, directory) = (sources(), tempfile::tempdir().unwrap());
    let (topic, variables) = on_topic(&sources, directory.path(), "retention");
    let ingest = |window: &str, more: &[&str]| {
        run(&[&["ingest-kafka", "bronze_kafka_orders", "--window", window][..], more].concat(), &variables)
    };

    records(&sources, &["create", &topic, "5"]);
    let first = ingest("2017-12-30", &[]);
    assert_eq!(first.code, 0, "{first}");
    records(&sources, &["produce", &topic, "4"]);
    records(&sources, &["delete-before", &topic, "7"]);
    let lost = ingest("2017-12-31", &[]);
    assert_eq!(lost.code, 65, "{lost}");
    pinned("kafka-offsets-gone", &renamed(&lost, &topic), directory.path());
    let accepted = ingest("2017-12-31", &["--accept-loss", "0:5-6"]);
    assert_eq!(accepted.code, 0, "{accepted}");
    assert!(accepted.stdout.contains("read 2, accepted 2"), "{accepted}");

    // The other partition was empty so far, but it was seen.
    records(&sources, &["produce", &topic, "4", "--partition", "1"]);
    records(&sources, &["delete-before", &topic, "3", "--partition", "1"]);
    let lost = ingest("2018-01-01", &[]);
    records(&sources, &["drop", &topic]);
    assert_eq!(lost.code, 65, "{lost}");
    assert!(lost.stderr.contains("continue partition 1: offsets 0 to 2 are gone"), "{lost}");
}

#[test]
fn a_topic_that_was_made_anew_is_never_taken_for_the_old_one() {
    let (sources, directory) = (sources(), tempfile::tempdir().unwrap());
    let (topic, variables) = on_topic(&sources, directory.path(), "anew");
    let ingest = || run(&["ingest-kafka", "bronze_kafka_orders", "--window", "2017-12-31"], &variables);
    records(&sources, &["create", &topic, "5"]);
    let first = ingest();
    assert_eq!(first.code, 0, "{first}");
    records(&sources, &["drop", &topic]);
    let absent = ingest();
    assert_eq!(absent.code, 2, "{absent}");
    records(&sources, &["create", &topic, "3"]);
    let refused = ingest();
    assert_eq!(refused.code, 65, "{refused}");
    pinned("kafka-topic-made-anew", &renamed(&refused, &topic), directory.path());
    let log = directory.path().join("lake/bronze/kafka_orders/_delta_log");
    assert!(!log.join("00000000000000000002.json").exists(), "a refused run has committed");

    // What the hint says: a table of its own, so here another lake.
    let elsewhere = with(variables.clone(), &[("LAKE_URI", directory.path().join("other").display().to_string())]);
    let landed = run(&["ingest-kafka", "bronze_kafka_orders", "--window", "2017-12-31"], &elsewhere);
    records(&sources, &["drop", &topic]);
    assert!(landed.stdout.contains("read 3, accepted 3"), "{landed}");
}

#[test]
fn a_topic_that_was_made_anew_and_has_grown_is_never_taken_for_the_old_one() {
    let (sources, directory) = (sources(), tempfile::tempdir().unwrap());
    let (topic, variables) = on_topic(&sources, directory.path(), "grown");
    let ingest = |window: &str| run(&["ingest-kafka", "bronze_kafka_orders", "--window", window], &variables);
    records(&sources, &["create", &topic, "5"]);
    let first = ingest("2017-12-30");
    assert_eq!(first.code, 0, "{first}");
    records(&sources, &["produce", &topic, "2"]);
    let second = ingest("2017-12-31");
    assert!(second.stdout.contains("read 2, accepted 2"), "the record that is compared does not count: {second}");
    records(&sources, &["drop", &topic]);
    let absent = ingest("2018-01-01");
    assert_eq!(absent.code, 2, "{absent}");

    // The new topic ends where the old one did; what is new stands in the partition of which nothing has landed.
    records(&sources, &["create", &topic, "7"]);
    records(&sources, &["produce", &topic, "1", "--partition", "1"]);
    let same_end = ingest("2018-01-01");
    assert_eq!(same_end.code, 65, "{same_end}");
    pinned("kafka-topic-made-anew-and-grown", &renamed(&same_end, &topic), directory.path());
    // Now it has grown beyond what has landed.
    records(&sources, &["produce", &topic, "2"]);
    let grown = ingest("2018-01-01");
    records(&sources, &["drop", &topic]);
    assert_eq!(grown.to_string(), same_end.to_string());
    let log = directory.path().join("lake/bronze/kafka_orders/_delta_log");
    assert!(log.join("00000000000000000002.json").exists());
    assert!(!log.join("00000000000000000003.json").exists(), "a refused run has committed");
}

pub(crate) fn renamed(ran: &crate::support::Ran, topic: &str) -> crate::support::Ran {
    let plain = |text: &str| text.replace(topic, "[topic]");
    crate::support::Ran { code: ran.code, stdout: plain(&ran.stdout), stderr: plain(&ran.stderr) }
}

/// Makes and trims a topic; what it holds stands in `ci/proofs/topic.py`.
pub(crate) fn records(sources: &Variables, arguments: &[&str]) {
    let python = Path::new(&sources["HOME_OF_SOURCES"]).join("venv/bin/python");
    let mut command = Command::new(python);
    command.args(["-m", "proofs.topic", &sources["KAFKA_BOOTSTRAP"]]).args(arguments);
    let output = command.current_dir(root()).env("PYTHONPATH", "ci").env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
