//! What every Bronze row carries, and how a window of a source lands exactly once.
//!
//! All ingest programs fill the same meta columns ([`Meta`]); those of windowed sources share one way to be idempotent
//! ([`Landing`]): the window is an application of the log, its generation the transaction version. Sources with columns of
//! their own share how those are held against the contract ([`Shape`]).
//!
//! Not done here: asking a source.

mod columnar;
mod fit;
mod landing;
mod meta;
#[cfg(test)]
mod tests;

pub use columnar::{Shape, ShapeError};
pub use fit::{fits, fitted};
pub use landing::Landing;
pub use meta::{BronzeError, Meta, position_prefix, refuse_refresh};
