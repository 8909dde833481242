//! Shows the rows of a table to the rules, in one scan and with the columns that they need.

use crate::{
    error::DqError,
    history, queries, reconcile, remains,
    subject::{Job, Subject},
};
use arrow::array::RecordBatch;
use futures::TryStreamExt as _;
use lake_core::contract::Layer;
use lake_edge::{Attach as _, Bar};
use lake_quality::{Checks, QualityError, Report, Verdict};
use lake_table::{Batch, DataFile, Table};
use std::collections::HashSet;

/// Rows that the rules see at once: many, since each look has a price, and few enough to stay small in memory.
const CHUNK_ROWS: usize = 131_072;

/// What the rules found, and how many rows the log says there were.
pub(crate) struct Checked {
    pub(crate) report: Report,
    pub(crate) counted: u64,
}

/// Runs all rules. For Bronze only the rows after a version are looked at, but ages and references of all; what is left of
/// versions that failed must hold by itself as well. `passed` is the newest version whose rows passed.
pub(crate) async fn check(job: &Job<'_>, subject: &Subject, known: &[Verdict], passed: Option<i64>) -> anyhow::Result<Checked> {
    let mut checks = Checks::of(job.contract, job.window.to());
    provide(subject, &mut checks, job.bar).await?;
    let table = subject.table.as_ref();
    let bronze = matches!(job.contract.layer, Layer::Bronze(_));
    let since = passed.filter(|_| bronze && !job.whole);
    let files = match since {
        Some(since) => added(table, Some(since), table.version()).await?,
        None => table.files().to_vec(),
    };
    let counted = files.iter().map(|file| file.rows).sum();
    queries::ask(subject.readable(job, &files), &mut checks).await?;
    if let Some(since) = since.filter(|_| files.is_empty())
        && is_quiet(table, since).await?
    {
        checks.count_known_rows(table.rows());
    }
    let mut columns = checks.columns();
    let ages = checks.age_columns();
    let ages_apart = since.is_some() && !ages.is_empty();
    if !ages_apart {
        columns.extend(ages.iter().filter(|name| !checks.columns().contains(name)).cloned());
    }
    each(table, files, columns, job.bar, |batches| {
        if !ages_apart {
            checks.observe_ages_batches(batches)?;
        }
        checks.observe_batches(batches)
    })
    .await?;
    if ages_apart {
        each(table, table.files().to_vec(), ages, job.bar, |batches| checks.observe_ages_batches(batches)).await?;
    }
    let shares = checks.null_shares();
    let mut report = checks.finish();
    if bronze {
        report.findings.extend(remains::check(job, subject, known, since).await?);
    }
    report.findings.extend(reconcile::findings(job, table, passed).await?);
    report.findings.extend(history::findings(job, table, known, shares).await?);
    Ok(Checked { report, counted })
}

/// Gives the rules the columns of other tables that they refer to.
async fn provide(subject: &Subject, checks: &mut Checks, bar: &Bar) -> anyhow::Result<()> {
    for (name, column) in checks.references() {
        let Some(table) = subject.references.get(&name) else {
            checks.withhold(&name, &format!("table `{name}` is not in this lake"));
            continue;
        };
        let mut partners = Vec::new();
        each(table, table.files().to_vec(), vec![column.clone()], bar, |batches| {
            partners.extend_from_slice(batches);
            Ok(())
        })
        .await?;
        checks.provide_batches(&name, &column, &partners).attach()?;
    }
    Ok(())
}

/// Whether no run has committed since a version: a compaction is nobody's run and changes no row.
async fn is_quiet(table: &Table, since: i64) -> anyhow::Result<bool> {
    let commits = table.commits(Some(since)).await.attach()?;
    Ok(commits.iter().all(|commit| commit.summary.is_none() && commit.files.is_empty() && !commit.removes_rows))
}

/// Files that came after a version and up to one, and are still there.
///
/// When nothing was removed since, all of them: a compaction may have put their rows into other files, but they can be
/// read. When rows were removed, as by the next generation of a window, those of the removed files are no longer judged.
pub(crate) async fn added(table: &Table, since: Option<i64>, upto: i64) -> anyhow::Result<Vec<DataFile>> {
    let slice = table.slice(since, table.version()).await.attach()?;
    let there: HashSet<&str> = table.files().iter().map(|live| live.path.as_str()).collect();
    let removes = slice.removes_rows;
    let rewritten = slice.rewritten;
    let readable = |path: &str| there.contains(path) || rewritten.contains(path);
    let files = slice.files.into_iter().filter(|added| added.version <= upto).map(|added| added.file);
    Ok(files.filter(|file| !removes || readable(&file.path)).collect())
}

/// Shows the rows of some files, chunk by chunk, and proves that they are those that the log counts.
pub(crate) async fn each(
    table: &Table,
    files: Vec<DataFile>,
    columns: Vec<String>,
    bar: &Bar,
    mut look: impl FnMut(&[RecordBatch]) -> Result<(), QualityError>,
) -> anyhow::Result<()> {
    let counted: u64 = files.iter().map(|file| file.rows).sum();
    let mut stream = table.scan(files, Some(columns));
    let (mut scanned, mut waiting, mut chunk) = (0, 0, Vec::new());
    while let Some(batch) = stream.try_next().await.attach()? {
        let batch = lake_core::operator!("dq.scan", Batch(batch)).0;
        scanned += batch.num_rows() as u64;
        bar.inc(batch.num_rows() as u64);
        waiting += batch.num_rows();
        chunk.push(batch);
        if waiting >= CHUNK_ROWS {
            look(&chunk).attach()?;
            waiting = 0;
            chunk.clear();
        }
    }
    if !chunk.is_empty() {
        look(&chunk).attach()?;
    }
    if scanned == counted { Ok(()) } else { Err(DqError::Rows { table: table.spec().name.clone(), scanned, counted }).attach() }
}
