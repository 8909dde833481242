//! Arguments; the doc comments are the help text.

use lake_core::{
    contract::layer::Source,
    env,
    lineage::{DatasetName, dataset::source_dataset},
};
use lake_edge::{HasRun, RunArgs};
use std::{path::PathBuf, str::FromStr};

const EXAMPLES: &str = "\
Examples:
  ingest-kafka bronze_kafka_orders --window 2017-12-30 --bootstrap 127.0.0.1:9092
  ingest-kafka bronze_kafka_orders --window 2017-12-30 --bootstrap kafka:9093 --security sasl-ssl --user alice --ca-file ca.pem
  ingest-kafka bronze_kafka_orders --window 2017-12-30 --accept-loss 3:1200-1450
  ingest-kafka bronze_kafka_orders --window 2017-12-30 --continuous

All records up to the high watermarks at the start are landed, whatever the window: it says when they came, not which they
are. Progress is in the table's log, so there is nothing to run again: --generation is refused.
The password of a SCRAM user is the secret `kafka/<user>` (see --secrets).
With --continuous the program keeps running until SIGTERM, which is a good end: a commit under way
is finished, anything else is dropped and landed by the next start. Each commit gets the window of
--window's length in which it is made, counted on from --window.

Exit codes:
  0   done, or nothing new; with --continuous: ended by SIGTERM
  1   a bug
  2   usage or configuration: wrong credentials, no such topic
  65  records are gone (retention, gaps, a topic that was made anew): never skipped
  75  transient: no broker answers, or another writer won; run the same command again
  99  nothing to do (only with --skip-when-empty)";

/// Land the records of a Kafka topic in Bronze, exactly once and byte for byte
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "ingest-kafka", version, after_help = EXAMPLES)]
pub struct Args {
    /// What every program is told.
    #[command(flatten)]
    pub run: RunArgs,

    /// Bootstrap servers, host:port,...
    #[arg(long, env = env::KAFKA_BOOTSTRAP)]
    pub bootstrap: String,

    /// How to connect
    #[arg(long, env = env::KAFKA_SECURITY, value_enum, default_value_t = Security::Plaintext)]
    pub security: Security,

    /// SCRAM user (sasl-ssl)
    #[arg(long, env = env::KAFKA_USER, required_if_eq("security", "sasl-ssl"))]
    pub user: Option<String>,

    /// PEM file with the brokers' certificate authority (sasl-ssl); the system's when absent
    #[arg(long, env = env::KAFKA_CA_FILE)]
    pub ca_file: Option<PathBuf>,

    /// Seconds without an answer after which the run gives up
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout_seconds: u64,

    /// Go on without records that retention took: exactly these offsets of a partition (repeatable)
    #[arg(long, value_name = "PARTITION:FROM-TO")]
    pub accept_loss: Vec<Loss>,

    /// Whether and how to keep running.
    #[command(flatten)]
    pub stream: StreamArgs,
}

/// How a run that keeps running commits.
#[derive(Debug, Clone, clap::Args)]
pub struct StreamArgs {
    /// Keep running until SIGTERM, and land what comes in commits by rows, bytes or age
    #[arg(long)]
    pub continuous: bool,

    /// Commit once so many records wait, and at most so many at once
    #[arg(long, default_value_t = 250_000, requires = "continuous", value_parser = clap::value_parser!(u64).range(1_000..))]
    pub flush_rows: u64,

    /// Commit once about so many bytes wait, by the mean size of the records before
    #[arg(long, default_value_t = 134_217_728, requires = "continuous", value_parser = clap::value_parser!(u64).range(65_536..))]
    pub flush_bytes: u64,

    /// Commit once a record has waited so many seconds
    #[arg(long, default_value_t = 5, requires = "continuous", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub flush_seconds: u64,

    /// Put the small files of a day together once there are more than so many
    #[arg(long, default_value_t = 32, requires = "continuous", value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub small_files_max: u32,
}

impl HasRun for Args {
    fn run(&self) -> &RunArgs {
        &self.run
    }

    fn ends_itself(&self) -> bool {
        self.stream.continuous
    }

    fn source(&self, source: &Source) -> Option<DatasetName> {
        // A cluster goes by the first of its bootstrap servers.
        let server = self.bootstrap.split(',').next().unwrap_or_default().trim();
        Some(source_dataset(source, format!("kafka://{server}")))
    }
}

/// How to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Security {
    /// No encryption: loopback and tests.
    Plaintext,
    /// TLS with SCRAM-SHA-512.
    SaslSsl,
}

/// Offsets of a partition, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// Partition.
    pub partition: i32,
    /// First lost offset.
    pub from: i64,
    /// Last lost offset.
    pub to: i64,
}

impl FromStr for Loss {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once(':').and_then(|(partition, range)| {
            let (from, to) = range.split_once('-')?;
            Some(Self { partition: partition.parse().ok()?, from: from.parse().ok()?, to: to.parse().ok()? })
        });
        parsed
            .filter(|loss| 0 <= loss.from && loss.from <= loss.to)
            .ok_or_else(|| format!("`{text}` is not PARTITION:FROM-TO, such as 3:1200-1450"))
    }
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}-{}", self.partition, self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_flushes_by_rows_bytes_or_age() {
        let parse = |more: &[&str]| {
            let base = ["ingest-kafka", "bronze_kafka_orders", "--window", "2017-12-30", "--bootstrap", "127.0.0.1:1"];
            <Args as clap::Parser>::try_parse_from([&base[..], more].concat()).map(|args| args.stream)
        };
        let plain = parse(&[]).unwrap();
        assert!(!plain.continuous);
        let stream = parse(&["--continuous", "--flush-rows", "5000", "--flush-seconds", "2"]).unwrap();
        assert!(stream.continuous);
        assert_eq!(
            (stream.flush_rows, stream.flush_bytes, stream.flush_seconds, stream.small_files_max),
            (5_000, 134_217_728, 2, 32)
        );
        assert!(parse(&["--flush-rows", "5000"]).is_err(), "it would have no effect");
        assert!(parse(&["--continuous", "--flush-seconds", "0"]).is_err());
    }

    #[test]
    fn a_loss_names_partition_and_offsets() {
        let loss = Loss { partition: 3, from: 1200, to: 1450 };
        assert_eq!("3:1200-1450".parse(), Ok(loss));
        assert_eq!(loss.to_string(), "3:1200-1450");
        for wrong in ["3", "3:5", "3:9-5", "x:1-2"] {
            assert!(wrong.parse::<Loss>().is_err(), "{wrong}");
        }
    }
}
