//! Checks a result against its contract before anybody can read it.
//!
//! Checked are: columns that are required, the key, and every rule of the contract, as SQL over the result. A rule that needs
//! a table which the session does not hold is left to `dq-check`.

use crate::{Built, Session, SqlError, rule::answer};
use arrow::{
    array::{Array as _, AsArray as _},
    compute::cast,
    datatypes::{DataType, Float64Type},
};
use lake_core::{
    Contract,
    contract::{
        odcs::{Metric, Quality, Relationship, Severity},
        tolerance::percent,
    },
};
use std::collections::BTreeSet;

/// Outcome of one rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Id of the rule.
    pub rule: String,
    /// What a failure means.
    pub severity: Severity,
    /// Whether the rule holds.
    pub passed: bool,
    /// What was measured.
    pub measured: f64,
}

impl Finding {
    /// Whether the finding forbids a commit.
    #[must_use]
    pub fn forbids(&self) -> bool {
        !self.passed && self.severity == Severity::Error
    }
}

/// Checks a result that stands in the session under its table's name.
///
/// # Errors
/// When a rule cannot be run: that is no pass.
pub async fn audit(session: &Session, contract: &Contract, built: &Built) -> Result<Vec<Finding>, SqlError> {
    let mut findings = structure(contract, built);
    let rules: Vec<(Option<&str>, &Quality)> = contract
        .rules()
        .filter(|(_, rule)| rule.reads().into_iter().all(|table| session.declares(table)))
        .map(|(column, rule)| (column.map(|column| column.name.as_str()), rule))
        .collect();
    let counts = rules.iter().filter_map(|(column, rule)| aggregate(*column, rule));
    let counts: Vec<String> = counts.enumerate().map(|(at, count)| format!(", {count} AS rule{at}")).collect();
    let mut counted =
        numbers(session, &format!("SELECT COUNT(*) AS rows{} FROM {}", counts.concat(), contract.table)).await?.into_iter();
    let rows = counted.next().unwrap_or_default() as u64;
    for (column, rule) in rules {
        let count = match aggregate(column, rule) {
            Some(_) => Ok(counted.next().unwrap_or_default()),
            None => {
                let sql = rule.sql(&contract.table, column).unwrap_or_else(|| duplicates(contract, column, rule));
                answer(session, &rule.id, &sql, &tables(contract, rule)).await?
            }
        };
        // A rule that the rows do not answer is a failed one, as bad as its severity says.
        let (passed, measured) = count.map_or((false, f64::NAN), |count| (rule.keeps(count, rows), rule.measure(count, rows)));
        findings.push(Finding { rule: rule.id.clone(), severity: rule.severity, passed, measured });
    }
    for relationship in &contract.document.schema[0].relationships {
        if let Some(finding) = reference(session, contract, relationship).await? {
            findings.push(finding);
        }
    }
    Ok(findings)
}

/// What a rule sees: the result, and what it declares.
fn tables(contract: &Contract, rule: &Quality) -> BTreeSet<String> {
    rule.reads().into_iter().chain([contract.table.as_str()]).map(str::to_owned).collect()
}

/// What the pass over the rows has learned already.
fn structure(contract: &Contract, built: &Built) -> Vec<Finding> {
    let finding =
        |rule: String, broken: u64| Finding { rule, severity: Severity::Error, passed: broken == 0, measured: broken as f64 };
    let required = contract.columns.iter().filter(|column| column.required || column.key_position.is_some());
    let mut findings: Vec<Finding> = required
        .map(|column| finding(format!("{}_required", column.name), built.nulls.get(&column.name).copied().unwrap_or(0)))
        .collect();
    findings.push(finding("key_unique".to_owned(), built.repeated_keys));
    findings
}

/// A rule that one pass over all rows can count beside others.
fn aggregate(column: Option<&str>, rule: &Quality) -> Option<String> {
    let column = column.map(quoted);
    let broken = match (rule.metric?, column) {
        (Metric::RowCount, _) => return Some("COUNT(*)".to_owned()),
        (Metric::NullValues, Some(column)) => format!("{column} IS NULL"),
        (Metric::MissingValues, Some(column)) => {
            format!("{column} IS NULL OR {}", one_of(&column, &rule.arguments.missing_values))
        }
        (Metric::InvalidValues, Some(column)) => format!("{column} IS NOT NULL AND NOT ({})", valid(&column, rule)),
        (Metric::DuplicateValues, _) | (_, None) => return None,
    };
    Some(format!("COUNT(*) FILTER (WHERE {broken})"))
}

fn valid(column: &str, rule: &Quality) -> String {
    let mut conditions = Vec::new();
    if !rule.arguments.valid_values.is_empty() {
        conditions.push(one_of(column, &rule.arguments.valid_values));
    }
    if let Some(pattern) = &rule.arguments.pattern {
        conditions.push(format!("regexp_like({column}, {})", literal(&format!("^(?:{pattern})$"))));
    }
    if let Some(minimum) = rule.arguments.minimum {
        conditions.push(format!("{column} >= {minimum}"));
    }
    if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") }
}

fn one_of(column: &str, values: &[String]) -> String {
    if values.is_empty() {
        return "FALSE".to_owned();
    }
    let values: Vec<String> = values.iter().map(|value| literal(value)).collect();
    format!("CAST({column} AS VARCHAR) IN ({})", values.join(", "))
}

/// Rows whose combination of columns stands more than once.
fn duplicates(contract: &Contract, column: Option<&str>, rule: &Quality) -> String {
    let columns: Vec<String> = match column {
        Some(column) if rule.arguments.properties.is_empty() => vec![quoted(column)],
        _ => rule.arguments.properties.iter().map(|name| quoted(name)).collect(),
    };
    let columns = columns.join(", ");
    format!(
        "SELECT COALESCE(SUM(times), 0) FROM (SELECT COUNT(*) AS times FROM {} GROUP BY {columns} HAVING COUNT(*) > 1)",
        contract.table
    )
}

async fn reference(session: &Session, contract: &Contract, relationship: &Relationship) -> Result<Option<Finding>, SqlError> {
    let (from, tolerance) = (relationship.column(), relationship.tolerance());
    let Some((table, to)) = relationship.target().filter(|(table, _)| session.declares(table)) else {
        return Ok(None);
    };
    let rule = format!("{from}_references_{table}");
    let sql = format!(
        "SELECT COUNT(*) AS valued, COUNT(*) FILTER (WHERE target.{to} IS NULL) AS orphans FROM {} AS own \
         LEFT JOIN (SELECT DISTINCT {to} FROM {table}) AS target ON own.{from} = target.{to} WHERE own.{from} IS NOT NULL",
        contract.table,
        from = quoted(from),
        to = quoted(to),
    );
    let counted = numbers(session, &sql).await?;
    let [valued, orphans] = counted.as_slice() else {
        return Err(SqlError::Proof { statement: rule, problem: "no counts came back".to_owned() });
    };
    let valued = *valued as u64;
    let (passed, measured) = (tolerance.allows(*orphans, valued), percent(*orphans, valued));
    Ok(Some(Finding { rule, severity: tolerance.severity, passed, measured }))
}

/// Runs a query of one row of numbers.
async fn numbers(session: &Session, sql: &str) -> Result<Vec<f64>, SqlError> {
    let refuse = |problem: String| SqlError::Proof { statement: "a rule".to_owned(), problem };
    let batches = session.rows(sql).await?;
    let rows: usize = batches.iter().map(arrow::array::RecordBatch::num_rows).sum();
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0).filter(|_| rows == 1) else {
        return Err(refuse(format!("{rows} rows instead of one")));
    };
    let mut numbers = Vec::new();
    for column in batch.columns() {
        let column = cast(column, &DataType::Float64).map_err(|_| refuse("not a number".to_owned()))?;
        let values = column.as_primitive::<Float64Type>();
        numbers.push(if values.is_null(0) { return Err(refuse("null instead of a number".to_owned())) } else { values.value(0) });
    }
    Ok(numbers)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
