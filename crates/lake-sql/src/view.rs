//! What a model sees of a table: everything but personal data, and the columns that `goldViews` make of it. Sensitive columns
//! only where its contract names them.

use crate::{SqlError, functions};
use deltalake::datafusion::{
    common::Column,
    execution::FunctionRegistry as _,
    logical_expr::{Expr, cast},
    prelude::SessionContext,
};
use lake_core::{
    Contract,
    contract::{Column as ContractColumn, layer::GoldView},
    mask::Method,
};
use std::collections::BTreeSet;

/// A column that a model does not see.
#[derive(Debug, Clone)]
pub(crate) struct Hidden {
    pub(crate) column: String,
    table: String,
    personal: bool,
    instead: Vec<String>,
}

impl Hidden {
    /// Says why the column is not there and what is.
    pub(crate) fn refusal(&self) -> SqlError {
        if !self.personal {
            return SqlError::Sensitive { column: self.column.clone(), table: self.table.clone() };
        }
        let names: Vec<_> = self.instead.iter().map(|name| format!("`{name}`")).collect();
        let instead =
            if names.is_empty() { ", and no model sees it".to_owned() } else { format!("; models see {}", names.join(", ")) };
        SqlError::Personal { column: self.column.clone(), table: self.table.clone(), instead }
    }
}

/// Whether a model sees a column as it is; `sensitive` are those that its contract names, as `table.column`.
fn visible(contract: &Contract, column: &ContractColumn, sensitive: &BTreeSet<String>) -> bool {
    let named = || sensitive.contains(&format!("{}.{}", contract.table, column.name));
    !column.pii() && (!column.sensitive() || named())
}

/// Columns of a table that the model does not see, with or without tokens instead of them.
pub(crate) fn hidden(contract: &Contract, sensitive: &BTreeSet<String>, tokens: bool) -> Vec<Hidden> {
    let hidden = contract.columns.iter().filter(|column| !visible(contract, column, sensitive));
    hidden
        .map(|column| Hidden {
            column: column.name.clone(),
            table: contract.table.clone(),
            personal: column.pii(),
            instead: views(column, tokens).map(|view| view.column.clone()).collect(),
        })
        .collect()
}

/// Whether a view of the table holds tokens.
pub(crate) fn needs_key(contract: &Contract) -> bool {
    contract.columns.iter().flat_map(|column| &column.gold_views).any(|view| view.method == Method::Token)
}

fn views(column: &ContractColumn, tokens: bool) -> impl Iterator<Item = &GoldView> {
    column.gold_views.iter().filter(move |view| tokens || view.method != Method::Token)
}

/// The visible columns, in the contract's order, with or without tokens.
pub(crate) fn columns(
    contract: &Contract,
    sensitive: &BTreeSet<String>,
    context: &SessionContext,
    tokens: bool,
) -> Result<Vec<Expr>, SqlError> {
    let mut shown = Vec::new();
    for column in &contract.columns {
        let raw = Expr::Column(Column::from_name(&column.name));
        for view in views(column, tokens) {
            let function = context.udf(functions::name_of(view.method)).map_err(|e| SqlError::plan(&e))?;
            let text = cast(raw.clone(), arrow::datatypes::DataType::Utf8);
            shown.push(function.call(vec![text]).alias(&view.column));
        }
        if visible(contract, column, sensitive) {
            shown.push(raw);
        }
    }
    Ok(shown)
}
