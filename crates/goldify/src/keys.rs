//! Which key a table's tokens are made with, and that no two keys meet unseen.
//!
//! A table keeps its key: what its rows say decides, not what a file of secrets holds today. Only a rotation (`rotation`) gives
//! it another one, and its record says which key the lake has since.

use crate::{build::views, error::GoldError, rotation::Rotations};
use anyhow::Context as _;
use arrow::array::AsArray as _;
use futures::TryStreamExt as _;
use lake_core::{
    Fault, Secret,
    contract::TOKEN_KEY_ID,
    mask::{Method, TokenKey},
};
use lake_edge::{Attach as _, Edge};
use lake_table::{Table, TableSpec};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Whether models of the table see tokens of an input.
pub(crate) fn needed(edge: &Edge) -> bool {
    views(edge).any(|(_, method)| method == Method::Token)
}

/// Reads the key that stands in a secret.
pub(crate) fn parse(secret: &Secret, name: &str) -> anyhow::Result<TokenKey> {
    TokenKey::parse(secret).with_context(|| format!("failed to use secret `{name}`")).context(Fault::Config)
}

/// Returns the ids of the keys with which a table's tokens were made: none for a table without tokens or rows, else one.
pub(crate) async fn ids(table: &Table) -> anyhow::Result<BTreeSet<String>> {
    let mut ids = BTreeSet::new();
    if table.spec().schema.field_with_name(TOKEN_KEY_ID).is_err() {
        return Ok(ids);
    }
    let mut batches = table.scan(table.files().to_vec(), Some(vec![TOKEN_KEY_ID.to_owned()]));
    while let Some(batch) = batches.try_next().await.attach()? {
        let texts = batch.column(0).as_string_opt::<i32>().context("the ids of keys are no text")?;
        for id in texts.iter().flatten() {
            if !ids.contains(id) {
                ids.insert(id.to_owned());
            }
        }
    }
    Ok(ids)
}

/// The key of a run that builds a table; none where no view needs one: such tables must not change with it.
///
/// # Errors
/// [`Fault::Config`] when the key of the table's rows, or of the lake, is in no known secret.
pub(crate) async fn choose(edge: &Edge) -> anyhow::Result<Option<TokenKey>> {
    if !needed(edge) {
        return Ok(None);
    }
    let rotations = Rotations::read(&edge.lake).await?;
    let lake = rotations.key();
    let own = match Table::open(&edge.lake, &TableSpec::of(&edge.contract)).await.attach()? {
        Some(table) => ids(&table).await?.into_iter().next(),
        None => None,
    };
    let table = || edge.contract.table.clone();
    if let (Some(own), Some(lake)) = (&own, lake)
        && own != &lake.id
        && rotations.pending().is_none()
    {
        let (id, lake, secret) = (own.clone(), lake.id.clone(), lake.secret.clone());
        return Err(GoldError::KeyLeftBehind { table: table(), id, lake, secret }).attach();
    }
    let mut secrets = vec![edge.policy.token_key_secret.as_str()];
    secrets.extend(rotations.secrets());
    let Some(wanted) = own.or_else(|| lake.map(|lake| lake.id.clone())) else {
        return parse(&edge.secret(secrets[0])?, secrets[0]).map(Some);
    };
    let mut unread = None;
    for name in &secrets {
        match edge.secret(name).and_then(|secret| parse(&secret, name)) {
            Ok(key) if key.id == wanted => return Ok(Some(key)),
            Ok(_) => {}
            Err(error) => unread = Some(error),
        }
    }
    match unread {
        // It may be the one.
        Some(error) => Err(error),
        None => Err(GoldError::KeyUnknown { table: table(), id: wanted, secrets: secrets.join("`, `") }).attach(),
    }
}

/// Returns the one key with which the tokens of all inputs were made, that of the run included: tokens of two keys are never
/// equal, so a join of them would find nothing and say nothing.
///
/// # Errors
/// [`Fault::Transient`] when there are two: a rotation is under way, or a rotated table waits for its gate.
pub(crate) async fn belong_together(
    edge: &Edge,
    inputs: &BTreeMap<String, Arc<Table>>,
    key: Option<&TokenKey>,
) -> anyhow::Result<Option<String>> {
    let mut seen: Option<(String, String)> = key.map(|key| ("this run".to_owned(), key.id.clone()));
    for (name, table) in inputs.iter().filter(|(name, _)| edge.contracts.get(name).is_some_and(|c| c.gold().is_some())) {
        for id in ids(table).await? {
            let here = (format!("`{name}`"), id);
            match &seen {
                Some(other) if other.1 != here.1 => {
                    let text = |(who, id): &(String, String)| format!("{who} has key `{id}`");
                    return Err(GoldError::Keys { one: text(other), other: text(&here) }).attach();
                }
                _ => seen = Some(here),
            }
        }
    }
    Ok(seen.map(|(_, id)| id))
}

/// What a commit may do to the key of a table.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    /// The key of the rows to come.
    pub(crate) key_id: Option<String>,
    /// Whether the commit is that of a rotation.
    pub(crate) rotates: bool,
}

impl Guard {
    /// Checks, at the snapshot of the commit, that no rotation came in between: the rows that stand in the table have the key of
    /// those to come; of a rotation, that it is still the last one.
    ///
    /// # Errors
    /// [`Fault::Transient`] when there is another key.
    pub(crate) async fn check(&self, table: &Table) -> anyhow::Result<()> {
        let other = if self.rotates {
            let rotations = Rotations::read(table.lake()).await?;
            let last = rotations.pending().or(rotations.key()).map(|key| key.id.clone());
            last.filter(|last| self.key_id.as_ref().is_some_and(|own| own != last))
        } else {
            ids(table).await?.into_iter().find(|id| Some(id) != self.key_id.as_ref())
        };
        match other {
            None => Ok(()),
            Some(id) => Err(GoldError::KeyChanged { table: table.spec().name.clone(), id }).attach(),
        }
    }
}
