//! Arguments; the doc comments are the help text.

use lake_edge::{HasRun, RunArgs};

const EXAMPLES: &str = "\
Examples:
  dq-check bronze_kafka_orders --window 2017-12-30
  dq-check silver_orders --window 2017-12-30 --output json
  dq-check silver_orders --window 2017-12-30 --input silver_orders@12 --input silver_customers@7
  dq-check bronze_kafka_orders --window 2017-12-30 --waive 3 --reason 'known outage, ticket 4711'

Exit codes:
  0   every error rule holds, or the version was let pass
  1   a bug
  2   usage or configuration, among them a version that cannot be waived
  65  an error rule failed; the verdict is written and the next layer must not read this version
  75  transient: run the same command again
  99  no row to check (only with --skip-when-empty)";

/// Judge one version of a table by its contract and record the verdict
///
/// Checks the rules of the contract, required columns, the key, references and freshness in one scan. A Silver or Gold
/// verdict is about all rows; a Bronze verdict is about the rows that came since the last version that passed
/// (--full-refresh: about all rows), and what is left of a version that failed must hold by itself until it is let pass. A
/// rule that could not run has failed.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "dq-check", version, after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub struct Args {
    /// What every program on a table is told.
    #[command(flatten)]
    pub run: RunArgs,

    /// Let a version pass whose verdict failed, on record
    #[arg(long, value_name = "VERSION", requires = "reason", value_parser = clap::value_parser!(i64).range(0..))]
    pub waive: Option<i64>,

    /// Why the version may pass
    #[arg(long, value_name = "TEXT", requires = "waive")]
    pub reason: Option<String>,

    /// Who lets it pass; the user of this session when absent
    #[arg(long, value_name = "NAME", env = "USER")]
    pub waived_by: Option<String>,
}

impl HasRun for Args {
    fn run(&self) -> &RunArgs {
        &self.run
    }
}
