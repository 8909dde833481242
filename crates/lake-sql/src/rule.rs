//! SQL rules: one query that answers one number, over its own table and the tables that the rule declares.
//!
//! What can be seen without a row (no single query, an undeclared table, a hidden column, two columns, a text) is wrong with
//! the contract. What only the rows decide (no row, two rows, null) is wrong with them.

use crate::{Session, SqlError};
use arrow::{
    array::{Array as _, AsArray as _, RecordBatch},
    compute::cast,
    datatypes::{DataType, Float64Type},
};
use futures::TryStreamExt as _;
use lake_core::{Fault, fault::Faulty as _};
use std::collections::BTreeSet;

/// Rows that are fetched: the second one proves that there is more than one.
const ROWS_MAX: usize = 2;

/// Runs the query of a rule, which sees these tables of the session and no others. `Err` inside: why the rows answer no number.
///
/// # Errors
/// When the contract is wrong, and when the rows cannot be read: that says nothing about the rule.
pub async fn answer(
    session: &Session,
    rule: &str,
    sql: &str,
    tables: &BTreeSet<String>,
) -> Result<Result<f64, String>, SqlError> {
    match number(session, rule, sql, tables).await {
        Ok(number) => Ok(Ok(number)),
        // Files that cannot be read, or that hold other rows than the log counts, say nothing about the rule.
        Err(error @ (SqlError::Table(_) | SqlError::Scan { .. })) => Err(error),
        Err(error) if error.fault() == Fault::Data => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

async fn number(session: &Session, rule: &str, sql: &str, tables: &BTreeSet<String>) -> Result<f64, SqlError> {
    let refuse = |problem: String| SqlError::Proof { statement: format!("rule `{rule}`"), problem };
    let frame = session.frame_over(sql, tables).await?;
    let kinds: Vec<DataType> = frame.schema().fields().iter().map(|field| field.data_type().clone()).collect();
    match kinds.as_slice() {
        [kind] if kind.is_numeric() => {}
        [kind] => return Err(refuse(format!("{kind} instead of a number"))),
        columns => return Err(refuse(format!("{} columns instead of one number", columns.len()))),
    }
    let frame = frame.limit(0, Some(ROWS_MAX)).map_err(|e| SqlError::plan(&e))?;
    let batches: Vec<RecordBatch> = session.execute(frame).await?.try_collect().await?;
    one_number(&batches).map_err(|problem| SqlError::Answer { rule: rule.to_owned(), problem })
}

fn one_number(batches: &[RecordBatch]) -> Result<f64, &'static str> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let batch = match rows {
        0 => return Err("no row"),
        1 => batches.iter().find(|batch| batch.num_rows() == 1).ok_or("no row")?,
        _ => return Err("more than one row"),
    };
    let column = cast(batch.column(0), &DataType::Float64).map_err(|_| "a number that is too large")?;
    let values = column.as_primitive::<Float64Type>();
    match values.is_valid(0).then(|| values.value(0)) {
        None => Err("null"),
        Some(number) if !number.is_finite() => Err("no finite number"),
        Some(number) => Ok(number),
    }
}
