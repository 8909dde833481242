//! The one function that commits anything to any table.

use crate::{
    DataFile, NewFile, Table, TableError,
    log::{SUMMARY_KEY, TOKEN_KEY},
};
use anyhow::Context as _;
use deltalake::{
    DeltaTableError,
    kernel::{
        Action, Transaction,
        transaction::{CommitBuilder, CommitProperties, TransactionError},
    },
    protocol::{DeltaOperation, SaveMode},
};
use lake_core::{Fault, Summary, fault::Faulty, summary::Outcome};
use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

/// How long conflicts are met with a new plan before the run gives up with 75.
const CONTENTION_MAX: Duration = Duration::from_secs(60);

/// What a plan made at one snapshot comes to.
#[derive(Debug)]
pub enum Plan {
    /// Nothing to commit.
    Done(Summary),
    /// A commit.
    Commit(Proposal),
}

/// A commit that is planned at one snapshot.
#[derive(Debug)]
pub struct Proposal {
    /// Written files.
    pub add: Vec<NewFile>,
    /// Files of the snapshot that go.
    pub remove: Vec<DataFile>,
    /// Progress: application id and its new version.
    pub txns: Vec<(String, i64)>,
    /// Rows that are new in the table, counted where they were decided, not from files.
    pub inserted: u64,
    /// Rows that leave the table, counted likewise.
    pub removed: u64,
    /// What the run did; version and bytes are filled in by the commit.
    pub summary: Summary,
}

impl Table {
    /// Plans at the newest snapshot and commits by compare-and-set on its version; on a conflict reloads and plans again.
    ///
    /// Refused before anything is written to the log: an unbalanced ledger, progress that does not grow, and row counts
    /// that do not add up.
    ///
    /// # Errors
    /// What the plan returns; [`Fault::Data`] for a refused proposal; [`Fault::Transient`] after a minute of conflicts.
    pub async fn commit<F>(&mut self, plan: F) -> anyhow::Result<Summary>
    where
        F: AsyncFnMut(&Self) -> anyhow::Result<Plan>,
    {
        self.commit_within(CONTENTION_MAX, plan).await
    }

    /// Commits with a bound on the time of conflicts.
    pub(crate) async fn commit_within<F>(&mut self, contention_max: Duration, mut plan: F) -> anyhow::Result<Summary>
    where
        F: AsyncFnMut(&Self) -> anyhow::Result<Plan>,
    {
        let started = Instant::now();
        let mut pause_ms = 20;
        loop {
            let proposal = match plan(self).await? {
                Plan::Done(summary) => return Ok(summary),
                Plan::Commit(proposal) => proposal,
            };
            self.check(&proposal).await?;
            lake_core::fault_point!("table.commit.before");
            let token = uuid::Uuid::new_v4().to_string();
            let mut committed = self.compare_and_set(proposal, &token).await;
            // After an error the entry may stand all the same: the store retries, and then meets its own first try.
            if committed.is_err()
                && let Some(summary) = self.own_commit(&token).await
            {
                committed = Ok(summary);
            }
            lake_core::fault_point!("table.commit.after");
            match committed {
                Ok(summary) => {
                    self.reload().await.map_err(attach)?;
                    return Ok(summary);
                }
                Err(error) if is_conflict(&error) && started.elapsed() < contention_max => {
                    tracing::info!(table = self.spec().name, version = self.version(), "commit lost, planning again");
                    tokio::time::sleep(Duration::from_millis(pause_ms + jitter(pause_ms))).await;
                    pause_ms = (pause_ms * 2).min(1_000);
                    self.reload().await.map_err(attach)?;
                }
                Err(error) if is_conflict(&error) => {
                    let seconds = started.elapsed().as_secs();
                    return Err(attach(TableError::Contended { table: self.spec().name.clone(), seconds }));
                }
                Err(error) => return Err(attach(error)),
            }
        }
    }

    /// Refuses what would lose or double rows, or lose progress.
    async fn check(&self, proposal: &Proposal) -> anyhow::Result<()> {
        let name = &self.spec().name;
        proposal.summary.ledger.balanced().context(format!("failed to commit to `{name}`")).context(Fault::Data)?;
        let mut moved: BTreeMap<&str, i64> = BTreeMap::new();
        for (application, proposed) in &proposal.txns {
            let in_log = self.txn(application).await.map_err(attach)?;
            let stored = moved.insert(application, *proposed).or(in_log);
            if let Some(stored) = stored.filter(|stored| stored >= proposed) {
                let (table, application, proposed) = (name.clone(), application.clone(), *proposed);
                return Err(attach(TableError::Backwards { table, application, stored, proposed }));
            }
        }
        let before = self.rows();
        let gone = self.standing(&proposal.remove)?;
        let come = self.arriving(&proposal.add)?;
        let after = before - gone + come;
        if before + proposal.inserted != after + proposal.removed {
            let (inserted, removed) = (proposal.inserted, proposal.removed);
            return Err(attach(TableError::Proof { table: name.clone(), before, inserted, removed, after }));
        }
        Ok(())
    }

    /// Returns the rows of files to remove, as this snapshot counts them; each must stand in it and be named once.
    pub(crate) fn standing(&self, remove: &[DataFile]) -> anyhow::Result<u64> {
        let wanted: HashSet<&str> = remove.iter().map(|file| file.path.as_str()).collect();
        let found: Vec<u64> =
            self.files().iter().filter(|file| wanted.contains(file.path.as_str())).map(|file| file.rows).collect();
        if found.len() == remove.len() {
            return Ok(found.iter().sum());
        }
        Err(self.stale(format!("the plan removes {} files of which {} stand in this version", remove.len(), found.len())))
    }

    /// Returns the rows of files to add, none of which may stand in this snapshot or be named twice.
    pub(crate) fn arriving(&self, add: &[NewFile]) -> anyhow::Result<u64> {
        let mut known: HashSet<&str> = self.files().iter().map(|file| file.path.as_str()).collect();
        match add.iter().find(|file| !known.insert(&file.add.path)) {
            None => Ok(add.iter().map(|file| file.rows).sum()),
            Some(file) => Err(self.stale(format!("the plan adds file `{}` twice", file.add.path))),
        }
    }

    fn stale(&self, problem: String) -> anyhow::Error {
        attach(TableError::Log { table: self.spec().name.clone(), version: self.version(), problem })
    }

    /// Returns the remove actions of files of this snapshot; `data_change` says whether their rows go with them.
    pub(crate) fn removes(&self, files: &[DataFile], data_change: bool) -> Result<Vec<Action>, TableError> {
        let state = self.delta.snapshot().map_err(|e| TableError::delta("commit to", &self.spec().name, e))?;
        let wanted: HashSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let log = state.log_data();
        let found = log.iter().filter(|view| wanted.contains(view.path().as_ref()));
        Ok(found.map(|view| Action::Remove(view.remove_action(data_change))).collect())
    }

    async fn compare_and_set(&self, proposal: Proposal, token: &str) -> Result<Summary, TableError> {
        let failed = |e| TableError::delta("commit to", &self.spec().name, e);
        let mut summary = proposal.summary;
        summary.outcome = Outcome::Committed;
        summary.table_version = Some(self.version() + 1);
        summary.bytes_written = proposal.add.iter().map(|file| file.bytes).sum();
        let value = serde_json::to_value(&summary).map_err(|e| failed(e.into()))?;
        let rewrites = !proposal.remove.is_empty();
        let mut actions = self.removes(&proposal.remove, true)?;
        actions.extend(proposal.add.into_iter().map(|file| Action::Add(file.add)));
        let transactions = proposal.txns.into_iter().map(|(application, version)| Transaction::new(application, version));
        let properties = CommitProperties::default()
            .with_application_transactions(transactions.collect())
            .with_metadata([(SUMMARY_KEY.to_owned(), value), (TOKEN_KEY.to_owned(), token.into())]);
        let mode = if rewrites { SaveMode::Overwrite } else { SaveMode::Append };
        let operation =
            DeltaOperation::Write { mode, partition_by: Some(self.spec().partition_columns.clone()), predicate: None };
        self.write_entry(actions, properties, operation).await?;
        Ok(summary)
    }

    /// Writes the log's next entry, only where there is none yet.
    pub(crate) async fn write_entry(
        &self,
        actions: Vec<Action>,
        properties: CommitProperties,
        operation: DeltaOperation,
    ) -> Result<(), TableError> {
        let failed = |e| TableError::delta("commit to", &self.spec().name, e);
        let state = self.delta.snapshot().map_err(failed)?;
        let builder = CommitBuilder::from(properties.with_max_retries(0)).with_actions(actions);
        let committed = builder.build(Some(state), self.delta.log_store(), operation).await.map_err(failed)?;
        let version = i64::try_from(committed.version()).unwrap_or(i64::MAX);
        if version == self.version() + 1 {
            Ok(())
        } else {
            Err(TableError::Log {
                table: self.spec().name.clone(),
                version,
                problem: "the commit was not compare-and-set".into(),
            })
        }
    }
}

/// Attaches the fault; `lake-edge` does the same for programs.
pub(crate) fn attach(error: TableError) -> anyhow::Error {
    let fault = error.fault();
    anyhow::Error::new(error).context(fault)
}

pub(crate) fn is_conflict(error: &TableError) -> bool {
    matches!(error, TableError::Delta { source, .. } if matches!(
        source.as_ref(),
        DeltaTableError::VersionAlreadyExists(_)
            | DeltaTableError::Transaction { source: TransactionError::MaxCommitAttempts(_) | TransactionError::CommitConflict(_) }
    ))
}

/// A part of the pause that differs between processes, so that two losers do not meet again.
fn jitter(pause_ms: u64) -> u64 {
    let random = uuid::Uuid::new_v4().as_u128() as u64;
    random % pause_ms.max(1)
}
