//! Why CloudWatch did not take events or numbers, and who has to act.

use aws_sdk_cloudwatchlogs::error::{ProvideErrorMetadata, SdkError};
use lake_core::{Fault, fault::Faulty};
use lake_edge::{AwsFailure, AwsService};
use std::error::Error;

/// CloudWatch and CloudWatch Logs. Their words may quote what they were sent.
const CLOUDWATCH: AwsService = AwsService { passing: &["LimitExceeded", "OperationAborted"], quotable: false };

/// Why CloudWatch did not take what it was sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CloudWatchError {
    /// The service did not take the request.
    #[error("{action}: {message}")]
    Failed { action: &'static str, message: String, fault: Fault },
    /// The service took the request and threw events away.
    #[error("put log events: the service rejects events for their time")]
    Rejected,
}

impl CloudWatchError {
    /// Turns an error of the client into ours.
    pub(crate) fn of<E>(action: &'static str, error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let AwsFailure { message, fault } = CLOUDWATCH.failure(error);
        Self::Failed { action, message, fault }
    }
}

impl Faulty for CloudWatchError {
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
            Self::Rejected => "check the clock of this machine; nothing of the request counts as delivered".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_pass_is_transient() {
        for code in ["ThrottlingException", "Throttling", "ServiceUnavailableException", "OperationAbortedException"] {
            assert_eq!(CLOUDWATCH.fault_of(code), Fault::Transient, "{code}");
        }
        for code in ["ResourceNotFoundException", "InvalidParameterException", "AccessDeniedException"] {
            assert_eq!(CLOUDWATCH.fault_of(code), Fault::Config, "{code}");
        }
    }
}
