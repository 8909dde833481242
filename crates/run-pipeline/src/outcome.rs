//! The end of a day: per table what became of its rows, how long it took and how good it is.

use crate::{
    graph::{Graph, Step, Work},
    resume::{StepNote, StepState},
    schedule::End,
};
use lake_core::{Exit, Ledger, RunId, Window, summary::Outcome};
use lake_quality::score::{Mean, TableScore};
use serde::Serialize;

/// What a day did; the last line of stdout with `--output json`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    /// Shape of this object.
    pub(crate) schema_version: u32,
    /// Id of the whole run.
    pub(crate) run_id: RunId,
    /// Attempt of the whole run.
    pub(crate) attempt: u32,
    /// The window.
    pub(crate) window: Window,
    /// Name of the worst exit of all steps.
    pub(crate) exit: &'static str,
    /// Its code.
    pub(crate) exit_code: u8,
    /// Wall-clock milliseconds.
    pub(crate) duration_ms: u64,
    /// One entry per table, in the graph's order.
    pub(crate) tables: Vec<TableReport>,
    /// Mean scores of the day.
    pub(crate) quality: Quality,
}

/// Mean scores of the day's tables.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Quality {
    /// Of each layer.
    pub(crate) layers: Vec<Mean>,
    /// Of all tables.
    pub(crate) day: Mean,
}

/// What a day did to one table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TableReport {
    /// Full name.
    pub(crate) table: String,
    /// `committed`, `unchanged`, `already done`, `failed 65`, `gate failed`, `blocked by ...`.
    pub(crate) outcome: String,
    /// Rows; none when the table was not built.
    pub(crate) ledger: Option<Ledger>,
    /// Milliseconds of build and gate together.
    pub(crate) duration_ms: u64,
    /// Score of the gate, 0 to 100.
    pub(crate) score: Option<f64>,
    /// Delta version.
    pub(crate) version: Option<i64>,
}

/// Returns the worst exit of all steps.
pub(crate) fn worst(ends: &[End]) -> Exit {
    let exits = ends.iter().filter_map(|end| if let End::Ran(ran) = end { Some(ran.exit) } else { None });
    // A step that has nothing to do is no news about the day.
    exits.filter(|exit| *exit != Exit::Nothing).fold(Exit::Ok, Exit::merge)
}

/// Puts build and gate of each table together.
pub(crate) fn tables(graph: &Graph, ends: &[End], scores: &[TableScore]) -> Vec<TableReport> {
    let builds = graph.steps.iter().enumerate().filter(|(_, step)| step.work == Work::Build);
    builds
        .map(|(at, step)| {
            let gate = graph.steps.iter().position(|other| other.work == Work::Check && other.table == step.table);
            let (build, gate) = (&ends[at], gate.map(|at| &ends[at]));
            let summary = if let End::Ran(ran) = build { ran.summary.as_ref() } else { None };
            TableReport {
                table: step.table.clone(),
                outcome: outcome(build, gate),
                ledger: summary.map(|summary| summary.ledger),
                duration_ms: elapsed(build) + gate.map_or(0, elapsed),
                score: scores.iter().find(|score| score.table == step.table).map(|score| score.score),
                version: summary.and_then(|summary| summary.table_version),
            }
        })
        .collect()
}

/// Returns how every step ended, in the graph's order.
pub(crate) fn steps(graph: &Graph, ends: &[End]) -> Vec<StepNote> {
    graph.steps.iter().zip(ends).map(|(step, end)| note(step, end)).collect()
}

fn note(step: &Step, end: &End) -> StepNote {
    let begun = StepNote {
        program: step.program.to_owned(),
        table: step.table.clone(),
        work: step.work,
        state: StepState::NotRun,
        outcome: None,
        exit: None,
        why: None,
        duration_ms: None,
    };
    match end {
        End::Blocked(cause) => StepNote { why: Some(cause.clone()).filter(|cause| !cause.is_empty()), ..begun },
        End::Ran(ran) => StepNote {
            state: if end.good() { StepState::Ok } else { StepState::Failed },
            outcome: end.good().then(|| outcome(end, None)),
            exit: Some(ran.exit.code()),
            why: ran.error.clone(),
            duration_ms: Some(ran.elapsed_ms),
            ..begun
        },
    }
}

fn elapsed(end: &End) -> u64 {
    if let End::Ran(ran) = end { ran.elapsed_ms } else { 0 }
}

fn outcome(build: &End, gate: Option<&End>) -> String {
    let failed = |end: &End| match end {
        End::Blocked(cause) => Some(format!("blocked by {cause}")),
        End::Ran(ran) if !end.good() => Some(format!("failed {}", ran.exit.code())),
        End::Ran(_) => None,
    };
    if let Some(text) = failed(build) {
        return text;
    }
    match gate.and_then(failed) {
        Some(text) => format!("gate {text}"),
        None => match build {
            End::Ran(ran) => match ran.summary.as_ref().map(|summary| summary.outcome) {
                Some(Outcome::Committed) => "committed".to_owned(),
                Some(Outcome::AlreadyDone) => "already done".to_owned(),
                Some(Outcome::Unchanged) | None => "unchanged".to_owned(),
            },
            End::Blocked(_) => "blocked".to_owned(),
        },
    }
}

/// Returns the table for people, one line each.
pub(crate) fn lines(report: &Report) -> Vec<String> {
    const HEAD: [&str; 9] =
        ["read", "accepted", "quarantined", "duplicate", "superseded", "filtered", "held", "seconds", "score"];
    let mut rows = vec![cells("table", HEAD.map(str::to_owned), "outcome")];
    for table in &report.tables {
        let count =
            |of: fn(&Ledger) -> u64| table.ledger.as_ref().map_or_else(|| "-".to_owned(), |ledger| of(ledger).to_string());
        let numbers = [
            count(|l| l.read),
            count(|l| l.accepted),
            count(|l| l.quarantined),
            count(|l| l.duplicate),
            count(|l| l.superseded),
            count(|l| l.filtered),
            count(|l| l.held),
            format!("{}.{}", table.duration_ms / 1_000, table.duration_ms % 1_000 / 100),
            table.score.map_or_else(|| "-".to_owned(), |score| format!("{score:.1}")),
        ];
        rows.push(cells(&table.table, numbers, &table.outcome));
    }
    let widths: Vec<usize> = (0..11).map(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0)).collect();
    rows.into_iter()
        .map(|row| {
            let line: Vec<String> = row
                .iter()
                .enumerate()
                .map(|(at, cell)| match at {
                    0 => format!("{cell:<width$}", width = widths[at]),
                    10 => cell.clone(),
                    _ => format!("{cell:>width$}", width = widths[at]),
                })
                .collect();
            line.join("  ")
        })
        .collect()
}

fn cells(table: &str, numbers: [String; 9], outcome: &str) -> Vec<String> {
    let mut row = vec![table.to_owned()];
    row.extend(numbers);
    row.push(outcome.to_owned());
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_unbuilt_tables_show_no_numbers() {
        let table = |name: &str, ledger, score, outcome: &str| TableReport {
            table: name.into(),
            outcome: outcome.into(),
            ledger,
            duration_ms: 1_250,
            score,
            version: None,
        };
        let day = Mean { name: "day".into(), score: Some(100.0), judged: 1, tables: 2 };
        let ledger = Ledger { read: 12_345, accepted: 12_340, duplicate: 5, ..Ledger::default() };
        let report = Report {
            schema_version: 1,
            run_id: "00000000-0000-0000-0000-000000000001".parse().unwrap(),
            attempt: 1,
            window: "2017-12-30".parse().unwrap(),
            exit: "data",
            exit_code: 65,
            duration_ms: 0,
            tables: vec![
                table("bronze_kafka_orders", Some(ledger), Some(100.0), "committed"),
                table("silver_orders", None, None, "blocked by dq-check bronze_kafka_orders"),
            ],
            quality: Quality { layers: Vec::new(), day },
        };
        let text = lines(&report).join("\n");
        assert_eq!(
            text,
            "\
table                 read  accepted  quarantined  duplicate  superseded  filtered  held  seconds  score  outcome
bronze_kafka_orders  12345     12340            0          5           0         0     0      1.2  100.0  committed
silver_orders            -         -            -          -           -         -     -      1.2      -  blocked by dq-check bronze_kafka_orders"
        );
    }
}
