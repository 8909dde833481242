//! How the run went: what its note says of every step.

use super::{Asked, history::History};
use crate::resume::{self, Note, StepNote, StepState};
use anyhow::anyhow;
use lake_core::{Exit, Fault, Window, contract::ContractSet};
use lake_table::Lake;
use serde::Serialize;

/// The run that the report is about.
#[derive(Debug, Clone, Serialize)]
pub(super) struct RunState {
    id: String,
    attempt: u32,
    state: &'static str,
    exit: Option<String>,
    duration_ms: Option<u64>,
    ok: usize,
    failed: usize,
    not_run: usize,
    steps: Vec<StepNote>,
}

impl RunState {
    fn of(note: Note) -> Self {
        let steps = note.steps.unwrap_or_default();
        let count = |state: StepState| steps.iter().filter(|step| step.state == state).count();
        let state = match note.exit.as_deref() {
            None => "unfinished",
            Some(name) if name == Exit::Ok.name() => "done",
            Some(_) => "failed",
        };
        Self {
            id: note.run_id.to_string(),
            attempt: note.attempt,
            state,
            exit: note.exit,
            duration_ms: note.duration_ms,
            ok: count(StepState::Ok),
            failed: count(StepState::Failed),
            not_run: count(StepState::NotRun),
            steps,
        }
    }
}

/// Returns the window that the report is about, and its run; no window when the lake has had none, no run when no note tells
/// of one: `run-pipeline day` leaves notes, another scheduler does not.
pub(super) async fn of(
    lake: &Lake,
    contracts: &ContractSet,
    history: &History,
    asked: &Asked,
) -> anyhow::Result<(Option<Window>, Option<RunState>)> {
    let mut notes = resume::all(lake).await?;
    let unknown = |text: &'static str| anyhow!(text).context(Fault::Config);
    if let Some(run_id) = asked.run_id {
        notes.retain(|note| note.run_id == run_id);
        if notes.is_empty() {
            return Err(unknown(
                "failed to find that run: the lake has no note of it; `run-pipeline day` leaves one, and each window keeps that of its last run only",
            ));
        }
    }
    let windows = notes.iter().map(|note| note.window);
    let window = match (asked.window, asked.run_id) {
        (Some(window), _) => Some(window),
        (None, Some(_)) => newest(windows),
        (None, None) => newest(windows.chain(history.days(contracts))),
    };
    let run = notes.into_iter().find(|note| Some(note.window) == window).map(RunState::of);
    if run.is_none() && asked.window.is_some_and(|window| !history.counted.contains_key(&window)) {
        return Err(unknown(
            "failed to find that window: the lake has no note of a run of it, and `ops/ledger` no row; behind another scheduler, `run-pipeline ledger` brings the rows up",
        ));
    }
    Ok((window, run))
}

fn newest(windows: impl Iterator<Item = Window>) -> Option<Window> {
    windows.max_by_key(|window| (window.to(), window.from()))
}
