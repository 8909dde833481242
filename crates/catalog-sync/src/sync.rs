//! Brings databases and entries of a catalog up to a lake.

use crate::{
    args::LayerName,
    entry::{CONTRACT, Catalog, Entry, Present, Replacement},
    error::SyncError,
    glue_error::GlueError,
    plan::{self, Decision},
    report::{Outcome, Report, Told},
    wanted::Wanted,
};
use lake_core::Contract;
use lake_table::{Lake, Shape, TableSpec};
use std::collections::BTreeMap;

/// How often an entry is looked at before a sync gives up; each look but the last may end in a write. Every other writer that is
/// met costs one.
const LOOKS_MAX: usize = 6;

/// One sync of a lake with a catalog.
#[derive(Debug)]
pub(crate) struct LakeSync<'a, C> {
    pub(crate) catalog: &'a C,
    pub(crate) lake: &'a Lake,
    /// What names of databases begin with.
    pub(crate) database_prefix: &'a str,
    pub(crate) prune: bool,
    pub(crate) dry_run: bool,
    /// Whether all contracts of a layer are synced, so that an entry without one has lost it.
    pub(crate) whole: bool,
}

impl<C: Catalog> LakeSync<'_, C> {
    /// Syncs layers, each with its contracts. What is wrong with one table is noted, and the others follow.
    pub(crate) async fn layers(&self, layers: &[(LayerName, Vec<&Contract>)], report: &mut Report) -> Result<(), SyncError> {
        for (layer, contracts) in layers {
            self.layer(*layer, contracts, report).await?;
        }
        Ok(())
    }

    async fn layer(&self, layer: LayerName, contracts: &[&Contract], report: &mut Report) -> Result<(), SyncError> {
        let database = format!("{}{}", self.database_prefix, layer.name());
        let mut present: BTreeMap<String, Present> = BTreeMap::new();
        match self.catalog.tables(&database).await? {
            Some(found) => present.extend(found.into_iter().map(|one| (one.entry.name.clone(), one))),
            None => self.make_database(layer, &database, report).await?,
        }
        for contract in contracts {
            match self.table(&database, contract, present.remove(&contract.table)).await {
                Ok(told) => report.add(told),
                Err(error) if error.is_of_one_table() => report.fail(error),
                Err(error) => return Err(error),
            }
        }
        let left = present.into_values().map(|one| one.entry).filter(|entry| self.whole && self.is_ours(entry));
        for entry in left {
            report.add(self.lost(&database, &entry, "it has no contract").await?);
        }
        Ok(())
    }

    async fn make_database(&self, layer: LayerName, database: &str, report: &mut Report) -> Result<(), SyncError> {
        if !self.dry_run {
            let description = format!("Tables of the {} layer; written by catalog-sync", layer.name());
            let location = format!("{}{}", self.lake.uri(), layer.name());
            self.catalog.make_database(database, &description, &location).await?;
            lake_core::fault_point!("catalog.database.after");
        }
        report.made(database);
        Ok(())
    }

    /// Syncs one entry: looks, writes, and looks again until nothing is to be written. The table itself is read again with each
    /// look: who was overtaken must not put an older version of it over a newer one.
    async fn table(&self, database: &str, contract: &Contract, mut present: Option<Present>) -> Result<Told, SyncError> {
        let mut written = None;
        let mut what = "parameters";
        let mut later = false;
        for _ in 0..LOOKS_MAX {
            let Some(wanted) = self.wanted(contract).await? else {
                return self.without_table(database, contract, present).await;
            };
            let entry = present.as_ref().map(|present| &present.entry);
            let mut decision = plan::decide(&wanted, entry, self.prune)?;
            if let (Decision::Later(_), Some(entry)) = (&decision, entry) {
                // Who wrote that version had read it in the log, which was read after the entry: it was put back since. Seen twice,
                // for a store that shows late what is in it.
                if !later {
                    later = true;
                    present = self.catalog.table(database, &contract.table).await?;
                    continue;
                }
                decision = plan::decide(&wanted, Some(&entry.unsynced()), self.prune)?;
            }
            let (outcome, why) = match &decision {
                Decision::Keep | Decision::Later(_) => (Outcome::Unchanged, None),
                Decision::Create(_) => (Outcome::Created, None),
                Decision::Update(update) => (Outcome::Updated, Some(update.what)),
            };
            if self.dry_run || matches!(decision, Decision::Keep | Decision::Later(_)) {
                let (outcome, why) = written.unwrap_or((outcome, why));
                return Ok(Told {
                    version: Some(wanted.version),
                    why,
                    columns_left: self.columns_left(&wanted, entry),
                    ..Told::new(database, &contract.table, outcome)
                });
            }
            what = why.unwrap_or(what);
            lake_core::fault_point!("catalog.write.before");
            let wrote = self.write(database, &decision, present.as_ref()).await;
            lake_core::fault_point!("catalog.write.after");
            match wrote {
                Ok(()) => written = written.or(Some((outcome, why))),
                Err(GlueError::Overtaken { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            present = self.catalog.table(database, &contract.table).await?;
        }
        Err(SyncError::Contended { table: contract.table.clone(), what, tries: LOOKS_MAX })
    }

    async fn write(&self, database: &str, decision: &Decision, present: Option<&Present>) -> Result<(), GlueError> {
        match decision {
            Decision::Keep | Decision::Later(_) => Ok(()),
            Decision::Create(entry) => self.catalog.create(database, entry).await,
            Decision::Update(update) => {
                let version_id = present.and_then(|present| present.version_id.as_deref());
                let replacement = Replacement { entry: &update.entry, version_id, archive: update.archive };
                self.catalog.update(database, replacement).await
            }
        }
    }

    async fn wanted(&self, contract: &Contract) -> Result<Option<Wanted>, SyncError> {
        let spec = TableSpec::of(contract);
        let Some(shape) = Shape::read(self.lake, &spec).await? else { return Ok(None) };
        let location = format!("{}{}", self.lake.uri(), spec.location);
        Wanted::of(contract, &shape, &location).map(Some)
    }

    fn columns_left(&self, wanted: &Wanted, entry: Option<&Entry>) -> Vec<String> {
        let gone = entry.filter(|_| !self.prune).into_iter().flat_map(|entry| plan::gone(&wanted.entry, entry));
        gone.map(|column| column.name.clone()).collect()
    }

    /// A contract whose table is not there: not yet, or not any more.
    async fn without_table(&self, database: &str, contract: &Contract, present: Option<Present>) -> Result<Told, SyncError> {
        match present {
            Some(present) if self.is_ours(&present.entry) => self.lost(database, &present.entry, "its Delta table is gone").await,
            _ => Ok(Told::new(database, &contract.table, Outcome::Skipped)),
        }
    }

    /// Whether a sync of this lake has made an entry: no other is ever dropped, also none of a lake that stands inside this one.
    fn is_ours(&self, entry: &Entry) -> bool {
        let place = entry.location.strip_prefix(self.lake.uri());
        // `<layer>/<rest of the name>`
        entry.parameters.contains_key(CONTRACT) && place.is_some_and(|place| place.matches('/').count() == 1)
    }

    /// An entry that describes nothing any more.
    async fn lost(&self, database: &str, entry: &Entry, why: &'static str) -> Result<Told, SyncError> {
        if self.prune && !self.dry_run {
            lake_core::fault_point!("catalog.drop.before");
            self.catalog.drop_table(database, &entry.name).await?;
            lake_core::fault_point!("catalog.drop.after");
        }
        let outcome = if self.prune { Outcome::Dropped } else { Outcome::Left };
        Ok(Told { why: Some(why), ..Told::new(database, &entry.name, outcome) })
    }
}
