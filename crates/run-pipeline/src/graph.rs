//! The graph of a day, derived from the contracts: which program works on which table, and after what.
//!
//! Every table has two steps: the one that builds it and the gate, `dq-check`. A build waits for the gates of its inputs; a
//! gate waits for its own table's build and for the builds of the tables that its rules refer to or read.

use anyhow::anyhow;
use lake_core::{
    Contract, Fault,
    contract::{ContractSet, Layer, layer::Source},
};
use serde::{Deserialize, Serialize};

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Work {
    /// Writes the table.
    Build,
    /// Judges the table.
    Check,
    /// Sends what runs have told; no step of a day does.
    Send,
    /// Repeats what the tables' logs say where people look for it; no step of a day does.
    Publish,
}

/// One process of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Step {
    /// Name of the program.
    pub(crate) program: &'static str,
    /// Full name of the table.
    pub(crate) table: String,
    /// What the step does to its table.
    pub(crate) work: Work,
    /// Tables whose versions the step is given.
    pub(crate) inputs: Vec<String>,
    /// Positions of the steps that must have ended well, all lower than the step's own.
    pub(crate) after: Vec<usize>,
    /// Number of steps on the longest way from here to an end: the longest way starts first.
    pub(crate) height: usize,
    /// Whether no other step of the program may run meanwhile: they draw on one allowance of their source.
    pub(crate) alone: bool,
}

impl Step {
    /// Returns the step's name for people: `silverize silver_orders`.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.program, self.table)
    }
}

/// All steps, each after those that it waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Graph {
    /// The steps.
    pub(crate) steps: Vec<Step>,
}

impl Graph {
    /// Derives the graph.
    ///
    /// # Errors
    /// [`Fault::Config`] when relationships lead in a circle, so that no order exists.
    pub(crate) fn of(contracts: &ContractSet) -> anyhow::Result<Self> {
        let mut waiting: Vec<Draft> = contracts.in_dependency_order().into_iter().flat_map(drafts).collect();
        let mut steps: Vec<Step> = Vec::new();
        while !waiting.is_empty() {
            let ready = waiting.iter().position(|draft| draft.after.iter().all(|needed| position(&steps, needed).is_some()));
            let Some(at) = ready else {
                let names: Vec<_> = waiting.iter().map(|draft| format!("`{} {}`", draft.program, draft.table)).collect();
                let text = format!("failed to order the steps: {} wait for each other", names.join(", "));
                return Err(anyhow!(text).context(Fault::Config));
            };
            let draft = waiting.remove(at);
            let after = draft.after.iter().filter_map(|needed| position(&steps, needed)).collect();
            let Draft { program, table, work, inputs, alone, .. } = draft;
            steps.push(Step { program, table, work, inputs, after, height: 1, alone });
        }
        for at in (0..steps.len()).rev() {
            let height = steps[at].height + 1;
            for before in steps[at].after.clone() {
                steps[before].height = steps[before].height.max(height);
            }
        }
        Ok(Self { steps })
    }
}

struct Draft {
    program: &'static str,
    table: String,
    work: Work,
    inputs: Vec<String>,
    after: Vec<(Work, String)>,
    alone: bool,
}

fn position(steps: &[Step], needed: &(Work, String)) -> Option<usize> {
    steps.iter().position(|step| step.work == needed.0 && step.table == needed.1)
}

fn drafts(contract: &Contract) -> [Draft; 2] {
    let table = contract.table.clone();
    let inputs: Vec<String> = contract.inputs().into_iter().map(str::to_owned).collect();
    let after = inputs.iter().map(|input| (Work::Check, input.clone())).collect();
    let alone = contract.bronze().is_some_and(|bronze| bronze.source.rationed());
    let build = Draft { program: builder(contract), table: table.clone(), work: Work::Build, inputs, after, alone };
    let mut judged = vec![table.clone()];
    judged.extend(contract.referenced_tables().into_iter().filter(|other| **other != table).map(str::to_owned));
    let after = judged.iter().map(|table| (Work::Build, table.clone())).collect();
    [build, Draft { program: "dq-check", table, work: Work::Check, inputs: judged, after, alone: false }]
}

/// Returns the program that builds a table.
fn builder(contract: &Contract) -> &'static str {
    match &contract.layer {
        Layer::Bronze(bronze) => match bronze.source {
            Source::Kafka(_) => "ingest-kafka",
            Source::Snowflake(_) => "ingest-snowflake",
            Source::Redshift(_) => "ingest-redshift",
            Source::Hubspot(_) => "ingest-hubspot",
            Source::Ecb(_) => "ingest-fx",
        },
        Layer::Silver(_) => "silverize",
        Layer::Gold(_) => "goldify",
    }
}

#[cfg(test)]
#[path = "graph_tests.rs"]
mod tests;
