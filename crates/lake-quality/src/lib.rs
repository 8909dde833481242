//! Quality: what a contract demands of a table's rows, whether they keep it, and what was decided about each version.
//!
//! [`Checks`] is pure: it is made from a contract, is shown the rows in batches and answers with a [`Report`] of one
//! [`Finding`] per rule. Each rule is a Polars expression that counts in every batch, and the counts are added up; only
//! duplicates and references keep columns, and only the narrow ones. [`verdict`] reads and describes `ops/dq_verdicts`.
//!
//! A rule that could not run has failed. A message names columns and counts and never a value of a row.
//!
//! [`history`] compares what a window brought with what earlier windows brought.
//! [`score`] says how good a table, a layer and a day are, and describes `ops/quality_scores`.
//!
//! Not done here: scanning tables, committing verdicts (`dq-check`), SQL rules (`lake-sql`).

mod bound;
mod checks;
mod error;
mod finding;
pub mod history;
mod measure;
mod rule;
pub mod score;
pub mod verdict;

pub use checks::{Checks, Need};
pub use error::QualityError;
pub use finding::{Finding, Report, State, severity_text};
pub use rule::{Query, age_seconds};
pub use verdict::{Verdict, passed_version};

#[cfg(test)]
mod fixtures;
