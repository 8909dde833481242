//! What can go wrong besides rules, and who has to act.

use lake_core::{Fault, fault::Faulty};
use lake_table::TableError;

/// Why quality could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum QualityError {
    /// The table of verdicts could not be read.
    #[error("read the verdicts")]
    Verdicts(#[source] TableError),
    /// The table of scores could not be read.
    #[error("read the quality scores")]
    Scores(#[source] TableError),
    /// A record of quality is not what its column should hold.
    #[error("read a record of quality: column `{0}` holds what no record has")]
    Column(&'static str),
    /// Rows could not be handed to Polars.
    #[error("read the rows of `{0}`: a column has a type that is not known")]
    Rows(String),
}

impl Faulty for QualityError {
    fn fault(&self) -> Fault {
        match self {
            Self::Verdicts(source) | Self::Scores(source) => source.fault(),
            Self::Column(_) | Self::Rows(_) => Fault::Data,
        }
    }

    fn hint(&self) -> Option<String> {
        if let Self::Verdicts(source) | Self::Scores(source) = self { source.hint() } else { None }
    }
}
