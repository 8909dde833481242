//! The policy: what holds for every table (`contracts/policy.yaml`).

use crate::contract::{ContractError, ContractSet, error::did_you_mean, error::parse_yaml};
use serde::Deserialize;
use std::path::Path;

/// Classifications, roles, business time, masking: one file for all tables.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Policy {
    /// Time zone of business dates, by its IANA name.
    pub business_time_zone: TimeZone,
    /// First month of the fiscal year, 1 to 12.
    pub fiscal_year_first_month: u32,
    /// Domains of e-mail addresses that belong to persons, not companies.
    pub consumer_email_domains: Vec<String>,
    /// Groups of customers smaller than this are generalised.
    pub suppression_threshold: u32,
    /// Name of the secret that holds the token key.
    pub token_key_secret: String,
    /// Who may read which layers.
    pub roles: Vec<Role>,
    /// SHA-256 of the file.
    #[serde(skip)]
    pub hash: String,
}

/// Who may read which layers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Role {
    /// Name.
    pub name: String,
    /// For people.
    pub description: String,
    /// Layers.
    pub layers: Vec<String>,
    /// Whether raw PII columns are visible.
    #[serde(default)]
    pub pii: bool,
}

/// An IANA time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeZone(pub chrono_tz::Tz);

impl<'de> Deserialize<'de> for TimeZone {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map(Self).map_err(|_| serde::de::Error::custom(format!("`{name}` is no IANA time zone")))
    }
}

impl Policy {
    /// Parses `policy.yaml`.
    ///
    /// # Errors
    /// As for contracts: unknown keys are refused with their place.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ContractError> {
        let mut policy: Self = parse_yaml(path, text)?;
        policy.hash = crate::mask::sha256_hex(text.as_bytes());
        Ok(policy)
    }

    /// Checks that the roles which contracts name exist, and that each may read the layer.
    ///
    /// # Errors
    /// All contradictions at once, one per line.
    pub fn permits(&self, contracts: &ContractSet) -> Result<(), ContractError> {
        let mut errors = Vec::new();
        for contract in contracts.iter() {
            for named in &contract.document.roles {
                let layer = contract.layer.name();
                let problem = match self.roles.iter().find(|role| role.name == named.role) {
                    None => {
                        let hint = did_you_mean(&named.role, self.roles.iter().map(|role| role.name.as_str()));
                        format!("role `{}` is not in the policy{hint}", named.role)
                    }
                    Some(role) if !role.layers.iter().any(|allowed| allowed == layer) => {
                        format!("role `{}` must not read the {layer} layer: the policy does not say so", named.role)
                    }
                    Some(_) => continue,
                };
                errors.push(ContractError::Invalid { path: contract.path.clone(), problem });
            }
        }
        ContractError::all(errors)
    }

    /// The date as of which a run sees the world: the business date of the last instant of its window.
    #[must_use]
    pub fn as_of_date(&self, window: crate::Window) -> chrono::NaiveDate {
        self.business_date(window.to() - chrono::Duration::microseconds(1))
    }

    /// Calendar date of an instant in the business time zone.
    #[must_use]
    pub fn business_date(&self, at: chrono::DateTime<chrono::Utc>) -> chrono::NaiveDate {
        at.with_timezone(&self.business_time_zone.0).date_naive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_sees_the_world_as_of_the_last_business_date_of_its_window() {
        let text = "businessTimeZone: America/New_York\nfiscalYearFirstMonth: 1\nconsumerEmailDomains: []\n\
                    suppressionThreshold: 5\ntokenKeySecret: key\nroles: []\n";
        let policy = Policy::parse(Path::new("policy.yaml"), text).unwrap();
        for (window, date) in [
            ("2017-12-30", "2017-12-30"),
            ("2017-01-01/2017-12-30", "2017-12-29"),
            ("2017-12-30/2017-12-31T05:00:00Z", "2017-12-30"),
            ("2017-12-30/2017-12-31T05:00:00.000001Z", "2017-12-31"),
            ("2017-06-30T03:00:00Z/2017-06-30T04:00:00Z", "2017-06-29"),
        ] {
            assert_eq!(policy.as_of_date(window.parse().unwrap()).to_string(), date, "{window}");
        }
    }
}
