//! Why the Data API failed, who has to act, and what may be told: never a value of a row.

use crate::long_value;
use aws_sdk_redshiftdata::error::{ProvideErrorMetadata, SdkError};
use lake_core::{Fault, fault::Faulty};
use lake_edge::{AwsFailure, AwsService};
use std::{error::Error, time::Duration};

/// What is being done while the columns are asked for.
pub(crate) const DESCRIBE: &str = "describe the table";
/// What is being done while rows are counted.
pub(crate) const COUNT: &str = "count the rows";
/// What is being done while rows are counted and written to the stage.
pub(crate) const UNLOAD: &str = "unload the rows";

/// The Data API. Requests hold statements of ours, answers the catalogue and counts: its words quote no row.
const DATA_API: AwsService =
    AwsService { passing: &["ActiveS", "ActiveW", "DatabaseConnection", "QueryTimeout"], quotable: true };

/// Why the Data API could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AwsError {
    /// There is no such table, or the user may not see it.
    #[error("find table `{table}`: the catalogue shows none of its columns")]
    NoTable { table: String },
    /// The service did not take the request.
    #[error("{action}: {message}")]
    Failed { action: &'static str, message: String, fault: Fault },
    /// A statement failed.
    #[error("{action}: statement {id} {message}")]
    Statement { action: &'static str, id: String, message: String, fault: Fault },
    /// The server cannot make text of a value.
    #[error("{action}: statement {id} failed: {}", long_value::PROBLEM)]
    Long { action: &'static str, id: String },
    /// A statement took too long and was cancelled.
    #[error("{action}: not done after {} s, so it was cancelled", waited.as_secs())]
    Silent { action: &'static str, waited: Duration },
}

impl AwsError {
    /// Turns an error of the client into ours.
    pub(crate) fn of<E>(action: &'static str, error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let AwsFailure { message, fault } = DATA_API.failure(error);
        Self::Failed { action, message, fault }
    }

    /// A statement that the server gave up, with its text where that cannot quote a value.
    pub(crate) fn statement(action: &'static str, id: &str, text: &str) -> Self {
        if long_value::told_by(text) {
            return Self::Long { action, id: id.to_owned() };
        }
        let text = text.lines().next().unwrap_or_default();
        let message = if action == DESCRIBE { format!("failed: {text}") } else { "failed".to_owned() };
        Self::Statement { action, id: id.to_owned(), message, fault: fault_of_text(text) }
    }
}

impl Faulty for AwsError {
    fn fault(&self) -> Fault {
        match self {
            Self::NoTable { .. } => Fault::Config,
            Self::Failed { fault, .. } | Self::Statement { fault, .. } => *fault,
            Self::Long { .. } => Fault::Data,
            Self::Silent { .. } => Fault::Transient,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoTable { .. } => "check schema and table in the contract, and the user's grants".into(),
            Self::Failed { fault: Fault::Config, .. } => {
                "check region and credentials, --database, and --cluster or --workgroup".into()
            }
            Self::Statement { id, .. } => {
                format!("`aws redshift-data describe-statement --id {id}` tells why; check --unload-role and the user's grants")
            }
            Self::Long { .. } => long_value::HINT.into(),
            Self::Failed { .. } | Self::Silent { .. } => "run the same command again later".into(),
        })
    }
}

/// Whose fault a statement's failure is; there is no code, only text. What is not known may pass.
fn fault_of_text(text: &str) -> Fault {
    let text = text.to_lowercase();
    let ours = [
        "permission denied",
        "does not exist",
        "not authorized",
        "access denied",
        "accessdenied",
        "syntax error",
        "invalid credential",
    ];
    if ours.iter().any(|part| text.contains(part)) { Fault::Config } else { Fault::Transient }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_pass_is_transient() {
        for code in ["InternalServerException", "ThrottlingException", "ActiveStatementsExceededException"] {
            assert_eq!(DATA_API.fault_of(code), Fault::Transient, "{code}");
        }
        for code in ["ValidationException", "AccessDeniedException", "ResourceNotFoundException", "ExpiredTokenException"] {
            assert_eq!(DATA_API.fault_of(code), Fault::Config, "{code}");
        }
    }

    #[test]
    fn a_failed_unload_never_quotes_the_server() {
        let failed = AwsError::statement(UNLOAD, "abc-1", "ERROR: invalid value 'ada@example.com' for numeric\nmore");
        assert_eq!((failed.to_string().as_str(), failed.fault()), ("unload the rows: statement abc-1 failed", Fault::Transient));
        let denied = AwsError::statement(UNLOAD, "abc-1", "ERROR: S3ServiceException:Access Denied,Status 403");
        assert_eq!(denied.fault(), Fault::Config);
        let words = "ERROR: Invalid input\n  context: String value exceeds the max size of 65535 bytes";
        let long = AwsError::statement(UNLOAD, "abc-1", words);
        assert_eq!(long.fault(), Fault::Data);
        let told = "unload the rows: statement abc-1 failed: a value is longer as text than Redshift's VARCHAR holds";
        assert_eq!(long.to_string(), told);
        let described = AwsError::statement(DESCRIBE, "abc-1", "ERROR: permission denied for schema behavior");
        assert!(described.to_string().ends_with("failed: ERROR: permission denied for schema behavior"));
    }
}
