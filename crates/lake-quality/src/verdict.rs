//! Verdicts: what was decided about each version of a table, in `ops/dq_verdicts`.
//!
//! A verdict's key is (table, version, contract hash, end of the window, versions of the referenced tables). The end of the
//! window belongs to it because data grows old: a version that was fresh yesterday fails today. Among the verdicts about one
//! version under one contract the newest decides.
//!
//! Not done here: making and committing verdicts (`dq-check`).

mod rows;

use crate::{Finding, QualityError, Report};
use arrow::array::RecordBatch;
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use futures::TryStreamExt as _;
use lake_core::{RunId, Window, mask::sha256_hex};
use lake_table::{Lake, Table, TableSpec};
use std::collections::BTreeMap;

/// What makes two verdicts the same question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictKey {
    /// Full name of the table.
    pub table: String,
    /// Delta version that was checked.
    pub version: i64,
    /// SHA-256 of the contract.
    pub contract_hash: String,
    /// Window of the check; only its end is part of the key.
    pub window: Window,
    /// Delta versions of the tables that rules refer to.
    pub references: BTreeMap<String, i64>,
}

impl VerdictKey {
    /// Whether two keys ask the same.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.window.to() == other.window.to()
            && (&self.table, self.version, &self.contract_hash, &self.references)
                == (&other.table, other.version, &other.contract_hash, &other.references)
    }

    /// Application id of the verdict's transaction: of two copies that check the same at once, one commits.
    /// The verdict is its version 1, a waiver of it version 2.
    #[must_use]
    pub fn application(&self) -> String {
        let end = self.window.to().to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let references: Vec<String> = self.references.iter().map(|(table, version)| format!("{table}@{version}")).collect();
        let text = [&self.table, &self.version.to_string(), &self.contract_hash, &end, &references.join(",")]
            .map(String::as_str)
            .join("\n");
        format!("dq/{}", &sha256_hex(text.as_bytes())[..32])
    }
}

/// One row of `ops/dq_verdicts`.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What was asked.
    pub key: VerdictKey,
    /// `id@version` of the contract.
    pub contract: String,
    /// Whether the next layer may read the version.
    pub passed: bool,
    /// Who let a failed version pass.
    pub waived_by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// What every rule found.
    pub report: Report,
    /// Score of the report.
    pub score: f64,
    /// When it was decided.
    pub checked_at: DateTime<Utc>,
    /// The run that decided.
    pub run_id: RunId,
}

impl Verdict {
    /// The verdict that a report comes to.
    #[must_use]
    pub fn of(key: VerdictKey, contract: String, report: Report, checked_at: DateTime<Utc>, run_id: RunId) -> Self {
        let (passed, score) = (report.passed(), report.score());
        Self { key, contract, passed, waived_by: None, reason: None, report, score, checked_at, run_id }
    }

    /// The verdict that lets this one's version pass all the same.
    #[must_use]
    pub fn waived(&self, by: &str, reason: &str, checked_at: DateTime<Utc>, run_id: RunId) -> Self {
        let (by, reason) = (Some(by.to_owned()), Some(reason.to_owned()));
        Self { passed: true, waived_by: by, reason, checked_at, run_id, ..self.clone() }
    }

    /// Findings of failed error rules.
    pub fn failures(&self) -> impl Iterator<Item = &Finding> {
        self.report.failed(lake_core::contract::odcs::Severity::Error)
    }

    /// Whether it failed for what its own rows are. Ages and other tables change without the rows, what is usual is a matter of
    /// other windows, and rows of an earlier version that failed are that version's.
    fn fails_by_its_rows(&self) -> bool {
        let elsewhere = ["latency:", "reference:", "volume:", "nulls:", FAILED_SLICE];
        !self.passed && self.failures().any(|finding| elsewhere.iter().all(|other| !finding.rule.starts_with(other)))
    }

    /// Whether it failed for rows of an earlier version, and all rows up to a version have been let pass since.
    #[must_use]
    pub fn overtaken(&self, passed: Option<i64>) -> bool {
        let settled = |finding: &Finding| slice_that_failed(finding).is_some_and(|version| Some(version) <= passed);
        !self.passed && self.failures().any(settled)
    }

    /// Returns the row for the table of verdicts.
    ///
    /// # Errors
    /// Never for a sound verdict.
    pub fn to_batch(&self) -> Result<RecordBatch, QualityError> {
        rows::write(self)
    }

    /// Order in which verdicts about one version were decided.
    pub(crate) fn order(&self) -> (DateTime<Utc>, DateTime<Utc>, bool) {
        (self.key.window.to(), self.checked_at, self.waived_by.is_some())
    }
}

/// The table of verdicts, partitioned by table so that a gate reads its own rows only.
#[must_use]
pub fn spec() -> TableSpec {
    TableSpec { partition_columns: vec!["table".into()], ..TableSpec::ops("dq_verdicts", rows::schema()) }
}

/// Returns all verdicts about a table, from an open table of verdicts.
///
/// # Errors
/// When a file cannot be read, or a row is no verdict.
pub async fn read(verdicts: &Table, table: &str) -> Result<Vec<Verdict>, QualityError> {
    let own = |file: &&lake_table::DataFile| file.partition_value("table") == Some(table);
    let files = verdicts.files().iter().filter(own).cloned().collect();
    let batches: Vec<RecordBatch> = verdicts.scan(files, None).try_collect().await.map_err(QualityError::Verdicts)?;
    let mut all = Vec::new();
    for batch in &batches {
        all.extend(rows::read(batch)?);
    }
    Ok(all)
}

/// Returns the newest version of a table that passed under a contract: what the next layer may read.
///
/// # Errors
/// When the table of verdicts cannot be read.
pub async fn passed_version(lake: &Lake, table: &str, contract_hash: &str) -> Result<Option<i64>, QualityError> {
    match Table::open(lake, &spec()).await.map_err(QualityError::Verdicts)? {
        Some(verdicts) => Ok(newest_passed(&read(&verdicts, table).await?, contract_hash)),
        None => Ok(None),
    }
}

/// Returns what was decided last in the newest of a day's windows.
#[must_use]
pub fn newest_of_day(verdicts: &[Verdict], day: NaiveDate) -> Option<&Verdict> {
    verdicts.iter().filter(|v| v.key.window.ingest_date() == day).max_by_key(|v| v.order())
}

/// Returns the newest version whose newest verdict under a contract is a pass.
#[must_use]
pub fn newest_passed(verdicts: &[Verdict], contract_hash: &str) -> Option<i64> {
    let mut newest: BTreeMap<i64, &Verdict> = BTreeMap::new();
    for verdict in verdicts.iter().filter(|v| v.key.contract_hash == contract_hash) {
        let known = newest.entry(verdict.key.version).or_insert(verdict);
        if verdict.order() >= known.order() {
            *known = verdict;
        }
    }
    newest.into_iter().rev().find(|(_, verdict)| verdict.passed).map(|(version, _)| version)
}

/// Returns whether the next layer may read a version in a window: what was decided at the window's end, else what was decided
/// last; `None` when nobody has looked at the version under this contract.
#[must_use]
pub fn decided(verdicts: &[Verdict], contract_hash: &str, version: i64, window_end: DateTime<Utc>) -> Option<bool> {
    let about = || verdicts.iter().filter(|v| v.key.contract_hash == contract_hash && v.key.version == version);
    let of_window = about().filter(|v| v.key.window.to() == window_end).max_by_key(|v| v.order());
    of_window.or_else(|| about().max_by_key(|v| v.order())).map(|v| v.passed)
}

/// Returns the newest version, up to one, whose rows passed or were let pass under a contract.
///
/// A later failure of the same version can only be about age or other tables, since a version's rows never change.
#[must_use]
pub fn rows_passed(verdicts: &[Verdict], contract_hash: &str, upto: i64) -> Option<i64> {
    let passed = verdicts.iter().filter(|v| v.passed && v.key.contract_hash == contract_hash && v.key.version <= upto);
    passed.map(|v| v.key.version).max()
}

/// Id of the finding that rows of a failed version are still there; the version follows.
const FAILED_SLICE: &str = "failed-slice:";

/// Returns the id of the rule that a version which failed is repaired or let pass.
#[must_use]
pub fn failed_slice(version: i64) -> String {
    format!("{FAILED_SLICE}{version}")
}

/// Returns the version of a finding that rows of a failed version are still there.
#[must_use]
pub fn slice_that_failed(finding: &Finding) -> Option<i64> {
    finding.rule.strip_prefix(FAILED_SLICE)?.parse().ok()
}

/// Returns the failed verdicts about rows, up to a version and oldest first, that no later pass has settled.
///
/// A pass of the same contract settles what failed before: it was a waiver, or the rows were repaired. An edited contract
/// settles nothing by itself, so that an edit of a description lets no failed row through.
#[must_use]
pub fn unsettled<'a>(verdicts: &'a [Verdict], contract_hash: &str, upto: i64) -> Vec<&'a Verdict> {
    let passed = |hash: &str, upto| rows_passed(verdicts, hash, upto).unwrap_or(-1);
    let settled = passed(contract_hash, upto);
    let mut failed: BTreeMap<(i64, &str), &Verdict> = BTreeMap::new();
    for verdict in verdicts.iter().filter(|v| v.fails_by_its_rows()) {
        let (version, hash) = (verdict.key.version, verdict.key.contract_hash.as_str());
        if version > settled && version <= upto && version > passed(hash, i64::MAX) {
            let known = failed.entry((version, hash)).or_insert(verdict);
            if verdict.order() < known.order() {
                *known = verdict;
            }
        }
    }
    failed.into_values().collect()
}

/// Returns the verdict that answers a key: the newest equal one, or a waiver of the same version and window, which wins.
#[must_use]
pub fn answer<'a>(verdicts: &'a [Verdict], key: &VerdictKey) -> Option<&'a Verdict> {
    let waiver = |v: &&Verdict| {
        v.waived_by.is_some()
            && v.key.version == key.version
            && v.key.contract_hash == key.contract_hash
            && v.key.window.to() == key.window.to()
    };
    verdicts.iter().find(waiver).or_else(|| verdicts.iter().filter(|v| v.key.same(key)).max_by_key(|v| v.order()))
}

#[cfg(test)]
mod tests;
