//! What can go wrong with people's SQL, and who has to act.

use deltalake::datafusion::{common::SchemaError, error::DataFusionError};
use lake_core::{Fault, fault::Faulty};
use lake_table::TableError;

/// Why SQL could not be planned or run.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// Not exactly one query.
    #[error("accept the SQL: it must be exactly one SELECT (or WITH ... SELECT), but it is {found}")]
    Statement {
        /// What stands there instead.
        found: String,
    },
    /// The text is no SQL.
    #[error("read the SQL: {problem}")]
    Syntax {
        /// What the parser says.
        problem: String,
    },
    /// A table that the contract does not declare.
    #[error("use table `{table}`: the contract declares {declared}")]
    Undeclared {
        /// As written.
        table: String,
        /// Names that may be used.
        declared: String,
    },
    /// A common table expression that the query does not have.
    #[error("find `{cte}` in the query: its common table expressions are {known}")]
    Cte {
        /// As asked for.
        cte: String,
        /// Those that it has.
        known: String,
    },
    /// A column with personal data, which no model sees.
    #[error("use column `{column}`: it is personal data of `{table}`{instead}")]
    Personal {
        /// As written.
        column: String,
        /// Its table.
        table: String,
        /// Empty, or what may be used.
        instead: String,
    },
    /// A sensitive column that the contract does not name.
    #[error("use column `{column}`: it is sensitive, and the contract does not name `{table}.{column}` under `sensitive`")]
    Sensitive {
        /// As written.
        column: String,
        /// Its table.
        table: String,
    },
    /// A column with tokens that has not the name of one.
    #[error(
        "keep tokens in column `{column}` of `{table}`: `goldify rotate-key` finds tokens by the names that `goldViews` give them \
         ({names}), and would leave these with the old key"
    )]
    UnnamedToken {
        /// The Gold table.
        table: String,
        /// Its column.
        column: String,
        /// Names of tokens.
        names: String,
    },
    /// The query does not fit its tables.
    #[error("plan the query: {problem}")]
    Plan {
        /// What the planner says; it has seen no row.
        problem: String,
    },
    /// The query failed on the rows. The cause is named by kind only, since its text may show a value.
    #[error("run the query: {kind}")]
    Run {
        /// Kind of failure.
        kind: &'static str,
    },
    /// The query needs more memory than it may have.
    #[error("run the query: it needs more than {mebibytes} MiB of memory at once")]
    Memory {
        /// The limit.
        mebibytes: usize,
    },
    /// The result's columns are not the contract's.
    #[error("fit the result to `{table}`: {difference}")]
    Columns {
        /// Table.
        table: String,
        /// What differs.
        difference: String,
    },
    /// A value of the result does not fit the contract's type exactly.
    #[error("fit the result to `{table}`: column `{column}` is {found}, and a value does not fit {wanted} exactly")]
    Lossy {
        /// Table.
        table: String,
        /// Column.
        column: String,
        /// Type of the result.
        found: String,
        /// Type of the contract.
        wanted: String,
    },
    /// A proof statement has another shape than it must.
    #[error("read the result of {statement}: {problem}")]
    Proof {
        /// `ledger.sql`, `balance.sql` or a rule.
        statement: String,
        /// What is wrong.
        problem: String,
    },
    /// The rows answer a rule with something else than one number.
    #[error("answer rule `{rule}`: {problem}")]
    Answer {
        /// Id of the rule.
        rule: String,
        /// What they answer.
        problem: &'static str,
    },
    /// A view or function needs the token key and there is none.
    #[error("show `{table}` to a model: its tokens need a key")]
    Key {
        /// Table.
        table: String,
    },
    /// A scan delivered other rows than the log counts.
    #[error("scan `{table}`: {scanned} rows where the log counts {counted}")]
    Scan {
        /// Table.
        table: String,
        /// Rows delivered.
        scanned: u64,
        /// Rows by the log.
        counted: u64,
    },
    /// A table could not be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The local disk refused.
    #[error("keep the result on the local disk")]
    Disk(#[from] std::io::Error),
    /// Rows could not be put together.
    #[error("put rows together: {kind}")]
    Arrow {
        /// Kind of failure.
        kind: &'static str,
    },
}

/// Most memory that one query may take at once, spilled parts aside.
pub(crate) const MEMORY_BYTES: usize = 512 << 20;

impl SqlError {
    /// Turns a planner's error into ours; planning sees names and types, never rows.
    pub(crate) fn plan(error: &DataFusionError) -> Self {
        let text = error.find_root().strip_backtrace();
        let problem = text.lines().next().unwrap_or_default();
        let known = ["Error during planning: ", "Schema error: ", "SQL error: "];
        let bare = known.iter().find_map(|prefix| problem.strip_prefix(prefix)).unwrap_or(problem);
        Self::Plan { problem: bare.to_owned() }
    }

    /// Turns an engine's error into ours without the text that could show a value.
    pub(crate) fn run(error: DataFusionError) -> Self {
        if let Some(own) = own(&error) {
            return own;
        }
        let kind = match error.find_root() {
            DataFusionError::ResourcesExhausted(consumers) => {
                tracing::info!(consumers, "memory exhausted");
                return Self::Memory { mebibytes: MEMORY_BYTES >> 20 };
            }
            DataFusionError::ArrowError(error, _) => arrow_kind(error),
            DataFusionError::Execution(_) => "a function or an operator failed on a value",
            DataFusionError::IoError(_) | DataFusionError::ObjectStore(_) => "reading failed",
            DataFusionError::Internal(_) => "the engine broke one of its own assumptions",
            _ => "the engine stopped",
        };
        Self::Run { kind }
    }

    pub(crate) fn arrow(error: &arrow::error::ArrowError) -> Self {
        Self::Arrow { kind: arrow_kind(error) }
    }

    /// Name of the column that a planner did not find.
    pub(crate) fn missing_column(error: &DataFusionError) -> Option<String> {
        match error.find_root() {
            DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
                SchemaError::FieldNotFound { field, .. } => Some(field.name.clone()),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Our own errors pass the engine as external ones; they know more than the engine does.
fn own(error: &DataFusionError) -> Option<SqlError> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(carried) = current.downcast_ref::<Carried>() {
            return carried.0.lock().ok().and_then(|mut inner| inner.take());
        }
        cause = match current.downcast_ref::<DataFusionError>() {
            Some(DataFusionError::External(inner)) => Some(inner.as_ref()),
            Some(DataFusionError::Shared(inner)) => Some(inner.as_ref()),
            Some(DataFusionError::Context(_, inner)) => Some(inner.as_ref()),
            _ => current.source(),
        };
    }
    None
}

/// One of our errors on its way through the engine.
#[derive(Debug)]
pub(crate) struct Carried(std::sync::Mutex<Option<SqlError>>);

impl std::fmt::Display for Carried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a scan failed")
    }
}

impl std::error::Error for Carried {}

impl SqlError {
    /// Wraps the error for its way through the engine.
    pub(crate) fn carried(self) -> DataFusionError {
        DataFusionError::External(Box::new(Carried(std::sync::Mutex::new(Some(self)))))
    }
}

const fn arrow_kind(error: &arrow::error::ArrowError) -> &'static str {
    use arrow::error::ArrowError;
    match error {
        ArrowError::CastError(_) | ArrowError::ParseError(_) => "a value cannot be cast",
        ArrowError::DivideByZero => "a division by zero",
        ArrowError::ArithmeticOverflow(_) | ArrowError::InvalidArgumentError(_) => "a value is too large for its type",
        ArrowError::MemoryError(_) => "no memory",
        ArrowError::IoError(..) | ArrowError::IpcError(_) => "the local disk refused",
        ArrowError::SchemaError(_) => "columns do not fit",
        _ => "a computation failed",
    }
}

impl Faulty for SqlError {
    fn fault(&self) -> Fault {
        match self {
            Self::Statement { .. }
            | Self::Syntax { .. }
            | Self::Undeclared { .. }
            | Self::Cte { .. }
            | Self::Personal { .. }
            | Self::Sensitive { .. }
            | Self::UnnamedToken { .. }
            | Self::Plan { .. }
            | Self::Columns { .. }
            | Self::Proof { .. }
            | Self::Key { .. }
            | Self::Memory { .. } => Fault::Config,
            Self::Run { .. } | Self::Lossy { .. } | Self::Scan { .. } | Self::Answer { .. } | Self::Arrow { .. } => Fault::Data,
            Self::Table(error) => error.fault(),
            Self::Disk(_) => Fault::Transient,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Table(error) => error.hint(),
            Self::Undeclared { .. } => {
                Some("declare the table: a model under `inputs` of the contract, a rule under its `reads`".into())
            }
            Self::Memory { .. } => {
                Some("filter or aggregate before the model joins or sorts, or make a part of it a table of its own".into())
            }
            Self::UnnamedToken { column, .. } => Some(format!(
                "give the column such a name in model.sql and in the contract, with `token_key_id` beside it; or add \
                 `{{column: {column}, method: token}}` to the `goldViews` of the Silver column and select that"
            )),
            Self::Lossy { .. } => Some("round or cast in the model, so that the loss is a decision".into()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_runs_out_of_memory_reads_what_to_do() {
        let error = SqlError::run(DataFusionError::ResourcesExhausted("sort".into()));
        assert!(matches!(error, SqlError::Memory { mebibytes: 512 }), "{error}");
        assert_eq!((error.fault(), error.hint().is_some()), (Fault::Config, true));
    }
}
