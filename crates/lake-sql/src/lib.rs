//! People's SQL: Gold models, their proofs and SQL quality rules, on DataFusion. The only crate that knows it.
//!
//! A [`Session`] holds declared tables and nothing else. A Silver table stands in it as a view without personal data; what a
//! contract's `goldViews` name is computed from it by our own functions. A statement is exactly one query: anything else, or
//! a table that is not declared, is refused before anything is planned. [`build`] runs a model and keeps its result on the
//! local disk, [`audit`] checks it against its contract, [`proof`] accounts for the rows of its inputs. [`rule`] asks one SQL rule,
//! [`derivation`] tells what the columns of a table are made from, [`named_tokens`] that tokens have the names of tokens.
//!
//! Not done here: which versions are read, and commits (`goldify`).

pub mod audit;
mod cast;
mod error;
mod functions;
mod lineage;
mod memory;
mod model;
pub mod proof;
pub mod rule;
mod scan;
mod session;
mod spill;
mod statement;
mod view;

pub use error::SqlError;
pub use lineage::{derivation, named_tokens};
pub use model::{Built, build};
pub use scan::Rows;
pub use session::{BatchStream, Session};
pub use spill::{Spill, SpillWriter};
pub use statement::{hides_small_groups, of_cte, reads_as_of_date};

#[cfg(test)]
mod tests;
