//! OpenLineage's run event. Source: <https://openlineage.io/spec/2-0-2/OpenLineage.json>.

use super::facet::Facets;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Schema of a run event.
pub const SCHEMA_URL: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";

/// What happened to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EventType {
    /// It began.
    Start,
    /// It goes on, and says what it measures.
    Running,
    /// It ended well.
    Complete,
    /// It ended with an error.
    Fail,
    /// It ended without saying how.
    Abort,
}

impl EventType {
    /// Name in an outbox.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Fail => "fail",
            Self::Abort => "abort",
        }
    }

    /// Returns the event of a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Start, Self::Running, Self::Complete, Self::Fail, Self::Abort].into_iter().find(|kind| kind.name() == name)
    }

    /// Whether nothing comes after it.
    #[must_use]
    pub const fn ends(self) -> bool {
        matches!(self, Self::Complete | Self::Fail | Self::Abort)
    }
}

/// One event of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunEvent {
    /// What happened.
    pub event_type: EventType,
    /// When.
    pub event_time: DateTime<Utc>,
    /// To which run.
    pub run: EventRun,
    /// Of which job.
    pub job: Job,
    /// What it reads.
    pub inputs: Vec<Dataset>,
    /// What it writes.
    pub outputs: Vec<Dataset>,
    /// Which program says so.
    pub producer: String,
    /// [`SCHEMA_URL`].
    #[serde(rename = "schemaURL")]
    pub schema_url: String,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventRun {
    /// Its id.
    pub run_id: Uuid,
    /// What else is known of it.
    pub facets: Facets,
}

/// A job: one program on one table of one lake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The lake.
    pub namespace: String,
    /// `program.table`.
    pub name: String,
    /// What else is known of it.
    #[serde(default, skip_serializing_if = "Facets::is_empty")]
    pub facets: Facets,
}

/// A dataset that a run reads or writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dataset {
    /// The system.
    pub namespace: String,
    /// The dataset in it.
    pub name: String,
    /// What is known of the dataset.
    pub facets: Facets,
    /// What is known of it as an input of this run.
    #[serde(default, skip_serializing_if = "Facets::is_empty")]
    pub input_facets: Facets,
    /// What is known of it as an output of this run.
    #[serde(default, skip_serializing_if = "Facets::is_empty")]
    pub output_facets: Facets,
}
