//! What one rule has counted or kept so far, and the finding that it comes to.

use super::{reason, references::References, total};
use crate::{
    Finding, State,
    rule::{Rule, Test},
};
use chrono::{DateTime, Duration, Utc};
use lake_core::contract::ColumnType;
use polars::prelude::{DataFrame, DataType, Expr, IntoLazy as _, LazyFrame, PolarsResult, col, len, lit};
use std::collections::BTreeMap;

const MICROSECONDS_OF_A_DAY: i64 = 86_400_000_000;
// Names of columns that no contract has: those that begin with `_` are reserved there for the layers' own.
const COUNT: &str = "_dq_rows";
const COMPANION: &str = "_dq_companion";

/// Duplicates by their key, so that two rules on one key look once.
pub(super) type Duplicates = BTreeMap<(Vec<String>, bool), Result<u64, String>>;

/// What one rule has counted or kept so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// Rows counted.
    pub(super) count: u64,
    /// Key columns of every row, or distinct values and their rows.
    kept: Option<DataFrame>,
    /// Newest value in microseconds since 1970.
    newest: Option<i64>,
    /// What a query answered.
    pub(super) answer: Option<f64>,
}

impl Tally {
    /// Keeps the key columns: whether a key stands twice is only known when all batches were seen.
    pub(super) fn keep(&mut self, frame: &DataFrame, columns: &[String]) -> PolarsResult<()> {
        self.append(frame.select(columns.iter().map(String::as_str))?)
    }

    /// Keeps each distinct value of a batch with its rows; nulls refer to nothing.
    pub(super) fn keep_values(&mut self, frame: &DataFrame, column: &str) -> PolarsResult<()> {
        let (values, keys) = keyed(frame, &[column], &[])?;
        let counted = values.filter(col(column).is_not_null()).group_by(keys).agg([len().alias(COUNT)]);
        self.append(counted.select([col(column), col(COUNT)]).collect()?)
    }

    pub(super) fn keep_newest(&mut self, frame: &DataFrame, column: &str, kind: ColumnType) -> PolarsResult<()> {
        let newest = frame.clone().lazy().select([col(column).to_physical().cast(DataType::Int64).max()]).collect()?;
        let value = newest.column(column)?.get(0)?;
        if !value.is_null() {
            let number: i64 = value.try_extract()?;
            let micros = if kind == ColumnType::Date { number.saturating_mul(MICROSECONDS_OF_A_DAY) } else { number };
            self.newest = Some(self.newest.map_or(micros, |other| other.max(micros)));
        }
        Ok(())
    }

    fn append(&mut self, frame: DataFrame) -> PolarsResult<()> {
        match &mut self.kept {
            None => self.kept = Some(frame),
            Some(kept) => drop(kept.vstack_mut_owned(frame)?),
        }
        Ok(())
    }

    /// Returns what the rule comes to.
    pub(super) fn finding(
        &self,
        rule: &Rule,
        rows: u64,
        as_of: Option<DateTime<Utc>>,
        references: &References,
        duplicates: &mut Duplicates,
    ) -> Finding {
        if let Some(reason) = &rule.left_out {
            return left_out(rule, reason);
        }
        let measured = match &rule.test {
            Err(reason) => Err(reason.clone()),
            Ok(Test::Rows) => Ok(Measured::number(rows as f64, format!("the table has {rows} rows"))),
            Ok(Test::Count { column, what, .. }) => Ok(of_rows(rule, self.count, rows, column, what)),
            Ok(Test::Duplicates { columns, null_keys }) => {
                let known = duplicates.entry((columns.clone(), *null_keys));
                let count = known.or_insert_with(|| self.duplicates(columns, *null_keys).map_err(|e| reason(&e)));
                count.clone().map(|count| of_rows(rule, count, rows, &columns.join(", "), "share their value with another row"))
            }
            Ok(Test::Query(_)) => self.query_answer(rule, rows),
            Ok(Test::Newest { column, unit, unit_name, .. }) => self.age(column, *unit, unit_name, as_of),
            Ok(Test::Orphans { column, table, to }) => {
                let orphans = references.orphans(self.kept.as_ref(), column, (table, to), COUNT);
                orphans.map(|(count, valued)| {
                    of_rows(rule, count, valued, column, &format!("with a value have no partner in {table}.{to}"))
                })
            }
        };
        let (passed, measured, message) = match measured {
            Ok(found) => (rule.holds(found.value, found.failing), Some(found.value), found.message),
            Err(reason) => (false, None, format!("could not run: {reason}")),
        };
        Finding {
            rule: rule.id.clone(),
            severity: rule.severity,
            dimension: rule.dimension.clone(),
            state: State::Judged,
            passed,
            measured,
            expected: rule.expected(),
            message,
        }
    }

    /// Rows whose key stands more than once. Whole keys are compared, so no hash can deceive.
    fn duplicates(&self, columns: &[String], null_keys: bool) -> PolarsResult<u64> {
        let Some(kept) = &self.kept else { return Ok(0) };
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        let has_value = names.iter().fold(lit(null_keys), |any, name| any.or(col(*name).is_not_null()));
        let (rows, keys) = keyed(kept, &names, &[])?;
        let groups = rows.filter(has_value).group_by(keys).agg([len().alias(COUNT)]);
        let repeated = groups.filter(col(COUNT).gt(lit(1))).select([col(COUNT)]).collect()?;
        total(&repeated, COUNT)
    }

    fn query_answer(&self, rule: &Rule, rows: u64) -> Result<Measured, String> {
        let answer = self.answer.ok_or("the query was not run")?;
        let measured = rule.bound.scale(answer, rows);
        Ok(Measured::number(measured, format!("the query answers {answer} for {rows} rows")))
    }

    fn age(&self, column: &str, unit: Duration, unit_name: &str, as_of: Option<DateTime<Utc>>) -> Result<Measured, String> {
        let newest = self.newest.ok_or_else(|| format!("column `{column}` holds no value"))?;
        let as_of = as_of.ok_or("no instant was given to measure ages at")?;
        let unit = unit.num_microseconds().ok_or("the unit is too long")?;
        let age = (as_of.timestamp_micros() - newest) as f64 / unit as f64;
        let shown = (age * 100.0).round() / 100.0;
        Ok(Measured::number(age, format!("{column}: the newest value is {shown} {unit_name} old at the end of the window")))
    }
}

/// Returns a frame of some columns and what to group or join it by. Polars as it is built here cannot hash a lone decimal,
/// so that gets a companion: keys of several columns are compared as encoded rows.
pub(super) fn keyed(frame: &DataFrame, columns: &[&str], kept: &[&str]) -> PolarsResult<(LazyFrame, Vec<Expr>)> {
    let mut keys: Vec<Expr> = columns.iter().map(|name| col(*name)).collect();
    let mut lazy = frame.select(columns.iter().chain(kept).copied())?.lazy();
    if let [name] = columns
        && matches!(frame.column(name)?.dtype(), DataType::Decimal(..))
    {
        lazy = lazy.with_columns([lit(0).alias(COMPANION)]);
        keys.push(col(COMPANION));
    }
    Ok((lazy, keys))
}

fn left_out(rule: &Rule, reason: &str) -> Finding {
    Finding {
        rule: rule.id.clone(),
        severity: rule.severity,
        dimension: rule.dimension.clone(),
        state: State::NotJudged,
        passed: false,
        measured: None,
        expected: rule.expected(),
        message: format!("not judged: {reason}"),
    }
}

/// What a rule measured, in its unit.
struct Measured {
    value: f64,
    /// Rows that speak against the table; absent where no rows were counted one by one.
    failing: Option<u64>,
    message: String,
}

impl Measured {
    const fn number(value: f64, message: String) -> Self {
        Self { value, failing: None, message }
    }
}

fn of_rows(rule: &Rule, count: u64, rows: u64, column: &str, what: &str) -> Measured {
    let message = format!("{column}: {count} of {rows} rows {what}");
    Measured { value: rule.bound.measure(count, rows), failing: Some(count), message }
}
