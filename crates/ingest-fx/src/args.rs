//! Arguments; the doc comments are the help text.

use lake_core::{
    contract::layer::Source,
    env,
    lineage::{DatasetName, dataset::source_dataset},
};
use lake_edge::{HasRun, RunArgs};
use lake_http::{LimitArgs, Url};

const EXAMPLES: &str = "\
Examples:
  ingest-fx bronze_fx_rates --window 2017-01-01/2017-12-30
  ingest-fx bronze_fx_rates --window 2017-12-30 --url http://127.0.0.1:8080/
  ingest-fx bronze_fx_rates --window 2017-12-30 --generation 2

Exit codes:
  0   done, or done already
  1   a bug
  2   usage or configuration, among them an address that the server does not know
  65  a file of the source is malformed or truncated, or a currency of the contract is not in it
  75  transient: the source is down or another writer won; run the same command again
  99  nothing to do (only with --skip-when-empty)";

/// Land one window of the ECB's euro reference rates in Bronze, exactly as published
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "ingest-fx", version, after_help = EXAMPLES)]
#[command(mut_arg("timeout_seconds", |arg| arg.help("Seconds that one try of one file may take")))]
#[command(mut_arg("retries_max", |arg| arg.help("New tries of a file after the first one")))]
pub struct Args {
    /// What every program is told.
    #[command(flatten)]
    pub run: RunArgs,

    /// Address of the directory with the ECB's files, with a slash at its end
    #[arg(long, env = env::FX_URL, default_value = "https://www.ecb.europa.eu/stats/eurofxref/", value_parser = directory)]
    pub url: Url,

    /// How long and how often a file is tried.
    #[command(flatten)]
    pub limits: LimitArgs,
}

impl HasRun for Args {
    fn run(&self) -> &RunArgs {
        &self.run
    }

    fn source(&self, source: &Source) -> Option<DatasetName> {
        Some(source_dataset(source, self.url.origin().ascii_serialization()))
    }
}

fn directory(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|e| format!("not an address: {e}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("only http:// and https:// are known".to_owned());
    }
    if url.path().ends_with('/') { Ok(url) } else { Err("must end with a slash".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_a_directory() {
        assert!(directory("http://127.0.0.1:8080/").is_ok());
        for wrong in ["http://127.0.0.1:8080/rates", "ftp://127.0.0.1/", "127.0.0.1"] {
            assert!(directory(wrong).is_err(), "{wrong}");
        }
    }
}
