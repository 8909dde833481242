//! Lands the objects of one type that changed in a window, and finds those that no search shows.
//!
//! Search, reading by id and both lists run side by side and share the account's allowance; what they find meets at one writer.
//! Archived objects that are news are read by id after that where the list could not give their properties.

use crate::{
    api::{self, Api, BATCH, READINGS_MAX},
    decode::Object,
    error::HubspotError,
    landed::{Landed, Out},
    listing::Listing,
    question::{self, Question},
    rows::{Plan, Row},
    states::States,
};
use anyhow::anyhow;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use lake_bronze::Landing;
use lake_core::{contract::layer::HubspotObject, fault_point};
use lake_edge::{Attach as _, Bar};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Answers that wait for the writer: bounds the memory.
const ANSWERS_IN_FLIGHT: usize = 8;

/// One reading of a window.
pub(crate) struct Reading<'a> {
    /// The account.
    pub(crate) api: &'a Api,
    /// What is landed.
    pub(crate) plan: &'a Plan,
    /// Where.
    pub(crate) landing: &'a Landing,
    /// Type of the objects.
    pub(crate) object: &'a HubspotObject,
    /// What is searched.
    pub(crate) question: Question,
    /// Whether to look for what no search shows.
    pub(crate) sweep: bool,
    /// What a person sees.
    pub(crate) bar: Bar,
}

/// What one answer brought.
enum Found {
    /// Objects that changed, and how many the source announced.
    Changed(Vec<Object>, u64),
    /// Archived objects, known or not.
    Archived(Vec<Object>),
}

/// What the search came to.
#[derive(Debug, Default)]
struct Searched {
    /// Objects that the first page announced.
    announced: u64,
    /// Objects that were found and not there any more when they were read.
    vanished: Vec<u64>,
}

/// What the lists came to.
#[derive(Debug, Default)]
struct Listed {
    live: HashMap<u64, i64>,
    archived: usize,
}

impl Reading<'_> {
    /// Reads the window and writes what it brought.
    pub(crate) async fn land(&self) -> anyhow::Result<Landed> {
        let known = self.api.properties(&self.object.object).await.attach()?;
        self.properties_exist(&known).attach()?;
        let mut states = if self.sweep { States::read(self.landing, false).await? } else { States::default() };
        let mut out = Out::new(self.plan, self.landing);
        let (sender, receiver) = channel(ANSWERS_IN_FLIGHT);
        let (searched, listed, archived) =
            tokio::try_join!(self.search(sender.clone()), self.list(sender), self.write(receiver, &mut states, &mut out))?;
        self.archived(&archived, &mut states, &mut out).await?;
        fault_point!("hubspot.fetch.after");
        let mut facts = BTreeMap::from([
            ("announced".to_owned(), searched.announced.into()),
            ("properties_by".to_owned(), if self.question.whole { "search" } else { "id" }.into()),
        ]);
        if !searched.vanished.is_empty() {
            facts.insert("vanished".to_owned(), searched.vanished.len().into());
        }
        if let Some(mut listed) = listed {
            // A list may have shown them before.
            for id in &searched.vanished {
                listed.live.remove(id);
            }
            let absent = self.absent(&states, &listed.live).await?;
            let behind = states.behind(&listed.live, self.plan.to);
            facts.insert("live".to_owned(), listed.live.len().into());
            facts.insert("archived".to_owned(), listed.archived.into());
            facts.insert("absent".to_owned(), absent.len().into());
            if behind > 0 {
                tracing::warn!(
                    objects = behind,
                    "live objects have changed unseen: the search lags, or no window was before this one"
                );
                facts.insert("behind".to_owned(), behind.into());
            }
            out.swept(absent.into_iter().map(|id| Row::absent(id, self.plan.to)).collect()).await?;
            fault_point!("hubspot.sweep.after");
        }
        self.bar.done();
        out.finish(facts).await
    }

    /// A cursor that the type does not have would find nothing, and a property nothing of it, without any error.
    fn properties_exist(&self, known: &HashSet<String>) -> Result<(), HubspotError> {
        let named: BTreeSet<&String> = self.object.properties.iter().chain([&self.object.cursor]).collect();
        let names: Vec<String> = named.into_iter().filter(|name| !known.contains(*name)).cloned().collect();
        if names.is_empty() { Ok(()) } else { Err(HubspotError::Property { object: self.object.object.clone(), names }) }
    }

    /// Searches page by page; hands over the objects, or has them read by id where the search cannot take the properties.
    async fn search(&self, found: Sender<Found>) -> anyhow::Result<Searched> {
        let mut searched = Searched::default();
        if self.question.empty() {
            return Ok(searched);
        }
        if self.question.whole {
            searched.announced = self.pages(async |objects| hand_over(&found, objects).await).await?;
            return Ok(searched);
        }
        let (sender, receiver) = channel::<Vec<u64>>(ANSWERS_IN_FLIGHT);
        let pages = async move {
            let ids = async |objects: Vec<Object>| send(&sender, objects.iter().map(|object| object.id).collect()).await;
            self.pages(ids).await
        };
        (searched.announced, searched.vanished) = tokio::try_join!(pages, self.by_id(receiver, &found))?;
        Ok(searched)
    }

    /// Reads all pages of the search; returns how many objects the first one announced.
    async fn pages(&self, mut each: impl AsyncFnMut(Vec<Object>) -> anyhow::Result<()>) -> anyhow::Result<u64> {
        let what = &self.object.object;
        let (mut announced, mut after) = (None, Some(0));
        while let Some(id) = after {
            let page = self.api.search(what, self.question.body(id)).await.attach()?;
            // Without a total nothing tells whether the page is whole.
            let total = page.total.ok_or_else(|| HubspotError::Form { what: what.clone(), line: 0, column: 0 }).attach()?;
            after = question::check(what, id, total, &page).attach()?;
            announced.get_or_insert(total);
            each(page.objects).await?;
        }
        Ok(announced.unwrap_or(0))
    }

    /// Reads objects by id, some readings at a time; returns those that were not there any more.
    async fn by_id(&self, ids: Receiver<Vec<u64>>, found: &Sender<Found>) -> anyhow::Result<Vec<u64>> {
        let pages = stream::unfold(ids, async |mut ids| ids.recv().await.map(|page| (page, ids)));
        let batches = pages.flat_map(|page| stream::iter(page.chunks(BATCH).map(<[u64]>::to_vec).collect::<Vec<_>>()));
        let readings = batches.map(async |ids| {
            let objects = self.api.read(&self.object.object, &ids, &self.object.properties).await?;
            Ok::<_, HubspotError>((ids, objects))
        });
        let mut readings = std::pin::pin!(readings.buffer_unordered(READINGS_MAX));
        let mut vanished = Vec::new();
        while let Some((asked, objects)) = readings.try_next().await.attach()? {
            let there: HashSet<u64> = objects.iter().map(|object| object.id).collect();
            vanished.extend(asked.into_iter().filter(|id| !there.contains(id)));
            hand_over(found, objects).await?;
        }
        Ok(vanished)
    }

    /// Reads both lists, if the run sweeps.
    async fn list(&self, found: Sender<Found>) -> anyhow::Result<Option<Listed>> {
        if !self.sweep {
            return Ok(None);
        }
        let id = ["hs_object_id".to_owned()];
        let mut live = Listing::new(self.api, &self.object.object, false, &id);
        let mut archived = Listing::new(self.api, &self.object.object, true, &self.object.properties);
        let live_ids = async {
            while live.next().await.attach()?.is_some() {}
            anyhow::Ok(())
        };
        let archived_objects = async {
            while let Some(objects) = archived.next().await.attach()? {
                send(&found, Found::Archived(objects)).await?;
            }
            anyhow::Ok(())
        };
        tokio::try_join!(live_ids, archived_objects)?;
        Ok(Some(Listed { live: live.seen(), archived: archived.seen().len() }))
    }

    /// Writes what the others find; returns the archived objects that are news and whose properties the list could not give.
    async fn write(&self, mut found: Receiver<Found>, states: &mut States, out: &mut Out<'_>) -> anyhow::Result<Vec<Object>> {
        let whole = api::in_address(&self.object.properties);
        let mut unread = Vec::new();
        while let Some(found) = found.recv().await {
            let (objects, announced) = match found {
                Found::Changed(objects, announced) => (objects, Some(announced)),
                Found::Archived(objects) => (objects, None),
            };
            self.bar.inc(objects.len() as u64);
            let new = objects.into_iter().filter(|object| announced.is_some() || is_new(states, object));
            if announced.is_none() && !whole {
                unread.extend(new);
                continue;
            }
            let rows: Vec<Row> = new.map(Row::object).collect();
            if self.sweep {
                rows.iter().for_each(|row| states.observe(row.key, row.state()));
            }
            match announced {
                Some(announced) => out.fetched(announced, rows).await?,
                None => out.swept(rows).await?,
            }
        }
        Ok(unread)
    }

    /// Reads archived objects by id, some readings at a time, and writes them. One that is not answered was archived when the
    /// list showed it, and lands as the list has it.
    async fn archived(&self, listed: &[Object], states: &mut States, out: &mut Out<'_>) -> anyhow::Result<()> {
        let batches = stream::iter(listed.chunks(BATCH).map(<[Object]>::to_vec).collect::<Vec<_>>());
        let readings = batches.map(async |listed: Vec<Object>| {
            let ids: Vec<u64> = listed.iter().map(|object| object.id).collect();
            let objects = self.api.read_archived(&self.object.object, &ids, &self.object.properties).await?;
            Ok::<_, HubspotError>((listed, objects))
        });
        let mut readings = std::pin::pin!(readings.buffer_unordered(READINGS_MAX));
        while let Some((listed, objects)) = readings.try_next().await.attach()? {
            let archived = objects.into_iter().filter(|object| object.archived_at.is_some());
            let mut whole: HashMap<u64, Object> = archived.map(|object| (object.id, object)).collect();
            let objects = listed.into_iter().map(|object| whole.remove(&object.id).unwrap_or(object));
            let rows: Vec<Row> = objects.map(Row::object).collect();
            rows.iter().for_each(|row| states.observe(row.key, row.state()));
            out.swept(rows).await?;
        }
        Ok(())
    }

    /// Returns the ids that Bronze knows as present and the account does not have any more. Each is asked for by id before
    /// it counts: an object that a list has missed must not be taken for a deleted one.
    async fn absent(&self, states: &States, live: &HashMap<u64, i64>) -> anyhow::Result<Vec<u64>> {
        let mut absent = states.gone(live, self.plan.to);
        let there = self.api.there(&self.object.object, &absent).await.attach()?;
        absent.retain(|id| !there.contains(id));
        Ok(absent)
    }
}

/// Whether the archival of an object is news.
fn is_new(states: &States, object: &Object) -> bool {
    states.archival_is_new(object.id, object.archived_at.unwrap_or(object.updated_at).timestamp_micros())
}

/// Hands over objects that are all that an answer announced.
async fn hand_over(found: &Sender<Found>, objects: Vec<Object>) -> anyhow::Result<()> {
    let announced = objects.len() as u64;
    send(found, Found::Changed(objects, announced)).await
}

async fn send<T>(sender: &Sender<T>, value: T) -> anyhow::Result<()> {
    // The writer's own error is what the run ends with.
    sender.send(value).await.map_err(|_| anyhow!("failed to land rows: the writer stopped"))
}
