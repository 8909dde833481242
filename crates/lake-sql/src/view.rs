//! What a model sees of a table: everything but personal data, and the columns that `goldViews` make of it.

use crate::{SqlError, functions};
use deltalake::datafusion::{
    common::Column,
    execution::FunctionRegistry as _,
    logical_expr::{Expr, cast},
    prelude::SessionContext,
};
use lake_core::{Contract, mask::Method};

/// A column that models must not see.
#[derive(Debug, Clone)]
pub(crate) struct Personal {
    pub(crate) column: String,
    table: String,
    instead: Vec<String>,
}

impl Personal {
    /// Says why the column is not there and what is.
    pub(crate) fn refusal(&self) -> SqlError {
        let names: Vec<_> = self.instead.iter().map(|name| format!("`{name}`")).collect();
        let instead =
            if names.is_empty() { ", and no model sees it".to_owned() } else { format!("; models see {}", names.join(", ")) };
        SqlError::Personal { column: self.column.clone(), table: self.table.clone(), instead }
    }
}

/// Personal columns of a table.
pub(crate) fn personal(contract: &Contract) -> Vec<Personal> {
    let hidden = contract.columns.iter().filter(|column| column.pii());
    hidden
        .map(|column| Personal {
            column: column.name.clone(),
            table: contract.table.clone(),
            instead: column.gold_views.iter().map(|view| view.column.clone()).collect(),
        })
        .collect()
}

/// Whether a view of the table holds tokens.
pub(crate) fn needs_key(contract: &Contract) -> bool {
    contract.columns.iter().flat_map(|column| &column.gold_views).any(|view| view.method == Method::Token)
}

/// The visible columns, in the contract's order.
pub(crate) fn columns(contract: &Contract, context: &SessionContext) -> Result<Vec<Expr>, SqlError> {
    let mut visible = Vec::new();
    for column in &contract.columns {
        let raw = Expr::Column(Column::from_name(&column.name));
        for view in &column.gold_views {
            let function = context.udf(functions::name_of(view.method)).map_err(|e| SqlError::plan(&e))?;
            let text = cast(raw.clone(), arrow::datatypes::DataType::Utf8);
            visible.push(function.call(vec![text]).alias(&view.column));
        }
        if !column.pii() {
            visible.push(raw);
        }
    }
    Ok(visible)
}
