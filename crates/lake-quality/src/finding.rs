//! What a rule found, and what all findings of a table come to.

use lake_core::contract::odcs::Severity;
use serde::{Deserialize, Serialize};

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
        self.findings.iter().filter(move |f| !f.passed && f.severity == severity)
    }

    /// Returns the score: 100 x weighted share of the rules that held, where an error rule weighs 3, a warning 1 and an
    /// information nothing. A table without weighted rules scores 100.
    #[must_use]
    pub fn score(&self) -> f64 {
        let weigh = |passed_only: bool| -> u32 {
            self.findings.iter().filter(|f| f.passed || !passed_only).map(|f| weight(f.severity)).sum()
        };
        match weigh(false) {
            0 => 100.0,
            all => 100.0 * f64::from(weigh(true)) / f64::from(all),
        }
    }
}

const fn weight(severity: Severity) -> u32 {
    match severity {
        Severity::Error => 3,
        Severity::Warning => 1,
        Severity::Info => 0,
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
    fn the_score_weighs_errors_three_times() {
        let score = |findings| report(findings).score();
        assert_eq!(score(vec![finding(Severity::Error, true), finding(Severity::Warning, false)]), 75.0);
        assert_eq!(score(vec![finding(Severity::Error, false), finding(Severity::Warning, true)]), 25.0);
        assert_eq!(score(vec![finding(Severity::Error, true), finding(Severity::Info, false)]), 100.0);
        assert_eq!(score(vec![finding(Severity::Info, false)]), 100.0);
        assert_eq!(score(vec![finding(Severity::Error, false)]), 0.0);
    }

    #[test]
    fn findings_survive_json() {
        let written = finding(Severity::Warning, false);
        let json = serde_json::to_string(&written).unwrap();
        assert!(json.contains(r#""severity":"warning""#), "{json}");
        assert_eq!(serde_json::from_str::<Finding>(&json).unwrap(), written);
        let short = r#"{"rule":"r","severity":"error","passed":true,"measured":null,"expected":"x"}"#;
        assert_eq!(serde_json::from_str::<Finding>(short).unwrap().measured, None);
    }
}
