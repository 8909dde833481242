//! Tells the gauges of a program that keeps running ([`lake_core::gauge`]).
//!
//! Durable first: the newest reading stands in the lake, so that others can see one that grows old; then the log, then the outbox
//! of lineage, from which metrics are sent. A reading that cannot be told ends no run: the next one comes soon.

use crate::{Edge, fail, now};
use lake_core::{
    gauge::{Gauge, Reading},
    lineage::Measure,
};

impl Edge {
    /// Tells the gauges of the run.
    pub async fn tell_gauges(&self, gauges: Vec<Gauge>) {
        // Metrics are of a table: what is measured of one part of it stands in the reading alone.
        let whole = gauges.iter().filter(|gauge| gauge.part.is_none());
        #[expect(clippy::cast_precision_loss, reason = "counts and seconds far below 2^53")]
        let measures = whole.filter_map(|gauge| Some((Measure::of_gauge(gauge.name)?, gauge.value as f64))).collect();
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
        if let Err(error) = self.notes.running(measures).await {
            tracing::warn!(error = fail::text_of(&error), "gauges not told");
        }
    }
}
