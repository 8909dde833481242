//! What tests need: contracts, shapes, entries, and a catalog in memory.

use crate::{
    entry::{Catalog, CatalogColumn, Entry, Parameters, Present, Replacement},
    glue_error::GlueError,
    wanted::Wanted,
};
use lake_core::{Contract, Fault, contract::ContractSet};
use lake_table::Shape;
use serde_json::{Value, json};
use std::{cell::RefCell, collections::BTreeMap, path::Path};

/// The project's own contracts.
pub(crate) fn contracts() -> ContractSet {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts");
    lake_edge::load_contracts(&directory).unwrap().0
}

pub(crate) fn contract(table: &str) -> Contract {
    contracts().get(table).unwrap().clone()
}

pub(crate) fn schema(fields: &[(&str, Value)]) -> Value {
    let field = |(name, kind): &(&str, Value)| json!({ "name": name, "type": kind, "nullable": true, "metadata": {} });
    json!({ "type": "struct", "fields": fields.iter().map(field).collect::<Vec<_>>() })
}

pub(crate) fn shape(version: i64, fields: &[(&str, Value)], partition_columns: &[&str]) -> Shape {
    Shape {
        id: "table-id".into(),
        version,
        schema: schema(fields),
        partition_columns: partition_columns.iter().map(|name| (*name).to_owned()).collect(),
    }
}

/// An entry with columns and nothing else of interest.
pub(crate) fn entry(name: &str, columns: &[(&str, &str)]) -> Entry {
    let column =
        |(name, kind): &(&str, &str)| CatalogColumn { name: (*name).into(), kind: (*kind).into(), ..CatalogColumn::default() };
    Entry {
        name: name.into(),
        kind: "EXTERNAL_TABLE".into(),
        location: format!("s3://lake/{name}"),
        columns: columns.iter().map(column).collect(),
        ..Entry::default()
    }
}

/// What should be there of a table at a version.
pub(crate) fn wanted(version: i64, columns: &[(&str, &str)]) -> Wanted {
    let mut entry = entry("silver_t", columns);
    entry.parameters = Parameters::from([
        (crate::entry::CONTRACT.into(), "silver_t@1.0.0".into()),
        (crate::entry::ID.into(), "table-id".into()),
        (crate::entry::VERSION.into(), version.to_string()),
    ]);
    Wanted { entry, id: "table-id".into(), version }
}

type Hook = Box<dyn FnOnce(&Memory)>;
type Shelf = BTreeMap<(String, String), (Entry, u64)>;

/// A catalog in memory.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) databases: RefCell<Vec<String>>,
    pub(crate) shelf: RefCell<Shelf>,
    /// What was written, in its order.
    pub(crate) writes: RefCell<Vec<String>>,
    /// Takes any version of an entry for the newest, as moto does.
    pub(crate) careless: bool,
    /// Says that it has replaced an entry, and has not.
    pub(crate) forgetful: bool,
    /// Name of the entry that is not taken.
    pub(crate) refuses: Option<&'static str>,
    /// What another writer does right before the next write.
    pub(crate) before_write: RefCell<Option<Hook>>,
}

impl Memory {
    pub(crate) fn entry(&self, database: &str, name: &str) -> Option<Entry> {
        self.shelf.borrow().get(&(database.to_owned(), name.to_owned())).map(|(entry, _)| entry.clone())
    }

    /// Puts an entry, whoever has written in the meantime.
    pub(crate) fn put(&self, database: &str, entry: Entry) {
        let mut shelf = self.shelf.borrow_mut();
        let key = (database.to_owned(), entry.name.clone());
        let version = shelf.get(&key).map_or(0, |(_, version)| version + 1);
        shelf.insert(key, (entry, version));
    }

    fn write(&self, what: &str, name: &str) {
        let hook = self.before_write.borrow_mut().take();
        if let Some(hook) = hook {
            hook(self);
        }
        self.writes.borrow_mut().push(format!("{what} {name}"));
    }

    fn version(&self, database: &str, name: &str) -> Option<u64> {
        self.shelf.borrow().get(&(database.to_owned(), name.to_owned())).map(|(_, version)| *version)
    }
}

fn overtaken(object: &str) -> GlueError {
    GlueError::Overtaken { action: "write", object: object.to_owned() }
}

impl Catalog for Memory {
    async fn tables(&self, database: &str) -> Result<Option<Vec<Present>>, GlueError> {
        if !self.databases.borrow().iter().any(|known| known == database) {
            return Ok(None);
        }
        let shelf = self.shelf.borrow();
        let own = shelf.iter().filter(|((of, _), _)| of == database);
        let present = own.map(|(_, (entry, version))| Present { entry: entry.clone(), version_id: Some(version.to_string()) });
        Ok(Some(present.collect()))
    }

    async fn make_database(&self, database: &str, _: &str, _: &str) -> Result<(), GlueError> {
        self.write("database", database);
        self.databases.borrow_mut().push(database.to_owned());
        Ok(())
    }

    async fn table(&self, database: &str, name: &str) -> Result<Option<Present>, GlueError> {
        let version_id = self.version(database, name).map(|version| version.to_string());
        Ok(self.entry(database, name).map(|entry| Present { entry, version_id }))
    }

    async fn create(&self, database: &str, entry: &Entry) -> Result<(), GlueError> {
        self.write("create", &entry.name);
        if self.refuses == Some(entry.name.as_str()) {
            let (object, message) = (entry.name.clone(), "InvalidInputException: no".to_owned());
            return Err(GlueError::Refused { action: "create table", object, message, fault: Fault::Data });
        }
        if self.version(database, &entry.name).is_some() {
            return Err(overtaken(&entry.name));
        }
        self.put(database, entry.clone());
        Ok(())
    }

    async fn update(&self, database: &str, replacement: Replacement<'_>) -> Result<(), GlueError> {
        let name = &replacement.entry.name;
        self.write(if replacement.archive { "update" } else { "renew" }, name);
        let newest = self.version(database, name).map(|version| version.to_string());
        if newest.is_none() || (!self.careless && newest.as_deref() != replacement.version_id) {
            return Err(overtaken(name));
        }
        if !self.forgetful {
            self.put(database, replacement.entry.clone());
        }
        Ok(())
    }

    async fn drop_table(&self, database: &str, name: &str) -> Result<(), GlueError> {
        self.write("drop", name);
        self.shelf.borrow_mut().remove(&(database.to_owned(), name.to_owned()));
        Ok(())
    }
}
