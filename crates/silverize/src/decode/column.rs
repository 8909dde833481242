//! Columns that cells are put into.

use super::field::Cell;
use arrow::array::ArrayRef;
use lake_core::contract::ColumnType;
use lake_table::ColumnBuilder;

/// Adds a cell; one of another type is a bug of the caller, and null.
pub(crate) fn push(builder: &mut ColumnBuilder, cell: &Cell<'_>) {
    match (builder, cell) {
        (ColumnBuilder::Text(values), Cell::Text(text)) => values.append_value(text),
        (ColumnBuilder::Int(values), Cell::Integer(value)) => values.append_option(i32::try_from(*value).ok()),
        (ColumnBuilder::Long(values), Cell::Integer(value)) => values.append_value(*value),
        (ColumnBuilder::Double(values), Cell::Double(value)) => values.append_value(*value),
        (ColumnBuilder::Boolean(values), Cell::Boolean(value)) => values.append_value(*value),
        (ColumnBuilder::Date(values), Cell::Date(days)) => values.append_value(*days),
        (ColumnBuilder::Instant(values), Cell::Instant(micros)) => values.append_value(*micros),
        (ColumnBuilder::Bytes(values), Cell::Bytes(bytes)) => values.append_value(bytes),
        (ColumnBuilder::Decimal(values), Cell::Decimal(value)) => values.append_value(*value),
        (other, _) => other.append_null(),
    }
}

/// A column that holds one cell in every row.
pub(crate) fn repeated(kind: ColumnType, cell: &Cell<'_>, rows: usize) -> ArrayRef {
    let mut builder = ColumnBuilder::new(kind, rows);
    for _ in 0..rows {
        push(&mut builder, cell);
    }
    builder.finish()
}
