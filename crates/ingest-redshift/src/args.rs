//! Arguments; the doc comments are the help text.

use anyhow::anyhow;
use lake_core::{
    Fault,
    contract::layer::Source,
    env,
    lineage::{DatasetName, dataset::source_name},
};
use lake_edge::{HasRun, RunArgs};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  ingest-redshift bronze_redshift_events --window 2017-12-30 --database analytics --user sluice \
--host acme.redshift.amazonaws.com
  ingest-redshift bronze_redshift_events --window 2017-12-30 --database analytics --user sluice \
--host localhost --port 5432 --ca-file ca.pem
  ingest-redshift bronze_redshift_events --window 2017-01-01/2017-12-30 --database analytics \
--access data-api --workgroup acme --stage s3://acme-stage/redshift --unload-role default
  ingest-redshift bronze_redshift_events --window 2017-12-30 --generation 2

The wire's password is the secret `redshift/password` (see --secrets); the Data API takes the AWS credentials and region of
the environment.

Exit codes:
  0   done, or done already
  1   a bug
  2   usage or configuration: a certificate that is not trusted, wrong credentials, no such table
  65  the source lacks a column of the contract, gives it another type, or holds a value that does not fit
  75  transient: the source is down, silent or slow, or staged files are not whole; run the same command again
  99  nothing to do (only with --skip-when-empty)";

/// Land one window of a Redshift table in Bronze
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "ingest-redshift", version, after_help = EXAMPLES)]
pub struct Args {
    /// What every program is told.
    #[command(flatten)]
    pub run: RunArgs,

    /// How Redshift is asked
    #[arg(long, env = env::REDSHIFT_ACCESS, value_enum, default_value_t = Way::Wire)]
    pub access: Way,

    /// Database
    #[arg(long, env = env::REDSHIFT_DATABASE)]
    pub database: String,

    /// User (wire), or user for temporary credentials at a cluster (data-api)
    #[arg(long, env = env::REDSHIFT_USER)]
    pub user: Option<String>,

    /// Host name of the endpoint; its certificate must be for this name (wire)
    #[arg(long, env = env::REDSHIFT_HOST)]
    pub host: Option<String>,

    /// Port of the endpoint (wire)
    #[arg(long, env = env::REDSHIFT_PORT, default_value_t = 5439)]
    pub port: u16,

    /// PEM file with the endpoint's certificate authority; the machine's authorities when absent (wire)
    #[arg(long, env = env::REDSHIFT_CA_FILE)]
    pub ca_file: Option<PathBuf>,

    /// Cluster (data-api)
    #[arg(long, env = env::REDSHIFT_CLUSTER, conflicts_with = "workgroup")]
    pub cluster: Option<String>,

    /// Serverless workgroup (data-api)
    #[arg(long, env = env::REDSHIFT_WORKGROUP)]
    pub workgroup: Option<String>,

    /// Secret of Secrets Manager that the service itself reads; temporary credentials when absent (data-api)
    #[arg(long, env = env::REDSHIFT_SECRET_ARN)]
    pub secret_arn: Option<String>,

    /// Where rows are staged: s3://bucket/prefix, in a folder per run that is deleted after the commit (data-api)
    #[arg(long, env = env::REDSHIFT_STAGE, value_parser = bucket)]
    pub stage: Option<String>,

    /// Role with which the cluster writes to the stage: an ARN, or `default` (data-api)
    #[arg(long, env = env::REDSHIFT_UNLOAD_ROLE)]
    pub unload_role: Option<String>,

    /// Seconds that one try of the login, or of a request, may take
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout_seconds: u64,

    /// New tries of the login after the first one (wire)
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=20))]
    pub retries_max: u32,

    /// Seconds until the first row of an answer, and then until each next one (wire)
    #[arg(long, default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub answer_seconds: u64,

    /// Seconds that a statement may take; then it is stopped
    #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub statement_seconds: u64,
}

/// How Redshift is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// PostgreSQL's protocol over TLS.
    Wire,
    /// The Data API, with UNLOAD to a stage.
    DataApi,
}

impl HasRun for Args {
    fn run(&self) -> &RunArgs {
        &self.run
    }

    fn source(&self, source: &Source) -> Option<DatasetName> {
        let endpoint = self.host.as_ref().or(self.cluster.as_ref()).or(self.workgroup.as_ref())?;
        let name = format!("{}.{}", self.database, source_name(source));
        Some(DatasetName { namespace: format!("redshift://{endpoint}:{}", self.port), name })
    }
}

/// What the wire needs.
#[derive(Debug, Clone)]
pub(crate) struct WireArgs {
    pub(crate) host: String,
    pub(crate) user: String,
}

/// What the Data API needs.
#[derive(Debug, Clone)]
pub(crate) struct DataApiArgs {
    pub(crate) cluster: Option<String>,
    pub(crate) workgroup: Option<String>,
    pub(crate) secret_arn: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) stage: String,
    pub(crate) role: String,
}

impl Args {
    /// Returns what the wire needs.
    pub(crate) fn wire(&self) -> anyhow::Result<WireArgs> {
        Ok(WireArgs { host: needed(self.host.as_ref(), "--host")?, user: needed(self.user.as_ref(), "--user")? })
    }

    /// Returns what the Data API needs.
    ///
    /// A user is for temporary credentials at a cluster: a secret names its own, a workgroup takes the caller's identity.
    pub(crate) fn data_api(&self) -> anyhow::Result<DataApiArgs> {
        needed(self.cluster.as_ref().or(self.workgroup.as_ref()), "--cluster or --workgroup")?;
        Ok(DataApiArgs {
            cluster: self.cluster.clone(),
            workgroup: self.workgroup.clone(),
            secret_arn: self.secret_arn.clone(),
            user: self.user.clone().filter(|_| self.secret_arn.is_none() && self.workgroup.is_none()),
            stage: needed(self.stage.as_ref(), "--stage")?,
            role: needed(self.unload_role.as_ref(), "--unload-role")?,
        })
    }
}

fn needed(given: Option<&String>, option: &str) -> anyhow::Result<String> {
    given.cloned().ok_or_else(|| anyhow!("choose how to ask Redshift: give {option}").context(Fault::Config))
}

fn bucket(text: &str) -> Result<String, String> {
    let known = text.strip_prefix("s3://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    if known { Ok(text.trim_end_matches('/').to_owned()) } else { Err("expected s3://bucket/prefix".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn args(more: &[&str]) -> Args {
        let base = ["ingest-redshift", "bronze_redshift_events", "--window", "2017-12-30", "--database", "d"];
        Args::try_parse_from(base.iter().chain(more)).unwrap()
    }

    #[test]
    fn the_stage_is_a_bucket() {
        assert_eq!(bucket("s3://stage/redshift/"), Ok("s3://stage/redshift".into()));
        for wrong in ["/tmp/stage", "s3://", "s3:///x", "https://stage"] {
            assert!(bucket(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_way_says_what_it_needs() {
        let told = |result: anyhow::Result<String>| format!("{:#}", result.unwrap_err());
        let wire = args(&["--user", "sluice"]).wire().map(|wire| wire.host);
        assert!(told(wire).ends_with("choose how to ask Redshift: give --host"));
        let data_api = args(&["--access", "data-api", "--workgroup", "w"]).data_api().map(|found| found.stage);
        assert!(told(data_api).ends_with("give --stage"));
        let nowhere = args(&["--access", "data-api"]).data_api().map(|found| found.stage);
        assert!(told(nowhere).ends_with("give --cluster or --workgroup"));
    }

    #[test]
    fn a_user_is_for_temporary_credentials_at_a_cluster() {
        let common = ["--access", "data-api", "--user", "sluice", "--stage", "s3://stage/x", "--unload-role", "default"];
        let user = |more: &[&str]| args(&[&common[..], more].concat()).data_api().unwrap().user;
        assert_eq!(user(&["--cluster", "c"]).as_deref(), Some("sluice"));
        assert_eq!(user(&["--cluster", "c", "--secret-arn", "arn:aws:secretsmanager:x"]), None);
        assert_eq!(user(&["--workgroup", "w"]), None);
    }
}
