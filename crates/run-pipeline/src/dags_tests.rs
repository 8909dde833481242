use super::*;
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn schedule(contracts: &ContractSet) -> Schedule {
    Schedule::of(contracts, &Graph::of(contracts).unwrap(), None).unwrap()
}

fn contracts() -> ContractSet {
    lake_edge::load_contracts(&repository().join("contracts")).unwrap().0
}

#[test]
fn what_the_dags_draw_is_what_the_contracts_say() {
    let derived = serde_json::to_string_pretty(&schedule(&contracts())).unwrap() + "\n";
    let kept = std::fs::read_to_string(repository().join("dags/graph.json")).unwrap();
    assert!(derived == kept, "dags/graph.json is stale; write it anew: run-pipeline plan --output json > dags/graph.json");
}

#[test]
fn every_table_is_built_daily_and_by_one_job_of_a_dag() {
    let schedule = schedule(&contracts());
    for (name, entry) in &schedule.tables {
        assert!(entry.jobs.contains_key(DAILY) && entry.owner.is_some(), "{name}");
        for dag in schedule.dags.values() {
            assert!(dag.jobs.iter().filter(|job| job.tables.contains(name)).count() <= 1, "{name}");
        }
    }
    for (dag, job) in schedule.dags.iter().flat_map(|(name, dag)| dag.jobs.iter().map(move |job| (*name, job))) {
        assert!(job.tables.iter().all(|table| schedule.tables[table].jobs[dag] == job.job), "{dag} {}", job.job);
    }
}

#[test]
fn behaviour_goes_through_silver_in_one_job_as_often_as_its_contract_says() {
    let schedule = schedule(&contracts());
    let dag = &schedule.dags[FREQUENT];
    let [job] = dag.jobs.as_slice() else { panic!("{:?}", dag.jobs) };
    assert_eq!(dag.every_seconds, schedule.tables["bronze_redshift_events"].frequency_seconds);
    assert_eq!(job.tables, ["bronze_redshift_events", "silver_behavior_events"]);
    let steps: Vec<(&str, &str)> = job.steps.iter().map(|step| (step.program, step.table.as_str())).collect();
    assert_eq!(
        steps,
        [
            ("ingest-redshift", "bronze_redshift_events"),
            ("dq-check", "bronze_redshift_events"),
            ("silverize", "silver_behavior_events"),
            ("dq-check", "silver_behavior_events"),
        ]
    );
    assert!(job.timeout_minutes.unwrap() * 60 < dag.every_seconds.unwrap(), "it must end before the next run");
}

#[test]
fn another_frequency_in_a_contract_is_another_dag() {
    let texts = ["value: 1, unit: d, element: snowflake_products}", "value: 30, unit: m, element: snowflake_products}"];
    let path = repository().join("contracts/bronze/snowflake_products.odcs.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(texts[0]));
    let changed = Contract::parse(&path, &text.replace(texts[0], texts[1]), None).unwrap();
    let others = contracts().iter().filter(|contract| contract.table != changed.table).cloned().collect::<Vec<_>>();
    let contracts = ContractSet::new(others.into_iter().chain([changed]).collect()).unwrap();
    let schedule = schedule(&contracts);
    let job = schedule.dags[FREQUENT].jobs.iter().find(|job| job.job == "frequent_snowflake").unwrap();
    assert_eq!(job.tables, ["bronze_snowflake_products", "silver_products", "silver_products_history"]);
    assert_eq!(schedule.dags[FREQUENT].every_seconds, Some(900));
}

#[test]
fn the_stream_has_no_end_and_says_what_it_feeds() {
    let schedule = schedule(&contracts());
    let [job] = schedule.dags[STREAM].jobs.as_slice() else { panic!("one topic, one job") };
    assert_eq!((job.tables.as_slice(), job.timeout_minutes), (["bronze_kafka_orders".to_owned()].as_slice(), None));
    assert!(job.steps.iter().all(|step| step.program == "ingest-kafka" && step.timeout_seconds.is_none()));
    assert!(job.feeds.contains(&"silver_orders".to_owned()));
    assert!(job.feeds.iter().all(|table| schedule.tables[table].inputs.contains(&"bronze_kafka_orders".to_owned())));
}

#[test]
fn a_second_topic_does_not_wait_for_the_end_of_the_first() {
    let path = repository().join("contracts/bronze/kafka_orders.odcs.yaml");
    let text = std::fs::read_to_string(&path).unwrap().replace("kafka_orders", "kafka_payments");
    let payments = Contract::parse(&path, &text, None).unwrap();
    let others = contracts().iter().cloned().collect::<Vec<_>>();
    let schedule = schedule(&ContractSet::new(others.into_iter().chain([payments]).collect()).unwrap());
    let jobs: Vec<_> =
        schedule.dags[STREAM].jobs.iter().map(|job| (job.job.as_str(), job.steps.len(), job.feeds.len())).collect();
    assert_eq!(jobs, [("stream_kafka_orders", 1, 3), ("stream_kafka_payments", 1, 0)]);
}
