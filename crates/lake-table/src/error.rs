//! What can go wrong with a table, and who has to act.

use crate::obstacle::{Obstacle, store_failed};
use deltalake::DeltaTableError;
use lake_core::{Fault, fault::Faulty};

/// Why a table could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The lake's address is no directory and no bucket.
    #[error("open the lake at `{uri}`: {reason}")]
    Address {
        /// As given.
        uri: String,
        /// Why.
        reason: String,
    },
    /// The lake's directory cannot be made or entered.
    #[error("open the lake at `{uri}`")]
    Directory {
        /// As given.
        uri: String,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// The store did not answer or refused.
    #[error("{action} `{object}`")]
    Store {
        /// What was done, as an infinitive.
        action: &'static str,
        /// On what.
        object: String,
        /// Cause.
        #[source]
        source: deltalake::ObjectStoreError,
    },
    /// delta-rs reports an error.
    #[error("{action} table `{table}`")]
    Delta {
        /// What was done, as an infinitive.
        action: &'static str,
        /// Table.
        table: String,
        /// Cause.
        #[source]
        source: Box<DeltaTableError>,
    },
    /// A data file cannot be read.
    #[error("read data file `{file}` of table `{table}`")]
    DataFile {
        /// Table.
        table: String,
        /// Path inside the table.
        file: String,
        /// Cause.
        #[source]
        source: Box<deltalake::parquet::errors::ParquetError>,
    },
    /// A Parquet file that stands in no table cannot be read.
    #[error("read Parquet file `{file}`")]
    ParquetFile {
        /// As given.
        file: String,
        /// Cause.
        #[source]
        source: Box<deltalake::parquet::errors::ParquetError>,
    },
    /// A Parquet file that stands in no table cannot be written.
    #[error("write Parquet file `{file}`")]
    ParquetWrite {
        /// As given.
        file: String,
        /// Cause.
        #[source]
        source: Box<deltalake::parquet::errors::ParquetError>,
    },
    /// A file that another system left for us cannot be read.
    #[error("read staged file `{file}` in {place}")]
    Staged {
        /// The stage.
        place: String,
        /// Path inside the stage.
        file: String,
        /// Cause.
        #[source]
        source: Box<deltalake::parquet::errors::ParquetError>,
    },
    /// Rows do not fit the table.
    #[error("fit rows to table `{table}`")]
    Shape {
        /// Table.
        table: String,
        /// Cause.
        #[source]
        source: arrow::error::ArrowError,
    },
    /// The table's columns are not those of the contract.
    #[error("open table `{table}`: {difference}")]
    Schema {
        /// Table.
        table: String,
        /// What differs.
        difference: String,
    },
    /// A log entry is not what the protocol says.
    #[error("read log entry {version} of table `{table}`: {problem}")]
    Log {
        /// Table.
        table: String,
        /// Delta version.
        version: i64,
        /// What is wrong.
        problem: String,
    },
    /// An entry of the log is broken or gone, and without it the table cannot be read.
    #[error("read log entry {version} of table `{table}`: {file} {problem}")]
    Entry {
        /// Table.
        table: String,
        /// Delta version.
        version: i64,
        /// The entry's address.
        file: String,
        /// What is wrong, as what follows the file's name.
        problem: String,
    },
    /// The checkpoint that the table is read from is broken, while the entries of its log are not.
    #[error("read the checkpoint of table `{table}`: {file} is broken")]
    Checkpoint {
        /// Table.
        table: String,
        /// The checkpoint's address.
        file: String,
        /// Cause.
        #[source]
        source: Box<DeltaTableError>,
    },
    /// A version does not exist (any more).
    #[error("read version {version} of table `{table}`: the newest is {newest}")]
    Version {
        /// Table.
        table: String,
        /// Asked for.
        version: i64,
        /// There.
        newest: i64,
    },
    /// A commit that would lose or double rows.
    #[error(
        "prove the commit to `{table}`: {before} rows before + {inserted} inserted - {removed} removed is not {after} rows after"
    )]
    Proof {
        /// Table.
        table: String,
        /// Rows before.
        before: u64,
        /// Rows that the plan inserts.
        inserted: u64,
        /// Rows that the plan removes.
        removed: u64,
        /// Rows after, by the files' own counts.
        after: u64,
    },
    /// Progress that would go backwards.
    #[error("commit to `{table}`: progress of `{application}` would go from {stored} to {proposed}")]
    Backwards {
        /// Table.
        table: String,
        /// Application id.
        application: String,
        /// Version in the log.
        stored: i64,
        /// Version in the plan.
        proposed: i64,
    },
    /// Other writers won until the time was up.
    #[error("commit to `{table}`: other writers won for {seconds} s")]
    Contended {
        /// Table.
        table: String,
        /// How long was tried.
        seconds: u64,
    },
}

impl TableError {
    pub(crate) fn delta(action: &'static str, table: &str, source: DeltaTableError) -> Self {
        Self::Delta { action, table: table.to_owned(), source: Box::new(source) }
    }
}

impl Faulty for TableError {
    fn fault(&self) -> Fault {
        match (Obstacle::of(self), self) {
            (Some(Obstacle::Full), _) => Fault::Transient,
            (Some(Obstacle::Refused), _) | (None, Self::Address { .. } | Self::Directory { .. } | Self::ParquetWrite { .. }) => {
                Fault::Config
            }
            // What is staged is made anew by the next run.
            (None, Self::Store { .. } | Self::Staged { .. } | Self::Contended { .. }) => Fault::Transient,
            (None, Self::Delta { source, .. }) => match source.as_ref() {
                DeltaTableError::ObjectStore { .. } | DeltaTableError::Io { .. } | DeltaTableError::Transaction { .. } => {
                    Fault::Transient
                }
                DeltaTableError::KernelError(_) if source.to_string().contains("object store") => Fault::Transient,
                other if store_failed(other) => Fault::Transient,
                _ => Fault::Data,
            },
            (None, Self::DataFile { source, .. }) if store_failed(source.as_ref()) => Fault::Transient,
            (
                None,
                Self::DataFile { .. }
                | Self::ParquetFile { .. }
                | Self::Shape { .. }
                | Self::Schema { .. }
                | Self::Log { .. }
                | Self::Entry { .. }
                | Self::Checkpoint { .. }
                | Self::Version { .. }
                | Self::Proof { .. }
                | Self::Backwards { .. },
            ) => Fault::Data,
        }
    }

    fn hint(&self) -> Option<String> {
        // The file is not in the lake, which the hints of obstacles are about.
        if matches!(self, Self::ParquetWrite { .. }) {
            return Some("name a file in a directory that is there, can be written and has space".into());
        }
        if let Some(obstacle) = Obstacle::of(self) {
            return Some(obstacle.hint().into());
        }
        match self {
            Self::Address { .. } | Self::Directory { .. } => Some("give --lake a directory or s3://bucket/prefix".into()),
            Self::Schema { .. } => Some(
                "add a column that is new to the table (ALTER TABLE ... ADD COLUMNS by any Delta writer; `silverize --full-refresh` \
                 fills it in older rows); for anything else give the contract a new major version and a table of its own"
                    .into(),
            ),
            Self::Entry { .. } => Some(
                "put that file back from a backup or an older version of the object; without one build the lake anew from its \
                 sources, at another --lake"
                    .into(),
            ),
            Self::Checkpoint { .. } => {
                Some("move that file and `_last_checkpoint` away: the table is then read from the entries of its log".into())
            }
            Self::Contended { .. } => Some("run the same command again".into()),
            _ => None,
        }
    }
}
