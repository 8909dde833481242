//! Judges one version of a table by its contract and records the verdict in `ops/dq_verdicts`.
//!
//! The next layer reads exactly a version that passed, so a commit between check and read cannot slip through. A verdict is
//! asked by (table, version, contract, end of the window, versions of the tables that rules need); asking the same again answers from
//! the record and commits nothing, also when two copies ask at once.
//!
//! `files` judges files by a contract instead, without a lake and without a record.
//!
//! Not done here: what rules mean (`lake-quality`), SQL (`lake-sql`), what a layer does with a verdict.

mod args;
mod error;
mod files;
mod history;
mod judge;
mod queries;
mod reconcile;
mod remains;
mod scan;
mod subject;
mod text;
mod waive;

pub use args::Args;

use error::DqError;
use lake_core::{
    Contract, Summary,
    lineage::{Measure, facet::Assertion},
};
use lake_edge::{Attach as _, Edge, Output};
use lake_quality::{Finding, State, verdict::slice_that_failed};
use std::{collections::BTreeMap, ffi::OsString, process::ExitCode};
use subject::{Job, Judged};

const PROGRAM: &str = "dq-check";

/// Runs the program.
pub fn main(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    let argv: Vec<OsString> = argv.into_iter().collect();
    if files::names_files(&argv) {
        return lake_edge::main_plain(argv, files::run);
    }
    lake_edge::main(argv, PROGRAM, env!("CARGO_PKG_VERSION"), run)
}

/// Judges, or lets pass, one version of a table.
async fn run(args: Args, edge: Edge) -> anyhow::Result<Summary> {
    let (summary, bar) = (|| edge.summary(), edge.progress(&edge.run.table, None));
    let job = Job {
        lake: &edge.lake,
        contracts: &edge.contracts,
        contract: &edge.contract,
        policy: &edge.policy,
        window: edge.run.window,
        inputs: &edge.inputs,
        whole: edge.full_refresh,
        run_id: edge.run.id,
        now: edge.run.started_at,
        bar: &bar,
        summary: &summary,
    };
    let judged = match args.waive {
        None => judge::judge(&job).await?,
        Some(version) => waive::waive(&job, version, args.waived_by.as_deref(), args.reason.as_deref()).await?,
    };
    bar.done();
    edge.notes.judged(&judged.summary.inputs, assertions(&judged));
    edge.notes.measured(measures(&edge.contract, &judged));
    show(&edge, &judged);
    match gate(&judged) {
        Ok(()) => Ok(judged.summary),
        Err(error) => {
            // The edge prints summaries of runs that went well; this one committed its verdict, and readers want it too.
            if edge.output == Output::Json
                && let Ok(json) = serde_json::to_string(&judged.summary)
            {
                edge.console.line(&json);
            }
            Err(error).attach()
        }
    }
}

fn show(edge: &Edge, judged: &Judged) {
    let lines = match edge.output {
        Output::Json => text::of(&judged.verdict).json_lines(),
        Output::Text => text::of(&judged.verdict).table(&text::decision(&judged.verdict)),
    };
    lines.iter().for_each(|line| edge.console.line(line));
}

/// What the rules that were judged found, for lineage.
fn assertions(judged: &Judged) -> Vec<Assertion> {
    let findings = judged.verdict.report.findings.iter().filter(|finding| finding.state == State::Judged);
    let assertion = |finding: &Finding| Assertion {
        assertion: finding.rule.clone(),
        success: finding.passed,
        severity: lake_quality::severity_text(finding.severity).to_owned(),
        expected: finding.expected.clone(),
    };
    findings.map(assertion).collect()
}

/// How good and how old the table is, for metrics.
fn measures(contract: &Contract, judged: &Judged) -> BTreeMap<Measure, f64> {
    let verdict = &judged.verdict;
    let age = lake_quality::age_seconds(contract, &verdict.report.findings);
    let score = (Measure::QualityScore, verdict.score);
    [score].into_iter().chain(age.map(|age| (Measure::FreshnessSeconds, age))).collect()
}

/// The next layer may start.
fn gate(judged: &Judged) -> Result<(), DqError> {
    let verdict = &judged.verdict;
    if verdict.passed {
        return Ok(());
    }
    let earlier = |finding: &Finding| slice_that_failed(finding).is_some();
    let name = |finding: &Finding| match earlier(finding) {
        true => format!("`{}` ({})", finding.rule, finding.message),
        false => format!("`{}`", finding.rule),
    };
    let names: Vec<String> = verdict.failures().map(name).collect();
    Err(DqError::Gate {
        table: verdict.key.table.clone(),
        version: verdict.key.version,
        failed: names.len(),
        rules: verdict.report.count(State::Judged),
        names: names.join(", "),
        window: verdict.key.window,
        earlier: verdict.failures().any(earlier),
    })
}

#[cfg(test)]
mod tests;
