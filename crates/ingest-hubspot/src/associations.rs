//! Lands what changed among the associations of two types: those of all live objects are read and compared with Bronze.

use crate::{
    api::{Api, BATCH, Input},
    decode::Pairs,
    error::HubspotError,
    landed::{Landed, Out},
    listing::Listing,
    rows::{Plan, Row},
    states::{Key, States},
};
use anyhow::anyhow;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use lake_bronze::Landing;
use lake_core::{contract::layer::HubspotAssociation, fault_point};
use lake_edge::{Attach as _, Bar};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    pin::pin,
};
use tokio::sync::mpsc::{Sender, channel};

/// Questions at a time, and pages of ids that wait for them.
const QUESTIONS_MAX: usize = 8;

/// One reading of all associations.
pub(crate) struct Reading<'a> {
    /// The account.
    pub(crate) api: &'a Api,
    /// What is landed.
    pub(crate) plan: &'a Plan,
    /// Where.
    pub(crate) landing: &'a Landing,
    /// The two types.
    pub(crate) pair: &'a HubspotAssociation,
    /// What a person sees.
    pub(crate) bar: Bar,
}

/// What is known and what was seen.
struct Compared<'a> {
    states: States,
    seen: HashSet<Key>,
    out: Out<'a>,
}

impl Reading<'_> {
    /// Reads the associations and writes those that changed.
    pub(crate) async fn land(&self) -> anyhow::Result<Landed> {
        let states = States::read(self.landing, true).await?;
        let mut compared = Compared { states, seen: HashSet::new(), out: Out::new(self.plan, self.landing) };
        let (sender, receiver) = channel(QUESTIONS_MAX);
        let ids = stream::unfold(receiver, async |mut ids| ids.recv().await.map(|page| (page, ids)));
        let (live, next) = tokio::try_join!(self.ids(sender), self.read(ids, &mut compared))?;
        self.read_on(next, &mut compared).await?;
        let missed = self.missed(&live, &compared).await?;
        self.read_on(missed, &mut compared).await?;
        fault_point!("hubspot.fetch.after");
        let Compared { states, seen, mut out } = compared;
        let unseen = states.unseen(&seen, self.plan.from);
        let facts = BTreeMap::from([
            ("live".to_owned(), live.len().into()),
            ("associations".to_owned(), seen.len().into()),
            ("absent".to_owned(), unseen.len().into()),
        ]);
        out.swept(unseen.into_iter().map(|(key, since)| Row::removed(key, self.plan.from, since)).collect()).await?;
        fault_point!("hubspot.sweep.after");
        self.bar.done();
        out.finish(facts).await
    }

    /// Hands over the ids of all live objects, and returns them, with their last changes, when they are through.
    async fn ids(&self, ids: Sender<Vec<Input>>) -> anyhow::Result<HashMap<u64, i64>> {
        let id = ["hs_object_id".to_owned()];
        let mut live = Listing::new(self.api, &self.pair.from, false, &id);
        while let Some(objects) = live.next().await.attach()? {
            let inputs = objects.iter().map(|object| Input { id: object.id, after: None }).collect();
            // The reader's own error is what the run ends with.
            ids.send(inputs).await.map_err(|_| anyhow!("failed to read associations: the reader stopped"))?;
        }
        Ok(live.seen())
    }

    /// Returns the objects that the list did not show and that are there all the same. Each object with associations that would
    /// count as removed is asked for by id: those of an object that a list has missed must not be taken for removed ones.
    async fn missed(&self, live: &HashMap<u64, i64>, compared: &Compared<'_>) -> anyhow::Result<Vec<Input>> {
        let unlisted = |(key, _): (Key, i64)| match key {
            Key::Pair(from, _) if !live.contains_key(&from) => Some(from),
            _ => None,
        };
        let unseen = compared.states.unseen(&compared.seen, self.plan.from);
        let unlisted: Vec<u64> = unseen.into_iter().filter_map(unlisted).collect::<BTreeSet<_>>().into_iter().collect();
        let there = self.api.there(&self.pair.from, &unlisted).await.attach()?;
        Ok(there.into_iter().map(|id| Input { id, after: None }).collect())
    }

    /// Reads from where pages begin until none follows: objects with more than a page of associations go on together.
    async fn read_on(&self, mut next: Vec<Input>, compared: &mut Compared<'_>) -> anyhow::Result<()> {
        while !next.is_empty() {
            let inputs = stream::iter(next.chunks(BATCH).map(<[Input]>::to_vec).collect::<Vec<_>>());
            next = self.read(inputs, compared).await?;
        }
        Ok(())
    }

    /// Reads a page of associations of each object, some questions at a time; returns where the next pages begin.
    async fn read(&self, inputs: impl Stream<Item = Vec<Input>>, compared: &mut Compared<'_>) -> anyhow::Result<Vec<Input>> {
        let asked = inputs.filter(|inputs| std::future::ready(!inputs.is_empty()));
        let answers = asked.map(async |inputs: Vec<Input>| self.api.associations(self.pair, &inputs).await);
        let mut answers = pin!(answers.buffer_unordered(QUESTIONS_MAX));
        let mut next = Vec::new();
        while let Some(Pairs { pairs, next: more, .. }) = answers.try_next().await.attach()? {
            self.bar.inc(pairs.len() as u64);
            let mut rows = Vec::new();
            for pair in pairs {
                let (key, types) = (Key::Pair(pair.from, pair.to), pair.types);
                if !compared.seen.insert(key) {
                    let what = format!("associations of {} with {}", self.pair.from, self.pair.to);
                    return Err(HubspotError::Order { what }).attach();
                }
                if let Some(since) = compared.states.pair_is_new(key, types, self.plan.from) {
                    rows.push(Row::pair(pair, self.plan.from, since));
                }
            }
            let changed = rows.len() as u64;
            compared.out.fetched(changed, rows).await?;
            next.extend(more.into_iter().map(|(id, after)| Input { id, after: Some(after) }));
        }
        Ok(next)
    }
}
