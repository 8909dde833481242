//! Metrics: the numbers that the events of runs come to, and how CloudWatch reads them.
//!
//! A metric is made from an event that is in the outbox already, so nothing is measured twice and nothing is lost that the outbox
//! has. Dimensions are layer, table and source: a number under a dimension is a metric of its own that costs money, so a run's id
//! is a property of the log event and never a dimension. No value of a row and no error text is in any of it.
//!
//! Not done here: sending (`lineage-emit metrics`). `docs/metrics.md` tells people of each metric.

use super::{
    event::{EventType, RunEvent},
    facet::{Facet as _, SluiceFacet},
};
use crate::{Exit, Ledger};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

/// A number with a name, the same for every table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its unit, in CloudWatch's words.
    pub unit: &'static str,
    /// Whether an alarm looks at it.
    pub alarm: bool,
}

const fn plain(name: &'static str, unit: &'static str) -> Metric {
    Metric { name, unit, alarm: false }
}

const fn alarm(name: &'static str, unit: &'static str) -> Metric {
    Metric { name, unit, alarm: true }
}

/// 1 for a run that a person has to look at, 0 for one that has not failed so.
const RUN_FAILED: Metric = alarm("RunFailed", "Count");
/// 1 for a run that the scheduler tries again: transient, or killed.
const RUN_INTERRUPTED: Metric = plain("RunInterrupted", "Count");
const RUN_DURATION: Metric = plain("RunDuration", "Milliseconds");
const CHECK_FAILED: Metric = alarm("CheckFailed", "Count");
const CHECK_INTERRUPTED: Metric = plain("CheckInterrupted", "Count");
const CHECK_DURATION: Metric = plain("CheckDuration", "Milliseconds");
const ROWS_CHECKED: Metric = plain("RowsChecked", "Count");
/// In the order of [`buckets`].
const BUCKETS: [Metric; 7] = [
    plain("RowsRead", "Count"),
    plain("RowsAccepted", "Count"),
    plain("RowsQuarantined", "Count"),
    plain("RowsDuplicate", "Count"),
    plain("RowsSuperseded", "Count"),
    plain("RowsFiltered", "Count"),
    plain("RowsHeld", "Count"),
];

/// What a program measures of its table besides what its summary says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Score of the table's rules, 0 to 100.
    QualityScore,
    /// Age of the newest value on which the contract's `latency` looks, at the end of the window.
    FreshnessSeconds,
    /// Records of the source that the table does not have yet.
    StreamLagRecords,
    /// Age of the oldest record of the source that the table does not have yet.
    StreamLagSeconds,
    /// Data files of the table: a stream makes many small ones.
    LiveFiles,
}

impl Measure {
    /// Every measure.
    pub const ALL: [Self; 5] =
        [Self::QualityScore, Self::FreshnessSeconds, Self::StreamLagRecords, Self::StreamLagSeconds, Self::LiveFiles];

    /// Returns the measure that a gauge of a stream tells; others are for people who look at one stream.
    #[must_use]
    pub fn of_gauge(name: &str) -> Option<Self> {
        match name {
            "lag_records" => Some(Self::StreamLagRecords),
            "lag_seconds" => Some(Self::StreamLagSeconds),
            "live_files" => Some(Self::LiveFiles),
            _ => None,
        }
    }

    /// Name in events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QualityScore => "qualityScore",
            Self::FreshnessSeconds => "freshnessSeconds",
            Self::StreamLagRecords => "streamLagRecords",
            Self::StreamLagSeconds => "streamLagSeconds",
            Self::LiveFiles => "liveFiles",
        }
    }

    /// The metric that it becomes.
    #[must_use]
    pub const fn metric(self) -> Metric {
        match self {
            Self::QualityScore => alarm("QualityScore", "Percent"),
            Self::FreshnessSeconds => alarm("Freshness", "Seconds"),
            Self::StreamLagRecords => plain("StreamLagRecords", "Count"),
            Self::StreamLagSeconds => alarm("StreamLag", "Seconds"),
            Self::LiveFiles => plain("LiveFiles", "Count"),
        }
    }
}

impl Serialize for Measure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Returns every metric that there is.
#[must_use]
pub fn all() -> Vec<Metric> {
    let runs = [RUN_FAILED, RUN_INTERRUPTED, RUN_DURATION];
    let checks = [CHECK_FAILED, CHECK_INTERRUPTED, CHECK_DURATION, ROWS_CHECKED];
    runs.into_iter().chain(BUCKETS).chain(checks).chain(Measure::ALL.map(Measure::metric)).collect()
}

/// What one event comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Time of the event.
    pub at: DateTime<Utc>,
    /// Layer of the table.
    pub layer: String,
    /// Full name of the table.
    pub table: String,
    /// `_source` of its rows, for a Bronze table.
    pub source: Option<String>,
    /// The numbers.
    pub values: Vec<(Metric, f64)>,
    /// What tells the event from others: for people who search, never a dimension.
    properties: Map<String, Value>,
}

impl Reading {
    /// Reads an event; `None` for a beginning, and for what is no event of a run on a table.
    #[must_use]
    pub fn of(event: &RunEvent) -> Option<Self> {
        let own = event.run.facets.get(SluiceFacet::KEY)?;
        let (program, table) = event.job.name.split_once('.')?;
        let (layer, _) = table.split_once('_')?;
        let mut values = match event.event_type {
            EventType::Start => return None,
            EventType::Running => Vec::new(),
            EventType::Complete | EventType::Fail | EventType::Abort => ended(event, own),
        };
        let measured = |measure: Measure| Some((measure.metric(), own.get("measures")?.get(measure.name())?.as_f64()?));
        values.extend(Measure::ALL.into_iter().filter_map(measured));
        let mut properties = Map::new();
        properties.insert("program".to_owned(), program.into());
        properties.insert("event".to_owned(), event.event_type.name().into());
        properties.insert("event_time".to_owned(), event.event_time.to_rfc3339_opts(SecondsFormat::Micros, true).into());
        for (name, field) in [("outcome", "outcome"), ("run_id", "runId"), ("attempt", "attempt"), ("contract", "contract")] {
            properties.extend(own.get(field).map(|value| (name.to_owned(), value.clone())));
        }
        let source = own.get("source").and_then(Value::as_str).map(str::to_owned);
        Some(Self { at: event.event_time, layer: layer.to_owned(), table: table.to_owned(), source, values, properties })
    }

    /// Returns the numbers at which alarms look.
    pub fn alarms(&self) -> impl Iterator<Item = (Metric, f64)> + '_ {
        self.values.iter().copied().filter(|(metric, _)| metric.alarm)
    }

    /// Returns the event in CloudWatch's embedded metric format. Without an instant it is a log event only: the numbers can be
    /// searched and become no metrics.
    #[must_use]
    pub fn emf(&self, namespace: &str, at: Option<DateTime<Utc>>) -> Value {
        let mut document = Map::new();
        if let Some(at) = at.filter(|_| !self.values.is_empty()) {
            let metric = |(metric, _): &(Metric, f64)| json!({ "Name": metric.name, "Unit": metric.unit });
            let metrics: Vec<Value> = self.values.iter().map(metric).collect();
            let directive = json!({ "Namespace": namespace, "Dimensions": self.dimensions(), "Metrics": metrics });
            document.insert("_aws".to_owned(), json!({ "Timestamp": at.timestamp_millis(), "CloudWatchMetrics": [directive] }));
        }
        document.insert("layer".to_owned(), self.layer.as_str().into());
        document.insert("table".to_owned(), self.table.as_str().into());
        document.extend(self.source.iter().map(|source| ("source".to_owned(), source.as_str().into())));
        document.extend(self.properties.clone());
        document.extend(self.values.iter().map(|(metric, value)| (metric.name.to_owned(), number(*value))));
        Value::Object(document)
    }

    /// Under which dimensions the numbers are kept: per layer, per table, and per source where there is one.
    fn dimensions(&self) -> Vec<Vec<&'static str>> {
        let source = self.source.as_ref().map(|_| vec!["source"]);
        [vec!["layer"], vec!["layer", "table"]].into_iter().chain(source).collect()
    }
}

/// The numbers of an end.
fn ended(event: &RunEvent, own: &Value) -> Vec<(Metric, f64)> {
    let text = |field: &str| own.get(field).and_then(Value::as_str);
    // The scheduler tries these again; what lasts is told by the watchdog and by freshness.
    let interrupted = event.event_type == EventType::Abort || text("outcome") == Some(Exit::Transient.name());
    let failed = event.event_type == EventType::Fail && !interrupted;
    // Who judges a table writes none.
    let judges = event.outputs.is_empty();
    let [failure, interruption, duration] = match judges {
        true => [CHECK_FAILED, CHECK_INTERRUPTED, CHECK_DURATION],
        false => [RUN_FAILED, RUN_INTERRUPTED, RUN_DURATION],
    };
    let mut values = vec![(failure, f64::from(failed)), (interruption, f64::from(interrupted))];
    values.extend(own.get("durationMs").and_then(Value::as_f64).map(|took| (duration, took)));
    let ledger = own.get("ledger").and_then(|ledger| serde_json::from_value::<Ledger>(ledger.clone()).ok());
    match ledger {
        Some(ledger) if judges => values.push((ROWS_CHECKED, ledger.accepted as f64)),
        Some(ledger) => values.extend(BUCKETS.into_iter().zip(buckets(&ledger).map(|rows| rows as f64))),
        None => {}
    }
    values
}

const fn buckets(ledger: &Ledger) -> [u64; 7] {
    [ledger.read, ledger.accepted, ledger.quarantined, ledger.duplicate, ledger.superseded, ledger.filtered, ledger.held]
}

/// Whole numbers are written as such.
fn number(value: f64) -> Value {
    let whole = value as i64;
    if whole as f64 == value { whole.into() } else { value.into() }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
