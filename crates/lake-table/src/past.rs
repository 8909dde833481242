//! A table at an older version, by its log alone.

use crate::{
    DataFile, Table, TableError,
    table::{counted_files, progress},
};
use deltalake::DeltaTable;

/// What a table held at a version: files, rows and progress.
///
/// It may have had other columns then, as it has behind a column that was added since; so no row is read from it.
pub struct Past {
    name: String,
    delta: DeltaTable,
    files: Vec<DataFile>,
}

impl std::fmt::Debug for Past {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Past").field("name", &self.name).field("version", &self.delta.version()).finish_non_exhaustive()
    }
}

impl Table {
    /// Looks at what the table held at a version that is no newer than this one.
    ///
    /// # Errors
    /// When the store fails, the log is broken, or that version is not there.
    pub async fn past(&self, version: i64) -> Result<Past, TableError> {
        let name = self.spec.name.clone();
        let wanted = u64::try_from(version).ok().filter(|_| version <= self.version());
        let Some(wanted) = wanted else { return Err(TableError::Version { table: name, version, newest: self.version() }) };
        let mut delta = self.delta.clone();
        if version < self.version() {
            delta.load_version(wanted).await.map_err(|e| TableError::delta("open", &name, e))?;
        }
        let files = counted_files(&delta, &name)?;
        Ok(Past { name, delta, files })
    }
}

impl Past {
    /// Rows, by the log.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Data files.
    #[must_use]
    pub fn files(&self) -> &[DataFile] {
        &self.files
    }

    /// Version of an application's last transaction, as of this version.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn txn(&self, application: &str) -> Result<Option<i64>, TableError> {
        progress(&self.delta, &self.name, application).await
    }
}
