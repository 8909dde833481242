//! Tests on a lake in a temporary directory.

mod bronze;
mod files;
mod history;
mod queries;
mod reconcile;
mod whole;

use crate::{
    judge,
    subject::{Job, Judged},
    waive,
};
use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray, new_null_array},
    compute::concat,
};
use chrono::{DateTime, Utc};
use lake_core::{
    Contract, Policy, RunId, Summary, Window,
    contract::{
        ContractSet,
        layer::CustomProperty,
        odcs::{Classification, Quality},
    },
};
use lake_quality::{Finding, Verdict, verdict};
use lake_table::{Lake, Plan, Proposal, Table, TableSpec, columns::constant_date};
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// A lake with the contracts of `testdata`.
struct World {
    _directory: tempfile::TempDir,
    lake: Lake,
    contracts: ContractSet,
    policy: Policy,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let lake = Lake::open(directory.path().to_str().unwrap()).unwrap();
        let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/testdata/contracts");
        let (contracts, policy) = lake_edge::load_contracts(&testdata).unwrap();
        Self { _directory: directory, lake, contracts, policy }
    }

    fn contract(&self, table: &str) -> &Contract {
        self.contracts.get(table).unwrap()
    }

    async fn table(&self, table: &str) -> Table {
        Table::open_or_create(&self.lake, &TableSpec::of(self.contract(table))).await.unwrap()
    }

    /// Appends rows, or replaces those that are there; columns that are not given are null. Returns the new version.
    async fn put(&self, name: &str, columns: &[(&str, ArrayRef)], replace: bool) -> i64 {
        let mut table = self.table(name).await;
        let rows = columns[0].1.len();
        let schema = table.spec().schema.clone();
        let given = |field: &str| columns.iter().find(|(name, _)| *name == field).map(|(_, array)| array.clone());
        let arrays =
            schema.fields().iter().map(|f| given(f.name()).unwrap_or_else(|| new_null_array(f.data_type(), rows))).collect();
        let batch = RecordBatch::try_new(schema.clone(), arrays).unwrap();
        let summary = self.summary(name);
        let committed = table.commit(async |table: &Table| {
            let remove = if replace { table.files().to_vec() } else { Vec::new() };
            let removed = remove.iter().map(|file| file.rows).sum();
            let mut writer = table.writer();
            writer.write(&batch).await.unwrap();
            let (inserted, add) = (writer.rows(), writer.finish().await.unwrap());
            Ok(Plan::Commit(Proposal { add, remove, txns: Vec::new(), inserted, removed, summary: summary.clone() }))
        });
        committed.await.unwrap().table_version.unwrap()
    }

    fn summary(&self, table: &str) -> Summary {
        Summary {
            contract: self.contract(table).reference(),
            contract_hash: self.contract(table).hash.clone(),
            ..Summary::begun(RunId(uuid::Uuid::nil()), "tests", table, "2017-12-30".parse().unwrap())
        }
    }

    fn ask(&self, table: &str) -> Ask<'_> {
        Ask {
            world: self,
            table: table.to_owned(),
            window: "2017-12-30".parse().unwrap(),
            inputs: BTreeMap::new(),
            whole: false,
            edit: Vec::new(),
            hash: None,
            run: 1,
        }
    }

    async fn verdicts(&self, table: &str) -> Vec<Verdict> {
        let verdicts = Table::open(&self.lake, &verdict::spec()).await.unwrap().unwrap();
        verdict::read(&verdicts, table).await.unwrap()
    }

    async fn passed(&self, table: &str) -> Option<i64> {
        lake_quality::passed_version(&self.lake, table, &self.contract(table).hash).await.unwrap()
    }
}

/// A change of a contract before it is asked for.
type Edit = Box<dyn FnOnce(&mut Contract)>;

/// One call of the program.
struct Ask<'a> {
    world: &'a World,
    table: String,
    window: Window,
    inputs: BTreeMap<String, i64>,
    whole: bool,
    edit: Vec<Edit>,
    hash: Option<String>,
    run: u128,
}

impl Ask<'_> {
    fn window(mut self, window: &str) -> Self {
        self.window = window.parse().unwrap();
        self
    }

    fn at(mut self, table: &str, version: i64) -> Self {
        self.inputs.insert(table.to_owned(), version);
        self
    }

    /// Judges all rows.
    fn whole(mut self) -> Self {
        self.whole = true;
        self
    }

    /// As if the contract had one rule more.
    fn with_rule(mut self, rule: Quality) -> Self {
        self.edit.push(Box::new(move |contract| contract.document.schema[0].quality.push(rule)));
        self
    }

    /// As if the contract had one property more.
    fn with_property(mut self, property: CustomProperty) -> Self {
        self.edit.push(Box::new(move |contract| contract.document.custom_properties.push(property)));
        self
    }

    /// As if the contract had one column more, like another one of it.
    fn with_column(mut self, name: &'static str, like: &'static str) -> Self {
        let add = move |contract: &mut Contract| {
            let mut column = contract.columns.iter().find(|other| other.name == like).unwrap().clone();
            name.clone_into(&mut column.name);
            contract.columns.push(column);
        };
        self.edit.push(Box::new(add));
        self
    }

    /// As if a column held personal data.
    fn personal(mut self, column: &'static str) -> Self {
        let mark = move |contract: &mut Contract| {
            let found = contract.columns.iter_mut().find(|other| other.name == column).unwrap();
            found.classification = Some(Classification::Pii);
        };
        self.edit.push(Box::new(mark));
        self
    }

    /// As if the contract had been edited.
    fn edited(mut self) -> Self {
        self.hash = Some("edited".to_owned());
        self
    }

    fn run(mut self, run: u128) -> Self {
        self.run = run;
        self
    }

    async fn judge(self) -> anyhow::Result<Judged> {
        self.call(async |job| judge::judge(job).await).await
    }

    async fn waive(self, version: i64, by: Option<&str>, reason: Option<&str>) -> anyhow::Result<Judged> {
        self.call(async |job| waive::waive(job, version, by, reason).await).await
    }

    async fn call(self, work: impl AsyncFnOnce(&Job<'_>) -> anyhow::Result<Judged>) -> anyhow::Result<Judged> {
        let mut contract = self.world.contract(&self.table).clone();
        contract.hash = self.hash.unwrap_or(contract.hash);
        self.edit.into_iter().for_each(|edit| edit(&mut contract));
        let run_id = RunId(uuid::Uuid::from_u128(self.run));
        let template = Summary { run_id, window: self.window, ..self.world.summary(&self.table) };
        let now: DateTime<Utc> = "2026-11-24T10:00:00Z".parse().unwrap();
        let job = Job {
            lake: &self.world.lake,
            contracts: &self.world.contracts,
            contract: &contract,
            policy: &self.world.policy,
            window: self.window,
            inputs: &self.inputs,
            whole: self.whole,
            run_id,
            now: now + chrono::Duration::seconds(i64::try_from(self.run).unwrap()),
            bar: &bar(),
            summary: &|| template.clone(),
        };
        work(&job).await
    }
}

fn bar() -> lake_edge::Bar {
    lake_edge::Console::new(0).progress("", None)
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn longs(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

/// Rows of `bronze_rates` as a window lands them.
fn rates(day: &str, currencies: &[Option<&str>]) -> Vec<(&'static str, ArrayRef)> {
    let rows = currencies.len();
    let source = texts(&vec![Some("ecb"); rows]);
    let date = constant_date(day.parse().unwrap(), rows);
    vec![("currency", texts(currencies)), ("_source", source), ("_ingest_date", date), ("_run_id", texts(&vec![Some(day); rows]))]
}

/// Rows of `gold_things`.
fn things(ids: &[&str], owner: Option<&str>, size: i64) -> Vec<(&'static str, ArrayRef)> {
    let rows = ids.len();
    let ids: Vec<Option<&str>> = ids.iter().copied().map(Some).collect();
    vec![("id", texts(&ids)), ("owner", texts(&vec![owner; rows])), ("size", longs(&vec![Some(size); rows]))]
}

fn failed(judged: &Judged) -> Vec<&str> {
    judged.verdict.report.findings.iter().filter(|f| !f.passed).map(|f| f.rule.as_str()).collect()
}

fn finding<'a>(judged: &'a Judged, rule: &str) -> &'a Finding {
    judged.verdict.report.findings.iter().find(|f| f.rule == rule).unwrap()
}

/// Two columns one after the other.
fn chained(left: &ArrayRef, right: &ArrayRef) -> ArrayRef {
    concat(&[left.as_ref(), right.as_ref()]).unwrap()
}
