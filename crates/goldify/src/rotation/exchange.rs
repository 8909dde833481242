//! That a rotation exchanges tokens and nothing else.
//!
//! A table made again with another key is compared row by row, by its key, with what stands there. Over all tables one old token
//! becomes one new token and the other way round; then every join of tokens finds the rows that it found before.

use crate::error::GoldError;
use anyhow::Context as _;
use arrow::{
    array::{Array as _, ArrayRef, AsArray as _, RecordBatch},
    row::{RowConverter, SortField},
};
use futures::TryStreamExt as _;
use lake_core::{
    Contract,
    contract::{TOKEN_KEY_ID, column::RUN_META},
    mask::sha256_hex,
};
use lake_edge::Attach as _;
use lake_sql::Spill;
use lake_table::{Table, arrow_type};
use std::collections::HashMap;

type Tokens = Vec<Option<String>>;

/// Which new token stands for which old one.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    new: HashMap<String, String>,
    old: HashMap<String, String>,
}

/// How rows of a table are compared.
struct Comparison<'c> {
    table: &'c str,
    key: Vec<&'c str>,
    tokens: Vec<&'c str>,
    /// All other columns but those that every run adds.
    content: Vec<&'c str>,
    keys: RowConverter,
    contents: RowConverter,
}

impl Exchange {
    /// Number of tokens.
    pub(crate) fn len(&self) -> usize {
        self.new.len()
    }

    /// Compares a table with what it becomes.
    ///
    /// # Errors
    /// [`lake_core::Fault::Data`] when anything but tokens differs, or tokens do not stand for each other.
    pub(crate) async fn compare(
        &mut self,
        contract: &Contract,
        tokens: &[&str],
        before: &Table,
        after: &Spill,
    ) -> anyhow::Result<()> {
        let comparison = Comparison::new(contract, tokens)?;
        let mut standing: HashMap<Vec<u8>, (String, Tokens)> = HashMap::new();
        let mut batches = before.scan(before.files().to_vec(), None);
        while let Some(batch) = batches.try_next().await.attach()? {
            standing.extend(comparison.rows(&batch)?.into_iter().map(|(key, content, tokens)| (key, (content, tokens))));
        }
        for batch in after.read().attach()? {
            for (key, content, new) in comparison.rows(&batch.attach()?)? {
                match standing.remove(&key) {
                    Some((known, old)) if known == content => self.pair(&comparison, &old, &new)?,
                    Some(_) => return comparison.differs("a row has other values"),
                    None => return comparison.differs("a row is new"),
                }
            }
        }
        if standing.is_empty() { Ok(()) } else { comparison.differs("a row is missing") }
    }

    fn pair(&mut self, comparison: &Comparison<'_>, old: &Tokens, new: &Tokens) -> anyhow::Result<()> {
        for pair in old.iter().zip(new) {
            let fits = match pair {
                (None, None) => true,
                (Some(old), Some(new)) => {
                    let to = self.new.entry(old.clone()).or_insert_with(|| new.clone());
                    let from = self.old.entry(new.clone()).or_insert_with(|| old.clone());
                    to == new && from == old
                }
                _ => false,
            };
            if !fits {
                return comparison.differs("old and new tokens do not stand for each other");
            }
        }
        Ok(())
    }
}

impl<'c> Comparison<'c> {
    fn new(contract: &'c Contract, tokens: &[&'c str]) -> anyhow::Result<Self> {
        let key = contract.key();
        let is_content =
            |name: &&str| !tokens.contains(name) && *name != TOKEN_KEY_ID && !RUN_META.iter().any(|(meta, _)| meta == name);
        let content: Vec<&str> = contract.columns.iter().map(|column| column.name.as_str()).filter(is_content).collect();
        let converter = |names: &[&str]| -> anyhow::Result<RowConverter> {
            let kinds =
                names.iter().filter_map(|name| contract.column(name)).map(|column| SortField::new(arrow_type(column.kind)));
            Ok(RowConverter::new(kinds.collect())?)
        };
        let (keys, contents) = (converter(&key)?, converter(&content)?);
        Ok(Self { table: &contract.table, key, tokens: tokens.to_vec(), content, keys, contents })
    }

    /// Key, all else, and tokens of each row.
    fn rows(&self, batch: &RecordBatch) -> anyhow::Result<Vec<(Vec<u8>, String, Tokens)>> {
        let columns = |names: &[&str]| -> anyhow::Result<Vec<ArrayRef>> {
            let column = |name: &&str| batch.column_by_name(name).cloned().with_context(|| format!("column `{name}` is missing"));
            names.iter().map(column).collect()
        };
        let keys = self.keys.convert_columns(&columns(&self.key)?)?;
        let contents = self.contents.convert_columns(&columns(&self.content)?)?;
        let tokens = columns(&self.tokens)?;
        let texts: Option<Vec<_>> = tokens.iter().map(|column| column.as_string_opt::<i32>()).collect();
        let texts = texts.context("tokens are no text")?;
        let token = |row: usize| texts.iter().map(|text| text.is_valid(row).then(|| text.value(row).to_owned())).collect();
        let row = |row: usize| (keys.row(row).data().to_vec(), sha256_hex(contents.row(row).data()), token(row));
        Ok((0..batch.num_rows()).map(row).collect())
    }

    fn differs<T>(&self, difference: &str) -> anyhow::Result<T> {
        Err(GoldError::Exchanged { table: self.table.to_owned(), difference: difference.to_owned() }).attach()
    }
}
