//! Which table is made from which, by the contracts.

use super::in_order;
use crate::graph::{Graph, Work};
use lake_core::contract::ContractSet;
use serde::Serialize;

/// The graph of the tables.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Lineage {
    tables: Vec<Node>,
}

#[derive(Debug, Clone, Serialize)]
struct Node {
    name: String,
    layer: &'static str,
    program: &'static str,
    /// Where the rows of a Bronze table come from.
    source: Option<&'static str>,
    inputs: Vec<String>,
}

/// Returns the graph.
pub(super) fn of(contracts: &ContractSet, graph: &Graph) -> Lineage {
    let node = |contract: &lake_core::Contract| {
        let build = graph.steps.iter().find(|step| step.work == Work::Build && step.table == contract.table)?;
        Some(Node {
            name: contract.table.clone(),
            layer: contract.layer.name(),
            program: build.program,
            source: contract.bronze().map(|bronze| bronze.source.name()),
            inputs: build.inputs.clone(),
        })
    };
    Lineage { tables: in_order(contracts).into_iter().filter_map(node).collect() }
}
