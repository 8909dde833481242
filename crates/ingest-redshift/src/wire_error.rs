//! Why the wire failed, who has to act, and what may be told: never a value of a row.

use crate::{long_value, tls::TrustError};
use lake_core::{Fault, fault::Faulty};
use std::{io, time::Duration};
use tokio_postgres::error::DbError;
use tokio_rustls::rustls::{self, CertificateError};

/// What is being done while the login goes on.
pub(crate) const LOGIN: &str = "log in to Redshift";
/// What is being done while the transaction begins.
pub(crate) const BEGIN: &str = "begin a read-only transaction";
/// What is being done while the columns are asked for.
pub(crate) const DESCRIBE: &str = "describe the table";
/// What is being done while rows are counted.
pub(crate) const COUNT: &str = "count the rows";
/// What is being done while rows come.
pub(crate) const READ: &str = "read rows";

/// Why Redshift could not be read over the wire.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// Nothing can be trusted.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The server does not prove to be who it should be.
    #[error("verify that the server is `{host}`: {problem}")]
    Certificate { host: String, problem: String },
    /// The server proves to be another one.
    #[error("verify that the server is `{host}`: its certificate does not carry that name, only {names}")]
    Name { host: String, names: String },
    /// The server refuses the user.
    #[error("log in to Redshift as `{user}`: {message}")]
    Refused { user: String, message: String },
    /// There is no such table, or the user may not see it.
    #[error("find table `{table}`: {message}")]
    NoTable { table: String, message: String },
    /// The server did not do what was asked.
    #[error("{action}: {message}")]
    Failed { action: &'static str, message: String, fault: Fault },
    /// The server cannot make text of a value.
    #[error("{action}: {}", long_value::PROBLEM)]
    Long { action: &'static str },
    /// No answer in time.
    #[error("{action}: no answer for {} s", waited.as_secs())]
    Silent { action: &'static str, waited: Duration },
    /// The server delivers other rows than it counts.
    #[error("read all rows: the server counts {counted} and delivers {read}")]
    Torn { counted: u64, read: u64 },
}

impl Faulty for WireError {
    fn fault(&self) -> Fault {
        match self {
            Self::Trust(_) | Self::Certificate { .. } | Self::Name { .. } | Self::Refused { .. } | Self::NoTable { .. } => {
                Fault::Config
            }
            Self::Long { .. } => Fault::Data,
            Self::Failed { fault, .. } => *fault,
            Self::Silent { .. } | Self::Torn { .. } => Fault::Transient,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Trust(_) => "give the PEM file with --ca-file or REDSHIFT_CA_FILE".into(),
            Self::Certificate { .. } => {
                "nothing was sent; --host must be the name in the certificate and --ca-file its authority".into()
            }
            Self::Name { .. } => {
                "nothing was sent; give --host the name in the certificate, or the server a certificate for this name".into()
            }
            Self::Long { .. } => long_value::HINT.into(),
            Self::Refused { .. } => "check --user, --database and the secret `redshift/password`".into(),
            Self::NoTable { .. } => "check schema and table in the contract, and the user's grants".into(),
            Self::Silent { .. } | Self::Torn { .. } => "run the same command again later".into(),
            Self::Failed { fault: Fault::Transient, .. } => "the source may be down; run the same command again later".into(),
            Self::Failed { .. } => return None,
        })
    }
}

/// Who is asked for what: what errors name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// Host.
    pub(crate) host: String,
    /// User.
    pub(crate) user: String,
    /// `schema.table`.
    pub(crate) table: String,
}

impl Names {
    /// Turns the protocol's error into ours.
    pub(crate) fn failed(&self, action: &'static str, error: &tokio_postgres::Error) -> WireError {
        match (error.as_db_error(), std::error::Error::source(error)) {
            (Some(error), _) => self.said(action, error.code().code(), &words(error)),
            (None, Some(cause)) => match cause.downcast_ref::<io::Error>() {
                Some(cause) => self.broken(action, cause),
                // No TLS at the server, or a way to log in that is none of ours: it stays so until somebody changes it.
                None => WireError::Failed { action, message: plain(&cause.to_string()), fault: Fault::Config },
            },
            (None, None) => WireError::Failed { action, message: plain(&error.to_string()), fault: Fault::Transient },
        }
    }

    /// The connection does not come about, or breaks.
    fn broken(&self, action: &'static str, cause: &io::Error) -> WireError {
        let tls = cause.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match tls {
            Some(rustls::Error::InvalidCertificate(problem)) => match carried(problem) {
                Some(names) => WireError::Name { host: self.host.clone(), names },
                None => WireError::Certificate { host: self.host.clone(), problem: plain(&problem.to_string()) },
            },
            Some(other) => WireError::Failed { action, message: plain(&other.to_string()), fault: Fault::Config },
            None => {
                // A name that no certificate can be for stays so until somebody changes it.
                let ours = cause.kind() == io::ErrorKind::InvalidInput;
                let fault = if ours { Fault::Config } else { Fault::Transient };
                WireError::Failed { action, message: plain(&cause.to_string()), fault }
            }
        }
    }

    /// The server says no. Where it looks at rows its text is left out: it could quote a value.
    fn said(&self, action: &'static str, code: &str, words: &str) -> WireError {
        if long_value::told_by(words) {
            return WireError::Long { action };
        }
        let shown = matches!(action, LOGIN | BEGIN | DESCRIBE) || matches!(code.get(..2), Some("42" | "3F"));
        let message = if shown { plain(words) } else { format!("the server answers with error {code}") };
        match fault_of(code) {
            _ if code.starts_with("28") => WireError::Refused { user: self.user.clone(), message },
            _ if matches!(code, "42P01" | "3F000" | "42501") => WireError::NoTable { table: self.table.clone(), message },
            fault => WireError::Failed { action, message, fault },
        }
    }
}

/// The server's message, and its detail below it.
fn words(error: &DbError) -> String {
    format!("{}\n{}", error.message(), error.detail().unwrap_or_default())
}

/// The names that a certificate carries when it is trusted, but not for the host that was asked.
fn carried(problem: &CertificateError) -> Option<String> {
    match problem {
        CertificateError::NotValidForName => Some("others".to_owned()),
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => Some("none".to_owned()),
        CertificateError::NotValidForNameContext { presented, .. } => Some(presented.join(", ")),
        _ => None,
    }
}

/// Whose fault an SQLSTATE is. What is not known may pass: Redshift says `XX000` to much.
fn fault_of(code: &str) -> Fault {
    match code.get(..2) {
        Some("22") => Fault::Data,
        Some("0A" | "28" | "3D" | "3F" | "42") => Fault::Config,
        _ => Fault::Transient,
    }
}

/// The first line of a message.
fn plain(message: &str) -> String {
    message.lines().next().unwrap_or_default().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_rustls::rustls::pki_types::ServerName;

    fn names() -> Names {
        Names { host: "warehouse.example".into(), user: "sluice".into(), table: "behavior.events".into() }
    }

    #[test]
    fn an_untrusted_certificate_is_a_configuration_error() {
        let cause =
            io::Error::new(io::ErrorKind::InvalidData, rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer));
        let error = names().broken(LOGIN, &cause);
        assert_eq!(error.to_string(), "verify that the server is `warehouse.example`: UnknownIssuer");
        assert_eq!(error.fault(), Fault::Config);
    }

    #[test]
    fn a_trusted_certificate_for_another_name_is_a_configuration_error() {
        let expected = ServerName::try_from("warehouse.example").unwrap();
        let problem = CertificateError::NotValidForNameContext { expected, presented: vec!["DnsName(\"localhost\")".into()] };
        let cause = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::InvalidCertificate(problem));
        let (error, told) = (names().broken(LOGIN, &cause), "does not carry that name, only DnsName(\"localhost\")");
        assert_eq!(error.to_string(), format!("verify that the server is `warehouse.example`: its certificate {told}"));
        assert_eq!(error.fault(), Fault::Config);
        assert!(error.hint().unwrap().contains("--host"));
    }

    #[test]
    fn a_value_that_is_too_long_stays_so() {
        let words = "Invalid input\n  code: 8001\n  context: String value exceeds the max size of 65535 bytes";
        let error = names().said(READ, "XX000", words);
        let told = "read rows: a value is longer as text than Redshift's VARCHAR holds";
        assert_eq!((error.fault(), error.to_string().as_str()), (Fault::Data, told));
        let other = names().said(READ, "XX000", "Invalid input\n  code: 1000");
        assert_eq!(other.fault(), Fault::Transient);
    }

    #[test]
    fn a_server_that_is_down_is_transient() {
        let error = names().broken(LOGIN, &io::Error::from(io::ErrorKind::ConnectionRefused));
        assert_eq!((error.fault(), error.to_string()), (Fault::Transient, "log in to Redshift: connection refused".into()));
    }

    #[test]
    fn the_state_says_who_has_to_act() {
        let cases = [
            ("22P02", Fault::Data),
            ("42601", Fault::Config),
            ("3D000", Fault::Config),
            ("0A000", Fault::Config),
            ("57014", Fault::Transient),
            ("53300", Fault::Transient),
            ("57P03", Fault::Transient),
            ("XX000", Fault::Transient),
            ("", Fault::Transient),
        ];
        for (code, fault) in cases {
            assert_eq!(fault_of(code), fault, "{code}");
        }
    }
}
