//! The part of a contract that ODCS 3.1 defines, as far as Sluice uses it. Keys that we do not use are refused.
//!
//! Source: Open Data Contract Standard 3.1.0, <https://bitol-io.github.io/open-data-contract-standard/>.

use super::layer::{CustomProperty, QualityProperty};
use serde::Deserialize;

/// The document.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Document {
    /// `v3.1.0`.
    pub api_version: ApiVersion,
    /// `DataContract`.
    pub kind: Kind,
    /// Id of the contract: the table's full name.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Semantic version of the contract.
    pub version: String,
    /// `active`, `draft`, ...
    pub status: String,
    /// Business domain.
    pub domain: Option<String>,
    /// What the table is for.
    pub description: Description,
    /// Free tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Exactly one table.
    pub schema: Vec<SchemaObject>,
    /// Service levels.
    #[serde(default)]
    pub sla_properties: Vec<SlaProperty>,
    /// Who may read.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// Who owns it.
    pub team: Option<Team>,
    /// Where to ask.
    #[serde(default)]
    pub support: Vec<Support>,
    /// Our own part.
    #[serde(default)]
    pub custom_properties: Vec<CustomProperty>,
}

/// The version of the standard.
#[derive(Debug, Clone, Copy, Deserialize)]
pub enum ApiVersion {
    /// 3.1.0.
    #[serde(rename = "v3.1.0")]
    V3_1_0,
}

/// The kind of document.
#[derive(Debug, Clone, Copy, Deserialize)]
pub enum Kind {
    /// The only one.
    DataContract,
}

/// What the table is for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// What for.
    pub purpose: String,
    /// What it must not be used for.
    pub limitations: Option<String>,
    /// How it is used.
    pub usage: Option<String>,
}

/// One table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SchemaObject {
    /// Name inside the contract.
    pub name: String,
    /// Full name of the table.
    pub physical_name: String,
    /// `table`.
    pub physical_type: Option<String>,
    /// `object`.
    pub logical_type: Option<String>,
    /// What one row is.
    pub data_granularity_description: String,
    /// For people.
    pub description: Option<String>,
    /// Columns.
    pub properties: Vec<Property>,
    /// Rules over the table.
    #[serde(default)]
    pub quality: Vec<Quality>,
    /// References to other tables.
    #[serde(default)]
    pub relationships: Vec<Relationship>,
}

/// One column.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Property {
    /// Column name.
    pub name: String,
    /// ODCS logical type.
    pub logical_type: String,
    /// Type in the table: STRING, INT, BIGINT, DOUBLE, BOOLEAN, DATE, TIMESTAMP, BINARY, DECIMAL(p,s).
    pub physical_type: String,
    /// Never null.
    #[serde(default)]
    pub required: bool,
    /// Part of the key.
    #[serde(default)]
    pub primary_key: bool,
    /// Position in the key, from 1.
    pub primary_key_position: Option<u32>,
    /// What the column means.
    pub description: String,
    /// `pii`, `sensitive` or absent.
    pub classification: Option<Classification>,
    /// An important column.
    #[serde(default)]
    pub critical_data_element: bool,
    /// Rules over the column.
    #[serde(default)]
    pub quality: Vec<Quality>,
    /// Our own part.
    #[serde(default)]
    pub custom_properties: Vec<super::layer::ColumnProperty>,
}

/// How a column is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Classification {
    /// Personal data: e-mail, phone, SSN, card, name, address, birth date.
    Pii,
    /// Salary, revenue, profit margin: a model reads it where its contract says so.
    Sensitive,
}

/// A quality rule with a metric of the standard's library.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Quality {
    /// Id, unique in the table.
    pub id: String,
    /// What it checks, for people.
    pub description: Option<String>,
    /// `library` (default) or `sql`.
    #[serde(default, rename = "type")]
    pub kind: QualityKind,
    /// The metric (kind `library`).
    pub metric: Option<Metric>,
    /// The query (kind `sql`): one SELECT of one number, `{object}` is the table.
    pub query: Option<String>,
    /// Arguments of the metric.
    #[serde(default)]
    pub arguments: Arguments,
    /// Operator.
    pub must_be: Option<f64>,
    /// Operator.
    pub must_not_be: Option<f64>,
    /// Operator.
    pub must_be_greater_than: Option<f64>,
    /// Operator.
    pub must_be_greater_or_equal_to: Option<f64>,
    /// Operator.
    pub must_be_less_than: Option<f64>,
    /// Operator.
    pub must_be_less_or_equal_to: Option<f64>,
    /// Operator.
    pub must_be_between: Option<[f64; 2]>,
    /// Operator.
    pub must_not_be_between: Option<[f64; 2]>,
    /// `rows` (default) or `percent`.
    #[serde(default)]
    pub unit: Unit,
    /// What happens when it fails.
    #[serde(default)]
    pub severity: Severity,
    /// Dimension of quality.
    pub dimension: Option<String>,
    /// Our own part.
    #[serde(default)]
    pub custom_properties: Vec<QualityProperty>,
}

impl Quality {
    /// Number of operators; a sound rule has exactly one.
    #[must_use]
    pub fn operators(&self) -> usize {
        let numbers = [
            self.must_be,
            self.must_not_be,
            self.must_be_greater_than,
            self.must_be_greater_or_equal_to,
            self.must_be_less_than,
            self.must_be_less_or_equal_to,
        ];
        let ranges = [self.must_be_between, self.must_not_be_between];
        numbers.iter().flatten().count() + ranges.iter().flatten().count()
    }

    /// Whether a measured value keeps the rule.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        self.must_be.is_none_or(|x| value == x)
            && self.must_not_be.is_none_or(|x| value != x)
            && self.must_be_greater_than.is_none_or(|x| value > x)
            && self.must_be_greater_or_equal_to.is_none_or(|x| value >= x)
            && self.must_be_less_than.is_none_or(|x| value < x)
            && self.must_be_less_or_equal_to.is_none_or(|x| value <= x)
            && self.must_be_between.is_none_or(|[low, high]| (low..=high).contains(&value))
            && self.must_not_be_between.is_none_or(|[low, high]| !(low..=high).contains(&value))
    }
}

/// Kind of a rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QualityKind {
    /// A metric of the standard's library.
    #[default]
    Library,
    /// A query.
    Sql,
}

/// Metric of the standard's library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Metric {
    /// Nulls in a column.
    NullValues,
    /// Nulls and the given placeholders in a column.
    MissingValues,
    /// Values outside `validValues` or `pattern`.
    InvalidValues,
    /// Rows whose value (or combination of `properties`) stands more than once.
    DuplicateValues,
    /// Rows of the table.
    RowCount,
}

/// Arguments of a metric.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Arguments {
    /// Placeholders that count as missing.
    #[serde(default)]
    pub missing_values: Vec<String>,
    /// All that is allowed.
    #[serde(default)]
    pub valid_values: Vec<String>,
    /// Regular expression that a value matches as a whole.
    pub pattern: Option<String>,
    /// Columns of the combination.
    #[serde(default)]
    pub properties: Vec<String>,
    /// Smallest allowed value.
    pub minimum: Option<f64>,
}

/// What a count is measured in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Rows.
    #[default]
    Rows,
    /// Percent of the rows.
    Percent,
}

/// What a failing rule does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Fails the verdict: the next layer does not start.
    #[default]
    Error,
    /// Is reported.
    Warning,
    /// Is recorded.
    Info,
}

/// A reference from columns of this table to columns of another: `from: silver_orders.customer_id`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relationship {
    /// `table.column` or a list of them.
    pub from: String,
    /// `table.column`.
    pub to: String,
    /// Our own part: how many rows may miss, and the severity.
    #[serde(default, rename = "customProperties")]
    pub custom_properties: Vec<super::layer::RelationshipProperty>,
}

/// A service level.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlaProperty {
    /// `latency`, `retention`, `frequency`, ...
    pub property: String,
    /// Number.
    pub value: f64,
    /// `h`, `d`, `m`, `y`.
    pub unit: Option<String>,
    /// `table.column`.
    pub element: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// `operational`, ...
    pub driver: Option<String>,
}

/// Who may read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Name in `policy.yaml`.
    pub role: String,
    /// `read`.
    pub access: Option<String>,
    /// For people.
    pub description: Option<String>,
}

/// Who owns the table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Team {
    /// Name.
    pub name: String,
    /// For people.
    pub description: Option<String>,
}

/// Where to ask.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Support {
    /// Address or channel.
    pub channel: String,
    /// Tool.
    pub tool: Option<String>,
    /// What for.
    pub scope: Option<String>,
}
