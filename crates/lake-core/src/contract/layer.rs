//! Our part of a contract: what each layer adds to ODCS in `customProperties`.

use super::{ContractError, odcs::Document};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use std::{fmt, path::Path};

pub use super::bronze::{
    Bronze, EcbSource, KafkaSource, Lines, Mode, OffsetGaps, Record, RedshiftSource, SnowflakeSource, Source,
};
pub use super::history::{History, Trend};
pub use super::hubspot::{HubspotAssociation, HubspotObject, HubspotSource};
pub use super::silver::{Deletes, Feed, Fx, Group, Rank, Resolve, Route, Silver, SilverInput, SilverKind};

/// Declares an enum that is read from `{property: <name>, value: <type>}`, strictly and with places in errors.
macro_rules! properties {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $text:literal => $variant:ident($type:ty)),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name { $($(#[$vdoc])* $variant($type)),+ }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Properties;
                impl<'de> Visitor<'de> for Properties {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a map of `property` and `value`, in this order")
                    }
                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                        let name = entry::<A, String>(&mut map, "property")?;
                        let found = match name.as_str() {
                            $($text => $name::$variant(entry(&mut map, "value")?),)+
                            other => return Err(A::Error::unknown_field(other, &[$($text),+])),
                        };
                        match map.next_key::<String>()? {
                            Some(key) => Err(A::Error::unknown_field(&key, &["property", "value"])),
                            None => Ok(found),
                        }
                    }
                }
                deserializer.deserialize_map(Properties)
            }
        }
    };
}

fn entry<'de, A: MapAccess<'de>, T: Deserialize<'de>>(map: &mut A, expected: &'static str) -> Result<T, A::Error> {
    match map.next_key::<String>()? {
        Some(key) if key == expected => map.next_value(),
        Some(key) => Err(A::Error::custom(format!("found `{key}` where `{expected}` must stand"))),
        None => Err(A::Error::missing_field(expected)),
    }
}

properties! {
    /// Our keys of a contract: exactly one of its layer, and what holds for every layer.
    CustomProperty {
        /// Where the rows come from.
        "bronze" => Bronze(Box<Bronze>),
        /// How Bronze becomes typed rows.
        "silver" => Silver(Box<Silver>),
        /// What a model reads.
        "gold" => Gold(Box<Gold>),
        /// How the table is compared with its own past.
        "history" => History(History),
    }
}

properties! {
    /// Our keys of a column.
    ColumnProperty {
        /// The column is the masked twin of a PII column.
        "mask" => Mask(Mask),
        /// What Gold models see instead of this PII column.
        "goldViews" => GoldViews(Vec<GoldView>),
    }
}

properties! {
    /// Our keys of a quality rule.
    QualityProperty {
        /// Fewer failing rows than this do not fail a rule in percent: few rows make no percentage. Absent: every row counts.
        "failingRowsMin" => FailingRowsMin(u32),
        /// Tables besides its own that the rule's query reads.
        "reads" => Reads(Vec<String>),
    }
}

properties! {
    /// Our keys of a relationship.
    RelationshipProperty {
        /// Rows without a partner that are allowed, in percent of the rows.
        "orphansPercentMax" => OrphansPercentMax(u32),
        /// Fewer rows without a partner than this are allowed whatever their share: few rows make no percentage.
        "failingRowsMin" => FailingRowsMin(u32),
        /// `error` or `warning`.
        "severity" => Severity(super::odcs::Severity),
    }
}

/// Our part of a contract.
#[derive(Debug, Clone)]
pub enum Layer {
    /// Exactly as received.
    Bronze(Box<Bronze>),
    /// Typed, standard, deduplicated, complete.
    Silver(Box<Silver>),
    /// Facts, dimensions, metrics.
    Gold(Box<Gold>),
}

impl Layer {
    /// `bronze`, `silver` or `gold`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Bronze(_) => "bronze",
            Self::Silver(_) => "silver",
            Self::Gold(_) => "gold",
        }
    }
}

/// A Gold table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Gold {
    /// Tables that the model may read.
    #[serde(default)]
    pub inputs: Vec<String>,
    /// Tables whose rows the ledger accounts for; each must be an input.
    #[serde(default)]
    pub accounts_for: Vec<String>,
    /// Sensitive columns that the model may read, as `table.column`; it does not see any other.
    #[serde(default)]
    pub sensitive: Vec<String>,
    /// The column with the date as of which a row holds: a run replaces the rows of its own date and leaves all others as they
    /// are. Absent: a run replaces all rows.
    pub snapshot: Option<String>,
}

/// A masked twin.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mask {
    /// The PII column.
    pub of: String,
    /// How.
    pub method: crate::mask::Method,
}

/// What a Gold model sees instead of a PII column.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldView {
    /// Name of the column that the model sees.
    pub column: String,
    /// How it is made.
    pub method: crate::mask::Method,
}

/// A length of time: `90m`, `2h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub chrono::Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let unit = text.chars().last().unwrap_or(' ');
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => 0,
        };
        let number = text.strip_suffix(unit).and_then(|n| n.parse::<i64>().ok()).filter(|n| (0..=100_000).contains(n));
        match number {
            Some(number) if seconds > 0 => Ok(Self(chrono::Duration::seconds(number * seconds))),
            _ => Err(D::Error::custom(format!("`{text}` is no length of time such as 90m, 2h or 7d"))),
        }
    }
}

/// Picks our part and checks that it is the one of the table's layer.
pub(super) fn of(path: &Path, document: &Document) -> Result<Layer, ContractError> {
    let invalid = |problem: String| ContractError::Invalid { path: path.to_owned(), problem };
    let [schema] = document.schema.as_slice() else {
        return Err(invalid(format!("`schema` must hold exactly one table, not {}", document.schema.len())));
    };
    if document.id != schema.physical_name {
        return Err(invalid(format!("`id` is `{}` but the table is `{}`", document.id, schema.physical_name)));
    }
    let histories = document.custom_properties.iter().filter(|property| matches!(property, CustomProperty::History(_))).count();
    if histories > 1 {
        return Err(invalid("`customProperties` holds `history` twice".into()));
    }
    let mut layers = document.custom_properties.iter().filter_map(|property| match property.clone() {
        CustomProperty::Bronze(bronze) => Some(Layer::Bronze(bronze)),
        CustomProperty::Silver(silver) => Some(Layer::Silver(silver)),
        CustomProperty::Gold(gold) => Some(Layer::Gold(gold)),
        CustomProperty::History(_) => None,
    });
    let (Some(layer), None) = (layers.next(), layers.next()) else {
        return Err(invalid("`customProperties` must hold exactly one of `bronze`, `silver`, `gold`".into()));
    };
    if document.id.split('_').next() != Some(layer.name()) {
        return Err(invalid(format!("table `{}` must be named `{}_...`", document.id, layer.name())));
    }
    Ok(layer)
}
