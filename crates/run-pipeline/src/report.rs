//! `report`: one HTML file that tells people how the newest run went, what became of the rows, how good the tables are and what
//! Gold says.
//!
//! The file holds everything it shows and asks nobody for more. What it shows is one JSON object, [`Island`], which is made here
//! from the run's note, from `ops/` and from Gold; the page only lays it out.
//!
//! Business numbers come from Gold alone, which everybody may read, and groups of few customers are not told. Of the other layers
//! there are counts, and names of tables, columns and rules.

mod durations;
mod flow;
mod gold;
mod history;
mod lineage;
mod page;
mod quality;
mod run_state;
mod scan;

use crate::{args::ReportArgs, graph::Graph};
use anyhow::{Context as _, anyhow};
use lake_core::{Exit, Fault, Policy, RunId, Window, contract::ContractSet};
use lake_edge::{Attach as _, Console, FileError};
use lake_table::Lake;
use serde::Serialize;
use std::path::Path;

/// What the report is asked to show.
#[derive(Debug, Clone)]
struct Asked {
    title: String,
    made_at: chrono::DateTime<chrono::Utc>,
    window: Option<Window>,
    run_id: Option<RunId>,
    windows_max: usize,
}

/// All that the page shows.
#[derive(Debug, Clone, Serialize)]
struct Island {
    schema_version: u32,
    title: String,
    made_at: String,
    /// None when there never was one.
    window: Option<String>,
    /// None when no note tells of it.
    run: Option<run_state::RunState>,
    flow: flow::Flow,
    quality: quality::Quality,
    durations: durations::Durations,
    lineage: lineage::Lineage,
    gold: gold::Gold,
}

/// Writes the report.
pub(crate) async fn run(args: &ReportArgs, console: &Console) -> anyhow::Result<Exit> {
    let (contracts, policy) = lake_edge::load_contracts(&args.contracts)?;
    let graph = Graph::of(&contracts)?;
    // Opening a directory makes it, and a report about an empty lake that was mistyped helps nobody.
    if !args.lake.contains("://") && !Path::new(&args.lake).is_dir() {
        let text = format!("failed to find a lake at {}; name it with --lake", args.lake);
        return Err(anyhow!(text).context(Fault::Config));
    }
    let lake = Lake::open(&args.lake).attach()?;
    let asked = Asked {
        title: args.title.clone(),
        made_at: lake_edge::now(),
        window: args.window,
        run_id: args.run,
        windows_max: args.windows_max.into(),
    };
    let island = island(&lake, (&contracts, &policy), &graph, &asked).await.context("failed to read what the report shows")?;
    let page = page::html(&serde_json::to_string(&island).context("failed to write the report's data")?)?;
    write(&args.to, &page)?;
    console.line(&format!("report written to {}", args.to.display()));
    Ok(Exit::Ok)
}

async fn island(
    lake: &Lake,
    (contracts, policy): (&ContractSet, &Policy),
    graph: &Graph,
    asked: &Asked,
) -> anyhow::Result<Island> {
    let history = history::History::read(lake, contracts).await?;
    let (window, run) = run_state::of(lake, contracts, &history, asked).await?;
    let quality = quality::of(lake, contracts, window, asked.windows_max).await?;
    let flow = window.map(|window| flow::of(&history, contracts, window, asked.windows_max)).unwrap_or_default();
    let durations = window.map(|window| durations::of(&history, graph, window, asked.windows_max)).unwrap_or_default();
    Ok(Island {
        schema_version: 1,
        title: asked.title.clone(),
        made_at: asked.made_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        window: window.map(label),
        run,
        flow,
        quality,
        durations,
        lineage: lineage::of(contracts, graph),
        gold: gold::of(lake, contracts, policy).await?,
    })
}

/// Writes the file, and the folder that it is in.
fn write(to: &Path, page: &str) -> anyhow::Result<()> {
    const ACTION: &str = "write the report to";
    let made = to.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.map_err(|source| FileError::new(ACTION, to, source)).attach()?;
    lake_edge::write_file(ACTION, to, page).attach()
}

/// Returns a window as people say it: a date, two dates, or dates with the time of the day.
fn label(window: Window) -> String {
    let midnight = |at: chrono::DateTime<chrono::Utc>| at.time() == chrono::NaiveTime::MIN;
    let (from, to) = (window.from(), window.to());
    let (first, last) = (from.date_naive(), to.date_naive());
    match (midnight(from) && midnight(to), first == last) {
        (true, _) if first.succ_opt() == Some(last) => first.to_string(),
        (true, _) => format!("{first}/{last}"),
        (false, true) => format!("{first} {}/{}", from.time(), to.time()),
        (false, false) => format!("{first} {}/{last} {}", from.time(), to.time()),
    }
}

/// Returns the contracts in the order of the layers, each after its inputs.
fn in_order(contracts: &ContractSet) -> Vec<&lake_core::Contract> {
    let mut all = contracts.in_dependency_order();
    all.sort_by_key(|contract| LAYERS.iter().position(|layer| *layer == contract.layer.name()));
    all
}

const LAYERS: [&str; 3] = ["bronze", "silver", "gold"];

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_gold;
#[cfg(test)]
mod tests_lake;
