//! Gauges: numbers that a program which keeps running tells of itself, such as how far it is behind its source.

use crate::{Run, RunId};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// Version of a reading's own shape. Readers ignore fields that they do not know.
pub const SCHEMA_VERSION: u32 = 1;

/// What a gauge counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Records, files.
    Count,
    /// Whole seconds.
    Seconds,
}

/// One number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gauge {
    /// `<noun>_<unit>`: `lag_records`.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// The part of the source that it is of; none: the whole. Few and lasting, never a run's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// The number.
    pub value: u64,
}

/// All gauges of a program at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The run that tells them.
    pub run_id: RunId,
    /// Its program.
    pub program: &'static str,
    /// Full name of its table.
    pub table: String,
    /// When they were read.
    pub at: DateTime<Utc>,
    /// The numbers.
    pub gauges: Vec<Gauge>,
}

impl Reading {
    /// The reading of a run at an instant.
    #[must_use]
    pub fn of(run: &Run, at: DateTime<Utc>, gauges: Vec<Gauge>) -> Self {
        Self { schema_version: SCHEMA_VERSION, run_id: run.id, program: run.program, table: run.table.clone(), at, gauges }
    }

    /// Where the newest reading of a table's program stands in the lake.
    #[must_use]
    pub fn path(&self) -> String {
        format!("ops/gauges/{}.json", self.table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_json_with_the_parts_it_has() {
        let gauge =
            |part: Option<&str>, value| Gauge { name: "lag_records", unit: Unit::Count, part: part.map(Into::into), value };
        let run = Run {
            id: RunId(uuid::Uuid::nil()),
            attempt: 1,
            program: "ingest-kafka",
            table: "bronze_kafka_orders".into(),
            window: "2017-12-30".parse().unwrap(),
            generation: 1,
            started_at: DateTime::UNIX_EPOCH,
        };
        let reading = Reading::of(&run, DateTime::UNIX_EPOCH, vec![gauge(None, 9), gauge(Some("3"), 4)]);
        assert_eq!(reading.path(), "ops/gauges/bronze_kafka_orders.json");
        assert_eq!(
            serde_json::to_value(&reading).unwrap(),
            serde_json::json!({
                "schema_version": 1, "run_id": "00000000-0000-0000-0000-000000000000", "program": "ingest-kafka",
                "table": "bronze_kafka_orders", "at": "1970-01-01T00:00:00Z",
                "gauges": [
                    { "name": "lag_records", "unit": "count", "value": 9 },
                    { "name": "lag_records", "unit": "count", "part": "3", "value": 4 },
                ],
            })
        );
    }
}
