//! Rows of sources that have columns of their own: is the source shaped as its contract says, and what stands beside the
//! values of a row.

use crate::{BronzeError, Meta, position_prefix};
use arrow::{
    array::{Array as _, ArrayRef, AsArray as _, RecordBatch, StringArray},
    compute::cast,
    datatypes::{DataType, SchemaRef},
};
use lake_core::{
    Contract, Fault, Run,
    contract::{Column, bronze::Mode},
    fault::Faulty,
};
use std::sync::Arc;

/// Digits of a number in `_position`: positions are compared as text.
const POSITION_DIGITS: usize = 20;

/// The source's columns are not those of the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// A column is gone.
    #[error("match the contract: the source has no column `{0}`")]
    Missing(String),
    /// A column is new and the contract is frozen.
    #[error("match the contract: the source has a new column `{0}`, and the contract's mode is freeze")]
    New(String),
    /// A column has another type.
    #[error("match the contract: column `{column}` is {expected} in the contract and {found} in the source")]
    Kind {
        /// Column.
        column: String,
        /// Type in the contract.
        expected: String,
        /// Type in the source.
        found: String,
    },
    /// A value does not fit the type that the source itself declares.
    #[error("match the contract: column `{column}` holds a value that does not fit {expected}")]
    Value {
        /// Column.
        column: String,
        /// Type in the contract.
        expected: String,
    },
}

impl ShapeError {
    /// A column's type in the source is not the contract's.
    #[must_use]
    pub fn kind(column: &Column, found: String) -> Self {
        Self::Kind { column: column.name.clone(), expected: column.kind.to_string(), found }
    }

    /// A value of a column does not fit its type; the value itself is not told.
    #[must_use]
    pub fn value(column: &Column) -> Self {
        Self::Value { column: column.name.clone(), expected: column.kind.to_string() }
    }
}

impl Faulty for ShapeError {
    fn fault(&self) -> Fault {
        Fault::Data
    }

    fn hint(&self) -> Option<String> {
        Some("nothing was landed; agree on the change with the source's owner, then give the contract a new version".into())
    }
}

/// What the contract says of the source's columns.
#[derive(Debug, Clone)]
pub struct Shape {
    columns: Vec<Column>,
    key: Vec<String>,
    cursor: String,
    mode: Mode,
    prefix: String,
}

impl Shape {
    /// Returns the shape of a run's source: the contract's columns that are not ours, and the source's key and cursor.
    #[must_use]
    pub fn new(run: &Run, contract: &Contract, mode: Mode, (key, cursor): (&[String], &str)) -> Self {
        Self {
            columns: contract.columns.iter().filter(|column| !column.name.starts_with('_')).cloned().collect(),
            key: key.to_vec(),
            cursor: cursor.to_owned(),
            mode,
            prefix: position_prefix(run),
        }
    }

    /// The contract's columns, in the order in which rows have their values.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Compares the source's columns with the contract's and returns those that only the source has. `fits` judges the type of
    /// a column that both have.
    ///
    /// # Errors
    /// When a column is gone or of another type, or is new under mode `freeze`.
    pub fn compare<'a>(
        &'a self,
        found: &[&str],
        mut fits: impl FnMut(&'a Column, usize) -> Result<(), ShapeError>,
    ) -> Result<Vec<String>, ShapeError> {
        let place = |name: &str| found.iter().position(|own| *own == name).ok_or_else(|| ShapeError::Missing(name.to_owned()));
        for column in &self.columns {
            fits(column, place(&column.name)?)?;
        }
        place(&self.cursor)?;
        let extra = found.iter().filter(|name| !self.columns.iter().any(|own| own.name == **name));
        let extra: Vec<String> = extra.map(|name| (*name).to_owned()).collect();
        match (extra.first(), self.mode) {
            (Some(first), Mode::Freeze) => Err(ShapeError::New(first.clone())),
            _ => Ok(extra),
        }
    }

    /// Returns Bronze rows: the values in the order of [`Self::columns`], and the meta columns beside them.
    ///
    /// # Errors
    /// When the table has a column that nobody gives, or one of another type.
    pub fn batch(&self, meta: &Meta, schema: &SchemaRef, values: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, BronzeError> {
        let mut arrays: Vec<(&str, ArrayRef)> = self.columns.iter().map(|column| column.name.as_str()).zip(values).collect();
        let (keys, positions) = self.keys(&arrays, rows).map_err(|source| meta.broken(source))?;
        let violations = violations(&self.columns, &arrays, rows);
        arrays.extend([("_key", keys), ("_position", positions), ("_violations", violations)]);
        meta.assemble(schema, &arrays, rows)
    }

    /// Key values joined by `|`; in positions numbers are padded and the window's start stands before them.
    fn keys(&self, arrays: &[(&str, ArrayRef)], rows: usize) -> Result<(ArrayRef, ArrayRef), arrow::error::ArrowError> {
        let mut parts = Vec::new();
        for (_, array) in self.key.iter().filter_map(|name| arrays.iter().find(|(own, _)| own == name)) {
            parts.push((cast(array, &DataType::Utf8)?, array.data_type().is_numeric()));
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
        let positions = (0..rows).map(|row| format!("{}/{}", self.prefix, joined(row, true)));
        Ok((Arc::new(keys), Arc::new(StringArray::from_iter_values(positions))))
    }
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

#[cfg(test)]
#[path = "columnar_tests.rs"]
mod tests;
