//! Reads data files as record batches, with their partition columns filled in.

use crate::{DataFile, Table, TableError, TableSpec, fit::cast_exactly};
use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray},
    datatypes::{DataType, Schema, SchemaRef},
    error::ArrowError,
};
use deltalake::{
    Path,
    logstore::{ObjectStoreRef, parquet_reader::ParquetObjectReader},
    parquet::arrow::{ProjectionMask, async_reader::ParquetRecordBatchStreamBuilder},
};
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use std::sync::Arc;

const BATCH_ROWS: usize = 32_768;

/// A stream of batches.
type BatchStream = BoxStream<'static, Result<RecordBatch, TableError>>;

impl Table {
    /// Streams the rows of some files; columns in the order given, by default all in the table's order.
    #[must_use]
    pub fn scan(&self, files: Vec<DataFile>, columns: Option<Vec<String>>) -> BatchStream {
        let spec = Arc::new(self.spec.clone());
        let store = self.delta.object_store();
        let columns = Arc::new(columns.unwrap_or_else(|| spec.schema.fields().iter().map(|f| f.name().clone()).collect()));
        futures::stream::iter(files)
            .then(move |file| file_stream(store.clone(), spec.clone(), columns.clone(), file))
            .try_flatten()
            .boxed()
    }

    /// Reads all rows of this version.
    ///
    /// # Errors
    /// When a file is missing or broken, or a column is unknown.
    pub async fn read(&self, columns: Option<&[&str]>) -> Result<Vec<RecordBatch>, TableError> {
        let columns = columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        self.scan(self.files().to_vec(), columns).try_collect().await
    }
}

async fn file_stream(
    store: ObjectStoreRef,
    spec: Arc<TableSpec>,
    columns: Arc<Vec<String>>,
    file: DataFile,
) -> Result<BatchStream, TableError> {
    let failed = {
        let (table, path) = (spec.name.clone(), file.path.clone());
        move |source| TableError::DataFile { table: table.clone(), file: path.clone(), source: Box::new(source) }
    };
    let path = Path::parse(&file.path).unwrap_or_else(|_| Path::from(file.path.as_str()));
    let reader = ParquetObjectReader::new(store, path).with_file_size(file.bytes);
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await.map_err(&failed)?;
    let stored: Vec<&str> =
        columns.iter().map(String::as_str).filter(|name| !spec.partition_columns.iter().any(|p| p == name)).collect();
    let mask = ProjectionMask::columns(builder.parquet_schema(), stored);
    let stream = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(&failed)?;
    let target = target_schema(&spec, &columns)?;
    Ok(stream
        .map(move |batch| {
            let batch = batch.map_err(&failed)?;
            complete(&spec, &target, &file, &batch)
        })
        .boxed())
}

fn target_schema(spec: &TableSpec, columns: &[String]) -> Result<SchemaRef, TableError> {
    let shape = |source| TableError::Shape { table: spec.name.clone(), source };
    let fields: Result<Vec<_>, _> =
        columns.iter().map(|name| spec.schema.field_with_name(name).cloned().map_err(shape)).collect();
    Ok(Arc::new(Schema::new(fields?)))
}

/// Puts stored and partition columns into the order of the target.
fn complete(spec: &TableSpec, target: &SchemaRef, file: &DataFile, batch: &RecordBatch) -> Result<RecordBatch, TableError> {
    let shape = |source| TableError::Shape { table: spec.name.clone(), source };
    let exact = |name: &str, array: &ArrayRef, kind: &DataType| {
        cast_exactly(array, kind)
            .map_err(|problem| shape(ArrowError::CastError(format!("column `{name}` of file `{}`: {problem}", file.path))))
    };
    let rows = batch.num_rows();
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(target.fields().len());
    for field in target.fields() {
        let array = match batch.column_by_name(field.name()) {
            Some(array) if array.data_type() == field.data_type() => array.clone(),
            Some(array) => exact(field.name(), array, field.data_type())?,
            None => {
                let text: ArrayRef =
                    Arc::new(StringArray::from_iter(std::iter::repeat_n(file.partition_value(field.name()), rows)));
                exact(field.name(), &text, field.data_type())?
            }
        };
        arrays.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(target.clone(), arrays, &options).map_err(shape)
}
