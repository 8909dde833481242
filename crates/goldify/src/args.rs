//! Arguments; the doc comments are the help text.

use lake_core::lineage::Derivation;
use lake_edge::{Attach as _, Edge, HasRun, RunArgs};

const EXAMPLES: &str = "\
Examples:
  goldify gold_dim_products --window 2017-12-30
  goldify gold_fact_sales --window 2017-12-30 --input silver_orders@4 --input silver_order_items@4
  goldify gold_fact_sales --window 2017-12-30 --full-refresh

Exit codes:
  0   done, or done already
  1   a bug
  2   usage or configuration, among them a model that is not one SELECT over its declared inputs
  65  the result breaks its contract; nothing was committed
  75  transient: inputs that do not belong together, or another writer won; run the same command again
  99  nothing to do (only with --skip-when-empty)";

/// Rebuild one Gold table from its inputs and check it before anybody can read it
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "goldify", version, after_help = EXAMPLES)]
pub struct Args {
    /// What every program is told.
    #[command(flatten)]
    pub run: RunArgs,
}

impl HasRun for Args {
    fn run(&self) -> &RunArgs {
        &self.run
    }

    async fn derivation(&self, edge: &Edge) -> anyhow::Result<Option<Derivation>> {
        lake_sql::derivation(&edge.contracts, &edge.policy, &edge.contract).await.attach().map(Some)
    }
}
