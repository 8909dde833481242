//! What can go wrong with a topic, and who has to act.

use lake_core::{Fault, fault::Faulty};

/// Why a topic could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum KafkaFault {
    /// The client cannot be made from the options.
    #[error("set up the Kafka client: {0}")]
    Options(String),
    /// The broker refuses the user, or TLS does not verify.
    #[error("connect to Kafka: {0}")]
    Refused(String),
    /// No broker answers.
    #[error("connect to Kafka: no answer for {seconds} s{}", .reason.as_ref().map(|r| format!(" ({r})")).unwrap_or_default())]
    Silent { seconds: u64, reason: Option<String> },
    /// There is no such topic.
    #[error("find topic `{0}`: there is none, or the user may not read it")]
    NoTopic(String),
    /// The log is ahead of the topic.
    #[error("continue partition {partition}: offset {stored} is stored but the topic ends at {high}; it was made anew")]
    Recreated { partition: i32, stored: i64, high: i64 },
    /// Retention took records.
    #[error("continue partition {partition}: offsets {from} to {to} are gone (retention)")]
    Lost { partition: i32, from: i64, to: i64 },
    /// A loss that is accepted but is not the one that there is.
    #[error("accept the loss {partition}:{from}-{to}: these are not the offsets that are gone")]
    WrongLoss { partition: i32, from: i64, to: i64 },
    /// Offsets inside the range are missing.
    #[error("read all records: offsets {0} are missing, and the contract says `offsetGaps: refused`")]
    Gap(String),
    /// Another run landed other offsets meanwhile.
    #[error("commit partition {0}: another run has landed other offsets meanwhile")]
    Overtaken(i32),
    /// The consumer failed.
    #[error("consume: {0}")]
    Consume(String),
}

impl Faulty for KafkaFault {
    fn fault(&self) -> Fault {
        match self {
            Self::Options(_) | Self::Refused(_) | Self::NoTopic(_) | Self::WrongLoss { .. } => Fault::Config,
            Self::Recreated { .. } | Self::Lost { .. } | Self::Gap(_) => Fault::Data,
            Self::Silent { .. } | Self::Overtaken(_) | Self::Consume(_) => Fault::Transient,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(_) => Some("check --user, the secret `kafka/<user>`, --security and --ca-file".into()),
            Self::Recreated { .. } => Some("land the new topic in a table of its own, with a contract of its own".into()),
            Self::Lost { partition, from, to } => {
                Some(format!("restore the records, or go on without them on record: --accept-loss {partition}:{from}-{to}"))
            }
            Self::Gap(_) => Some("transactions and compaction leave gaps: if that is the case, say `offsetGaps: allowed` in the contract".into()),
            Self::Overtaken(_) => Some("run the same command again".into()),
            _ => None,
        }
    }
}
