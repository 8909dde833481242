//! Where secrets come from. A secret is named, never given as an argument.

use anyhow::{Context as _, anyhow};
use lake_core::{Fault, Secret};
use std::{path::PathBuf, str::FromStr};

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
                std::env::var(&variable).with_context(|| format!("failed to read secret `{name}` from variable {variable}"))
            }
        };
        value.map(|text| Secret::new(text.trim_end_matches(['\r', '\n']).to_owned())).context(Fault::Config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
