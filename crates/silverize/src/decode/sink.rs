//! Where the rows of one route are put while records are decoded.

use super::{
    column::{push, repeated},
    field::Cell,
};
use crate::route::{RoutePlan, Source};
use arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use lake_table::ColumnBuilder;
use std::sync::Arc;

/// Builds the rows of one route.
#[derive(Debug)]
pub(crate) struct Sink<'p> {
    plan: &'p RoutePlan,
    builders: Vec<Option<ColumnBuilder>>,
    versions: StringBuilder,
    hashes: Option<StringBuilder>,
    rows: usize,
}

/// What every row of a record has besides its fields.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowContext<'a> {
    /// The row's version.
    pub(crate) version: &'a str,
    /// Fingerprint of its event.
    pub(crate) hash: &'a str,
    /// Whether it came late.
    pub(crate) late: bool,
    /// Ingest date.
    pub(crate) ingest_date: i32,
}

impl<'p> Sink<'p> {
    pub(crate) fn new(plan: &'p RoutePlan, rows: usize) -> Self {
        let builder = |source: &Source, kind| (!matches!(source, Source::Constant(_))).then(|| ColumnBuilder::new(kind, rows));
        Self {
            plan,
            builders: plan.columns.iter().map(|column| builder(&column.source, column.kind)).collect(),
            versions: StringBuilder::with_capacity(rows, rows * 80),
            hashes: plan.hashed.then(StringBuilder::new),
            rows: 0,
        }
    }

    /// Adds a row of a record's cells and, for exploded rows, a line's.
    pub(crate) fn push(&mut self, record: &[Cell<'_>], line: &[Cell<'_>], context: RowContext<'_>) {
        for (column, builder) in self.plan.columns.iter().zip(&mut self.builders) {
            let Some(builder) = builder else { continue };
            match &column.source {
                Source::Field(at) => push(builder, &record[*at]),
                Source::Line(at) => push(builder, &line[*at]),
                Source::Late => push(builder, &Cell::Boolean(context.late)),
                Source::IngestDate => push(builder, &Cell::Date(context.ingest_date)),
                Source::Constant(_) => {}
            }
        }
        self.versions.append_value(context.version);
        if let Some(hashes) = &mut self.hashes {
            hashes.append_value(context.hash);
        }
        self.rows += 1;
    }

    /// Ends the rows; `None` when there are none.
    pub(crate) fn finish(mut self) -> anyhow::Result<Option<RecordBatch>> {
        if self.rows == 0 {
            return Ok(None);
        }
        let columns = self.plan.columns.iter().zip(self.builders).map(|(column, builder)| match (&column.source, builder) {
            (Source::Constant(cell), _) => repeated(column.kind, cell, self.rows),
            (_, Some(mut builder)) => builder.finish(),
            (_, None) => repeated(column.kind, &Cell::Null, self.rows),
        });
        let columns = columns.collect();
        let versions: ArrayRef = Arc::new(self.versions.finish());
        let hashes = self.hashes.map(|mut hashes| Arc::new(hashes.finish()) as ArrayRef);
        self.plan.batch(columns, versions, hashes).map(Some)
    }
}
