//! The cut: one version of every input, and whether the versions belong together.
//!
//! Two inputs belong together when neither has seen more than the other of anything that both are made from. Otherwise an
//! order could stand in the facts without its lines.

use crate::error::GoldError;
use lake_core::{Contract, contract::Layer};
use lake_edge::{Attach as _, Edge};
use lake_quality::verdict;
use lake_table::{Table, TableSpec};
use std::{collections::BTreeMap, sync::Arc};

/// One version of every input.
#[derive(Debug)]
pub(crate) struct Cut {
    tables: BTreeMap<String, Arc<Table>>,
}

impl Cut {
    /// Opens every input at the version that the caller fixed, by default at the newest one that passed its checks. Where the
    /// caller is trusted, fixed versions need not have passed.
    ///
    /// # Errors
    /// For a fixed version of what is no input or that has not passed, an input that is not there or has no passed version, and
    /// versions that do not belong together.
    pub(crate) async fn of(edge: &Edge, is_trusted: bool) -> anyhow::Result<Self> {
        let inputs = edge.contract.inputs();
        if let Some(other) = edge.inputs.keys().find(|name| !inputs.contains(&name.as_str())) {
            return Err(GoldError::NoInput { input: other.clone(), table: edge.contract.table.clone() }).attach();
        }
        let verdicts = Table::open(&edge.lake, &verdict::spec()).await.attach()?;
        let mut tables = BTreeMap::new();
        for name in inputs {
            let version = match edge.inputs.get(name) {
                Some(fixed) if is_trusted => Some(*fixed),
                Some(fixed) => Some(permitted(edge, verdicts.as_ref(), name, *fixed).await?),
                None => passed(edge, verdicts.as_ref(), name).await?,
            };
            tables.insert(name.to_owned(), Arc::new(open(edge, name, version).await?));
        }
        let cut = Self { tables };
        cut.belongs_together(edge).await?;
        Ok(cut)
    }

    /// The inputs, by name.
    pub(crate) const fn tables(&self) -> &BTreeMap<String, Arc<Table>> {
        &self.tables
    }

    /// Version of each input, by name.
    pub(crate) fn versions(&self) -> BTreeMap<String, i64> {
        self.tables.iter().map(|(name, table)| (name.clone(), table.version())).collect()
    }

    /// Version of each input, by the table's id.
    pub(crate) fn progress(&self) -> Vec<(String, i64)> {
        self.tables.values().map(|table| (table.id().to_owned(), table.version())).collect()
    }

    async fn belongs_together(&self, edge: &Edge) -> anyhow::Result<()> {
        let silver = self.silver().await?;
        for (source, readers) in shared_sources(edge, &silver) {
            let Some(upstream) = Table::open(&edge.lake, &TableSpec::of(source)).await.attach()? else { continue };
            let mut seen: Option<(&str, Option<i64>)> = None;
            for reader in readers {
                let consumed = self.consumed(edge, reader, silver[reader], upstream.id()).await?;
                match seen {
                    Some((other, version)) if version != consumed => {
                        let text = |v: Option<i64>| v.map_or_else(|| "no version".to_owned(), |v| format!("version {v}"));
                        let (one, other) =
                            (format!("`{other}` has read {}", text(version)), format!("`{reader}` {}", text(consumed)));
                        return Err(GoldError::Torn { source_table: source.table.clone(), one, other }).attach();
                    }
                    _ => seen = Some((reader, consumed)),
                }
            }
        }
        Ok(())
    }

    /// Versions of all Silver tables under the result: the inputs, and what Gold inputs are made from. What two of them are made
    /// from, or one of them and this run, is the same version: facts must not meet a later dimension than the one they name.
    async fn silver(&self) -> anyhow::Result<BTreeMap<String, i64>> {
        let mut silver = self.versions();
        let mut by: BTreeMap<String, &str> = BTreeMap::new();
        for (name, table) in self.tables.iter().filter(|(name, _)| name.starts_with("gold_")) {
            let Some(summary) = table.last_summary().await.attach()? else { continue };
            for (input, version) in summary.inputs {
                let other = by.get(&input).copied();
                match silver.get(&input) {
                    Some(known) if *known != version => {
                        let known = other.map_or_else(
                            || format!("this run reads version {known}"),
                            |o| format!("`{o}` is made from version {known}"),
                        );
                        let made = format!("`{name}` is made from version {version}");
                        return Err(GoldError::Torn { source_table: input, one: known, other: made }).attach();
                    }
                    _ => {
                        silver.insert(input.clone(), version);
                        by.entry(input).or_insert(name);
                    }
                }
            }
        }
        silver.retain(|name, _| name.starts_with("silver_"));
        Ok(silver)
    }

    async fn consumed(&self, edge: &Edge, reader: &str, version: i64, source: &str) -> anyhow::Result<Option<i64>> {
        match self.tables.get(reader) {
            Some(table) => table.txn(source).await.attach(),
            None => open(edge, reader, Some(version)).await?.txn(source).await.attach(),
        }
    }
}

/// Tables that more than one of the Silver tables read, with their readers.
fn shared_sources<'a>(edge: &'a Edge, silver: &'a BTreeMap<String, i64>) -> Vec<(&'a Contract, Vec<&'a str>)> {
    let mut readers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in silver.keys() {
        for source in edge.contracts.get(name).map(Contract::inputs).unwrap_or_default() {
            readers.entry(source).or_default().push(name);
        }
    }
    let shared = readers.into_iter().filter(|(_, readers)| readers.len() > 1);
    let bronze = shared.filter_map(|(source, readers)| Some((edge.contracts.get(source)?, readers)));
    bronze.filter(|(source, _)| matches!(source.layer, Layer::Bronze(_))).collect()
}

/// The caller's version, which must have passed: a gate that can be walked around by naming a version is none.
async fn permitted(edge: &Edge, verdicts: Option<&Table>, name: &str, version: i64) -> anyhow::Result<i64> {
    let all = match verdicts {
        Some(verdicts) => verdict::read(verdicts, name).await.attach()?,
        None => Vec::new(),
    };
    let contract = edge.contracts.table(name).attach()?;
    match verdict::decided(&all, &contract.hash, version, edge.run.window.to()) {
        Some(true) => Ok(version),
        found => Err(GoldError::NotPassed { input: name.to_owned(), version, failed: found.is_some() }).attach(),
    }
}

/// The newest version that passed its checks; `None`, the newest at all, for a table that no check has looked at yet.
async fn passed(edge: &Edge, verdicts: Option<&Table>, name: &str) -> anyhow::Result<Option<i64>> {
    let Some(verdicts) = verdicts else { return Ok(None) };
    let all = verdict::read(verdicts, name).await.attach()?;
    if all.is_empty() {
        return Ok(None);
    }
    let contract = edge.contracts.table(name).attach()?;
    match verdict::newest_passed(&all, &contract.hash) {
        Some(version) => Ok(Some(version)),
        None => Err(GoldError::Unchecked { input: name.to_owned() }).attach(),
    }
}

async fn open(edge: &Edge, name: &str, version: Option<i64>) -> anyhow::Result<Table> {
    let spec = TableSpec::of(edge.contracts.table(name).attach()?);
    let opened = match version {
        Some(version) => Table::open_at(&edge.lake, &spec, version).await.map(Some),
        None => Table::open(&edge.lake, &spec).await,
    };
    opened.attach()?.ok_or_else(|| GoldError::Missing { input: name.to_owned() }).attach()
}
