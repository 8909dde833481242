//! Lands one window of HubSpot's objects, or of the associations between two types, in its Bronze table, byte for byte.
//!
//! A window of objects is searched by the time of the last change and reads back as far as the contract's lookback says,
//! since the index of the search lags; what lands again is told apart by `silverize`. What no search finds (archived, deleted
//! and merged objects, removed associations) is found by a sweep: all ids that the account has, against what Bronze knows.
//! Rows that were decided by what Bronze knows are committed only to the version that was read.
//!
//! Associations read the ids of the source's own objects, not those of a Bronze table: so no table waits for another one.
//!
//! Not done here: any change of a value.

mod api;
mod args;
mod associations;
mod decode;
mod error;
mod landed;
mod listing;
mod objects;
mod question;
mod rows;
mod states;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod testserver;

pub use args::Args;

use anyhow::{Context as _, anyhow};
use api::Api;
use lake_bronze::Landing;
use lake_core::{Fault, Ledger, Summary, contract::layer::HubspotSource, fault_point, summary::Outcome};
use lake_edge::{Attach as _, Edge};
use landed::Landed;
use std::{ffi::OsString, process::ExitCode};

/// How often a run starts again because the table moved meanwhile.
const OVERTAKEN_MAX: u32 = 5;

/// The whole program.
pub fn main(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    lake_edge::main(argv, "ingest-hubspot", env!("CARGO_PKG_VERSION"), run)
}

/// Lands one window and returns what was done.
async fn run(args: Args, edge: Edge) -> anyhow::Result<Summary> {
    let plan = rows::Plan::new(&edge).context("failed to land HubSpot's objects")?;
    for _ in 0..OVERTAKEN_MAX {
        let landing = Landing::open(&edge.lake, &edge.contract, &edge.run).await.attach()?;
        if let Some(done) = landing.already_done().await.attach()? {
            return Ok(done);
        }
        let api = Api::new(&args, edge.secret(error::TOKEN)?).attach()?;
        fault_point!("hubspot.fetch.before");
        let landed = land(&args, &edge, &plan, &api, &landing).await;
        let landed = landed.with_context(|| format!("failed to read HubSpot's {}", plan.source.object()))?;
        fault_point!("hubspot.write.after");
        let summary = summary(&edge, &api, &landed);
        if let Some(committed) = landing.commit_unmoved(landed.files, landed.handed, summary).await? {
            return Ok(committed);
        }
        tracing::warn!(table = edge.run.table, "table moved while it was compared, starting again");
    }
    Err(anyhow!("failed to land HubSpot's {}: the table moved {OVERTAKEN_MAX} times meanwhile", plan.source.object())
        .context(Fault::Transient))
}

async fn land(args: &Args, edge: &Edge, plan: &rows::Plan, api: &Api, landing: &Landing) -> anyhow::Result<Landed> {
    match &plan.source {
        HubspotSource::Object(object) => {
            let sweep = args.sweep || object.sweep;
            let question = question::Question::new(object, &edge.run.window);
            objects::Reading { api, plan, landing, object, question, sweep, bar: edge.progress("objects read", None) }
                .land()
                .await
        }
        HubspotSource::Association(pair) => {
            associations::Reading { api, plan, landing, pair, bar: edge.progress("associations read", None) }.land().await
        }
    }
}

fn summary(edge: &Edge, api: &Api, landed: &Landed) -> Summary {
    let mut summary = edge.summary();
    summary.outcome = Outcome::Committed;
    // Read is what the answers announce and the sweep decided, accepted what the written files say.
    let accepted = landed.files.iter().map(|file| file.rows).sum();
    summary.ledger = Ledger { read: landed.read, accepted, ..Ledger::default() };
    summary.facts = landed.facts.clone();
    let (general, search) = api.sent();
    summary.facts.insert("requests".to_owned(), general.into());
    summary.facts.insert("search_requests".to_owned(), search.into());
    summary.duration_ms = edge.elapsed_ms();
    summary
}
