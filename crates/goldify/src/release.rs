//! Replaces a table, or its rows of one date, in one commit, and knows when that was done.
//!
//! The log holds, per input, the version that the table is made from, and in its summary a fingerprint of everything else that
//! the result depends on and a digest of the rows. The same content from newer inputs advances the versions only.

use crate::{cut::Cut, error::GoldError, keys::Guard, rows::Batches};
use chrono::NaiveDate;
use lake_core::{Summary, summary::Outcome};
use lake_edge::Attach as _;
use lake_table::{DataFile, NewFile, Plan, Proposal, Table};
use std::cmp::Ordering;

const FINGERPRINT: &str = "fingerprint";
const DIGEST: &str = "digest";

/// What is released, from which inputs.
#[derive(Debug)]
pub(crate) struct Release {
    pub(crate) cut: Cut,
    /// Everything but rows that the result depends on.
    pub(crate) fingerprint: String,
    pub(crate) full_refresh: bool,
    pub(crate) part: Part,
}

/// Which rows of a table a run replaces.
#[derive(Debug)]
pub(crate) enum Part {
    /// All.
    Whole,
    /// Those of one date, which have files of their own.
    Date {
        /// The table's partition column.
        column: String,
        date: NaiveDate,
    },
}

/// The whole new content of a table, or of a part of it.
pub(crate) struct Content<'a> {
    /// Equal digests are equal rows.
    pub(crate) digest: &'a str,
    pub(crate) rows: u64,
    pub(crate) batches: &'a dyn Batches,
    pub(crate) older: Older,
    /// Where rows may hold tokens.
    pub(crate) guard: Option<&'a Guard>,
}

/// What it means that a table is made from newer inputs by the same model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Older {
    /// A later run has done more than this one would: the table itself.
    Done,
    /// The rows belong to another state of the table: its quarantine.
    Refused,
}

/// How the inputs stand to those that a table is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Equal,
    Newer,
    Older,
    /// Some are newer and some are older.
    Mixed,
}

impl Release {
    /// Returns the summary of the run that has done this work already, if one has.
    ///
    /// # Errors
    /// When the table is made from newer inputs and that is not done, or from some newer and some older ones.
    pub(crate) async fn done(&self, table: &Table, older: Older) -> anyhow::Result<Option<Summary>> {
        let Some(last) = self.part.last_summary(table).await? else { return Ok(None) };
        let same = self.made(&last);
        let done = |mut last: Summary| {
            last.outcome = Outcome::AlreadyDone;
            Some(last)
        };
        match self.standing(table).await? {
            Standing::Equal if same && !self.full_refresh => Ok(done(last)),
            Standing::Older if same && older == Older::Done => Ok(done(last)),
            Standing::Equal | Standing::Newer => Ok(None),
            Standing::Older | Standing::Mixed => Err(GoldError::Behind { table: table.spec().name.clone() }).attach(),
        }
    }

    /// Whether a run was made by the same model, contract, policy and key.
    pub(crate) fn made(&self, last: &Summary) -> bool {
        fact(last, FINGERPRINT) == Some(&self.fingerprint)
    }

    /// Replaces the content of a table, once.
    ///
    /// # Errors
    /// As for [`Table::commit`], and when the table is made from newer inputs.
    pub(crate) async fn replace(&self, table: &mut Table, content: &Content<'_>, summary: &Summary) -> anyhow::Result<Summary> {
        let mut written: Option<Vec<NewFile>> = None;
        let planned = async |table: &Table| -> anyhow::Result<Plan> {
            if let Some(done) = self.done(table, content.older).await? {
                return Ok(Plan::Done(done));
            }
            if let Some(guard) = content.guard {
                guard.check(table).await?;
            }
            let mut proposal = self.proposal(table, content, summary).await?;
            let newer = !proposal.txns.is_empty();
            proposal.txns.extend(self.part.commits(table).await?);
            let last = self.part.last_summary(table).await?;
            if last.as_ref().and_then(|last| fact(last, DIGEST)).is_some_and(|digest| digest == content.digest) {
                let same = last.as_ref().is_some_and(|last| self.made(last));
                return Ok(if same && !newer { unchanged(proposal) } else { Plan::Commit(proposal) });
            }
            let files = match &written {
                Some(files) => files.clone(),
                None => written.insert(write(table, content).await?).clone(),
            };
            proposal.add = files;
            proposal.inserted = content.rows;
            proposal.remove = self.part.files(table);
            proposal.removed = proposal.remove.iter().map(|file| file.rows).sum();
            Ok(Plan::Commit(proposal))
        };
        table.commit(planned).await
    }

    /// A commit that advances the versions of the inputs and nothing else.
    async fn proposal(&self, table: &Table, content: &Content<'_>, summary: &Summary) -> anyhow::Result<Proposal> {
        let mut summary = summary.clone();
        summary.facts.insert(FINGERPRINT.to_owned(), self.fingerprint.clone().into());
        summary.facts.insert(DIGEST.to_owned(), content.digest.into());
        let mut txns = Vec::new();
        for (input, version) in self.progress() {
            if table.txn(&input).await.attach()?.is_none_or(|stored| stored < version) {
                txns.push((input, version));
            }
        }
        Ok(Proposal { add: Vec::new(), remove: Vec::new(), txns, inserted: 0, removed: 0, summary })
    }

    /// Version of each input, by the application under which the log keeps it.
    fn progress(&self) -> Vec<(String, i64)> {
        let inputs = self.cut.progress().into_iter();
        inputs.map(|(input, version)| (self.part.application(&input), version)).collect()
    }

    async fn standing(&self, table: &Table) -> anyhow::Result<Standing> {
        let (mut newer, mut older) = (false, false);
        for (input, version) in self.progress() {
            match table.txn(&input).await.attach()?.map(|stored| version.cmp(&stored)) {
                None | Some(Ordering::Greater) => newer = true,
                Some(Ordering::Less) => older = true,
                Some(Ordering::Equal) => {}
            }
        }
        Ok(match (newer, older) {
            (false, false) => Standing::Equal,
            (true, false) => Standing::Newer,
            (false, true) => Standing::Older,
            (true, true) => Standing::Mixed,
        })
    }
}

impl Part {
    /// Name under which the log keeps something of this part.
    fn application(&self, of: &str) -> String {
        match self {
            Self::Whole => of.to_owned(),
            Self::Date { date, .. } => format!("{of}/{date}"),
        }
    }

    /// Files that hold its rows.
    fn files(&self, table: &Table) -> Vec<DataFile> {
        match self {
            Self::Whole => table.files().to_vec(),
            Self::Date { column, date } => {
                let date = date.to_string();
                let own = |file: &&DataFile| file.partition_value(column) == Some(date.as_str());
                table.files().iter().filter(own).cloned().collect()
            }
        }
    }

    /// Summary of the last run that made it.
    async fn last_summary(&self, table: &Table) -> anyhow::Result<Option<Summary>> {
        let Self::Date { column, .. } = self else { return table.last_summary().await.attach() };
        let own = self.application(column);
        // Only a date that was made before is looked for in the log.
        if table.txn(&own).await.attach()?.is_none() {
            return Ok(None);
        }
        Ok(table.commit_of(&own).await.attach()?.and_then(|commit| commit.summary))
    }

    /// How often a date was committed, counted up, so that its last commit is found among those of other dates.
    async fn commits(&self, table: &Table) -> anyhow::Result<Option<(String, i64)>> {
        let Self::Date { column, .. } = self else { return Ok(None) };
        let own = self.application(column);
        let before = table.txn(&own).await.attach()?.unwrap_or(0);
        Ok(Some((own, before + 1)))
    }
}

fn unchanged(proposal: Proposal) -> Plan {
    let mut summary = proposal.summary;
    summary.outcome = Outcome::Unchanged;
    Plan::Done(summary)
}

async fn write(table: &Table, content: &Content<'_>) -> anyhow::Result<Vec<NewFile>> {
    let mut writer = table.writer();
    for batch in content.batches.read()? {
        writer.write(&batch?).await.attach()?;
    }
    writer.finish().await.attach()
}

fn fact<'a>(summary: &'a Summary, name: &str) -> Option<&'a str> {
    summary.facts.get(name)?.as_str()
}
