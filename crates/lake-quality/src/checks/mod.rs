//! Runs the rules of a contract over batches of rows.

mod nulls;
mod references;
mod tally;

use crate::{
    QualityError, Report,
    measure::fits,
    rule::{self, Query, Rule, Test},
};
use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use lake_core::{
    Contract,
    contract::{Column, ColumnType},
};
use nulls::Nulls;
use polars::prelude::{DataFrame, DataType, Expr, IntoLazy as _, PolarsError, PolarsResult, col};
use references::References;
use std::collections::BTreeMap;
use tally::Tally;

/// What a rule may need that a caller may not have.
#[derive(Debug, Clone, Copy)]
pub enum Need<'a> {
    /// A column of the table.
    Column(&'a str),
    /// Another table.
    Table(&'a str),
    /// The instant at which ages are measured.
    Instant,
}

/// The rules of a contract and what they have counted so far.
///
/// ```text
/// let mut checks = Checks::of(contract, window.to());
/// for (table, column) in checks.references() { checks.provide(table, column, frames) }
/// for frame in scan(checks.columns()) { checks.observe(&frame) }
/// let report = checks.finish();
/// ```
#[derive(Debug, Clone)]
pub struct Checks {
    table: String,
    columns: Vec<Column>,
    rules: Vec<(Rule, Tally)>,
    references: References,
    nulls: Nulls,
    rows: u64,
    known_rows: u64,
    as_of: Option<DateTime<Utc>>,
}

impl Checks {
    /// All rules of a contract; ages are those at the end of the window.
    #[must_use]
    pub fn of(contract: &Contract, window_end: DateTime<Utc>) -> Self {
        let mut rules = rule::of_rows(contract);
        rules.extend(rule::of_references(contract));
        rules.extend(rule::of_ages(contract));
        Self { nulls: Nulls::of(contract), ..Self::new(contract, rules, Some(window_end)) }
    }

    /// The rules that need nothing but the table's own rows: what is audited before a commit.
    #[must_use]
    pub fn of_rows(contract: &Contract) -> Self {
        Self::new(contract, rule::of_rows(contract), None)
    }

    fn new(contract: &Contract, rules: Vec<Rule>, as_of: Option<DateTime<Utc>>) -> Self {
        let rules = rules.into_iter().map(|rule| (rule, Tally::default())).collect();
        let (table, columns) = (contract.table.clone(), contract.columns.clone());
        let (references, nulls) = (References::default(), Nulls::default());
        Self { table, columns, rules, references, nulls, rows: 0, known_rows: 0, as_of }
    }

    /// Counts rows that passed before and are not shown again: a table that brings nothing new is not empty for that.
    pub fn count_known_rows(&mut self, rows: u64) {
        self.known_rows += rows;
    }

    /// Columns that [`Self::observe`] needs, in the contract's order; never none, so that rows can be counted.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        let tested = self.columns_of(|test| !matches!(test, Test::Newest { .. }));
        let counts = |name: &String| tested.contains(name) || self.nulls.counts(name);
        let mut needed: Vec<String> = self.columns.iter().map(|c| c.name.clone()).filter(counts).collect();
        if needed.is_empty() {
            needed.extend(self.columns.first().map(|c| c.name.clone()));
        }
        needed
    }

    /// Columns that [`Self::observe_ages`] needs, in the contract's order.
    #[must_use]
    pub fn age_columns(&self) -> Vec<String> {
        self.columns_of(|test| matches!(test, Test::Newest { .. }))
    }

    fn columns_of(&self, wanted: impl Fn(&Test) -> bool) -> Vec<String> {
        let tests = self.rules.iter().filter_map(|(rule, _)| rule.test.as_ref().ok()).filter(|test| wanted(test));
        let needed: Vec<&str> = tests.flat_map(Test::columns).collect();
        self.columns.iter().filter(|c| needed.contains(&c.name.as_str())).map(|c| c.name.clone()).collect()
    }

    /// Tables and columns that rules refer to, each once.
    #[must_use]
    pub fn references(&self) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        for (rule, _) in &self.rules {
            if let Some(Test::Orphans { table, to, .. }) = rule.runs() {
                let reference = (table.clone(), to.clone());
                if !found.contains(&reference) {
                    found.push(reference);
                }
            }
        }
        found
    }

    /// Gives all values of a referenced column; without any frame no row has a partner.
    pub fn provide(&mut self, table: &str, column: &str, frames: Vec<DataFrame>) {
        self.references.provide(table, column, frames);
    }

    /// As [`Self::provide`], from batches.
    ///
    /// # Errors
    /// When Polars does not know a column's type.
    pub fn provide_batches(&mut self, table: &str, column: &str, batches: &[RecordBatch]) -> Result<(), QualityError> {
        let frame = to_polars(table, batches)?;
        self.provide(table, column, if batches.is_empty() { Vec::new() } else { vec![frame] });
        Ok(())
    }

    /// Says why a referenced table cannot be looked at: its rules have then failed.
    pub fn withhold(&mut self, table: &str, reason: &str) {
        for (rule, _) in &mut self.rules {
            if matches!(&rule.test, Ok(Test::Orphans { table: wanted, .. }) if wanted == table) {
                rule.test = Err(reason.to_owned());
            }
        }
    }

    /// Says why the rules that need something are not judged: they neither hold nor fail.
    pub fn leave_out(&mut self, need: Need<'_>, reason: &str) {
        for (rule, _) in &mut self.rules {
            if rule.test.as_ref().is_ok_and(|test| test.needs(need)) {
                rule.left_out.get_or_insert_with(|| reason.to_owned());
            }
        }
    }

    /// What somebody else must ask by SQL.
    #[must_use]
    pub fn queries(&self) -> Vec<Query> {
        let query = |rule: &Rule| if let Some(Test::Query(query)) = rule.runs() { Some(query.clone()) } else { None };
        self.rules.iter().filter_map(|(rule, _)| query(rule)).collect()
    }

    /// Gives the number that the query of a rule answered, or why there is none.
    pub fn answer(&mut self, id: &str, answer: Result<f64, String>) {
        for (rule, tally) in self.rules.iter_mut().filter(|(rule, _)| rule.id == id) {
            match &answer {
                Ok(number) => tally.answer = Some(*number),
                Err(reason) => rule.test = Err(reason.clone()),
            }
        }
    }

    /// Runs the rules about rows over a batch.
    pub fn observe(&mut self, frame: &DataFrame) {
        self.rows += frame.height() as u64;
        self.nulls.observe(frame);
        self.refuse_misfits(frame, |test| !matches!(test, Test::Newest { .. }));
        self.count(frame);
        for (rule, tally) in &mut self.rules {
            let kept = match &rule.test {
                Ok(Test::Duplicates { columns, .. }) => tally.keep(frame, columns),
                Ok(Test::Orphans { column, .. }) => tally.keep_values(frame, column),
                _ => Ok(()),
            };
            if let Err(error) = kept {
                rule.test = Err(reason(&error));
            }
        }
    }

    /// As [`Self::observe`], from batches.
    ///
    /// # Errors
    /// When Polars does not know a column's type.
    pub fn observe_batches(&mut self, batches: &[RecordBatch]) -> Result<(), QualityError> {
        let frame = to_polars(&self.table, batches)?;
        self.observe(&frame);
        Ok(())
    }

    /// Runs the rules about ages over a batch. Ages are a table's, so a caller that checks a slice shows all rows here.
    pub fn observe_ages(&mut self, frame: &DataFrame) {
        self.refuse_misfits(frame, |test| matches!(test, Test::Newest { .. }));
        for (rule, tally) in &mut self.rules {
            if let Ok(Test::Newest { column, kind, .. }) = &rule.test
                && let Err(error) = tally.keep_newest(frame, column, *kind)
            {
                rule.test = Err(reason(&error));
            }
        }
    }

    /// As [`Self::observe_ages`], from batches.
    ///
    /// # Errors
    /// When Polars does not know a column's type.
    pub fn observe_ages_batches(&mut self, batches: &[RecordBatch]) -> Result<(), QualityError> {
        let frame = to_polars(&self.table, batches)?;
        self.observe_ages(&frame);
        Ok(())
    }

    /// Share of nulls in percent, of each column that may be null; of no rows there is none.
    #[must_use]
    pub fn null_shares(&self) -> Vec<(String, f64)> {
        self.nulls.shares(self.rows)
    }

    /// Returns what all batches together come to.
    #[must_use]
    pub fn finish(self) -> Report {
        let mut duplicates = BTreeMap::new();
        let findings = self.rules.iter().map(|(rule, tally)| {
            let rows = if matches!(rule.test, Ok(Test::Rows)) { self.rows + self.known_rows } else { self.rows };
            tally.finding(rule, rows, self.as_of, &self.references, &mut duplicates)
        });
        Report { rows: self.rows, findings: findings.collect() }
    }

    /// A rule whose column is missing or has another type than the contract says cannot run.
    fn refuse_misfits(&mut self, frame: &DataFrame, wanted: impl Fn(&Test) -> bool) {
        let kind = |name: &str| self.columns.iter().find(|c| c.name == name).map(|c| c.kind);
        for (rule, _) in &mut self.rules {
            let Ok(test) = &rule.test else { continue };
            if !wanted(test) {
                continue;
            }
            if let Some(misfit) = test.columns().into_iter().find_map(|name| misfit(frame, name, kind(name))) {
                rule.test = Err(misfit);
            }
        }
    }

    /// Evaluates all counting rules in one pass; when that fails, one by one, so that only the culprits fail.
    fn count(&mut self, frame: &DataFrame) {
        let expr = |rule: &Rule| if let Ok(Test::Count { expr, .. }) = &rule.test { Some(expr.clone()) } else { None };
        let all: Vec<Expr> = self.rules.iter().filter_map(|(rule, _)| expr(rule)).collect();
        let counts = evaluate(frame, all).ok();
        let mut counts = counts.map(Vec::into_iter);
        for (rule, tally) in &mut self.rules {
            let Some(expr) = expr(rule) else { continue };
            let counted = match &mut counts {
                Some(counts) => counts.next().ok_or_else(|| PolarsError::NoData("no count".into())),
                None => evaluate(frame, vec![expr])
                    .and_then(|one| one.first().copied().ok_or_else(|| PolarsError::NoData("no count".into()))),
            };
            match counted {
                Ok(count) => tally.count += count,
                Err(error) => rule.test = Err(reason(&error)),
            }
        }
    }
}

fn misfit(frame: &DataFrame, name: &str, kind: Option<ColumnType>) -> Option<String> {
    let Some(kind) = kind else { return Some(format!("column `{name}` is not in the contract")) };
    let Ok(column) = frame.column(name) else { return Some(format!("column `{name}` is not in the table")) };
    let found = column.dtype();
    (!fits(kind, found)).then(|| format!("column `{name}` is not {kind} in the table"))
}

/// Evaluates expressions that each give one count.
fn evaluate(frame: &DataFrame, exprs: Vec<Expr>) -> PolarsResult<Vec<u64>> {
    if exprs.is_empty() {
        return Ok(Vec::new());
    }
    let named: Vec<Expr> = exprs.into_iter().enumerate().map(|(at, expr)| expr.alias(at.to_string())).collect();
    let counted = frame.clone().lazy().select(named).collect()?;
    counted.columns().iter().map(|column| column.get(0)?.try_extract::<u64>()).collect()
}

/// Returns the number of rows of a frame's only column, added up.
fn total(frame: &DataFrame, column: &str) -> PolarsResult<u64> {
    let sum = frame.clone().lazy().select([col(column).cast(DataType::UInt64).sum()]).collect()?;
    sum.column(column)?.get(0)?.try_extract()
}

/// Says what kind of error Polars met. Its own text may hold a value of a row, so it is not shown.
fn reason(error: &PolarsError) -> String {
    match error {
        PolarsError::ColumnNotFound(_) | PolarsError::SchemaFieldNotFound(_) => "a column is missing",
        PolarsError::SchemaMismatch(_) | PolarsError::InvalidOperation(_) => "the types do not fit the rule",
        PolarsError::ShapeMismatch(_) => "the batches differ in shape",
        PolarsError::Context { error, .. } | PolarsError::ExprContext { error, .. } => return reason(error),
        _ => "the computation failed",
    }
    .to_owned()
}

fn to_polars(table: &str, batches: &[RecordBatch]) -> Result<DataFrame, QualityError> {
    lake_table::bridge::to_polars(batches).map_err(|_| QualityError::Rows(table.to_owned()))
}

#[cfg(test)]
mod tests;
