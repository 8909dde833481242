//! The note of a window's last run: `ops/pipelines/<window>.json`.
//!
//! It gives `--resume` the run id, so that resumed steps keep theirs, and tells `report` how every step ended. What is done
//! stands in the tables' logs, never here: a lost note costs a new id and a report without steps, and nothing else.

use crate::graph::Work;
use anyhow::Context as _;
use lake_core::{RunId, Window};
use lake_edge::Attach as _;
use lake_table::Lake;
use serde::{Deserialize, Serialize};

/// Identity and state of a run of a window.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Note {
    /// Id of the run.
    pub(crate) run_id: RunId,
    /// How often it was started.
    pub(crate) attempt: u32,
    /// The window.
    pub(crate) window: Window,
    /// Name of the exit; none while it runs, or when it was killed.
    pub(crate) exit: Option<String>,
    /// Wall-clock milliseconds, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) duration_ms: Option<u64>,
    /// How every step ended, once all have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) steps: Option<Vec<StepNote>>,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StepState {
    /// Well.
    Ok,
    /// Not well.
    Failed,
    /// It was not started.
    NotRun,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StepNote {
    /// Name of the program.
    pub(crate) program: String,
    /// Full name of the table.
    pub(crate) table: String,
    /// What the step does to its table.
    pub(crate) work: Work,
    /// How it ended.
    pub(crate) state: StepState,
    /// What it did, when it ended well: `committed`, `unchanged` or `already done`.
    pub(crate) outcome: Option<String>,
    /// Its exit code, when it was started.
    pub(crate) exit: Option<u8>,
    /// What it said when it failed, or the step that kept it from starting.
    pub(crate) why: Option<String>,
    /// Wall-clock milliseconds of all tries, when it was started.
    pub(crate) duration_ms: Option<u64>,
}

/// Where all notes stand.
const NOTES: &str = "ops/pipelines";

fn path(window: Window) -> String {
    let part = |at: chrono::DateTime<chrono::Utc>| at.format("%Y%m%dT%H%M%SZ").to_string();
    format!("{NOTES}/{}_{}.json", part(window.from()), part(window.to()))
}

/// Returns the note of the window's last run.
pub(crate) async fn last(lake: &Lake, window: Window) -> anyhow::Result<Option<Note>> {
    let bytes = lake.get(&path(window)).await.attach()?;
    // A note that was cut short by a crash is as good as none.
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Returns the notes of all windows.
pub(crate) async fn all(lake: &Lake) -> anyhow::Result<Vec<Note>> {
    let mut notes = Vec::new();
    for path in lake.list(NOTES).await.attach()? {
        let bytes = lake.get(&path).await.attach()?;
        notes.extend(bytes.and_then(|bytes| serde_json::from_slice::<Note>(&bytes).ok()));
    }
    Ok(notes)
}

/// Leaves the note.
pub(crate) async fn leave(lake: &Lake, note: &Note) -> anyhow::Result<()> {
    let json = serde_json::to_vec(note).context("failed to write the run's note")?;
    lake.put(&path(note.window), json.into()).await.attach()
}
