//! Quality: what a contract demands of a table's rows, whether they keep it, and what was decided about each version.
//!
//! [`Checks`] is pure: it is made from a contract, is shown the rows in batches and answers with a [`Report`] of one
//! [`Finding`] per rule. Each rule is a Polars expression that counts in every batch, and the counts are added up; only
//! duplicates and references keep columns, and only the narrow ones. [`verdict`] reads and describes `ops/dq_verdicts`.
//!
//! A rule that could not run has failed. A message names columns and counts and never a value of a row.
//!
//! Not done here: scanning tables, committing verdicts (`dq-check`), SQL rules (`lake-sql`).

mod bound;
mod checks;
mod error;
mod finding;
mod measure;
mod rule;
pub mod verdict;

pub use checks::Checks;
pub use error::QualityError;
pub use finding::{Finding, Report, severity_text};
pub use verdict::{Verdict, passed_version};

#[cfg(test)]
mod fixtures;
