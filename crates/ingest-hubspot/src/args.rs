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
  ingest-hubspot bronze_hubspot_contacts --window 2017-12-30
  ingest-hubspot bronze_hubspot_contact_companies --window 2017-12-30 --url http://127.0.0.1:8080
  ingest-hubspot bronze_hubspot_contacts --window 2017-12-30 --generation 2

The token of a service key is the secret `hubspot/token` (see --secrets).
One account has one allowance of requests: run the tables of an account one after another, as run-pipeline does.

Exit codes:
  0   done, or done already
  1   a bug
  2   usage or configuration: the token is refused or lacks a scope, no such type of objects
  65  the account lacks a property of the contract, or answers in another form than documented
  75  transient: the service is down, the day's allowance is spent, answers contradict each other; run the same command again
  99  nothing to do (only with --skip-when-empty)";

/// Land one window of HubSpot objects or associations in Bronze, byte for byte
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "ingest-hubspot", version, after_help = EXAMPLES)]
#[command(mut_arg("retries_max", |arg| arg.default_value("6")))]
pub struct Args {
    /// What every program is told.
    #[command(flatten)]
    pub run: RunArgs,

    /// Address of the API: http(s)://host:port
    #[arg(long, env = env::HUBSPOT_URL, default_value = "https://api.hubapi.com", value_parser = address)]
    pub url: Url,

    /// Also look for archived, deleted and merged objects where the contract does not ask for it
    #[arg(long)]
    pub sweep: bool,

    /// How long and how often a request is tried.
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

fn address(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|e| format!("not an address: {e}"))?;
    let known = matches!(url.scheme(), "http" | "https") && url.host_str().is_some() && url.username().is_empty();
    let whole = url.path() == "/" && url.query().is_none() && url.password().is_none();
    if !known || !whole {
        return Err("expected http(s)://host:port, without credentials and path".to_owned());
    }
    // Every request carries the token.
    if url.scheme() == "http" && !matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")) {
        return Err("expected https: only this machine itself is asked without TLS".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_a_host_without_credentials() {
        for right in ["http://127.0.0.1:8099", "https://api.hubapi.com/"] {
            assert!(address(right).is_ok(), "{right}");
        }
        for wrong in [
            "http://me:secret@host",
            "https://api.hubapi.com/crm",
            "ftp://host",
            "host:1",
            "https://host/?a=b",
            "http://api.hubapi.com",
        ] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
