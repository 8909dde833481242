//! `ledger`: brings `ops/runs`, `ops/ledger` and `ops/quality_scores` up to what the tables say, behind a day that a scheduler ran.
//!
//! `day` does the same at its own end, with what its gates have answered; here the answers are those of `ops/dq_verdicts`.

use crate::{
    args::LedgerArgs,
    outcome::Quality,
    projection::{self, Added, Author},
    scores,
};
use anyhow::Context as _;
use lake_core::{Exit, RunId, Window};
use lake_edge::{Attach as _, Console, Output};
use lake_table::Lake;
use serde::Serialize;

/// What was done; the only line of stdout with `--output json`.
#[derive(Debug, Serialize)]
struct Told {
    schema_version: u32,
    window: Window,
    #[serde(flatten)]
    added: Added,
    quality: Quality,
}

/// Brings the tables up.
pub(crate) async fn run(args: &LedgerArgs, console: &Console) -> anyhow::Result<Exit> {
    let (contracts, _) = lake_edge::load_contracts(&args.contracts)?;
    let lake = Lake::open(&args.lake).attach()?;
    let run_id = args.run_id.unwrap_or_else(|| RunId(uuid::Uuid::now_v7()));
    let author = Author { run_id, attempt: args.attempt, window: args.window };
    let added = projection::write(&lake, &contracts, author).await?;
    let judged = scores::decided(&lake, &contracts, args.window).await.context("failed to read ops/dq_verdicts")?;
    let scores = scores::record(&lake, &contracts, author, judged).await.context("failed to write ops/quality_scores")?;
    match args.output {
        Output::Text => {
            console.line(&format!("ops/runs: {} rows added, ops/ledger: {} rows added", added.runs, added.ledger));
            console.line(&scores::line(&scores));
        }
        Output::Json => {
            let quality = Quality { layers: scores.layers, day: scores.day };
            let told = Told { schema_version: 1, window: args.window, added, quality };
            console.line(&serde_json::to_string(&told).context("failed to write what was done")?);
        }
    }
    Ok(Exit::Ok)
}
