//! Who does the work and for which window: the identity of a run.

use crate::Window;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// The id of a run: UUID v7 when started by hand, v5 of the scheduler's task when scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunId(pub Uuid);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RunId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Where an attempt of a run leaves what became of it, below the lake.
#[must_use]
pub fn attempt_path(id: RunId, attempt: u32) -> String {
    format!("ops/attempts/{id}/{attempt}.json")
}

/// One execution of a program on a table and a window.
#[derive(Debug, Clone)]
pub struct Run {
    /// Same for every attempt of one scheduled task.
    pub id: RunId,
    /// 1 for the first try.
    pub attempt: u32,
    /// Name of the program.
    pub program: &'static str,
    /// Full name of the table that is written or checked.
    pub table: String,
    /// What part of the source's time the run covers.
    pub window: Window,
    /// 1 normally; a deliberate re-run of a window that replaces its rows is the next one.
    pub generation: i64,
    /// When the run started; the only clock reading that reaches data (`_ingested_at`).
    pub started_at: chrono::DateTime<chrono::Utc>,
}
