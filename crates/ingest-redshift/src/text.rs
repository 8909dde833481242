//! Values as text -> columns of Arrow. Exact, or refused: nothing is rounded, cut or guessed.

use anyhow::Context as _;
use arrow::{
    array::{ArrayRef, AsArray as _, RecordBatch},
    datatypes::{Field, Schema, SchemaRef},
    error::ArrowError,
};
use lake_bronze::{ShapeError, fitted};
use lake_core::contract::{Column, ColumnType};
use lake_edge::Attach as _;
use lake_table::{Notation, TextColumn, arrow_type};
use std::sync::Arc;

/// Rows of one batch.
const ROWS: usize = 8_192;
/// Bytes of text after which a batch is handed on all the same.
const BYTES: usize = 16 << 20;

/// Rows that are being gathered to a batch.
pub(crate) struct Rows {
    schema: SchemaRef,
    columns: Vec<(Column, TextColumn)>,
    rows: usize,
    bytes: usize,
}

/// The columns as Arrow has them; any value may be null.
fn schema(columns: &[Column]) -> SchemaRef {
    let field = |column: &Column| Field::new(&column.name, arrow_type(column.kind), true);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// Returns rows of another system in the contract's types: text is read as such, everything else changes its representation
/// alone.
pub(crate) fn decoded(columns: &[Column], batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let decode = |(column, array): (&Column, &ArrayRef)| match array.as_string_opt::<i32>() {
        Some(texts) if column.kind != ColumnType::String => {
            let mut values = TextColumn::new(column.kind, Notation::Postgres);
            texts.iter().try_for_each(|text| read(column, &mut values, text))?;
            Ok(values.finish())
        }
        _ => fitted(column, array),
    };
    let arrays = columns.iter().zip(batch.columns()).map(decode).collect::<Result<Vec<_>, _>>().attach()?;
    RecordBatch::try_new(schema(columns), arrays).context("failed to put rows together")
}

/// Null stays null; what is there must be readable.
fn read(column: &Column, values: &mut TextColumn, text: Option<&str>) -> Result<(), ShapeError> {
    if values.append(text.map(str::as_bytes)) { Ok(()) } else { Err(ShapeError::value(column)) }
}

impl Rows {
    /// No rows of these columns.
    pub(crate) fn new(columns: &[Column]) -> Self {
        Self {
            schema: schema(columns),
            columns: columns.iter().map(|column| (column.clone(), TextColumn::new(column.kind, Notation::Postgres))).collect(),
            rows: 0,
            bytes: 0,
        }
    }

    /// Takes one row; `value` gives the text of the column at a place, `None` for null, an error for what is no text.
    pub(crate) fn push<'a, E>(&mut self, value: impl Fn(usize) -> Result<Option<&'a str>, E>) -> Result<(), ShapeError> {
        for (at, (column, values)) in self.columns.iter_mut().enumerate() {
            let text = value(at).map_err(|_| ShapeError::value(column))?;
            self.bytes += text.map_or(0, str::len);
            read(column, values, text)?;
        }
        self.rows += 1;
        Ok(())
    }

    /// Whether it is time to hand the rows on.
    pub(crate) const fn full(&self) -> bool {
        self.rows >= ROWS || self.bytes >= BYTES
    }

    /// Hands the rows on and begins anew; `None` when there are none.
    pub(crate) fn take(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        if self.rows == 0 {
            return Ok(None);
        }
        (self.rows, self.bytes) = (0, 0);
        let arrays = self.columns.iter_mut().map(|(_, values)| values.finish()).collect();
        RecordBatch::try_new(self.schema.clone(), arrays).map(Some)
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
