//! What a decoded row must keep, beyond types: checked while decoding, since the row decides where it goes.

use serde::Deserialize;

/// Rule of a payload that is null, empty, not UTF-8, not JSON or no JSON object; Bronze marks it as a violation.
pub const PAYLOAD_UNDECODABLE: &str = "payload_undecodable";
/// Rule of a record that must have lines and has none.
pub const LINES_MISSING: &str = "lines_missing";
/// Rule of a record in which one line number has two contents.
pub const LINES_CONFLICT: &str = "lines_conflict";

/// One rule over the fields of a row. Exactly one of the rule keys stands in it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RowCheck {
    /// Id, as quarantine reports it.
    pub id: String,
    /// Kinds of record to which it applies; empty means all.
    #[serde(default)]
    pub when: Vec<String>,
    /// A field has at least a value.
    pub minimum: Option<Minimum>,
    /// One amount is the difference of two others.
    pub difference: Option<Difference>,
    /// At least one of some fields is above zero; a row in which all of them are null passes.
    pub any_positive: Option<Vec<String>>,
}

/// A field has at least a value; null passes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Minimum {
    /// The field.
    pub field: String,
    /// The smallest allowed value.
    pub value: i64,
}

/// `result = left - right`, exactly; a null passes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// The difference.
    pub result: String,
    /// What is subtracted from.
    pub left: String,
    /// What is subtracted.
    pub right: String,
}

impl RowCheck {
    /// Names of the fields that the rule reads.
    #[must_use]
    pub fn fields(&self) -> Vec<&str> {
        let mut fields = Vec::new();
        if let Some(minimum) = &self.minimum {
            fields.push(minimum.field.as_str());
        }
        if let Some(difference) = &self.difference {
            fields.extend([difference.result.as_str(), &difference.left, &difference.right]);
        }
        if let Some(any) = &self.any_positive {
            fields.extend(any.iter().map(String::as_str));
        }
        fields
    }

    /// Number of rule keys; a sound check has exactly one.
    #[must_use]
    pub fn rules(&self) -> usize {
        usize::from(self.minimum.is_some()) + usize::from(self.difference.is_some()) + usize::from(self.any_positive.is_some())
    }
}
