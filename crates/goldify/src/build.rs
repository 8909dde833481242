//! Builds a table from one cut of its inputs, checks the result, and commits it.

use crate::{
    cut::Cut,
    error::GoldError,
    keys::{self, Guard},
    proof::{Proof, Proofs},
    release::{Content, Older, Part, Release},
    rows,
};
use chrono::NaiveDate;
use lake_core::{
    Summary, fault_point,
    mask::{Method, TokenKey, sha256_hex},
    summary::Outcome,
};
use lake_edge::{Attach as _, Edge};
use lake_sql::{Built, Rows, Session};
use lake_table::{Table, TableSpec};

/// All that a result depends on.
#[derive(Debug)]
pub(crate) struct Build<'e> {
    edge: &'e Edge,
    /// Present where models see tokens of an input.
    key: Option<TokenKey>,
    proofs: Proofs,
    as_of_date: Option<NaiveDate>,
    /// What is released, from which inputs.
    pub(crate) release: Release,
    guard: Guard,
}

/// A result that has been checked and can be committed.
#[derive(Debug)]
pub(crate) struct Checked<'e> {
    build: Build<'e>,
    /// The rows.
    pub(crate) built: Built,
    summary: Summary,
    /// The rows lie on its part of the local disk.
    _session: Session,
}

impl<'e> Build<'e> {
    /// Resolves what a result depends on; `rotation` is the key that takes the place of the table's own.
    pub(crate) async fn of(edge: &'e Edge, rotation: Option<&TokenKey>) -> anyhow::Result<Self> {
        // A rotation reads what the table is made from: that has passed.
        Self::over(edge, rotation, rotation.is_some()).await
    }

    /// Resolves it for what the table is made from, with the key that it has.
    pub(crate) async fn again(edge: &'e Edge) -> anyhow::Result<Self> {
        Self::over(edge, None, true).await
    }

    async fn over(edge: &'e Edge, rotation: Option<&TokenKey>, is_trusted: bool) -> anyhow::Result<Self> {
        if edge.contract.gold().is_none() || edge.contract.model.is_none() {
            return Err(GoldError::NoModel).attach();
        }
        lake_sql::named_tokens(&edge.contracts, &edge.policy, &edge.contract).await.attach()?;
        let cut = Cut::of(edge, is_trusted).await?;
        let key = match rotation {
            Some(key) => keys::needed(edge).then(|| key.clone()),
            None => keys::choose(edge).await?,
        };
        let key_id = keys::belong_together(edge, cut.tables(), key.as_ref()).await?;
        let proofs = Proofs::beside(&edge.contract)?;
        let as_of_date = as_of_date(edge, &proofs)?;
        let fingerprint = fingerprint(edge, key.as_ref(), &proofs, as_of_date);
        let part = part(edge, as_of_date)?;
        let release = Release { cut, fingerprint, full_refresh: edge.full_refresh, part };
        let guard = Guard { key_id, rotates: rotation.is_some() };
        Ok(Self { edge, key, proofs, as_of_date, release, guard })
    }

    /// An engine in which its inputs stand.
    pub(crate) fn session(&self) -> anyhow::Result<Session> {
        session(self.edge, &self.release.cut, self.key.as_ref())
    }

    /// Runs the model and checks its result; nothing reaches the lake.
    pub(crate) async fn check(self) -> anyhow::Result<Checked<'e>> {
        let edge = self.edge;
        let mut session = self.session()?;
        fault_point!("gold.build.before");
        let built = lake_sql::build(&session, &edge.contract).await.attach()?;
        fault_point!("gold.build.after");
        tracing::info!(rows = built.accepted.rows(), "model run");
        let Proof { ledger, facts } = self.proofs.check(&mut session, &edge.contract, &built, &self.release.cut).await?;
        fault_point!("gold.audit.after");
        let mut summary = Summary { inputs: self.release.cut.versions(), ledger, facts, ..edge.summary() };
        summary.facts.extend(self.as_of_date.map(|date| ("as_of_date".to_owned(), date.to_string().into())));
        Ok(Checked { build: self, built, summary, _session: session })
    }
}

impl Checked<'_> {
    /// Replaces quarantine and table, each in one commit.
    pub(crate) async fn commit(&self, table: &mut Table) -> anyhow::Result<Summary> {
        let Build { edge, release, guard, .. } = &self.build;
        let built = &self.built;
        if let Some(rejected) = &built.rejected {
            let mut quarantine = Table::open_or_create(&edge.lake, &TableSpec::quarantine(&edge.contract)).await.attach()?;
            let rows = rows::Quarantined { edge, cut: &release.cut, rejected: rejected.clone() };
            let content = Content {
                digest: &built.rejected_digest,
                rows: rejected.rows(),
                batches: &rows,
                older: Older::Refused,
                guard: None,
            };
            release.replace(&mut quarantine, &content, &quarantine_summary(&self.summary, rejected.rows())).await?;
            fault_point!("gold.quarantine.after");
        }
        let rows = rows::Accepted { edge, rows: built.accepted.clone() };
        let content = Content {
            digest: &built.digest,
            rows: built.accepted.rows(),
            batches: &rows,
            older: Older::Done,
            guard: Some(guard),
        };
        let released = release.replace(table, &content, &self.summary).await;
        fault_point!("gold.commit.after");
        released
    }
}

/// A quarantine's commit accounts for its own rows only.
fn quarantine_summary(summary: &Summary, rows: u64) -> Summary {
    let ledger = lake_core::Ledger { read: rows, quarantined: rows, ..Default::default() };
    Summary { ledger, outcome: Outcome::Committed, facts: Default::default(), ..summary.clone() }
}

/// An engine in which the inputs stand.
fn session(edge: &Edge, cut: &Cut, key: Option<&TokenKey>) -> anyhow::Result<Session> {
    let mut session = Session::new(&edge.policy, key).attach()?;
    session.allow(edge.contract.gold().map_or(&[], |gold| &gold.sensitive));
    session.set_as_of_date(edge.policy.as_of_date(edge.run.window));
    for (name, table) in cut.tables() {
        let contract = edge.contracts.table(name).attach()?;
        session.register(contract, Rows::Table(table.clone())).attach()?;
    }
    Ok(session)
}

/// What models see instead of personal columns: name and method.
pub(crate) fn views(edge: &Edge) -> impl Iterator<Item = (&str, Method)> {
    let inputs = edge.contract.inputs().into_iter().filter_map(|input| edge.contracts.get(input));
    inputs
        .flat_map(|contract| &contract.columns)
        .flat_map(|column| &column.gold_views)
        .map(|view| (view.column.as_str(), view.method))
}

/// The date as of which the run sees the world, where some statement of the table asks for it: other tables do not depend on
/// the window.
fn as_of_date(edge: &Edge, proofs: &Proofs) -> anyhow::Result<Option<NaiveDate>> {
    let asked = proofs.read_as_of_date(&edge.contract)?;
    Ok(asked.then(|| edge.policy.as_of_date(edge.run.window)))
}

/// Which rows of the table the run replaces.
fn part(edge: &Edge, as_of_date: Option<NaiveDate>) -> anyhow::Result<Part> {
    let Some(column) = edge.contract.gold().and_then(|gold| gold.snapshot.clone()) else { return Ok(Part::Whole) };
    let model = edge.contract.model.as_deref().unwrap_or_default();
    match as_of_date {
        Some(date) if lake_sql::reads_as_of_date(model).attach()? => Ok(Part::Date { column, date }),
        _ => Err(GoldError::SnapshotWithoutDate).attach(),
    }
}

/// Everything but rows that a result depends on.
fn fingerprint(edge: &Edge, key: Option<&TokenKey>, proofs: &Proofs, as_of_date: Option<NaiveDate>) -> String {
    let views: Vec<String> = views(edge).map(|(column, method)| format!("{column}={method:?}")).collect();
    let key = key.map_or("", |key| key.id.as_str());
    let (proofs, views) = (proofs.hash(), views.join(","));
    let date = as_of_date.map(|date| date.to_string());
    let mut parts = vec![edge.contract.hash.as_str(), &proofs, &edge.policy.hash, key, &views];
    parts.extend(date.as_deref());
    sha256_hex(parts.join("\n").as_bytes())
}
