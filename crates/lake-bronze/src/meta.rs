//! The meta columns of a Bronze row.

use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions},
    datatypes::SchemaRef,
};
use chrono::{DateTime, NaiveDate, Utc};
use lake_core::{
    Contract, Fault, Run,
    contract::{
        Bronze,
        bronze::{Source, SourceKind},
    },
    fault::Faulty,
};
use lake_table::columns;

/// Why rows cannot become Bronze rows.
#[derive(Debug, thiserror::Error)]
pub enum BronzeError {
    /// The table is of another layer.
    #[error("land rows in `{table}`: it is no Bronze table")]
    Layer {
        /// Table.
        table: String,
    },
    /// The window has not ended: what comes later would be taken for what is in.
    #[error("land a window of `{table}` that ends at {to}, which is still to come")]
    Unfinished {
        /// Table.
        table: String,
        /// End of the window.
        to: String,
    },
    /// The table comes from a source that another program reads.
    #[error("the source of `{table}` is not `{expected}`")]
    Source {
        /// Table.
        table: String,
        /// Kind of source that the program reads.
        expected: &'static str,
    },
    /// The table of a windowed source was to be rebuilt.
    #[error("run with --full-refresh: a source is landed once; use --generation to land a window again")]
    Refresh,
    /// The contract has a column that neither the source nor the run gives.
    #[error("fill column `{column}` of `{table}`: the source does not give it")]
    Column {
        /// Table.
        table: String,
        /// Column.
        column: String,
    },
    /// A column has another type than the contract says.
    #[error("fill column `{column}` of `{table}`: the contract says {expected}, the source gives {found}")]
    Kind {
        /// Table.
        table: String,
        /// Column.
        column: String,
        /// Type in the table.
        expected: String,
        /// Type of the rows.
        found: String,
    },
    /// The columns do not make a batch.
    #[error("put rows for `{table}` together")]
    Batch {
        /// Table.
        table: String,
        /// Cause.
        #[source]
        source: arrow::error::ArrowError,
    },
}

impl Faulty for BronzeError {
    fn fault(&self) -> Fault {
        match self {
            Self::Layer { .. } | Self::Source { .. } | Self::Refresh | Self::Column { .. } | Self::Kind { .. } => Fault::Config,
            Self::Batch { .. } => Fault::Data,
            Self::Unfinished { .. } => Fault::Transient,
        }
    }

    fn hint(&self) -> Option<String> {
        matches!(self, Self::Unfinished { .. }).then(|| "run the same command again after that".into())
    }
}

/// What is equal in every row of a run.
#[derive(Debug, Clone)]
pub struct Meta {
    table: String,
    source: String,
    object: String,
    ingest_date: NaiveDate,
    window_from: DateTime<Utc>,
    ingested_at: DateTime<Utc>,
    run_id: String,
    contract: String,
}

/// Returns how every `_position` of a windowed source begins: the window's start, in a fixed width so that text order is time order.
#[must_use]
pub fn position_prefix(run: &Run) -> String {
    run.window.from().format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// Refuses to rebuild the table of a windowed source: Bronze holds what the source may not have any more.
///
/// # Errors
/// When the run is to rebuild.
pub const fn refuse_refresh(full_refresh: bool) -> Result<(), BronzeError> {
    if full_refresh { Err(BronzeError::Refresh) } else { Ok(()) }
}

impl Meta {
    /// Returns the meta columns of a run, the Bronze part of its contract, and its source, which must be of the kind that the
    /// program reads.
    ///
    /// # Errors
    /// When the contract is of another layer or has another source, or its window has not ended.
    pub fn of_source<'a, S: SourceKind>(run: &Run, contract: &'a Contract) -> Result<(Self, &'a Bronze, &'a S), BronzeError> {
        let (meta, bronze) = Self::new(run, contract)?;
        let other = || BronzeError::Source { table: contract.table.clone(), expected: S::NAME };
        Ok((meta, bronze, S::of(&bronze.source).ok_or_else(other)?))
    }

    /// Returns the meta columns of a run and the Bronze part of its contract.
    ///
    /// # Errors
    /// When the contract is of another layer, or the window of a windowed source has not ended.
    pub fn new<'a>(run: &Run, contract: &'a Contract) -> Result<(Self, &'a Bronze), BronzeError> {
        let bronze = contract.bronze().ok_or_else(|| BronzeError::Layer { table: contract.table.clone() })?;
        // Of a topic a run takes what is new, whatever its window; the others ask for the window, once.
        if !matches!(bronze.source, Source::Kafka(_)) && run.window.to() > run.started_at {
            return Err(BronzeError::Unfinished { table: contract.table.clone(), to: run.window.to().to_rfc3339() });
        }
        let meta = Self {
            table: contract.table.clone(),
            source: bronze.source.name().to_owned(),
            object: bronze.source.object().to_owned(),
            ingest_date: run.window.ingest_date(),
            window_from: run.window.from(),
            ingested_at: run.started_at,
            run_id: run.id.to_string(),
            contract: contract.reference(),
        };
        Ok((meta, bronze))
    }

    /// Puts the source's own columns (with `_key`, `_position` and `_violations`) and the meta columns into the table's order.
    ///
    /// # Errors
    /// When the table has a column that nobody gives, or one of another type.
    pub fn assemble(&self, schema: &SchemaRef, own: &[(&str, ArrayRef)], rows: usize) -> Result<RecordBatch, BronzeError> {
        let mut arrays = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            let given = own.iter().find(|(name, _)| *name == field.name()).map(|(_, array)| array.clone());
            let array = given.or_else(|| self.column(field.name(), rows));
            let array = array.ok_or_else(|| BronzeError::Column { table: self.table.clone(), column: field.name().clone() })?;
            if array.data_type() != field.data_type() {
                return Err(BronzeError::Kind {
                    table: self.table.clone(),
                    column: field.name().clone(),
                    expected: field.data_type().to_string(),
                    found: array.data_type().to_string(),
                });
            }
            arrays.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(schema.clone(), arrays, &options).map_err(|source| self.broken(source))
    }

    /// The error of columns that do not make a batch.
    pub(crate) fn broken(&self, source: arrow::error::ArrowError) -> BronzeError {
        BronzeError::Batch { table: self.table.clone(), source }
    }

    fn column(&self, name: &str, rows: usize) -> Option<ArrayRef> {
        Some(match name {
            "_source" => columns::constant_string(&self.source, rows),
            "_object" => columns::constant_string(&self.object, rows),
            "_ingest_date" => columns::constant_date(self.ingest_date, rows),
            "_window_from" => columns::constant_timestamp(self.window_from, rows),
            "_ingested_at" => columns::constant_timestamp(self.ingested_at, rows),
            "_run_id" => columns::constant_string(&self.run_id, rows),
            "_contract" => columns::constant_string(&self.contract, rows),
            _ => return None,
        })
    }
}
