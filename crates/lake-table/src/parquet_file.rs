//! A Parquet file that stands in no table.

use crate::TableError;
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use deltalake::parquet::{
    arrow::{
        arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
        arrow_writer::ArrowWriter,
    },
    errors::ParquetError,
};
use std::{
    fs::File,
    path::{Path, PathBuf},
};

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

/// Writes a Parquet file that stands in no table: whole under its name, or not at all.
pub struct ParquetFileWriter {
    path: PathBuf,
    part: Part,
    rows: u64,
    writer: ArrowWriter<File>,
}

/// What is written so far; it goes with its writer, unless it has got its name.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // It has its name, or the disk refuses that, too.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl std::fmt::Debug for ParquetFileWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetFileWriter").field("path", &self.path).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl ParquetFileWriter {
    /// Starts a file with these columns; a file that has the name stays until [`Self::finish`].
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn create(path: &Path, schema: &SchemaRef) -> Result<Self, TableError> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let failed = |source| unwritten(path, source);
        let file = File::create(&part).map_err(|error| failed(error.into()))?;
        let part = Part(part.into());
        let writer = ArrowWriter::try_new(file, schema.clone(), None).map_err(failed)?;
        Ok(Self { path: path.to_owned(), part, rows: 0, writer })
    }

    /// Writes rows.
    ///
    /// # Errors
    /// When they do not fit the columns, or the disk refuses.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), TableError> {
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch).map_err(|source| unwritten(&self.path, source))
    }

    /// Ends the file and gives it its name; returns its rows.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn finish(self) -> Result<u64, TableError> {
        self.writer.close().map_err(|source| unwritten(&self.path, source))?;
        std::fs::rename(&self.part.0, &self.path).map_err(|error| unwritten(&self.path, error.into()))?;
        Ok(self.rows)
    }
}

fn unwritten(path: &Path, source: ParquetError) -> TableError {
    TableError::ParquetWrite { file: path.display().to_string(), source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::{
        array::Int64Array,
        datatypes::{DataType, Field, Schema},
    };
    use lake_core::{Fault, fault::Faulty as _};
    use std::{
        io::{Error, ErrorKind},
        sync::Arc,
    };

    #[test]
    fn what_is_not_finished_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
        let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(Int64Array::from(vec![1, 2]))]).unwrap();
        let names = || -> Vec<_> { directory.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect() };
        let path = directory.path().join("rows.parquet");
        let mut abandoned = ParquetFileWriter::create(&path, &schema).unwrap();
        abandoned.write(&batch).unwrap();
        assert_eq!(names(), ["rows.parquet.part"]);
        drop(abandoned);
        assert!(names().is_empty());
        let mut finished = ParquetFileWriter::create(&path, &schema).unwrap();
        finished.write(&batch).unwrap();
        assert_eq!(finished.finish().unwrap(), 2);
        assert_eq!(names(), ["rows.parquet"]);
    }

    #[test]
    fn who_may_not_write_there_is_not_sent_to_the_lake() {
        for kind in [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem, ErrorKind::NotFound] {
            let error = unwritten(Path::new("rows.parquet"), Error::from(kind).into());
            assert_eq!(error.fault(), Fault::Config, "{kind}");
            assert!(error.hint().unwrap().starts_with("name a file in a directory"), "{kind}");
        }
    }
}
