use super::*;
use crate::{
    Contract, Summary,
    contract::ContractSet,
    lineage::{
        Ending, Record, outbox,
        tests::{contracts, record, run},
    },
    summary::Outcome,
};
use std::collections::{BTreeMap, BTreeSet};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn of(program: &'static str, table: &str, judges: bool) -> Record {
    record(&contracts(), &run(program, table, 2), judges)
}

fn committed(record: &Record) -> Summary {
    let run = record.run();
    let mut summary = Summary { outcome: Outcome::Committed, ..Summary::begun(run.id, run.program, &run.table, run.window) };
    summary.ledger = Ledger { read: 12, accepted: 9, quarantined: 2, held: 1, ..Ledger::default() };
    summary
}

fn read(event: &RunEvent) -> Reading {
    // Who delivers reads the event from its file.
    let event: RunEvent = serde_json::from_slice(&serde_json::to_vec(event).unwrap()).unwrap();
    Reading::of(&event).unwrap()
}

fn value(reading: &Reading, name: &str) -> Option<f64> {
    reading.values.iter().find(|(metric, _)| metric.name == name).map(|(_, value)| *value)
}

#[test]
fn a_run_that_lands_rows_is_one_document() {
    let record = of("ingest-kafka", "bronze_kafka_orders", false);
    let end = at("2017-12-31T02:00:03.250001Z");
    let reading = read(&record.ended(end, Ending::Done(&committed(&record))));
    let count = |name: &str| json!({ "Name": name, "Unit": "Count" });
    let expected = json!({
        "_aws": {
            "Timestamp": 1_514_685_603_250_i64,
            "CloudWatchMetrics": [{
                "Namespace": "Sluice",
                "Dimensions": [["layer"], ["layer", "table"], ["source"]],
                "Metrics": [
                    count("RunFailed"), count("RunInterrupted"), { "Name": "RunDuration", "Unit": "Milliseconds" },
                    count("RowsRead"), count("RowsAccepted"), count("RowsQuarantined"), count("RowsDuplicate"),
                    count("RowsSuperseded"), count("RowsFiltered"), count("RowsHeld"),
                ],
            }],
        },
        "layer": "bronze", "table": "bronze_kafka_orders", "source": "kafka",
        "program": "ingest-kafka", "event": "complete", "event_time": "2017-12-31T02:00:03.250001Z",
        "outcome": "committed", "run_id": "00000000-0000-0000-0000-000000000007", "attempt": 2,
        "contract": record_contract(),
        "RunFailed": 0, "RunInterrupted": 0, "RunDuration": 3250,
        "RowsRead": 12, "RowsAccepted": 9, "RowsQuarantined": 2, "RowsDuplicate": 0, "RowsSuperseded": 0, "RowsFiltered": 0,
        "RowsHeld": 1,
    });
    assert_eq!(reading.emf("Sluice", Some(end)), expected);
    let silent = reading.emf("Sluice", None);
    assert_eq!((silent.get("_aws"), &silent["RowsRead"]), (None, &12.into()));
}

#[test]
fn a_contract_more_is_metrics_more_with_no_other_edit() {
    let bronze = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/bronze");
    let text = std::fs::read_to_string(bronze.join("snowflake_campaign_targets.odcs.yaml")).unwrap();
    let text = text.replace("snowflake_campaign_targets", "snowflake_goals");
    let more = Contract::parse(&bronze.join("snowflake_goals.odcs.yaml"), &text, None).unwrap();
    let all: Vec<Contract> = contracts().iter().cloned().chain([more]).collect();
    let all = ContractSet::new(all).unwrap();
    let landing = record(&all, &run("ingest-snowflake", "bronze_snowflake_goals", 1), false);
    let reading = read(&landing.ended(at("2017-12-31T02:01:00Z"), Ending::Done(&committed(&landing))));
    assert_eq!((value(&reading, "RowsRead"), value(&reading, "RunFailed")), (Some(12.0), Some(0.0)));
    let told = reading.emf("Sluice", Some(reading.at));
    assert_eq!(
        (&told["layer"], &told["table"], &told["source"]),
        (&json!("bronze"), &json!("bronze_snowflake_goals"), &json!("snowflake"))
    );
    assert_eq!(told["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["layer"], ["layer", "table"], ["source"]]));
    let judged = read(&record(&all, &run("dq-check", "bronze_snowflake_goals", 1), true).running(reading.at, BTreeMap::new()));
    assert_eq!(judged.table, "bronze_snowflake_goals");
}

fn record_contract() -> String {
    contracts().get("bronze_kafka_orders").unwrap().reference()
}

#[test]
fn a_check_tells_how_good_and_how_old_the_table_is_also_when_it_fails() {
    let mut record = of("dq-check", "silver_orders", true);
    record.measured(BTreeMap::from([(Measure::QualityScore, 87.5), (Measure::FreshnessSeconds, 3600.0)]));
    let failed = read(&record.ended(at("2017-12-31T02:01:00Z"), Ending::Failed("data", "failed to pass")));
    let told = ["CheckFailed", "CheckInterrupted", "QualityScore", "Freshness", "RunFailed"].map(|name| value(&failed, name));
    assert_eq!(told, [Some(1.0), Some(0.0), Some(87.5), Some(3600.0), None]);
    let alarms: Vec<&str> = failed.alarms().map(|(metric, _)| metric.name).collect();
    assert_eq!(alarms, ["CheckFailed", "QualityScore", "Freshness"]);
    let passed = read(&record.ended(at("2017-12-31T02:01:00Z"), Ending::Done(&committed(&record))));
    assert_eq!((value(&passed, "RowsChecked"), value(&passed, "RowsRead")), (Some(9.0), None));
    assert!(!passed.emf("Sluice", None).to_string().contains("failed to"), "error texts stay in lineage");
}

#[test]
fn what_is_tried_again_is_no_failure_that_a_person_must_look_at() {
    let record = of("silverize", "silver_orders", false);
    let told = |ending: Ending<'_>| {
        let reading = read(&record.ended(at("2017-12-31T02:01:00Z"), ending));
        (value(&reading, "RunFailed").unwrap(), value(&reading, "RunInterrupted").unwrap())
    };
    for exit in ["bug", "config", "data"] {
        assert_eq!(told(Ending::Failed(exit, "x")), (1.0, 0.0), "{exit}");
    }
    assert_eq!(told(Ending::Failed("transient", "x")), (0.0, 1.0));
    assert_eq!(told(Ending::Lost), (0.0, 1.0));
    let earlier = Summary { outcome: Outcome::AlreadyDone, ..committed(&record) };
    assert_eq!(told(Ending::Done(&earlier)), (0.0, 0.0));
    let again = read(&record.ended(at("2017-12-31T02:01:00Z"), Ending::Done(&earlier)));
    assert_eq!(value(&again, "RowsRead"), None, "rows of an earlier run are not counted twice");
}

#[test]
fn a_run_that_goes_on_tells_its_lag_and_no_end() {
    let record = of("ingest-kafka", "bronze_kafka_orders", false);
    let event = record.running(at("2017-12-31T02:05:00Z"), BTreeMap::from([(Measure::StreamLagSeconds, 4.5)]));
    let entry = outbox::entry(&outbox::path(&event)).unwrap();
    assert_eq!((entry.kind, entry.kind.ends()), (EventType::Running, false));
    assert!(event.inputs.is_empty() && event.outputs.is_empty());
    let reading = read(&event);
    assert_eq!(reading.values, [(Measure::StreamLagSeconds.metric(), 4.5)]);
    assert_eq!(reading.emf("Sluice", Some(reading.at))["StreamLag"], 4.5);
    let nothing = read(&record.running(at("2017-12-31T02:05:00Z"), BTreeMap::new()));
    assert_eq!(nothing.emf("Sluice", Some(nothing.at)).get("_aws"), None, "a directive names at least one metric");
    assert_eq!(Reading::of(&record.started()), None);
}

#[test]
fn gauges_of_a_stream_are_measures() {
    let known = ["lag_records", "lag_seconds", "live_files"].map(|name| Measure::of_gauge(name).map(|found| found.metric().name));
    assert_eq!(known, [Some("StreamLagRecords"), Some("StreamLag"), Some("LiveFiles")]);
    assert_eq!(Measure::of_gauge("bytes_waiting"), None);
}

#[test]
fn no_document_can_break_a_limit_of_cloudwatch() {
    let all = all();
    let names: BTreeSet<&str> = all.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), all.len());
    assert!(all.len() <= 100, "metrics of a directive");
    // 1,000 metrics in a request, which holds what 100 events come to.
    assert!(all.iter().filter(|metric| metric.alarm).count() <= 10);
    for metric in &all {
        assert!(["Count", "Percent", "Seconds", "Milliseconds"].contains(&metric.unit), "{}", metric.name);
        assert!(metric.name.chars().all(|letter| letter.is_ascii_alphanumeric()), "{}", metric.name);
    }
    let record = of("ingest-kafka", "bronze_kafka_orders", false);
    let reading = read(&record.ended(at("2017-12-31T02:01:00Z"), Ending::Done(&committed(&record))));
    for set in reading.dimensions() {
        assert!(set.len() <= 30 && set.iter().all(|name| ["layer", "table", "source"].contains(name)), "{set:?}");
    }
}

#[test]
fn people_are_told_of_every_metric() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let page = std::fs::read_to_string(path).unwrap();
    for metric in all() {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}` | {} |", metric.name, metric.unit)));
        let row = row.unwrap_or_else(|| panic!("docs/metrics.md has no row of `{}` in {}", metric.name, metric.unit));
        assert_eq!(row.contains("**yes**"), metric.alarm, "{row}");
    }
}
