use super::*;
use crate::graph::Work;
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
fn the_stream_has_no_end_and_its_turns_bring_rows_to_silver() {
    let schedule = schedule(&contracts());
    let [job] = schedule.dags[STREAM].jobs.as_slice() else { panic!("one topic, one job") };
    let [landing] = job.steps.as_slice() else { panic!("{:?}", job.steps) };
    assert_eq!((landing.program, landing.table.as_str(), landing.timeout_seconds), ("ingest-kafka", "bronze_kafka_orders", None));
    assert_eq!((job.timeout_minutes, job.layer), (None, "silver"));
    let turns = job.turns.as_ref().unwrap();
    let (program, table) = (turns.steps[0].program, turns.steps[0].table.as_str());
    assert_eq!((program, table, turns.steps[0].every_seconds), ("dq-check", "bronze_kafka_orders", None));
    for (name, entry) in schedule.tables.iter().filter(|(name, _)| name.starts_with("silver_")) {
        let reads = entry.inputs.contains(&"bronze_kafka_orders".to_owned());
        let steps: Vec<&str> = turns.steps.iter().filter(|step| step.table == **name).map(|step| step.program).collect();
        assert_eq!(steps, if reads { vec!["silverize", "dq-check"] } else { Vec::new() }, "{name}");
        assert_eq!(entry.jobs.contains_key(STREAM) && job.tables.contains(name), reads, "{name}");
    }
}

/// A gate that reads a whole table must not make rows wait, and a step that rows wait for must not be left out.
#[test]
fn only_gates_of_silver_are_left_out_of_turns() {
    let schedule = schedule(&contracts());
    let turns = schedule.dags[STREAM].jobs[0].turns.as_ref().unwrap();
    assert!(turns.every_seconds <= 20, "a record waits for a turn and for its own");
    for step in &turns.steps {
        let (program, table) = (step.program, step.table.as_str());
        let is_left_out = step.every_seconds.is_some_and(|seconds| seconds > turns.every_seconds);
        assert_eq!(is_left_out, program == "dq-check" && table.starts_with("silver_"), "{program} {table}");
        assert!(step.timeout_seconds.is_some(), "{program} {table}");
    }
    let mut daily = schedule.dags[DAILY].jobs.iter().flat_map(|job| &job.steps);
    assert!(daily.all(|step| step.every_seconds.is_none() && step.table.is_empty() == (step.work == Work::Publish)));
    assert!(schedule.dags[DAILY].jobs.iter().all(|job| job.turns.is_none()));
}

#[test]
fn telemetry_has_no_table_and_waits_for_nothing() {
    let schedule = schedule(&contracts());
    let jobs = &schedule.dags[TELEMETRY].jobs;
    let words: Vec<Vec<&str>> = jobs.iter().flat_map(|job| &job.steps).map(|step| step.arguments.clone()).collect();
    assert_eq!(words, [vec!["deliver"], vec!["metrics", "--alarms"], vec!["metrics"]]);
    for job in jobs {
        assert!(job.after.is_empty() && job.tables.is_empty(), "{}", job.job);
        assert!(job.steps.iter().all(|step| step.program == "lineage-emit" && step.table.is_empty()), "{}", job.job);
        let longest: u64 = job.steps.iter().filter_map(|step| step.timeout_seconds).sum();
        let minutes = job.timeout_minutes.unwrap();
        assert!(longest < minutes * 60 && minutes * 60 < schedule.dags[TELEMETRY].every_seconds.unwrap(), "{}", job.job);
    }
}

#[test]
fn a_day_ends_with_what_its_commits_say_and_nobody_waits_for_that() {
    let schedule = schedule(&contracts());
    let jobs = &schedule.dags[DAILY].jobs;
    let (last, others) = jobs.split_last().unwrap();
    assert_eq!((last.job.as_str(), last.layer, last.tables.len()), (PUBLISH, "ops", 0));
    let words: Vec<(&str, &[&str])> = last.steps.iter().map(|step| (step.program, step.arguments.as_slice())).collect();
    assert_eq!(words, [("run-pipeline", ["ledger", "--window", "{window}"].as_slice()), ("catalog-sync", [].as_slice())]);
    for job in others {
        assert!(last.after.contains(&job.job), "{}", job.job);
        assert!(!job.after.contains(PUBLISH) && !job.tables.is_empty(), "{}", job.job);
    }
    let longest: u64 = last.steps.iter().filter_map(|step| step.timeout_seconds).sum();
    assert!(longest < last.timeout_minutes.unwrap() * 60);
}

#[test]
fn a_second_topic_does_not_wait_for_the_end_of_the_first() {
    let path = repository().join("contracts/bronze/kafka_orders.odcs.yaml");
    let text = std::fs::read_to_string(&path).unwrap().replace("kafka_orders", "kafka_payments");
    let payments = Contract::parse(&path, &text, None).unwrap();
    let others = contracts().iter().cloned().collect::<Vec<_>>();
    let schedule = schedule(&ContractSet::new(others.into_iter().chain([payments]).collect()).unwrap());
    let of = |job: &Job| {
        let landed: Vec<String> = job.steps.iter().map(|step| step.table.clone()).collect();
        let turns = job.turns.as_ref().unwrap();
        let own = turns.steps.iter().filter(|step| landed.contains(&step.table)).count();
        (job.job.clone(), landed, own, turns.steps.len())
    };
    let jobs: Vec<_> = schedule.dags[STREAM].jobs.iter().map(of).collect();
    // Each has the gate of its own topic in its turns; the three Silver tables that read orders, and their gates, are with orders.
    let [orders, payments] =
        ["kafka_orders", "kafka_payments"].map(|name| (format!("stream_{name}"), vec![format!("bronze_{name}")]));
    assert_eq!(jobs, [(orders.0, orders.1, 1, 7), (payments.0, payments.1, 1, 1)]);
}
