//! `day`: runs the graph for one window, writes the projections, prints the table.

use crate::{
    args::DayArgs,
    board::Board,
    graph::{Graph, Step},
    outcome::{self, Quality, Report},
    process::{Common, Launcher},
    projection,
    resume::{self, Note},
    schedule::{self, End, Ran, Runner},
    scores,
};
use anyhow::Context as _;
use lake_core::{Exit, RunId, contract::ContractSet};
use lake_edge::{Attach as _, Console, FileError, Output};
use lake_quality::score::DayScores;
use lake_table::{Lake, Table, TableSpec};
use std::{collections::BTreeMap, time::Duration};

struct Steps<'a> {
    common: &'a Common,
    contracts: &'a ContractSet,
    lake: &'a Lake,
    board: &'a Board,
}

impl Runner for Steps<'_> {
    async fn run(&self, _: usize, step: &Step, inputs: &BTreeMap<String, i64>) -> Ran {
        self.board.started(step);
        self.common.run(step, inputs).await
    }

    async fn version(&self, table: &str) -> anyhow::Result<Option<i64>> {
        let contract = self.contracts.table(table).attach()?;
        let table = Table::open(self.lake, &TableSpec::of(contract)).await.attach()?;
        Ok(table.map(|table| table.version()))
    }

    fn ended(&self, step: &Step, end: &End, count: usize) {
        self.board.ended(step, end, count);
    }
}

/// Runs one window.
pub(crate) async fn run(args: &DayArgs, console: &Console) -> anyhow::Result<Exit> {
    let started = std::time::Instant::now();
    let (contracts, _) = lake_edge::load_contracts(&args.contracts)?;
    let graph = Graph::of(&contracts)?;
    let lake = Lake::open(&args.lake).attach()?;
    std::fs::create_dir_all(&args.logs)
        .map_err(|source| FileError::new("make the log directory", &args.logs, source))
        .attach()?;
    let mut note = identity(args, &lake).await?;
    let common = common(args, &graph, &note)?;
    resume::leave(&lake, &note).await?;
    console.note(&format!("run {} of window {}: {} steps, lake {}", note.run_id, args.window, graph.steps.len(), args.lake));

    let board = Board::new(console, graph.steps.len());
    let steps = Steps { common: &common, contracts: &contracts, lake: &lake, board: &board };
    let ends = schedule::run(&graph, &steps, jobs(args)).await;
    board.done();

    let author = projection::Author { run_id: note.run_id, attempt: note.attempt, window: args.window };
    projection::write(&lake, &contracts, author).await?;
    let judged = scores::judged(&graph, &ends, &contracts, author);
    let tables = outcome::tables(&graph, &ends, &judged);
    let scores = scores::record(&lake, &contracts, author, judged).await.context("failed to write ops/quality_scores")?;
    let exit = outcome::worst(&ends);
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    note.exit = Some(exit.name().to_owned());
    note.duration_ms = Some(duration_ms);
    note.steps = Some(outcome::steps(&graph, &ends));
    resume::leave(&lake, &note).await?;
    let report = Report {
        schema_version: 1,
        run_id: note.run_id,
        attempt: note.attempt,
        window: args.window,
        exit: exit.name(),
        exit_code: exit.code(),
        duration_ms,
        tables,
        quality: Quality { layers: scores.layers.clone(), day: scores.day.clone() },
    };
    print(console, args.output, &report, &ends, &scores)?;
    Ok(exit)
}

async fn identity(args: &DayArgs, lake: &Lake) -> anyhow::Result<Note> {
    let fresh = || Note {
        run_id: args.run_id.unwrap_or_else(|| RunId(uuid::Uuid::now_v7())),
        attempt: 1,
        window: args.window,
        exit: None,
        duration_ms: None,
        steps: None,
    };
    if !args.resume {
        return Ok(fresh());
    }
    let last = resume::last(lake, args.window).await?;
    Ok(last.map_or_else(fresh, |last| Note { attempt: last.attempt + 1, run_id: last.run_id, ..fresh() }))
}

fn common(args: &DayArgs, graph: &Graph, note: &Note) -> anyhow::Result<Common> {
    let mut programs: Vec<&str> = graph.steps.iter().map(|step| step.program).collect();
    programs.sort_unstable();
    programs.dedup();
    Ok(Common {
        launcher: Launcher::find(args.programs.as_deref(), &programs)?,
        window: args.window,
        lake: args.lake.clone(),
        contracts: args.contracts.clone(),
        secrets: args.secrets.as_str().to_owned(),
        logs: args.logs.clone(),
        run_id: note.run_id,
        first_attempt: (note.attempt - 1) * (args.retries + 1) + 1,
        retries: args.retries,
        pause: Duration::from_secs(args.retry_seconds),
        longest: Duration::from_secs(args.step_seconds_max),
    })
}

fn jobs(args: &DayArgs) -> usize {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    args.jobs.map_or_else(|| processors.clamp(2, 4), usize::from)
}

fn print(console: &Console, output: Output, report: &Report, ends: &[End], scores: &DayScores) -> anyhow::Result<()> {
    match output {
        Output::Json => {
            let summaries = ends.iter().filter_map(|end| if let End::Ran(ran) = end { ran.summary.as_ref() } else { None });
            for summary in summaries {
                console.line(&serde_json::to_string(summary).context("failed to write a summary")?);
            }
            console.line(&serde_json::to_string(report).context("failed to write the report")?);
        }
        Output::Text => {
            outcome::lines(report).iter().for_each(|line| console.line(line));
            console.line(&scores::line(scores));
            console.line(&format!(
                "window {} ended with {} ({}) after {}",
                report.window,
                report.exit_code,
                report.exit,
                crate::board::seconds(report.duration_ms)
            ));
        }
    }
    Ok(())
}
