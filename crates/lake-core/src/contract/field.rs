//! How a value of a source becomes a typed one: pointer or column, type, nulls, standardisers.

use super::ColumnType;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use std::collections::BTreeMap;

/// One field of a record, a line or a columnar input.
///
/// Null tokens and trimming apply to every text before anything else; a JSON number where text is wanted stands for its
/// digits, a text where a number is wanted is parsed, a JSON object, list or truth value is neither. A decimal with more
/// digits after the point than its type has cannot be read: nothing is rounded.
///
/// Fields of a record with neither `when` nor `requiredWhen` are its envelope: they are judged before a table's routes
/// drop the kinds that it does not use (a record with a broken envelope is nobody's, so every table quarantines it). The
/// others are judged after that.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Field {
    /// Name by which routes and checks refer to it.
    pub name: String,
    /// JSON pointer (records, lines: relative to the line) or column (columnar inputs); `COLUMN#/pointer` is a value inside the
    /// JSON that a text or binary column holds. Read the latter two with [`Field::place`].
    pub from: String,
    /// Type of the decoded value.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// Kinds of record that have the field; in others it is not looked at and null. Empty means all.
    #[serde(default)]
    pub when: Vec<String>,
    /// A null breaks the row.
    #[serde(default)]
    pub required: bool,
    /// A null breaks the row when the record is of one of these kinds.
    #[serde(default)]
    pub required_when: Vec<String>,
    /// Applied in order after trimming; text is always trimmed.
    #[serde(default)]
    pub standards: Vec<Standard>,
    /// How some texts are spelled: one that equals such a text but for case takes its spelling. Others stay as they are.
    #[serde(default)]
    pub spellings: Vec<String>,
    /// All values that are allowed after standardising; empty means any.
    #[serde(default)]
    pub allowed: Vec<String>,
    /// The instants that are allowed; others are as those that cannot be read.
    pub within: Option<Instants>,
    /// Of a JSON list: whether it has an object with all of these values, each compared as text. The type is BOOLEAN.
    #[serde(default)]
    pub contains: BTreeMap<String, String>,
    /// What a value that cannot be read, or is not allowed, does. `null` comes before `required`: a required field that
    /// became null breaks the row.
    #[serde(default)]
    pub on_invalid: OnInvalid,
}

impl Field {
    /// A field of a type that allows every value of it.
    #[must_use]
    pub fn plain(name: &str, from: &str, kind: ColumnType) -> Self {
        Self {
            name: name.to_owned(),
            from: from.to_owned(),
            kind,
            when: Vec::new(),
            required: false,
            required_when: Vec::new(),
            standards: Vec::new(),
            spellings: Vec::new(),
            allowed: Vec::new(),
            within: None,
            contains: BTreeMap::new(),
            on_invalid: OnInvalid::default(),
        }
    }

    /// Column of a columnar input that the field reads, and the JSON pointer where it stands inside the column's values.
    #[must_use]
    pub fn place(&self) -> (&str, Option<&str>) {
        match self.from.find("#/") {
            Some(at) => (&self.from[..at], Some(&self.from[at + 1..])),
            None => (&self.from, None),
        }
    }

    /// Rule that a missing value breaks, as quarantine reports it.
    #[must_use]
    pub fn missing_rule(&self) -> String {
        format!("{}_missing", self.name)
    }

    /// Rule that a value breaks which cannot be read or is not allowed.
    #[must_use]
    pub fn invalid_rule(&self) -> String {
        format!("{}_invalid", self.name)
    }

    /// Whether the field belongs to the envelope of a record: it is judged whatever kind of record it is.
    #[must_use]
    pub fn envelope(&self) -> bool {
        self.when.is_empty() && self.required_when.is_empty()
    }
}

/// Instants from the first on and before the second.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instants {
    /// The first that is allowed.
    pub from: DateTime<Utc>,
    /// The first after it that is not.
    pub before: DateTime<Utc>,
}

/// What a value that cannot be read does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnInvalid {
    /// It breaks the row.
    #[default]
    Reject,
    /// It becomes null.
    Null,
}

/// A standardiser of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standard {
    /// `abc` becomes `ABC`.
    Upper,
    /// `ABC` becomes `abc`.
    Lower,
    /// E.164: `(555) 010-1234` becomes `+15550101234` (ten bare digits are North American).
    E164,
    /// ISO-3166 alpha-2: `United States` becomes `US`.
    Iso3166,
    /// ISO-4217: three letters, upper case.
    Iso4217,
    /// Lower case, one `@`, a domain with a dot.
    Email,
}
