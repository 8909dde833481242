//! Turns the source's batches into Bronze rows: values untouched, meta columns beside them.

use crate::query::Query;
use anyhow::{Context as _, anyhow};
use arrow::{
    array::{Array as _, ArrayRef, AsArray as _, RecordBatch, StringArray},
    compute::cast,
    datatypes::{DataType, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType},
};
use lake_bronze::{Meta, position_prefix};
use lake_core::{
    Fault,
    contract::{Column, ColumnType, bronze::Mode, bronze::SnowflakeSource, bronze::Source},
    fault::Faulty,
};
use lake_edge::{Attach as _, Edge};
use lake_table::arrow_type;
use std::sync::Arc;

/// Digits of a number in `_position`: positions are compared as text.
const POSITION_DIGITS: usize = 20;

/// What one window needs, from contract and run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The source's part of the contract.
    pub(crate) source: SnowflakeSource,
    /// The window's queries.
    pub(crate) query: Query,
    meta: Meta,
    shape: Shape,
    prefix: String,
}

/// What the contract says of the source's columns.
#[derive(Debug, Clone)]
struct Shape {
    columns: Vec<Column>,
    cursor: String,
    mode: Mode,
}

/// The source's columns are not those of the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ShapeError {
    /// A column is gone.
    #[error("match the contract: the source has no column `{0}`")]
    Missing(String),
    /// A column is new and the contract is frozen.
    #[error("match the contract: the source has a new column `{0}`, and the contract's mode is freeze")]
    New(String),
    /// A column has another type.
    #[error("match the contract: column `{column}` is {expected} in the contract and {found} in the source")]
    Kind { column: String, expected: String, found: String },
    /// A value does not fit the type that the source itself declares.
    #[error("match the contract: column `{column}` holds a value that does not fit {expected}")]
    Value { column: String, expected: String },
}

impl Faulty for ShapeError {
    fn fault(&self) -> Fault {
        Fault::Data
    }

    fn hint(&self) -> Option<String> {
        Some("nothing was landed; agree on the change with the source's owner, then give the contract a new version".into())
    }
}

impl Shape {
    /// Compares the source's columns with the contract's and returns those that only the source has.
    fn compare(&self, found: &Schema) -> Result<Vec<String>, ShapeError> {
        for column in &self.columns {
            let field = found.field_with_name(&column.name).map_err(|_| ShapeError::Missing(column.name.clone()))?;
            fits(column, field.data_type())?;
        }
        if found.field_with_name(&self.cursor).is_err() {
            return Err(ShapeError::Missing(self.cursor.clone()));
        }
        let names = found.fields().iter().map(|field| field.name());
        let extra: Vec<String> = names.filter(|name| !self.columns.iter().any(|own| own.name == **name)).cloned().collect();
        match (extra.first(), self.mode) {
            (Some(first), Mode::Freeze) => Err(ShapeError::New(first.clone())),
            _ => Ok(extra),
        }
    }
}

impl Plan {
    /// Returns the plan of a run.
    pub(crate) fn new(edge: &Edge) -> anyhow::Result<Self> {
        let refused = |text: String| Err(anyhow!(text).context(Fault::Config));
        if edge.full_refresh {
            return refused("run with --full-refresh: a source is landed once; use --generation to land a window again".into());
        }
        let (meta, bronze) = Meta::new(&edge.run, &edge.contract).attach()?;
        let Source::Snowflake(source) = &bronze.source else {
            return refused(format!("the source of `{}` is not `snowflake`", edge.contract.table));
        };
        let columns: Vec<Column> = edge.contract.columns.iter().filter(|c| !c.name.starts_with('_')).cloned().collect();
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        if let Some(key) = source.key.iter().find(|key| !names.contains(key)) {
            return refused(format!("key column `{key}` is not a column of the contract"));
        }
        if source.key.is_empty() || source.slice_rows == 0 {
            return refused("`key` must name a column and `sliceRows` must be above 0".into());
        }
        Ok(Self {
            query: Query::new(source, &names, &edge.run.window),
            source: source.clone(),
            meta,
            shape: Shape { columns, cursor: source.cursor.clone(), mode: bronze.mode },
            prefix: position_prefix(&edge.run),
        })
    }

    /// Compares the source's columns with the contract's and returns those that only the source has.
    pub(crate) fn compare(&self, found: &Schema) -> Result<Vec<String>, ShapeError> {
        self.shape.compare(found)
    }

    /// Returns Bronze rows.
    pub(crate) fn batch(&self, schema: &SchemaRef, batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
        let rows = batch.num_rows();
        let mut arrays: Vec<(&str, ArrayRef)> = Vec::with_capacity(self.shape.columns.len() + 3);
        for (column, array) in self.shape.columns.iter().zip(batch.columns()) {
            arrays.push((&column.name, fitted(column, array).attach()?));
        }
        let (keys, positions) = keys(&self.source.key, &self.prefix, &arrays, rows)?;
        let violations = violations(&self.shape.columns, &arrays, rows);
        arrays.extend([("_key", keys), ("_position", positions), ("_violations", violations)]);
        self.meta.assemble(schema, &arrays, rows).attach()
    }
}

/// Key values joined by `|`; in positions numbers are padded and the window's start stands before them.
fn keys(key: &[String], prefix: &str, arrays: &[(&str, ArrayRef)], rows: usize) -> anyhow::Result<(ArrayRef, ArrayRef)> {
    let mut parts = Vec::new();
    for (_, array) in key.iter().filter_map(|name| arrays.iter().find(|(own, _)| own == name)) {
        parts.push((cast(array, &DataType::Utf8).context("failed to make keys")?, array.data_type().is_numeric()));
    }
    let parts: Vec<_> = parts.iter().map(|(texts, number)| (texts.as_string::<i32>(), *number)).collect();
    let joined = |row: usize, pad: bool| {
        let values = parts.iter().map(|(texts, number)| {
            let text = if texts.is_valid(row) { texts.value(row) } else { "" };
            if pad && *number { format!("{text:0>POSITION_DIGITS$}") } else { text.to_owned() }
        });
        values.collect::<Vec<_>>().join("|")
    };
    let keys = StringArray::from_iter_values((0..rows).map(|row| joined(row, false)));
    let positions = StringArray::from_iter_values((0..rows).map(|row| format!("{prefix}/{}", joined(row, true))));
    Ok((Arc::new(keys), Arc::new(positions)))
}

/// Names, row by row, the columns that must have a value and have none; null where the row keeps its contract.
fn violations(columns: &[Column], arrays: &[(&str, ArrayRef)], rows: usize) -> ArrayRef {
    let required = columns.iter().filter(|column| column.required);
    let broken: Vec<_> =
        required.filter_map(|c| arrays.iter().find(|(name, array)| *name == c.name && array.null_count() > 0)).collect();
    let of_row = |row: usize| {
        let names: Vec<String> =
            broken.iter().filter(|(_, array)| array.is_null(row)).map(|(name, _)| format!("required:{name}")).collect();
        (!names.is_empty()).then(|| names.join(","))
    };
    Arc::new((0..rows).map(of_row).collect::<StringArray>())
}

/// Checks that a source's type becomes the contract's by a change of representation alone, which loses nothing.
fn fits(column: &Column, found: &DataType) -> Result<(), ShapeError> {
    let fits = match (found, column.kind) {
        (DataType::Decimal128(p, s), ColumnType::Decimal(q, t)) => *s == t && *p <= q,
        (DataType::Int64 | DataType::Int32 | DataType::Int16 | DataType::Int8, ColumnType::Decimal(p, 0)) => p >= 19,
        (DataType::Timestamp(unit, _), ColumnType::Timestamp) => *unit != TimeUnit::Nanosecond,
        (DataType::LargeUtf8 | DataType::Utf8View, ColumnType::String) | (DataType::LargeBinary, ColumnType::Binary) => true,
        (found, kind) => *found == arrow_type(kind),
    };
    let kind = || ShapeError::Kind { column: column.name.clone(), expected: column.kind.to_string(), found: spoken(found) };
    if fits { Ok(()) } else { Err(kind()) }
}

/// Names a type as contracts do, where they have a name for it.
fn spoken(kind: &DataType) -> String {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ColumnType::String.to_string(),
        DataType::Decimal128(p, s) => ColumnType::Decimal(*p, *s).to_string(),
        DataType::Int64 => ColumnType::Long.to_string(),
        DataType::Int32 => ColumnType::Int.to_string(),
        DataType::Float64 => ColumnType::Double.to_string(),
        DataType::Boolean => ColumnType::Boolean.to_string(),
        DataType::Date32 => ColumnType::Date.to_string(),
        DataType::Timestamp(TimeUnit::Microsecond, _) => ColumnType::Timestamp.to_string(),
        DataType::Binary | DataType::LargeBinary => ColumnType::Binary.to_string(),
        other => other.to_string(),
    }
}

/// Returns the values in the contract's type.
fn fitted(column: &Column, array: &ArrayRef) -> Result<ArrayRef, ShapeError> {
    fits(column, array.data_type())?;
    let lost = || ShapeError::Value { column: column.name.clone(), expected: column.kind.to_string() };
    let target = match array.data_type() {
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        _ => arrow_type(column.kind),
    };
    let cast = cast(array, &target).map_err(|_| lost())?;
    // A cast that cannot hold a value makes a null of it: that would be a loss.
    if cast.null_count() != array.null_count() {
        return Err(lost());
    }
    Ok(match target {
        // Times without zone are UTC, and times with one are instants: only the label changes.
        DataType::Timestamp(..) => Arc::new(cast.as_primitive::<TimestampMicrosecondType>().clone().with_timezone("UTC")),
        _ => cast,
    })
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
