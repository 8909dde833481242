//! Reads a list of all objects of a type to its end.

use crate::{api::Api, decode::Object, error::HubspotError};
use std::collections::HashMap;

/// A list, as far as it is read.
#[derive(Debug)]
pub(crate) struct Listing<'a> {
    api: &'a Api,
    object: &'a str,
    archived: bool,
    properties: &'a [String],
    after: Option<String>,
    over: bool,
    seen: HashMap<u64, i64>,
}

impl<'a> Listing<'a> {
    /// A list of all objects, or of all archived ones.
    pub(crate) fn new(api: &'a Api, object: &'a str, archived: bool, properties: &'a [String]) -> Self {
        Self { api, object, archived, properties, after: None, over: false, seen: HashMap::new() }
    }

    /// Returns the objects of the next page; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Object>>, HubspotError> {
        if self.over {
            return Ok(None);
        }
        let page = self.api.list(self.object, self.archived, self.properties, self.after.as_deref()).await?;
        for object in &page.objects {
            if self.seen.insert(object.id, object.updated_at.timestamp_micros()).is_some() {
                return Err(HubspotError::Order { what: self.object.to_owned() });
            }
        }
        // An empty page that leads on could do so for ever.
        if page.next.is_some() && (page.objects.is_empty() || page.next == self.after) {
            return Err(HubspotError::Page { what: self.object.to_owned() });
        }
        self.over = page.next.is_none();
        self.after = page.next;
        Ok(Some(page.objects))
    }

    /// Returns every id of the pages that were read, with its last change in microseconds.
    pub(crate) fn seen(self) -> HashMap<u64, i64> {
        self.seen
    }
}
