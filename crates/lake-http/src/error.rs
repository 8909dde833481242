//! What can go wrong with a request, and who has to act.

use bytes::Bytes;
use lake_core::{Fault, fault::Faulty};
use std::{fmt, time::Duration};

/// Why a request has no body to give.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The client cannot be made.
    #[error("set up the HTTP client")]
    Start(#[source] reqwest::Error),
    /// The server answers, and asking again would not change it.
    #[error("fetch {url}: the server answers {status}")]
    Refused {
        /// Address.
        url: String,
        /// HTTP status.
        status: u16,
        /// What else it says, for the caller who knows the service.
        body: Answer,
    },
    /// The service allows no more requests on this day.
    #[error("fetch {url}: the day's allowance of requests is spent")]
    Spent {
        /// Address.
        url: String,
    },
    /// Every try failed in a way that may pass.
    #[error("fetch {url}, tried {tries} times")]
    Unavailable {
        /// Address.
        url: String,
        /// Tries.
        tries: u32,
        /// What the last try met.
        #[source]
        source: Cause,
    },
    /// The body is larger than it may be.
    #[error("fetch {url}: the body has more than {bytes_max} bytes")]
    TooLarge {
        /// Address.
        url: String,
        /// Limit.
        bytes_max: u64,
    },
}

/// The beginning of a refusal's body. It may quote what it refuses, so it prints as its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer(pub Bytes);

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.0.len())
    }
}

/// What one try met.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// An answer that may change.
    #[error("the server answers {0}")]
    Status(u16),
    /// No whole answer in time.
    #[error("no whole answer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    /// A whole answer that nobody can read.
    #[error("the body is damaged")]
    Damaged,
    /// No connection, or one that broke.
    #[error("the connection failed")]
    Connection(#[source] reqwest::Error),
}

impl Faulty for HttpError {
    fn fault(&self) -> Fault {
        match self {
            Self::Start(_) | Self::Refused { .. } => Fault::Config,
            Self::Unavailable { .. } | Self::Spent { .. } => Fault::Transient,
            Self::TooLarge { .. } => Fault::Data,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unavailable { .. } => Some("the source may be down; run the same command again later".into()),
            Self::Spent { .. } => Some("run the same command again on the next day".into()),
            Self::Refused { .. } => Some("check the address and the credentials".into()),
            Self::Start(_) | Self::TooLarge { .. } => None,
        }
    }
}
