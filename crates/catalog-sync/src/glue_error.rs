//! Why Glue did not do what was asked, and who has to act.

use aws_sdk_glue::error::{BuildError, ProvideErrorMetadata, SdkError};
use lake_core::{Fault, fault::Faulty};
use lake_edge::{AwsFailure, AwsService};
use std::error::Error;

/// Code for a table or a database that is not there.
pub(crate) const NOT_FOUND: &str = "EntityNotFoundException";
/// Code for a table or a database that is there already.
pub(crate) const EXISTS: &str = "AlreadyExistsException";
/// Codes with which a write is refused because the entry is not what it was when it was read.
const OVERTAKEN: [&str; 3] = [NOT_FOUND, EXISTS, "ConcurrentModificationException"];

/// Codes with which a write is refused for what is in it or for whose it is: entries beside it may be taken all the same.
const INVALID: &str = "InvalidInputException";
const DENIED: &str = "AccessDeniedException";

/// Glue. Requests and answers hold names, types and words of contracts, never a value of a row.
const GLUE: AwsService = AwsService {
    passing: &["ConcurrentModification", "FederationSourceRetryable", "InternalService", "OperationTimeout", "ResourceNotReady"],
    quotable: true,
};

/// What a sync needs.
const PERMISSIONS: &str = "check region, credentials and the role's permissions: glue:GetDatabase, GetTables, GetTable, \
                           CreateDatabase, CreateTable, UpdateTable, DeleteTable; with Lake Formation also CREATE_TABLE and \
                           ALTER on the database and DATA_LOCATION_ACCESS on the lake";

/// Why Glue did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GlueError {
    /// It did not take the request.
    #[error("{action} `{object}` in the catalog: {message}")]
    Failed { action: &'static str, object: String, message: String, fault: Fault },
    /// It does not take this entry, however often it is sent.
    #[error("{action} `{object}` in the catalog: {message}")]
    Refused { action: &'static str, object: String, message: String, fault: Fault },
    /// Somebody else wrote the entry since it was read.
    #[error("{action} `{object}` in the catalog: another writer was quicker")]
    Overtaken { action: &'static str, object: String },
}

impl GlueError {
    /// Turns an error of the client into ours.
    pub(crate) fn of<E>(action: &'static str, object: &str, error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let AwsFailure { message, fault } = GLUE.failure(error);
        Self::Failed { action, object: object.to_owned(), message, fault }
    }

    /// Turns an error of a write into ours.
    pub(crate) fn of_write<E>(action: &'static str, object: &str, error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match error.code() {
            Some(code) if OVERTAKEN.contains(&code) => Self::Overtaken { action, object: object.to_owned() },
            Some(code @ (INVALID | DENIED)) => {
                let fault = if code == INVALID { Fault::Data } else { Fault::Config };
                Self::Refused { action, object: object.to_owned(), message: GLUE.failure(error).message, fault }
            }
            _ => Self::of(action, object, error),
        }
    }

    /// A request that cannot be built; every field that a request needs is set, so only a bug leads here.
    pub(crate) fn unbuilt(action: &'static str, object: &str, error: &BuildError) -> Self {
        Self::Failed { action, object: object.to_owned(), message: error.to_string(), fault: Fault::Config }
    }
}

impl Faulty for GlueError {
    fn fault(&self) -> Fault {
        match self {
            Self::Failed { fault, .. } | Self::Refused { fault, .. } => *fault,
            Self::Overtaken { .. } => Fault::Transient,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self.fault() {
            Fault::Config => PERMISSIONS.to_owned(),
            Fault::Data => "mend the column, type or text that the catalog does not take".to_owned(),
            Fault::Transient => "run the same command again later: tables that are synced are not written again".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_glue::{error::ErrorMetadata, operation::update_table::UpdateTableError};

    #[test]
    fn a_write_that_is_refused_says_whether_it_is_this_entry_alone() {
        let answer = |code: &str| {
            let error = UpdateTableError::generic(ErrorMetadata::builder().code(code).message("no").build());
            let http = aws_sdk_glue::config::http::HttpResponse::new(400_u16.try_into().unwrap(), "".into());
            GlueError::of_write("update table", "silver_t", &SdkError::service_error(error, http))
        };
        assert!(matches!(answer("InvalidInputException"), GlueError::Refused { fault: Fault::Data, .. }));
        assert!(matches!(answer("AccessDeniedException"), GlueError::Refused { fault: Fault::Config, .. }));
        assert!(matches!(answer("ThrottlingException"), GlueError::Failed { fault: Fault::Transient, .. }));
        for code in OVERTAKEN {
            assert!(matches!(answer(code), GlueError::Overtaken { .. }), "{code}");
        }
        assert_eq!(
            answer("InvalidInputException").to_string(),
            "update table `silver_t` in the catalog: InvalidInputException: no"
        );
    }

    #[test]
    fn what_can_pass_is_transient() {
        for code in [
            "ThrottlingException",
            "InternalServiceException",
            "OperationTimeoutException",
            "ResourceNotReadyException",
            "ConcurrentModificationException",
            "FederationSourceRetryableException",
        ] {
            assert_eq!(GLUE.fault_of(code), Fault::Transient, "{code}");
        }
        for code in [
            "AccessDeniedException",
            "InvalidInputException",
            "GlueEncryptionException",
            "ResourceNumberLimitExceededException",
            "FederationSourceException",
            "UnrecognizedClientException",
            NOT_FOUND,
            EXISTS,
        ] {
            assert_eq!(GLUE.fault_of(code), Fault::Config, "{code}");
        }
    }
}
