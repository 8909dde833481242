//! Rebuilds one Gold table from the versions of its inputs.
//!
//! The table's model runs over views without personal data; the result is audited against its contract and its rows and sums
//! are accounted for while it still lies on the local disk; then quarantine and table are each replaced in one commit. The
//! log knows which versions of the inputs a table is made from, so the same versions and the same model are done already.
//!
//! A table whose contract has a `snapshot` holds rows of many dates: a run replaces those of its own, the business date of its
//! window's last instant, and the log knows all this per date.
//!
//! Not done here: which versions belong together is decided by `run-pipeline` and only checked here.

mod args;
mod cut;
mod error;
mod proof;
mod release;
mod rows;

pub use args::Args;

use anyhow::Context as _;
use chrono::NaiveDate;
use cut::Cut;
use error::GoldError;
use lake_core::{
    Fault, Summary, fault_point,
    mask::{Method, TokenKey, sha256_hex},
    summary::Outcome,
};
use lake_edge::{Attach as _, Edge};
use lake_sql::{Rows, Session};
use lake_table::{Table, TableSpec};
use proof::Proofs;
use release::{Content, Older, Part, Release};
use std::{ffi::OsString, process::ExitCode};

/// The whole program.
pub fn main(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    lake_edge::main(argv, "goldify", env!("CARGO_PKG_VERSION"), run)
}

/// Rebuilds the table, unless it is made from these inputs already.
async fn run(_: Args, edge: Edge) -> anyhow::Result<Summary> {
    let table = edge.contract.table.clone();
    rebuild(&edge).await.with_context(|| format!("failed to build `{table}`"))
}

async fn rebuild(edge: &Edge) -> anyhow::Result<Summary> {
    if edge.contract.gold().is_none() || edge.contract.model.is_none() {
        return Err(GoldError::NoModel).attach();
    }
    let cut = Cut::of(edge).await?;
    let key = token_key(edge)?;
    let proofs = Proofs::beside(&edge.contract)?;
    let as_of_date = as_of_date(edge, &proofs)?;
    let fingerprint = fingerprint(edge, key.as_ref(), &proofs, as_of_date);
    let part = part(edge, as_of_date)?;
    let mut table = Table::open_or_create(&edge.lake, &TableSpec::of(&edge.contract)).await.attach()?;
    let release = Release { cut: &cut, fingerprint, full_refresh: edge.full_refresh, part };
    if let Some(done) = release.done(&table, Older::Done).await? {
        return Ok(done);
    }
    let mut session = session(edge, &cut, key.as_ref())?;
    fault_point!("gold.build.before");
    let built = lake_sql::build(&session, &edge.contract).await.attach()?;
    fault_point!("gold.build.after");
    tracing::info!(rows = built.accepted.rows(), "model run");
    let proof = proofs.check(&mut session, &edge.contract, &built, &cut).await?;
    fault_point!("gold.audit.after");
    let mut summary = edge.summary();
    summary.inputs = cut.versions();
    summary.ledger = proof.ledger;
    summary.facts = proof.facts;
    summary.facts.extend(as_of_date.map(|date| ("as_of_date".to_owned(), date.to_string().into())));
    if let Some(rejected) = &built.rejected {
        let mut quarantine = Table::open_or_create(&edge.lake, &TableSpec::quarantine(&edge.contract)).await.attach()?;
        let rows = rows::Quarantined { edge, cut: &cut, rejected: rejected.clone() };
        let content = Content { digest: &built.rejected_digest, rows: rejected.rows(), batches: &rows, older: Older::Refused };
        release.replace(&mut quarantine, &content, &quarantine_summary(&summary, rejected.rows())).await?;
        fault_point!("gold.quarantine.after");
    }
    let rows = rows::Accepted { edge, rows: built.accepted.clone() };
    let content = Content { digest: &built.digest, rows: built.accepted.rows(), batches: &rows, older: Older::Done };
    let released = release.replace(&mut table, &content, &summary).await;
    fault_point!("gold.commit.after");
    released
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

/// The token key, where a view of some input needs it: other tables must not change with it.
fn token_key(edge: &Edge) -> anyhow::Result<Option<TokenKey>> {
    let views = views(edge).any(|(_, method)| method == Method::Token);
    if !views {
        return Ok(None);
    }
    let name = &edge.policy.token_key_secret;
    let parsed = TokenKey::parse(&edge.secret(name)?);
    parsed.with_context(|| format!("failed to use secret `{name}`")).context(Fault::Config).map(Some)
}

/// What models see instead of personal columns: name and method.
fn views(edge: &Edge) -> impl Iterator<Item = (&str, Method)> {
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

#[cfg(test)]
mod tests;
