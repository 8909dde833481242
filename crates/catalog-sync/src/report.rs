//! What a sync tells of each table, and of all.

use crate::error::SyncError;
use lake_edge::{Console, Output};
use serde::Serialize;

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It was made.
    Created,
    /// It was replaced.
    Updated,
    /// It was as it should be.
    Unchanged,
    /// The contract has no Delta table yet, so there is nothing to describe.
    Skipped,
    /// It has lost its contract or its table, and stays since nothing is pruned.
    Left,
    /// It had lost its contract or its table.
    Dropped,
}

impl Outcome {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Created, "created"),
        (Self::Updated, "updated"),
        (Self::Dropped, "dropped"),
        (Self::Unchanged, "unchanged"),
        (Self::Skipped, "without a Delta table"),
        (Self::Left, "left over"),
    ];

    fn words(self) -> &'static str {
        Self::ALL.into_iter().find(|(outcome, _)| *outcome == self).map_or("", |(_, words)| words)
    }

    const fn is_written(self) -> bool {
        matches!(self, Self::Created | Self::Updated | Self::Dropped)
    }
}

/// What became of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Told {
    pub(crate) database: String,
    pub(crate) table: String,
    pub(crate) outcome: Outcome,
    /// Delta version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<i64>,
    /// In what the entry differed, or why it is left or dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<&'static str>,
    /// Columns that the table no longer has and the entry keeps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) columns_left: Vec<String>,
}

impl Told {
    pub(crate) fn new(database: &str, table: &str, outcome: Outcome) -> Self {
        Self {
            database: database.to_owned(),
            table: table.to_owned(),
            outcome,
            version: None,
            why: None,
            columns_left: Vec::new(),
        }
    }

    fn line(&self) -> String {
        let version = self.version.map(|version| format!(", version {version}")).unwrap_or_default();
        let why = self.why.map(|why| format!(": {why}")).unwrap_or_default();
        let left = match self.columns_left.as_slice() {
            [] => String::new(),
            columns => format!("; the table no longer has `{}` (--prune drops that)", columns.join("`, `")),
        };
        format!("{}.{} {}{version}{why}{left}", self.database, self.table, self.outcome.words())
    }
}

/// What became of all tables.
#[derive(Debug)]
pub(crate) struct Report {
    dry_run: bool,
    databases: Vec<String>,
    tables: Vec<Told>,
    failed: Vec<SyncError>,
}

impl Report {
    pub(crate) const fn new(dry_run: bool) -> Self {
        Self { dry_run, databases: Vec::new(), tables: Vec::new(), failed: Vec::new() }
    }

    /// Notes a database that was made.
    pub(crate) fn made(&mut self, database: &str) {
        self.databases.push(database.to_owned());
    }

    /// Notes what became of a table.
    pub(crate) fn add(&mut self, told: Told) {
        self.tables.push(told);
    }

    /// Notes what went wrong.
    pub(crate) fn fail(&mut self, error: SyncError) {
        self.failed.push(error);
    }

    #[cfg(test)]
    pub(crate) fn tables(&self) -> &[Told] {
        &self.tables
    }

    /// Returns what went wrong as one error.
    pub(crate) fn failure(self) -> Result<(), SyncError> {
        SyncError::all(self.failed)
    }

    /// Prints all tables and their sums. For people what is as it should be is counted, not listed.
    pub(crate) fn tell(&self, console: &Console, output: Output) {
        match output {
            Output::Text => self.text().iter().for_each(|line| console.line(line)),
            Output::Json => self.json().iter().for_each(|value| console.line(&value.to_string())),
        }
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.tables.iter().filter(|told| told.outcome == outcome).count()
    }

    fn is_written(&self) -> bool {
        !self.databases.is_empty() || self.tables.iter().any(|told| told.outcome.is_written())
    }

    fn text(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.databases.iter().map(|database| format!("database {database} created")).collect();
        let listed = self.tables.iter().filter(|told| told.outcome != Outcome::Unchanged || !told.columns_left.is_empty());
        lines.extend(listed.map(Told::line));
        let counts = Outcome::ALL.into_iter().map(|(outcome, words)| (self.count(outcome), words));
        let mut counts: Vec<String> =
            counts.filter(|(count, _)| *count > 0).map(|(count, words)| format!("{count} {words}")).collect();
        if !self.failed.is_empty() {
            counts.push(format!("{} failed", self.failed.len()));
        }
        let what = match (self.is_written(), self.dry_run) {
            (true, true) => "dry run, nothing was written; ",
            (false, _) if self.failed.is_empty() => "nothing to write; ",
            _ => "",
        };
        lines.push(format!("{what}tables: {}", if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }));
        lines
    }

    fn json(&self) -> Vec<serde_json::Value> {
        let mut lines: Vec<serde_json::Value> = self.tables.iter().map(|told| serde_json::json!(told)).collect();
        let counts: serde_json::Map<String, serde_json::Value> = Outcome::ALL
            .into_iter()
            .filter_map(|(outcome, _)| Some((serde_json::json!(outcome).as_str()?.to_owned(), self.count(outcome).into())))
            .collect();
        lines.push(serde_json::json!({
            "schema_version": 1,
            "dry_run": self.dry_run,
            "written": self.is_written() && !self.dry_run,
            "databases_created": self.databases,
            "tables": counts,
            "failed": self.failed.len(),
        }));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcomes: &[Outcome], dry_run: bool) -> Report {
        let mut report = Report::new(dry_run);
        outcomes.iter().for_each(|outcome| report.add(Told::new("sluice_silver", "silver_t", *outcome)));
        report
    }

    #[test]
    fn where_nothing_is_to_be_written_that_is_said() {
        let quiet = report(&[Outcome::Unchanged, Outcome::Unchanged, Outcome::Skipped], false);
        assert_eq!(
            quiet.text(),
            ["sluice_silver.silver_t without a Delta table", "nothing to write; tables: 2 unchanged, 1 without a Delta table"]
        );
        assert_eq!(report(&[], false).text(), ["nothing to write; tables: none"]);
        let last = quiet.json().pop().unwrap();
        assert_eq!(last["written"], false);
        assert_eq!(last["tables"]["unchanged"], 2);
    }

    #[test]
    fn what_is_written_is_listed_with_its_reason() {
        let mut busy = report(&[], false);
        busy.made("sluice_silver");
        let columns_left = vec!["a".to_owned(), "b".to_owned()];
        let told = Told::new("sluice_silver", "silver_t", Outcome::Updated);
        busy.add(Told { version: Some(7), why: Some("columns"), columns_left, ..told });
        assert_eq!(
            busy.text(),
            [
                "database sluice_silver created",
                "sluice_silver.silver_t updated, version 7: columns; the table no longer has `a`, `b` (--prune drops that)",
                "tables: 1 updated",
            ]
        );
        let lines = busy.json();
        assert_eq!(lines[0]["outcome"], "updated");
        assert_eq!(lines[1]["written"], true);
    }

    #[test]
    fn a_dry_run_says_that_it_wrote_nothing() {
        let dry = report(&[Outcome::Created], true);
        assert_eq!(dry.text().pop().unwrap(), "dry run, nothing was written; tables: 1 created");
        assert_eq!(dry.json().pop().unwrap()["written"], false);
    }

    #[test]
    fn a_failure_is_counted_and_comes_back_as_an_error() {
        let mut failed = report(&[Outcome::Unchanged], false);
        failed.fail(SyncError::Contended { table: "t".into(), what: "columns", tries: 6 });
        assert_eq!(failed.text(), ["tables: 1 unchanged, 1 failed"]);
        assert!(failed.failure().is_err());
    }
}
