//! Talks to Snowflake through its ADBC driver, a shared library that the driver manager loads. Every call blocks.

use crate::Args;
use adbc_core::{
    Connection as _, Database as _, Driver as _, Statement as _,
    error::Status,
    options::{AdbcVersion, OptionDatabase, OptionValue},
};
use adbc_driver_manager::{ManagedConnection, ManagedDriver, ManagedStatement};
use arrow::{
    array::{RecordBatch, RecordBatchReader},
    error::ArrowError,
};
use lake_core::{Fault, Secret, contract::bronze::SnowflakeSource, fault::Faulty};
use std::{path::PathBuf, time::Duration};
use url::Url;

/// Why Snowflake could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The driver's library is not there or does not load.
    #[error("load the Snowflake driver library `{}`", path.display())]
    Driver {
        path: PathBuf,
        #[source]
        source: adbc_core::error::Error,
    },
    /// The service refuses the user.
    #[error("log in to Snowflake as `{user}`: {message}")]
    Refused { user: String, message: String },
    /// The service did not do what was asked.
    #[error("{action}: {message}")]
    Failed { action: &'static str, message: String, fault: Fault },
    /// No answer in time.
    #[error("{action}: no answer for {} s", waited.as_secs())]
    Silent { action: &'static str, waited: Duration },
    /// The table moved while it was read.
    #[error("read all rows: the source counts {counted} but gave {read}")]
    Moved { counted: u64, read: u64 },
    /// There is no such table.
    #[error("find table `{0}`: there is none, or the user may not read it")]
    NoTable(String),
}

impl Faulty for ClientError {
    fn fault(&self) -> Fault {
        match self {
            Self::Driver { .. } | Self::Refused { .. } | Self::NoTable(_) => Fault::Config,
            Self::Failed { fault, .. } => *fault,
            Self::Silent { .. } | Self::Moved { .. } => Fault::Transient,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Driver { .. } => Some(
                "install it with `pip install adbc-driver-snowflake` and give the .so inside that package with --driver or SNOWFLAKE_DRIVER".into(),
            ),
            Self::Refused { .. } => Some("check --user and the secret `snowflake/password`".into()),
            Self::NoTable(_) => Some("check database, schema and table in the contract, and the user's grants".into()),
            Self::Failed { .. } | Self::Silent { .. } | Self::Moved { .. } => None,
        }
    }
}

/// How to connect.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    driver: PathBuf,
    account: String,
    user: String,
    password: Secret,
    warehouse: Option<String>,
    url: Option<Url>,
    database: String,
    schema: String,
    /// How long a login or one answer may take.
    pub(crate) timeout: Duration,
    /// New tries of the login.
    pub(crate) retries_max: u32,
}

impl Options {
    /// Puts arguments, secret and contract together.
    pub(crate) fn new(args: &Args, password: Secret, source: &SnowflakeSource) -> Self {
        Self {
            driver: args.driver.clone(),
            account: args.account.clone(),
            user: args.user.clone(),
            password,
            warehouse: args.warehouse.clone(),
            url: args.url.clone(),
            database: source.database.clone(),
            schema: source.schema.clone(),
            timeout: Duration::from_secs(args.timeout_seconds),
            retries_max: args.retries_max,
        }
    }

    /// Options of the driver; names as in its documentation. Timestamps come in microseconds, as Delta keeps them.
    fn of_database(&self) -> Vec<(OptionDatabase, OptionValue)> {
        let own = |key: &str, value: String| (OptionDatabase::Other(format!("adbc.snowflake.sql.{key}")), OptionValue::String(value));
        let seconds = format!("{}s", self.timeout.as_secs());
        let mut options = vec![
            (OptionDatabase::Username, OptionValue::String(self.user.clone())),
            (OptionDatabase::Password, OptionValue::String(self.password.expose().to_owned())),
            own("account", self.account.clone()),
            own("db", self.database.clone()),
            own("schema", self.schema.clone()),
            own("client_option.max_timestamp_precision", "microseconds".into()),
            own("client_option.disable_telemetry", "true".into()),
            own("client_option.login_timeout", seconds.clone()),
            own("client_option.request_timeout", seconds),
        ];
        if let Some(warehouse) = &self.warehouse {
            options.push(own("warehouse", warehouse.clone()));
        }
        if let Some(url) = &self.url {
            options.push(own("uri.protocol", url.scheme().to_owned()));
            options.push(own("uri.host", url.host_str().unwrap_or_default().to_owned()));
            let port = url.port_or_known_default().unwrap_or(443);
            options.push(own("uri.port", port.to_string()));
        }
        options
    }
}

/// A connection.
pub(crate) struct Client {
    connection: ManagedConnection,
}

impl Client {
    /// Loads the driver and logs in.
    pub(crate) fn connect(options: &Options) -> Result<Self, ClientError> {
        let init: &[u8] = b"AdbcDriverSnowflakeInit";
        let mut driver = ManagedDriver::load_dynamic_from_filename(&options.driver, Some(init), AdbcVersion::V110)
            .map_err(|source| ClientError::Driver { path: options.driver.clone(), source })?;
        let refused = |error| failed("log in to Snowflake", &options.user, error);
        let database = driver.new_database_with_opts(options.of_database()).map_err(refused)?;
        let connection = database.new_connection().map_err(refused)?;
        Ok(Self { connection })
    }

    /// Runs a query and returns its batches as a stream.
    pub(crate) fn query(&mut self, sql: &str) -> Result<Answer, ClientError> {
        let failed = |error| failed("run a query", "", error);
        let mut statement = self.connection.new_statement().map_err(failed)?;
        statement.set_sql_query(sql).map_err(failed)?;
        let reader = statement.execute().map_err(failed)?;
        Ok(Answer { reader, _statement: statement })
    }
}

/// The batches of an answer. The driver cancels an answer whose statement is closed, so the two live together.
pub(crate) struct Answer {
    reader: Box<dyn RecordBatchReader + Send>,
    _statement: ManagedStatement,
}

impl Iterator for Answer {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.reader.next()
    }
}

/// Turns a driver's error into ours. The message is the service's own; it never holds rows, and the password is not in it.
fn failed(action: &'static str, user: &str, error: adbc_core::error::Error) -> ClientError {
    let message = error.message.lines().next().unwrap_or_default().to_owned();
    let lower = message.to_lowercase();
    // 390100 and its neighbours are the service's codes for refused logins.
    if error.status == Status::Unauthenticated || lower.contains("3901") || lower.contains("incorrect username or password") {
        return ClientError::Refused { user: user.to_owned(), message };
    }
    let absent = lower.contains("does not exist") || matches!(error.status, Status::NotFound | Status::Unauthorized);
    let fault = if absent || error.status == Status::InvalidArguments { Fault::Config } else { Fault::Transient };
    ClientError::Failed { action, message, fault }
}

#[cfg(test)]
mod tests {
    use super::*;
    use adbc_core::error::Error;

    #[test]
    fn a_refused_login_is_a_configuration_error() {
        let error = Error::with_message_and_status("390100 (08004): Incorrect username or password was specified.", Status::IO);
        let error = failed("log in to Snowflake", "alice", error);
        assert_eq!(error.fault(), Fault::Config);
        assert!(error.to_string().starts_with("log in to Snowflake as `alice`: 390100"), "{error}");
    }

    #[test]
    fn a_service_that_is_down_is_transient() {
        let error = Error::with_message_and_status("dial tcp 127.0.0.1:1: connect: connection refused", Status::IO);
        assert_eq!(failed("log in to Snowflake", "alice", error).fault(), Fault::Transient);
    }
}
