//! Columns of a table as its contract declares them, and what a contract must say to be sound.

use super::{ContractError, Layer, layer, layer::ColumnProperty, odcs::Classification, odcs::Document};
use crate::contract::error::did_you_mean;
use serde::de::{Deserialize, Deserializer, Error as _};
use std::{fmt, path::Path, str::FromStr};

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name.
    pub name: String,
    /// Type in the table.
    pub kind: ColumnType,
    /// Never null.
    pub required: bool,
    /// Position in the primary key, from 1.
    pub key_position: Option<u32>,
    /// How it is protected.
    pub classification: Option<Classification>,
    /// The PII column whose masked twin this is.
    pub mask: Option<layer::Mask>,
    /// What Gold models see instead.
    pub gold_views: Vec<layer::GoldView>,
}

impl Column {
    /// Whether the column holds personal data.
    #[must_use]
    pub fn pii(&self) -> bool {
        self.classification == Some(Classification::Pii)
    }

    /// Whether the column holds what models see only where their contract says so.
    #[must_use]
    pub fn sensitive(&self) -> bool {
        self.classification == Some(Classification::Sensitive)
    }

    /// Whether statistics of the column may stand in logs and file footers: never for PII and payloads.
    #[must_use]
    pub fn statistics(&self) -> bool {
        !self.pii() && self.kind != ColumnType::Binary
    }
}

/// Type of a column; the names are those of Delta and Spark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8 text.
    String,
    /// 32 bits.
    Int,
    /// 64 bits.
    Long,
    /// 64-bit float; never money.
    Double,
    /// Truth value.
    Boolean,
    /// Calendar date.
    Date,
    /// UTC instant in microseconds.
    Timestamp,
    /// Bytes.
    Binary,
    /// Exact number: digits in all and after the point.
    Decimal(u8, i8),
}

impl ColumnType {
    /// Whether values of the type are numbers.
    #[must_use]
    pub const fn numeric(self) -> bool {
        matches!(self, Self::Int | Self::Long | Self::Double | Self::Decimal(..))
    }

    /// Whether values of the type have one written form, so that a pattern can match them.
    #[must_use]
    pub const fn written(self) -> bool {
        matches!(self, Self::String | Self::Int | Self::Long | Self::Date)
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => f.write_str("STRING"),
            Self::Int => f.write_str("INT"),
            Self::Long => f.write_str("BIGINT"),
            Self::Double => f.write_str("DOUBLE"),
            Self::Boolean => f.write_str("BOOLEAN"),
            Self::Date => f.write_str("DATE"),
            Self::Timestamp => f.write_str("TIMESTAMP"),
            Self::Binary => f.write_str("BINARY"),
            Self::Decimal(precision, scale) => write!(f, "DECIMAL({precision},{scale})"),
        }
    }
}

impl FromStr for ColumnType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let upper = text.to_ascii_uppercase();
        Ok(match upper.as_str() {
            "STRING" => Self::String,
            "INT" => Self::Int,
            "BIGINT" => Self::Long,
            "DOUBLE" => Self::Double,
            "BOOLEAN" => Self::Boolean,
            "DATE" => Self::Date,
            "TIMESTAMP" => Self::Timestamp,
            "BINARY" => Self::Binary,
            _ => {
                let decimal = upper.strip_prefix("DECIMAL(").and_then(|rest| rest.strip_suffix(')'));
                let parts = decimal.and_then(|inside| inside.split_once(','));
                let parsed = parts.and_then(|(p, s)| Some((p.trim().parse::<u8>().ok()?, s.trim().parse::<i8>().ok()?)));
                match parsed {
                    Some((p, s)) if (1..=38).contains(&p) && (0..=38).contains(&s) && s.unsigned_abs() <= p => {
                        Self::Decimal(p, s)
                    }
                    _ => {
                        return Err(format!(
                            "unknown type `{text}`, expected STRING, INT, BIGINT, DOUBLE, BOOLEAN, DATE, TIMESTAMP, BINARY or DECIMAL(p,s)"
                        ));
                    }
                }
            }
        })
    }
}

impl<'de> Deserialize<'de> for ColumnType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Meta columns that every Bronze table has.
pub const BRONZE_META: [(&str, ColumnType); 10] = [
    ("_source", ColumnType::String),
    ("_object", ColumnType::String),
    ("_ingest_date", ColumnType::Date),
    ("_window_from", ColumnType::Timestamp),
    ("_ingested_at", ColumnType::Timestamp),
    ("_run_id", ColumnType::String),
    ("_key", ColumnType::String),
    ("_position", ColumnType::String),
    ("_contract", ColumnType::String),
    ("_violations", ColumnType::String),
];

/// Meta columns of a Bronze table that is fed by Kafka.
pub const KAFKA_META: [(&str, ColumnType); 6] = [
    ("_payload", ColumnType::Binary),
    ("_topic", ColumnType::String),
    ("_partition", ColumnType::Int),
    ("_offset", ColumnType::Long),
    ("_timestamp", ColumnType::Timestamp),
    ("_headers", ColumnType::String),
];

/// Meta columns of a Bronze table that is fed by HubSpot: the state as received, what became of the object, and when.
pub const HUBSPOT_META: [(&str, ColumnType); 3] =
    [("_payload", ColumnType::Binary), ("_change", ColumnType::String), ("_observed_at", ColumnType::Timestamp)];

/// The meta column of a Bronze table of associations beside those of [`HUBSPOT_META`]: since when the pair is there, whatever its types.
pub const PAIR_META: [(&str, ColumnType); 1] = [("_present_since", ColumnType::Timestamp)];

/// Meta columns that every Silver and Gold table has.
pub const RUN_META: [(&str, ColumnType); 2] = [("_run_id", ColumnType::String), ("_ingested_at", ColumnType::Timestamp)];

/// Name of the column that holds the winning version of a column group.
#[must_use]
pub fn version_column(group: Option<&str>) -> String {
    group.map_or_else(|| "_version".to_owned(), |name| format!("_{name}_version"))
}

/// Meta columns that a table of this layer must declare.
#[must_use]
pub fn meta_columns(layer: &Layer) -> Vec<(String, ColumnType)> {
    let own = |list: &[(&str, ColumnType)]| list.iter().map(|(n, t)| ((*n).to_owned(), *t)).collect::<Vec<_>>();
    match layer {
        Layer::Bronze(bronze) => {
            let mut columns = match &bronze.source {
                layer::Source::Kafka(_) => own(&KAFKA_META),
                layer::Source::Hubspot(layer::HubspotSource::Object(_)) => own(&HUBSPOT_META),
                layer::Source::Hubspot(layer::HubspotSource::Association(_)) => [own(&HUBSPOT_META), own(&PAIR_META)].concat(),
                layer::Source::Snowflake(_) | layer::Source::Redshift(_) | layer::Source::Ecb(_) => Vec::new(),
            };
            columns.extend(own(&BRONZE_META));
            columns
        }
        Layer::Silver(silver) => {
            let mut columns = own(&RUN_META);
            match silver.kind {
                layer::SilverKind::Current if !silver.groups.is_empty() => {
                    columns.extend(silver.groups.iter().map(|g| (version_column(Some(&g.name)), ColumnType::String)));
                }
                layer::SilverKind::Events => {
                    columns.extend([("_version".to_owned(), ColumnType::String), ("_event_hash".to_owned(), ColumnType::String)]);
                }
                layer::SilverKind::FxRates | layer::SilverKind::FxRevisions => {}
                layer::SilverKind::Current | layer::SilverKind::History => {
                    columns.push(("_version".to_owned(), ColumnType::String))
                }
            }
            columns
        }
        Layer::Gold(_) => own(&RUN_META),
    }
}

/// Turns the document's properties into columns.
pub(super) fn of(path: &Path, document: &Document, layer: &Layer) -> Result<Vec<Column>, ContractError> {
    let invalid = |problem: String| ContractError::Invalid { path: path.to_owned(), problem };
    let mut columns = Vec::new();
    for property in &document.schema[0].properties {
        let kind = property.physical_type.parse().map_err(|e| invalid(format!("column `{}`: {e}", property.name)))?;
        let mut column = Column {
            name: property.name.clone(),
            kind,
            required: property.required,
            key_position: property.primary_key.then(|| property.primary_key_position.unwrap_or(1)),
            classification: property.classification,
            mask: None,
            gold_views: Vec::new(),
        };
        for own in &property.custom_properties {
            match own.clone() {
                ColumnProperty::Mask(mask) => column.mask = Some(mask),
                ColumnProperty::GoldViews(views) => column.gold_views = views,
            }
        }
        columns.push(column);
    }
    let expected = meta_columns(layer);
    for (name, kind) in &expected {
        match columns.iter().find(|c| c.name == *name) {
            None => return Err(invalid(format!("meta column `{name}` ({kind}) is not declared"))),
            Some(c) if c.kind != *kind => return Err(invalid(format!("meta column `{name}` must be {kind}, not {}", c.kind))),
            Some(_) => {}
        }
    }
    let unknown = columns.iter().find(|c| c.name.starts_with('_') && !expected.iter().any(|(name, _)| *name == c.name));
    match unknown {
        Some(column) => {
            let hint = did_you_mean(&column.name, expected.iter().map(|(name, _)| name.as_str()));
            Err(invalid(format!("column `{}`: names that start with `_` are reserved for meta columns{hint}", column.name)))
        }
        None => Ok(columns),
    }
}
