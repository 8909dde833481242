//! Arguments; the doc comments are the help text.

use lake_core::env;
use lake_edge::Output;
use std::{path::PathBuf, time::Duration};

const EXAMPLES: &str = "\
Examples:
  # Everything that has a contract, after a day or a release
  catalog-sync --lake s3://lake/prod
  # One table, right after its run
  catalog-sync silver_orders --lake s3://lake/prod
  # What would be done, also what would be dropped
  catalog-sync --lake s3://lake/prod --prune --dry-run
  # Databases of a second lake in the same account: dev_bronze, dev_silver, dev_gold
  catalog-sync --lake s3://lake/dev --database-prefix dev_

Exit codes:
  0   the catalog is as the lake is; also when nothing had to be written
  1   a bug
  2   usage or configuration: no credentials, access denied, an entry of another lake is in the way
  65  a column has a type that Hive has no name for, or a table's log is broken; all other tables are synced
  75  transient: the catalog or the store is down or throttles; run the same command again";

/// Bring the Glue catalog up to the lake, for Athena and Lake Formation
///
/// Each layer has a database, each table an entry. Columns, types and partition keys come from the Delta log, comments, owner
/// and classes of columns from the contract. Nothing is dropped without --prune, and what is as it should be is not written.
/// Credentials, region and endpoint come from the usual AWS_* variables.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "catalog-sync", version, after_help = EXAMPLES)]
pub struct Args {
    /// Full names of the tables to sync; all that have a contract when absent
    #[arg(value_name = "TABLE", conflicts_with = "layers")]
    pub tables: Vec<String>,

    /// Sync only this layer (repeatable)
    #[arg(long = "layer", value_name = "LAYER", value_enum)]
    pub layers: Vec<LayerName>,

    /// Root of the lake, where readers of the catalog find it: s3://bucket/prefix
    #[arg(long, env = env::LAKE_URI, value_parser = bucket)]
    pub lake: String,

    /// Directory of the contracts
    #[arg(long, env = env::LAKE_CONTRACTS, default_value = "contracts")]
    pub contracts: PathBuf,

    /// What the names of the databases begin with
    #[arg(long, env = env::LAKE_DATABASE_PREFIX, default_value = "sluice_", value_parser = database_prefix)]
    pub database_prefix: String,

    /// Also drop columns that a table no longer has, and entries of this lake without a contract or a table
    #[arg(long)]
    pub prune: bool,

    /// Tell what would be done, and write nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Seconds that one try of one request may take
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout_seconds: u64,

    /// New tries of a request after the first one
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=20))]
    pub retries_max: u32,

    /// What stdout gets
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

impl Args {
    /// Returns the time that one try of a request may take.
    pub(crate) const fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }
}

/// A layer whose tables have contracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LayerName {
    /// Exactly as received; for data engineers.
    Bronze,
    /// Typed, standard, deduplicated.
    Silver,
    /// Facts, dimensions, metrics.
    Gold,
}

impl LayerName {
    pub(crate) const ALL: [Self; 3] = [Self::Bronze, Self::Silver, Self::Gold];

    /// As contracts, places and databases have it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bronze => "bronze",
            Self::Silver => "silver",
            Self::Gold => "gold",
        }
    }
}

/// A directory would put places into the catalog that only this machine knows.
fn bucket(text: &str) -> Result<String, String> {
    let Some(rest) = text.strip_prefix("s3://").filter(|rest| !rest.starts_with('/') && !rest.is_empty()) else {
        return Err("readers of the catalog reach buckets only: give s3://bucket/prefix".to_owned());
    };
    // Any other character stands escaped in an address and as it is in a key.
    if !rest.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=".contains(c)) {
        return Err(
            "readers of the catalog find plain places only: give s3://bucket/prefix of letters, digits and `-_./=`".to_owned()
        );
    }
    Ok(text.to_owned())
}

fn database_prefix(text: &str) -> Result<String, String> {
    let plain = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') && text.len() <= 200;
    if plain { Ok(text.to_owned()) } else { Err("expected at most 200 lower-case letters, digits and `_`".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn given(more: &[&str]) -> Result<Args, clap::Error> {
        Args::try_parse_from(["catalog-sync"].iter().chain(more))
    }

    #[test]
    fn a_directory_is_no_place_for_a_catalog() {
        assert!(given(&["--lake", "s3://lake/prod"]).is_ok());
        for wrong in [".sluice/lake", "/lake", "file:///lake", "s3://", "s3:///prod", "s3://lake/my lake", "s3://lake/50%"] {
            let error = given(&["--lake", wrong]).unwrap_err().to_string();
            assert!(error.contains("give s3://bucket/prefix"), "{wrong}: {error}");
        }
    }

    #[test]
    fn databases_have_plain_names() {
        let prefix = |text| given(&["--lake", "s3://lake", "--database-prefix", text]).map(|args| args.database_prefix);
        assert_eq!(prefix("dev_").unwrap(), "dev_");
        assert_eq!(prefix("").unwrap(), "");
        assert!(prefix("Dev-").is_err());
    }

    #[test]
    fn tables_are_named_or_chosen_by_layer() {
        assert!(given(&["silver_orders", "gold_dim_date", "--lake", "s3://lake"]).is_ok());
        assert!(given(&["--layer", "silver", "--layer", "gold", "--lake", "s3://lake"]).is_ok());
        assert!(given(&["silver_orders", "--layer", "silver", "--lake", "s3://lake"]).is_err());
    }
}
