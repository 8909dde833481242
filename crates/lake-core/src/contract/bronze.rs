//! A Bronze table: where its rows come from and, for JSON, what a record is.

use super::{Field, RowCheck, hubspot::HubspotSource, layer::Span};

/// A Bronze table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Bronze {
    /// Where the rows come from.
    pub source: Source,
    /// What happens when the source's shape changes.
    #[serde(default)]
    pub mode: Mode,
    /// What a decoded payload is (JSON sources).
    pub record: Option<Record>,
}

/// A source and what to take from it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// A Kafka topic.
    Kafka(KafkaSource),
    /// A Snowflake table.
    Snowflake(SnowflakeSource),
    /// A Redshift table.
    Redshift(RedshiftSource),
    /// HubSpot objects of one type, or the associations between two types.
    Hubspot(HubspotSource),
    /// The ECB's reference rates.
    Ecb(EcbSource),
}

impl Source {
    /// Value of `_source`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Kafka(_) => KafkaSource::NAME,
            Self::Snowflake(_) => SnowflakeSource::NAME,
            Self::Redshift(_) => RedshiftSource::NAME,
            Self::Hubspot(_) => HubspotSource::NAME,
            Self::Ecb(_) => EcbSource::NAME,
        }
    }

    /// Value of `_object`: topic, table, type of object or data set.
    #[must_use]
    pub fn object(&self) -> &str {
        match self {
            Self::Kafka(kafka) => &kafka.topic,
            Self::Snowflake(snowflake) => &snowflake.table,
            Self::Redshift(redshift) => &redshift.table,
            Self::Hubspot(hubspot) => hubspot.object(),
            Self::Ecb(_) => "eurofxref",
        }
    }

    /// Key and cursor of a table that is read in windows; `None` for sources that are no tables.
    #[must_use]
    pub fn keyed(&self) -> Option<(&[String], &str)> {
        match self {
            Self::Snowflake(snowflake) => Some((snowflake.key.as_slice(), snowflake.cursor.as_str())),
            Self::Redshift(redshift) => Some((redshift.key.as_slice(), redshift.cursor.as_str())),
            Self::Kafka(_) | Self::Hubspot(_) | Self::Ecb(_) => None,
        }
    }

    /// Whether the source itself keeps its keys unique; one that does not may send a row twice.
    #[must_use]
    pub const fn enforces_keys(&self) -> bool {
        !matches!(self, Self::Snowflake(_) | Self::Redshift(_))
    }

    /// Whether all tables of the source draw on one allowance of requests, so that they are landed one after another.
    #[must_use]
    pub const fn rationed(&self) -> bool {
        matches!(self, Self::Hubspot(_))
    }
}

/// One of the kinds of [`Source`].
pub trait SourceKind: 'static {
    /// Value of `_source`.
    const NAME: &'static str;

    /// Returns a contract's source where it is of this kind.
    fn of(source: &Source) -> Option<&Self>;
}

macro_rules! kinds {
    ($($variant:ident($kind:ty) = $name:literal,)+) => {$(
        impl SourceKind for $kind {
            const NAME: &'static str = $name;

            fn of(source: &Source) -> Option<&Self> {
                if let Source::$variant(own) = source { Some(own) } else { None }
            }
        }
    )+};
}

kinds! {
    Kafka(KafkaSource) = "kafka",
    Snowflake(SnowflakeSource) = "snowflake",
    Redshift(RedshiftSource) = "redshift",
    Hubspot(HubspotSource) = "hubspot",
    Ecb(EcbSource) = "ecb",
}

/// A Kafka topic.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct KafkaSource {
    /// Topic name.
    pub topic: String,
    /// What missing offsets mean: transactions and compaction leave some.
    #[serde(default)]
    pub offset_gaps: OffsetGaps,
}

/// What missing offsets mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OffsetGaps {
    /// A gap is lost data: 65.
    #[default]
    Refused,
    /// A gap is recorded.
    Allowed,
}

/// A Snowflake table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SnowflakeSource {
    /// Database.
    pub database: String,
    /// Schema.
    pub schema: String,
    /// Table.
    pub table: String,
    /// Key columns.
    pub key: Vec<String>,
    /// Column with the time of the last change.
    pub cursor: String,
    /// How far before the window rows are read again, for rows that came late.
    pub lookback: Span,
    /// Rows of one slice: bounds the memory.
    #[serde(default = "default_slice_rows")]
    pub slice_rows: u64,
}

const fn default_slice_rows() -> u64 {
    250_000
}

/// A Redshift table, or one of a server that speaks PostgreSQL's protocol.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RedshiftSource {
    /// Schema.
    pub schema: String,
    /// Table.
    pub table: String,
    /// Key columns.
    pub key: Vec<String>,
    /// Column with the time at which the row was loaded: rows come in its order, those of the past hours too.
    pub cursor: String,
    /// How far before the window rows are read again, for rows that became visible late.
    pub lookback: Span,
}

/// The ECB's reference rates.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct EcbSource {
    /// How far before the window observations are read again.
    pub lookback: Span,
    /// Currencies to land; empty means all.
    #[serde(default)]
    pub currencies: Vec<String>,
}

/// What happens when the source's shape changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// An additive change is taken over; a breaking one stops the run.
    #[default]
    Evolve,
    /// Any change stops the run.
    Freeze,
    /// Rows that do not fit are marked with a violation.
    Quarantine,
}

/// What a decoded JSON payload is: the same for every Silver table that reads it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Record {
    /// Field with the kind of record: text, required, and `allowed` lists the kinds.
    pub discriminator: String,
    /// Field that identifies a record; equal ids are the same record.
    pub identity: String,
    /// Field with the record's own time: sequence, lateness.
    pub event_time: String,
    /// Texts that stand for null, compared without case.
    #[serde(default)]
    pub null_tokens: Vec<String>,
    /// Fields of the record; see [`Field`] for which of them every table judges.
    pub fields: Vec<Field>,
    /// A list of lines inside the record.
    pub lines: Option<Lines>,
}

impl Record {
    /// The kinds of record that there are.
    #[must_use]
    pub fn kinds(&self) -> &[String] {
        self.field(&self.discriminator).map_or(&[], |field| &field.allowed)
    }

    /// Returns the record's field of a name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// The list of lines inside a record.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Lines {
    /// JSON pointer of the list.
    pub pointer: String,
    /// Field that numbers the lines: equal lines are one, one number with two contents breaks the record.
    pub key: String,
    /// Kinds of record that have lines, and must; in others a list is not looked at.
    pub required_when: Vec<String>,
    /// Fields of a line.
    pub fields: Vec<Field>,
    /// What a line must keep.
    #[serde(default)]
    pub checks: Vec<RowCheck>,
}
