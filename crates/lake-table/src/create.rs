//! Creates a table, empty, in a commit of its own.
//!
//! The first log entry is put only where there is none. delta-rs' builder cannot be used: the loser of a race reads the
//! winner's version 0 and commits a second creation as version 1, even without retries (tried with deltalake-core 1.1.3).

use crate::{Lake, TableError, TableSpec};
use deltalake::{
    Path,
    kernel::{StructField, StructType, engine::arrow_conversion::TryIntoKernel as _},
    logstore::object_store::{PutMode, PutOptions},
};
use serde_json::{Map, Value, json};

/// Name of the log's first entry.
const FIRST_ENTRY: &str = "_delta_log/00000000000000000000.json";

/// Puts the first log entry; one that is there stays, and that is no error.
pub(crate) async fn create(lake: &Lake, spec: &TableSpec) -> Result<(), TableError> {
    let path = format!("{}/{FIRST_ENTRY}", spec.location);
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    match lake.store().put_opts(&Path::from(path.as_str()), first_entry(spec)?.into(), options).await {
        Ok(_) | Err(deltalake::ObjectStoreError::AlreadyExists { .. } | deltalake::ObjectStoreError::Precondition { .. }) => {
            Ok(())
        }
        Err(source) => Err(TableError::Store { action: "create", object: path, source }),
    }
}

/// Protocol, metadata and commit info, as the Delta protocol writes them: reader 1, writer 2, so that every engine reads it.
fn first_entry(spec: &TableSpec) -> Result<String, TableError> {
    let shape = |source| TableError::Shape { table: spec.name.clone(), source };
    let mut fields = Vec::new();
    for field in spec.schema.fields() {
        let field: Result<StructField, _> = field.as_ref().try_into_kernel();
        fields.push(field.map_err(shape)?);
    }
    let unfit = |e: String| shape(arrow::error::ArrowError::SchemaError(e));
    let schema = StructType::try_new(fields).map_err(|e| unfit(e.to_string()))?;
    let schema = serde_json::to_string(&schema).map_err(|e| unfit(e.to_string()))?;
    let mut properties = Map::new();
    // Cleaning is a later program's: the projections must hold the proof first.
    properties.insert("delta.enableExpiredLogCleanup".into(), "false".into());
    if let Some(commits) = spec.checkpoint_interval {
        properties.insert("delta.checkpointInterval".into(), commits.to_string().into());
    }
    if spec.statistics.is_empty() {
        properties.insert("delta.dataSkippingNumIndexedCols".into(), "0".into());
    } else {
        properties.insert("delta.dataSkippingStatsColumns".into(), spec.statistics.join(",").into());
    }
    let lines: [Value; 3] = [
        json!({ "commitInfo": { "operation": "CREATE TABLE", "operationParameters": { "mode": "ErrorIfExists" } } }),
        json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 2 } }),
        json!({ "metaData": {
            "id": uuid::Uuid::new_v4(),
            "name": spec.name,
            "format": { "provider": "parquet", "options": {} },
            "schemaString": schema,
            "partitionColumns": spec.partition_columns,
            "configuration": properties,
        } }),
    ];
    Ok(lines.map(|line| line.to_string() + "\n").concat())
}
