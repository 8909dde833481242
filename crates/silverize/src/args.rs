//! Arguments; the doc comments are the help text.

use lake_edge::{HasRun, RunArgs};

/// Bring a Silver table up to date from the Bronze versions it has not consumed yet
///
/// Rows are typed, standardised, deduplicated and merged as the table's contract says. Broken rows go to quarantine/<table>,
/// rows behind the late window to held/<table>, both before the data. Running it again changes nothing.
#[derive(Debug, clap::Parser)]
#[command(name = "silverize", version, after_long_help = AFTER)]
pub struct Args {
    /// What every program on a table is told.
    #[command(flatten)]
    pub run: RunArgs,
}

const AFTER: &str = "\
Examples:
  # Consume what is new, up to the newest version with a passing verdict
  silverize silver_orders --window 2017-12-30
  # Consume exactly this version of an input
  silverize silver_orders --window 2017-12-30 --input bronze_kafka_orders@4
  # Rebuild the table with its quarantine and held rows from all that Bronze holds
  silverize silver_orders --window 2017-12-30 --full-refresh

Exit codes:
  0   done, or nothing was new
  1   a bug
  2   options or contracts are wrong
  65  an input has removed rows (run --full-refresh), has no passing version, or rows do not add up
  75  the store or another writer was in the way: run the same command again
  99  nothing was new (only with --skip-when-empty)";

impl HasRun for Args {
    fn run(&self) -> &RunArgs {
        &self.run
    }
}
