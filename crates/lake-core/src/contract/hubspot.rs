//! What a Bronze table takes from HubSpot: the objects of one type, or the associations between two types.

use super::layer::Span;

/// Objects of one type, or the associations between two types.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "HubspotKeys")]
pub enum HubspotSource {
    /// Objects of one type.
    Object(HubspotObject),
    /// Associations between objects of two types.
    Association(HubspotAssociation),
}

/// Objects of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubspotObject {
    /// Type of the objects, as it stands in addresses: `contacts`.
    pub object: String,
    /// Property with the time of the last change; contacts have another one than all other types.
    pub cursor: String,
    /// How far before the window objects are searched again: the index of the search lags behind the objects.
    pub lookback: Span,
    /// Properties to read.
    pub properties: Vec<String>,
    /// Whether each run also looks for objects that were archived, deleted or merged, which no search finds.
    pub sweep: bool,
}

/// Associations between objects of two types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubspotAssociation {
    /// Type of the objects whose associations are read.
    pub from: String,
    /// Type of the objects that they lead to.
    pub to: String,
    /// Value of `_object`.
    object: String,
}

impl HubspotSource {
    /// Columns of an association beside the meta columns: ids of its two objects.
    pub const PAIR_COLUMNS: [&'static str; 2] = ["from_id", "to_id"];

    /// Value of `_object`: the type of the objects, for associations `<from>/<to>`.
    #[must_use]
    pub fn object(&self) -> &str {
        match self {
            Self::Object(object) => &object.object,
            Self::Association(pair) => &pair.object,
        }
    }
}

impl HubspotAssociation {
    /// Associations from one type to another.
    #[must_use]
    pub fn new(from: String, to: String) -> Self {
        let object = format!("{from}/{to}");
        Self { from, to, object }
    }
}

/// The keys of both forms; which of them belong together is said by the conversion.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct HubspotKeys {
    object: Option<String>,
    association: Option<AssociationKeys>,
    cursor: Option<String>,
    lookback: Option<Span>,
    properties: Option<Vec<String>>,
    #[serde(default)]
    sweep: bool,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct AssociationKeys {
    from: String,
    to: String,
}

impl TryFrom<HubspotKeys> for HubspotSource {
    type Error = &'static str;

    fn try_from(keys: HubspotKeys) -> Result<Self, Self::Error> {
        match keys {
            HubspotKeys { object: Some(object), association: None, cursor, lookback, properties, sweep } => {
                let cursor = cursor.ok_or("`object` needs `cursor`: the property with the time of the last change")?;
                let lookback =
                    lookback.ok_or("`object` needs `lookback`: how far before the window objects are searched again")?;
                let properties =
                    properties.filter(|names| !names.is_empty()).ok_or("`object` needs `properties`: what to read")?;
                Ok(Self::Object(HubspotObject { object, cursor, lookback, properties, sweep }))
            }
            HubspotKeys { object: None, association: Some(pair), cursor: None, lookback: None, properties: None, sweep } => {
                if sweep {
                    Ok(Self::Association(HubspotAssociation::new(pair.from, pair.to)))
                } else {
                    Err("`association` needs `sweep: true`: HubSpot does not say when one changes, so all are compared")
                }
            }
            HubspotKeys { object: None, association: Some(_), .. } => {
                Err("`cursor`, `lookback` and `properties` belong to `object`, and `association` has none of them")
            }
            _ => Err("a HubSpot source needs either `object` or `association`"),
        }
    }
}
