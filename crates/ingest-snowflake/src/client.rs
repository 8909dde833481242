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
    datatypes::SchemaRef,
    error::ArrowError,
};
use lake_core::{Fault, Secret, contract::bronze::SnowflakeSource, fault::Faulty};
use std::{path::PathBuf, time::Duration};
use url::Url;

const LIBRARY: &str = "libadbc_driver_snowflake.so";

/// Why Snowflake could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The driver's library is not there or does not load.
    #[error("load the Snowflake driver `{}`: {message}", path.display())]
    Driver { path: PathBuf, message: String },
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
    #[error("read all rows: the table changed meanwhile ({before} rows before, {after} after)")]
    Moved { before: u64, after: u64 },
    /// There is no such table.
    #[error("find table `{table}`: {message}")]
    NoTable { table: String, message: String },
}

impl Faulty for ClientError {
    fn fault(&self) -> Fault {
        match self {
            Self::Driver { .. } | Self::Refused { .. } | Self::NoTable { .. } => Fault::Config,
            Self::Failed { fault, .. } => *fault,
            Self::Silent { .. } | Self::Moved { .. } => Fault::Transient,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Driver { .. } => format!(
                "`pip install adbc-driver-snowflake` brings it as <site-packages>/adbc_driver_snowflake/{LIBRARY}; \
                 give that path with --driver or SNOWFLAKE_DRIVER"
            ),
            Self::Refused { .. } => "check --account, --user and the secret `snowflake/password`".into(),
            Self::NoTable { .. } => "check database, schema and table in the contract, and the user's grants".into(),
            Self::Silent { .. } | Self::Moved { .. } => "run the same command again later".into(),
            Self::Failed { fault: Fault::Transient, .. } => "the source may be down; run the same command again later".into(),
            Self::Failed { .. } => return None,
        })
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
    table: String,
    /// How long a login may take.
    pub(crate) timeout: Duration,
    /// How long one answer may take: a query until its first rows, then each batch.
    pub(crate) answer: Duration,
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
            table: source.table.clone(),
            timeout: Duration::from_secs(args.timeout_seconds),
            answer: Duration::from_secs(args.answer_seconds),
            retries_max: args.retries_max,
        }
    }

    /// Options of the driver; names as in its documentation. Timestamps come in microseconds, as Delta keeps them.
    fn of_database(&self) -> Vec<(OptionDatabase, OptionValue)> {
        let own =
            |key: &str, value: String| (OptionDatabase::Other(format!("adbc.snowflake.sql.{key}")), OptionValue::String(value));
        let seconds = |duration: Duration| format!("{}s", duration.as_secs());
        let mut options = vec![
            (OptionDatabase::Username, OptionValue::String(self.user.clone())),
            (OptionDatabase::Password, OptionValue::String(self.password.expose().to_owned())),
            own("account", self.account.clone()),
            own("db", self.database.clone()),
            own("schema", self.schema.clone()),
            own("client_option.max_timestamp_precision", "microseconds".into()),
            own("client_option.use_high_precision", "true".into()),
            own("client_option.disable_telemetry", "true".into()),
            // How long the driver tries a login and a request again, and how long one round trip may take.
            own("client_option.login_timeout", seconds(self.timeout)),
            own("client_option.request_timeout", seconds(self.timeout)),
            own("client_option.client_timeout", seconds(self.answer)),
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

    /// Turns a driver's error into ours.
    ///
    /// While rows are read the service's text is left out: it could quote a value.
    fn failed(&self, action: &'static str, error: &adbc_core::error::Error) -> ClientError {
        let code = code(error);
        let message =
            if action == crate::session::READ { format!("the service answers with error {code}") } else { plain(&error.message) };
        match code {
            // A session that went away is none of the user's.
            390_111 | 390_112 | 390_114 | 390_195 => ClientError::Failed { action, message, fault: Fault::Transient },
            390_100..=390_499 => ClientError::Refused { user: self.user.clone(), message },
            2_003 | 2_043 if action == crate::session::DESCRIBE => {
                let table = format!("{}.{}.{}", self.database, self.schema, self.table);
                ClientError::NoTable { table, message }
            }
            _ if matches!(error.status, Status::Unauthenticated | Status::Unauthorized) => {
                ClientError::Refused { user: self.user.clone(), message }
            }
            _ => {
                // 1003, 2003 and 2043: SQL that does not compile, or names what is not there.
                let status = matches!(error.status, Status::InvalidArguments | Status::NotFound | Status::NotImplemented);
                let ours = status || matches!(code, 1_003 | 2_003 | 2_043);
                ClientError::Failed { action, message, fault: if ours { Fault::Config } else { Fault::Transient } }
            }
        }
    }
}

/// Returns the service's own code, which stands in the field for it or at the start of the text; 0 when there is none.
fn code(error: &adbc_core::error::Error) -> i32 {
    let text = error.message.trim_start_matches("[Snowflake] ");
    let digits = text.split(' ').next().filter(|word| word.len() == 6);
    if error.vendor_code == 0 { digits.and_then(|digits| digits.parse().ok()).unwrap_or(0) } else { error.vendor_code }
}

/// Returns the first line of a message without what differs from run to run: ids in addresses, the driver's own name.
pub(crate) fn plain(message: &str) -> String {
    let mut plain = String::new();
    let mut inside = false;
    for c in message.lines().next().unwrap_or_default().trim_start_matches("[Snowflake] ").chars() {
        inside = if inside { c != '"' } else { c == '?' };
        if !inside {
            plain.push(c);
        }
    }
    // The service repeats its code before its text.
    match plain.split_once("): ") {
        Some((code, rest)) if rest.starts_with(code) => rest.to_owned(),
        _ => plain,
    }
}

/// A connection.
pub(crate) struct Client {
    connection: ManagedConnection,
    options: Options,
}

impl Client {
    /// Loads the driver and logs in.
    pub(crate) fn connect(options: &Options) -> Result<Self, ClientError> {
        let init: &[u8] = b"AdbcDriverSnowflakeInit";
        let mut driver = ManagedDriver::load_dynamic_from_filename(&options.driver, Some(init), AdbcVersion::V110)
            .map_err(|error| ClientError::Driver { path: options.driver.clone(), message: plain(&error.message) })?;
        let failed = |error| options.failed("log in to Snowflake", &error);
        let database = driver.new_database_with_opts(options.of_database()).map_err(failed)?;
        let connection = database.new_connection().map_err(failed)?;
        Ok(Self { connection, options: options.clone() })
    }

    /// Runs a query and returns its batches as a stream.
    pub(crate) fn query(&mut self, action: &'static str, sql: &str) -> Result<Answer, ClientError> {
        let failed = |error| self.options.failed(action, &error);
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

impl Answer {
    /// Columns of the answer.
    pub(crate) fn schema(&self) -> SchemaRef {
        self.reader.schema()
    }
}

impl Iterator for Answer {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.reader.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use adbc_core::error::Error;

    fn options() -> Options {
        let text = String::new;
        Options {
            driver: PathBuf::new(),
            account: text(),
            user: "alice".into(),
            password: Secret::new("hunter2".into()),
            warehouse: None,
            url: None,
            database: "DB".into(),
            schema: "S".into(),
            table: "T".into(),
            timeout: Duration::ZERO,
            answer: Duration::ZERO,
            retries_max: 0,
        }
    }

    fn failed(action: &'static str, message: &str, status: Status) -> ClientError {
        options().failed(action, &Error::with_message_and_status(message, status))
    }

    #[test]
    fn a_refused_login_is_a_configuration_error() {
        let error = failed(
            "log in to Snowflake",
            "[Snowflake] 390100 (08004): Incorrect username or password was specified.",
            Status::IO,
        );
        assert_eq!(error.fault(), Fault::Config);
        assert_eq!(
            error.to_string(),
            "log in to Snowflake as `alice`: 390100 (08004): Incorrect username or password was specified."
        );
        assert_eq!(
            failed("x", "[Snowflake] 390114 (08001): Authentication token has expired.", Status::IO).fault(),
            Fault::Transient
        );
    }

    #[test]
    fn a_service_that_is_down_is_transient() {
        let message = "Post \"http://127.0.0.1:1/session/v1/login-request?requestId=de1ae037&warehouse=W\": dial tcp 127.0.0.1:1: connect: connection refused";
        let error = failed("log in to Snowflake", message, Status::IO);
        assert_eq!(error.fault(), Fault::Transient);
        let expected = "log in to Snowflake: Post \"http://127.0.0.1:1/session/v1/login-request\": dial tcp 127.0.0.1:1: connect: connection refused";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn an_absent_table_is_a_configuration_error() {
        let message = "[Snowflake] 002003 (42S02): 002003 (42S02): Object 'T' does not exist or not authorized.\nmore";
        let error = failed(crate::session::DESCRIBE, message, Status::NotFound);
        assert_eq!(error.fault(), Fault::Config);
        assert_eq!(error.to_string(), "find table `DB.S.T`: 002003 (42S02): Object 'T' does not exist or not authorized.");
    }

    #[test]
    fn errors_while_rows_are_read_never_quote_the_service() {
        let error = failed(
            crate::session::READ,
            "[Snowflake] 100038 (22018): Numeric value 'ada@example.com' is not recognized",
            Status::Internal,
        );
        assert_eq!(error.to_string(), "read rows: the service answers with error 100038");
    }

    #[test]
    fn options_never_print_the_password() {
        assert!(!format!("{:?}", options()).contains("hunter2"));
    }
}
