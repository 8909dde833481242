//! Arguments; the doc comments are the help text.

use chrono::{DateTime, Utc};
use lake_core::window::instant;
use lake_edge::{HasRun, RunArgs};
use std::collections::BTreeMap;

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

    /// What is submitted again.
    #[command(flatten)]
    pub replay: ReplayArgs,
}

/// Which left-over rows are submitted again.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ReplayArgs {
    /// Instead of reading what is new, submit quarantined and held rows again: those that keep the contract as it is now land
    #[arg(long, conflicts_with_all = ["inputs", "full_refresh"])]
    pub replay: bool,

    /// Only rows that broke this rule; late_window: that were held
    #[arg(long, value_name = "ID", requires = "replay")]
    pub rule: Option<String>,

    /// Only rows that were judged by this version of the contract
    #[arg(long, value_name = "VERSION", requires = "replay")]
    pub contract: Option<String>,

    /// Only rows that a run left over that began at this time or later
    #[arg(long, value_name = "TIME", requires = "replay", value_parser = instant)]
    pub since: Option<DateTime<Utc>>,

    /// Only rows that a run left over that began before this time
    #[arg(long, value_name = "TIME", requires = "replay", value_parser = instant)]
    pub until: Option<DateTime<Utc>>,

    /// Let rows in although they came behind the late window
    #[arg(long, requires = "replay")]
    pub held: bool,
}

impl ReplayArgs {
    /// What was asked for, as the record of the run shows it.
    pub(crate) fn asked(&self) -> BTreeMap<String, String> {
        let text = |time: DateTime<Utc>| time.to_rfc3339();
        let given = [
            ("rule", self.rule.clone()),
            ("contract", self.contract.clone()),
            ("since", self.since.map(text)),
            ("until", self.until.map(text)),
            ("held", self.held.then(|| true.to_string())),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

const AFTER: &str = "\
Examples:
  # Consume what is new, up to the newest version with a passing verdict
  silverize silver_orders --window 2017-12-30
  # Consume exactly this version of an input
  silverize silver_orders --window 2017-12-30 --input bronze_kafka_orders@4
  # Rebuild the table with its quarantine and held rows from all that Bronze holds
  silverize silver_orders --window 2017-12-30 --full-refresh
  # After a mend of the contract: bring back what its rule had left over
  silverize silver_orders --window 2017-12-30 --replay --rule currency_invalid
  # Let in what came too late
  silverize silver_orders --window 2017-12-30 --replay --rule late_window --held

Exit codes:
  0   done, or nothing was new or to be replayed
  1   a bug
  2   options or contracts are wrong
  65  an input has removed rows (run --full-refresh), has no passing version, or rows do not add up
  75  the store or another writer was in the way: run the same command again
  99  nothing was new or to be replayed (only with --skip-when-empty)";

impl HasRun for Args {
    fn run(&self) -> &RunArgs {
        &self.run
    }
}
