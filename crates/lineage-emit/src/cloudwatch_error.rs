//! Why CloudWatch Logs did not take events, and who has to act.

use aws_sdk_cloudwatchlogs::error::{ProvideErrorMetadata, SdkError};
use lake_core::{Fault, fault::Faulty};
use std::error::Error;

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
    /// A request that the client itself does not let through.
    pub(crate) fn incomplete(error: &dyn Error) -> Self {
        Self::Failed { action: "put log events", message: root(error), fault: Fault::Config }
    }

    /// Turns an error of the client into ours.
    pub(crate) fn of<E>(action: &'static str, error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match error {
            SdkError::ServiceError(answer) => {
                let code = error.code().unwrap_or("unknown error");
                // The service's own text may quote the event.
                let fault = fault_of(code, answer.raw().status().as_u16());
                Self::Failed { action, message: code.to_owned(), fault }
            }
            other => {
                let ours = matches!(other, SdkError::ConstructionFailure(_))
                    || matches!(other, SdkError::DispatchFailure(failure) if failure.is_user() || (failure.is_other() && failure.as_other().is_none()));
                let fault = if ours { Fault::Config } else { Fault::Transient };
                Self::Failed { action, message: root(other), fault }
            }
        }
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

/// Whose fault an answer is: what stands in front of the service may answer with a status and no code.
fn fault_of(code: &str, status: u16) -> Fault {
    let later = ["Throttl", "TooManyRequests", "LimitExceeded", "ServiceUnavailable", "InternalFailure", "OperationAborted"];
    if status >= 500 || later.iter().any(|start| code.starts_with(start)) { Fault::Transient } else { Fault::Config }
}

/// The innermost cause, which is the one that tells something.
fn root(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_pass_is_transient() {
        for code in ["ThrottlingException", "ServiceUnavailableException", "OperationAbortedException"] {
            assert_eq!(fault_of(code, 400), Fault::Transient, "{code}");
        }
        assert_eq!(fault_of("unknown error", 502), Fault::Transient);
        for code in ["ResourceNotFoundException", "InvalidParameterException", "AccessDeniedException"] {
            assert_eq!(fault_of(code, 400), Fault::Config, "{code}");
        }
    }
}
