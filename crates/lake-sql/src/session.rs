//! One engine with declared tables and nothing else.

use crate::{
    Rows, SqlError,
    error::MEMORY_BYTES,
    functions,
    memory::SharedPool,
    scan::{PARTITIONS, Scan},
    spill::SpillWriter,
    statement, view,
};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use deltalake::datafusion::{
    dataframe::DataFrame,
    execution::{SendableRecordBatchStream, SessionStateBuilder, runtime_env::RuntimeEnv, runtime_env::RuntimeEnvBuilder},
    physical_plan::{displayable, execute_stream},
    prelude::{SessionConfig, SessionContext},
};
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use lake_core::{Contract, Policy, mask::TokenKey};
use std::{collections::BTreeSet, future::Future, sync::Arc};

/// Planning recurses with the depth of the SQL; a debug build needs more than a thread's usual 2 MiB.
const PLANNING_STACK_BYTES: usize = 16 << 20;

/// A stream of batches.
pub type BatchStream = BoxStream<'static, Result<RecordBatch, SqlError>>;

/// One engine with declared tables and nothing else.
pub struct Session {
    context: SessionContext,
    declared: BTreeSet<String>,
    /// Sensitive columns that queries may read, as `table.column`.
    sensitive: BTreeSet<String>,
    hidden: Vec<view::Hidden>,
    key: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("declared", &self.declared).finish_non_exhaustive()
    }
}

impl Session {
    /// Makes an engine with our functions; without a key there are no tokens.
    ///
    /// # Errors
    /// When the engine cannot be made.
    pub fn new(policy: &Policy, key: Option<&TokenKey>) -> Result<Self, SqlError> {
        let pool = Arc::new(SharedPool::new(MEMORY_BYTES));
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc().map_err(SqlError::run)?;
        let state = SessionStateBuilder::new().with_config(config()).with_runtime_env(runtime).with_default_features().build();
        let context = SessionContext::new_with_state(state);
        for function in functions::all(policy, key) {
            context.register_udf(function);
        }
        for function in functions::of_windows() {
            context.register_udwf(function);
        }
        Ok(Self { context, declared: BTreeSet::new(), sensitive: BTreeSet::new(), hidden: Vec::new(), key: key.is_some() })
    }

    /// Lets tables that are declared from now on show these sensitive columns, each `table.column`.
    pub fn allow(&mut self, sensitive: &[String]) {
        self.sensitive.extend(sensitive.iter().cloned());
    }

    /// Lets queries ask for the date as of which they see the world: `as_of_date()`.
    pub fn set_as_of_date(&mut self, date: chrono::NaiveDate) {
        self.context.register_udf(functions::as_of_date(date));
    }

    /// Declares a table: a view without personal data, with the columns that the contract's `goldViews` name instead, and
    /// without the sensitive columns that are not allowed.
    ///
    /// # Errors
    /// When a view needs the token key and the session has none.
    pub fn register(&mut self, contract: &Contract, rows: Rows) -> Result<(), SqlError> {
        if !self.key && view::needs_key(contract) {
            return Err(SqlError::Key { table: contract.table.clone() });
        }
        self.register_view(contract, rows, true)
    }

    /// Declares a table for rules: as for models, but without tokens, which need the key; a gate has none. Sensitive columns
    /// are there: a rule counts rows and shows no value.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn register_for_rules(&mut self, contract: &Contract, rows: Rows) -> Result<(), SqlError> {
        let sensitive = contract.columns.iter().filter(|column| column.sensitive());
        self.sensitive.extend(sensitive.map(|column| format!("{}.{}", contract.table, column.name)));
        self.register_view(contract, rows, false)
    }

    fn register_view(&mut self, contract: &Contract, rows: Rows, tokens: bool) -> Result<(), SqlError> {
        let scan = Arc::new(Scan::new(&contract.table, &contract.key(), rows));
        let whole = self.context.read_table(scan).map_err(|e| SqlError::plan(&e))?;
        let columns = view::columns(contract, &self.sensitive, &self.context, tokens)?;
        let visible = whole.select(columns).map_err(|e| SqlError::plan(&e))?;
        self.hidden.extend(view::hidden(contract, &self.sensitive, tokens));
        self.declare(&contract.table, visible)
    }

    /// Declares a result, all its columns visible, under a name.
    ///
    /// # Errors
    /// When the name is taken by an input.
    pub fn register_result(&mut self, name: &str, rows: Rows) -> Result<(), SqlError> {
        let frame = self.context.read_table(Arc::new(Scan::new(name, &[], rows))).map_err(|e| SqlError::plan(&e))?;
        self.declare(name, frame)
    }

    fn declare(&mut self, name: &str, frame: DataFrame) -> Result<(), SqlError> {
        self.context.register_table(name, frame.into_view()).map_err(|e| SqlError::plan(&e))?;
        self.declared.insert(name.to_owned());
        Ok(())
    }

    /// Starts to keep rows on the session's part of the local disk.
    ///
    /// # Errors
    /// When the local disk refuses.
    pub fn spill(&self, schema: &SchemaRef) -> Result<SpillWriter, SqlError> {
        SpillWriter::new(&self.runtime(), schema)
    }

    /// Whether a table is declared.
    #[must_use]
    pub fn declares(&self, name: &str) -> bool {
        self.declared.contains(name)
    }

    /// Runs one query; planned whole before the first row is read.
    ///
    /// # Errors
    /// [`lake_core::Fault::Config`] for anything but one query over declared tables and visible columns.
    pub async fn run(&self, sql: &str) -> Result<BatchStream, SqlError> {
        let frame = self.frame(sql).await?;
        self.execute(frame).await
    }

    /// As [`Session::run`], with the columns of the rows.
    ///
    /// # Errors
    /// As for [`Session::run`].
    pub async fn run_with_schema(&self, sql: &str) -> Result<(SchemaRef, BatchStream), SqlError> {
        let frame = self.frame(sql).await?;
        self.start(frame).await
    }

    /// Runs one query and returns its rows.
    ///
    /// # Errors
    /// As for [`Session::run`].
    pub async fn rows(&self, sql: &str) -> Result<Vec<RecordBatch>, SqlError> {
        self.run(sql).await?.try_collect().await
    }

    /// Returns the number of rows of a query.
    ///
    /// # Errors
    /// As for [`Session::run`].
    pub async fn count(&self, sql: &str) -> Result<u64, SqlError> {
        let mut rows = self.run(sql).await?;
        let mut count = 0;
        while let Some(batch) = rows.next().await {
            count += batch?.num_rows() as u64;
        }
        Ok(count)
    }

    /// Checks and plans a query without running it.
    ///
    /// # Errors
    /// As for [`Session::run`].
    pub(crate) async fn frame(&self, sql: &str) -> Result<DataFrame, SqlError> {
        self.frame_over(sql, &self.declared).await
    }

    /// As [`Session::frame`], over some of the declared tables.
    pub(crate) async fn frame_over(&self, sql: &str, tables: &BTreeSet<String>) -> Result<DataFrame, SqlError> {
        let statement = statement::query(sql, tables)?;
        let state = self.context.state();
        let planning = {
            let state = state.clone();
            async move { state.statement_to_plan(statement).await }
        };
        let plan = on_large_stack(planning).await?.map_err(|error| self.explained(&error))?;
        statement::options().verify_plan(&plan).map_err(|e| SqlError::plan(&e))?;
        Ok(DataFrame::new(state, plan))
    }

    /// Optimises and starts a planned query.
    pub(crate) async fn execute(&self, frame: DataFrame) -> Result<BatchStream, SqlError> {
        self.start(frame).await.map(|(_, rows)| rows)
    }

    async fn start(&self, frame: DataFrame) -> Result<(SchemaRef, BatchStream), SqlError> {
        let task = Arc::new(frame.task_ctx());
        let physical = on_large_stack(async move { frame.create_physical_plan().await }).await?;
        let physical = physical.map_err(|error| self.explained(&error))?;
        tracing::debug!(plan = %displayable(physical.as_ref()).indent(false), "query planned");
        let stream: SendableRecordBatchStream = execute_stream(physical, task).map_err(SqlError::run)?;
        Ok((stream.schema(), stream.map_err(SqlError::run).boxed()))
    }

    pub(crate) fn runtime(&self) -> Arc<RuntimeEnv> {
        self.context.runtime_env()
    }

    /// A column that is not there may be one that is hidden.
    fn explained(&self, error: &deltalake::datafusion::error::DataFusionError) -> SqlError {
        let hidden = SqlError::missing_column(error).and_then(|name| self.hidden.iter().find(|p| p.column == name));
        hidden.map_or_else(|| SqlError::plan(error), view::Hidden::refusal)
    }
}

fn config() -> SessionConfig {
    let mut config = SessionConfig::new().with_target_partitions(PARTITIONS).with_information_schema(false);
    let options = config.options_mut();
    // Literals such as 1.10 are exact, and instants are UTC.
    options.sql_parser.parse_float_as_decimal = true;
    options.execution.time_zone = Some("UTC".to_owned());
    // A filter may keep every row: a join that takes its result for the smaller side and is wrong does not fit the memory.
    options.optimizer.default_filter_selectivity = 100;
    // Dimensions and orders fit one hash table; repartitioning millions of fact rows to split it costs more than it saves.
    options.optimizer.hash_join_single_partition_threshold = 96 << 20;
    options.optimizer.hash_join_single_partition_threshold_rows = 600_000;
    config
}

/// Runs planning on a thread of its own with a large stack.
async fn on_large_stack<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T, SqlError> {
    let (send, receive) = tokio::sync::oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    let thread = std::thread::Builder::new().name("sql-plan".to_owned()).stack_size(PLANNING_STACK_BYTES);
    thread.spawn(move || {
        // A receiver that is gone has no use for the plan.
        let _ = send.send(runtime.block_on(work));
    })?;
    receive.await.map_err(|_| SqlError::Run { kind: "planning ended early" })
}
