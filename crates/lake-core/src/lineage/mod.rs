//! Lineage: what a run reads and writes, and what every column is made from, in the words of OpenLineage 2-0-2.
//!
//! [`columns`] says what a column is made from, [`derivation`] tells it for Bronze and Silver from their contracts (for Gold
//! `lake-sql` does, from the model). [`dataset`] names tables and sources, [`record`] turns the beginning and the end of a run
//! into [`event`]s with their [`facet`]s, and [`outbox`] says under which name an event is kept until it is delivered.
//! [`metrics`] says which numbers an event comes to.
//!
//! An event tells of tables, columns and counts. No value of a row is ever in one: no minimum, no maximum, no sample.

pub mod columns;
pub mod dataset;
pub mod derivation;
pub mod event;
pub mod facet;
pub mod metrics;
pub mod outbox;
pub mod record;
mod silver;
#[cfg(test)]
mod tests;

pub use columns::{Derivation, Field, Origins, Transformation, Use};
pub use dataset::{DatasetName, Places};
pub use derivation::derivation;
pub use event::{EventType, RunEvent};
pub use metrics::Measure;
pub use record::{Ending, Record};
