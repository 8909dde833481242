//! The only deltalake I/O: where the lake is, what a table is, and the one function that commits to any table.
//!
//! Data, progress and proof are one commit. A [`Table`] is read at one snapshot; a plan made at exactly that snapshot is
//! committed by compare-and-set on its version ([`Table::commit`]); on a conflict the plan is made anew. Progress is the
//! transaction version of the log (`txn`), proof is the [`lake_core::Summary`] in the commit's `commitInfo`.
//!
//! delta-rs' own conflict checker is not trusted: it lets two compactions of one file both commit, and accepts a `txn`
//! version that goes backwards (tried with deltalake-core 1.1.3).
//!
//! Not done here: what rows mean.

pub mod bridge;
mod builder;
pub mod columns;
mod commit;
mod compact;
mod create;
mod error;
mod fit;
mod lake;
mod log;
mod obstacle;
mod parquet_file;
mod past;
mod pending;
mod rows;
mod scan;
mod shape;
mod spec;
mod stage;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod write;

pub use builder::ColumnBuilder;
pub use commit::{Plan, Proposal};
pub use compact::Compacted;
pub use error::TableError;
pub use lake::Lake;
pub use log::{CommitEntry, Slice, SliceFile};
pub use parquet_file::{ParquetFile, ParquetFileWriter};
pub use past::Past;
pub use rows::Batch;
pub use shape::Shape;
pub use spec::{TableSpec, arrow_type};
pub use stage::{Stage, StagedRows};
pub use table::{DataFile, Table};
pub use text::{Notation, TextColumn};
pub use write::{DataWriter, NewFile};
