//! Whether a Silver table accounts for every row that its sources accepted.
//!
//! Each commit of a Silver table says how many rows of each input it has read, and its ledger balances over them. Here these
//! numbers are added up over the commits since the last version that passed and compared with what the sources' own logs count
//! between the versions that were consumed. So versions that were skipped, or read twice, are found though every run adds up by
//! itself. Gold accounts for whole inputs in each run, so nothing is left to find there.

use crate::subject::Job;
use lake_core::contract::odcs::Severity;
use lake_edge::Attach as _;
use lake_quality::{Finding, State};
use lake_table::{CommitEntry, Table, TableSpec};

/// Facts of a commit: rows that were read, by input; whether the table was rebuilt; and what only such commits have.
const CONSUMED: &str = "consumed";
const REBUILT: &str = "rebuilt";
const LEDGER: &str = "ledger_by_input";

/// Makes a finding per input. `since` is the last version whose rows passed; none: all of the table's versions are added up.
pub(crate) async fn findings(job: &Job<'_>, table: &Table, since: Option<i64>) -> anyhow::Result<Vec<Finding>> {
    let Some(silver) = job.contract.silver() else { return Ok(Vec::new()) };
    let commits = since_rebuild(table.commits(since).await.attach()?);
    let before = match since.filter(|_| !commits.rebuilt) {
        Some(version) if version < table.version() => Some(table.past(version).await.attach()?),
        // Nothing was committed since, so nothing was consumed since.
        Some(_) => return Ok(Vec::new()),
        None => None,
    };
    let mut findings = Vec::new();
    for name in silver.tables() {
        let Some(contract) = job.contracts.get(name) else { continue };
        let Some(source) = Table::open(job.lake, &TableSpec::of(contract)).await.attach()? else { continue };
        let consumed_before = match &before {
            Some(before) => rows_at(&source, before.txn(source.id()).await.attach()?).await?,
            None => 0,
        };
        let consumed = rows_at(&source, table.txn(source.id()).await.attach()?).await?;
        findings.push(finding(name, consumed.abs_diff(consumed_before), commits.read(name)));
    }
    Ok(findings)
}

/// Rows of a source at the version that was consumed.
async fn rows_at(source: &Table, version: Option<i64>) -> anyhow::Result<u64> {
    match version {
        None => Ok(0),
        Some(version) => Ok(source.past(version).await.attach()?.rows()),
    }
}

/// Commits that count, and whether the first of them began anew.
struct Commits {
    entries: Vec<CommitEntry>,
    rebuilt: bool,
}

/// A rebuild reads everything again, so what came before it counts no more.
fn since_rebuild(mut entries: Vec<CommitEntry>) -> Commits {
    let rebuilt = entries.iter().rposition(|entry| fact(entry, REBUILT).and_then(serde_json::Value::as_bool) == Some(true));
    entries.drain(..rebuilt.unwrap_or(0));
    Commits { entries, rebuilt: rebuilt.is_some() }
}

fn fact<'a>(entry: &'a CommitEntry, name: &str) -> Option<&'a serde_json::Value> {
    entry.summary.as_ref()?.facts.get(name)
}

impl Commits {
    /// Rows of an input that the commits have read; none when one of them does not say.
    fn read(&self, input: &str) -> Option<u64> {
        let consuming = self.entries.iter().filter(|entry| fact(entry, LEDGER).is_some());
        consuming.map(|entry| fact(entry, CONSUMED)?.get(input)?.as_u64()).sum()
    }
}

fn finding(input: &str, accepted: u64, read: Option<u64>) -> Finding {
    let (state, difference, message) = match read {
        Some(read) => {
            let message = format!("of {accepted} rows that {input} accepted, {read} are accounted for");
            (State::Judged, Some(accepted.abs_diff(read)), message)
        }
        None => (State::NotJudged, None, format!("not judged: an older run did not say how many rows of {input} it read")),
    };
    Finding {
        rule: format!("reconciled:{input}"),
        severity: Severity::Error,
        dimension: "completeness".to_owned(),
        state,
        passed: difference == Some(0),
        measured: difference.map(|rows| rows as f64),
        expected: "= 0 rows of difference".to_owned(),
        message,
    }
}
