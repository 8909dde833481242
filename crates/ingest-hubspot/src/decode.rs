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
#[derive(Debug, Clone)]
pub(crate) struct Page {
    /// Objects from here on, this page's included, where the answer announces it.
    pub(crate) total: Option<u64>,
    /// Objects, in the answer's order.
    pub(crate) objects: Vec<Object>,
    /// Where the next page begins.
    pub(crate) next: Option<String>,
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
}

#[derive(Deserialize)]
struct RawPage<'a> {
    total: Option<u64>,
    #[serde(borrow)]
    results: Vec<&'a RawValue>,
    paging: Option<Paging>,
    #[serde(default)]
    errors: Vec<Problem>,
}

#[derive(Deserialize)]
struct Paging {
    next: Option<Next>,
}

#[derive(Deserialize)]
struct Next {
    after: String,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    category: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    #[serde(deserialize_with = "id")]
    id: u64,
    updated_at: DateTime<Utc>,
    #[serde(default)]
    archived: bool,
    archived_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct RawPairs<'a> {
    #[serde(borrow)]
    results: Vec<RawFrom<'a>>,
    #[serde(default)]
    errors: Vec<Problem>,
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
    #[serde(deserialize_with = "id")]
    id: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct To {
    #[serde(deserialize_with = "id")]
    to_object_id: u64,
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
fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct Id;
    impl Visitor<'_> for Id {
        type Value = u64;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an id above 0")
        }
        fn visit_u64<E: serde::de::Error>(self, id: u64) -> Result<u64, E> {
            if id > 0 { Ok(id) } else { Err(E::custom("not an id")) }
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<u64, E> {
            self.visit_u64(text.parse().unwrap_or(0))
        }
    }
    deserializer.deserialize_any(Id)
}

/// Reads objects: an answer of the search, of a list or of a reading by id.
pub(crate) fn page(body: &Bytes) -> Result<Page, Unreadable> {
    let raw: RawPage<'_> = serde_json::from_slice(body)?;
    done(&raw.errors)?;
    let object = |raw: &RawValue| {
        let head: Head = serde_json::from_str(raw.get())?;
        let archived_at = head.archived.then(|| head.archived_at.unwrap_or(head.updated_at));
        Ok(Object { id: head.id, updated_at: head.updated_at, archived_at, bytes: slice(body, raw) })
    };
    let objects = raw.results.into_iter().map(object).collect::<Result<_, Unreadable>>()?;
    Ok(Page { total: raw.total, objects, next: next(raw.paging) })
}

/// Reads associations.
pub(crate) fn pairs(body: &Bytes) -> Result<Pairs, Unreadable> {
    let raw: RawPairs<'_> = serde_json::from_slice(body)?;
    done(&raw.errors)?;
    let mut read = Pairs::default();
    for result in raw.results {
        let from = result.from.id;
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
    Ok((to.to_object_id, hasher.finish()))
}

/// Reads the names of properties.
pub(crate) fn names(body: &Bytes) -> Result<HashSet<String>, Unreadable> {
    let read: Names = serde_json::from_slice(body)?;
    Ok(read.results.into_iter().map(|property| property.name).collect())
}

fn next(paging: Option<Paging>) -> Option<String> {
    paging.and_then(|paging| paging.next).map(|next| next.after)
}

/// An answer may be a part: what is not there is no trouble, anything else is asked for again.
fn done(problems: &[Problem]) -> Result<(), Unreadable> {
    if problems.iter().all(|problem| problem.category == NOT_FOUND) { Ok(()) } else { Err(Unreadable::Damaged) }
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
mod tests {
    use super::*;

    fn body(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn objects_are_the_bytes_that_came() {
        let object = "{ \"id\" : \"512\",\"properties\":{\"email\":\"gr\\u00fcn@x.de\",\"n\":1.0e2 },\n\"updatedAt\":\"2017-12-30T01:02:03.004Z\",\"archived\":false}";
        let text =
            format!("{{\"total\":1,\"results\":[ {object} ],\"paging\":{{\"next\":{{\"after\":\"512\",\"link\":\"?\"}}}}}}");
        let page = page(&Bytes::from(text)).unwrap();
        assert_eq!((page.total, page.next.as_deref()), (Some(1), Some("512")));
        assert_eq!(page.objects[0].bytes, object.as_bytes());
        assert_eq!((page.objects[0].id, page.objects[0].archived_at), (512, None));
        assert_eq!(page.objects[0].updated_at.timestamp_millis(), 1_514_595_723_004);
    }

    #[test]
    fn an_archived_object_says_since_when() {
        let page = page(&body(
            r#"{"results":[{"id":"1","updatedAt":"2017-12-30T00:00:00Z","archived":true,"archivedAt":"2017-12-30T05:00:00.5Z"},
                          {"id":2,"updatedAt":"2017-12-30T00:00:00Z","archived":true}]}"#,
        ))
        .unwrap();
        let at: Vec<_> = page.objects.iter().map(|object| object.archived_at.unwrap().to_rfc3339()).collect();
        assert_eq!(at, ["2017-12-30T05:00:00.500+00:00", "2017-12-30T00:00:00+00:00"]);
        assert_eq!(page.next, None);
    }

    #[test]
    fn torn_bodies_are_damaged_and_other_forms_are_not() {
        let whole = r#"{"total":1,"results":[{"id":"1","updatedAt":"2017-12-30T00:00:00Z"}]}"#;
        for end in 1..whole.len() {
            assert_eq!(page(&body(&whole[..end])).unwrap_err(), Unreadable::Damaged, "{}", &whole[..end]);
        }
        assert_eq!(page(&body("<html>")).unwrap_err(), Unreadable::Damaged);
        assert_eq!(page(&Bytes::from_static(b"{\"results\":[{\"id\":\"\xff\"}]}")).unwrap_err(), Unreadable::Damaged);
        for form in [
            "{}",
            r#"{"results":[{"updatedAt":"2017-12-30T00:00:00Z"}]}"#,
            r#"{"results":[{"id":"ada","updatedAt":"2017-12-30T00:00:00Z"}]}"#,
            r#"{"results":[{"id":"0","updatedAt":"2017-12-30T00:00:00Z"}]}"#,
            r#"{"results":[{"id":"1","updatedAt":"yesterday"}]}"#,
        ] {
            assert!(matches!(page(&body(form)).unwrap_err(), Unreadable::Form { .. }), "{form}");
        }
    }

    #[test]
    fn an_answer_in_part_is_whole_only_when_the_rest_is_not_there() {
        let part = |category: &str| {
            Bytes::from(format!(r#"{{"status":"COMPLETE","results":[],"numErrors":1,"errors":[{{"category":"{category}"}}]}}"#))
        };
        assert!(page(&part("OBJECT_NOT_FOUND")).unwrap().objects.is_empty());
        assert_eq!(page(&part("INTERNAL_ERROR")).unwrap_err(), Unreadable::Damaged);
        assert_eq!(pairs(&part("INTERNAL_ERROR")).unwrap_err(), Unreadable::Damaged);
    }

    #[test]
    fn associations_have_pages_of_their_own() {
        let first = r#"{"toObjectId":77,"associationTypes":[{"category":"HUBSPOT_DEFINED","typeId":1,"label":"Primary"}]}"#;
        let text = format!(
            r#"{{"results":[{{"from":{{"id":"5"}},"to":[{first}, {{"toObjectId":"78","associationTypes":[]}}],
                "paging":{{"next":{{"after":"NzgK"}}}}}},{{"from":{{"id":"6"}},"to":[]}}],"errors":[]}}"#
        );
        let read = pairs(&Bytes::from(text)).unwrap();
        let ids: Vec<_> = read.pairs.iter().map(|pair| (pair.from, pair.to)).collect();
        assert_eq!((ids.as_slice(), read.next.as_slice()), (&[(5, 77), (5, 78)][..], &[(5, "NzgK".to_owned())][..]));
        assert_eq!(read.pairs[0].bytes, first.as_bytes());
        assert_ne!(read.pairs[0].types, read.pairs[1].types);
    }

    #[test]
    fn equal_types_are_equal_in_any_order_and_writing() {
        let of = |types: &str| target(format!("{{\"toObjectId\": 1, \"associationTypes\":[{types}]}}").as_bytes()).unwrap().1;
        let (one, two) = (
            r#"{"category":"HUBSPOT_DEFINED","typeId":1,"label":"Primary"}"#,
            r#"{"typeId":279, "category":"HUBSPOT_DEFINED","label":null}"#,
        );
        assert_eq!(of(&format!("{one},{two}")), of(&format!("{two} , {one}")));
        assert_eq!(of(two), of(r#"{"category":"HUBSPOT_DEFINED","typeId":279}"#));
        assert_ne!(of(one), of(two));
        assert_ne!(of(one), of(&one.replace("Primary", "Former")));
    }

    #[test]
    fn properties_are_known_by_name() {
        let names = names(&body(r#"{"results":[{"name":"email","type":"string"},{"name":"city"}]}"#)).unwrap();
        assert!(names.contains("email") && names.contains("city") && names.len() == 2);
    }
}
