//! Why a service of AWS did not do what was asked: who has to act, and what may be told.

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use lake_core::Fault;
use std::error::Error;

/// How codes begin with which every service says that the same request may work later.
const PASSING: [&str; 5] = ["InternalFailure", "InternalServer", "ServiceUnavailable", "Throttl", "TooManyRequests"];

/// How a service refuses.
#[derive(Debug, Clone, Copy)]
pub struct AwsService {
    /// How codes begin with which this service alone says that the same request may work later.
    pub passing: &'static [&'static str],
    /// Whether its words may be told: true only where no request and no answer holds a value of a row, since they may quote both.
    pub quotable: bool,
}

/// Why a request to a service was in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsFailure {
    /// What a person may read, in one line.
    pub message: String,
    /// Who has to act.
    pub fault: Fault,
}

impl AwsService {
    /// Returns whose fault a code of the service is.
    #[must_use]
    pub fn fault_of(&self, code: &str) -> Fault {
        let later = PASSING.iter().chain(self.passing).any(|start| code.starts_with(start));
        if later { Fault::Transient } else { Fault::Config }
    }

    /// Returns what an error of the service's client comes to.
    pub fn failure<E>(&self, error: &SdkError<E, HttpResponse>) -> AwsFailure
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match error {
            SdkError::ServiceError(answer) => {
                let code = error.code().unwrap_or("unknown error");
                let said = error.message().and_then(|text| text.lines().next()).unwrap_or("the service says no more");
                let message = if self.quotable { format!("{code}: {said}") } else { code.to_owned() };
                // What stands in front of a service may answer with a status and no code.
                let is_down = answer.raw().status().is_server_error();
                AwsFailure { message, fault: if is_down { Fault::Transient } else { self.fault_of(code) } }
            }
            other => {
                // Without region or credentials no request is sent, now or later.
                let ours = matches!(other, SdkError::ConstructionFailure(_))
                    || matches!(other, SdkError::DispatchFailure(failure) if failure.is_user() || (failure.is_other() && failure.as_other().is_none()));
                AwsFailure { message: root(other), fault: if ours { Fault::Config } else { Fault::Transient } }
            }
        }
    }
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
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_types::{body::SdkBody, error::ErrorMetadata};

    type Failed = SdkError<ErrorMetadata, HttpResponse>;

    const SILENT: AwsService = AwsService { passing: &["OperationAborted"], quotable: false };

    fn answered(status: u16, error: ErrorMetadata) -> Failed {
        SdkError::service_error(error, HttpResponse::new(status.try_into().unwrap(), SdkBody::empty()))
    }

    fn refused(code: &str, text: &str) -> Failed {
        answered(400, ErrorMetadata::builder().code(code).message(text).build())
    }

    #[test]
    fn what_can_pass_is_transient() {
        for code in ["ThrottlingException", "InternalServerException", "ServiceUnavailableException", "OperationAbortedException"]
        {
            assert_eq!(SILENT.failure(&refused(code, "")).fault, Fault::Transient, "{code}");
        }
        for code in ["AccessDeniedException", "ExpiredTokenException", "QueryTimeoutException"] {
            assert_eq!(SILENT.failure(&refused(code, "")).fault, Fault::Config, "{code}");
        }
        let silent = ErrorMetadata::builder().build();
        assert_eq!(SILENT.failure(&answered(502, silent.clone())).fault, Fault::Transient);
        assert_eq!(SILENT.failure(&answered(403, silent)).fault, Fault::Config);
    }

    #[test]
    fn the_words_of_a_service_are_told_only_where_they_quote_nothing() {
        let error = refused("ValidationException", "value 'ada@example.com' is not valid\nmore");
        assert_eq!(SILENT.failure(&error).message, "ValidationException");
        let open = AwsService { quotable: true, ..SILENT };
        assert_eq!(open.failure(&error).message, "ValidationException: value 'ada@example.com' is not valid");
        assert_eq!(open.failure(&refused("X", "")).message, "X: the service says no more");
    }

    #[test]
    fn what_was_never_sent_is_ours_and_a_broken_line_passes() {
        let of = |error: Failed| {
            let AwsFailure { message, fault } = SILENT.failure(&error);
            (message, fault)
        };
        assert_eq!(of(SdkError::construction_failure("no region\nat all")), ("no region".to_owned(), Fault::Config));
        assert_eq!(of(SdkError::dispatch_failure(ConnectorError::user("bad URI".into()))).1, Fault::Config);
        assert_eq!(of(SdkError::dispatch_failure(ConnectorError::other("no credentials".into(), None))).1, Fault::Config);
        assert_eq!(of(SdkError::dispatch_failure(ConnectorError::io("reset".into()))), ("reset".to_owned(), Fault::Transient));
        assert_eq!(of(SdkError::timeout_error("too slow")), ("too slow".to_owned(), Fault::Transient));
    }
}
