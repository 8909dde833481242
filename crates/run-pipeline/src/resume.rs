//! The note of a window's last run: `ops/pipelines/<window>.json`.
//!
//! It gives `--resume` the run id, so that resumed steps keep theirs. What is done stands in the tables' logs, never here: a
//! lost note costs a new id and nothing else.

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
}

fn path(window: Window) -> String {
    let part = |at: chrono::DateTime<chrono::Utc>| at.format("%Y%m%dT%H%M%SZ").to_string();
    format!("ops/pipelines/{}_{}.json", part(window.from()), part(window.to()))
}

/// Returns the note of the window's last run.
pub(crate) async fn last(lake: &Lake, window: Window) -> anyhow::Result<Option<Note>> {
    let bytes = lake.get(&path(window)).await.attach()?;
    // A note that was cut short by a crash is as good as none.
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Leaves the note.
pub(crate) async fn leave(lake: &Lake, note: &Note) -> anyhow::Result<()> {
    let json = serde_json::to_vec(note).context("failed to write the run's note")?;
    lake.put(&path(note.window), json.into()).await.attach()
}
