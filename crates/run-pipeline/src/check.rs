//! `check`: all contracts, every reference between them, and the order of the steps.

use crate::{args::CheckArgs, graph::Graph};
use anyhow::anyhow;
use lake_core::{
    Exit, Fault,
    contract::{ContractSet, Layer},
};
use lake_edge::{Console, Output};

/// Checks the contracts and prints what was found.
pub(crate) fn run(args: &CheckArgs, console: &Console) -> anyhow::Result<Exit> {
    let (contracts, _) = lake_edge::load_contracts(&args.contracts)?;
    let problems = model_problems(&contracts);
    if !problems.is_empty() {
        return Err(anyhow!("failed to use the contracts:\n{}", problems.join("\n")).context(Fault::Config));
    }
    let graph = Graph::of(&contracts)?;
    if args.output == Output::Json {
        for contract in contracts.iter() {
            console.line(&described(contract).to_string());
        }
        return Ok(Exit::Ok);
    }
    let count = |name: &str| contracts.iter().filter(|contract| contract.layer.name() == name).count();
    let columns: usize = contracts.iter().map(|contract| contract.columns.len()).sum();
    let rules: usize = contracts.iter().flat_map(|contract| &contract.document.schema).map(rule_count).sum();
    console.line(&format!(
        "contracts hold: {} tables ({} bronze, {} silver, {} gold), {columns} columns, {rules} quality rules, {} steps",
        contracts.iter().count(),
        count("bronze"),
        count("silver"),
        count("gold"),
        graph.steps.len()
    ));
    Ok(Exit::Ok)
}

/// A table as other tools may want to compare it with what they see.
fn described(contract: &lake_core::Contract) -> serde_json::Value {
    let columns: Vec<_> = contract
        .columns
        .iter()
        .map(|column| serde_json::json!({ "name": column.name, "type": column.kind.to_string(), "pii": column.pii() }))
        .collect();
    serde_json::json!({
        "table": contract.table,
        "place": format!("{}/{}", contract.layer.name(), contract.short_name()),
        "contract": contract.reference(),
        "inputs": contract.inputs(),
        "columns": columns,
    })
}

fn rule_count(schema: &lake_core::contract::odcs::SchemaObject) -> usize {
    schema.quality.len()
        + schema.relationships.len()
        + schema.properties.iter().map(|property| property.quality.len()).sum::<usize>()
}

/// A Gold table is its model, and the others have none.
fn model_problems(contracts: &ContractSet) -> Vec<String> {
    let describe = |contract: &lake_core::Contract| match (&contract.layer, &contract.model) {
        (Layer::Gold(_), None) => Some("a gold table needs a `model.sql` beside its contract"),
        (Layer::Gold(_), Some(model)) if model.trim().is_empty() => Some("`model.sql` is empty"),
        (Layer::Bronze(_) | Layer::Silver(_), Some(_)) => Some("only gold tables have a `model.sql`"),
        _ => None,
    };
    contracts
        .iter()
        .filter_map(|contract| describe(contract).map(|problem| format!("  use contract {}: {problem}", contract.path.display())))
        .collect()
}
