//! What is left of versions that failed: it must hold by itself.
//!
//! A slice that failed is read again together with what came after it. A limit in percent would then be kept as soon as enough
//! good rows came, and the next layer would read the rows that failed although nobody repaired them or let them pass.

use crate::{
    queries, scan,
    subject::{Job, Subject},
};
use lake_core::contract::odcs::Severity;
use lake_quality::{
    Checks, Finding, State, Verdict,
    verdict::{failed_slice, rows_passed, unsettled},
};

/// Checks what is left of each version that failed and that nobody has settled; answers with those that fail still.
/// `since` is the version after which the rows at hand came; none when all rows are looked at.
pub(crate) async fn check(
    job: &Job<'_>,
    subject: &Subject,
    known: &[Verdict],
    since: Option<i64>,
) -> anyhow::Result<Vec<Finding>> {
    let table = subject.table.as_ref();
    let mut findings = Vec::new();
    for failed in unsettled(known, &job.contract.hash, table.version()) {
        let key = &failed.key;
        let begin = rows_passed(known, &key.contract_hash, key.version);
        // The very rows that are at hand have just been checked.
        if key.version == table.version() && begin == since {
            continue;
        }
        let files = scan::added(table, begin, key.version).await?;
        let rows: u64 = files.iter().map(|file| file.rows).sum();
        if rows == 0 {
            continue;
        }
        let mut checks = Checks::of_rows(job.contract);
        queries::ask(subject.readable(job, &files), &mut checks).await?;
        let columns = checks.columns();
        scan::each(table, files, columns, job.bar, |batches| checks.observe_batches(batches)).await?;
        let report = checks.finish();
        let broken: Vec<&Finding> = report.failed(Severity::Error).collect();
        if let Some(first) = broken.first() {
            findings.push(finding(failed, rows, first, &broken));
        }
    }
    Ok(findings)
}

fn finding(failed: &Verdict, rows: u64, first: &Finding, broken: &[&Finding]) -> Finding {
    let rules: Vec<&str> = broken.iter().map(|finding| finding.rule.as_str()).collect();
    let (version, window) = (failed.key.version, failed.key.window);
    Finding {
        rule: failed_slice(version),
        severity: Severity::Error,
        dimension: first.dimension.clone(),
        state: State::Judged,
        passed: false,
        measured: Some(rows as f64),
        expected: "repaired by a new generation, or waived".to_owned(),
        message: format!("{rows} rows of version {version}, which failed in window {window}, still break {}", rules.join(", ")),
    }
}
