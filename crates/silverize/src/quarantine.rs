//! Keeps rows that do not reach the table, in a table of their own that is committed before the data.
//!
//! Its progress may be ahead of the data's: a run stopped between the two commits, or is between them right now. Rows above the
//! data's progress count for no reader. The next commit removes those of the versions that it consumes itself, in the same step
//! in which it adds its own, and leaves those of later versions to the run that consumes them: none is lost or doubled, whatever
//! runs at the same time.

use crate::{
    leftover::{Leftover, Reason},
    plan::Input,
};
use anyhow::Context as _;
use arrow::{
    array::{ArrayRef, AsArray as _, BinaryArray, BooleanArray, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray},
    compute::filter_record_batch,
    datatypes::Int64Type,
};
use futures::TryStreamExt as _;
use lake_core::{Contract, Ledger, Summary};
use lake_edge::Attach as _;
use lake_table::{
    Batch, DataFile, DataWriter, Lake, NewFile, Plan, Proposal, Table, TableSpec,
    columns::{constant_string, constant_timestamp},
};
use std::sync::Arc;

/// Fact of a commit that puts the rows of a rebuild in place of all that were there.
pub(crate) const REBUILT: &str = "rebuilt";
/// Rows that wait before they are written.
const BATCH_ROWS: usize = 8_192;

/// What every left-over row says of the run that left it.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// Names of the inputs, by number.
    pub(crate) inputs: Vec<String>,
    /// `id@version` of the contract.
    pub(crate) contract: String,
    /// Hash of the contract.
    pub(crate) contract_hash: String,
    /// The run.
    pub(crate) stamp: crate::upsert::Stamp,
}

/// Progress of the data that the leftovers belong to.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    /// Application of the input.
    application: String,
    /// Name of the input.
    table: String,
    /// What the data has consumed; -1 for nothing.
    data: i64,
    /// What it will have consumed.
    next: Option<i64>,
}

impl Progress {
    /// The progress of an input in this run.
    pub(crate) fn of(input: &Input) -> Self {
        Self {
            application: input.application().to_owned(),
            table: input.table.spec().name.clone(),
            data: input.consumed.unwrap_or(-1),
            next: input.advanced,
        }
    }
}

/// The leftovers of one reason.
#[derive(Debug)]
pub(crate) struct Leftovers {
    reason: Reason,
    spec: TableSpec,
    lake: Lake,
    context: Context,
    waiting: Vec<Leftover>,
    writer: Option<DataWriter>,
    /// By input: rows taken.
    pub(crate) taken: Vec<u64>,
}

impl Leftovers {
    /// Starts with none.
    pub(crate) fn new(reason: Reason, contract: &Contract, lake: &Lake, context: Context) -> Self {
        let spec = match reason {
            Reason::Quarantined => TableSpec::quarantine(contract),
            Reason::Held => TableSpec::held(contract),
        };
        let taken = vec![0; context.inputs.len()];
        Self { reason, spec, lake: lake.clone(), context, waiting: Vec::new(), writer: None, taken }
    }

    /// Takes rows; those of another reason are not its.
    pub(crate) async fn take(&mut self, leftovers: &[Leftover]) -> anyhow::Result<()> {
        let own: Vec<Leftover> = leftovers.iter().filter(|left| left.reason == self.reason).cloned().collect();
        for left in lake_core::operator!("silver.leftover", own) {
            self.taken[left.input] += 1;
            self.waiting.push(left);
        }
        if self.waiting.len() >= BATCH_ROWS { self.write().await } else { Ok(()) }
    }

    async fn write(&mut self) -> anyhow::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.waiting);
        let batch = self.batch(&waiting)?;
        let batch = lake_core::operator!("silver.leftover_write", Batch(batch)).0;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => self.writer.insert(Table::open_or_create(&self.lake, &self.spec).await.attach()?.writer()),
        };
        writer.write(&batch).await.attach()
    }

    fn batch(&self, rows: &[Leftover]) -> anyhow::Result<RecordBatch> {
        let texts = |text: fn(&Leftover) -> &str| Arc::new(StringArray::from_iter_values(rows.iter().map(text))) as ArrayRef;
        let inputs = rows.iter().map(|row| self.context.inputs.get(row.input).map(String::as_str));
        let columns = self.spec.schema.fields().iter().map(|field| {
            Ok(match field.name().as_str() {
                "_input_table" => Arc::new(StringArray::from_iter(inputs.clone())) as ArrayRef,
                "_input_version" => Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.version))),
                "_contract" => constant_string(&self.context.contract, rows.len()),
                "_contract_hash" => constant_string(&self.context.contract_hash, rows.len()),
                "_position" => texts(|row| &row.position),
                "_line" => Arc::new(Int32Array::from_iter(rows.iter().map(|row| row.line))),
                "_rules" => texts(|row| &row.rules),
                "_payload" => Arc::new(BinaryArray::from_iter(rows.iter().map(|row| row.payload.as_deref()))),
                "_ingest_date" => Arc::new(Date32Array::from_iter_values(rows.iter().map(|row| row.ingest_date))),
                "_run_id" => constant_string(&self.context.stamp.run_id, rows.len()),
                "_ingested_at" => constant_timestamp(self.context.stamp.ingested_at, rows.len()),
                other => anyhow::bail!("column `{other}` is none of a table of leftovers"),
            })
        });
        Ok(RecordBatch::try_new(self.spec.schema.clone(), columns.collect::<anyhow::Result<_>>()?)?)
    }

    /// Commits the rows; for a rebuild in place of all that are there. Nothing to add or to remove: no commit, no table.
    pub(crate) async fn commit(mut self, progress: &[Progress], rebuild: bool, summary: Summary) -> anyhow::Result<()> {
        self.write().await?;
        let come = match self.writer.take() {
            Some(writer) => writer.finish().await.attach().context("failed to write leftovers")?,
            None => Vec::new(),
        };
        let Some(mut table) = Table::open(&self.lake, &self.spec).await.attach()? else { return Ok(()) };
        let added: u64 = self.taken.iter().sum();
        let facts = rebuild.then(|| (REBUILT.to_owned(), serde_json::Value::from(true)));
        let summary = Summary {
            table: self.spec.name.clone(),
            ledger: Ledger { read: added, accepted: added, ..Ledger::default() },
            facts: facts.into_iter().collect(),
            ..summary
        };
        let plan = async |table: &Table| proposal(table, &come, added, (progress, rebuild), &summary).await;
        table.commit(plan).await.map(|_| ())
    }
}

async fn proposal(
    table: &Table,
    come: &[NewFile],
    added: u64,
    of: (&[Progress], bool),
    summary: &Summary,
) -> anyhow::Result<Plan> {
    let (progress, rebuild) = of;
    let mut txns = Vec::new();
    let mut ahead = Vec::new();
    for input in progress {
        let own = table.txn(&input.application).await.attach()?.unwrap_or(-1);
        if own > input.data && input.next.is_some() {
            ahead.push(input);
        }
        txns.extend(input.next.filter(|next| *next > own).map(|next| (input.application.clone(), next)));
    }
    let mut add = come.to_vec();
    let (remove, removed) = if rebuild {
        (table.files().to_vec(), table.rows())
    } else {
        let cut = without(table, &ahead).await?;
        add.extend(cut.kept);
        (cut.files, cut.removed)
    };
    if add.is_empty() && remove.is_empty() {
        return Ok(Plan::Done(summary.clone()));
    }
    Ok(Plan::Commit(Proposal { add, remove, txns, inserted: added, removed, summary: summary.clone() }))
}

/// Files that hold rows that go, and the other rows of those files, written again.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    /// Files that go.
    pub(crate) files: Vec<DataFile>,
    /// Their other rows.
    pub(crate) kept: Vec<NewFile>,
    /// Number of the rows that go.
    pub(crate) removed: u64,
}

impl Cut {
    /// Cuts rows out of those files of a table that may hold one.
    pub(crate) async fn of(
        table: &Table,
        may: impl Fn(&DataFile) -> bool,
        mut stays: impl FnMut(&RecordBatch) -> anyhow::Result<BooleanArray>,
    ) -> anyhow::Result<Self> {
        let mut cut = Self::default();
        for file in table.files().iter().filter(|file| may(file)) {
            let batches: Vec<RecordBatch> = table.scan(vec![file.clone()], None).try_collect().await.attach()?;
            let mut stay = Vec::new();
            let mut gone = 0;
            for batch in batches {
                let mask = stays(&batch)?;
                gone += mask.false_count() as u64;
                stay.push(filter_record_batch(&batch, &mask)?);
            }
            if gone == 0 {
                continue;
            }
            let mut writer = table.writer();
            for batch in &stay {
                writer.write(batch).await.attach()?;
            }
            cut.kept.extend(writer.finish().await.attach()?);
            cut.files.push(file.clone());
            cut.removed += gone;
        }
        Ok(cut)
    }
}

/// Takes out the rows of versions that are consumed now.
async fn without(table: &Table, ahead: &[&Progress]) -> anyhow::Result<Cut> {
    let Some(lowest) = ahead.iter().map(|input| input.data).min() else { return Ok(Cut::default()) };
    let highest = |file: &DataFile| file.maximum("_input_version").and_then(serde_json::Value::as_i64);
    Cut::of(table, |file| highest(file).is_none_or(|highest| highest > lowest), |batch| outside(batch, ahead)).await
}

/// Which rows are of no version that is consumed now.
fn outside(batch: &RecordBatch, ahead: &[&Progress]) -> anyhow::Result<BooleanArray> {
    let column = |name: &str| batch.column_by_name(name).with_context(|| format!("column `{name}` is missing"));
    let inputs = column("_input_table")?.as_string_opt::<i32>().context("`_input_table` is no text")?;
    let versions = column("_input_version")?.as_primitive_opt::<Int64Type>().context("`_input_version` is no number")?;
    let consumed = |input: &Progress, version| version > input.data && input.next.is_some_and(|next| version <= next);
    let inside = |row: usize| ahead.iter().any(|input| inputs.value(row) == input.table && consumed(input, versions.value(row)));
    Ok((0..batch.num_rows()).map(|row| Some(!inside(row))).collect())
}
