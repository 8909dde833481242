//! What the columns of a Gold table are made from, read from the plan of its model.
//!
//! The plan knows what names mean: steps, views without personal data, and the raw columns under them. So a masked column
//! leads to the personal one, through the function that masks it. Nothing is run, and no row is there.

mod expression;
mod plan;
#[cfg(test)]
mod tests;

use crate::{Rows, Session, SqlError, model::RULES};
use lake_core::{
    Contract, Policy, Secret,
    contract::ContractSet,
    lineage::{Derivation, Use},
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
