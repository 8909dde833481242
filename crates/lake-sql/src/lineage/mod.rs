//! What the columns of a Gold table are made from, read from the plan of its model.
//!
//! The plan knows what names mean: steps, views without personal data, and the raw columns under them. So a masked column
//! leads to the personal one, through the function that masks it. Nothing is run, and no row is there.

mod expression;
mod plan;
#[cfg(test)]
mod tests;

use crate::{Rows, Session, SqlError, model::RULES, view};
use lake_core::{
    Contract, Policy, Secret,
    contract::{ColumnType, ContractSet},
    lineage::{Derivation, Origins, Use},
    mask::TokenKey,
};
use lake_table::TableSpec;

/// A key that no value ever meets: planning needs the functions, not what they return.
const PLANNING_KEY: &str = r#"{"key_id":"planning","key":"0000000000000000000000000000000000000000000000000000000000000000"}"#;

/// Returns what every column of a Gold table is made from.
///
/// # Errors
/// When the model cannot be planned, or its plan holds a step whose lineage is not known.
pub async fn derivation(contracts: &ContractSet, policy: &Policy, contract: &Contract) -> Result<Derivation, SqlError> {
    let session = session(contracts, policy, contract)?;
    let frame = session.frame(contract.model.as_deref().unwrap_or_default()).await?;
    let made = plan::made(frame.logical_plan(), &[])?;
    let mut derivation = Derivation { rows: made.rows, ..Derivation::default() };
    for (field, origins) in frame.schema().fields().iter().zip(made.columns) {
        if contract.column(field.name()).is_some() {
            derivation.add(field.name(), origins);
        } else if field.name() == RULES {
            // A row that breaks a rule is none of the table's.
            derivation.rows.add(origins.used(Use::Filter));
        }
    }
    for column in &contract.columns {
        derivation.columns.entry(column.name.clone()).or_default();
    }
    Ok(derivation)
}

/// Checks that every column of a Gold table which holds tokens has the name of one: by these names a rotation of the key finds
/// the tables that it makes again.
///
/// # Errors
/// When a column of another name holds tokens, and when a model that sees tokens cannot be planned or followed.
pub async fn named_tokens(contracts: &ContractSet, policy: &Policy, contract: &Contract) -> Result<(), SqlError> {
    if contract.gold().is_none() || contract.model.is_none() || !sees_tokens(contracts, contract) {
        return Ok(());
    }
    let made = derivation(contracts, policy, contract).await?;
    let named = contracts.token_columns(contract);
    // What is neither text nor bytes is no token, such as a count of them.
    let can_hold = |kind: ColumnType| matches!(kind, ColumnType::String | ColumnType::Binary);
    let mut others = contract.columns.iter().filter(|column| can_hold(column.kind) && !named.contains(&column.name.as_str()));
    match others.find(|column| holds_tokens(contracts, &made.of(&column.name))) {
        None => Ok(()),
        Some(column) => {
            let names: Vec<String> = contracts.token_names().into_iter().map(|name| format!("`{name}`")).collect();
            let (table, column) = (contract.table.clone(), column.name.clone());
            Err(SqlError::UnnamedToken { table, column, names: names.join(", ") })
        }
    }
}

/// Whether an input shows tokens to the model: as a view of Silver, which also brings the function, or as a column of Gold.
fn sees_tokens(contracts: &ContractSet, contract: &Contract) -> bool {
    let mut inputs = contract.inputs().into_iter().filter_map(|name| contracts.get(name));
    inputs.any(|input| view::needs_key(input) || !contracts.token_columns(input).is_empty())
}

/// Whether a value is made from tokens: from those that the query makes, or from those of another Gold table.
fn holds_tokens(contracts: &ContractSet, origins: &Origins) -> bool {
    let is_token =
        |table: &str, column: &str| contracts.get(table).is_some_and(|source| contracts.token_columns(source).contains(&column));
    let mut direct = origins.iter().filter(|(_, ways)| ways.iter().any(|way| way.usage.direct()));
    origins.has_token() || direct.any(|(field, _)| is_token(&field.table, &field.column))
}

/// The inputs of a model, without rows.
fn session(contracts: &ContractSet, policy: &Policy, contract: &Contract) -> Result<Session, SqlError> {
    let key = TokenKey::parse(&Secret::new(PLANNING_KEY.to_owned())).ok();
    let mut session = Session::new(policy, key.as_ref())?;
    session.allow(contract.gold().map_or(&[], |gold| &gold.sensitive));
    session.set_as_of_date(chrono::NaiveDate::default());
    for input in contract.inputs().into_iter().filter_map(|name| contracts.get(name)) {
        session.register(input, Rows::Memory(TableSpec::of(input).schema, Vec::new()))?;
    }
    Ok(session)
}
