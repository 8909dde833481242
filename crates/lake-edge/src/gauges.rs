//! Tells the gauges of a program that keeps running ([`lake_core::gauge`]).
//!
//! Durable first: the newest reading stands in the lake, so that others can see one that grows old; then the log, then the
//! sinks. A reading that cannot be told ends no run: the next one comes soon.

use crate::{Edge, now};
use lake_core::gauge::{Gauge, Reading};

/// Who gets readings besides the lake and the log, such as a service for metrics. It must not keep the program waiting: what
/// cannot be sent at once is dropped, the next reading replaces it.
pub trait GaugeSink: std::fmt::Debug + Send + Sync {
    /// Takes a reading.
    fn take(&self, reading: &Reading);
}

impl Edge {
    /// Tells the gauges of the run.
    pub async fn tell_gauges(&self, gauges: Vec<Gauge>) {
        let reading = Reading::of(&self.run, now(), gauges);
        match serde_json::to_string(&reading) {
            Ok(json) => {
                tracing::info!(reading = %json, "gauges read");
                if let Err(error) = self.lake.put(&reading.path(), json.into()).await {
                    tracing::warn!(%error, "gauges not kept");
                }
            }
            Err(error) => tracing::warn!(%error, "gauges not written"),
        }
        for sink in &self.gauge_sinks {
            sink.take(&reading);
        }
    }
}
