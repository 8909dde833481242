//! Turns the source's batches into Bronze rows: values untouched, meta columns beside them.

use crate::query::Query;
use arrow::{
    array::RecordBatch,
    datatypes::{Schema, SchemaRef},
};
use lake_bronze::{Meta, Shape, ShapeError, fits, fitted, refuse_refresh};
use lake_core::contract::bronze::SnowflakeSource;
use lake_edge::{Attach as _, Edge};

/// What one window needs, from contract and run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The source's part of the contract.
    pub(crate) source: SnowflakeSource,
    /// The window's queries.
    pub(crate) query: Query,
    meta: Meta,
    shape: Shape,
}

impl Plan {
    /// Returns the plan of a run.
    pub(crate) fn new(edge: &Edge) -> anyhow::Result<Self> {
        refuse_refresh(edge.full_refresh).attach()?;
        let (meta, bronze, source) = Meta::of_source::<SnowflakeSource>(&edge.run, &edge.contract).attach()?;
        let shape = Shape::new(&edge.run, &edge.contract, bronze.mode, (source.key.as_slice(), source.cursor.as_str()));
        let names: Vec<String> = shape.columns().iter().map(|column| column.name.clone()).collect();
        Ok(Self { query: Query::new(source, &names, &edge.run.window), source: source.clone(), meta, shape })
    }

    /// Compares the source's columns with the contract's and returns those that only the source has.
    pub(crate) fn compare(&self, found: &Schema) -> Result<Vec<String>, ShapeError> {
        let names: Vec<&str> = found.fields().iter().map(|field| field.name().as_str()).collect();
        self.shape.compare(&names, |column, at| fits(column, found.field(at).data_type()))
    }

    /// Returns Bronze rows.
    pub(crate) fn batch(&self, schema: &SchemaRef, batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
        let rows = batch.num_rows();
        let values = self.shape.columns().iter().zip(batch.columns()).map(|(column, array)| fitted(column, array));
        let values = values.collect::<Result<Vec<_>, _>>().attach()?;
        self.shape.batch(&self.meta, schema, values, rows).attach()
    }
}
