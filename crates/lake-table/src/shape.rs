//! What a table is by its own log, whatever its contract says: for those who describe tables to others.

use crate::{Lake, TableError, TableSpec, table::load};
use serde_json::Value;

/// Columns and partitions of a table at its newest version.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Delta table id.
    pub id: String,
    /// Delta version.
    pub version: i64,
    /// The schema as the Delta protocol writes it: a struct in JSON.
    pub schema: Value,
    /// Partition columns, in their order.
    pub partition_columns: Vec<String>,
}

impl Shape {
    /// Reads the shape of the table at a spec's place; the columns of the spec do not matter. `None` when there is no table.
    ///
    /// # Errors
    /// When the store fails or the log is broken.
    pub async fn read(lake: &Lake, spec: &TableSpec) -> Result<Option<Self>, TableError> {
        let Some(delta) = load(lake, spec).await? else { return Ok(None) };
        let state = delta.snapshot().map_err(|e| TableError::delta("read the schema of", &spec.name, e))?;
        let version = i64::try_from(state.version()).unwrap_or(i64::MAX);
        let schema = serde_json::to_value(&*state.schema()).map_err(|_| TableError::Log {
            table: spec.name.clone(),
            version,
            problem: "its schema cannot be written as JSON".to_owned(),
        })?;
        let metadata = state.metadata();
        let partition_columns = metadata.partition_columns().to_vec();
        Ok(Some(Self { id: metadata.id().to_owned(), version, schema, partition_columns }))
    }
}
