//! What can go wrong with a sync, and who has to act.

use crate::glue_error::GlueError;
use lake_core::{Fault, fault::Faulty};
use lake_table::TableError;
use std::error::Error;

/// Why the catalog could not be brought up to the lake.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SyncError {
    /// The lake did not tell what a table is.
    #[error(transparent)]
    Table(Box<TableError>),
    /// The catalog did not do what was asked.
    #[error(transparent)]
    Glue(#[from] GlueError),
    /// A column's type cannot be written into the catalog.
    #[error("name the type of column `{column}` of `{table}`: Hive has no word for `{kind}`")]
    Type { table: String, column: String, kind: String },
    /// The entry's name is taken by something else.
    #[error("sync `{table}`: the catalog has an entry of this name that is at {} instead of `{location}`", place(.found))]
    Foreign { table: String, found: String, location: String },
    /// The entry is not as it should be, however often it is written.
    #[error("sync `{table}`: the catalog still differs in {what} after {tries} tries")]
    Contended { table: String, what: &'static str, tries: usize },
    /// More than one table could not be synced.
    #[error("sync {} tables:\n{}", .0.len(), lines(.0))]
    Many(Vec<SyncError>),
}

impl SyncError {
    /// Whether other tables can be synced all the same.
    pub(crate) fn is_of_one_table(&self) -> bool {
        match self {
            Self::Type { .. } | Self::Foreign { .. } | Self::Contended { .. } | Self::Glue(GlueError::Refused { .. }) => true,
            Self::Table(error) => error.fault() == Fault::Data,
            Self::Glue(_) | Self::Many(_) => false,
        }
    }

    /// Nothing, the one error, or all of them as one.
    pub(crate) fn all(mut errors: Vec<Self>) -> Result<(), Self> {
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.remove(0)),
            _ => Err(Self::Many(errors)),
        }
    }
}

impl From<TableError> for SyncError {
    fn from(error: TableError) -> Self {
        Self::Table(Box::new(error))
    }
}

impl Faulty for SyncError {
    fn fault(&self) -> Fault {
        match self {
            Self::Table(error) => error.fault(),
            Self::Glue(error) => error.fault(),
            Self::Type { .. } => Fault::Data,
            Self::Foreign { .. } => Fault::Config,
            Self::Contended { .. } => Fault::Transient,
            // Who must edit something comes before who must look at data, and that before who may wait.
            Self::Many(errors) => errors.iter().map(Self::fault).max().unwrap_or(Fault::Transient),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Table(error) => error.hint(),
            Self::Glue(error) => error.hint(),
            Self::Type { .. } => {
                Some("give the column a type that Athena can read; readers of the catalog see the old entry".into())
            }
            Self::Foreign { .. } => Some(
                "two lakes need two sets of databases (--database-prefix); where the lake has moved, drop the old entry first"
                    .into(),
            ),
            Self::Contended { .. } => {
                Some("let one sync run at a time and run the same command again; what else writes these entries?".into())
            }
            Self::Many(errors) => errors.iter().find(|error| error.fault() == self.fault()).and_then(Self::hint),
        }
    }
}

fn place(found: &str) -> String {
    if found.is_empty() { "no place at all".to_owned() } else { format!("`{found}`") }
}

fn lines(errors: &[SyncError]) -> String {
    errors.iter().map(|error| format!("  {}", whole(error))).collect::<Vec<_>>().join("\n")
}

/// An error with its causes in one line.
fn whole(error: &(dyn Error + 'static)) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unnamed(table: &str) -> SyncError {
        SyncError::Type { table: table.into(), column: "c".into(), kind: "variant".into() }
    }

    fn foreign() -> SyncError {
        SyncError::Foreign { table: "gold_a".into(), found: String::new(), location: "s3://b/gold/a".into() }
    }

    #[test]
    fn several_tables_are_told_as_one_error_of_the_worst_fault() {
        assert!(SyncError::all(Vec::new()).is_ok());
        assert_eq!(SyncError::all(vec![unnamed("t")]).unwrap_err().fault(), Fault::Data);
        let many = SyncError::all(vec![unnamed("silver_a"), foreign()]).unwrap_err();
        assert_eq!(many.fault(), Fault::Config);
        assert!(many.hint().unwrap().contains("--database-prefix"));
        let text = many.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..2], ["sync 2 tables:", "  name the type of column `c` of `silver_a`: Hive has no word for `variant`"]);
        assert!(lines[2].starts_with("  sync `gold_a`: ") && lines[2].contains("at no place at all instead of `s3://b/gold/a`"));
    }

    #[test]
    fn who_has_to_act_is_known_of_each() {
        let contended = SyncError::Contended { table: "t".into(), what: "columns", tries: 6 };
        assert_eq!((contended.fault(), contended.is_of_one_table()), (Fault::Transient, true));
        let overtaken = SyncError::from(GlueError::Overtaken { action: "update", object: "t".into() });
        assert_eq!((overtaken.fault(), overtaken.is_of_one_table()), (Fault::Transient, false));
        let refused = TableError::Address { uri: "x".into(), reason: "y".into() };
        assert!(!SyncError::from(refused).is_of_one_table());
        let broken = TableError::Log { table: "t".into(), version: 1, problem: "is broken".into() };
        assert!(SyncError::from(broken).is_of_one_table());
    }
}
