//! What a table is made of: place, columns, partitions, and which columns may have statistics.

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use lake_core::{
    Contract,
    contract::{Column, ColumnType, Layer},
};
use std::sync::Arc;

/// What a table is made of.
#[derive(Debug, Clone)]
pub struct TableSpec {
    /// Full name.
    pub name: String,
    /// Place under the lake's root, such as `silver/orders`.
    pub location: String,
    /// Columns.
    pub schema: SchemaRef,
    /// Partition columns.
    pub partition_columns: Vec<String>,
    /// Columns whose minimum and maximum stand in the log and in the files; never personal data.
    pub statistics: Vec<String>,
    /// Commits from one checkpoint to the next; delta-rs' own number, 100, when absent.
    pub checkpoint_interval: Option<u64>,
}

/// A gate commits for each table that it judges, and each program after it replays what no checkpoint covers.
const OPS_CHECKPOINT_INTERVAL: u64 = 10;

/// Returns the Arrow type of a contract's type.
#[must_use]
pub fn arrow_type(kind: ColumnType) -> DataType {
    match kind {
        ColumnType::String => DataType::Utf8,
        ColumnType::Int => DataType::Int32,
        ColumnType::Long => DataType::Int64,
        ColumnType::Double => DataType::Float64,
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ColumnType::Binary => DataType::Binary,
        ColumnType::Decimal(precision, scale) => DataType::Decimal128(precision, scale),
    }
}

const LEFTOVER: [(&str, ColumnType); 11] = [
    ("_input_table", ColumnType::String),
    ("_input_version", ColumnType::Long),
    ("_contract", ColumnType::String),
    ("_contract_hash", ColumnType::String),
    ("_position", ColumnType::String),
    ("_line", ColumnType::Int),
    ("_rules", ColumnType::String),
    ("_payload", ColumnType::Binary),
    ("_ingest_date", ColumnType::Date),
    ("_run_id", ColumnType::String),
    ("_ingested_at", ColumnType::Timestamp),
];

impl TableSpec {
    /// The table of a contract.
    #[must_use]
    pub fn of(contract: &Contract) -> Self {
        let fields: Vec<Field> = contract.columns.iter().map(|c| Field::new(&c.name, arrow_type(c.kind), true)).collect();
        Self {
            name: contract.table.clone(),
            location: format!("{}/{}", contract.layer.name(), contract.short_name()),
            schema: Arc::new(Schema::new(fields)),
            partition_columns: contract.partition_columns().into_iter().map(str::to_owned).collect(),
            statistics: statistics(contract),
            checkpoint_interval: None,
        }
    }

    /// Rows of the contract's table that break an error rule.
    #[must_use]
    pub fn quarantine(contract: &Contract) -> Self {
        Self::leftover("quarantine", contract)
    }

    /// Rows of the contract's table behind the late window.
    #[must_use]
    pub fn held(contract: &Contract) -> Self {
        Self::leftover("held", contract)
    }

    fn leftover(kind: &str, contract: &Contract) -> Self {
        let fields: Vec<Field> = LEFTOVER.iter().map(|(name, kind)| Field::new(*name, arrow_type(*kind), true)).collect();
        Self {
            name: format!("{kind}_{}", contract.short_name()),
            location: format!("{kind}/{}", contract.short_name()),
            schema: Arc::new(Schema::new(fields)),
            partition_columns: Vec::new(),
            statistics: vec!["_input_version".into()],
            checkpoint_interval: None,
        }
    }

    /// A table of records about runs.
    #[must_use]
    pub fn ops(name: &str, schema: SchemaRef) -> Self {
        Self {
            name: format!("ops_{name}"),
            location: format!("ops/{name}"),
            schema,
            partition_columns: Vec::new(),
            statistics: Vec::new(),
            checkpoint_interval: Some(OPS_CHECKPOINT_INTERVAL),
        }
    }
}

/// Keys and times help pruning; decimals never do, since delta-rs keeps their statistics as floats.
fn statistics(contract: &Contract) -> Vec<String> {
    let useful = |column: &&Column| {
        let kind = matches!(column.kind, ColumnType::Date | ColumnType::Timestamp) && !column.name.starts_with("_ingest");
        column.statistics() && (column.key_position.is_some() || kind || matches!(column.name.as_str(), "_offset" | "_partition"))
    };
    // All rows of a session are looked for when one of them changes.
    let session = contract.silver().and_then(|silver| silver.resolve.as_ref()).map(|resolve| resolve.within.as_str());
    let searched = |column: &&Column| useful(column) || (column.statistics() && session == Some(column.name.as_str()));
    let partitions = contract.partition_columns();
    let not_binary = |column: &&Column| !matches!(column.kind, ColumnType::Decimal(..) | ColumnType::Binary);
    let bronze_key = matches!(contract.layer, Layer::Bronze(_));
    contract
        .columns
        .iter()
        .filter(searched)
        .filter(not_binary)
        .filter(|c| !partitions.contains(&c.name.as_str()))
        .filter(|c| !bronze_key || c.kind != ColumnType::String)
        .map(|c| c.name.clone())
        .collect()
}
