//! A table at one version.

use crate::{
    Lake, TableError, TableSpec, create,
    log::{broken_log, no_empty_entry},
};
use deltalake::{DeltaTable, DeltaTableBuilder, kernel::Add, kernel::LogicalFileView};
use serde_json::Value;

/// One data file of a table's version.
#[derive(Debug, Clone)]
pub struct DataFile {
    /// Path inside the table.
    pub path: String,
    /// Rows, by the log.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    pub(crate) add: Add,
    statistics: Value,
}

impl DataFile {
    pub(crate) fn of(add: Add) -> Self {
        let statistics: Value = add.stats.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
        Self {
            path: add.path.clone(),
            rows: statistics.get("numRecords").and_then(Value::as_u64).unwrap_or(0),
            bytes: u64::try_from(add.size).unwrap_or(0),
            add,
            statistics,
        }
    }

    fn is_counted(&self) -> bool {
        self.statistics.get("numRecords").is_some_and(Value::is_u64)
    }

    /// Smallest value of a column in the file as the log has it (texts may be cut), when it is known.
    #[must_use]
    pub fn minimum(&self, column: &str) -> Option<&Value> {
        self.statistics.get("minValues")?.get(column)
    }

    /// Largest value of a column in the file as the log has it, when it is known.
    #[must_use]
    pub fn maximum(&self, column: &str) -> Option<&Value> {
        self.statistics.get("maxValues")?.get(column)
    }

    /// Value of a partition column.
    #[must_use]
    pub fn partition_value(&self, column: &str) -> Option<&str> {
        self.add.partition_values.get(column).and_then(Option::as_deref)
    }
}

/// A table at one version.
pub struct Table {
    pub(crate) lake: Lake,
    pub(crate) spec: TableSpec,
    pub(crate) delta: DeltaTable,
    files: Vec<DataFile>,
    version: i64,
    id: String,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("name", &self.spec.name).field("version", &self.version).finish_non_exhaustive()
    }
}

impl Table {
    /// Opens a table, or creates it empty in a commit of its own; the loser of that race opens what the winner made.
    ///
    /// # Errors
    /// When the store fails, or the table's columns are not those of the spec.
    pub async fn open_or_create(lake: &Lake, spec: &TableSpec) -> Result<Self, TableError> {
        if let Some(table) = Self::open(lake, spec).await? {
            return Ok(table);
        }
        lake_core::fault_point!("table.create.before");
        let created = create::create(lake, spec).await;
        lake_core::fault_point!("table.create.after");
        match (Self::open(lake, spec).await?, created) {
            (Some(table), _) => Ok(table),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Err(TableError::Log { table: spec.name.clone(), version: 0, problem: "the table vanished".into() }),
        }
    }

    /// Opens a table at its newest version; `None` when there is none.
    ///
    /// # Errors
    /// When the store fails, the log is broken, or the table's columns are not those of the spec.
    pub async fn open(lake: &Lake, spec: &TableSpec) -> Result<Option<Self>, TableError> {
        match load(lake, spec).await? {
            Some(delta) => Self::at(lake, spec, delta).map(Some),
            None => Ok(None),
        }
    }

    /// Opens a table at an exact version.
    ///
    /// # Errors
    /// As for [`Table::open`], and when that version is not there.
    pub async fn open_at(lake: &Lake, spec: &TableSpec, version: i64) -> Result<Self, TableError> {
        let Some(newest) = Self::open(lake, spec).await? else {
            return Err(TableError::Version { table: spec.name.clone(), version, newest: -1 });
        };
        if version == newest.version {
            return Ok(newest);
        }
        let wanted = u64::try_from(version).ok().filter(|_| version < newest.version);
        let Some(wanted) = wanted else {
            return Err(TableError::Version { table: spec.name.clone(), version, newest: newest.version });
        };
        let mut delta = newest.delta;
        delta.load_version(wanted).await.map_err(|e| TableError::delta("open", &spec.name, e))?;
        Self::at(lake, spec, delta)
    }

    fn at(lake: &Lake, spec: &TableSpec, delta: DeltaTable) -> Result<Self, TableError> {
        let failed = |e| TableError::delta("open", &spec.name, e);
        let state = delta.snapshot().map_err(failed)?;
        let difference = schema_difference(spec, &state.snapshot().arrow_schema())
            .or_else(|| partition_difference(spec, state.metadata().partition_columns()));
        if let Some(difference) = difference {
            return Err(TableError::Schema { table: spec.name.clone(), difference });
        }
        let version = i64::try_from(state.version()).unwrap_or(i64::MAX);
        let files = counted_files(&delta, &spec.name)?;
        let id = state.metadata().id().to_owned();
        Ok(Self { lake: lake.clone(), spec: spec.clone(), delta, files, version, id })
    }

    /// Moves to the newest version.
    ///
    /// # Errors
    /// As for [`Table::open`].
    pub async fn reload(&mut self) -> Result<(), TableError> {
        let newest = Self::open(&self.lake, &self.spec).await?;
        *self = newest.ok_or_else(|| TableError::Version { table: self.spec.name.clone(), version: self.version, newest: -1 })?;
        Ok(())
    }

    /// Delta version.
    #[must_use]
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// Delta table id: stays when the table is moved or renamed.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the table is made of.
    #[must_use]
    pub const fn spec(&self) -> &TableSpec {
        &self.spec
    }

    /// The lake that holds it.
    #[must_use]
    pub const fn lake(&self) -> &Lake {
        &self.lake
    }

    /// Rows, by the log.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Data files of this version.
    #[must_use]
    pub fn files(&self) -> &[DataFile] {
        &self.files
    }

    /// Version of an application's last transaction, as of this version.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn txn(&self, application: &str) -> Result<Option<i64>, TableError> {
        progress(&self.delta, &self.spec.name, application).await
    }
}

/// Version of an application's last transaction, as of the version that is loaded.
pub(crate) async fn progress(delta: &DeltaTable, table: &str, application: &str) -> Result<Option<i64>, TableError> {
    let failed = |e| TableError::delta("read the progress of", table, e);
    let state = delta.snapshot().map_err(failed)?;
    state.transaction_version(delta.log_store().as_ref(), application).await.map_err(failed)
}

/// Data files of the version that is loaded.
pub(crate) fn counted_files(delta: &DeltaTable, table: &str) -> Result<Vec<DataFile>, TableError> {
    let state = delta.snapshot().map_err(|e| TableError::delta("open", table, e))?;
    let files: Vec<DataFile> = state.log_data().iter().map(|view| DataFile::of(add_of(&view))).collect();
    // A proof adds up the log's own counts: a file of another writer that has none would count as empty.
    if let Some(file) = files.iter().find(|file| !file.is_counted()) {
        let version = i64::try_from(state.version()).unwrap_or(i64::MAX);
        let problem = format!("data file `{}` has no count of its rows", file.path);
        return Err(TableError::Log { table: table.to_owned(), version, problem });
    }
    Ok(files)
}

fn add_of(view: &LogicalFileView) -> Add {
    Add {
        path: view.path().into_owned(),
        partition_values: view.partition_values_map(),
        size: view.size(),
        modification_time: view.modification_time(),
        data_change: true,
        stats: view.stats(),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}

/// Loads a table's log at its newest version, whatever its columns are; `None` when there is no table.
pub(crate) async fn load(lake: &Lake, spec: &TableSpec) -> Result<Option<DeltaTable>, TableError> {
    let mut delta = handle(lake, spec)?;
    let failed = |e| TableError::delta("open", &spec.name, e);
    if !delta.log_store().is_delta_table_location().await.map_err(failed)? {
        return Ok(None);
    }
    if let Err(error) = delta.load().await {
        return Err(broken_log(&delta, &spec.name, error).await);
    }
    no_empty_entry(&delta, &spec.name).await?;
    Ok(Some(delta))
}

fn handle(lake: &Lake, spec: &TableSpec) -> Result<DeltaTable, TableError> {
    let url = lake.table_url(&spec.location)?;
    let builder = DeltaTableBuilder::from_url(url.clone()).map_err(|e| TableError::delta("open", &spec.name, e))?;
    let builder = match lake.backend() {
        Some(backend) => builder.with_storage_backend(backend, url),
        None => builder,
    };
    builder.build().map_err(|e| TableError::delta("open", &spec.name, e))
}

fn schema_difference(spec: &TableSpec, found: &arrow::datatypes::Schema) -> Option<String> {
    for field in spec.schema.fields() {
        match found.field_with_name(field.name()) {
            Err(_) => return Some(format!("column `{}` of the contract is not in the table", field.name())),
            Ok(other) if other.data_type() != field.data_type() => {
                return Some(format!(
                    "column `{}` is {} in the contract and {} in the table",
                    field.name(),
                    field.data_type(),
                    other.data_type()
                ));
            }
            Ok(_) => {}
        }
    }
    let extra = found.fields().iter().find(|field| spec.schema.field_with_name(field.name()).is_err());
    extra.map(|field| format!("column `{}` of the table is not in the contract", field.name()))
}

fn partition_difference(spec: &TableSpec, found: &[String]) -> Option<String> {
    let columns = |names: &[String]| if names.is_empty() { "nothing".to_owned() } else { format!("`{}`", names.join("`, `")) };
    let differs = spec.partition_columns != found;
    differs.then(|| {
        format!(
            "it is partitioned by {} in the contract and by {} in the table",
            columns(&spec.partition_columns),
            columns(found)
        )
    })
}
