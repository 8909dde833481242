//! Turns the source's batches into Bronze rows: values untouched, meta columns beside them.

use crate::query::Query;
use anyhow::{Context as _, anyhow};
use arrow::{
    array::{Array as _, ArrayRef, AsArray as _, RecordBatch, StringArray},
    compute::cast,
    datatypes::{DataType, SchemaRef, TimeUnit},
};
use lake_bronze::{Meta, position_prefix};
use lake_core::{
    Fault,
    contract::{Column, bronze::Mode, bronze::SnowflakeSource, bronze::Source},
    fault::Faulty,
};
use lake_edge::{Attach as _, Edge};
use lake_table::{arrow_type, columns};
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
    mode: Mode,
    own: Vec<Column>,
    prefix: String,
}

/// The source's columns are not those of the contract.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShapeError {
    /// A column is gone.
    #[error("match the contract: the source has no column `{0}`")]
    Missing(String),
    /// A column is new and the contract is frozen.
    #[error("match the contract: the source has a new column `{0}` and the contract's mode is freeze")]
    New(String),
    /// A column has another type.
    #[error("match the contract: column `{column}` is {expected} in the contract and {found} in the source")]
    Kind { column: String, expected: String, found: String },
}

impl Faulty for ShapeError {
    fn fault(&self) -> Fault {
        Fault::Data
    }

    fn hint(&self) -> Option<String> {
        Some("agree on the change with the source's owner, then give the contract a new version".into())
    }
}

impl Plan {
    /// Returns the plan of a run.
    pub(crate) fn new(edge: &Edge) -> anyhow::Result<Self> {
        let (meta, bronze) = Meta::new(&edge.run, &edge.contract).attach()?;
        let Source::Snowflake(source) = &bronze.source else {
            return Err(anyhow!("table `{}` does not come from Snowflake", edge.contract.table).context(Fault::Config));
        };
        let own: Vec<Column> = edge.contract.columns.iter().filter(|c| !c.name.starts_with('_')).cloned().collect();
        let names = own.iter().map(|column| column.name.clone()).collect();
        Ok(Self {
            query: Query::new(source, names, &edge.run.window),
            source: source.clone(),
            meta,
            mode: bronze.mode,
            own,
            prefix: position_prefix(&edge.run),
        })
    }

    /// Compares the source's columns with the contract's and returns those that only the source has.
    pub(crate) fn compare(&self, columns: &[String]) -> Result<Vec<String>, ShapeError> {
        if let Some(missing) = self.own.iter().find(|own| !columns.contains(&own.name)) {
            return Err(ShapeError::Missing(missing.name.clone()));
        }
        let extra: Vec<String> = columns.iter().filter(|name| !self.own.iter().any(|own| own.name == **name)).cloned().collect();
        match (extra.first(), self.mode) {
            (Some(first), Mode::Freeze) => Err(ShapeError::New(first.clone())),
            _ => Ok(extra),
        }
    }

    /// Returns Bronze rows.
    pub(crate) fn batch(&self, schema: &SchemaRef, batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
        let rows = batch.num_rows();
        let mut arrays: Vec<(&str, ArrayRef)> = Vec::with_capacity(self.own.len() + 3);
        for (column, array) in self.own.iter().zip(batch.columns()) {
            arrays.push((&column.name, fitted(column, array).attach()?));
        }
        let key = |pad: bool| self.keys(&arrays, rows, pad);
        let (keys, positions) = (key(false)?, key(true)?);
        arrays.push(("_key", keys));
        arrays.push(("_position", positions));
        arrays.push(("_violations", columns::nulls(&DataType::Utf8, rows)));
        self.meta.assemble(schema, &arrays, rows).attach()
    }

    /// Key values joined by `|`; padded and behind the window's start for positions.
    fn keys(&self, arrays: &[(&str, ArrayRef)], rows: usize, pad: bool) -> anyhow::Result<ArrayRef> {
        let mut parts = Vec::new();
        for name in &self.source.key {
            let array = arrays.iter().find(|(own, _)| own == name).map(|(_, array)| array);
            let array = array.ok_or_else(|| anyhow!("key column `{name}` is not a column of the contract").context(Fault::Config))?;
            parts.push(cast(array, &DataType::Utf8).with_context(|| format!("failed to make a key of column `{name}`"))?);
        }
        let text = |row: usize| {
            let values = parts.iter().map(|part| part.as_string::<i32>()).map(|part| if part.is_valid(row) { part.value(row) } else { "" });
            let joined = values.map(|value| if pad { format!("{value:0>POSITION_DIGITS$}") } else { value.to_owned() }).collect::<Vec<_>>().join("|");
            if pad { format!("{}/{joined}", self.prefix) } else { joined }
        };
        Ok(Arc::new(StringArray::from_iter_values((0..rows).map(text))))
    }
}

/// Returns the values in the contract's type; only changes of representation that lose nothing are made.
fn fitted(column: &Column, array: &ArrayRef) -> Result<ArrayRef, ShapeError> {
    let (found, expected) = (array.data_type(), arrow_type(column.kind));
    let lossless = match (found, &expected) {
        (DataType::Decimal128(p, s), DataType::Decimal128(q, t)) => s == t && p <= q,
        (DataType::Int64 | DataType::Int32 | DataType::Int16 | DataType::Int8, DataType::Decimal128(p, 0)) => *p >= 19,
        (DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Millisecond | TimeUnit::Second, None), DataType::Timestamp(_, _)) => true,
        (DataType::LargeUtf8 | DataType::Utf8View, DataType::Utf8) => true,
        (a, b) => a == b,
    };
    let wrong = || ShapeError::Kind { column: column.name.clone(), expected: column.kind.to_string(), found: found.to_string() };
    if !lossless {
        return Err(wrong());
    }
    let fitted = cast(array, &expected).map_err(|_| wrong())?;
    // A cast that cannot hold a value makes a null of it: that would be a loss.
    if fitted.null_count() == array.null_count() { Ok(fitted) } else { Err(wrong()) }
}
