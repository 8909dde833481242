//! Rows on the local disk: written once, read by every audit and by the writer, gone with its last reader.
//!
//! Memory stays bounded however large the result is, and nothing reaches the lake before the audits have passed.

use crate::SqlError;
use arrow::{
    array::RecordBatch,
    datatypes::SchemaRef,
    ipc::{reader::FileReader, writer::FileWriter},
};
use deltalake::datafusion::execution::{SpillFile, runtime_env::RuntimeEnv};
use std::{
    fs::File,
    io::{BufReader, BufWriter, Error, ErrorKind},
    path::PathBuf,
    sync::Arc,
};

/// Rows on the local disk.
#[derive(Clone)]
pub struct Spill {
    schema: SchemaRef,
    path: PathBuf,
    rows: u64,
    batches: usize,
    // The file goes when the last clone does.
    _file: Arc<dyn SpillFile>,
}

impl std::fmt::Debug for Spill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spill").field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// Writes a [`Spill`].
pub struct SpillWriter {
    writer: FileWriter<BufWriter<File>>,
    spill: Spill,
}

impl std::fmt::Debug for SpillWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpillWriter").field("spill", &self.spill).finish_non_exhaustive()
    }
}

impl SpillWriter {
    pub(crate) fn new(runtime: &RuntimeEnv, schema: &SchemaRef) -> Result<Self, SqlError> {
        let file = runtime.disk_manager.create_tmp_file("rows that are read again").map_err(SqlError::run)?;
        let path = file.path().ok_or_else(|| Error::new(ErrorKind::Unsupported, "no local disk"))?.to_owned();
        let target = BufWriter::new(File::create(&path)?);
        let writer = FileWriter::try_new(target, schema).map_err(|e| SqlError::arrow(&e))?;
        Ok(Self { writer, spill: Spill { schema: schema.clone(), path, rows: 0, batches: 0, _file: file } })
    }

    /// Writes rows.
    ///
    /// # Errors
    /// When the local disk refuses.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), SqlError> {
        if batch.num_rows() > 0 {
            self.writer.write(batch).map_err(|e| SqlError::arrow(&e))?;
            self.spill.rows += batch.num_rows() as u64;
            self.spill.batches += 1;
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When the local disk refuses.
    pub fn finish(mut self) -> Result<Spill, SqlError> {
        self.writer.finish().map_err(|e| SqlError::arrow(&e))?;
        Ok(self.spill)
    }
}

impl Spill {
    /// Columns.
    #[must_use]
    pub const fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Number of rows.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Number of batches.
    pub(crate) const fn batches(&self) -> usize {
        self.batches
    }

    /// Reads all rows, in the order in which they were written.
    ///
    /// # Errors
    /// When the local disk refuses.
    pub fn read(&self) -> Result<impl Iterator<Item = Result<RecordBatch, SqlError>> + Send + use<>, SqlError> {
        self.part(0..self.batches, None)
    }

    /// Reads some batches and columns.
    pub(crate) fn part(
        &self,
        batches: std::ops::Range<usize>,
        columns: Option<Vec<usize>>,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, SqlError>> + Send + use<>, SqlError> {
        let source = BufReader::new(File::open(&self.path)?);
        let mut reader = FileReader::try_new(source, columns).map_err(|e| SqlError::arrow(&e))?;
        if !batches.is_empty() {
            reader.set_index(batches.start).map_err(|e| SqlError::arrow(&e))?;
        }
        Ok(reader.take(batches.len()).map(|batch| batch.map_err(|e| SqlError::arrow(&e))))
    }
}
