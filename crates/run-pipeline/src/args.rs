//! Arguments; the doc comments are the help text.

use lake_core::{RunId, Window, env};
use lake_edge::{Output, SecretStore};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  run-pipeline check
  run-pipeline plan --output json > dags/graph.json
  run-pipeline day --window 2017-01-01/2017-12-30
  run-pipeline day --window 2017-12-30 --jobs 4 --logs logs
  run-pipeline day --window 2017-12-30 --resume
  run-pipeline ledger --window 2017-12-30
  run-pipeline report --to report.html

Exit codes (the worst of all steps):
  0   done
  1   a bug
  2   usage or configuration, among them every problem that `check` finds
  65  data broke its contract or a gate failed; what is downstream of it was not started
  75  transient: run the same command again";

/// Run every table's program in the order that the contracts give
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "run-pipeline", version, after_help = EXAMPLES)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// Check all contracts and every reference between them
    #[command(after_help = EXAMPLES)]
    Check(CheckArgs),
    /// Print the steps that a day would run, in order
    #[command(after_help = EXAMPLES)]
    Plan(PlanArgs),
    /// Run one window through Bronze, Silver and Gold, with a gate between every two
    #[command(after_help = EXAMPLES)]
    Day(DayArgs),
    /// Leave what became of a job in the lake, once, for the scheduler that started it
    #[command(after_help = EXAMPLES)]
    Attempt(AttemptArgs),
    /// Bring ops/runs, ops/ledger and ops/quality_scores up to what the tables say, behind a day that a scheduler ran
    #[command(after_help = EXAMPLES)]
    Ledger(LedgerArgs),
    /// Write one HTML file of the newest run, its rows, their quality and what Gold says
    #[command(after_help = EXAMPLES)]
    Report(ReportArgs),
}

/// Arguments of `check`.
#[derive(Debug, Clone, clap::Args)]
pub struct CheckArgs {
    /// Directory of the contracts
    #[arg(long, env = env::LAKE_CONTRACTS, default_value = "contracts")]
    pub contracts: PathBuf,

    /// What stdout gets; json: every table with its inputs and columns
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// Arguments of `plan`.
#[derive(Debug, Clone, clap::Args)]
pub struct PlanArgs {
    /// Window in UTC, half-open: a date, or FROM/TO with dates or instants
    #[arg(long)]
    pub window: Option<Window>,

    /// Directory of the contracts
    #[arg(long, env = env::LAKE_CONTRACTS, default_value = "contracts")]
    pub contracts: PathBuf,

    /// What stdout gets; json: the jobs of every DAG, as dags/README.md tells
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// Arguments of `day`.
#[derive(Debug, Clone, clap::Args)]
pub struct DayArgs {
    /// Window in UTC, half-open: a date, or FROM/TO with dates or instants
    #[arg(long)]
    pub window: Window,

    /// Root of the lake: a directory or s3://bucket/prefix
    #[arg(long, env = env::LAKE_URI, default_value = ".sluice/lake")]
    pub lake: String,

    /// Directory of the contracts
    #[arg(long, env = env::LAKE_CONTRACTS, default_value = "contracts")]
    pub contracts: PathBuf,

    /// Where secrets come from: file:DIR or env:PREFIX
    #[arg(long, env = env::LAKE_SECRETS, default_value = "file:.sluice/secrets")]
    pub secrets: SecretSource,

    /// Directory of the programs; default: beside this executable
    #[arg(long, value_name = "DIR")]
    pub programs: Option<PathBuf>,

    /// Directory that gets one log per step
    #[arg(long, value_name = "DIR", default_value = ".sluice/logs")]
    pub logs: PathBuf,

    /// Steps that run at the same time; default: the processors, 2 to 4
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub jobs: Option<u8>,

    /// How often a step that ended with 75 is tried again
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=20))]
    pub retries: u32,

    /// Seconds before the first new try; they double with each
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=3600))]
    pub retry_seconds: u64,

    /// Seconds after which a step is stopped and counted as transient
    #[arg(long, default_value_t = 3_600, value_parser = clap::value_parser!(u64).range(1..))]
    pub step_seconds_max: u64,

    /// Go on under the id of the window's last run; steps that are done answer from the log at once
    #[arg(long)]
    pub resume: bool,

    /// Id of the run; made when absent
    #[arg(long, conflicts_with = "resume")]
    pub run_id: Option<RunId>,

    /// What stdout gets
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// Arguments of `attempt`.
#[derive(Debug, Clone, clap::Args)]
pub struct AttemptArgs {
    /// File with the record: one JSON object
    #[arg(long, value_name = "FILE")]
    pub record: PathBuf,

    /// Root of the lake: a directory or s3://bucket/prefix
    #[arg(long, env = env::LAKE_URI, default_value = ".sluice/lake")]
    pub lake: String,

    /// Id of the run
    #[arg(long)]
    pub run_id: RunId,

    /// Number of the attempt, from 1
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub attempt: u32,
}

/// Arguments of `ledger`.
#[derive(Debug, Clone, clap::Args)]
pub struct LedgerArgs {
    /// Window in UTC, half-open: a date, or FROM/TO with dates or instants; the scores are those of its day
    #[arg(long)]
    pub window: Window,

    /// Root of the lake: a directory or s3://bucket/prefix
    #[arg(long, env = env::LAKE_URI, default_value = ".sluice/lake")]
    pub lake: String,

    /// Directory of the contracts
    #[arg(long, env = env::LAKE_CONTRACTS, default_value = "contracts")]
    pub contracts: PathBuf,

    /// Id of the run; made when absent
    #[arg(long)]
    pub run_id: Option<RunId>,

    /// Number of the attempt, from 1
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub attempt: u32,

    /// What stdout gets
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// Arguments of `report`.
#[derive(Debug, Clone, clap::Args)]
pub struct ReportArgs {
    /// Root of the lake: a directory or s3://bucket/prefix
    #[arg(long, env = env::LAKE_URI, default_value = ".sluice/lake")]
    pub lake: String,

    /// Directory of the contracts
    #[arg(long, env = env::LAKE_CONTRACTS, default_value = "contracts")]
    pub contracts: PathBuf,

    /// File to write; it holds all that it shows
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,

    /// Window that is shown; default: the newest day
    #[arg(long)]
    pub window: Option<Window>,

    /// Id of the run that is shown
    #[arg(long, conflicts_with = "window")]
    pub run: Option<RunId>,

    /// Earlier windows and days that are shown beside it
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub windows_max: u16,

    /// Title of the report, such as the name of the lake
    #[arg(long, default_value = "Sluice")]
    pub title: String,
}

/// Where secrets come from, checked here and handed to the steps as it was given.
#[derive(Debug, Clone)]
pub struct SecretSource(String);

impl SecretSource {
    /// Returns the text as it was given; it names a place, never a secret.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for SecretSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<SecretStore>().map(|_| Self(text.to_owned()))
    }
}
