use super::*;
use std::path::Path;

/// The repository's own contracts: whatever they are, these must hold of their graph.
fn contracts() -> ContractSet {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts");
    lake_edge::load_contracts(&directory).unwrap().0
}

fn before(graph: &Graph, step: &Step) -> Vec<String> {
    let mut names: Vec<_> = step.after.iter().map(|at| graph.steps[*at].name()).collect();
    names.sort();
    names
}

#[test]
fn a_gate_stands_between_every_two_layers() {
    let contracts = contracts();
    let graph = Graph::of(&contracts).unwrap();
    assert_eq!(graph.steps.len(), 2 * contracts.iter().count());
    for step in graph.steps.iter().filter(|step| step.work == Work::Build) {
        let contract = contracts.get(&step.table).unwrap();
        let mut gates: Vec<_> = contract.inputs().iter().map(|input| format!("dq-check {input}")).collect();
        gates.sort();
        assert_eq!(before(&graph, step), gates, "{}", step.name());
        assert_eq!(step.inputs, contract.inputs());
    }
}

#[test]
fn a_gate_waits_for_the_tables_that_it_compares_with() {
    let graph = Graph::of(&contracts()).unwrap();
    let gate = graph.steps.iter().find(|step| step.name() == "dq-check silver_order_items").unwrap();
    assert!(gate.inputs.contains(&"silver_order_items".to_owned()));
    let builds: Vec<_> = gate.inputs.iter().map(|table| format!("silverize {table}")).collect();
    for build in &builds {
        assert!(before(&graph, gate).contains(build), "{build}");
    }
    assert!(builds.len() > 1, "order items refer to other tables");
}

#[test]
fn steps_follow_what_they_wait_for_and_the_longest_way_is_known() {
    let graph = Graph::of(&contracts()).unwrap();
    for (at, step) in graph.steps.iter().enumerate() {
        for before in &step.after {
            assert!(*before < at, "{} stands before what it waits for", step.name());
            assert!(graph.steps[*before].height > step.height, "{}", step.name());
        }
    }
}

#[test]
fn each_source_has_its_program() {
    let graph = Graph::of(&contracts()).unwrap();
    let program = |table: &str| graph.steps.iter().find(|step| step.work == Work::Build && step.table == table).unwrap().program;
    assert_eq!(program("bronze_kafka_orders"), "ingest-kafka");
    assert_eq!(program("bronze_snowflake_orders"), "ingest-snowflake");
    assert_eq!(program("bronze_redshift_events"), "ingest-redshift");
    assert_eq!(program("bronze_fx_rates"), "ingest-fx");
    assert_eq!(program("silver_orders"), "silverize");
    assert_eq!(program("gold_fact_sales"), "goldify");
}

/// One account has one allowance of requests.
#[test]
fn tables_of_a_rationed_source_are_built_one_after_another() {
    let contracts = contracts();
    let graph = Graph::of(&contracts).unwrap();
    for step in &graph.steps {
        let rationed = contracts.get(&step.table).unwrap().bronze().is_some_and(|bronze| bronze.source.rationed());
        assert_eq!(step.alone, rationed && step.work == Work::Build, "{}", step.name());
    }
}
