//! Arguments; the doc comments are the help text.

use lake_core::{RunId, env, lineage::Derivation};
use lake_edge::{Attach as _, Edge, HasRun, Output, RunArgs, SecretStore};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  goldify gold_dim_products --window 2017-12-30
  goldify gold_fact_sales --window 2017-12-30 --input silver_orders@4 --input silver_order_items@4
  goldify gold_fact_sales --window 2017-12-30 --full-refresh
  goldify rotate-key --to masking/token-key-2

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

const ROTATE_EXAMPLES: &str = "\
Examples:
  goldify rotate-key --to masking/token-key-2

Exit codes:
  0   done, or all tokens are of this key already
  1   a bug
  2   usage or configuration, among them a key that was used before and another rotation that is under way
  65  a table made again differs in more than its tokens; nothing was changed
  75  transient: run the same command again, which goes on where it was stopped";

/// Give all tables that hold tokens another key, in one planned step
///
/// Every table is made again from the inputs that it is made from, and compared with what stands there: only tokens may differ,
/// and each old token becomes one new one, so that joins find what they found. Then the plan is recorded in ops/key_rotations,
/// and each table is replaced in one commit. Stopped in between, it goes on when it is run again; until then tables with tokens
/// of two keys are refused as inputs. Keep the secret of the old key until the rotation has ended.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "goldify rotate-key", bin_name = "goldify rotate-key", version, after_help = ROTATE_EXAMPLES)]
pub struct RotateArgs {
    /// Name of the secret with the new key
    #[arg(long, value_name = "SECRET")]
    pub to: String,

    /// Root of the lake: a directory or s3://bucket/prefix
    #[arg(long, env = env::LAKE_URI, default_value = ".sluice/lake")]
    pub lake: String,

    /// Directory of the contracts
    #[arg(long, env = env::LAKE_CONTRACTS, default_value = "contracts")]
    pub contracts: PathBuf,

    /// Where secrets come from: file:DIR or env:PREFIX
    #[arg(long, env = env::LAKE_SECRETS, default_value = "file:.sluice/secrets")]
    pub secrets: SecretStore,

    /// Id of the run; made when absent
    #[arg(long)]
    pub run_id: Option<RunId>,

    /// Number of the attempt, from 1
    #[arg(long, default_value_t = 1)]
    pub attempt: u32,

    /// What stdout gets
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}
