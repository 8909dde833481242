//! Lets a failed version pass, on record.

use crate::{
    error::DqError,
    judge::record,
    subject::{Job, Judged},
};
use lake_edge::Attach as _;
use lake_quality::{Verdict, verdict};
use lake_table::Table;

/// Lets a version pass whose verdict in this window failed.
pub(crate) async fn waive(job: &Job<'_>, version: i64, by: Option<&str>, reason: Option<&str>) -> anyhow::Result<Judged> {
    let by = by.map(str::trim).filter(|name| !name.is_empty()).ok_or(DqError::Nobody).attach()?;
    let reason = reason.map(str::trim).filter(|text| !text.is_empty()).ok_or(DqError::NoReason).attach()?;
    let nothing = || DqError::NothingToWaive { table: job.contract.table.clone(), version, window: job.window };
    let open = Table::open(job.lake, &verdict::spec()).await.attach()?;
    let mut verdicts = open.ok_or_else(nothing).attach()?;
    let known = verdict::read(&verdicts, &job.contract.table).await.attach()?;
    let about = known
        .iter()
        .filter(|v| v.key.version == version && v.key.contract_hash == job.contract.hash && v.key.window.to() == job.window.to());
    let about: Vec<&Verdict> = about.collect();
    if let Some(waived) = about.iter().find(|v| v.waived_by.is_some()) {
        return Ok(Judged::recorded(job, (*waived).clone()));
    }
    let failed = about.into_iter().filter(|v| !v.passed).max_by_key(|v| v.checked_at).ok_or_else(nothing).attach()?;
    let waiver = failed.waived(by, reason, job.now, job.run_id);
    let rows = waiver.report.rows;
    let application = waiver.key.application();
    record(job, &mut verdicts, waiver, rows, (&application, 2)).await
}
