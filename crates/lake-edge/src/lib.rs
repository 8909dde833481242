//! The edge: the only place that reads arguments, environment and clock, prints, and ends the process.
//!
//! A program is `lake_edge::main(argv, name, version, run)`: arguments are parsed, contracts and policy loaded, logging and
//! the runtime started; `run` does the work and returns a [`Summary`]; the edge tells beginning and end to the lineage outbox,
//! prints the summary, leaves an attempt file for runs that changed nothing or failed, and turns an error's
//! [`lake_core::Fault`] into the exit code.
//!
//! Not done here: anything about rows.

mod args;
mod attempt;
mod aws;
mod console;
mod contracts;
mod fail;
mod file;
mod gauges;
mod lineage;
mod panics;
mod parse;
mod secrets;
mod termination;

pub use args::{HasRun, InputVersion, Output, RunArgs};
pub use aws::{AwsFailure, AwsService};
pub use console::{Bar, Console};
pub use contracts::load_contracts;
pub use fail::Attach;
pub use file::{FileError, write_file};
pub use lineage::Notes;
pub use secrets::SecretStore;
pub use termination::Termination;

use anyhow::Context as _;
use lake_core::{Contract, Exit, Policy, Run, RunId, Secret, Summary, contract::ContractSet, summary};
use std::{collections::BTreeMap, ffi::OsString, future::Future, process::ExitCode, sync::Arc, time::Instant};

/// What a program gets besides its own arguments.
#[derive(Debug)]
pub struct Edge {
    /// Identity, table and window of the run.
    pub run: Run,
    /// All contracts, as the process has read them: its edges share them.
    pub contracts: Arc<ContractSet>,
    /// Contract of the run's table.
    pub contract: Contract,
    /// The policy.
    pub policy: Policy,
    /// Root of the lake.
    pub lake: lake_table::Lake,
    /// Input versions that the caller fixed.
    pub inputs: BTreeMap<String, i64>,
    /// Rebuild instead of continue.
    pub full_refresh: bool,
    /// Where people look.
    pub console: Console,
    /// `text` or `json`.
    pub output: Output,
    /// What lineage tells of the run besides its summary.
    pub notes: Notes,
    secrets: SecretStore,
    version: &'static str,
    started: Instant,
}

impl Edge {
    /// Returns a secret by its name.
    ///
    /// # Errors
    /// [`lake_core::Fault::Config`] when there is none; the message never holds a value.
    pub fn secret(&self, name: &str) -> anyhow::Result<Secret> {
        self.secrets.get(name)
    }

    /// Returns a summary with the run's identity filled in and everything else empty.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary {
            attempt: self.run.attempt,
            program_version: self.version.to_owned(),
            contract: self.contract.reference(),
            contract_hash: self.contract.hash.clone(),
            duration_ms: self.elapsed_ms(),
            peak_rss_bytes: console::peak_rss_bytes(),
            ..Summary::begun(self.run.id, self.run.program, &self.run.table, self.run.window)
        }
    }

    /// Milliseconds since the start.
    #[must_use]
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Starts a progress bar; nothing is drawn where stderr is no terminal.
    #[must_use]
    pub fn progress(&self, what: &str, total: Option<u64>) -> Bar {
        self.console.progress(what, total)
    }
}

/// Returns the current instant, in microseconds as tables keep it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the edge is the one place that reads the clock")]
pub fn now() -> chrono::DateTime<chrono::Utc> {
    let now = chrono::Utc::now();
    chrono::DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
}

/// The whole `main` of a program that works on one table.
pub fn main<A, F>(
    argv: impl IntoIterator<Item = OsString>,
    program: &'static str,
    version: &'static str,
    run: impl FnOnce(A, Edge) -> F,
) -> ExitCode
where
    A: clap::Parser + HasRun,
    F: Future<Output = anyhow::Result<Summary>>,
{
    let args = match parse::parse::<A>(argv) {
        Ok(args) => args,
        Err(exit) => return exit,
    };
    let common = args.run().clone();
    arm_faults();
    panics::hide_caught();
    let console = Console::new(common.verbose);
    let started = Instant::now();
    let result = runtime().and_then(|runtime| {
        runtime.block_on(async {
            let (contracts, policy) = load_contracts(&common.contracts)?;
            let loaded = (Arc::new(contracts), policy);
            let edge = Edge { started, ..edge(&common, loaded, program, version, console.clone())? };
            let (lake, identity) = (edge.lake.clone(), edge.run.clone());
            let teller = lineage::Teller::begin(&args, &edge, &edge.run).await?;
            let ends_itself = args.ends_itself();
            let work = run(args, edge);
            let outcome = if ends_itself { work.await } else { termination::until_terminated(work).await };
            let outcome = teller.end(outcome).await;
            attempt::record(&lake, &identity, &outcome).await;
            outcome
        })
    });
    let exit = match result {
        Ok(mut summary) => {
            summary.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            summary.peak_rss_bytes = console::peak_rss_bytes();
            finish(&console, &common, &summary)
        }
        Err(error) => fail::report(&console, &error),
    };
    ExitCode::from(exit.code())
}

/// The whole `main` of a program that works on no single table.
pub fn main_plain<A, F>(argv: impl IntoIterator<Item = OsString>, run: impl FnOnce(A, Console) -> F) -> ExitCode
where
    A: clap::Parser,
    F: Future<Output = anyhow::Result<Exit>>,
{
    let args = match parse::parse::<A>(argv) {
        Ok(args) => args,
        Err(exit) => return exit,
    };
    arm_faults();
    panics::hide_caught();
    let console = Console::new(0);
    let result = runtime().and_then(|runtime| runtime.block_on(termination::until_terminated(run(args, console.clone()))));
    let exit = result.unwrap_or_else(|error| fail::report(&console, &error));
    ExitCode::from(exit.code())
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("failed to start the runtime")
}

/// Makes the edge of a table by contracts that were loaded before, for a program that works on more than one: [`main`] makes that
/// of a single one.
///
/// # Errors
/// As a program's own start: a table without a contract, or a lake that cannot be used.
pub fn edge(
    args: &RunArgs,
    (contracts, policy): (Arc<ContractSet>, Policy),
    program: &'static str,
    version: &'static str,
    console: Console,
) -> anyhow::Result<Edge> {
    let contract = contracts.table(&args.table).attach()?.clone();
    let lake = lake_table::Lake::open(&args.lake).attach()?;
    let inputs = args.inputs.iter().map(|input| (input.table.clone(), input.version)).collect();
    let run = Run {
        id: args.run_id.unwrap_or_else(|| RunId(uuid::Uuid::now_v7())),
        attempt: args.attempt,
        program,
        table: args.table.clone(),
        window: args.window,
        generation: args.generation,
        started_at: now(),
    };
    Ok(Edge {
        run,
        contracts,
        contract,
        policy,
        lake,
        inputs,
        full_refresh: args.full_refresh,
        console,
        output: args.output,
        notes: Notes::default(),
        secrets: args.secrets.clone(),
        version,
        started: Instant::now(),
    })
}

/// Does the work of a run on one table and tells its beginning and its end, for a program that works on more than one: [`main`]
/// does so for that of a single one. The run begins here, however long its edge has been there.
///
/// # Errors
/// As the work, and when beginning or end cannot be told.
pub async fn tell<A: HasRun>(
    args: &A,
    edge: &Edge,
    work: impl Future<Output = anyhow::Result<Summary>>,
) -> anyhow::Result<Summary> {
    let run = Run { started_at: now(), ..edge.run.clone() };
    let teller = lineage::Teller::begin(args, edge, &run).await?;
    teller.end(work.await).await
}

fn finish(console: &Console, args: &RunArgs, summary: &Summary) -> Exit {
    let json = match serde_json::to_string(summary) {
        Ok(json) => json,
        Err(error) => return fail::report(console, &anyhow::Error::from(error).context("failed to write the summary")),
    };
    match args.output {
        Output::Json => console.line(&json),
        Output::Text => console.line(&console::summary_text(summary)),
    }
    if let Some(target) = &args.summary_to
        && let Err(error) = attempt::write_summary(target, &json)
    {
        return fail::report(console, &error);
    }
    let nothing = matches!(summary.outcome, summary::Outcome::Unchanged) || summary.ledger.read == 0;
    if args.skip_when_empty && nothing { Exit::Nothing } else { Exit::Ok }
}

/// Test builds kill the process at a fault point, or drop or double a row, when the environment says so.
#[cfg(feature = "faults")]
#[expect(clippy::disallowed_methods, reason = "the edge is the one place that reads the environment")]
fn arm_faults() {
    use lake_core::operator::{MUTATED, Mutation};
    if let Ok(fault) = std::env::var("SLUICE_FAULT") {
        let (point, time) = fault.split_once('#').unwrap_or((fault.as_str(), "1"));
        let _ = lake_core::faultpoint::ARMED.set((point.to_owned(), time.parse().unwrap_or(1)));
    }
    if let Some((operator, what)) = std::env::var("SLUICE_MUTATE").ok().as_deref().and_then(|text| text.split_once(':')) {
        let mutation = if what == "drop" { Mutation::Drop } else { Mutation::Double };
        let _ = MUTATED.set((operator.to_owned(), mutation));
    }
}

#[cfg(not(feature = "faults"))]
const fn arm_faults() {}
