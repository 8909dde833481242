//! The quality score of a table, a layer and a day: the one place with its formula, which `docs/quality.md` tells to people.
//!
//! A table's score is the weighted share of its rules that hold. That of a layer, and of the day, is the mean of its tables: every
//! table has one voice, and one that was not judged has none. What was decided of each day stands in `ops/quality_scores`.
//!
//! Not done here: committing the scores (`run-pipeline`).

mod rows;

use crate::{Finding, QualityError};
use arrow::array::RecordBatch;
use chrono::{DateTime, NaiveDate, Utc};
use futures::TryStreamExt as _;
use lake_core::contract::odcs::Severity;
use lake_table::{DataFile, Table, TableSpec};
use serde::Serialize;

/// Name of the day's own mean.
const DAY: &str = "day";

/// Returns the score of a table's rules, 0 to 100: the weight of those that hold in percent of the weight of those that were
/// judged. An error rule weighs 3, a warning 1, an information nothing. A table without weighted rules scores 100.
#[must_use]
pub fn of_findings(findings: &[Finding]) -> f64 {
    let weigh = |counts: fn(&Finding) -> bool| -> u32 { findings.iter().filter(|f| counts(f)).map(|f| weight(f.severity)).sum() };
    let (held, failed) = (weigh(Finding::held), weigh(Finding::failed));
    match held + failed {
        0 => 100.0,
        all => 100.0 * f64::from(held) / f64::from(all),
    }
}

const fn weight(severity: Severity) -> u32 {
    match severity {
        Severity::Error => 3,
        Severity::Warning => 1,
        Severity::Info => 0,
    }
}

/// Score of one table on one day: that of the newest window's verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct TableScore {
    /// Full name.
    pub table: String,
    /// Its layer.
    pub layer: String,
    /// 0 to 100.
    pub score: f64,
    /// Whether the next layer may read the version.
    pub passed: bool,
    /// Delta version that was judged.
    pub version: i64,
    /// End of the window in which it was judged.
    pub window_to: DateTime<Utc>,
}

/// Mean score of several tables.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mean {
    /// Name of the layer, or `day`.
    pub name: String,
    /// 0 to 100; absent when no table was judged.
    pub score: Option<f64>,
    /// Tables that were judged.
    pub judged: u64,
    /// Tables that there are.
    pub tables: u64,
}

impl Mean {
    fn of<'a>(name: &str, tables: u64, scores: impl Iterator<Item = &'a TableScore>) -> Self {
        let scores: Vec<f64> = scores.map(|table| table.score).collect();
        let judged = scores.len() as u64;
        let score = (judged > 0).then(|| scores.iter().sum::<f64>() / judged as f64);
        Self { name: name.to_owned(), score, judged, tables }
    }
}

/// Scores of one day.
#[derive(Debug, Clone, PartialEq)]
pub struct DayScores {
    /// Of the tables that were judged, by name.
    pub tables: Vec<TableScore>,
    /// Of the layers, in the order in which they are given.
    pub layers: Vec<Mean>,
    /// Of all tables.
    pub day: Mean,
}

impl DayScores {
    /// Scores of a day. `known` are the layer and name of all tables that there are; others are left out. Of two scores of a
    /// table that of the newer window counts, and of equal ones the later one in the list.
    #[must_use]
    pub fn of(known: &[(&str, &str)], scores: impl IntoIterator<Item = TableScore>) -> Self {
        let mut tables: Vec<TableScore> = Vec::new();
        for score in scores {
            if !known.iter().any(|(_, table)| *table == score.table) {
                continue;
            }
            match tables.iter_mut().find(|other| other.table == score.table) {
                Some(other) if other.window_to > score.window_to => {}
                Some(other) => *other = score,
                None => tables.push(score),
            }
        }
        tables.sort_by(|a, b| a.table.cmp(&b.table));
        let mut names: Vec<&str> = Vec::new();
        for (layer, _) in known {
            if !names.contains(layer) {
                names.push(layer);
            }
        }
        let of_layer = |name: &&str| {
            let all = known.iter().filter(|(layer, _)| layer == name).count() as u64;
            Mean::of(name, all, tables.iter().filter(|table| table.layer == **name))
        };
        let layers = names.iter().map(of_layer).collect();
        let day = Mean::of(DAY, known.len() as u64, tables.iter());
        Self { tables, layers, day }
    }

    /// Returns the rows for the table of scores.
    ///
    /// # Errors
    /// Never for sound scores.
    pub fn to_batch(&self, day: NaiveDate) -> Result<RecordBatch, QualityError> {
        rows::write(day, self)
    }
}

/// The table of scores, partitioned by day, so that a day is replaced as a whole.
#[must_use]
pub fn spec() -> TableSpec {
    TableSpec { partition_columns: vec![DAY.into()], ..TableSpec::ops("quality_scores", rows::schema()) }
}

/// Returns the files of a day.
#[must_use]
pub fn files_of(scores: &Table, day: NaiveDate) -> Vec<DataFile> {
    let day = day.to_string();
    scores.files().iter().filter(|file| file.partition_value(DAY) == Some(day.as_str())).cloned().collect()
}

/// Returns the scores of tables in some files.
///
/// # Errors
/// When a file cannot be read, or a row is no score.
pub async fn read(scores: &Table, files: Vec<DataFile>) -> Result<Vec<TableScore>, QualityError> {
    let batches: Vec<RecordBatch> = scores.scan(files, None).try_collect().await.map_err(QualityError::Scores)?;
    let mut all = Vec::new();
    for batch in &batches {
        all.extend(rows::read(batch)?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
