//! Runs a model: sorted by key, fitted to the contract's types, and kept on the local disk.
//!
//! A model may say of a row that it breaks a rule: it returns the columns `_rules`, `_input_table`, `_position` and `_line`
//! beside the contract's, and a row whose `_rules` is not null is no row of the table but one of its quarantine.

use crate::{Session, SqlError, cast, spill::Spill, spill::SpillWriter};
use arrow::{
    array::{Array as _, BooleanArray, RecordBatch},
    compute::{filter_record_batch, is_null, not},
    datatypes::{DataType, Field, Schema, SchemaRef},
    row::{OwnedRow, RowConverter, SortField},
};
use deltalake::datafusion::{common::Column, logical_expr::Expr};
use futures::StreamExt as _;
use lake_core::{Contract, contract::column::RUN_META, mask::hex_of};
use lake_table::{Batch, arrow_type};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, sync::Arc};

/// Names of the rules that a row breaks, comma separated; null for a row of the table.
pub(crate) const RULES: &str = "_rules";
/// What a model may return beside the contract's columns: why a row is no row of the table, and where it comes from.
const DISPOSITION: [(&str, DataType); 4] =
    [(RULES, DataType::Utf8), ("_input_table", DataType::Utf8), ("_position", DataType::Utf8), ("_line", DataType::Int32)];

/// The result of a model, not committed yet.
#[derive(Debug)]
pub struct Built {
    /// Rows of the table: the contract's columns but those that every run adds, sorted by key.
    pub accepted: Spill,
    /// Rows that break a rule, the disposition columns beside the others; absent where the model has no rules.
    pub rejected: Option<Spill>,
    /// Digest of the accepted rows in their order: equal digests are equal tables.
    pub digest: String,
    /// The same of the rejected rows.
    pub rejected_digest: String,
    /// Nulls of each column of the accepted rows, where there are any.
    pub nulls: BTreeMap<String, u64>,
    /// Accepted rows whose key the row before has.
    pub repeated_keys: u64,
}

/// Runs the contract's model.
///
/// # Errors
/// When the model is no single query over declared tables, its columns are not the contract's, a value does not fit, or it
/// fails on the rows.
pub async fn build(session: &Session, contract: &Contract) -> Result<Built, SqlError> {
    let model = contract.model.as_deref().unwrap_or_default();
    let frame = session.frame(model).await?;
    let names: Vec<String> = frame.schema().fields().iter().map(|field| field.name().clone()).collect();
    let (own, whole) = (own_schema(contract), whole_schema(contract, &names)?);
    let rules = whole.fields().len() > own.fields().len();
    let mut order: Vec<&str> = contract.key();
    if rules {
        order.extend([RULES, "_position"]);
    }
    let order = order.into_iter().map(|name| Expr::Column(Column::from_name(name)).sort(true, true)).collect();
    let sorted = frame.sort(order).map_err(|e| SqlError::plan(&e))?;
    let mut rows = session.execute(sorted).await?;

    let runtime = session.runtime();
    let mut accepted = Sink::new(SpillWriter::new(&runtime, &own)?, &own, &contract.key())?;
    let mut rejected = Sink::new(SpillWriter::new(&runtime, &whole)?, &whole, &[])?;
    while let Some(batch) = rows.next().await {
        let batch = cast::exact(&contract.table, &batch?, &whole)?;
        let (kept, broken) = split(&batch, &own)?;
        accepted.take(&lake_core::operator!("sql.accepted", Batch(kept)).0)?;
        if let Some(broken) = broken {
            rejected.take(&lake_core::operator!("sql.rejected", Batch(broken)).0)?;
        }
    }
    let (accepted, watch) = accepted.finish()?;
    let (rejected, refused) = rejected.finish()?;
    Ok(Built {
        accepted,
        rejected: rules.then_some(rejected),
        digest: watch.digest(),
        rejected_digest: refused.digest(),
        nulls: watch.nulls,
        repeated_keys: watch.repeated_keys,
    })
}

/// The contract's columns but those that every run adds.
fn own_schema(contract: &Contract) -> SchemaRef {
    let own = contract.columns.iter().filter(|column| !RUN_META.iter().any(|(name, _)| *name == column.name));
    let fields: Vec<Field> = own.map(|column| Field::new(&column.name, arrow_type(column.kind), true)).collect();
    Arc::new(Schema::new(fields))
}

/// The columns that the model returns, in our order.
fn whole_schema(contract: &Contract, returned: &[String]) -> Result<SchemaRef, SqlError> {
    let refuse = |difference: String| SqlError::Columns { table: contract.table.clone(), difference };
    let own = own_schema(contract);
    let mut fields: Vec<Field> = own.fields().iter().map(|field| field.as_ref().clone()).collect();
    if returned.iter().any(|name| name == RULES) {
        fields.extend(DISPOSITION.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)));
    }
    if let Some(missing) = fields.iter().find(|field| !returned.contains(field.name())) {
        return Err(refuse(format!("the model does not return column `{}`", missing.name())));
    }
    match returned.iter().find(|name| !fields.iter().any(|field| field.name() == *name)) {
        Some(extra) => Err(refuse(format!("the model returns column `{extra}`, which the contract does not have"))),
        None => Ok(Arc::new(Schema::new(fields))),
    }
}

/// Parts rows of the table from those that break a rule.
fn split(batch: &RecordBatch, own: &SchemaRef) -> Result<(RecordBatch, Option<RecordBatch>), SqlError> {
    let failed = |e| SqlError::arrow(&e);
    let project = |batch: &RecordBatch| {
        let own: Vec<usize> = (0..own.fields().len()).collect();
        batch.project(&own).map_err(failed)
    };
    let Some(rules) = batch.column_by_name(RULES).filter(|rules| rules.null_count() < rules.len()) else {
        return Ok((project(batch)?, None));
    };
    let keeps: BooleanArray = is_null(rules).map_err(failed)?;
    let kept = filter_record_batch(batch, &keeps).map_err(failed)?;
    let broken = filter_record_batch(batch, &not(&keeps).map_err(failed)?).map_err(failed)?;
    Ok((project(&kept)?, Some(broken)))
}

/// Writes rows to the local disk and watches them pass.
struct Sink {
    writer: SpillWriter,
    watch: Watch,
}

/// What is learned of rows while they pass in the order of their key.
struct Watch {
    rows: RowConverter,
    keys: RowConverter,
    key: Vec<String>,
    last: Option<OwnedRow>,
    hash: Sha256,
    nulls: BTreeMap<String, u64>,
    repeated_keys: u64,
}

impl Sink {
    fn new(writer: SpillWriter, schema: &SchemaRef, key: &[&str]) -> Result<Self, SqlError> {
        let converter = |fields: Vec<SortField>| RowConverter::new(fields).map_err(|e| SqlError::arrow(&e));
        let sort = |name: &&str| schema.field_with_name(name).map(|f| SortField::new(f.data_type().clone()));
        let keys: Result<Vec<_>, _> = key.iter().map(sort).collect();
        let watch = Watch {
            rows: converter(schema.fields().iter().map(|f| SortField::new(f.data_type().clone())).collect())?,
            keys: converter(keys.map_err(|e| SqlError::arrow(&e))?)?,
            key: key.iter().map(|name| (*name).to_owned()).collect(),
            last: None,
            hash: Sha256::new(),
            nulls: BTreeMap::new(),
            repeated_keys: 0,
        };
        Ok(Self { writer, watch })
    }

    fn take(&mut self, batch: &RecordBatch) -> Result<(), SqlError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.watch.see(batch).map_err(|e| SqlError::arrow(&e))?;
        self.writer.write(batch)
    }

    fn finish(self) -> Result<(Spill, Watch), SqlError> {
        Ok((self.writer.finish()?, self.watch))
    }
}

impl Watch {
    fn see(&mut self, batch: &RecordBatch) -> Result<(), arrow::error::ArrowError> {
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            if column.null_count() > 0 {
                *self.nulls.entry(field.name().clone()).or_default() += column.null_count() as u64;
            }
        }
        let rows = self.rows.convert_columns(batch.columns())?;
        for row in &rows {
            self.hash.update((row.as_ref().len() as u64).to_le_bytes());
            self.hash.update(row.as_ref());
        }
        if self.key.is_empty() {
            return Ok(());
        }
        let columns: Vec<_> = self.key.iter().filter_map(|name| batch.column_by_name(name).cloned()).collect();
        let keys = self.keys.convert_columns(&columns)?;
        let mut before = self.last.take();
        for (at, key) in keys.iter().enumerate() {
            let repeated = if at == 0 { before.take().is_some_and(|last| last.row() == key) } else { keys.row(at - 1) == key };
            self.repeated_keys += u64::from(repeated);
        }
        self.last = Some(keys.row(keys.num_rows() - 1).owned());
        Ok(())
    }

    fn digest(&self) -> String {
        hex_of(&self.hash.clone().finalize())
    }
}
