//! Arrow to Polars without copying, through the Arrow C data interface.
//!
//! Source: <https://arrow.apache.org/docs/format/CDataInterface.html>. This is the one place with `unsafe`: both crates
//! define the interface's two C structs, and only the type names differ.

use arrow::{
    array::{Array as _, RecordBatch},
    ffi::{FFI_ArrowArray, FFI_ArrowSchema, to_ffi},
};
use polars::prelude::{Column, DataFrame, PolarsError, Series};

/// Turns batches into one data frame, zero copy.
///
/// # Errors
/// When a column has a type that Polars does not know.
pub fn to_polars(batches: &[RecordBatch]) -> Result<DataFrame, PolarsError> {
    let mut whole: Option<DataFrame> = None;
    for batch in batches {
        let frame = batch_to_polars(batch)?;
        match &mut whole {
            None => whole = Some(frame),
            Some(all) => {
                all.vstack_mut(&frame)?;
            }
        }
    }
    Ok(whole.unwrap_or_default())
}

fn batch_to_polars(batch: &RecordBatch) -> Result<DataFrame, PolarsError> {
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        let (ffi_array, ffi_schema) = to_ffi(&array.to_data()).map_err(|e| PolarsError::ComputeError(e.to_string().into()))?;
        let series = import(field.name(), ffi_array, ffi_schema)?;
        columns.push(Column::from(series));
    }
    DataFrame::new(batch.num_rows(), columns)
}

#[expect(unsafe_code, reason = "the Arrow C data interface is an ABI: the two crates' structs are the same C structs")]
fn import(name: &str, array: FFI_ArrowArray, schema: FFI_ArrowSchema) -> Result<Series, PolarsError> {
    // SAFETY: both pairs of types are `#[repr(C)]` mirrors of the interface's `ArrowArray` and `ArrowSchema`; ownership,
    // with the release callback, moves to Polars.
    let array = unsafe { std::mem::transmute::<FFI_ArrowArray, polars_arrow::ffi::ArrowArray>(array) };
    // SAFETY: as above.
    let schema = unsafe { std::mem::transmute::<FFI_ArrowSchema, polars_arrow::ffi::ArrowSchema>(schema) };
    // SAFETY: the schema was made by arrow-rs for exactly this array.
    let field = unsafe { polars_arrow::ffi::import_field_from_c(&schema)? };
    // SAFETY: as above.
    let array = unsafe { polars_arrow::ffi::import_array_from_c(array, field.dtype().clone())? };
    Series::try_from((polars::prelude::PlSmallStr::from(name), vec![array]))
}
