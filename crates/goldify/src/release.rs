//! Replaces a table as a whole in one commit, and knows when that was done.
//!
//! The log holds, per input, the version that the table is made from, and in its summary a fingerprint of everything else that
//! the result depends on and a digest of the rows. The same content from newer inputs advances the versions only.

use crate::{cut::Cut, error::GoldError, rows::Batches};
use lake_core::{Summary, summary::Outcome};
use lake_edge::Attach as _;
use lake_table::{NewFile, Plan, Proposal, Table};
use std::cmp::Ordering;

const FINGERPRINT: &str = "fingerprint";
const DIGEST: &str = "digest";

/// What is released, from which inputs.
#[derive(Debug)]
pub(crate) struct Release<'a> {
    pub(crate) cut: &'a Cut,
    /// Everything but rows that the result depends on.
    pub(crate) fingerprint: String,
    pub(crate) full_refresh: bool,
}

/// The whole new content of a table.
pub(crate) struct Content<'a> {
    /// Equal digests are equal rows.
    pub(crate) digest: &'a str,
    pub(crate) rows: u64,
    pub(crate) batches: &'a dyn Batches,
    pub(crate) older: Older,
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

impl Release<'_> {
    /// Returns the summary of the run that has done this work already, if one has.
    ///
    /// # Errors
    /// When the table is made from newer inputs and that is not done, or from some newer and some older ones.
    pub(crate) async fn done(&self, table: &Table, older: Older) -> anyhow::Result<Option<Summary>> {
        let Some(last) = table.last_summary().await.attach()? else { return Ok(None) };
        let same = fact(&last, FINGERPRINT) == Some(&self.fingerprint);
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
            let mut proposal = self.proposal(table, content, summary).await?;
            let last = table.last_summary().await.attach()?;
            if last.as_ref().and_then(|last| fact(last, DIGEST)).is_some_and(|digest| digest == content.digest) {
                let same = last.as_ref().is_some_and(|last| fact(last, FINGERPRINT) == Some(&self.fingerprint));
                return Ok(if same && proposal.txns.is_empty() { unchanged(proposal) } else { Plan::Commit(proposal) });
            }
            let files = match &written {
                Some(files) => files.clone(),
                None => written.insert(write(table, content).await?).clone(),
            };
            proposal.add = files;
            proposal.inserted = content.rows;
            proposal.remove = table.files().to_vec();
            proposal.removed = table.rows();
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
        for (input, version) in self.cut.progress() {
            if table.txn(&input).await.attach()?.is_none_or(|stored| stored < version) {
                txns.push((input, version));
            }
        }
        Ok(Proposal { add: Vec::new(), remove: Vec::new(), txns, inserted: 0, removed: 0, summary })
    }

    async fn standing(&self, table: &Table) -> anyhow::Result<Standing> {
        let (mut newer, mut older) = (false, false);
        for (input, version) in self.cut.progress() {
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
