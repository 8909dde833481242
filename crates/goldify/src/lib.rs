//! Rebuilds one Gold table from the versions of its inputs.
//!
//! The table's model runs over views without personal data; the result is audited against its contract and its rows and sums
//! are accounted for while it still lies on the local disk; then quarantine and table are each replaced in one commit. The
//! log knows which versions of the inputs a table is made from, so the same versions and the same model are done already.
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
use release::{Content, Older, Release};
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
    let fingerprint = fingerprint(edge, key.as_ref(), &proofs);
    let mut table = Table::open_or_create(&edge.lake, &TableSpec::of(&edge.contract)).await.attach()?;
    let release = Release { cut: &cut, fingerprint, full_refresh: edge.full_refresh };
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

/// Everything but rows that a result depends on.
fn fingerprint(edge: &Edge, key: Option<&TokenKey>, proofs: &Proofs) -> String {
    let views: Vec<String> = views(edge).map(|(column, method)| format!("{column}={method:?}")).collect();
    let key = key.map_or("", |key| key.id.as_str());
    let parts = [&edge.contract.hash, &proofs.hash(), &edge.policy.hash, key, &views.join(",")];
    sha256_hex(parts.join("\n").as_bytes())
}

#[cfg(test)]
mod tests;
