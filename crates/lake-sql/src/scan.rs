//! Tables as the engine sees them: partitions that stream only the columns of a query, and exact row counts for its planner.

use crate::{SqlError, spill::Spill};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use deltalake::datafusion::{
    catalog::{Session, TableProvider},
    common::{Result, Statistics, internal_err, stats::Precision, tree_node::TreeNodeRecursion},
    execution::{SendableRecordBatchStream, TaskContext},
    logical_expr::{Expr, TableType},
    physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr},
    physical_plan::{
        ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
        execution_plan::{Boundedness, EmissionType},
        statistics::StatisticsArgs,
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{Stream, StreamExt as _, stream::BoxStream};
use lake_table::{Batch, DataFile, Table};
use std::{fmt, future::Future, ops::Range, pin::Pin, sync::Arc};

/// Partitions of a scan: as many as the engine has threads for.
pub(crate) const PARTITIONS: usize = 2;

/// How often a value of a column that is no key stands in a table, for want of knowing. Without an estimate the planner takes
/// every column for unique and every join for small, and holds the facts in memory instead of the dimension.
const VALUE_REPEATED: usize = 10;

/// Rows that a session can read.
#[derive(Debug, Clone)]
pub enum Rows {
    /// A table at its version.
    Table(Arc<Table>),
    /// Some files of a table.
    Files(Arc<Table>, Vec<DataFile>),
    /// A result that is not committed yet.
    Spill(Spill),
    /// Rows in memory, such as those of a test case.
    Memory(SchemaRef, Vec<RecordBatch>),
}

/// One partition of a scan.
#[derive(Debug, Clone)]
enum Part {
    Files(Arc<Table>, Vec<DataFile>),
    Batches(Spill, Range<usize>),
    Memory(Vec<RecordBatch>),
}

/// A table of the engine.
#[derive(Debug)]
pub(crate) struct Scan {
    name: String,
    schema: SchemaRef,
    rows: u64,
    parts: Vec<Part>,
    /// The column that alone is the key.
    key: Option<String>,
}

impl Scan {
    pub(crate) fn new(name: &str, key: &[&str], rows: Rows) -> Self {
        let key = if let [only] = key { Some((*only).to_owned()) } else { None };
        let (schema, count, parts) = match rows {
            Rows::Table(table) => of_files(&table, table.files()),
            Rows::Files(table, files) => of_files(&table, &files),
            Rows::Spill(spill) => {
                let share = spill.batches().div_ceil(PARTITIONS).max(1);
                let starts = (0..PARTITIONS).map(|at| (at * share).min(spill.batches()));
                let parts = starts.map(|at| Part::Batches(spill.clone(), at..(at + share).min(spill.batches()))).collect();
                (spill.schema().clone(), spill.rows(), parts)
            }
            Rows::Memory(schema, batches) => {
                let count = batches.iter().map(|batch| batch.num_rows() as u64).sum();
                (schema, count, vec![Part::Memory(batches)])
            }
        };
        Self { name: name.to_owned(), schema, rows: count, parts, key }
    }

    /// Full name of the table.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

fn of_files(table: &Arc<Table>, files: &[DataFile]) -> (SchemaRef, u64, Vec<Part>) {
    let parts = spread(files).into_iter().map(|files| Part::Files(table.clone(), files)).collect();
    (table.spec().schema.clone(), files.iter().map(|file| file.rows).sum(), parts)
}

/// Spreads files over the partitions, the largest first, each to the partition with the fewest rows.
fn spread(files: &[DataFile]) -> Vec<Vec<DataFile>> {
    let mut parts = vec![(0, Vec::new()); PARTITIONS];
    let mut sorted = files.to_vec();
    sorted.sort_by_key(|file| std::cmp::Reverse(file.rows));
    for file in sorted {
        if let Some(smallest) = parts.iter_mut().min_by_key(|(rows, _)| *rows) {
            smallest.0 += file.rows;
            smallest.1.push(file);
        }
    }
    parts.into_iter().map(|(_, files)| files).collect()
}

impl TableProvider for Scan {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    // The trait is made by `async_trait`; written out, since nothing here waits.
    fn scan<'life0, 'life1, 'life2, 'life3, 'async_trait>(
        &'life0 self,
        _: &'life1 dyn Session,
        projection: Option<&'life2 Vec<usize>>,
        _: &'life3 [Expr],
        _: Option<usize>,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<dyn ExecutionPlan>>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
        'life3: 'async_trait,
        Self: 'async_trait,
    {
        let columns = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let planned = self.schema.project(&columns).map_err(Into::into).map(|schema| {
            let scan: Arc<dyn ExecutionPlan> = Arc::new(ScanExec::new(self, columns, Arc::new(schema)));
            scan
        });
        Box::pin(std::future::ready(planned))
    }
}

/// The physical scan.
#[derive(Debug)]
struct ScanExec {
    name: String,
    parts: Vec<Part>,
    columns: Vec<usize>,
    schema: SchemaRef,
    rows: u64,
    key: Option<String>,
    properties: Arc<PlanProperties>,
}

impl ScanExec {
    fn new(scan: &Scan, columns: Vec<usize>, schema: SchemaRef) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(scan.parts.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self {
            name: scan.name.clone(),
            parts: scan.parts.clone(),
            columns,
            schema,
            rows: scan.rows,
            key: scan.key.clone(),
            properties: Arc::new(properties),
        }
    }
}

impl DisplayAs for ScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScanExec: {}, columns={:?}", self.name, self.schema.fields().iter().map(|f| f.name()).collect::<Vec<_>>())
    }
}

impl ExecutionPlan for ScanExec {
    fn name(&self) -> &'static str {
        "ScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { internal_err!("a scan has no children") }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = match &self.parts[partition] {
            Part::Files(table, files) => {
                let names = self.schema.fields().iter().map(|field| field.name().clone()).collect();
                let counted = files.iter().map(|file| file.rows).sum();
                let stream = table.scan(files.clone(), Some(names)).map(|batch| batch.map_err(SqlError::from)).boxed();
                checked(self.name.clone(), counted, stream)
            }
            Part::Batches(spill, batches) => {
                let rows = spill.part(batches.clone(), Some(self.columns.clone())).map_err(SqlError::carried)?;
                futures::stream::iter(rows).boxed()
            }
            Part::Memory(batches) => {
                let columns = self.columns.clone();
                let project = move |batch: RecordBatch| batch.project(&columns).map_err(|e| SqlError::arrow(&e));
                futures::stream::iter(batches.clone()).map(project).boxed()
            }
        };
        let stream = rows.map(|batch| batch.map_err(SqlError::carried));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), stream)))
    }

    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let all = usize::try_from(self.rows).unwrap_or(usize::MAX);
        let rows = match args.partition() {
            None => Precision::Exact(all),
            Some(_) => Precision::Inexact(all / self.parts.len().max(1)),
        };
        let mut statistics = Statistics::new_unknown(&self.schema).with_num_rows(rows);
        statistics.calculate_total_byte_size(&self.schema);
        for (field, column) in self.schema.fields().iter().zip(&mut statistics.column_statistics) {
            let repeated = if self.key.as_ref() == Some(field.name()) { 1 } else { VALUE_REPEATED };
            column.distinct_count = Precision::Inexact((all / repeated).max(1));
        }
        Ok(Arc::new(statistics))
    }
}

/// Passes rows on and fails at the end when they are not as many as the log counts: a scan that loses or doubles a row must
/// not go unseen, whatever a model makes of it.
fn checked(
    table: String,
    counted: u64,
    rows: impl Stream<Item = std::result::Result<RecordBatch, SqlError>> + Send + 'static,
) -> BoxStream<'static, std::result::Result<RecordBatch, SqlError>> {
    let mut scanned = 0;
    let rows = rows.map(Some).chain(futures::stream::iter([None]));
    rows.filter_map(move |item| {
        let item = match item {
            Some(Ok(batch)) => {
                let batch = lake_core::operator!("sql.scan", Batch(batch)).0;
                scanned += batch.num_rows() as u64;
                Some(Ok(batch))
            }
            Some(Err(error)) => Some(Err(error)),
            None if scanned == counted => None,
            None => Some(Err(SqlError::Scan { table: table.clone(), scanned, counted })),
        };
        std::future::ready(item)
    })
    .boxed()
}
