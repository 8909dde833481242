//! Puts the columns that every run adds beside the rows of a result.

use crate::cut::Cut;
use anyhow::Context as _;
use arrow::{
    array::{Array as _, ArrayRef, AsArray as _, BinaryArray, Int64Array, RecordBatch},
    datatypes::{DataType, SchemaRef},
    util::display::{ArrayFormatter, FormatOptions},
};
use lake_core::{Fault, operator};
use lake_edge::{Attach as _, Edge};
use lake_sql::Spill;
use lake_table::{
    Batch, TableSpec,
    columns::{constant_date, constant_string, constant_timestamp},
};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Rows in the shape of their table.
pub(crate) trait Batches {
    /// Reads them from the start.
    fn read(&self) -> anyhow::Result<Box<dyn Iterator<Item = anyhow::Result<RecordBatch>> + Send + '_>>;
}

/// Rows of the table.
pub(crate) struct Accepted<'a> {
    pub(crate) edge: &'a Edge,
    pub(crate) rows: Spill,
}

/// Rows that break a rule.
pub(crate) struct Quarantined<'a> {
    pub(crate) edge: &'a Edge,
    pub(crate) cut: &'a Cut,
    pub(crate) rejected: Spill,
}

impl Batches for Accepted<'_> {
    fn read(&self) -> anyhow::Result<Box<dyn Iterator<Item = anyhow::Result<RecordBatch>> + Send + '_>> {
        let schema = TableSpec::of(&self.edge.contract).schema;
        let batches = self.rows.read().attach()?;
        Ok(Box::new(batches.map(move |batch| {
            let batch = operator!("gold.write", Batch(batch.attach()?)).0;
            with_run(self.edge, &schema, &batch)
        })))
    }
}

fn with_run(edge: &Edge, schema: &SchemaRef, batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let rows = batch.num_rows();
    let column = |name: &str| match name {
        "_run_id" => Some(constant_string(&edge.run.id.to_string(), rows)),
        "_ingested_at" => Some(constant_timestamp(edge.run.started_at, rows)),
        other => batch.column_by_name(other).cloned(),
    };
    let columns: Option<Vec<ArrayRef>> = schema.fields().iter().map(|field| column(field.name())).collect();
    let columns = columns.context("a column of the contract is missing in the result")?;
    RecordBatch::try_new(schema.clone(), columns).context("the result does not fit its table").context(Fault::Data)
}

impl Batches for Quarantined<'_> {
    fn read(&self) -> anyhow::Result<Box<dyn Iterator<Item = anyhow::Result<RecordBatch>> + Send + '_>> {
        let schema = TableSpec::quarantine(&self.edge.contract).schema;
        let batches = self.rejected.read().attach()?;
        Ok(Box::new(batches.map(move |batch| {
            let batch = operator!("gold.quarantine", Batch(batch.attach()?)).0;
            self.leftover(&schema, &batch)
        })))
    }
}

impl Quarantined<'_> {
    /// A rejected row keeps its columns as JSON: it is a row of the table that could not be.
    fn leftover(&self, schema: &SchemaRef, batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
        let (edge, rows) = (self.edge, batch.num_rows());
        let versions = self.cut.versions();
        let inputs =
            batch.column_by_name("_input_table").context("a rejected row must name its input")?.as_string::<i32>().clone();
        let column = |name: &str| -> anyhow::Result<ArrayRef> {
            Ok(match name {
                "_input_version" => Arc::new(inputs.iter().map(|input| versions.get(input?).copied()).collect::<Int64Array>()),
                "_contract" => constant_string(&edge.contract.reference(), rows),
                "_contract_hash" => constant_string(&edge.contract.hash, rows),
                "_payload" => Arc::new(payloads(batch)?),
                "_ingest_date" => constant_date(edge.run.window.ingest_date(), rows),
                "_run_id" => constant_string(&edge.run.id.to_string(), rows),
                "_ingested_at" => constant_timestamp(edge.run.started_at, rows),
                other => batch.column_by_name(other).with_context(|| format!("quarantine has no source for `{other}`"))?.clone(),
            })
        };
        let columns: anyhow::Result<Vec<ArrayRef>> = schema.fields().iter().map(|field| column(field.name())).collect();
        RecordBatch::try_new(schema.clone(), columns?).context("a rejected row does not fit quarantine").context(Fault::Data)
    }
}

/// Every row as one JSON object of the table's columns; decimals are texts, so that no digit is lost.
fn payloads(batch: &RecordBatch) -> anyhow::Result<BinaryArray> {
    let options = FormatOptions::new();
    let mut columns = Vec::new();
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        if !field.name().starts_with('_') {
            columns.push((field.name().clone(), array.clone(), ArrayFormatter::try_new(array.as_ref(), &options)?));
        }
    }
    let object = |row: usize| {
        let values = columns.iter().map(|(name, array, text)| (name.clone(), json(array, row, &text.value(row).to_string())));
        Value::Object(values.collect::<Map<_, _>>()).to_string().into_bytes()
    };
    Ok((0..batch.num_rows()).map(|row| Some(object(row))).collect())
}

fn json(array: &ArrayRef, row: usize, text: &str) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Boolean | DataType::Int32 | DataType::Int64 => serde_json::from_str(text).unwrap_or(Value::Null),
        _ => Value::String(text.to_owned()),
    }
}
