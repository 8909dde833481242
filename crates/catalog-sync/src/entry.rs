//! Entries of the catalog, as far as a sync has to do with them, and the catalog as it needs it.

use crate::glue_error::GlueError;
use std::collections::BTreeMap;

/// Key of a table's parameter: the Delta version that was synced.
pub(crate) const VERSION: &str = "sluice.delta_version";
/// Key of a table's parameter: the Delta table's id. Versions of two ids are not compared.
pub(crate) const ID: &str = "sluice.delta_id";
/// Key of a table's parameter: `id@version` of the contract. An entry that has it is one of ours.
pub(crate) const CONTRACT: &str = "sluice.contract";
/// Key of a table's parameter: the strictest class among its columns.
pub(crate) const TABLE_CLASS: &str = "sluice.classification";
/// Key of a column's parameter: its class in the contract.
pub(crate) const COLUMN_CLASS: &str = "classification";
/// Key of the SerDe's parameter from which Athena and Trino take the table's place.
pub(crate) const PATH: &str = "path";

pub(crate) type Parameters = BTreeMap<String, String>;

/// A column; what the catalog does not say is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CatalogColumn {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) comment: String,
    pub(crate) parameters: Parameters,
}

impl CatalogColumn {
    /// Hive's names do not know case, and a catalog may fold it.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    fn is_like(&self, other: &Self) -> bool {
        self.is_named(&other.name)
            && self.kind.eq_ignore_ascii_case(&other.kind)
            && (&self.comment, &self.parameters) == (&other.comment, &other.parameters)
    }
}

/// A table; what the catalog does not say is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) owner: String,
    /// `EXTERNAL_TABLE`.
    pub(crate) kind: String,
    pub(crate) location: String,
    pub(crate) input_format: String,
    pub(crate) output_format: String,
    pub(crate) serde: String,
    pub(crate) serde_parameters: Parameters,
    pub(crate) columns: Vec<CatalogColumn>,
    pub(crate) partition_keys: Vec<CatalogColumn>,
    pub(crate) parameters: Parameters,
}

impl Entry {
    /// All columns, partition keys last.
    pub(crate) fn all_columns(&self) -> impl Iterator<Item = &CatalogColumn> {
        self.columns.iter().chain(&self.partition_keys)
    }

    /// Delta table id and version that were synced last.
    pub(crate) fn synced(&self) -> Option<(&str, i64)> {
        Some((self.parameters.get(ID)?.as_str(), self.parameters.get(VERSION)?.parse().ok()?))
    }

    /// The entry as if no version had been synced.
    pub(crate) fn unsynced(&self) -> Self {
        let mut entry = self.clone();
        entry.parameters.remove(VERSION);
        entry
    }

    fn formats(&self) -> [&String; 4] {
        [&self.kind, &self.input_format, &self.output_format, &self.serde]
    }

    /// Says in what another entry of the same table differs, what matters most first; `None` when in nothing.
    pub(crate) fn difference(&self, other: &Self) -> Option<&'static str> {
        let differs = [
            ("location", self.location != other.location || self.serde_parameters != other.serde_parameters),
            ("format", self.formats() != other.formats()),
            ("columns", !are_like(&self.columns, &other.columns)),
            ("partition keys", !are_like(&self.partition_keys, &other.partition_keys)),
            ("description", (&self.description, &self.owner) != (&other.description, &other.owner)),
            (ONLY_PARAMETERS, self.parameters != other.parameters),
        ];
        differs.into_iter().find_map(|(what, differs)| differs.then_some(what))
    }
}

/// What [`Entry::difference`] says of entries that differ in nothing else.
pub(crate) const ONLY_PARAMETERS: &str = "parameters";

fn are_like(some: &[CatalogColumn], others: &[CatalogColumn]) -> bool {
    some.len() == others.len() && some.iter().zip(others).all(|(one, other)| one.is_like(other))
}

/// An entry that is in the catalog.
#[derive(Debug, Clone)]
pub(crate) struct Present {
    pub(crate) entry: Entry,
    /// The catalog's own version of the entry.
    pub(crate) version_id: Option<String>,
}

/// How an entry is replaced.
#[derive(Debug, Clone)]
pub(crate) struct Replacement<'a> {
    pub(crate) entry: &'a Entry,
    /// Version of the entry that was read: the catalog takes the new one only while it is the newest.
    pub(crate) version_id: Option<&'a str>,
    /// Whether the catalog keeps the old one in its history.
    pub(crate) archive: bool,
}

/// What a sync asks of a catalog.
pub(crate) trait Catalog {
    /// Returns all entries of a database; `None` when there is no such database.
    async fn tables(&self, database: &str) -> Result<Option<Vec<Present>>, GlueError>;
    /// Makes a database; one that is there stays as it is.
    async fn make_database(&self, database: &str, description: &str, location: &str) -> Result<(), GlueError>;
    /// Returns an entry.
    async fn table(&self, database: &str, name: &str) -> Result<Option<Present>, GlueError>;
    /// Makes an entry that is not there yet.
    async fn create(&self, database: &str, entry: &Entry) -> Result<(), GlueError>;
    /// Replaces an entry.
    async fn update(&self, database: &str, replacement: Replacement<'_>) -> Result<(), GlueError>;
    /// Drops an entry; one that is gone already is no error.
    async fn drop_table(&self, database: &str, name: &str) -> Result<(), GlueError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: &str) -> CatalogColumn {
        CatalogColumn { name: name.into(), kind: kind.into(), ..CatalogColumn::default() }
    }

    #[test]
    fn the_catalog_may_fold_case() {
        let ours = Entry { columns: vec![column("CUSTOMER_ID", "struct<Id:bigint>")], ..Entry::default() };
        let folded = Entry { columns: vec![column("customer_id", "struct<id:bigint>")], ..Entry::default() };
        assert_eq!(ours.difference(&folded), None);
    }

    #[test]
    fn a_difference_is_told_by_what_matters_most() {
        let base = Entry { columns: vec![column("a", "int"), column("b", "int")], ..Entry::default() };
        let turned = Entry { columns: vec![column("b", "int"), column("a", "int")], ..Entry::default() };
        assert_eq!(base.difference(&turned), Some("columns"));
        let versions = |version: &str| Entry {
            parameters: Parameters::from([(ID.into(), "x".into()), (VERSION.into(), version.into())]),
            ..base.clone()
        };
        assert_eq!(versions("1").difference(&versions("2")), Some(ONLY_PARAMETERS));
        assert_eq!(versions("12").synced(), Some(("x", 12)));
        assert_eq!((versions("later").synced(), base.synced()), (None, None));
        let moved = Entry { serde_parameters: Parameters::from([(PATH.into(), "s3://b/t".into())]), ..versions("1") };
        assert_eq!(versions("2").difference(&moved), Some("location"));
    }
}
