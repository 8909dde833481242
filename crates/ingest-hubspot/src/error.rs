//! What can go wrong with HubSpot, and who has to act.

use lake_core::{Fault, fault::Faulty};
use lake_http::HttpError;

/// Name of the secret with the token.
pub(crate) const TOKEN: &str = "hubspot/token";

/// Why HubSpot could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HubspotError {
    /// The token is not known.
    #[error("authenticate to HubSpot: the token is refused (401)")]
    Token,
    /// The token may not read this.
    #[error("read {what}: the token may not (403)")]
    Scope { what: String, scopes: Vec<String> },
    /// The account has no requests left on this day.
    #[error("read {what}: the account's allowance of requests for this day is spent")]
    Daily { what: String },
    /// HubSpot does not take the question.
    #[error("read {what}: HubSpot answers {status}{category}")]
    Refused { what: String, status: u16, category: String },
    /// HubSpot answers, but not in the form that it documents.
    #[error("read {what}: the answer is not of the documented form (line {line}, column {column})")]
    Form { what: String, line: usize, column: usize },
    /// The account has no such property.
    #[error("match the contract: {object} have no property {}", .names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))]
    Property { object: String, names: Vec<String> },
    /// Ids that do not follow each other.
    #[error("read all {what}: an answer repeats an id or is out of order, so others may be missing")]
    Order { what: String },
    /// Fewer or more objects than are announced.
    #[error("read all {what}: an answer announces {announced} more and brings {brought} where {due} are due")]
    Count { what: String, announced: u64, brought: u64, due: u64 },
    /// A list that does not end.
    #[error("read all {what}: a page leads nowhere")]
    Page { what: String },
    /// Any other trouble on the way.
    #[error("read {what}")]
    Http {
        what: String,
        #[source]
        source: HttpError,
    },
}

impl Faulty for HubspotError {
    fn fault(&self) -> Fault {
        match self {
            Self::Token | Self::Scope { .. } | Self::Refused { .. } => Fault::Config,
            Self::Form { .. } | Self::Property { .. } => Fault::Data,
            Self::Daily { .. } | Self::Order { .. } | Self::Count { .. } | Self::Page { .. } => Fault::Transient,
            Self::Http { source, .. } => source.fault(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Token => {
                format!("the secret `{TOKEN}` must hold the token of a service key (Settings > Integrations > Service Keys)")
            }
            Self::Scope { scopes, .. } => {
                let scopes: Vec<String> = scopes.iter().map(|scope| format!("`{scope}`")).collect();
                format!("give the service key whose token is the secret `{TOKEN}` the scope {}", scopes.join(", "))
            }
            Self::Daily { .. } => {
                "run the same command again when the account's day is over, or have its allowance raised".into()
            }
            Self::Refused { .. } => "check object type, cursor and properties in the contract, and --url".into(),
            Self::Property { .. } => {
                "nothing was landed; agree on the change with the account's owner, then give the contract a new version".into()
            }
            Self::Form { .. } => "nothing was landed; is --url the address of HubSpot's API?".into(),
            Self::Order { .. } | Self::Count { .. } | Self::Page { .. } => {
                "nothing was landed; run the same command again".into()
            }
            Self::Http { source, .. } => return source.hint(),
        })
    }
}

/// What a refusal's body may say of itself.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Refusal {
    category: String,
    policy_name: String,
    errors: Vec<RefusalDetail>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct RefusalDetail {
    context: RefusalContext,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RefusalContext {
    required_granular_scopes: Vec<String>,
    required_scopes: Vec<String>,
}

impl Refusal {
    fn of(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }
}

/// Whether a refusal will last until the account's day is over.
pub(crate) fn lasts(status: u16, body: &[u8]) -> bool {
    status == 429 && Refusal::of(body).policy_name == "DAILY"
}

impl HubspotError {
    /// Says what an error of the client means here. Of a refusal's body only plain words are shown: it may quote values.
    pub(crate) fn of(what: &str, scopes: &[String], error: HttpError) -> Self {
        let what = what.to_owned();
        let (status, body) = match &error {
            HttpError::Refused { status, body, .. } => (*status, body),
            HttpError::Spent { .. } => return Self::Daily { what },
            _ => return Self::Http { what, source: error },
        };
        let said = Refusal::of(&body.0);
        let plain = |text: &String| {
            !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        match status {
            401 => Self::Token,
            403 => {
                let named = said.errors.into_iter().flat_map(|e| [e.context.required_granular_scopes, e.context.required_scopes]);
                let mut named: Vec<String> = named.flatten().filter(plain).collect();
                named.dedup();
                Self::Scope { what, scopes: if named.is_empty() { scopes.to_vec() } else { named } }
            }
            429 => Self::Daily { what },
            _ => {
                let category = Some(said.category).filter(plain).map_or_else(String::new, |category| format!(" ({category})"));
                Self::Refused { what, status, category }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lake_http::Answer;

    fn refused(status: u16, body: &'static str) -> HubspotError {
        let error = HttpError::Refused { url: "http://h/".into(), status, body: Answer(body.into()) };
        HubspotError::of("contacts", &["crm.objects.contacts.read".into()], error)
    }

    #[test]
    fn a_refused_token_names_the_secret() {
        let error = refused(401, r#"{"status":"error","category":"INVALID_AUTHENTICATION"}"#);
        assert_eq!(
            (error.fault(), error.to_string().as_str()),
            (Fault::Config, "authenticate to HubSpot: the token is refused (401)")
        );
        assert!(error.hint().unwrap().contains("`hubspot/token`"));
    }

    #[test]
    fn a_missing_scope_is_named_by_hubspot_or_by_us() {
        let own = refused(403, "<html>");
        assert_eq!((own.fault(), own.to_string().as_str()), (Fault::Config, "read contacts: the token may not (403)"));
        assert!(own.hint().unwrap().ends_with("the scope `crm.objects.contacts.read`"));
        let said =
            r#"{"category":"MISSING_SCOPES","errors":[{"context":{"requiredGranularScopes":["crm.objects.leads.read","a b"]}}]}"#;
        assert!(refused(403, said).hint().unwrap().ends_with("the scope `crm.objects.leads.read`"));
    }

    #[test]
    fn the_day_is_spent_only_when_the_policy_says_so() {
        assert!(lasts(429, br#"{"status":"error","errorType":"RATE_LIMIT","policyName":"DAILY"}"#));
        assert!(!lasts(429, br#"{"status":"error","errorType":"RATE_LIMIT","policyName":"TEN_SECONDLY_ROLLING"}"#));
        assert!(!lasts(429, b"") && !lasts(503, br#"{"policyName":"DAILY"}"#));
        let error = refused(429, r#"{"policyName":"DAILY"}"#);
        assert_eq!(error.fault(), Fault::Transient);
        assert!(error.to_string().ends_with("for this day is spent"), "{error}");
    }

    #[test]
    fn a_refusal_shows_its_category_and_never_its_message() {
        let error = refused(400, r#"{"category":"VALIDATION_ERROR","message":"ada@example.com is invalid"}"#);
        assert_eq!(
            (error.fault(), error.to_string().as_str()),
            (Fault::Config, "read contacts: HubSpot answers 400 (VALIDATION_ERROR)")
        );
        assert_eq!(refused(404, r#"{"category":"ada@example.com"}"#).to_string(), "read contacts: HubSpot answers 404");
    }
}
