//! Parquet: columns have types already, and fit those of the contract value by value.

use super::{sink::Sink, typed::fit};
use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use lake_edge::Attach as _;
use lake_table::{ParquetFile, arrow_type};
use std::fs::File;

/// Reads a file of a number of bytes.
pub(super) fn read(file: File, name: &str, bytes: u64, sink: &mut Sink<'_>) -> anyhow::Result<()> {
    let file = ParquetFile::read(file, name).attach()?;
    let schema = file.schema().clone();
    sink.header(schema.fields().iter().map(|field| field.name().as_str()));
    let rows = file.rows().max(1);
    for batch in file {
        let batch = batch.attach()?;
        let columns = (0..sink.contract().columns.len()).map(|at| column(at, &batch, sink)).collect();
        sink.batch(columns, batch.num_rows())?;
        sink.bar.inc(bytes * batch.num_rows() as u64 / rows);
    }
    Ok(())
}

fn column(at: usize, batch: &RecordBatch, sink: &mut Sink<'_>) -> ArrayRef {
    let wanted = &sink.contract().columns[at];
    match batch.column_by_name(&wanted.name) {
        None => new_null_array(&arrow_type(wanted.kind), batch.num_rows()),
        Some(array) => {
            let (array, unreadable) = fit(array, wanted.kind);
            sink.unreadable(at, unreadable);
            array
        }
    }
}
