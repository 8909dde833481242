//! Columns of a contract's types that are built value by value.

use crate::arrow_type;
use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int32Builder, Int64Builder,
    StringBuilder, TimestampMicrosecondBuilder,
};
use lake_core::contract::ColumnType;
use std::sync::Arc;

/// Builds the column of one type.
#[derive(Debug)]
pub enum ColumnBuilder {
    /// Text.
    Text(StringBuilder),
    /// Integers of 32 bits.
    Int(Int32Builder),
    /// Integers of 64 bits.
    Long(Int64Builder),
    /// Floats.
    Double(Float64Builder),
    /// Truth values.
    Boolean(BooleanBuilder),
    /// Days since 1970.
    Date(Date32Builder),
    /// Microseconds since 1970 UTC.
    Instant(TimestampMicrosecondBuilder),
    /// Bytes.
    Bytes(BinaryBuilder),
    /// Decimals as integers of their type's scale.
    Decimal(Decimal128Builder),
}

impl ColumnBuilder {
    /// Starts a column of a type, with room for some rows.
    #[must_use]
    pub fn new(kind: ColumnType, rows: usize) -> Self {
        match kind {
            ColumnType::String => Self::Text(StringBuilder::with_capacity(rows, rows * 12)),
            ColumnType::Int => Self::Int(Int32Builder::with_capacity(rows)),
            ColumnType::Long => Self::Long(Int64Builder::with_capacity(rows)),
            ColumnType::Double => Self::Double(Float64Builder::with_capacity(rows)),
            ColumnType::Boolean => Self::Boolean(BooleanBuilder::with_capacity(rows)),
            ColumnType::Date => Self::Date(Date32Builder::with_capacity(rows)),
            ColumnType::Timestamp => {
                Self::Instant(TimestampMicrosecondBuilder::with_capacity(rows).with_data_type(arrow_type(kind)))
            }
            ColumnType::Binary => Self::Bytes(BinaryBuilder::with_capacity(rows, rows * 16)),
            ColumnType::Decimal(..) => Self::Decimal(Decimal128Builder::with_capacity(rows).with_data_type(arrow_type(kind))),
        }
    }

    /// Adds a null.
    pub fn append_null(&mut self) {
        match self {
            Self::Text(values) => values.append_null(),
            Self::Int(values) => values.append_null(),
            Self::Long(values) => values.append_null(),
            Self::Double(values) => values.append_null(),
            Self::Boolean(values) => values.append_null(),
            Self::Date(values) => values.append_null(),
            Self::Instant(values) => values.append_null(),
            Self::Bytes(values) => values.append_null(),
            Self::Decimal(values) => values.append_null(),
        }
    }

    /// Returns the values so far, and begins anew.
    pub fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(values) => Arc::new(values.finish()),
            Self::Int(values) => Arc::new(values.finish()),
            Self::Long(values) => Arc::new(values.finish()),
            Self::Double(values) => Arc::new(values.finish()),
            Self::Boolean(values) => Arc::new(values.finish()),
            Self::Date(values) => Arc::new(values.finish()),
            Self::Instant(values) => Arc::new(values.finish()),
            Self::Bytes(values) => Arc::new(values.finish()),
            Self::Decimal(values) => Arc::new(values.finish()),
        }
    }
}
