//! Arguments; the doc comments are the help text.

use lake_core::env;
use lake_edge::{Output, SecretStore};
use lake_http::{LimitArgs, Url};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  lineage-emit deliver --http http://127.0.0.1:5000/api/v1/lineage
  lineage-emit deliver --http https://lineage.example.com/api/v1/lineage --secret lineage/token
  lineage-emit deliver --log-group /sluice/lineage --log-stream prod
  lineage-emit metrics --log-group /sluice/metrics --log-stream prod
  lineage-emit metrics --alarms
  lineage-emit show gold_fact_sales
  lineage-emit show gold_dim_customers --column email_token
  lineage-emit show gold_fact_sales --output mermaid

Exit codes:
  0   delivered, or shown
  1   a bug
  2   usage or configuration: the receiver refuses an event or the credentials; no such table or column
  65  an event of the outbox is broken or too large
  75  transient: the receiver is down; run the same command again, it goes on where it stopped";

/// CloudWatch takes 255 characters; `/Alarms` is added.
const NAMESPACE_LENGTH_MAX: usize = 240;

/// Deliver lineage events and metrics, or show what tables and columns are made from
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "lineage-emit", version, after_help = EXAMPLES)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// Send the events that a receiver has not had yet, in their order
    #[command(after_help = EXAMPLES)]
    Deliver(DeliverArgs),
    /// Send the numbers of runs to CloudWatch, made from the same events
    #[command(after_help = EXAMPLES)]
    Metrics(MetricsArgs),
    /// Show what a table or a column is made from and goes into
    #[command(after_help = EXAMPLES)]
    Show(ShowArgs),
}

/// Arguments of `deliver`.
#[derive(Debug, Clone, clap::Args)]
#[command(group(clap::ArgGroup::new("receiver").required(true).args(["http", "log_group"])))]
#[command(mut_arg("timeout_seconds", |arg| arg.default_value("10")))]
pub struct DeliverArgs {
    /// Post each event to this address, as OpenLineage's HTTP transport does
    #[arg(long, value_name = "URL", value_parser = address)]
    pub http: Option<Url>,

    /// Name of the secret with the bearer token that the address wants
    #[arg(long, value_name = "NAME", requires = "http")]
    pub secret: Option<String>,

    /// Put the events into this log group of CloudWatch Logs
    #[arg(long, value_name = "NAME", requires = "log_stream")]
    pub log_group: Option<String>,

    /// Stream of the log group; made when it is not there
    #[arg(long, value_name = "NAME")]
    pub log_stream: Option<String>,

    /// Where secrets come from: file:DIR or env:PREFIX
    #[arg(long, env = env::LAKE_SECRETS, default_value = "file:.sluice/secrets")]
    pub secrets: SecretStore,

    /// What every delivery is told.
    #[command(flatten)]
    pub delivery: DeliveryArgs,
}

/// Arguments of `metrics`.
#[derive(Debug, Clone, clap::Args)]
#[command(group(clap::ArgGroup::new("destination").required(true).args(["log_group", "alarms"])))]
#[command(mut_arg("timeout_seconds", |arg| arg.default_value("10")))]
pub struct MetricsArgs {
    /// Put one log event per run, in the embedded metric format, into this log group of CloudWatch Logs
    #[arg(long, value_name = "NAME", requires = "log_stream")]
    pub log_group: Option<String>,

    /// Stream of the log group; made when it is not there
    #[arg(long, value_name = "NAME", conflicts_with = "alarms")]
    pub log_stream: Option<String>,

    /// Put the numbers at which alarms look into CloudWatch itself, in the namespace NAME/Alarms
    #[arg(long)]
    pub alarms: bool,

    /// Namespace of the metrics
    #[arg(long, value_name = "NAME", default_value = "Sluice", value_parser = namespace)]
    pub namespace: String,

    /// What every delivery is told.
    #[command(flatten)]
    pub delivery: DeliveryArgs,
}

/// What every delivery is told.
#[derive(Debug, Clone, clap::Args)]
pub struct DeliveryArgs {
    /// Root of the lake: a directory or s3://bucket/prefix
    #[arg(long, env = env::LAKE_URI, default_value = ".sluice/lake")]
    pub lake: String,

    /// Name of the receiver's cursor; made of its address, or of region and names, when absent
    #[arg(long, value_name = "NAME", value_parser = cursor_name)]
    pub cursor: Option<String>,

    /// How long and how often a request is tried.
    #[command(flatten)]
    pub limits: LimitArgs,

    /// Events that one call sends at most
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub events_max: u64,

    /// What stdout gets
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// Arguments of `show`.
#[derive(Debug, Clone, clap::Args)]
pub struct ShowArgs {
    /// Full name of the table, such as gold_fact_sales
    pub table: String,

    /// A column of the table; the whole table when absent
    #[arg(long)]
    pub column: Option<String>,

    /// Also show columns that decide which rows or values there are: joins, filters, groups, windows, conditions
    #[arg(long, requires = "column")]
    pub indirect: bool,

    /// Directory of the contracts
    #[arg(long, env = env::LAKE_CONTRACTS, default_value = "contracts")]
    pub contracts: PathBuf,

    /// What stdout gets
    #[arg(long, value_enum, default_value_t = Form::Text)]
    pub output: Form,
}

/// How lineage is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// Two trees for people: what it is made from, what it goes into.
    Text,
    /// A Mermaid flowchart.
    Mermaid,
    /// One JSON object with all steps upstream and downstream.
    Json,
}

fn address(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|e| format!("not an address: {e}"))?;
    let known = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
    let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if known && bare { Ok(url) } else { Err("expected http(s)://host:port/path, without credentials and query".to_owned()) }
}

fn namespace(text: &str) -> Result<String, String> {
    let plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    // What AWS counts of itself begins so, and nobody else may.
    if plain && !text.starts_with("AWS/") && text.len() <= NAMESPACE_LENGTH_MAX {
        Ok(text.to_owned())
    } else {
        Err("expected letters, digits, `-`, `_`, `.` and `/`, not beginning with AWS/".to_owned())
    }
}

fn cursor_name(text: &str) -> Result<String, String> {
    let plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if plain { Ok(text.to_owned()) } else { Err("expected letters, digits, `-` and `_`".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[test]
    fn the_address_never_holds_credentials() {
        assert!(address("http://127.0.0.1:5000/api/v1/lineage").is_ok());
        for wrong in ["http://me:secret@host/", "https://host/?key=secret", "ftp://host", "host:1"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn there_is_exactly_one_receiver() {
        let given = |more: &[&str]| Args::try_parse_from(["lineage-emit", "deliver"].iter().chain(more)).is_ok();
        assert!(given(&["--http", "http://host/"]) && given(&["--log-group", "g", "--log-stream", "s"]));
        assert!(!given(&[]) && !given(&["--log-group", "g"]));
        assert!(!given(&["--http", "http://host/", "--log-group", "g", "--log-stream", "s"]));
    }

    #[test]
    fn metrics_go_to_one_place_and_only_when_asked() {
        let given = |more: &[&str]| Args::try_parse_from(["lineage-emit", "metrics"].iter().chain(more)).is_ok();
        assert!(given(&["--alarms"]) && given(&["--log-group", "g", "--log-stream", "s", "--namespace", "Shop/Lake"]));
        assert!(!given(&[]) && !given(&["--log-group", "g"]) && !given(&["--alarms", "--log-stream", "s"]));
        assert!(!given(&["--alarms", "--log-group", "g", "--log-stream", "s"]) && !given(&["--alarms", "--namespace", "AWS/S3"]));
    }
}
