//! Why CloudWatch Logs did not take events, and who has to act.

use aws_sdk_cloudwatchlogs::error::{ProvideErrorMetadata, SdkError};
use lake_core::{Fault, fault::Faulty};
use lake_edge::{AwsFailure, AwsService};
use std::error::Error;

/// CloudWatch Logs. Its words may quote the events that it was sent.
const CLOUDWATCH_LOGS: AwsService = AwsService { passing: &["LimitExceeded", "OperationAborted"], quotable: false };

/// Why CloudWatch Logs did not take events.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogsError {
    /// The service did not take the request.
    #[error("{action}: {message}")]
    Failed { action: &'static str, message: String, fault: Fault },
    /// The service took the request and threw events away.
    #[error("put log events: the service rejects events for their time")]
    Rejected,
}

impl LogsError {
    /// Turns an error of the client into ours.
    pub(crate) fn of<E>(action: &'static str, error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let AwsFailure { message, fault } = CLOUDWATCH_LOGS.failure(error);
        Self::Failed { action, message, fault }
    }
}

impl Faulty for LogsError {
    fn fault(&self) -> Fault {
        match self {
            Self::Failed { fault, .. } => *fault,
            Self::Rejected => Fault::Config,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Failed { fault: Fault::Config, .. } => {
                "check region, credentials, the log group and the role's permissions".to_owned()
            }
            Self::Failed { .. } => "run the same command again later: it goes on where it stopped".to_owned(),
            Self::Rejected => "the group's retention must be longer than events wait; nothing counts as delivered".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_pass_is_transient() {
        for code in ["ThrottlingException", "ServiceUnavailableException", "OperationAbortedException"] {
            assert_eq!(CLOUDWATCH_LOGS.fault_of(code), Fault::Transient, "{code}");
        }
        for code in ["ResourceNotFoundException", "InvalidParameterException", "AccessDeniedException"] {
            assert_eq!(CLOUDWATCH_LOGS.fault_of(code), Fault::Config, "{code}");
        }
    }
}
