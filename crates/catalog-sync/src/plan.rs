//! What is to be done with one entry: a pure function of what should be there and what is.

use crate::{
    entry::{COLUMN_CLASS, CatalogColumn, Entry, ONLY_PARAMETERS, Parameters},
    error::SyncError,
    wanted::Wanted,
};

/// What is to be done with an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It is as it should be.
    Keep,
    /// It is of a later version of the table: another sync was quicker, and nothing goes back.
    Later(i64),
    /// There is none.
    Create(Box<Entry>),
    /// It differs in something.
    Update(Box<Update>),
}

/// An entry that takes another one's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Update {
    pub(crate) entry: Entry,
    /// In what it differs, what matters most first.
    pub(crate) what: &'static str,
    /// Whether the old entry is worth keeping: one that only names an earlier version of the same table is not, and there would
    /// be one after every run.
    pub(crate) archive: bool,
}

/// Decides what is to be done. Columns that the table no longer has stay, unless they are pruned.
pub(crate) fn decide(wanted: &Wanted, present: Option<&Entry>, prune: bool) -> Result<Decision, SyncError> {
    let Some(present) = present else { return Ok(Decision::Create(Box::new(wanted.entry.clone()))) };
    if place_of(&present.location) != place_of(&wanted.entry.location) {
        return Err(SyncError::Foreign {
            table: wanted.entry.name.clone(),
            found: present.location.clone(),
            location: wanted.entry.location.clone(),
        });
    }
    if let Some((id, version)) = present.synced()
        && id == wanted.id
        && version > wanted.version
    {
        return Ok(Decision::Later(version));
    }
    let entry = merged(&wanted.entry, present, prune);
    Ok(match entry.difference(present) {
        None => Decision::Keep,
        Some(what) => Decision::Update(Box::new(Update { entry, what, archive: what != ONLY_PARAMETERS })),
    })
}

/// Columns of an entry that the table does not have.
pub(crate) fn gone<'e>(wanted: &'e Entry, present: &'e Entry) -> impl Iterator<Item = &'e CatalogColumn> {
    present.all_columns().filter(move |column| !wanted.all_columns().any(|own| own.is_named(&column.name)))
}

/// The entry that should be there, with what others have added to the one that is, and what may not be dropped.
fn merged(wanted: &Entry, present: &Entry, prune: bool) -> Entry {
    let mut entry = wanted.clone();
    entry.parameters = with(&present.parameters, &wanted.parameters);
    entry.serde_parameters = with(&present.serde_parameters, &wanted.serde_parameters);
    for column in entry.columns.iter_mut().chain(&mut entry.partition_keys) {
        if let Some(old) = present.all_columns().find(|old| old.is_named(&column.name)) {
            let mut others = old.parameters.clone();
            others.remove(COLUMN_CLASS);
            column.parameters = with(&others, &column.parameters);
        }
    }
    if !prune {
        entry.columns.extend(gone(wanted, present).cloned());
    }
    entry
}

fn with(others: &Parameters, ours: &Parameters) -> Parameters {
    let mut all = others.clone();
    all.extend(ours.iter().map(|(key, value)| (key.clone(), value.clone())));
    all
}

/// A location without what means the same.
fn place_of(location: &str) -> &str {
    let path = ["s3a://", "s3n://", "s3://"].iter().find_map(|scheme| location.strip_prefix(scheme));
    path.unwrap_or(location).trim_end_matches('/')
}
