//! `ops/key_rotations`: which rotation of the token key is planned, and which key the lake has since the last that has ended.
//!
//! A rotation has two steps, each one commit: planned, before the first table changes, and done, after the last. Both name every
//! table with its version, so that a reader who joins tokens can read all tables as they were before the plan, or as they are
//! after the end, with one key.

use anyhow::Context as _;
use arrow::{
    array::{Array as _, ArrayRef, AsArray as _, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit},
};
use lake_core::{Ledger, Summary};
use lake_edge::Attach as _;
use lake_table::{
    Lake, Plan, Proposal, Table, TableSpec,
    columns::{constant_long, constant_string, constant_timestamp},
};
use std::sync::Arc;

/// Application of the steps: odd for a plan, even for its end.
const APPLICATION: &str = "key_rotation";
const PLANNED: &str = "planned";
const DONE: &str = "done";
const NUMBERS: [&str; 2] = ["rotation", "version"];
const TEXTS: [&str; 7] = ["state", "table", "from_key_id", "from_secret", "to_key_id", "to_secret", "run_id"];

/// A key, and the secret that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedKey {
    /// Id of the key.
    pub(crate) id: String,
    /// Name of the secret.
    pub(crate) secret: String,
}

/// A table at a step of a rotation.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    /// The table.
    pub(crate) table: String,
    /// Its version: before the rotation, or after it.
    pub(crate) version: i64,
    /// Id of the key that its tokens had.
    pub(crate) from: Option<String>,
}

/// All rotations of a lake.
#[derive(Debug, Default)]
pub(crate) struct Rotations {
    last: i64,
    pending: Option<NamedKey>,
    key: Option<NamedKey>,
    /// Ids of keys that were replaced.
    old: Vec<String>,
    secrets: Vec<String>,
}

impl Rotations {
    /// Reads what is recorded.
    pub(crate) async fn read(lake: &Lake) -> anyhow::Result<Self> {
        let mut rotations = Self::default();
        let Some(table) = Table::open(lake, &spec()).await.attach()? else { return Ok(rotations) };
        let step = table.txn(APPLICATION).await.attach()?.unwrap_or(0);
        rotations.last = (step + 1) / 2;
        for batch in table.read(None).await.attach()? {
            rotations.see(&batch, step)?;
        }
        Ok(rotations)
    }

    fn see(&mut self, batch: &RecordBatch, step: i64) -> anyhow::Result<()> {
        let column = |name: &str| batch.column_by_name(name).with_context(|| format!("column `{name}` is missing"));
        let text = |name: &str| column(name)?.as_string_opt::<i32>().with_context(|| format!("`{name}` is no text"));
        let numbers = column(NUMBERS[0])?.as_primitive_opt::<Int64Type>().context("the rotations have no numbers")?;
        let (states, ids, secrets) = (text("state")?, text("to_key_id")?, text("to_secret")?);
        let (from, old) = (text("from_key_id")?, text("from_secret")?);
        for row in 0..batch.num_rows() {
            let key = || NamedKey { id: ids.value(row).to_owned(), secret: secrets.value(row).to_owned() };
            let (number, done) = (numbers.value(row), states.value(row) == DONE);
            if done && number == step / 2 {
                self.key = Some(key());
            }
            if !done && number == self.last && step % 2 == 1 {
                self.pending = Some(key());
            }
            // The end of a rotation that was stopped finds the new key in most tables; its plan says what they had before.
            let replaced = number <= step / 2 && from.is_valid(row) && from.value(row) != ids.value(row);
            self.old.extend(replaced.then(|| from.value(row).to_owned()));
            self.secrets.extend([old, secrets].iter().filter(|c| c.is_valid(row)).map(|c| c.value(row).to_owned()));
        }
        Ok(())
    }

    /// The key of the lake since the last rotation that has ended.
    pub(crate) const fn key(&self) -> Option<&NamedKey> {
        self.key.as_ref()
    }

    /// The key of the rotation that is planned and has not ended.
    pub(crate) const fn pending(&self) -> Option<&NamedKey> {
        self.pending.as_ref()
    }

    /// Whether a key was replaced by another once.
    pub(crate) fn replaced(&self, id: &str) -> bool {
        self.old.iter().any(|old| old == id)
    }

    /// Names of all secrets that keys were in, the newest first.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        let mut seen: Vec<&str> = Vec::new();
        for secret in self.secrets.iter().rev() {
            if !seen.contains(&secret.as_str()) {
                seen.push(secret);
            }
        }
        seen.into_iter()
    }

    /// Records the plan of a rotation; one that is planned already goes on.
    pub(crate) async fn plan(&self, lake: &Lake, step: &Step<'_>) -> anyhow::Result<()> {
        if self.pending.is_some() { Ok(()) } else { step.record(lake, PLANNED, self.last + 1).await }
    }

    /// Records the end of the rotation that is planned.
    pub(crate) async fn end(&self, lake: &Lake, step: &Step<'_>) -> anyhow::Result<()> {
        step.record(lake, DONE, self.last).await
    }
}

/// What is recorded of a rotation.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    /// The new key.
    pub(crate) to: &'a NamedKey,
    /// Secret of the key before, where it is known.
    pub(crate) from_secret: Option<&'a str>,
    /// All tables that hold tokens.
    pub(crate) turns: &'a [Turn],
    /// The run.
    pub(crate) summary: &'a Summary,
    /// When it began.
    pub(crate) recorded_at: chrono::DateTime<chrono::Utc>,
}

impl Step<'_> {
    /// Records a step, unless another copy of the run has done so.
    async fn record(&self, lake: &Lake, state: &str, rotation: i64) -> anyhow::Result<()> {
        let number = 2 * rotation - i64::from(state == PLANNED);
        let batch = self.batch(state, rotation)?;
        let rows = batch.num_rows() as u64;
        let ledger = Ledger { read: rows, accepted: rows, ..Ledger::default() };
        let summary = Summary { table: spec().name, ledger, ..self.summary.clone() };
        let mut table = Table::open_or_create(lake, &spec()).await.attach()?;
        let planned = async |table: &Table| -> anyhow::Result<Plan> {
            if table.txn(APPLICATION).await.attach()?.is_some_and(|stored| stored >= number) {
                return Ok(Plan::Done(summary.clone()));
            }
            let mut writer = table.writer();
            writer.write(&batch).await.attach()?;
            let txns = vec![(APPLICATION.to_owned(), number)];
            let (add, summary) = (writer.finish().await.attach()?, summary.clone());
            Ok(Plan::Commit(Proposal { add, remove: Vec::new(), txns, inserted: rows, removed: 0, summary }))
        };
        table.commit(planned).await.map(|_| ())
    }

    /// One row per table; one row also where there is none.
    fn batch(&self, state: &str, rotation: i64) -> anyhow::Result<RecordBatch> {
        let turns: Vec<Option<&Turn>> = if self.turns.is_empty() { vec![None] } else { self.turns.iter().map(Some).collect() };
        let texts = |of: &dyn Fn(Option<&Turn>) -> Option<String>| {
            Arc::new(turns.iter().map(|turn| of(*turn)).collect::<StringArray>()) as ArrayRef
        };
        let schema = schema();
        let columns = schema.fields().iter().map(|field| {
            Ok(match field.name().as_str() {
                "rotation" => constant_long(rotation, turns.len()),
                "version" => Arc::new(turns.iter().map(|turn| turn.map(|turn| turn.version)).collect::<Int64Array>()),
                "state" => constant_string(state, turns.len()),
                "table" => texts(&|turn| Some(turn?.table.clone())),
                "from_key_id" => texts(&|turn| turn?.from.clone()),
                "from_secret" => texts(&|_| self.from_secret.map(str::to_owned)),
                "to_key_id" => constant_string(&self.to.id, turns.len()),
                "to_secret" => constant_string(&self.to.secret, turns.len()),
                "run_id" => constant_string(&self.summary.run_id.to_string(), turns.len()),
                "recorded_at" => constant_timestamp(self.recorded_at, turns.len()),
                other => anyhow::bail!("column `{other}` is none of the rotations"),
            })
        });
        Ok(RecordBatch::try_new(schema.clone(), columns.collect::<anyhow::Result<_>>()?)?)
    }
}

fn spec() -> TableSpec {
    TableSpec::ops("key_rotations", schema())
}

fn schema() -> SchemaRef {
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let mut fields: Vec<Field> = NUMBERS.map(|name| Field::new(name, DataType::Int64, true)).to_vec();
    fields.extend(TEXTS.map(|name| Field::new(name, DataType::Utf8, true)));
    fields.push(Field::new("recorded_at", instant, true));
    Arc::new(Schema::new(fields))
}
