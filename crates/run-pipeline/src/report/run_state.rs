//! How the run went: what its note says of every step.

use super::{Asked, label};
use crate::resume::{self, Note, StepNote, StepState};
use anyhow::anyhow;
use lake_core::{Exit, Fault, Window};
use lake_table::Lake;
use serde::Serialize;

/// The run that the report is about.
#[derive(Debug, Clone, Serialize)]
pub(super) struct RunState {
    id: String,
    attempt: u32,
    window: String,
    state: &'static str,
    exit: Option<String>,
    duration_ms: Option<u64>,
    ok: usize,
    failed: usize,
    not_run: usize,
    steps: Vec<StepNote>,
    #[serde(skip)]
    of: Window,
}

impl RunState {
    /// The window of the run.
    pub(super) const fn window(&self) -> Window {
        self.of
    }

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
            window: label(note.window),
            state,
            exit: note.exit,
            duration_ms: note.duration_ms,
            ok: count(StepState::Ok),
            failed: count(StepState::Failed),
            not_run: count(StepState::NotRun),
            steps,
            of: note.window,
        }
    }
}

/// Returns the run that was asked for, else that of the newest window; none when there never was one.
pub(super) async fn of(lake: &Lake, asked: &Asked) -> anyhow::Result<Option<RunState>> {
    let notes = resume::all(lake).await?;
    let wanted = |note: &Note| {
        asked.window.is_none_or(|window| note.window == window) && asked.run_id.is_none_or(|run_id| note.run_id == run_id)
    };
    let found = notes.into_iter().filter(wanted).max_by_key(|note| (note.window.to(), note.window.from()));
    if found.is_none() && (asked.window.is_some() || asked.run_id.is_some()) {
        let text = "failed to find that run: the lake has no note of it; each window keeps the note of its last run only";
        return Err(anyhow!(text).context(Fault::Config));
    }
    Ok(found.map(RunState::of))
}
