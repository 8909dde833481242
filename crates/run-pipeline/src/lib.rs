//! Runs one window through all tables: every table's program as a process, in the order that the contracts give.
//!
//! `check` says whether the contracts hold together, `plan` prints the derived steps (as JSON: the jobs that a scheduler draws),
//! `attempt` leaves what became of such a job, `ledger` brings the tables of what was done up to date behind them, `report` shows
//! what was done, `day` runs the steps: ingest, gate, silverize, gate, goldify, gate, each as soon as what it waits for has passed.
//! The version of an input is resolved once and handed to all that read it. A failed gate stops what is downstream of its table and
//! nothing else.
//!
//! What is done stands in the tables' logs: running a window again asks every step, and those that are done say so at once.
//! Not done here: changing rows. This program knows the others by name only and never links one.

mod args;
mod attempt;
mod board;
mod check;
mod dags;
mod day;
mod graph;
mod jobs;
mod ledger;
mod outcome;
mod process;
mod projection;
mod report;
mod resume;
mod schedule;
mod scores;

pub use args::Args;

use anyhow::Context as _;
use args::{Command, PlanArgs};
use lake_core::Exit;
use lake_edge::{Console, Output};
use std::{ffi::OsString, process::ExitCode};

const PROGRAM: &str = "run-pipeline";

/// The program's whole `main`.
pub fn main(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    lake_edge::main_plain(argv, run)
}

/// Does what the arguments say.
///
/// # Errors
/// With the fault that tells who has to act; steps that fail are no error here but the returned exit.
pub async fn run(args: Args, console: Console) -> anyhow::Result<Exit> {
    match args.command {
        Command::Check(args) => check::run(&args, &console),
        Command::Plan(args) => plan(&args, &console),
        Command::Day(args) => day::run(&args, &console).await,
        Command::Report(args) => report::run(&args, &console).await,
        Command::Ledger(args) => ledger::run(&args, &console).await,
        Command::Attempt(args) => attempt::run(&args, &console).await,
    }
}

fn plan(args: &PlanArgs, console: &Console) -> anyhow::Result<Exit> {
    let (contracts, _) = lake_edge::load_contracts(&args.contracts)?;
    let graph = graph::Graph::of(&contracts)?;
    if args.output == Output::Json {
        let schedule = dags::Schedule::of(&contracts, &graph, args.window)?;
        console.line(&serde_json::to_string_pretty(&schedule).context("failed to write the plan")?);
        return Ok(Exit::Ok);
    }
    for (at, step) in graph.steps.iter().enumerate() {
        let after: Vec<String> = step.after.iter().map(|before| (before + 1).to_string()).collect();
        let after = if after.is_empty() { String::new() } else { format!("  after {}", after.join(", ")) };
        console.line(&format!("{:>3}  {}{after}", at + 1, step.name()));
    }
    Ok(Exit::Ok)
}
