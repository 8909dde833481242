//! The contract of one table: an ODCS 3.1 document with our own keys in `customProperties` only.
//!
//! [`Contract::parse`] is strict: an unknown key is an error that names file, line and the nearest known key. The model is
//! split by who uses it: [`odcs`] is the standard's part, [`layer`] our part per layer ([`bronze`], [`silver`]), [`field`] how a
//! source value becomes a typed one, [`check`] what a row must keep, [`tolerance`] how much a rule lets pass. What a contract
//! says is checked in `sound*` (alone) and `references` (together with the others).

pub mod bronze;
pub mod check;
pub mod column;
pub mod error;
pub mod field;
pub mod history;
pub mod hubspot;
pub mod layer;
pub mod odcs;
mod query;
mod references;
mod service;
pub mod silver;
mod sound;
mod sound_keyed;
mod sound_record;
mod sound_silver;
pub mod tolerance;

pub use check::RowCheck;
pub use column::{Column, ColumnType};
pub use error::ContractError;
pub use field::{Field, Standard};
pub use layer::{Bronze, Gold, Layer, Silver};
pub use silver::Feed;

use crate::mask::Method;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Column of a Gold table that says with which key its tokens were made.
pub const TOKEN_KEY_ID: &str = "token_key_id";

/// One table's contract, checked on its own (references to other contracts are checked by [`crate::contract::ContractSet`]).
#[derive(Debug, Clone)]
pub struct Contract {
    /// Full name of the table, such as `silver_orders`.
    pub table: String,
    /// The standard's part.
    pub document: odcs::Document,
    /// Columns in their order in the table, meta columns of the layer included.
    pub columns: Vec<Column>,
    /// Our part.
    pub layer: Layer,
    /// SHA-256 of the file's bytes (for Gold: of contract and model), in hex.
    pub hash: String,
    /// The model's SQL (Gold only).
    pub model: Option<String>,
    /// The file.
    pub path: PathBuf,
}

impl Contract {
    /// Parses a contract from the text of its file and, for Gold, its model.
    ///
    /// # Errors
    /// When the text is no strict ODCS document of ours, or contradicts itself.
    pub fn parse(path: &Path, text: &str, model: Option<String>) -> Result<Self, ContractError> {
        let document: odcs::Document = error::parse_yaml(path, text)?;
        let mut hasher = Sha256::new();
        hasher.update(text.as_bytes());
        if let Some(model) = &model {
            hasher.update(model.as_bytes());
        }
        let hash = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let layer = layer::of(path, &document)?;
        let columns = column::of(path, &document, &layer)?;
        let table = document.schema[0].physical_name.clone();
        let contract = Self { table, document, columns, layer, hash, model, path: path.to_owned() };
        sound::validate(&contract)?;
        Ok(contract)
    }

    /// `id@version`, as it stands in `_contract` and in summaries.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}@{}", self.document.id, self.document.version)
    }

    /// The table's name inside its layer: `orders` of `silver_orders`.
    #[must_use]
    pub fn short_name(&self) -> &str {
        self.table.split_once('_').map_or(self.table.as_str(), |(_, rest)| rest)
    }

    /// Names of the primary key's columns, in key order.
    #[must_use]
    pub fn key(&self) -> Vec<&str> {
        let mut key: Vec<_> = self.columns.iter().filter_map(|c| c.key_position.map(|at| (at, c.name.as_str()))).collect();
        key.sort_unstable();
        key.into_iter().map(|(_, name)| name).collect()
    }

    /// Names of the partition columns, in partition order.
    #[must_use]
    pub fn partition_columns(&self) -> Vec<&str> {
        match self.layer {
            Layer::Bronze(_) => vec!["_ingest_date", "_source"],
            Layer::Silver(_) => Vec::new(),
            // So that no file holds rows of two dates: a date is replaced without touching another's files.
            Layer::Gold(ref gold) => gold.snapshot.as_deref().into_iter().collect(),
        }
    }

    /// Names of the tables that this one is made from; empty for Bronze.
    #[must_use]
    pub fn inputs(&self) -> Vec<&str> {
        match &self.layer {
            Layer::Bronze(_) => Vec::new(),
            Layer::Silver(silver) => silver.tables(),
            Layer::Gold(gold) => gold.inputs.iter().map(String::as_str).collect(),
        }
    }

    /// Returns the column of a name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Returns the Bronze part.
    #[must_use]
    pub const fn bronze(&self) -> Option<&Bronze> {
        if let Layer::Bronze(bronze) = &self.layer { Some(bronze) } else { None }
    }

    /// Returns the Silver part.
    #[must_use]
    pub const fn silver(&self) -> Option<&Silver> {
        if let Layer::Silver(silver) = &self.layer { Some(silver) } else { None }
    }

    /// Returns the Gold part.
    #[must_use]
    pub const fn gold(&self) -> Option<&Gold> {
        if let Layer::Gold(gold) = &self.layer { Some(gold) } else { None }
    }
}

/// All contracts of a deployment, with every reference between them checked.
#[derive(Debug, Clone, Default)]
pub struct ContractSet {
    contracts: std::collections::BTreeMap<String, Contract>,
}

impl ContractSet {
    /// Puts contracts together and checks their references: inputs, records, relationships, model presence, cycles.
    ///
    /// # Errors
    /// All problems at once, one per line.
    pub fn new(contracts: Vec<Contract>) -> Result<Self, ContractError> {
        let mut set = Self::default();
        for contract in contracts {
            if let Some(other) = set.contracts.get(&contract.table) {
                return Err(ContractError::Invalid {
                    path: contract.path,
                    problem: format!("table `{}` has a contract already: {}", contract.table, other.path.display()),
                });
            }
            set.contracts.insert(contract.table.clone(), contract);
        }
        references::validate(&set)?;
        Ok(set)
    }

    /// Returns the contract of a table, by full name.
    #[must_use]
    pub fn get(&self, table: &str) -> Option<&Contract> {
        self.contracts.get(table)
    }

    /// Returns the contract of a table, or an error with the nearest known name.
    ///
    /// # Errors
    /// When no contract has this table.
    pub fn table(&self, table: &str) -> Result<&Contract, ContractError> {
        self.get(table).ok_or_else(|| ContractError::UnknownTable {
            table: table.to_owned(),
            hint: error::did_you_mean(table, self.contracts.keys().map(String::as_str)),
        })
    }

    /// All contracts, by table name.
    pub fn iter(&self) -> impl Iterator<Item = &Contract> {
        self.contracts.values()
    }

    /// Names under which models see tokens of Silver.
    #[must_use]
    pub fn token_names(&self) -> std::collections::BTreeSet<&str> {
        let views = self.iter().flat_map(|other| &other.columns).flat_map(|column| &column.gold_views);
        views.filter(|view| view.method == Method::Token).map(|view| view.column.as_str()).collect()
    }

    /// Columns of a Gold table that hold tokens: those that are named as a token which models see of Silver. Models that give
    /// tokens another name are refused (`lake-sql`).
    #[must_use]
    pub fn token_columns<'c>(&self, contract: &'c Contract) -> Vec<&'c str> {
        if contract.gold().is_none() {
            return Vec::new();
        }
        let tokens = self.token_names();
        contract.columns.iter().map(|column| column.name.as_str()).filter(|name| tokens.contains(name)).collect()
    }

    /// Tables in an order in which each follows its inputs (ties by name).
    #[must_use]
    pub fn in_dependency_order(&self) -> Vec<&Contract> {
        let mut ordered: Vec<&Contract> = Vec::new();
        let mut waiting: Vec<&Contract> = self.contracts.values().collect();
        while !waiting.is_empty() {
            let (ready, later): (Vec<_>, Vec<_>) = waiting
                .iter()
                .copied()
                .partition(|c| c.inputs().iter().all(|input| ordered.iter().any(|done| done.table == *input)));
            if ready.is_empty() {
                break; // a cycle, which `references` has refused
            }
            ordered.extend(ready);
            waiting = later;
        }
        ordered
    }
}

#[cfg(test)]
mod tests;
