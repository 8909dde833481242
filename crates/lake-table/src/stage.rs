//! A place where another system leaves Parquet files for us to read once: a directory or a prefix of a bucket.

use crate::{Lake, TableError};
use arrow::array::RecordBatch;
use bytes::Bytes;
use deltalake::{
    ObjectMeta, Path,
    logstore::{object_store::ObjectStoreExt as _, parquet_reader::ParquetObjectReader},
    parquet::{arrow::async_reader::ParquetRecordBatchStreamBuilder, errors::ParquetError},
};
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 8_192;

/// The place.
#[derive(Debug, Clone)]
pub struct Stage(Lake);

/// One Parquet file, opened.
pub struct StagedRows {
    /// Rows by the file's footer.
    pub rows: u64,
    stream: BoxStream<'static, Result<RecordBatch, TableError>>,
}

impl std::fmt::Debug for StagedRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StagedRows").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl StagedRows {
    /// Returns the next rows; `None` after the last.
    ///
    /// # Errors
    /// When the file is broken or the store fails.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, TableError> {
        self.stream.try_next().await
    }
}

impl Stage {
    /// Opens the place as [`Lake::open`] opens a lake.
    ///
    /// # Errors
    /// When the address is neither a directory nor `s3://bucket/prefix`.
    pub fn open(uri: &str) -> Result<Self, TableError> {
        Lake::open(uri).map(Self)
    }

    /// Address of the place, with a slash at its end.
    #[must_use]
    pub fn uri(&self) -> &str {
        self.0.uri()
    }

    /// Returns an object's bytes, or `None` when there is none.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn get(&self, path: &str) -> Result<Option<Bytes>, TableError> {
        self.0.get(path).await
    }

    /// Returns path and bytes of all objects under a folder, sorted.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn list(&self, folder: &str) -> Result<Vec<(String, u64)>, TableError> {
        let mut found: Vec<_> = self.objects(folder).await?.into_iter().map(|o| (o.location.to_string(), o.size)).collect();
        found.sort();
        Ok(found)
    }

    /// Deletes all objects under a folder and returns how many there were.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn clean(&self, folder: &str) -> Result<usize, TableError> {
        let found = self.objects(folder).await?;
        for object in &found {
            let deleted = self.0.store().delete(&object.location).await;
            deleted.map_err(|source| TableError::Store { action: "delete", object: object.location.to_string(), source })?;
        }
        Ok(found.len())
    }

    /// Opens a Parquet file of a known size.
    ///
    /// # Errors
    /// When it is missing or broken, or the store fails.
    pub async fn open_file(&self, path: &str, bytes: u64) -> Result<StagedRows, TableError> {
        let failed = {
            let (place, file) = (self.uri().to_owned(), path.to_owned());
            move |source: ParquetError| TableError::Staged { place: place.clone(), file: file.clone(), source: Box::new(source) }
        };
        let location = Path::parse(path).unwrap_or_else(|_| Path::from(path));
        let reader = ParquetObjectReader::new(self.0.shared_store(), location).with_file_size(bytes);
        let builder = ParquetRecordBatchStreamBuilder::new(reader).await.map_err(&failed)?;
        let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or_default();
        let stream = builder.with_batch_size(BATCH_ROWS).build().map_err(&failed)?;
        Ok(StagedRows { rows, stream: stream.map_err(failed).boxed() })
    }

    async fn objects(&self, folder: &str) -> Result<Vec<ObjectMeta>, TableError> {
        let found: Result<Vec<_>, _> = self.0.store().list(Some(&Path::from(folder))).try_collect().await;
        found.map_err(|source| TableError::Store { action: "list", object: folder.to_owned(), source })
    }
}
