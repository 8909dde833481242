//! Findings for people and for programs.

use lake_core::contract::odcs::Severity;
use lake_quality::{Finding, Report, State, Verdict, history::POINTS_MIN};
use serde_json::{Value, json};
use std::path::PathBuf;

/// What is shown of a table's rules.
pub(crate) struct Shown<'a> {
    pub(crate) table: &'a str,
    pub(crate) version: Option<i64>,
    /// Which rows: `version 3`, `in orders.csv`.
    pub(crate) place: String,
    pub(crate) report: &'a Report,
    pub(crate) score: f64,
}

/// What is shown of a verdict.
pub(crate) fn of(verdict: &Verdict) -> Shown<'_> {
    Shown {
        table: &verdict.key.table,
        version: Some(verdict.key.version),
        place: format!("version {}", verdict.key.version),
        report: &verdict.report,
        score: verdict.score,
    }
}

/// How a verdict was decided.
pub(crate) fn decision(verdict: &Verdict) -> String {
    match (&verdict.waived_by, verdict.passed) {
        (Some(name), _) => format!("waived by {name}"),
        (None, true) => "passed".to_owned(),
        (None, false) => "failed".to_owned(),
    }
}

/// Ids of the failed error rules, as messages name them.
pub(crate) fn names(report: &Report) -> Vec<String> {
    report.failed(Severity::Error).map(|finding| format!("`{}`", finding.rule)).collect()
}

/// The last line when files were judged.
pub(crate) fn files_line(shown: &Shown<'_>, contract: &str, files: &[PathBuf]) -> Value {
    let failed: Vec<&str> = shown.report.failed(Severity::Error).map(|finding| finding.rule.as_str()).collect();
    json!({
        "schema_version": 1,
        "table": shown.table,
        "contract": contract,
        "files": files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>(),
        "rows": shown.report.rows,
        "passed": shown.report.passed(),
        "score": shown.score,
        "rules": shown.report.count(State::Judged),
        "not_judged": shown.report.count(State::NotJudged),
        "failed_rules": failed,
    })
}

impl Shown<'_> {
    /// One JSON line per finding.
    pub(crate) fn json_lines(&self) -> Vec<String> {
        self.report.findings.iter().map(|finding| self.json_line(finding).to_string()).collect()
    }

    fn json_line(&self, finding: &Finding) -> Value {
        // What was not judged has neither passed nor failed.
        let passed = (finding.state == State::Judged).then_some(finding.passed);
        json!({
            "table": self.table,
            "version": self.version,
            "rule": finding.rule,
            "severity": severity(finding),
            "dimension": finding.dimension,
            "state": finding.state.text(),
            "passed": passed,
            "measured": finding.measured,
            "expected": finding.expected,
            "message": finding.message,
        })
    }

    /// A table of findings, failed ones first and those that were not judged last, and what they come to below.
    pub(crate) fn table(&self, decided: &str) -> Vec<String> {
        let mut findings: Vec<&Finding> = self.report.findings.iter().filter(|f| f.state != State::Learning).collect();
        findings.sort_by_key(|finding| (finding.state, finding.passed));
        let width = findings.iter().map(|finding| finding.rule.len()).max().unwrap_or(0);
        let row = |finding: &&Finding| {
            let mark = match (finding.state, finding.passed, finding.severity) {
                (State::NotJudged | State::Learning, ..) => "-",
                (State::Judged, true, _) => "ok",
                (State::Judged, false, Severity::Error) => "FAILED",
                (State::Judged, false, _) => "failed",
            };
            let (severity, rule) = (severity(finding), &finding.rule);
            format!("{mark:6}  {severity:7}  {rule:width$}  {} (expected {})", finding.message, finding.expected)
        };
        let mut lines: Vec<String> = findings.iter().map(row).collect();
        // They say nothing yet, and there is one for every column.
        if let learning @ 1.. = self.report.count(State::Learning) {
            lines.push(format!("learn   {learning} rules compare with earlier windows, and need {POINTS_MIN} of them"));
        }
        lines.push(self.last_line(decided));
        lines
    }

    fn last_line(&self, decided: &str) -> String {
        let (table, place, report) = (self.table, &self.place, self.report);
        let (held, judged, silent) = (report.held(), report.count(State::Judged), report.count(State::NotJudged));
        let silent = if silent == 0 { String::new() } else { format!(", {silent} are not judged") };
        let (rows, score) = (report.rows, self.score);
        format!("{table} {place} {decided}: {held} of {judged} rules hold for {rows} rows{silent}, score {score:.1}")
    }
}

const fn severity(finding: &Finding) -> &'static str {
    lake_quality::severity_text(finding.severity)
}
