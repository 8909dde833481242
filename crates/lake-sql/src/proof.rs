//! Accounts for the rows and sums of a model's inputs, by two statements beside the model.
//!
//! `ledger.sql` returns `input`, `bucket`, `rows`: what became of the rows of each input that the contract accounts for,
//! counted in the result and in the inputs, never by subtraction. `balance.sql` returns `measure`, `expected`, `found`: sums
//! and counts that a model must conserve. Both see the result under its table's name and the rejected rows as
//! `quarantine_<name>`.

use crate::{Built, Rows, Session, SqlError};
use arrow::{
    array::{Array as _, ArrayRef, AsArray as _, RecordBatch},
    compute::cast,
    datatypes::{DataType, Int64Type},
    util::display::{ArrayFormatter, FormatOptions},
};
use lake_core::{Contract, Ledger};
use std::collections::BTreeMap;

/// One conserved sum or count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// What is conserved.
    pub measure: String,
    /// By the inputs.
    pub expected: String,
    /// In the result.
    pub found: String,
}

impl Balance {
    /// Whether both sides are equal.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.expected == self.found
    }
}

/// Declares the result of a model for its audit and proofs.
///
/// # Errors
/// When an input has the name.
pub fn declare(session: &mut Session, contract: &Contract, built: &Built) -> Result<(), SqlError> {
    session.register_result(&contract.table, Rows::Spill(built.accepted.clone()))?;
    match &built.rejected {
        Some(rejected) => {
            session.register_result(&format!("quarantine_{}", contract.short_name()), Rows::Spill(rejected.clone()))
        }
        None => Ok(()),
    }
}

/// Runs `ledger.sql`: per input what became of its rows; `read` stays 0, since only the log knows it.
///
/// # Errors
/// When the statement fails or has another shape.
pub async fn ledger(session: &Session, sql: &str) -> Result<BTreeMap<String, Ledger>, SqlError> {
    let refuse = |problem: String| SqlError::Proof { statement: "ledger.sql".to_owned(), problem };
    let mut ledgers: BTreeMap<String, Ledger> = BTreeMap::new();
    for batch in session.rows(sql).await? {
        let inputs = column(&batch, "input", &DataType::Utf8).ok_or_else(|| refuse("no column `input`".to_owned()))?;
        let buckets = column(&batch, "bucket", &DataType::Utf8).ok_or_else(|| refuse("no column `bucket`".to_owned()))?;
        let counts = column(&batch, "rows", &DataType::Int64).ok_or_else(|| refuse("no column `rows`".to_owned()))?;
        for row in 0..batch.num_rows() {
            let ledger = ledgers.entry(inputs.as_string::<i32>().value(row).to_owned()).or_default();
            let bucket = match buckets.as_string::<i32>().value(row) {
                "accepted" => &mut ledger.accepted,
                "quarantined" => &mut ledger.quarantined,
                "duplicate" => &mut ledger.duplicate,
                "superseded" => &mut ledger.superseded,
                "filtered" => &mut ledger.filtered,
                "held" => &mut ledger.held,
                other => return Err(refuse(format!("unknown bucket `{other}`"))),
            };
            *bucket += u64::try_from(counts.as_primitive::<Int64Type>().value(row)).unwrap_or(0);
        }
    }
    Ok(ledgers)
}

/// Runs `balance.sql`.
///
/// # Errors
/// When the statement fails or has another shape.
pub async fn balance(session: &Session, sql: &str) -> Result<Vec<Balance>, SqlError> {
    let refuse = |problem: &str| SqlError::Proof { statement: "balance.sql".to_owned(), problem: problem.to_owned() };
    let mut balances = Vec::new();
    for batch in session.rows(sql).await? {
        let named = |name: &str| batch.column_by_name(name).cloned();
        let (Some(measures), Some(expected), Some(found)) = (named("measure"), named("expected"), named("found")) else {
            return Err(refuse("it must return `measure`, `expected` and `found`"));
        };
        if expected.data_type() != found.data_type() {
            return Err(refuse("`expected` and `found` are of different types"));
        }
        for row in 0..batch.num_rows() {
            balances.push(Balance { measure: text(&measures, row)?, expected: text(&expected, row)?, found: text(&found, row)? });
        }
    }
    balances.sort_by(|a, b| a.measure.cmp(&b.measure));
    Ok(balances)
}

fn column(batch: &RecordBatch, name: &str, kind: &DataType) -> Option<ArrayRef> {
    let column = cast(batch.column_by_name(name)?, kind).ok()?;
    (column.null_count() == 0).then_some(column)
}

fn text(array: &ArrayRef, row: usize) -> Result<String, SqlError> {
    let options = FormatOptions::new().with_null("null");
    let formatter = ArrayFormatter::try_new(array.as_ref(), &options).map_err(|e| SqlError::arrow(&e))?;
    Ok(formatter.value(row).to_string())
}
