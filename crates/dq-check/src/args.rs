//! Arguments; the doc comments are the help text.

use lake_edge::{HasRun, RunArgs};

pub(crate) const EXAMPLES: &str = "\
Examples:
  dq-check bronze_kafka_orders --window 2017-12-30
  dq-check silver_orders --window 2017-12-30 --output json
  dq-check silver_orders --window 2017-12-30 --input silver_orders@12 --input silver_customers@7
  dq-check bronze_kafka_orders --window 2017-12-30 --waive 3 --reason 'known outage, ticket 4711'
  dq-check silver_orders --input orders.parquet
  dq-check silver_orders --input a.csv b.csv --reference silver_customers=c.csv --window 2017-12-30

Exit codes:
  0   every error rule holds, or the version was let pass
  1   a bug
  2   usage or configuration, such as a query that no row can save or a version to waive that passed
  65  an error rule failed; the verdict is written and the next layer must not read this version
  75  transient: run the same command again
  99  no row to check (only with --skip-when-empty)";

const USAGE: &str = "dq-check [OPTIONS] --window <WINDOW> <TABLE>
       dq-check <TABLE> --input <FILE>... [--reference <TABLE=FILE>]... [--window <WINDOW>]";

const INPUT: &str = "Read exactly this version of an input (repeatable), or judge these files instead of the lake: \
                     .parquet, .csv, .json, .jsonl or .ndjson";

/// Judge one version of a table by its contract and record the verdict
///
/// Checks the rules of the contract, required columns, the key, references and freshness in one scan. A Silver or Gold
/// verdict is about all rows; a Bronze verdict is about the rows that came since the last version that passed
/// (--full-refresh: about all rows), and what is left of a version that failed must hold by itself until it is let pass. A
/// rule that could not run has failed.
///
/// With files for --input the same rules judge the files, without a lake: nothing is recorded, and only --reference, --window,
/// --contracts and --output may stand beside them.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "dq-check",
    version,
    after_help = EXAMPLES,
    after_long_help = EXAMPLES,
    override_usage = USAGE,
    mut_arg("inputs", |arg| arg.value_name("TABLE@VERSION | FILE").help(INPUT))
)]
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

    /// With files: rows of another table that rules need (repeatable)
    #[arg(long = "reference", value_name = "TABLE=FILE")]
    pub references: Vec<String>,
}

impl HasRun for Args {
    const JUDGES: bool = true;

    fn run(&self) -> &RunArgs {
        &self.run
    }
}
