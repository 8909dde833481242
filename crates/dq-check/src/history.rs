//! Compares what the window brought to the table with what earlier windows brought: its rows, and its nulls in each column.
//!
//! What is usual comes from the findings of earlier verdicts. A comparison that would say nothing (of no rows, or when windows
//! came out of their order) is left out.

use crate::subject::Job;
use lake_edge::Attach as _;
use lake_quality::{
    Finding, Verdict,
    history::{Before, Floor, Point, before, compare},
};
use lake_table::Table;

/// A table that brings the same number of rows each time may bring a quarter more or less at the default of 5 deviations.
const ROWS: Floor = Floor { absolute: 1.0, share: 0.05 };
/// Half a percentage point, whatever is usual.
const NULLS: Floor = Floor { absolute: 0.5, share: 0.0 };

/// Makes the findings of a table at a version; `shares` are the nulls of its columns in percent.
pub(crate) async fn findings(
    job: &Job<'_>,
    table: &Table,
    known: &[Verdict],
    shares: Vec<(String, f64)>,
) -> anyhow::Result<Vec<Finding>> {
    let trends = job.contract.history();
    let mut findings = Vec::new();
    if let Some(rows) = rows_added(job, table, known).await? {
        let told = format!("{rows:.0} rows were added since the window began");
        let rule = "volume:rows".to_owned();
        let point = Point { rule, dimension: "coverage", number: rows, told, digits: 0, floor: ROWS };
        findings.push(compare(known, job.window, trends.volume, point));
    }
    for (column, share) in shares {
        let (rule, told) = (format!("nulls:{column}"), format!("{column}: {share:.2} percent of the rows are null"));
        let point = Point { rule, dimension: "completeness", number: share, told, digits: 2, floor: NULLS };
        findings.push(compare(known, job.window, trends.nulls, point));
    }
    Ok(findings)
}

/// Rows of the table now less those before the window; none when that cannot be told.
async fn rows_added(job: &Job<'_>, table: &Table, known: &[Verdict]) -> anyhow::Result<Option<f64>> {
    let rows_before = match before(known, job.window, table.version()) {
        Before::Unknown => return Ok(None),
        Before::Nothing => 0,
        Before::Version(version) => table.past(version).await.attach()?.rows(),
    };
    Ok(Some(table.rows() as f64 - rows_before as f64))
}
