//! Answers -> objects and associations: pure. What lands is a slice of the body, never a copy that was written anew.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, de::Visitor};
use serde_json::{error::Category, value::RawValue};
use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

/// Category of the errors in an answer that only say what is not there.
const NOT_FOUND: &str = "OBJECT_NOT_FOUND";

/// Why a body cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It breaks off, or the service could not do all that was asked: asking again may help.
    Damaged,
    /// It is whole, but not what is documented.
    Form { line: usize, column: usize },
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        match error.classify() {
            // Its text may quote a value, so only the place is kept.
            Category::Data => Self::Form { line: error.line(), column: error.column() },
            Category::Io | Category::Syntax | Category::Eof => Self::Damaged,
        }
    }
}

/// One object as received.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// Id.
    pub(crate) id: u64,
    /// Last change.
    pub(crate) updated_at: DateTime<Utc>,
    /// When it was archived, if it is.
    pub(crate) archived_at: Option<DateTime<Utc>>,
    /// Its bytes.
    pub(crate) bytes: Bytes,
}

/// Objects of one answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Page {
    /// Objects from here on, this page's included, where the answer announces it.
    pub(crate) total: Option<u64>,
    /// Objects, in the answer's order.
    pub(crate) objects: Vec<Object>,
    /// Where the next page begins.
    pub(crate) next: Option<String>,
    /// Ids of which the answer says that nothing is there.
    pub(crate) missing: HashSet<u64>,
}

/// One association as received.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    /// Object that it leads from.
    pub(crate) from: u64,
    /// Object that it leads to.
    pub(crate) to: u64,
    /// What it is, as a number that is equal for equal types in any order.
    pub(crate) types: u64,
    /// Its bytes.
    pub(crate) bytes: Bytes,
}

/// Associations of one answer, and the objects that have more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pairs {
    /// Associations.
    pub(crate) pairs: Vec<Pair>,
    /// Objects with a next page, and where it begins.
    pub(crate) next: Vec<(u64, String)>,
    /// Objects that the answer speaks of, also those of which it says that nothing is there.
    pub(crate) answered: HashSet<u64>,
}

#[derive(Deserialize)]
struct RawPage<'a> {
    total: Option<u64>,
    #[serde(borrow)]
    results: Vec<&'a RawValue>,
    paging: Option<Paging>,
    #[serde(borrow, default)]
    errors: Vec<Problem<'a>>,
}

#[derive(Deserialize)]
struct Paging {
    next: Option<Next>,
}

#[derive(Deserialize)]
struct Next {
    after: After,
}

#[derive(Deserialize)]
struct Problem<'a> {
    #[serde(default)]
    category: String,
    #[serde(borrow)]
    context: Option<&'a RawValue>,
}

/// What an error speaks of: `ids` of a reading, `fromObjectId` of associations.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Context {
    ids: Vec<Id>,
    from_object_id: Vec<Id>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    id: Id,
    updated_at: DateTime<Utc>,
    #[serde(default)]
    archived: bool,
    archived_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct RawPairs<'a> {
    #[serde(borrow)]
    results: Vec<RawFrom<'a>>,
    #[serde(borrow, default)]
    errors: Vec<Problem<'a>>,
}

#[derive(Deserialize)]
struct RawFrom<'a> {
    from: Origin,
    #[serde(borrow)]
    to: Vec<&'a RawValue>,
    paging: Option<Paging>,
}

#[derive(Deserialize)]
struct Origin {
    id: Id,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct To {
    to_object_id: Id,
    #[serde(default)]
    association_types: Vec<Type>,
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "camelCase")]
struct Type {
    #[serde(default)]
    category: String,
    type_id: u64,
    label: Option<String>,
}

#[derive(Deserialize)]
struct Names {
    results: Vec<Name>,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

/// Ids are numbers, written as text in most places and as numbers in some.
#[derive(Debug, Clone, Copy)]
struct Id(u64);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Id;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an id above 0")
            }
            fn visit_u64<E: serde::de::Error>(self, id: u64) -> Result<Id, E> {
                if id > 0 { Ok(Id(id)) } else { Err(E::custom("not an id")) }
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Id, E> {
                self.visit_u64(text.parse().unwrap_or(0))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Where a page begins: text by the specification, and a number in some answers of the search.
struct After(String);

impl<'de> Deserialize<'de> for After {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = After;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("where a page begins")
            }
            fn visit_u64<E: serde::de::Error>(self, after: u64) -> Result<After, E> {
                Ok(After(after.to_string()))
            }
            fn visit_str<E: serde::de::Error>(self, after: &str) -> Result<After, E> {
                Ok(After(after.to_owned()))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Reads objects: an answer of the search, of a list or of a reading by id.
pub(crate) fn page(body: &Bytes) -> Result<Page, Unreadable> {
    let raw: RawPage<'_> = serde_json::from_slice(body)?;
    let missing = missing(&raw.errors)?;
    let object = |raw: &RawValue| {
        let head: Head = serde_json::from_str(raw.get())?;
        let archived_at = head.archived.then(|| head.archived_at.unwrap_or(head.updated_at));
        Ok(Object { id: head.id.0, updated_at: head.updated_at, archived_at, bytes: slice(body, raw) })
    };
    let objects = raw.results.into_iter().map(object).collect::<Result<_, Unreadable>>()?;
    Ok(Page { total: raw.total, objects, next: next(raw.paging), missing })
}

/// Reads associations.
pub(crate) fn pairs(body: &Bytes) -> Result<Pairs, Unreadable> {
    let raw: RawPairs<'_> = serde_json::from_slice(body)?;
    let mut read = Pairs { answered: missing(&raw.errors)?, ..Pairs::default() };
    for result in raw.results {
        let from = result.from.id.0;
        read.answered.insert(from);
        for raw in result.to {
            let (to, types) = target(raw.get().as_bytes())?;
            read.pairs.push(Pair { from, to, types, bytes: slice(body, raw) });
        }
        read.next.extend(next(result.paging).map(|after| (from, after)));
    }
    Ok(read)
}

/// Reads where an association leads and what it is; two of equal types have equal numbers.
pub(crate) fn target(bytes: &[u8]) -> Result<(u64, u64), Unreadable> {
    let mut to: To = serde_json::from_slice(bytes)?;
    to.association_types.sort_unstable();
    let mut hasher = DefaultHasher::new();
    to.association_types.hash(&mut hasher);
    Ok((to.to_object_id.0, hasher.finish()))
}

/// Reads the names of properties.
pub(crate) fn names(body: &Bytes) -> Result<HashSet<String>, Unreadable> {
    let read: Names = serde_json::from_slice(body)?;
    Ok(read.results.into_iter().map(|property| property.name).collect())
}

fn next(paging: Option<Paging>) -> Option<String> {
    paging.and_then(|paging| paging.next).map(|next| next.after.0)
}

/// An answer may be a part (207): what is not there is no trouble, and its ids are returned where the answer names them; anything
/// else is asked for again.
fn missing(problems: &[Problem<'_>]) -> Result<HashSet<u64>, Unreadable> {
    if problems.iter().any(|problem| problem.category != NOT_FOUND) {
        return Err(Unreadable::Damaged);
    }
    let contexts = problems.iter().filter_map(|problem| serde_json::from_str::<Context>(problem.context?.get()).ok());
    Ok(contexts.flat_map(|context| [context.ids, context.from_object_id].concat()).map(|Id(id)| id).collect())
}

fn slice(body: &Bytes, raw: &RawValue) -> Bytes {
    body.slice_ref(raw.get().as_bytes())
}

#[cfg(test)]
impl Object {
    /// An object of an id, changed at the epoch.
    pub(crate) fn of(id: u64) -> Self {
        Self { id, updated_at: DateTime::UNIX_EPOCH, archived_at: None, bytes: Bytes::new() }
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
