//! Compiles a contract to rules: those that it spells out and those that it implies.

use crate::{
    Finding, Need, State,
    bound::Bound,
    measure::{Reason, count, predicate},
};
use chrono::Duration;
use lake_core::{
    Contract,
    contract::{
        Column, ColumnType,
        odcs::{Arguments, Metric, Quality, QualityKind, Relationship, Severity, SlaProperty, Unit},
        tolerance::is_few,
    },
};
use polars::prelude::Expr;
use std::collections::BTreeSet;

/// One rule, ready to run or with the reason why it cannot.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) severity: Severity,
    pub(crate) dimension: String,
    pub(crate) bound: Bound,
    /// Fewer failing rows than this do not fail the rule: of a handful of rows one is many percent.
    pub(crate) failing_rows_min: u32,
    pub(crate) test: Result<Test, Reason>,
    /// Why nobody is to judge it.
    pub(crate) left_out: Option<Reason>,
}

impl Rule {
    /// The test, unless the rule is left out or cannot run.
    pub(crate) fn runs(&self) -> Option<&Test> {
        self.test.as_ref().ok().filter(|_| self.left_out.is_none())
    }

    /// Whether a measured value, of a number of rows where rows were counted, keeps the rule.
    pub(crate) fn holds(&self, measured: f64, counted: Option<u64>) -> bool {
        self.bound.holds(measured) || counted.is_some_and(|rows| is_few(rows as f64, self.failing_rows_min))
    }

    /// What is expected, for people: `<= 5 percent, or fewer than 10 rows`.
    pub(crate) fn expected(&self) -> String {
        match self.failing_rows_min {
            0 => self.bound.text(),
            rows => format!("{}, or fewer than {rows} rows", self.bound.text()),
        }
    }
}

/// A question that somebody else must ask by SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Id of the rule.
    pub rule: String,
    /// One SELECT of one number.
    pub sql: String,
    /// Tables that it may read: its own, and those that the rule declares.
    pub tables: BTreeSet<String>,
}

/// How a rule is measured.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    /// Counts rows.
    Rows,
    /// Counts rows of a batch by an expression; `what` completes "3 of 5 rows".
    Count { column: String, expr: Expr, what: &'static str },
    /// Counts rows whose key stands more than once. Rows without any value are no duplicates, unless nulls are keys too.
    Duplicates { columns: Vec<String>, null_keys: bool },
    /// Age of the newest value, in a unit.
    Newest { column: String, kind: ColumnType, unit: Duration, unit_name: String },
    /// A number that somebody else asks for by SQL.
    Query(Query),
    /// Counts rows whose value is not in a column of another table.
    Orphans { column: String, table: String, to: String },
}

impl Test {
    /// Whether it cannot be judged without something. A query needs a column when its text names it.
    pub(crate) fn needs(&self, need: Need<'_>) -> bool {
        match (self, need) {
            (Self::Query(query), Need::Column(name)) => names(&query.sql, name),
            (Self::Query(query), Need::Table(name)) => query.tables.contains(name),
            (_, Need::Column(name)) => self.columns().contains(&name),
            (Self::Orphans { table, .. }, Need::Table(name)) => table == name,
            (Self::Newest { .. }, Need::Instant) => true,
            (_, Need::Table(_) | Need::Instant) => false,
        }
    }

    /// Columns of the checked table that it reads.
    pub(crate) fn columns(&self) -> Vec<&str> {
        match self {
            Self::Rows | Self::Query(_) => Vec::new(),
            Self::Count { column, .. } | Self::Newest { column, .. } | Self::Orphans { column, .. } => vec![column],
            Self::Duplicates { columns, .. } => columns.iter().map(String::as_str).collect(),
        }
    }
}

/// Whether a text holds a name as a word of its own.
fn names(text: &str, name: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
}

/// Returns the rules that look at rows: quality, required columns, the key, references.
pub(crate) fn of_rows(contract: &Contract) -> Vec<Rule> {
    let mut rules: Vec<Rule> = contract.rules().map(|(column, quality)| explicit(contract, column, quality)).collect();
    rules.extend(contract.columns.iter().filter(|c| c.required).map(required));
    rules.extend(unique_key(contract));
    rules
}

/// Returns the rules that need other tables.
pub(crate) fn of_references(contract: &Contract) -> Vec<Rule> {
    contract.document.schema[0].relationships.iter().map(|relationship| reference(contract, relationship)).collect()
}

/// Returns the rules about the age of the data.
pub(crate) fn of_ages(contract: &Contract) -> Vec<Rule> {
    let latency = |sla: &&SlaProperty| matches!(sla.property.to_ascii_lowercase().as_str(), "latency" | "ly");
    let levels = contract.document.sla_properties.iter().filter(latency);
    levels
        .flat_map(|sla| sla.element.as_deref().unwrap_or("").split(',').map(move |element| age(contract, sla, element.trim())))
        .collect()
}

/// Returns how many seconds old the newest value is on which a service level `latency` looks, by what was found; of several
/// service levels the greatest age.
#[must_use]
pub fn age_seconds(contract: &Contract, findings: &[Finding]) -> Option<f64> {
    let age = |rule: Rule| {
        let Ok(Test::Newest { unit, .. }) = &rule.test else { return None };
        let found = findings.iter().find(|finding| finding.rule == rule.id && finding.state == State::Judged)?;
        Some(found.measured? * unit.num_seconds() as f64)
    };
    of_ages(contract).into_iter().filter_map(age).reduce(f64::max)
}

fn explicit(contract: &Contract, column: Option<&Column>, quality: &Quality) -> Rule {
    let dimension = quality.dimension.clone().unwrap_or_else(|| default_dimension(quality.metric).to_owned());
    let test = test(contract, column, quality);
    Rule {
        id: quality.id.clone(),
        severity: quality.severity,
        dimension,
        bound: Bound::Operator(Box::new(quality.clone())),
        failing_rows_min: quality.failing_rows_min(),
        test,
        left_out: None,
    }
}

const fn default_dimension(metric: Option<Metric>) -> &'static str {
    match metric {
        Some(Metric::NullValues | Metric::MissingValues) => "completeness",
        Some(Metric::DuplicateValues) => "uniqueness",
        Some(Metric::RowCount) => "coverage",
        Some(Metric::InvalidValues) | None => "conformity",
    }
}

fn test(contract: &Contract, column: Option<&Column>, quality: &Quality) -> Result<Test, Reason> {
    if quality.kind == QualityKind::Sql {
        let sql = quality.sql(&contract.table, column.map(|column| column.name.as_str())).ok_or("the rule has no query")?;
        let tables = quality.reads().into_iter().chain([contract.table.as_str()]).map(str::to_owned).collect();
        return Ok(Test::Query(Query { rule: quality.id.clone(), sql, tables }));
    }
    let metric = quality.metric.ok_or("the rule names no metric")?;
    if let Some(argument) = foreign_argument(metric, &quality.arguments) {
        return Err(format!("the metric does not take `{argument}`"));
    }
    let what = match metric {
        Metric::RowCount if quality.unit == Unit::Percent => return Err("rows cannot be counted in percent of themselves".into()),
        Metric::RowCount => return Ok(Test::Rows),
        Metric::DuplicateValues => return duplicates(contract, column, &quality.arguments),
        Metric::NullValues => "are null",
        Metric::MissingValues => "are missing",
        Metric::InvalidValues => "are invalid",
    };
    let column = match (column, quality.arguments.properties.as_slice()) {
        (Some(column), []) => column,
        (None, [name]) => contract.column(name).ok_or_else(|| unknown(name))?,
        _ => return Err("the rule must stand at a column, or name exactly one".into()),
    };
    let expr = count(predicate(metric, column, &quality.arguments)?);
    Ok(Test::Count { column: column.name.clone(), expr, what })
}

/// Returns an argument that a metric would silently ignore.
fn foreign_argument(metric: Metric, arguments: &Arguments) -> Option<&'static str> {
    let missing = matches!(metric, Metric::MissingValues | Metric::InvalidValues);
    let invalid = metric == Metric::InvalidValues;
    let given = [
        ("missingValues", !missing && !arguments.missing_values.is_empty()),
        ("validValues", !invalid && !arguments.valid_values.is_empty()),
        ("pattern", !invalid && arguments.pattern.is_some()),
        ("minimum", !invalid && arguments.minimum.is_some()),
        ("properties", metric == Metric::RowCount && !arguments.properties.is_empty()),
    ];
    given.into_iter().find(|(_, foreign)| *foreign).map(|(name, _)| name)
}

fn duplicates(contract: &Contract, column: Option<&Column>, arguments: &Arguments) -> Result<Test, Reason> {
    let columns = match (column, arguments.properties.as_slice()) {
        (Some(column), []) => vec![column.name.clone()],
        (None, []) => return Err("the rule names no column".into()),
        (_, names) => names.to_vec(),
    };
    match columns.iter().find(|name| contract.column(name).is_none()) {
        Some(name) => Err(unknown(name)),
        None => Ok(Test::Duplicates { columns, null_keys: false }),
    }
}

fn unknown(column: &str) -> Reason {
    format!("column `{column}` is not in the contract")
}

fn required(column: &Column) -> Rule {
    let expr = predicate(Metric::NullValues, column, &Arguments::default()).map(count);
    Rule {
        id: format!("required:{}", column.name),
        severity: Severity::Error,
        dimension: "completeness".into(),
        bound: Bound::no_rows(),
        failing_rows_min: 0,
        test: expr.map(|expr| Test::Count { column: column.name.clone(), expr, what: "are null" }),
        left_out: None,
    }
}

/// Nulls are keys too: a nullable part of a key still tells rows apart, and two rows with equal nulls are the same key.
///
/// A contract that has a rule of its own about the key says there how bad a repeated one is: a source that does not enforce
/// keys may send a row twice, and Bronze keeps it as received.
fn unique_key(contract: &Contract) -> Option<Rule> {
    let columns: Vec<String> = contract.key().into_iter().map(str::to_owned).collect();
    (!columns.is_empty()).then(|| Rule {
        id: format!("primary-key:{}", columns.join(",")),
        severity: own_rule(contract, &columns).map_or_else(Severity::default, |rule| rule.severity),
        dimension: "uniqueness".into(),
        bound: Bound::no_rows(),
        failing_rows_min: 0,
        test: Ok(Test::Duplicates { columns, null_keys: true }),
        left_out: None,
    })
}

/// Returns the contract's own rule that no combination of exactly these columns repeats.
fn own_rule<'a>(contract: &'a Contract, columns: &[String]) -> Option<&'a Quality> {
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort_unstable();
        names
    };
    let same =
        |rule: &&Quality| rule.metric == Some(Metric::DuplicateValues) && sorted(&rule.arguments.properties) == sorted(columns);
    contract.document.schema[0].quality.iter().find(same)
}

fn reference(contract: &Contract, relationship: &Relationship) -> Rule {
    let (tolerance, column) = (relationship.tolerance(), relationship.column());
    let test = match (contract.column(column), relationship.target()) {
        (None, _) => Err(unknown(column)),
        (_, None) => Err(format!("`{}` is not table.column", relationship.to)),
        (Some(_), Some((table, to))) => {
            Ok(Test::Orphans { column: column.to_owned(), table: table.to_owned(), to: to.to_owned() })
        }
    };
    Rule {
        id: format!("reference:{column}:{}", relationship.to),
        severity: tolerance.severity,
        dimension: "consistency".into(),
        bound: Bound::AtMost(f64::from(tolerance.orphans_percent_max), "percent".into()),
        failing_rows_min: tolerance.failing_rows_min,
        test,
        left_out: None,
    }
}

fn age(contract: &Contract, sla: &SlaProperty, element: &str) -> Rule {
    let column = element.rsplit('.').next().unwrap_or_default();
    let unit_name = sla.unit.clone().unwrap_or_default();
    Rule {
        id: format!("latency:{column}"),
        severity: Severity::Error,
        dimension: "timeliness".into(),
        bound: Bound::AtMost(sla.value, unit_name.clone()),
        failing_rows_min: 0,
        test: newest(contract, column, unit_name),
        left_out: None,
    }
}

fn newest(contract: &Contract, column: &str, unit_name: String) -> Result<Test, Reason> {
    if column.is_empty() {
        return Err("`latency` names no element".into());
    }
    let column = contract.column(column).ok_or_else(|| unknown(column))?;
    if !matches!(column.kind, ColumnType::Date | ColumnType::Timestamp) {
        return Err(format!("an age needs a date or a timestamp and `{}` is {}", column.name, column.kind));
    }
    let unit = match unit_name.to_ascii_lowercase().as_str() {
        "s" | "second" | "seconds" => Duration::seconds(1),
        "m" | "min" | "minute" | "minutes" => Duration::minutes(1),
        "h" | "hour" | "hours" => Duration::hours(1),
        "d" | "day" | "days" => Duration::days(1),
        _ => return Err("the unit of `latency` must be s, m, h or d".into()),
    };
    Ok(Test::Newest { column: column.name.clone(), kind: column.kind, unit, unit_name })
}
