//! What can go wrong with a delivery, and who has to act.

use lake_core::{Fault, fault::Faulty};

/// Why events could not be delivered or lineage not shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EmitError {
    /// A file of the outbox holds no event.
    #[error("read event `{path}`: it is not valid JSON")]
    Broken { path: String },
    /// A file of the outbox holds something else than an event of a run.
    #[error("read event `{path}`: it is no event of a run on a table")]
    NoRun { path: String },
    /// An event that the receiver can never take.
    #[error("deliver event `{path}`: it has {bytes} bytes, and the receiver takes at most {bytes_max}")]
    TooLarge { path: String, bytes: usize, bytes_max: usize },
    /// A cursor that is no cursor.
    #[error("read cursor `{path}`: it is not one of ours")]
    Cursor { path: String },
    /// A column that the table does not have.
    #[error("show column `{column}`: `{table}` does not have it{hint}")]
    Column { table: String, column: String, hint: String },
}

impl Faulty for EmitError {
    fn fault(&self) -> Fault {
        match self {
            Self::Broken { .. } | Self::NoRun { .. } | Self::TooLarge { .. } => Fault::Data,
            Self::Cursor { .. } | Self::Column { .. } => Fault::Config,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Broken { .. } | Self::NoRun { .. } | Self::TooLarge { .. } => {
                Some("look at the file; move it away and the rest is delivered".into())
            }
            Self::Cursor { .. } => Some("delete the file, and every event is delivered again".into()),
            Self::Column { .. } => None,
        }
    }
}
