//! What files do not say, as findings: values that cannot be read, columns that are not there or that nobody knows.
//!
//! A finding stands only for what is wrong; a file that says everything adds none.

use super::sink::Seen;
use lake_core::{Contract, contract::odcs::Severity};
use lake_quality::{Checks, Finding, Need, State};

/// Leaves out the rules about columns that Sluice adds where no file has them.
pub(super) fn leave_out(contract: &Contract, seen: &Seen, checks: &mut Checks) {
    let added = contract.columns.iter().map(|column| column.name.as_str()).filter(|name| name.starts_with('_'));
    for name in added.filter(|name| !seen.present.contains(*name)) {
        checks.leave_out(Need::Column(name), &format!("column `{name}`, which Sluice adds, is not in the files"));
    }
}

/// Returns what is wrong with the files themselves.
pub(super) fn findings(contract: &Contract, seen: &Seen) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |rule: String, dimension: &str, count: u64, what: String| {
        findings.push(Finding {
            rule,
            severity: Severity::Error,
            dimension: dimension.to_owned(),
            state: State::Judged,
            passed: false,
            measured: Some(count as f64),
            expected: "= 0".to_owned(),
            message: what,
        });
    };
    if seen.broken > 0 {
        let what = format!("{} records cannot be read", seen.broken);
        add("records:sound".to_owned(), "conformity", seen.broken, what);
    }
    if !seen.missing.is_empty() {
        let names: Vec<String> = seen.missing.iter().map(|name| format!("`{name}`")).collect();
        let what = format!("columns of the contract are not in a file: {}", names.join(", "));
        add("columns:present".to_owned(), "completeness", names.len() as u64, what);
    }
    if !seen.unknown.is_empty() {
        let names: Vec<&str> = seen.unknown.iter().map(String::as_str).collect();
        let what = format!("columns are not in the contract: {}", names.join(", "));
        add("columns:known".to_owned(), "conformity", names.len() as u64, what);
    }
    for column in &contract.columns {
        if let Some(values) = seen.unreadable.get(&column.name) {
            let what = format!("{}: {values} of {} rows hold no {}", column.name, seen.rows, column.kind);
            add(format!("readable:{}", column.name), "conformity", *values, what);
        }
    }
    findings
}

/// Returns why files cannot be compared with.
pub(super) fn problem(seen: &Seen) -> Option<String> {
    if seen.broken > 0 {
        return Some(format!("{} records cannot be read", seen.broken));
    }
    seen.unreadable.iter().next().map(|(column, values)| format!("{values} values of `{column}` cannot be read"))
}
