//! What a rule found, and what all findings of a table come to.

use lake_core::contract::odcs::Severity;
use serde::{Deserialize, Serialize};

/// Whether a rule was judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It held or it failed; a rule that could not run has failed.
    #[default]
    Judged,
    /// It compares with earlier windows, and they are too few yet: recorded, and never a failure.
    Learning,
    /// Nobody asked: what it needs was not given. It neither held nor failed.
    NotJudged,
}

impl State {
    /// Returns the name as findings spell it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Judged => "judged",
            Self::Learning => "learning",
            Self::NotJudged => "not_judged",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
    fn is_judged(&self) -> bool {
        *self == Self::Judged
    }
}

/// What one rule found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Id of the rule; those that a contract implies hold a colon, which ids in contracts never do.
    pub rule: String,
    /// What a failure does.
    #[serde(with = "severity_name")]
    pub severity: Severity,
    /// Dimension of quality.
    #[serde(default)]
    pub dimension: String,
    /// Whether it was judged; absent in records that are older than the state.
    #[serde(default, skip_serializing_if = "State::is_judged")]
    pub state: State,
    /// Whether the rule held.
    pub passed: bool,
    /// What was measured; absent when the rule could not run.
    pub measured: Option<f64>,
    /// What was expected.
    pub expected: String,
    /// For people: columns and counts, never a value.
    #[serde(default)]
    pub message: String,
}

impl Finding {
    /// Whether the rule was judged and held.
    #[must_use]
    pub fn held(&self) -> bool {
        self.passed && self.state == State::Judged
    }

    /// Whether the rule was judged and failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        !self.passed && self.state == State::Judged
    }
}

/// All findings about a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Rows that were checked.
    pub rows: u64,
    /// One per rule, in the order of the contract, implied rules last.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether no error rule failed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failed(Severity::Error).next().is_none()
    }

    /// Returns the findings of failed rules of a severity.
    pub fn failed(&self, severity: Severity) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |f| f.failed() && f.severity == severity)
    }

    /// Returns the score of the table.
    #[must_use]
    pub fn score(&self) -> f64 {
        crate::score::of_findings(&self.findings)
    }

    /// Number of rules in a state.
    #[must_use]
    pub fn count(&self, state: State) -> usize {
        self.findings.iter().filter(|f| f.state == state).count()
    }

    /// Number of rules that were judged and held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.findings.iter().filter(|f| f.held()).count()
    }
}

/// Returns the name of a severity as contracts spell it.
#[must_use]
pub const fn severity_text(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

/// `lake-core` only reads severities; findings also write them.
mod severity_name {
    use super::{Severity, severity_text};
    use serde::{Deserialize as _, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
    pub(super) fn serialize<S: Serializer>(severity: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(severity_text(*severity))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Severity, D::Error> {
        Severity::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: Severity, passed: bool) -> Finding {
        Finding {
            rule: "r".into(),
            severity,
            dimension: "d".into(),
            state: State::Judged,
            passed,
            measured: Some(1.5),
            expected: "= 0 rows".into(),
            message: "m".into(),
        }
    }

    fn report(findings: Vec<Finding>) -> Report {
        Report { rows: 0, findings }
    }

    #[test]
    fn only_failed_error_rules_fail_the_verdict() {
        assert!(
            report(vec![finding(Severity::Warning, false), finding(Severity::Info, false), finding(Severity::Error, true)])
                .passed()
        );
        assert!(!report(vec![finding(Severity::Error, true), finding(Severity::Error, false)]).passed());
        assert!(report(Vec::new()).passed());
    }

    #[test]
    fn a_rule_that_was_not_judged_neither_holds_nor_fails() {
        let asked = finding(Severity::Error, true);
        for (passed, state) in
            [(true, State::NotJudged), (false, State::NotJudged), (true, State::Learning), (false, State::Learning)]
        {
            let silent = Finding { state, ..finding(Severity::Error, passed) };
            assert!(!silent.held() && !silent.failed());
            let report = report(vec![asked.clone(), silent, finding(Severity::Warning, false)]);
            assert_eq!((report.passed(), report.score(), report.held()), (true, 75.0, 1));
            assert_eq!((report.count(State::Judged), report.count(state)), (2, 1));
        }
    }

    #[test]
    fn findings_survive_json() {
        let written = finding(Severity::Warning, false);
        let json = serde_json::to_string(&written).unwrap();
        assert!(json.contains(r#""severity":"warning""#) && !json.contains("state"), "{json}");
        assert_eq!(serde_json::from_str::<Finding>(&json).unwrap(), written);
        let silent = Finding { state: State::NotJudged, ..written };
        let json = serde_json::to_string(&silent).unwrap();
        assert!(json.contains(&format!(r#""state":"{}""#, State::NotJudged.text())), "{json}");
        assert_eq!(serde_json::from_str::<Finding>(&json).unwrap(), silent);
        let short = r#"{"rule":"r","severity":"error","passed":true,"measured":null,"expected":"x"}"#;
        let old = serde_json::from_str::<Finding>(short).unwrap();
        assert_eq!((old.measured, old.state), (None, State::Judged));
    }
}
