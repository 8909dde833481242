//! A Parquet file that stands in no table.

use crate::TableError;
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use deltalake::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use std::fs::File;

const BATCH_ROWS: usize = 32_768;

/// A Parquet file that stands in no table, read batch by batch.
pub struct ParquetFile {
    name: String,
    schema: SchemaRef,
    rows: u64,
    reader: ParquetRecordBatchReader,
}

impl std::fmt::Debug for ParquetFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetFile").field("name", &self.name).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl ParquetFile {
    /// Starts to read an open file; its name is for messages.
    ///
    /// # Errors
    /// When it is no Parquet file.
    pub fn read(file: File, name: &str) -> Result<Self, TableError> {
        let failed = |source| TableError::ParquetFile { file: name.to_owned(), source: Box::new(source) };
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(failed)?;
        let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        let schema = builder.schema().clone();
        let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(failed)?;
        Ok(Self { name: name.to_owned(), schema, rows, reader })
    }

    /// Columns as the file has them.
    #[must_use]
    pub const fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Rows, by the file's footer.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }
}

impl Iterator for ParquetFile {
    type Item = Result<RecordBatch, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        Some(batch.map_err(|source| TableError::ParquetFile { file: self.name.clone(), source: Box::new(source.into()) }))
    }
}
