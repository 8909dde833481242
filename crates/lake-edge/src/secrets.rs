//! Where secrets come from. A secret is named, never given as an argument.

use anyhow::{Context as _, anyhow};
use lake_core::{Fault, Secret};
use std::{env::VarError, path::PathBuf, str::FromStr};

/// A provider of secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretStore {
    /// One file per secret under a directory: `kafka/alice` is `DIR/kafka/alice`.
    File(PathBuf),
    /// One variable per secret: `kafka/alice` is `<PREFIX>KAFKA_ALICE`.
    Env(String),
}

impl FromStr for SecretStore {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("file", directory)) if !directory.is_empty() => Ok(Self::File(directory.into())),
            Some(("env", prefix)) => Ok(Self::Env(prefix.to_owned())),
            _ => Err("expected file:DIR or env:PREFIX".to_owned()),
        }
    }
}

impl SecretStore {
    /// Returns a secret by name.
    ///
    /// # Errors
    /// [`Fault::Config`] when the name is malformed or there is no such secret.
    #[expect(clippy::disallowed_methods, reason = "the edge is the one place that reads the environment")]
    pub fn get(&self, name: &str) -> anyhow::Result<Secret> {
        let plain = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        if !name.split('/').all(plain) {
            return Err(anyhow!("failed to read secret `{name}`: names are words joined by `/`").context(Fault::Config));
        }
        let value = match self {
            Self::File(directory) => {
                let path = directory.join(name);
                std::fs::read_to_string(&path).with_context(|| format!("failed to read secret `{name}` from {}", path.display()))
            }
            Self::Env(prefix) => {
                let variable = format!("{prefix}{}", name.replace(['/', '-'], "_").to_uppercase());
                let read = std::env::var(&variable).map_err(|error| anyhow!(why(&error)));
                read.with_context(|| format!("failed to read secret `{name}` from variable {variable}"))
            }
        };
        value.map(|text| Secret::new(text.trim_end_matches(['\r', '\n']).to_owned())).context(Fault::Config)
    }
}

/// Why a variable cannot be read; the error's own words would show what is in it.
const fn why(error: &VarError) -> &'static str {
    match error {
        VarError::NotPresent => "it is not set",
        VarError::NotUnicode(_) => "it is no text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_is_no_text_is_not_shown() {
        let secret = std::os::unix::ffi::OsStringExt::from_vec(b"hunter2\xff".to_vec());
        assert_eq!((why(&VarError::NotUnicode(secret)), why(&VarError::NotPresent)), ("it is no text", "it is not set"));
    }

    #[test]
    fn names_cannot_leave_the_directory() {
        let store: SecretStore = "file:/nowhere".parse().unwrap();
        let error = store.get("../etc/passwd").unwrap_err();
        assert_eq!(error.downcast_ref::<Fault>(), Some(&Fault::Config));
        assert!(format!("{error:#}").contains("words joined"), "{error:#}");
    }

    #[test]
    fn a_missing_secret_is_a_configuration_error() {
        let store: SecretStore = "env:SLUICE_TEST_ABSENT_".parse().unwrap();
        let error = store.get("kafka/alice").unwrap_err();
        assert_eq!(error.downcast_ref::<Fault>(), Some(&Fault::Config));
        assert!(format!("{error:#}").contains("SLUICE_TEST_ABSENT_KAFKA_ALICE"));
    }
}
