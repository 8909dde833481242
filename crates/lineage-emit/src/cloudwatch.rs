//! CloudWatch Logs as a receiver: one log event per event of ours.

use crate::{args::DeliverArgs, cloudwatch_error::LogsError, deliver::Outgoing, error::EmitError};
use aws_config::{BehaviorVersion, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_cloudwatchlogs::{Client, error::SdkError, operation::put_log_events::PutLogEventsError, types::InputLogEvent};
use chrono::{DateTime, Duration, Utc};
use lake_edge::Attach as _;

/// Bytes of one event, and of all events of a request; each counts for [`OVERHEAD`] more than its text.
const BYTES_MAX: usize = 1 << 20;
const OVERHEAD: usize = 26;
/// The service refuses what is older than 14 days. An event that waited longer is logged under the first time that it takes;
/// the event itself keeps its own.
const AGE_MAX: Duration = Duration::days(13);
/// Events of one request must lie within 24 hours.
const SPAN_MAX: Duration = Duration::hours(23);

/// A stream of a log group.
#[derive(Debug)]
pub(crate) struct LogStream {
    client: Client,
    group: String,
    stream: String,
}

impl LogStream {
    /// Makes a client from the environment's credentials and region, and the stream where it is not there.
    pub(crate) async fn open(group: &str, stream: &str, args: &DeliverArgs) -> anyhow::Result<Self> {
        let loaded = aws_config::defaults(BehaviorVersion::latest())
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(args.limits.timeout()).build())
            .retry_config(RetryConfig::standard().with_max_attempts(args.limits.retries_max + 1))
            .load()
            .await;
        let own = Self { client: Client::new(&loaded), group: group.to_owned(), stream: stream.to_owned() };
        let made = own.client.create_log_stream().log_group_name(group).log_stream_name(stream).send().await;
        match made {
            Ok(_) => Ok(own),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_already_exists_exception()) => Ok(own),
            Err(error) => Err(LogsError::of("make the log stream", &error)).attach(),
        }
    }

    pub(crate) fn name(&self) -> String {
        format!("cloudwatch:{}:{}", self.group, self.stream)
    }

    /// Sends events in as few requests as may be, one after the other.
    pub(crate) async fn send(&self, events: &[Outgoing]) -> (usize, anyhow::Result<()>) {
        let mut sent = 0;
        let oldest = lake_edge::now() - AGE_MAX;
        while sent < events.len() {
            let size = request_size(&events[sent..], oldest);
            if size == 0 {
                let event = &events[sent];
                let (path, bytes) = (event.entry.path.clone(), event.json.len());
                let error = EmitError::TooLarge { path, bytes, bytes_max: BYTES_MAX - OVERHEAD };
                return (sent, Err(error).attach());
            }
            if let Err(error) = self.put(&events[sent..sent + size], oldest).await.attach() {
                return (sent, Err(error));
            }
            sent += size;
        }
        (sent, Ok(()))
    }

    async fn put(&self, events: &[Outgoing], oldest: DateTime<Utc>) -> Result<(), LogsError> {
        let failed = |error: SdkError<PutLogEventsError>| LogsError::of("put log events", &error);
        let log_event = |event: &Outgoing| {
            let text = String::from_utf8_lossy(&event.json).into_owned();
            InputLogEvent::builder().timestamp(stamp(event, oldest).timestamp_millis()).message(text).build()
        };
        let log_events: Result<Vec<_>, _> = events.iter().map(log_event).collect();
        let log_events = log_events.map_err(|error| failed(error.into()))?;
        let put = self
            .client
            .put_log_events()
            .log_group_name(&self.group)
            .log_stream_name(&self.stream)
            .set_log_events(Some(log_events))
            .send()
            .await;
        let answer = put.map_err(failed)?;
        // An answer of 200 may still say that events were thrown away.
        match answer.rejected_log_events_info() {
            None => Ok(()),
            Some(_) => Err(LogsError::Rejected),
        }
    }
}

/// The time under which an event is logged.
fn stamp(event: &Outgoing, oldest: DateTime<Utc>) -> DateTime<Utc> {
    event.entry.at.max(oldest)
}

/// How many of the events fit one request: by bytes, by span, and in the order of their times.
fn request_size(events: &[Outgoing], oldest: DateTime<Utc>) -> usize {
    let (mut bytes, mut last) = (0, None);
    let first = events.first().map(|event| stamp(event, oldest));
    let fits = |event: &&Outgoing| {
        bytes += event.json.len() + OVERHEAD;
        let at = stamp(event, oldest);
        // An event that landed late is older than the one before: it starts a request of its own.
        let ordered = last.is_none_or(|last| last <= at);
        last = Some(at);
        bytes <= BYTES_MAX && ordered && first.is_some_and(|first| at - first <= SPAN_MAX)
    };
    events.iter().take_while(fits).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lake_core::lineage::outbox;

    fn event(time: &str, bytes: usize) -> Outgoing {
        let run = "0191d9a0-0000-7000-8000-000000000001";
        let entry = outbox::entry(&format!("ops/lineage/{time}-silverize.silver_orders-{run}-start.json")).unwrap();
        Outgoing { entry, json: vec![b' '; bytes].into() }
    }

    fn sizes(events: &[Outgoing], oldest: &str) -> usize {
        request_size(events, oldest.parse().unwrap())
    }

    #[test]
    fn a_request_is_bounded_by_bytes_span_and_order() {
        let old = "2017-12-01T00:00:00Z";
        let (a, b) = (event("2017-12-30/020000000000", 10), event("2017-12-30/030000000000", 10));
        assert_eq!(sizes(&[a.clone(), b.clone()], old), 2);
        assert_eq!(sizes(&[b.clone(), a.clone()], old), 1);
        assert_eq!(sizes(&[a.clone(), event("2017-12-31/030000000000", 10)], old), 1);
        assert_eq!(sizes(&[event("2017-12-30/020000000000", BYTES_MAX - 2 * OVERHEAD - 10), b.clone()], old), 2);
        assert_eq!(sizes(&[event("2017-12-30/020000000000", BYTES_MAX - 2 * OVERHEAD - 9), b], old), 1);
        assert_eq!(sizes(&[event("2017-12-30/020000000000", BYTES_MAX)], old), 0);
    }

    #[test]
    fn what_waited_too_long_is_logged_under_the_first_time_that_is_taken() {
        let events = [event("2017-12-30/020000000000", 10), event("2018-01-05/030000000000", 10)];
        assert_eq!(sizes(&events, "2018-02-01T00:00:00Z"), 2);
        assert_eq!(stamp(&events[0], "2018-02-01T00:00:00Z".parse().unwrap()).to_rfc3339(), "2018-02-01T00:00:00+00:00");
    }
}
