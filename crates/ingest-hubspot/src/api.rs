//! HubSpot's API, date version 2026-09: which address answers what, and the two allowances that bound how often it is asked.

use crate::{
    Args,
    decode::{self, Object, Page, Pairs, Unreadable},
    error::{HubspotError, TOKEN, lasts},
};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use lake_core::{Secret, contract::layer::HubspotAssociation};
use lake_edge::SecretStore;
use lake_http::{Allowance, Budget, Client, Headers, HttpError, Limits, Request, Url};
use serde_json::json;
use std::{
    collections::HashSet,
    pin::pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Version of the API, by date.
const VERSION: &str = "2026-09";
/// Ids of one reading, and objects of one page of a list.
pub(crate) const BATCH: usize = 100;
/// Readings by id at a time.
pub(crate) const READINGS_MAX: usize = 8;
/// What an account may ask before it has said so: the smallest allowance that there is.
const UNTIL_ANNOUNCED: Allowance = Allowance { requests: 100, interval: Duration::from_secs(10) };
/// The search has an allowance of its own, which is documented and not announced.
const SEARCH: Allowance = Allowance { requests: 5, interval: Duration::from_secs(1) };
const HEADERS: Headers = Headers {
    max: "x-hubspot-ratelimit-max",
    remaining: "x-hubspot-ratelimit-remaining",
    interval_ms: "x-hubspot-ratelimit-interval-milliseconds",
    day_remaining: "x-hubspot-ratelimit-daily-remaining",
};
/// Properties in the address of a list; beyond it the address could be too long for the service.
const ADDRESS_PROPERTIES_MAX: usize = 1_500;
/// How often ids are asked for of which an answer says nothing: an answer that leaves them out must not be taken for one that
/// has nothing to say of them.
const ASKED_MAX: usize = 3;
/// First pause before a new try.
const PAUSE: Duration = Duration::from_millis(250);

/// An account.
#[derive(Debug)]
pub(crate) struct Api {
    client: Client,
    base: Url,
    token: Mutex<Secret>,
    secrets: SecretStore,
    general: Budget,
    search: Budget,
}

/// Where the associations of an object are read from: its first page, or a later one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Input {
    /// Object.
    pub(crate) id: u64,
    /// Where the page begins.
    pub(crate) after: Option<String>,
}

/// What is asked, for addresses and errors.
struct Subject {
    /// For people.
    what: String,
    /// Scopes that a token needs for it.
    scopes: Vec<String>,
}

impl Subject {
    fn object(object: &str) -> Self {
        Self { what: object.to_owned(), scopes: vec![scope(object)] }
    }

    fn pair(pair: &HubspotAssociation) -> Self {
        let what = format!("associations of {} with {}", pair.from, pair.to);
        Self { what, scopes: vec![scope(&pair.from), scope(&pair.to)] }
    }
}

/// Custom types, whose names are numbers, have one scope together.
fn scope(object: &str) -> String {
    let custom = object.starts_with(|c: char| c.is_ascii_digit()) || object.starts_with("p_");
    format!("crm.objects.{}.read", if custom { "custom" } else { object })
}

/// Whether an address can hold the names of these properties. A list gives ids and times alone where it cannot.
pub(crate) fn in_address(properties: &[String]) -> bool {
    // Commas stand between them.
    let names: usize = properties.iter().map(|name| name.len() + 1).sum();
    names <= ADDRESS_PROPERTIES_MAX + 1
}

impl Api {
    /// Returns the account behind a token, which is read again from the secrets when it is refused.
    pub(crate) fn new(args: &Args, token: Secret) -> Result<Self, HttpError> {
        let limits = Limits { pause: PAUSE, ..Limits::from(&args.limits) };
        let general = Budget::announced(UNTIL_ANNOUNCED, HEADERS);
        Ok(Self {
            client: Client::new(concat!("sluice/", env!("CARGO_PKG_VERSION")), limits)?,
            base: args.url.clone(),
            token: Mutex::new(token),
            secrets: args.run.secrets.clone(),
            search: Budget::documented(SEARCH).beside(&general),
            general,
        })
    }

    /// The account of a test's server: a failure is tried again twice, at once.
    #[cfg(test)]
    pub(crate) fn quick(url: &Url, secrets: &str) -> Self {
        use clap::Parser as _;
        let options = ["--window", "2017-12-30", "--url", url.as_str(), "--secrets", secrets];
        let args = Args::try_parse_from([&["ingest-hubspot", "table"][..], &options].concat()).unwrap();
        let limits = Limits { pause: Duration::from_millis(1), retries_max: 2, ..Limits::default() };
        let client = Client::new("test", limits).unwrap();
        Self { client, ..Self::new(&args, Secret::new("hunter2".into())).unwrap() }
    }

    /// Requests sent, those of the search apart.
    pub(crate) fn sent(&self) -> (u64, u64) {
        (self.general.sent(), self.search.sent())
    }

    /// Names of all properties that a type of objects has.
    pub(crate) async fn properties(&self, object: &str) -> Result<HashSet<String>, HubspotError> {
        let url = self.url(&format!("/crm/properties/{VERSION}/{object}"));
        self.fetch(&Subject::object(object), Request::get(&url).within(&self.general), decode::names).await
    }

    /// One page of a search.
    pub(crate) async fn search(&self, object: &str, question: String) -> Result<Page, HubspotError> {
        let url = self.url(&format!("/crm/objects/{VERSION}/{object}/search"));
        self.fetch(&Subject::object(object), Request::ask(&url, question).within(&self.search), decode::page).await
    }

    /// One page of the list of all objects, or of all archived ones. The search knows neither of them.
    pub(crate) async fn list(
        &self,
        object: &str,
        archived: bool,
        properties: &[String],
        after: Option<&str>,
    ) -> Result<Page, HubspotError> {
        let mut url = self.url(&format!("/crm/objects/{VERSION}/{object}"));
        let properties = if in_address(properties) { properties.join(",") } else { "hs_object_id".to_owned() };
        url.query_pairs_mut()
            .append_pair("limit", &BATCH.to_string())
            .append_pair("archived", if archived { "true" } else { "false" })
            .append_pair("properties", &properties)
            .extend_pairs(after.map(|after| ("after", after)));
        self.fetch(&Subject::object(object), Request::get(&url).within(&self.general), decode::page).await
    }

    /// Those of some live objects that are there.
    pub(crate) async fn read(&self, object: &str, ids: &[u64], properties: &[String]) -> Result<Vec<Object>, HubspotError> {
        let url = self.url(&format!("/crm/objects/{VERSION}/{object}/batch/read"));
        self.read_at(&url, object, ids, properties).await
    }

    /// Those of some ids that are there, whatever the lists show: a list that has missed an object does not say that it is gone.
    pub(crate) async fn there(&self, object: &str, ids: &[u64]) -> Result<HashSet<u64>, HubspotError> {
        let id = ["hs_object_id".to_owned()];
        let batches = stream::iter(ids.chunks(BATCH).map(<[u64]>::to_vec).collect::<Vec<_>>());
        let readings = batches.map(async |ids| self.read(object, &ids, &id).await);
        let mut readings = pin!(readings.buffer_unordered(READINGS_MAX));
        let mut there = HashSet::new();
        while let Some(objects) = readings.try_next().await? {
            there.extend(objects.iter().map(|object| object.id));
        }
        Ok(there)
    }

    /// Those of some archived objects that are there, and archived.
    pub(crate) async fn read_archived(
        &self,
        object: &str,
        ids: &[u64],
        properties: &[String],
    ) -> Result<Vec<Object>, HubspotError> {
        let mut url = self.url(&format!("/crm/objects/{VERSION}/{object}/batch/read"));
        url.query_pairs_mut().append_pair("archived", "true");
        self.read_at(&url, object, ids, properties).await
    }

    async fn read_at(&self, url: &Url, object: &str, ids: &[u64], properties: &[String]) -> Result<Vec<Object>, HubspotError> {
        let (mut left, mut objects) = (ids.to_vec(), Vec::new());
        for _ in 0..ASKED_MAX {
            let inputs: Vec<_> = left.iter().map(|id| json!({ "id": id.to_string() })).collect();
            let question = json!({ "inputs": inputs, "properties": properties, "propertiesWithHistory": [] }).to_string();
            let request = Request::ask(url, question).within(&self.general);
            let page = self.fetch(&Subject::object(object), request, decode::page).await?;
            let mut open: HashSet<u64> = left.into_iter().collect();
            let (own, others): (Vec<_>, Vec<_>) = page.objects.into_iter().partition(|object| open.remove(&object.id));
            objects.extend(own);
            left = open.into_iter().filter(|id| !page.missing.contains(id)).collect();
            // By the id of a merged object the one is answered that it was merged into.
            if left.len() <= others.len() {
                break;
            }
        }
        Ok(objects)
    }

    /// A page of associations of each of some objects.
    pub(crate) async fn associations(&self, pair: &HubspotAssociation, inputs: &[Input]) -> Result<Pairs, HubspotError> {
        let mut read = self.associations_once(pair, inputs).await?;
        for _ in 1..ASKED_MAX {
            let left: Vec<Input> = inputs.iter().filter(|input| !read.answered.contains(&input.id)).cloned().collect();
            if left.is_empty() {
                break;
            }
            let more = self.associations_once(pair, &left).await?;
            read.pairs.extend(more.pairs);
            read.next.extend(more.next);
            read.answered.extend(more.answered);
        }
        Ok(read)
    }

    async fn associations_once(&self, pair: &HubspotAssociation, inputs: &[Input]) -> Result<Pairs, HubspotError> {
        let url = self.url(&format!("/crm/associations/{VERSION}/{}/{}/batch/read", pair.from, pair.to));
        let input = |input: &Input| match &input.after {
            None => json!({ "id": input.id.to_string() }),
            Some(after) => json!({ "id": input.id.to_string(), "after": after }),
        };
        let question = json!({ "inputs": inputs.iter().map(input).collect::<Vec<_>>() }).to_string();
        let subject = Subject::pair(pair);
        let pairs = self.fetch(&subject, Request::ask(&url, question).within(&self.general), decode::pairs).await?;
        let asked: HashSet<u64> = inputs.iter().map(|input| input.id).collect();
        let strange = pairs.pairs.iter().any(|pair| !asked.contains(&pair.from));
        // A page that leads to itself, or on without having brought anything, would be read for ever.
        let stuck = pairs.next.iter().any(|(id, after)| {
            let again = inputs.iter().any(|input| input.id == *id && input.after.as_ref() == Some(after));
            again || !asked.contains(id) || !pairs.pairs.iter().any(|pair| pair.from == *id)
        });
        match (strange, stuck) {
            (true, _) => Err(HubspotError::Order { what: subject.what }),
            (_, true) => Err(HubspotError::Page { what: subject.what }),
            _ => Ok(pairs),
        }
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(path);
        url
    }

    /// Asks; a refused token may have been replaced while the run went on, so once more with the one that is the secret now.
    async fn fetch<T>(
        &self,
        subject: &Subject,
        request: Request<'_>,
        read: fn(&Bytes) -> Result<T, Unreadable>,
    ) -> Result<T, HubspotError> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match self.fetch_with(&token, subject, request.clone(), read).await {
            Err(HubspotError::Token) => {
                // A secret that cannot be read is no better than the one that is refused.
                let token = self.secrets.get(TOKEN).map_err(|_| HubspotError::Token)?;
                self.token.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&token);
                self.fetch_with(&token, subject, request, read).await
            }
            fetched => fetched,
        }
    }

    async fn fetch_with<T>(
        &self,
        token: &Secret,
        subject: &Subject,
        request: Request<'_>,
        read: fn(&Bytes) -> Result<T, Unreadable>,
    ) -> Result<T, HubspotError> {
        let read = |body: &Bytes| match read(body) {
            Err(Unreadable::Damaged) => None,
            Err(Unreadable::Form { line, column }) => Some(Err((line, column))),
            Ok(read) => Some(Ok(read)),
        };
        let fetched = self.client.fetch(&request.bearer(token).lasting(lasts), read).await;
        match fetched {
            Ok(Ok(read)) => Ok(read),
            Ok(Err((line, column))) => Err(HubspotError::Form { what: subject.what.clone(), line, column }),
            Err(error) => Err(HubspotError::of(&subject.what, &subject.scopes, error)),
        }
    }
}

#[cfg(test)]
#[path = "api_tests.rs"]
mod tests;
