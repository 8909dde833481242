//! CloudWatch itself as a receiver: the few numbers at which alarms look.
//!
//! They are kept in a namespace of their own, since CloudWatch also makes metrics of the log events, and would add up both. A
//! number comes at least once, so alarms ask for the greatest or the least of them and never for a sum.

use crate::{
    cloudwatch::{configured, counted},
    cloudwatch_error::CloudWatchError,
    receiver::Outgoing,
};
use aws_sdk_cloudwatch::{
    Client,
    primitives::DateTime as Instant,
    types::{Dimension, MetricDatum, StandardUnit},
};
use chrono::{DateTime, Utc};
use lake_core::lineage::metrics::{Metric, Reading};
use lake_edge::Attach as _;
use lake_http::LimitArgs;

/// A request takes 1,000 numbers and 1 MiB; an event comes to at most ten of about 300 bytes.
const EVENTS_MAX: usize = 100;

/// A namespace of metrics.
#[derive(Debug)]
pub(crate) struct Alarms {
    client: Client,
    namespace: String,
    /// Regions have metrics of their own, also under the same name.
    region: Option<String>,
}

impl Alarms {
    /// Makes a client from the environment's credentials and region.
    pub(crate) async fn open(namespace: &str, limits: &LimitArgs) -> Self {
        let loaded = configured(limits).await;
        let region = loaded.region().map(ToString::to_string);
        Self { client: Client::new(&loaded), namespace: format!("{namespace}/Alarms"), region }
    }

    pub(crate) fn name(&self) -> String {
        format!("alarms:{}:{}", self.region.as_deref().unwrap_or_default(), self.namespace)
    }

    /// Sends the numbers of events, and nothing of an event without one.
    pub(crate) async fn send(&self, events: &[Outgoing]) -> (usize, anyhow::Result<()>) {
        let now = lake_edge::now();
        let mut sent = 0;
        for part in events.chunks(EVENTS_MAX) {
            let readings = part.iter().filter_map(|event| event.reading.as_ref());
            let numbers: Vec<MetricDatum> = readings.flat_map(|reading| data(reading, now)).collect();
            if !numbers.is_empty()
                && let Err(error) = self.put(numbers).await.attach()
            {
                return (sent, Err(error));
            }
            sent += part.len();
        }
        (sent, Ok(()))
    }

    async fn put(&self, data: Vec<MetricDatum>) -> Result<(), CloudWatchError> {
        let put = self.client.put_metric_data().namespace(&self.namespace).set_metric_data(Some(data)).send().await;
        put.map(|_| ()).map_err(|error| CloudWatchError::of("put metric data", &error))
    }
}

/// The numbers of one event; none when it is too old for CloudWatch.
fn data(reading: &Reading, now: DateTime<Utc>) -> Vec<MetricDatum> {
    let Some(at) = counted(reading.at, now) else { return Vec::new() };
    let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
    let datum = |(metric, value): (Metric, f64)| {
        MetricDatum::builder()
            .metric_name(metric.name)
            .dimensions(dimension("layer", &reading.layer))
            .dimensions(dimension("table", &reading.table))
            .timestamp(Instant::from_millis(at.timestamp_millis()))
            .unit(StandardUnit::from(metric.unit))
            .value(value)
            .build()
    };
    reading.alarms().map(datum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lake_core::lineage::RunEvent;

    /// The end of a check, as it stands in the outbox.
    fn reading() -> Reading {
        let facet = serde_json::json!({
            "runId": "0191d9a0-0000-7000-8000-000000000001", "attempt": 1, "outcome": "data", "durationMs": 20,
            "measures": { "qualityScore": 87.5, "freshnessSeconds": 3600.0 },
        });
        let event: RunEvent = serde_json::from_value(serde_json::json!({
            "eventType": "FAIL", "eventTime": "2017-12-31T02:01:00Z", "producer": "p", "schemaURL": "s",
            "run": { "runId": "0191d9a0-0000-7000-8000-000000000002", "facets": { "sluice_run": facet } },
            "job": { "namespace": "lake", "name": "dq-check.silver_orders" }, "inputs": [], "outputs": [],
        }))
        .unwrap();
        Reading::of(&event).unwrap()
    }

    #[test]
    fn alarms_get_their_numbers_by_layer_and_table() {
        let all = data(&reading(), "2017-12-31T03:00:00Z".parse().unwrap());
        let told = |datum: &MetricDatum| {
            let dimensions = datum.dimensions().iter().map(|one| format!("{}={}", one.name().unwrap(), one.value().unwrap()));
            let dimensions = dimensions.collect::<Vec<_>>().join(",");
            format!("{} {} {} {dimensions}", datum.metric_name().unwrap(), datum.value().unwrap(), datum.unit().unwrap().as_str())
        };
        let all: Vec<String> = all.iter().map(told).collect();
        assert_eq!(
            all,
            [
                "CheckFailed 1 Count layer=silver,table=silver_orders",
                "QualityScore 87.5 Percent layer=silver,table=silver_orders",
                "Freshness 3600 Seconds layer=silver,table=silver_orders",
            ]
        );
    }

    #[test]
    fn a_number_that_cloudwatch_would_refuse_is_not_sent() {
        assert!(data(&reading(), "2018-01-31T03:00:00Z".parse().unwrap()).is_empty());
    }
}
