//! Turns the source's batches into Bronze rows: values untouched, meta columns beside them.

use crate::{
    columns::{SourceColumn, fits},
    query::{Scope, Statements},
};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use lake_bronze::{Meta, Shape, ShapeError, refuse_refresh};
use lake_core::contract::{Column, bronze::RedshiftSource};
use lake_edge::{Attach as _, Edge};

/// What one window needs, from contract and run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The window at the source.
    pub(crate) scope: Scope,
    source: RedshiftSource,
    meta: Meta,
    shape: Shape,
}

impl Plan {
    /// Returns the plan of a run.
    pub(crate) fn new(edge: &Edge) -> anyhow::Result<Self> {
        refuse_refresh(edge.full_refresh).attach()?;
        let (meta, bronze, source) = Meta::of_source::<RedshiftSource>(&edge.run, &edge.contract).attach()?;
        let shape = Shape::new(&edge.run, &edge.contract, bronze.mode, (source.key.as_slice(), source.cursor.as_str()));
        Ok(Self { scope: Scope::new(source, &edge.run.window), source: source.clone(), meta, shape })
    }

    /// The contract's columns of the source.
    pub(crate) fn columns(&self) -> &[Column] {
        self.shape.columns()
    }

    /// Compares the source's columns with the contract's and returns the statements that read the window, and the columns that
    /// only the source has.
    pub(crate) fn compare(&self, found: &[SourceColumn]) -> Result<(Statements, Vec<String>), ShapeError> {
        let names: Vec<&str> = found.iter().map(|column| column.name.as_str()).collect();
        let mut wanted = Vec::with_capacity(found.len());
        let extra = self.shape.compare(&names, |column, at| {
            wanted.push((column, &found[at]));
            fits(column, &found[at])
        })?;
        let cursor = found.iter().find(|column| column.name == self.source.cursor);
        let cursor = cursor.ok_or_else(|| ShapeError::Missing(self.source.cursor.clone()))?;
        Ok((self.scope.statements(&wanted, cursor), extra))
    }

    /// Returns Bronze rows.
    pub(crate) fn batch(&self, schema: &SchemaRef, batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
        self.shape.batch(&self.meta, schema, batch.columns().to_vec(), batch.num_rows()).attach()
    }
}
