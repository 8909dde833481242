//! Findings for people and for programs.

use lake_core::contract::odcs::Severity;
use lake_quality::{Finding, Verdict};
use serde_json::{Value, json};

/// One JSON line per finding.
pub(crate) fn json_lines(verdict: &Verdict) -> Vec<String> {
    verdict.report.findings.iter().map(|finding| json_line(verdict, finding).to_string()).collect()
}

fn json_line(verdict: &Verdict, finding: &Finding) -> Value {
    json!({
        "table": verdict.key.table,
        "version": verdict.key.version,
        "rule": finding.rule,
        "severity": severity(finding),
        "dimension": finding.dimension,
        "passed": finding.passed,
        "measured": finding.measured,
        "expected": finding.expected,
        "message": finding.message,
    })
}

const fn severity(finding: &Finding) -> &'static str {
    lake_quality::severity_text(finding.severity)
}

/// A table of findings, failed ones first, and the verdict below.
pub(crate) fn table(verdict: &Verdict) -> Vec<String> {
    let mut findings: Vec<&Finding> = verdict.report.findings.iter().collect();
    findings.sort_by_key(|finding| finding.passed);
    let width = findings.iter().map(|finding| finding.rule.len()).max().unwrap_or(0);
    let row = |finding: &&Finding| {
        let mark = match (finding.passed, finding.severity) {
            (true, _) => "ok",
            (false, Severity::Error) => "FAILED",
            (false, _) => "failed",
        };
        let (severity, rule) = (severity(finding), &finding.rule);
        format!("{mark:6}  {severity:7}  {rule:width$}  {} (expected {})", finding.message, finding.expected)
    };
    let mut lines: Vec<String> = findings.iter().map(row).collect();
    lines.push(last_line(verdict));
    lines
}

fn last_line(verdict: &Verdict) -> String {
    let (key, report) = (&verdict.key, &verdict.report);
    let decided = match (&verdict.waived_by, verdict.passed) {
        (Some(name), _) => format!("waived by {name}"),
        (None, true) => "passed".to_owned(),
        (None, false) => "failed".to_owned(),
    };
    let held = report.findings.iter().filter(|finding| finding.passed).count();
    let (rules, rows, score) = (report.findings.len(), report.rows, verdict.score);
    format!("{} version {} {decided}: {held} of {rules} rules hold for {rows} rows, score {score:.1}", key.table, key.version)
}
