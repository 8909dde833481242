//! Arguments that every program on a table has.

use crate::{Edge, SecretStore};
use lake_core::{
    RunId, Window,
    contract::layer::Source,
    env,
    lineage::{self, DatasetName, Derivation},
};
use std::{future::Future, path::PathBuf, str::FromStr};

/// Gives the edge the common part of a program's arguments, and what lineage tells of the program.
pub trait HasRun {
    /// Whether the program judges its table instead of writing it.
    const JUDGES: bool = false;

    /// Returns the common part.
    fn run(&self) -> &RunArgs;

    /// Whether the program itself ends well on SIGTERM (it listens with [`Termination`](crate::Termination)), as one does that keeps
    /// running; any other is abandoned with 75.
    fn ends_itself(&self) -> bool {
        false
    }

    /// Namespace and name of the source that the program reads.
    fn source(&self, _source: &Source) -> Option<DatasetName> {
        None
    }

    /// What the columns of the run's table are made from, as its contract says.
    ///
    /// # Errors
    /// For a program whose contract does not say it, when it cannot be found out.
    fn derivation(&self, edge: &Edge) -> impl Future<Output = anyhow::Result<Option<Derivation>>> {
        let found = if Self::JUDGES { None } else { lineage::derivation(&edge.contract, &edge.contracts) };
        std::future::ready(Ok(found))
    }
}

/// What every program on a table is told.
#[derive(Debug, Clone, clap::Args)]
pub struct RunArgs {
    /// Full name of the table, such as silver_orders
    pub table: String,

    /// Window in UTC, half-open: a date, or FROM/TO with dates or instants
    #[arg(long)]
    pub window: Window,

    /// Root of the lake: a directory or s3://bucket/prefix
    #[arg(long, env = env::LAKE_URI, default_value = ".sluice/lake")]
    pub lake: String,

    /// Directory of the contracts
    #[arg(long, env = env::LAKE_CONTRACTS, default_value = "contracts")]
    pub contracts: PathBuf,

    /// Read exactly this version of an input (repeatable)
    #[arg(long = "input", value_name = "TABLE@VERSION")]
    pub inputs: Vec<InputVersion>,

    /// Id of the run; made when absent
    #[arg(long)]
    pub run_id: Option<RunId>,

    /// Number of the attempt, from 1
    #[arg(long, default_value_t = 1)]
    pub attempt: u32,

    /// Run a window again on purpose and replace its rows: the next number
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..))]
    pub generation: i64,

    /// Rebuild the table from all that its inputs hold
    #[arg(long)]
    pub full_refresh: bool,

    /// What stdout gets
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,

    /// Also write the summary to this file
    #[arg(long, value_name = "FILE")]
    pub summary_to: Option<String>,

    /// Where secrets come from: file:DIR or env:PREFIX
    #[arg(long, env = env::LAKE_SECRETS, default_value = "file:.sluice/secrets")]
    pub secrets: SecretStore,

    /// Exit with 99 when there is nothing to do
    #[arg(long)]
    pub skip_when_empty: bool,

    /// Log more (repeatable)
    #[arg(short, long = "verbose", action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// What stdout gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// Lines for people.
    Text,
    /// JSON lines, the last of which is the summary.
    Json,
}

/// An input that must be read at exactly one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputVersion {
    /// Full name of the input.
    pub table: String,
    /// Delta version.
    pub version: i64,
}

impl FromStr for InputVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once('@').and_then(|(table, version)| Some((table, version.parse().ok()?)));
        match parsed {
            Some((table, version)) if !table.is_empty() && version >= 0 => Ok(Self { table: table.to_owned(), version }),
            _ => Err(format!("`{text}` is not TABLE@VERSION, such as bronze_kafka_orders@3")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_name_a_table_and_a_version() {
        assert_eq!("a_b@3".parse(), Ok(InputVersion { table: "a_b".into(), version: 3 }));
        for wrong in ["a_b", "a_b@", "@3", "a_b@-1", "a_b@x"] {
            assert!(wrong.parse::<InputVersion>().is_err(), "{wrong}");
        }
    }
}
