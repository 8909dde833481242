//! Whether a contract is sound on its own: its columns, rules, twins and service levels fit together.
//!
//! Every problem is found in one go; what needs other contracts is in `references`.

use super::{
    Column, ColumnType, Contract, ContractError, Layer,
    error::did_you_mean,
    history,
    layer::QualityProperty,
    odcs::{Metric, Property, Quality, QualityKind, Unit},
    service, sound_record, sound_silver,
};
use crate::mask::Method;

/// Checks what one contract says of itself.
pub(super) fn validate(contract: &Contract) -> Result<(), ContractError> {
    let mut problems = Problems::default();
    columns(contract, &mut problems);
    rules(contract, &mut problems);
    twins(contract, &mut problems);
    elements(contract, &mut problems);
    history::check(contract, &mut problems);
    service::check(contract, &mut problems);
    match &contract.layer {
        Layer::Bronze(bronze) => sound_record::check(contract, bronze, &mut problems),
        Layer::Silver(silver) => sound_silver::table(contract, silver, &mut problems),
        Layer::Gold(gold) => {
            let inputs: Vec<&str> = gold.inputs.iter().map(String::as_str).collect();
            gold.accounts_for.iter().for_each(|name| problems.known("`accountsFor`", "input", name, &inputs));
            if let Some(name) = &gold.snapshot {
                snapshot(contract, name, &mut problems);
            }
        }
    }
    problems.into_result(contract)
}

/// What is wrong, collected.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<String>);

impl Problems {
    /// Takes down one problem.
    pub(super) fn add(&mut self, problem: impl Into<String>) {
        self.0.push(problem.into());
    }

    /// Takes down a name that nobody knows.
    pub(super) fn known(&mut self, place: &str, what: &str, name: &str, known: &[&str]) {
        if !known.contains(&name) {
            self.add(format!("{place} names unknown {what} `{name}`{}", did_you_mean(name, known.iter().copied())));
        }
    }

    /// Takes down names that stand more than once.
    pub(super) fn distinct<'a>(&mut self, what: &str, names: impl IntoIterator<Item = &'a str>) {
        let mut seen = Vec::new();
        for name in names {
            if seen.contains(&name) {
                self.add(format!("{what} `{name}` is declared twice"));
            }
            seen.push(name);
        }
    }

    /// One error for all problems of a contract, each with its file.
    pub(super) fn into_result(self, contract: &Contract) -> Result<(), ContractError> {
        let invalid = |problem| ContractError::Invalid { path: contract.path.clone(), problem };
        ContractError::all(self.0.into_iter().map(invalid).collect())
    }
}

/// Names of a contract's columns.
pub(super) fn names(contract: &Contract) -> Vec<&str> {
    contract.columns.iter().map(|column| column.name.as_str()).collect()
}

fn columns(contract: &Contract, problems: &mut Problems) {
    problems.distinct("column", names(contract));
    for (property, column) in contract.document.schema[0].properties.iter().zip(&contract.columns) {
        let fitting: &[&str] = match column.kind {
            ColumnType::String | ColumnType::Binary => &["string"],
            ColumnType::Int | ColumnType::Long => &["integer"],
            ColumnType::Decimal(_, 0) => &["integer", "number"],
            ColumnType::Double | ColumnType::Decimal(..) => &["number"],
            ColumnType::Boolean => &["boolean"],
            ColumnType::Date => &["date"],
            ColumnType::Timestamp => &["timestamp"],
        };
        if !fitting.contains(&property.logical_type.as_str()) {
            let (name, kind) = (&column.name, column.kind);
            problems.add(format!(
                "column `{name}` is {kind}, so its `logicalType` is `{}`, not `{}`",
                fitting[0], property.logical_type
            ));
        }
    }
    let mut positions: Vec<u32> = contract.columns.iter().filter_map(|c| c.key_position).collect();
    positions.sort_unstable();
    if positions.is_empty() {
        problems.add("no column has `primaryKey: true`");
    } else if !positions.iter().copied().eq(1..=u32::try_from(positions.len()).unwrap_or(u32::MAX)) {
        problems.add(format!("`primaryKeyPosition` must count the key's columns from 1, not {positions:?}"));
    }
}

fn rules(contract: &Contract, problems: &mut Problems) {
    let schema = &contract.document.schema[0];
    let own =
        schema.properties.iter().zip(&contract.columns).flat_map(|(p, c)| p.quality.iter().map(move |rule| (rule, Some((p, c)))));
    let all: Vec<_> = schema.quality.iter().map(|rule| (rule, None)).chain(own).collect();
    problems.distinct("rule", all.iter().map(|(rule, _)| rule.id.as_str()));
    for (rule, place) in all {
        for problem in rule_problems(rule, place) {
            problems.add(format!("rule `{}` {problem}", rule.id));
        }
        let place = format!("rule `{}`", rule.id);
        problems.distinct(&format!("table of {place}"), rule.reads());
        if rule.reads().contains(&contract.table.as_str()) {
            problems.add(format!("{place} reads its own table, which is `{{object}}` in its query"));
        }
        rule.arguments.properties.iter().for_each(|name| problems.known(&place, "column", name, &names(contract)));
    }
}

/// A share of few rows says little, but a rule that is no upper limit of a share has no use for a least number of them.
fn failing_rows_problem(rule: &Quality) -> Option<String> {
    let limits_a_share = rule.kind == QualityKind::Library
        && rule.unit == Unit::Percent
        && (rule.must_be_less_than.is_some() || rule.must_be_less_or_equal_to.is_some());
    match rule.custom_properties.iter().filter(|property| matches!(property, QualityProperty::FailingRowsMin(_))).count() {
        0 => None,
        1 if limits_a_share => None,
        1 => Some(
            "has `failingRowsMin`, which needs a metric, `unit: percent` and `mustBeLessThan` or `mustBeLessOrEqualTo`".into(),
        ),
        _ => Some("has `failingRowsMin` twice".to_owned()),
    }
}

/// What a query says of tables and columns must be there to be said.
fn query_problem(rule: &Quality, at_a_column: bool) -> Option<String> {
    let reads = rule.custom_properties.iter().filter(|property| matches!(property, QualityProperty::Reads(_))).count();
    match (reads, rule.names_its_column()) {
        (2.., _) => Some("has `reads` twice".to_owned()),
        (1, _) if rule.query.is_none() => Some("has `reads`, which needs a query".to_owned()),
        (_, Some(placeholder)) if !at_a_column => Some(format!("names `{placeholder}`, but it stands at no column")),
        _ => None,
    }
}

fn rule_problems(rule: &Quality, place: Option<(&Property, &Column)>) -> Vec<String> {
    let mut problems = Vec::new();
    if rule.operators() != 1 {
        problems.push("must have exactly one operator (mustBe, mustBeLessThan, ...)".to_owned());
    }
    if rule.metric.is_some() == rule.query.is_some() {
        problems.push("must have either a `metric` or a `query`".to_owned());
    } else if rule.query.is_some() != (rule.kind == QualityKind::Sql) {
        problems.push("must have a `query` if its type is sql, else a `metric`".to_owned());
    }
    problems.extend(failing_rows_problem(rule));
    problems.extend(query_problem(rule, place.is_some()));
    let arguments = &rule.arguments;
    match (rule.metric, place) {
        (Some(Metric::RowCount), Some(_)) => problems.push("counts rows, so it stands at the table, not at a column".to_owned()),
        (Some(Metric::RowCount), None) if rule.unit == Unit::Percent => problems.push("counts rows, not percent".to_owned()),
        (Some(Metric::NullValues | Metric::MissingValues | Metric::InvalidValues), None) => {
            problems.push("looks at one column, so it stands at that column".to_owned());
        }
        (Some(Metric::DuplicateValues), None) if arguments.properties.is_empty() => {
            problems.push("needs `properties`: the columns whose combination is unique".to_owned());
        }
        (Some(Metric::InvalidValues), Some((_, column))) => {
            if arguments.valid_values.is_empty() && arguments.pattern.is_none() && arguments.minimum.is_none() {
                problems.push("needs `validValues`, `pattern` or `minimum`".to_owned());
            }
            if arguments.pattern.is_some() && !column.kind.written() {
                problems.push(format!("has a pattern, but `{}` is {}", column.name, column.kind));
            }
            if arguments.minimum.is_some() && !column.kind.numeric() {
                problems.push(format!("has a minimum, but `{}` is {}", column.name, column.kind));
            }
        }
        _ => {}
    }
    problems
}

fn twins(contract: &Contract, problems: &mut Problems) {
    let silver = matches!(contract.layer, Layer::Silver(_));
    let twinned = |name: &str| contract.columns.iter().any(|c| c.mask.as_ref().is_some_and(|m| m.of == name));
    for column in &contract.columns {
        let name = &column.name;
        match contract.layer {
            Layer::Gold(_) if column.pii() => problems.add(format!("Gold must not hold the PII column `{name}`")),
            Layer::Silver(_) if column.pii() && !twinned(name) => problems.add(format!("PII column `{name}` has no masked twin")),
            _ => {}
        }
        if !silver && (column.mask.is_some() || !column.gold_views.is_empty()) {
            problems.add(format!("column `{name}`: `mask` and `goldViews` belong to Silver"));
        }
        if let Some(mask) = &column.mask {
            twin(contract, column, &mask.of, problems);
            if matches!(mask.method, Method::Token | Method::DomainClass) {
                problems.add(format!("mask of `{name}`: the method needs a key or the policy, which only Gold views have"));
            }
        }
        if !column.gold_views.is_empty() && !column.pii() {
            problems.add(format!("column `{name}` has `goldViews` but is no PII: models see it as it is"));
        }
    }
    let views = contract.columns.iter().flat_map(|c| &c.gold_views).map(|view| view.column.as_str());
    problems.distinct("Gold view", views.chain(names(contract)));
}

fn twin(contract: &Contract, column: &Column, of: &str, problems: &mut Problems) {
    let place = format!("mask of `{}`", column.name);
    problems.known(&place, "column", of, &names(contract));
    if contract.column(of).is_some_and(|other| !other.pii()) {
        problems.add(format!("{place}: `{of}` is no PII"));
    }
    if column.kind != ColumnType::String || column.pii() {
        problems.add(format!("{place}: a twin is a STRING and no PII"));
    }
}

/// A snapshot keeps rows of many dates, so the date is a part of the key, and something else is the rest of it.
fn snapshot(contract: &Contract, name: &str, problems: &mut Problems) {
    problems.known("`snapshot`", "column", name, &names(contract));
    let Some(column) = contract.column(name) else { return };
    if column.kind != ColumnType::Date {
        problems.add(format!("`snapshot` needs a DATE, and `{name}` is {}", column.kind));
    }
    if column.key_position.is_none() || contract.key().len() < 2 {
        problems.add(format!("`snapshot`: `{name}` must be in the key, beside what a row of one date is about"));
    }
}

/// Texts of the form `table.column` that name columns of this contract.
fn elements(contract: &Contract, problems: &mut Problems) {
    let schema = &contract.document.schema[0];
    for relationship in &schema.relationships {
        column_of(contract, "relationship", &relationship.from, problems);
    }
    for level in latency_levels(contract) {
        let Some(element) = &level.element else {
            problems.add("service level `latency` needs an `element`: the `table.column` that tells how fresh the rows are");
            continue;
        };
        let column = column_of(contract, "service level `latency`", element, problems);
        if let Some(column) = column.filter(|c| !matches!(c.kind, ColumnType::Timestamp | ColumnType::Date)) {
            problems.add(format!("service level `latency` needs a TIMESTAMP or DATE, and `{}` is {}", column.name, column.kind));
        }
        if !matches!(level.unit.as_deref(), Some("m" | "h" | "d")) {
            problems.add("service level `latency` needs the unit `m`, `h` or `d`");
        }
    }
}

fn latency_levels(contract: &Contract) -> impl Iterator<Item = &super::odcs::SlaProperty> {
    contract.document.sla_properties.iter().filter(|level| level.property.eq_ignore_ascii_case("latency"))
}

fn column_of<'a>(contract: &'a Contract, place: &str, element: &str, problems: &mut Problems) -> Option<&'a Column> {
    let schema = &contract.document.schema[0];
    let own = |table: &str| table == schema.name || table == schema.physical_name;
    let Some((_, column)) = element.split_once('.').filter(|(table, _)| own(table)) else {
        problems.add(format!("{place} names `{element}`, which must be `{}.column`", schema.name));
        return None;
    };
    problems.known(place, "column", column, &names(contract));
    contract.column(column)
}
