//! What the scheduler draws, as `dags/graph.json` holds it: which DAG runs which jobs, and what is known of each table.
//!
//! The shape of the file is told in `dags/README.md`. Fields stand in the order in which they are written.

use crate::{
    graph::Graph,
    jobs::{self, Job},
};
use lake_core::{
    Contract, Window,
    contract::{ContractSet, Layer, layer::Source},
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

const SCHEMA_VERSION: u32 = 1;
const DAILY: &str = "lake_daily";
const FREQUENT: &str = "lake_behavior";
const STREAM: &str = "lake_stream";
const TELEMETRY: &str = "lake_telemetry";
const PUBLISH: &str = "ops_publish";
const DAY_SECONDS: u64 = 86_400;
/// How old a number may be when an alarm looks at it.
const TELEMETRY_SECONDS: u64 = 900;

/// All DAGs and all tables.
#[derive(Debug, Serialize)]
pub(crate) struct Schedule {
    schema_version: u32,
    /// Only where the caller has named one: the DAGs know theirs from the clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<Window>,
    dags: BTreeMap<&'static str, Dag>,
    tables: BTreeMap<String, TableEntry>,
}

#[derive(Debug, Serialize)]
struct Dag {
    every_seconds: Option<u64>,
    jobs: Vec<Job>,
}

#[derive(Debug, Serialize)]
struct TableEntry {
    layer: &'static str,
    sources: BTreeSet<&'static str>,
    owner: Option<String>,
    domain: Option<String>,
    contract: String,
    inputs: Vec<String>,
    frequency_seconds: Option<u64>,
    latency_seconds: Option<u64>,
    jobs: BTreeMap<&'static str, String>,
}

impl Schedule {
    /// Derives everything from the contracts.
    ///
    /// # Errors
    /// As [`jobs::of_day`].
    pub(crate) fn of(contracts: &ContractSet, graph: &Graph, window: Option<Window>) -> anyhow::Result<Self> {
        let mut jobs = jobs::of_day(contracts, graph)?;
        jobs.push(Job::publishing(PUBLISH, &jobs));
        let daily = Dag { every_seconds: Some(DAY_SECONDS), jobs };
        let (frequent, stream) = (frequent(contracts, graph), stream(contracts, graph));
        let dags = BTreeMap::from([(FREQUENT, frequent), (DAILY, daily), (STREAM, stream), (TELEMETRY, telemetry())]);
        let tables = contracts.iter().map(|contract| (contract.table.clone(), entry(contracts, contract, &dags))).collect();
        Ok(Self { schema_version: SCHEMA_VERSION, window, dags, tables })
    }
}

fn entry(contracts: &ContractSet, contract: &Contract, dags: &BTreeMap<&'static str, Dag>) -> TableEntry {
    let job = |dag: &Dag| dag.jobs.iter().find(|job| job.tables.contains(&contract.table)).map(|job| job.job.clone());
    TableEntry {
        layer: contract.layer.name(),
        sources: jobs::sources(contracts, contract),
        owner: contract.document.team.as_ref().map(|team| team.name.clone()),
        domain: contract.document.domain.clone(),
        contract: contract.reference(),
        inputs: contract.inputs().into_iter().map(str::to_owned).collect(),
        frequency_seconds: contract.frequency_seconds(),
        latency_seconds: contract.latency_seconds(),
        jobs: dags.iter().filter_map(|(name, dag)| Some((*name, job(dag)?))).collect(),
    }
}

fn source(contract: &Contract) -> Option<&Source> {
    contract.bronze().map(|bronze| &bronze.source)
}

fn streams(contract: &Contract) -> bool {
    matches!(source(contract), Some(Source::Kafka(_)))
}

/// One job per source whose tables are promised more often than daily: Bronze and the Silver tables that read nothing else
/// together, since a start costs a minute.
fn frequent(contracts: &ContractSet, graph: &Graph) -> Dag {
    let mut tables: BTreeMap<&'static str, BTreeSet<&str>> = BTreeMap::new();
    let mut every: Option<u64> = None;
    for contract in contracts.iter().filter(|contract| !streams(contract)) {
        let Some(seconds) = contract.frequency_seconds().filter(|seconds| *seconds < DAY_SECONDS) else { continue };
        let Some(source) = source(contract) else { continue };
        tables.entry(source.name()).or_default().insert(contract.table.as_str());
        every = Some(every.map_or(seconds, |least| least.min(seconds)));
    }
    let job = |(source, landed): (&'static str, BTreeSet<&str>)| {
        let inside = with_readers(contracts, landed);
        let steps = graph.steps.iter().filter(|step| inside.contains(step.table.as_str()));
        // What takes longer than the next run is away stands in its way.
        let minutes = every.map(|seconds| (seconds / 60).saturating_sub(1).max(1));
        Job { timeout_minutes: minutes, ..Job::of(format!("frequent_{source}"), contracts, steps) }
    };
    Dag { every_seconds: every, jobs: tables.into_iter().map(job).collect() }
}

/// The tables and the Silver tables that read nothing else.
fn with_readers<'c>(contracts: &'c ContractSet, mut inside: BTreeSet<&'c str>) -> BTreeSet<&'c str> {
    for contract in contracts.in_dependency_order() {
        let reads_these = contract.inputs().iter().all(|input| inside.contains(input));
        if matches!(contract.layer, Layer::Silver(_)) && reads_these {
            inside.insert(contract.table.as_str());
        }
    }
    inside
}

/// A job per topic, kept alive: steps of one job run one after another, and a stream's never ends. It lands what comes, and in turns
/// beside that rows pass their gate and go on to Silver.
fn stream(contracts: &ContractSet, graph: &Graph) -> Dag {
    let job = |landed: &Contract| {
        let table = landed.table.as_str();
        // One that reads two topics is in the turns of both: rows of neither wait for the other's.
        let reads = |contract: &Contract| matches!(contract.layer, Layer::Silver(_)) && contract.inputs().contains(&table);
        let steps = graph.steps.iter().filter(|step| step.table == table || contracts.get(&step.table).is_some_and(reads));
        let name = format!("stream_{}", table.strip_prefix("bronze_").unwrap_or(table));
        Job::of(name, contracts, steps).kept_alive()
    };
    Dag { every_seconds: None, jobs: contracts.iter().filter(|contract| streams(contract)).map(job).collect() }
}

/// Two jobs, so that neither is in the other's way. What alarms look at goes before what is only drawn.
fn telemetry() -> Dag {
    let lineage = Job::sending("telemetry_lineage", &[&["deliver"]]);
    let metrics = Job::sending("telemetry_metrics", &[&["metrics", "--alarms"], &["metrics"]]);
    Dag { every_seconds: Some(TELEMETRY_SECONDS), jobs: vec![lineage, metrics] }
}

#[cfg(test)]
#[path = "dags_tests.rs"]
mod tests;
