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
    #[error("connect to Kafka: no answer for {seconds} s{}", reason.as_ref().map(|r| format!(" ({r})")).unwrap_or_default())]
    Silent { seconds: u64, reason: Option<String> },
    /// There is no such topic.
    #[error("find topic `{0}`: there is none, or the user may not read it")]
    NoTopic(String),
    /// The log is ahead of the topic.
    #[error("continue partition {partition}: offset {stored} is landed but the topic ends at {high}: it was made anew")]
    Recreated { partition: i32, stored: i64, high: i64 },
    /// The log knows a partition that is not there.
    #[error(
        "continue partition {partition}: it has landed rows but the topic has only {partitions} partitions: it was made anew"
    )]
    Fewer { partition: i32, partitions: usize },
    /// A landed offset holds another record.
    #[error("continue partition {partition}: offset {offset} does not hold what was landed from it: the topic was made anew")]
    Replaced { partition: i32, offset: i64 },
    /// Retention took records.
    #[error("continue partition {partition}: offsets {from} to {to} are gone (retention)")]
    Lost { partition: i32, from: i64, to: i64 },
    /// Retention took records after the run had looked.
    #[error("read all records: the first ones went (retention) while they were read")]
    Vanished,
    /// A loss that is accepted but is not the one that there is.
    #[error("accept the loss {partition}:{from}-{to}: these are not the offsets that are gone")]
    WrongLoss { partition: i32, from: i64, to: i64 },
    /// Offsets inside the range are missing.
    #[error(
        "read all records of partition {partition}: offsets {from} to {to} are missing, and the contract says `offsetGaps: refused`"
    )]
    Gap { partition: i32, from: i64, to: i64 },
    /// An offset that was read came again.
    #[error("read all records of partition {partition}: offset {offset} came again")]
    Again { partition: i32, offset: i64 },
    /// Other runs landed the same records, again and again.
    #[error("commit: other runs landed records of this topic {0} times meanwhile")]
    Overtaken(u32),
    /// The consumer failed.
    #[error("consume: {0}")]
    Consume(String),
}

impl KafkaFault {
    /// Whether the next try of a run that keeps running may not meet it: what the brokers are the cause of. A cluster that has
    /// answered before refuses logins and does not know its topics for a while when brokers restart; from one that has not,
    /// that is the answer. Records that went while they were read may be those that were only to be compared: the next plan
    /// tells a loss.
    pub(crate) const fn may_pass(&self, answered: bool) -> bool {
        match self {
            Self::Silent { .. } | Self::Consume(_) | Self::Vanished => true,
            Self::Refused(_) | Self::NoTopic(_) => answered,
            _ => false,
        }
    }
}

impl Faulty for KafkaFault {
    fn fault(&self) -> Fault {
        match self {
            Self::Options(_) | Self::Refused(_) | Self::NoTopic(_) | Self::WrongLoss { .. } => Fault::Config,
            Self::Recreated { .. }
            | Self::Fewer { .. }
            | Self::Replaced { .. }
            | Self::Lost { .. }
            | Self::Vanished
            | Self::Gap { .. }
            | Self::Again { .. } => Fault::Data,
            Self::Silent { .. } | Self::Overtaken(_) | Self::Consume(_) => Fault::Transient,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Refused(_) => "check --user, the secret `kafka/<user>`, --security and --ca-file".into(),
            Self::Silent { .. } => "check --bootstrap and --security; if they are right, run the same command again later".into(),
            Self::Recreated { .. } | Self::Fewer { .. } | Self::Replaced { .. } => {
                "land the new topic in a table of its own, with a contract of its own".into()
            }
            Self::Lost { partition, from, to } => {
                format!("restore the records, or go on without them on record: --accept-loss {partition}:{from}-{to}")
            }
            Self::Vanished => "run the same command again: it says which offsets are gone".into(),
            Self::Gap { .. } => {
                "transactions and compaction leave gaps: if that is the case, say `offsetGaps: allowed` in the contract".into()
            }
            Self::Overtaken(_) => "run the same command again".into(),
            Self::Options(_) | Self::NoTopic(_) | Self::WrongLoss { .. } | Self::Again { .. } | Self::Consume(_) => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_brokers_that_restart_say_may_pass_and_what_records_say_does_not() {
        for fault in [KafkaFault::Refused("no".into()), KafkaFault::NoTopic("t".into())] {
            assert!(fault.may_pass(true) && !fault.may_pass(false), "{fault}");
        }
        for fault in [KafkaFault::Silent { seconds: 1, reason: None }, KafkaFault::Consume("leader".into()), KafkaFault::Vanished]
        {
            assert!(fault.may_pass(true) && fault.may_pass(false), "{fault}");
        }
        for fault in [
            KafkaFault::Options("x".into()),
            KafkaFault::Recreated { partition: 0, stored: 1, high: 1 },
            KafkaFault::Fewer { partition: 0, partitions: 1 },
            KafkaFault::Replaced { partition: 0, offset: 1 },
            KafkaFault::Lost { partition: 0, from: 0, to: 1 },
            KafkaFault::WrongLoss { partition: 0, from: 0, to: 1 },
            KafkaFault::Gap { partition: 0, from: 0, to: 1 },
            KafkaFault::Again { partition: 0, offset: 1 },
        ] {
            assert!(!fault.may_pass(true), "{fault}");
        }
    }

    #[test]
    fn an_error_is_known_under_all_that_is_said_of_it() {
        use anyhow::Context as _;
        use lake_edge::Attach as _;
        let error = Err::<(), _>(KafkaFault::Vanished).attach().context("failed to read Kafka topic `t`").unwrap_err();
        assert!(matches!(error.downcast_ref::<KafkaFault>(), Some(KafkaFault::Vanished)));
    }
}
