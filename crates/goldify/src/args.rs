//! Arguments; the doc comments are the help text.

use lake_core::{RunId, Summary, env, lineage::Derivation};
use lake_edge::{Attach as _, Edge, HasRun, InputVersion, Output, RunArgs, SecretStore};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  goldify gold_dim_products --window 2017-12-30
  goldify gold_fact_sales --window 2017-12-30 --input silver_orders@4 --input silver_order_items@4
  goldify gold_fact_sales --window 2017-12-30 --full-refresh
  goldify rotate-key --to masking/token-key-2
  goldify show-cte gold_marketing_attribution shares --to shares.parquet

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

    /// Where all is.
    #[command(flatten)]
    pub place: PlaceArgs,

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

const CTE_EXAMPLES: &str = "\
Examples:
  goldify show-cte gold_marketing_attribution shares --to shares.parquet

Exit codes:
  0   done
  1   a bug
  2   usage or configuration, among them a model without that expression
  65  the table is not there, or its model or inputs are no longer as it read them
  75  transient: run the same command again";

/// Write the rows of one step of a table's model to a file, as they were when the table was built
///
/// The step is a common table expression (WITH name AS ...) of the model. It runs over the versions of the inputs that the table
/// is made from; what a model does not see is not in it. Nothing in the lake changes.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "goldify show-cte", bin_name = "goldify show-cte", version, after_help = CTE_EXAMPLES)]
pub struct CteArgs {
    /// Gold table
    pub table: String,

    /// Name of the common table expression
    pub cte: String,

    /// Parquet file to write
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,

    /// Where all is.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// Where lake, contracts and secrets are.
#[derive(Debug, Clone, clap::Args)]
pub struct PlaceArgs {
    /// Root of the lake: a directory or s3://bucket/prefix
    #[arg(long, env = env::LAKE_URI, default_value = ".sluice/lake")]
    pub lake: String,

    /// Directory of the contracts
    #[arg(long, env = env::LAKE_CONTRACTS, default_value = "contracts")]
    pub contracts: PathBuf,

    /// Where secrets come from: file:DIR or env:PREFIX
    #[arg(long, env = env::LAKE_SECRETS, default_value = "file:.sluice/secrets")]
    pub secrets: SecretStore,
}

impl PlaceArgs {
    /// The run that makes a table again: from what its last run read, and as of when.
    pub(crate) fn again(&self, last: &Summary) -> RunArgs {
        let inputs = last.inputs.iter().map(|(table, version)| InputVersion { table: table.clone(), version: *version });
        RunArgs {
            table: last.table.clone(),
            window: last.window,
            lake: self.lake.clone(),
            contracts: self.contracts.clone(),
            inputs: inputs.collect(),
            run_id: None,
            attempt: 1,
            generation: 1,
            full_refresh: false,
            output: Output::Text,
            summary_to: None,
            secrets: self.secrets.clone(),
            skip_when_empty: false,
            verbose: 0,
        }
    }
}
