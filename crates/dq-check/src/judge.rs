//! Makes a verdict and commits it, unless it stands on record.

use crate::{
    scan,
    subject::{Job, Judged, Subject, describe},
};
use anyhow::Context as _;
use lake_core::summary::Outcome;
use lake_edge::Attach as _;
use lake_quality::{
    Verdict,
    verdict::{self, answer, rows_passed},
};
use lake_table::{Plan, Proposal, Table};

/// Small files that a table's verdicts may have. A stream's gate adds one each 20 seconds.
pub(crate) const SMALL_FILES_MAX: usize = 32;

/// Judges a table at a version.
pub(crate) async fn judge(job: &Job<'_>) -> anyhow::Result<Judged> {
    let subject = Subject::open(job).await?;
    let key = subject.key(job);
    let mut verdicts = Table::open_or_create(job.lake, &verdict::spec()).await.attach()?;
    let known = verdict::read(&verdicts, &key.table).await.attach()?;
    let passed = rows_passed(&known, &key.contract_hash, key.version);
    let mut application = key.application();
    match answer(&known, &key) {
        // What it failed for was let pass since, so that the same question has another answer.
        Some(recorded) if recorded.overtaken(passed) => application.push_str(&format!("/{}", passed.unwrap_or(-1))),
        Some(recorded) => return Ok(Judged::recorded(job, recorded.clone())),
        None => {}
    }
    let checked = scan::check(job, &subject, &known, passed).await.with_context(|| format!("failed to check {}", key.table))?;
    lake_core::fault_point!("dq.scan.after");
    // Each verdict adds a file, and every gate reads all of a table's: one that is judged each minute would soon be behind its stream.
    verdicts.compact(SMALL_FILES_MAX).await.context("failed to put verdicts together")?;
    let made = Verdict::of(key, job.contract.reference(), checked.report, job.now, job.run_id);
    record(job, &mut verdicts, made, checked.counted, (&application, 1)).await
}

/// Commits a verdict with its transaction; of two copies at once the second finds the first one's.
pub(crate) async fn record(
    job: &Job<'_>,
    verdicts: &mut Table,
    made: Verdict,
    read: u64,
    txn: (&str, i64),
) -> anyhow::Result<Judged> {
    let batch = made.to_batch().attach()?;
    let (application, step) = txn;
    let mut found = None;
    let committed = verdicts.commit(async |table: &Table| {
        if table.txn(application).await.attach()?.is_some_and(|done| done >= step) {
            let known = verdict::read(table, &made.key.table).await.attach()?;
            let recorded = answer(&known, &made.key).context("failed to find the verdict whose transaction is in the log")?;
            let recorded = Judged::recorded(job, recorded.clone());
            let summary = recorded.summary.clone();
            found = Some(recorded);
            return Ok(Plan::Done(summary));
        }
        let mut writer = table.writer();
        writer.write(&batch).await.attach()?;
        let inserted = writer.rows();
        let add = writer.finish().await.attach()?;
        let mut summary = describe(job, &made, read);
        summary.outcome = Outcome::Committed;
        Ok(Plan::Commit(Proposal {
            add,
            remove: Vec::new(),
            txns: vec![(application.to_owned(), step)],
            inserted,
            removed: 0,
            summary,
        }))
    });
    let mut summary = committed.await.context("failed to record the verdict")?;
    if let Some(recorded) = found {
        return Ok(recorded);
    }
    // The commit's own version is that of the record; readers of the summary ask for the table that was judged.
    summary.table_version = Some(made.key.version);
    Ok(Judged { verdict: made, summary })
}
