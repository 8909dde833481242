//! Arguments; the doc comments are the help text.

use lake_core::{
    contract::layer::Source,
    env,
    lineage::{DatasetName, dataset::source_dataset},
};
use lake_edge::{HasRun, RunArgs};
use std::path::PathBuf;
use url::Url;

const EXAMPLES: &str = "\
Examples:
  ingest-snowflake bronze_snowflake_orders --window 2017-12-30 --account acme-eu1 --user SLUICE
  ingest-snowflake bronze_snowflake_orders --window 2017-01-01/2017-12-30 --url http://127.0.0.1:8099
  ingest-snowflake bronze_snowflake_orders --window 2017-12-30 --generation 2

The password is the secret `snowflake/password` (see --secrets).

Exit codes:
  0   done, or done already
  1   a bug
  2   usage or configuration: wrong credentials, no such table, no driver library
  65  the source lacks a column of the contract, or gives it another type
  75  transient: the source is down, or the table changed while it was read; run the same command again
  99  nothing to do (only with --skip-when-empty)";

/// Land one window of a Snowflake table in Bronze
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "ingest-snowflake", version, after_help = EXAMPLES)]
pub struct Args {
    /// What every program is told.
    #[command(flatten)]
    pub run: RunArgs,

    /// Snowflake account
    #[arg(long, env = env::SNOWFLAKE_ACCOUNT)]
    pub account: String,

    /// Snowflake user
    #[arg(long, env = env::SNOWFLAKE_USER)]
    pub user: String,

    /// Snowflake warehouse (the compute)
    #[arg(long, env = env::SNOWFLAKE_WAREHOUSE)]
    pub warehouse: Option<String>,

    /// Address of the service where it is not derived from the account: http(s)://host:port
    #[arg(long, env = env::SNOWFLAKE_URL, value_parser = address)]
    pub url: Option<Url>,

    /// Shared library of Snowflake's ADBC driver (libadbc_driver_snowflake.so)
    #[arg(long, env = env::SNOWFLAKE_DRIVER, default_value = "libadbc_driver_snowflake.so")]
    pub driver: PathBuf,

    /// Seconds that one try of the login may take, and for which a request is tried again while the service is down
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout_seconds: u64,

    /// Seconds until the first rows of a query, and then until each next batch
    #[arg(long, default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub answer_seconds: u64,

    /// New tries of the login after the first one
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=20))]
    pub retries_max: u32,
}

impl HasRun for Args {
    fn run(&self) -> &RunArgs {
        &self.run
    }

    fn source(&self, source: &Source) -> Option<DatasetName> {
        Some(source_dataset(source, format!("snowflake://{}", self.account)))
    }
}

fn address(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|e| format!("not an address: {e}"))?;
    let known = matches!(url.scheme(), "http" | "https") && url.host_str().is_some() && url.username().is_empty();
    if known { Ok(url) } else { Err("expected http(s)://host:port, without credentials".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_never_holds_credentials() {
        assert!(address("http://127.0.0.1:8099").is_ok());
        for wrong in ["http://me:secret@host", "ftp://host", "host:1"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
