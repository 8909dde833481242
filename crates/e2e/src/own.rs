//! What `all-clis` tells under its own name.

use crate::PROGRAMS;
use lake_core::Exit;
use lake_edge::{Console, Output};
use std::{ffi::OsString, process::ExitCode};

/// Run any program of Sluice by its name
#[derive(Debug, clap::Parser)]
#[command(
    name = "all-clis",
    version,
    after_help = "Programs: ingest-fx, ingest-hubspot, ingest-kafka, ingest-redshift, ingest-snowflake, silverize, goldify, dq-check, lineage-emit, catalog-sync, run-pipeline\n\nExamples:\n  all-clis run-pipeline check\n  all-clis exit-codes --output json"
)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print the exit codes of all programs
    ExitCodes {
        /// What stdout gets
        #[arg(long, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
    /// Print the names of the programs
    Programs,
    /// Print the fault points that are compiled in (test builds)
    FaultPoints,
    /// Print the operators that are compiled in (test builds)
    Operators,
}

/// Answers for `all-clis` itself.
pub(crate) fn main(argv: Vec<OsString>) -> ExitCode {
    lake_edge::main_plain(argv, async |args: Args, console: Console| {
        match args.command {
            Command::ExitCodes { output } => exit_codes(&console, output),
            Command::Programs => PROGRAMS.iter().for_each(|(name, _)| console.line(name)),
            Command::FaultPoints => print(&console, fault_points()),
            Command::Operators => print(&console, operators()),
        }
        Ok(Exit::Ok)
    })
}

fn print(console: &Console, mut names: Vec<&str>) {
    names.sort_unstable();
    names.dedup();
    names.iter().for_each(|name| console.line(name));
}

fn exit_codes(console: &Console, output: Output) {
    for exit in Exit::ALL {
        match output {
            Output::Json => console.line(&serde_json::json!({ "code": exit.code(), "name": exit.name() }).to_string()),
            Output::Text => console.line(&format!("{:>3}  {}", exit.code(), exit.name())),
        }
    }
}

#[cfg(feature = "faults")]
fn fault_points() -> Vec<&'static str> {
    lake_core::faultpoint::FAULT_POINTS.iter().map(|point| point.name).collect()
}

#[cfg(feature = "faults")]
fn operators() -> Vec<&'static str> {
    lake_core::operator::OPERATORS.iter().map(|operator| operator.name).collect()
}

#[cfg(not(feature = "faults"))]
const fn fault_points() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(not(feature = "faults"))]
const fn operators() -> Vec<&'static str> {
    Vec::new()
}
