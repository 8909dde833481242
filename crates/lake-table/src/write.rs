//! Writes data files. A file that no commit names is not there for any reader.

use crate::{Table, TableError, fit::fit};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use deltalake::{
    datafile::writer::{DeltaWriter, WriterConfig},
    kernel::Add,
    logstore::ObjectStoreRef,
    operations::get_num_idx_cols_and_stats_columns,
    parquet::{
        basic::{Compression, ZstdLevel},
        file::properties::{EnabledStatistics, WriterProperties},
        schema::types::ColumnPath,
    },
};

/// Rows of one file: small enough that rewriting one for an upsert is quick, large enough that a scan opens few.
pub(crate) const FILE_ROWS: u64 = 250_000;
/// Rows of one row group: what a reader holds decoded at once.
const ROW_GROUP_ROWS: usize = 65_536;

/// A data file that is written but not committed.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// Rows, by the file's own footer.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    pub(crate) add: Add,
}

/// Writes batches to files of a table.
pub struct DataWriter {
    table: String,
    schema: SchemaRef,
    store: ObjectStoreRef,
    config: WriterConfig,
    open: Option<DeltaWriter>,
    open_rows: u64,
    rows: u64,
    finished: Vec<NewFile>,
}

impl std::fmt::Debug for DataWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataWriter").field("table", &self.table).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl Table {
    /// Returns a writer of new data files.
    #[must_use]
    pub fn writer(&self) -> DataWriter {
        let spec = self.spec();
        // The table's own properties say which columns have statistics in the log: `delta.dataSkippingStatsColumns`.
        let config = self.delta.snapshot().ok().map(|state| state.table_config().clone());
        let (indexed, statistics) = get_num_idx_cols_and_stats_columns(config.as_ref(), std::collections::HashMap::new());
        let config = WriterConfig::new(
            spec.schema.clone(),
            spec.partition_columns.clone(),
            Some(properties(&spec.statistics)),
            None,
            Some(ROW_GROUP_ROWS),
            indexed,
            statistics,
        );
        DataWriter {
            table: spec.name.clone(),
            schema: spec.schema.clone(),
            store: self.delta.object_store(),
            config,
            open: None,
            open_rows: 0,
            rows: 0,
            finished: Vec::new(),
        }
    }
}

/// Statistics only where the spec allows them: a footer must not show personal data.
fn properties(statistics: &[String]) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::None);
    for column in statistics {
        builder = builder.set_column_statistics_enabled(ColumnPath::from(column.as_str()), EnabledStatistics::Chunk);
    }
    builder.build()
}

impl DataWriter {
    /// Writes a batch; its columns are matched by name and cast to the table's types; no value changes.
    ///
    /// # Errors
    /// When a column is missing or does not fit, or the store fails.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<(), TableError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let failed = |e| TableError::delta("write to", &self.table, e);
        let batch = if batch.schema_ref().fields() == self.schema.fields() {
            batch.clone()
        } else {
            fit(&self.table, batch, &self.schema)?
        };
        let writer = self.open.get_or_insert_with(|| DeltaWriter::new(self.store.clone(), self.config.clone()));
        writer.write(&batch).await.map_err(failed)?;
        self.open_rows += batch.num_rows() as u64;
        self.rows += batch.num_rows() as u64;
        if self.open_rows >= FILE_ROWS { self.roll().await } else { Ok(()) }
    }

    /// Rows written so far.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    async fn roll(&mut self) -> Result<(), TableError> {
        self.open_rows = 0;
        let Some(writer) = self.open.take() else { return Ok(()) };
        let adds = writer.close().await.map_err(|e| TableError::delta("write to", &self.table, e))?;
        self.finished.extend(adds.into_iter().map(|add| {
            let file = crate::DataFile::of(add.clone());
            NewFile { rows: file.rows, bytes: file.bytes, add }
        }));
        Ok(())
    }

    /// Closes the last file and returns all files for a commit.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn finish(mut self) -> Result<Vec<NewFile>, TableError> {
        lake_core::fault_point!("table.write.before");
        self.roll().await?;
        lake_core::fault_point!("table.write.after");
        Ok(self.finished)
    }
}
