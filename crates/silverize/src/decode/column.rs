//! Columns that cells are put into.

use super::field::{Cell, scale};
use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int32Builder, Int64Builder,
    StringBuilder, TimestampMicrosecondBuilder,
};
use lake_core::contract::ColumnType;
use std::sync::Arc;

/// Builds the column of one type.
#[derive(Debug)]
pub(crate) enum ColumnBuilder {
    Text(StringBuilder),
    Int(Int32Builder),
    Long(Int64Builder),
    Double(Float64Builder),
    Boolean(BooleanBuilder),
    Date(Date32Builder),
    Instant(TimestampMicrosecondBuilder),
    Bytes(BinaryBuilder),
    Decimal(Decimal128Builder),
}

impl ColumnBuilder {
    /// Starts a column of a type.
    pub(crate) fn new(kind: ColumnType, rows: usize) -> Self {
        match kind {
            ColumnType::String => Self::Text(StringBuilder::with_capacity(rows, rows * 12)),
            ColumnType::Int => Self::Int(Int32Builder::with_capacity(rows)),
            ColumnType::Long => Self::Long(Int64Builder::with_capacity(rows)),
            ColumnType::Double => Self::Double(Float64Builder::with_capacity(rows)),
            ColumnType::Boolean => Self::Boolean(BooleanBuilder::with_capacity(rows)),
            ColumnType::Date => Self::Date(Date32Builder::with_capacity(rows)),
            ColumnType::Timestamp => {
                Self::Instant(TimestampMicrosecondBuilder::with_capacity(rows).with_data_type(lake_table::arrow_type(kind)))
            }
            ColumnType::Binary => Self::Bytes(BinaryBuilder::with_capacity(rows, rows * 16)),
            ColumnType::Decimal(precision, _) => {
                let kind = arrow::datatypes::DataType::Decimal128(precision, scale(kind));
                Self::Decimal(Decimal128Builder::with_capacity(rows).with_data_type(kind))
            }
        }
    }

    /// Adds a cell; one of another type is a bug of the caller, and null.
    pub(crate) fn push(&mut self, cell: &Cell<'_>) {
        match (self, cell) {
            (Self::Text(builder), Cell::Text(text)) => builder.append_value(text),
            (Self::Text(builder), _) => builder.append_null(),
            (Self::Int(builder), Cell::Integer(value)) => builder.append_option(i32::try_from(*value).ok()),
            (Self::Int(builder), _) => builder.append_null(),
            (Self::Long(builder), Cell::Integer(value)) => builder.append_value(*value),
            (Self::Long(builder), _) => builder.append_null(),
            (Self::Double(builder), Cell::Double(value)) => builder.append_value(*value),
            (Self::Double(builder), _) => builder.append_null(),
            (Self::Boolean(builder), Cell::Boolean(value)) => builder.append_value(*value),
            (Self::Boolean(builder), _) => builder.append_null(),
            (Self::Date(builder), Cell::Date(days)) => builder.append_value(*days),
            (Self::Date(builder), _) => builder.append_null(),
            (Self::Instant(builder), Cell::Instant(micros)) => builder.append_value(*micros),
            (Self::Instant(builder), _) => builder.append_null(),
            (Self::Bytes(builder), Cell::Bytes(bytes)) => builder.append_value(bytes),
            (Self::Bytes(builder), _) => builder.append_null(),
            (Self::Decimal(builder), Cell::Decimal(value)) => builder.append_value(*value),
            (Self::Decimal(builder), _) => builder.append_null(),
        }
    }

    /// Ends the column.
    pub(crate) fn finish(mut self) -> ArrayRef {
        match &mut self {
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Int(builder) => Arc::new(builder.finish()),
            Self::Long(builder) => Arc::new(builder.finish()),
            Self::Double(builder) => Arc::new(builder.finish()),
            Self::Boolean(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Instant(builder) => Arc::new(builder.finish()),
            Self::Bytes(builder) => Arc::new(builder.finish()),
            Self::Decimal(builder) => Arc::new(builder.finish()),
        }
    }
}

/// A column that holds one cell in every row.
pub(crate) fn repeated(kind: ColumnType, cell: &Cell<'_>, rows: usize) -> ArrayRef {
    let mut builder = ColumnBuilder::new(kind, rows);
    for _ in 0..rows {
        builder.push(cell);
    }
    builder.finish()
}
