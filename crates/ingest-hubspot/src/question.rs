//! What is asked of the search, and whether its answer is whole. Pure.

use crate::{decode::Page, error::HubspotError};
use chrono::Duration;
use lake_core::{Window, contract::layer::HubspotObject};
use serde_json::json;

/// Objects of one page of the search: the most that it gives.
pub(crate) const PAGE: u64 = 200;
/// Bytes of a question, by HubSpot's documentation.
const BODY_MAX: usize = 3_000;

/// The question for the objects that changed in a window.
///
/// Pages are cut by id alone (keyset): the search's own paging ends after 10,000 objects, and times would not move on where
/// more objects than a page holds share one.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    cursor: String,
    first_ms: i64,
    last_ms: i64,
    properties: Vec<String>,
    /// Whether the search gives the properties; else it gives the ids, and the objects are read by them.
    pub(crate) whole: bool,
}

impl Question {
    /// The question of a window over a source.
    pub(crate) fn new(source: &HubspotObject, window: &Window) -> Self {
        let (first_ms, last_ms) = interval(window, source.lookback.0);
        let whole = Self { cursor: source.cursor.clone(), first_ms, last_ms, properties: source.properties.clone(), whole: true };
        if whole.body(u64::MAX).len() <= BODY_MAX {
            return whole;
        }
        Self { properties: vec!["hs_object_id".to_owned()], whole: false, ..whole }
    }

    /// Whether any instant that HubSpot knows is asked for.
    pub(crate) const fn empty(&self) -> bool {
        self.first_ms > self.last_ms
    }

    /// The question for the page behind an id. All five fields are there, and sorts are texts: both are optional to the
    /// service and required by its specification.
    pub(crate) fn body(&self, after_id: u64) -> String {
        let changed = json!({
            "propertyName": self.cursor, "operator": "BETWEEN",
            "value": self.first_ms.to_string(), "highValue": self.last_ms.to_string(),
        });
        let behind = json!({ "propertyName": "hs_object_id", "operator": "GT", "value": after_id.to_string() });
        json!({
            "filterGroups": [{ "filters": [changed, behind] }],
            "sorts": ["hs_object_id"],
            "properties": self.properties,
            "limit": PAGE,
            "after": "0",
        })
        .to_string()
    }
}

/// The closed interval of milliseconds that is searched: HubSpot counts in them, and BETWEEN includes both ends.
fn interval(window: &Window, lookback: Duration) -> (i64, i64) {
    let next_ms = |at: chrono::DateTime<chrono::Utc>| {
        let micros = at.timestamp_micros();
        micros.div_euclid(1_000) + i64::from(micros.rem_euclid(1_000) > 0)
    };
    (next_ms(window.from() - lookback), next_ms(window.to()) - 1)
}

/// Checks a page behind an id against what it announces: every object that is due, in the order of ids. Returns its last id,
/// or `None` when no page follows.
pub(crate) fn check(what: &str, after_id: u64, announced: u64, page: &Page) -> Result<Option<u64>, HubspotError> {
    let mut last = after_id;
    for object in &page.objects {
        if object.id <= last {
            return Err(HubspotError::Order { what: what.to_owned() });
        }
        last = object.id;
    }
    let (due, brought) = (announced.min(PAGE), page.objects.len() as u64);
    if due != brought {
        return Err(HubspotError::Count { what: what.to_owned(), announced, brought, due });
    }
    Ok((announced > PAGE).then_some(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Object;
    use lake_core::{Fault, contract::layer::Span, fault::Faulty as _};

    fn source(properties: usize) -> HubspotObject {
        HubspotObject {
            object: "contacts".into(),
            cursor: "lastmodifieddate".into(),
            lookback: Span(Duration::hours(1)),
            properties: (0..properties).map(|at| format!("property_{at}")).collect(),
            sweep: true,
        }
    }

    fn page(ids: impl IntoIterator<Item = u64>) -> Page {
        Page { objects: ids.into_iter().map(Object::of).collect(), ..Page::default() }
    }

    #[test]
    fn a_question_has_all_five_fields_and_a_closed_interval() {
        let question = Question::new(&source(2), &"2017-12-30".parse().unwrap());
        assert_eq!(
            question.body(512),
            "{\"filterGroups\":[{\"filters\":[{\"propertyName\":\"lastmodifieddate\",\"operator\":\"BETWEEN\",\
             \"value\":\"1514588400000\",\"highValue\":\"1514678399999\"},\
             {\"propertyName\":\"hs_object_id\",\"operator\":\"GT\",\"value\":\"512\"}]}],\
             \"sorts\":[\"hs_object_id\"],\"properties\":[\"property_0\",\"property_1\"],\"limit\":200,\"after\":\"0\"}"
        );
        assert!(question.whole && !question.empty());
    }

    #[test]
    fn an_instant_belongs_to_the_window_that_holds_its_millisecond() {
        let of = |window: &str| interval(&window.parse().unwrap(), Duration::zero());
        let midnight = 1_514_592_000_000;
        assert_eq!(of("2017-12-30T00:00:00Z/2017-12-30T00:00:00.002Z"), (midnight, midnight + 1));
        assert_eq!(of("2017-12-30T00:00:00.0005Z/2017-12-30T00:00:00.0015Z"), (midnight + 1, midnight + 1));
        assert_eq!(of("2017-12-30T00:00:00.0001Z/2017-12-30T00:00:00.0009Z"), (midnight + 1, midnight));
        assert_eq!(of("1969-12-31T23:59:59.9995Z/1970-01-01T00:00:00.0005Z"), (0, 0));
    }

    #[test]
    fn long_lists_of_properties_are_read_by_id() {
        let window: Window = "2017-12-30".parse().unwrap();
        let long = Question::new(&source(300), &window);
        assert!(!long.whole);
        assert!(long.body(u64::MAX).contains("\"properties\":[\"hs_object_id\"]"));
        let most = (1..300).rev().map(|count| Question::new(&source(count), &window)).find(|question| question.whole).unwrap();
        assert!((BODY_MAX - 16..=BODY_MAX).contains(&most.body(u64::MAX).len()));
    }

    #[test]
    fn pages_follow_by_id_until_all_that_is_announced_has_come() {
        assert_eq!(check("contacts", 0, 201, &page(1..=200)).unwrap(), Some(200));
        assert_eq!(check("contacts", 200, 1, &page([201])).unwrap(), None);
        assert_eq!(check("contacts", 0, 200, &page(1..=200)).unwrap(), None);
        assert_eq!(check("contacts", 0, 0, &page([])).unwrap(), None);
    }

    #[test]
    fn ids_that_repeat_or_go_back_are_transient() {
        for (after, ids) in [(0, vec![1, 3, 2]), (0, vec![1, 1]), (5, vec![5]), (5, vec![4])] {
            let error = check("contacts", after, ids.len() as u64, &page(ids.clone())).unwrap_err();
            assert!(matches!(error, HubspotError::Order { .. }) && error.fault() == Fault::Transient, "{ids:?}: {error}");
        }
    }

    #[test]
    fn a_page_with_fewer_objects_than_it_announces_is_transient() {
        let error = check("contacts", 0, 750, &page(1..=199)).unwrap_err();
        assert_eq!(error.to_string(), "read all contacts: an answer announces 750 more and brings 199 where 200 are due");
        assert_eq!(error.fault(), Fault::Transient);
        assert!(check("contacts", 0, 1, &page([])).is_err());
        assert!(check("contacts", 0, 1, &page([1, 2])).is_err());
    }
}
