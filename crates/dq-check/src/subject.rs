//! What is judged: a table at a version, beside the tables that it refers to at theirs.

use crate::{error::DqError, queries::Readable};
use chrono::{DateTime, Utc};
use lake_core::{Contract, Ledger, Policy, RunId, Summary, Window, contract::ContractSet, summary::Outcome};
use lake_edge::{Attach as _, Bar};
use lake_quality::{State, Verdict, verdict::VerdictKey};
use lake_sql::Rows;
use lake_table::{DataFile, Lake, Table, TableSpec};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

/// What the program was told.
pub(crate) struct Job<'a> {
    pub(crate) lake: &'a Lake,
    pub(crate) contracts: &'a ContractSet,
    pub(crate) contract: &'a Contract,
    pub(crate) policy: &'a Policy,
    pub(crate) window: Window,
    /// Versions that the caller fixed, of the table and of those that it refers to.
    pub(crate) inputs: &'a BTreeMap<String, i64>,
    /// Judge all rows of a Bronze table.
    pub(crate) whole: bool,
    pub(crate) run_id: RunId,
    pub(crate) now: DateTime<Utc>,
    /// Where people see rows pass.
    pub(crate) bar: &'a Bar,
    /// Makes a summary with the run's identity.
    pub(crate) summary: &'a (dyn Fn() -> Summary + Sync),
}

/// A verdict and the summary of the run that made or found it.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    pub(crate) summary: Summary,
}

impl Judged {
    /// A verdict that stands on record already: its own run did the work.
    pub(crate) fn recorded(job: &Job<'_>, verdict: Verdict) -> Self {
        let mut summary = describe(job, &verdict, verdict.report.rows);
        summary.outcome = Outcome::AlreadyDone;
        summary.run_id = verdict.run_id;
        summary.table_version = Some(verdict.key.version);
        Self { verdict, summary }
    }
}

/// Returns the summary of a verdict; `read` is what the log counts.
pub(crate) fn describe(job: &Job<'_>, verdict: &Verdict, read: u64) -> Summary {
    let mut summary = (job.summary)();
    let failed: Vec<&str> = verdict.failures().map(|finding| finding.rule.as_str()).collect();
    summary.inputs = verdict.key.references.clone();
    summary.inputs.insert(verdict.key.table.clone(), verdict.key.version);
    summary.ledger = Ledger { read, accepted: verdict.report.rows, ..Ledger::default() };
    summary.facts = BTreeMap::from([
        ("checked_version".to_owned(), json!(verdict.key.version)),
        ("passed".to_owned(), json!(verdict.passed)),
        ("score".to_owned(), json!(verdict.score)),
        ("rules".to_owned(), json!(verdict.report.count(State::Judged))),
        ("learning".to_owned(), json!(verdict.report.count(State::Learning))),
        ("failed_rules".to_owned(), json!(failed)),
    ]);
    if let Some(name) = &verdict.waived_by {
        summary.facts.insert("waived_by".to_owned(), json!(name));
    }
    summary
}

/// A table at a version, beside the tables that it refers to at theirs.
pub(crate) struct Subject {
    pub(crate) table: Arc<Table>,
    /// Tables that rules refer to or read, by name; one that is not in the lake is absent.
    pub(crate) references: BTreeMap<String, Arc<Table>>,
}

impl Subject {
    /// Opens the versions that the caller fixed, else the newest.
    pub(crate) async fn open(job: &Job<'_>) -> anyhow::Result<Self> {
        let table = open(job, job.contract).await?.ok_or_else(|| DqError::NoTable(job.contract.table.clone()));
        let table = table.attach()?;
        let mut references = BTreeMap::new();
        for contract in job.contract.referenced_tables().into_iter().filter_map(|name| job.contracts.get(name)) {
            if let Some(reference) = open(job, contract).await? {
                references.insert(contract.table.clone(), Arc::new(reference));
            }
        }
        Ok(Self { table: Arc::new(table), references })
    }

    /// What queries may read: some of the table's files, and the other tables.
    pub(crate) fn readable<'a>(&self, job: &Job<'a>, files: &[DataFile]) -> Readable<'a> {
        let others = self.references.iter().filter_map(|(name, table)| {
            let rows = Rows::Table(table.clone());
            job.contracts.get(name).map(|contract| (contract, rows))
        });
        Readable {
            policy: job.policy,
            contract: job.contract,
            own: Rows::Files(self.table.clone(), files.to_vec()),
            others: others.collect(),
        }
    }

    /// What is asked about this subject.
    pub(crate) fn key(&self, job: &Job<'_>) -> VerdictKey {
        VerdictKey {
            table: job.contract.table.clone(),
            version: self.table.version(),
            contract_hash: job.contract.hash.clone(),
            window: job.window,
            references: self.references.iter().map(|(name, table)| (name.clone(), table.version())).collect(),
        }
    }
}

async fn open(job: &Job<'_>, contract: &Contract) -> anyhow::Result<Option<Table>> {
    let spec = TableSpec::of(contract);
    match job.inputs.get(&contract.table) {
        Some(version) => Table::open_at(job.lake, &spec, *version).await.attach().map(Some),
        None => Table::open(job.lake, &spec).await.attach(),
    }
}
