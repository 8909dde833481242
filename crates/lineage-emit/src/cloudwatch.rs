//! CloudWatch Logs as a receiver: one log event per event of ours.

use crate::{cloudwatch_error::CloudWatchError, error::EmitError, receiver::Outgoing};
use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_cloudwatchlogs::{
    Client,
    error::SdkError,
    operation::put_log_events::PutLogEventsError,
    types::{InputLogEvent, RejectedLogEventsInfo},
};
use chrono::{DateTime, Duration, Utc};
use lake_edge::Attach as _;
use lake_http::LimitArgs;

/// Bytes of one event, and of all events of a request; each counts for [`OVERHEAD`] more than its text.
const BYTES_MAX: usize = 1 << 20;
const OVERHEAD: usize = 26;
/// The service refuses what is older than 14 days, and what is more than 2 hours ahead. An event that waited longer is logged
/// under the first time that it takes, one of a clock that is ahead under the present; the event itself keeps its own.
const AGE_MAX: Duration = Duration::days(13);
/// Events of one request must lie within 24 hours.
const SPAN_MAX: Duration = Duration::hours(23);

/// A stream of a log group.
#[derive(Debug)]
pub(crate) struct LogStream {
    client: Client,
    group: String,
    stream: String,
    /// Regions have groups of their own, also under the same name.
    region: Option<String>,
}

impl LogStream {
    /// Makes a client from the environment's credentials and region, and the stream where it is not there.
    pub(crate) async fn open(group: &str, stream: &str, limits: &LimitArgs) -> anyhow::Result<Self> {
        let loaded = configured(limits).await;
        let region = loaded.region().map(ToString::to_string);
        let own = Self { client: Client::new(&loaded), group: group.to_owned(), stream: stream.to_owned(), region };
        let made = own.client.create_log_stream().log_group_name(group).log_stream_name(stream).send().await;
        match made {
            Ok(_) => Ok(own),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_already_exists_exception()) => Ok(own),
            Err(error) => Err(CloudWatchError::of("make the log stream", &error)).attach(),
        }
    }

    pub(crate) fn name(&self) -> String {
        receiver_name(self.region.as_deref(), &self.group, &self.stream)
    }

    /// Sends events in as few requests as may be, one after the other.
    pub(crate) async fn send(&self, events: &[Outgoing]) -> (usize, anyhow::Result<()>) {
        let mut sent = 0;
        let now = lake_edge::now();
        while sent < events.len() {
            let size = request_size(&events[sent..], now);
            if size == 0 {
                let event = &events[sent];
                let (path, bytes) = (event.entry.path.clone(), event.json.len());
                let error = EmitError::TooLarge { path, bytes, bytes_max: BYTES_MAX - OVERHEAD };
                return (sent, Err(error).attach());
            }
            if let Err(error) = self.put(&events[sent..sent + size], now).await.attach() {
                return (sent, Err(error));
            }
            sent += size;
        }
        (sent, Ok(()))
    }

    /// Sends events in one request, and once more those that the group is too short for: it took the others, which must not come
    /// again with every call.
    async fn put(&self, events: &[Outgoing], now: DateTime<Utc>) -> Result<(), CloudWatchError> {
        let too_old = self.request(events, (now - AGE_MAX, now)).await?;
        if too_old > 0 && self.request(&events[..too_old], (now, now)).await? > 0 {
            return Err(CloudWatchError::Rejected);
        }
        Ok(())
    }

    /// Sends events under times within bounds; returns how many of the first of them were thrown away for their age.
    async fn request(&self, events: &[Outgoing], (from, to): (DateTime<Utc>, DateTime<Utc>)) -> Result<usize, CloudWatchError> {
        let failed = |error: SdkError<PutLogEventsError>| CloudWatchError::of("put log events", &error);
        let log_event = |event: &Outgoing| {
            let text = String::from_utf8_lossy(&event.json).into_owned();
            InputLogEvent::builder().timestamp(event.entry.at.clamp(from, to).timestamp_millis()).message(text).build()
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
            None => Ok(0),
            Some(rejected) => too_old(rejected, events.len()).ok_or(CloudWatchError::Rejected),
        }
    }
}

/// How many of the first events of a request were thrown away for their age: a group may keep less than events have waited. `None`
/// where others were thrown away, too.
fn too_old(rejected: &RejectedLogEventsInfo, events: usize) -> Option<usize> {
    let ends = [rejected.too_old_log_event_end_index(), rejected.expired_log_event_end_index()];
    let end = ends.into_iter().flatten().max().and_then(|end| usize::try_from(end).ok())?;
    (rejected.too_new_log_event_start_index().is_none() && (1..=events).contains(&end)).then_some(end)
}

/// Returns the environment's credentials and region, and how long and how often a request is tried.
pub(crate) async fn configured(limits: &LimitArgs) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(limits.timeout()).build())
        .retry_config(RetryConfig::standard().with_max_attempts(limits.retries_max + 1))
        .load()
        .await
}

/// The instant under which a number of an event becomes a metric; `None` where that is too long ago for CloudWatch. Under a later
/// instant it would tell of a day that was not so.
pub(crate) fn counted(at: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (at >= now - AGE_MAX).then(|| at.min(now))
}

/// What tells this receiver from others: its cursor has the name of it.
fn receiver_name(region: Option<&str>, group: &str, stream: &str) -> String {
    format!("cloudwatch:{}:{group}:{stream}", region.unwrap_or_default())
}

/// The time under which an event is logged.
fn stamp(event: &Outgoing, now: DateTime<Utc>) -> DateTime<Utc> {
    event.entry.at.clamp(now - AGE_MAX, now)
}

/// How many of the events fit one request: by bytes, by span, and in the order of their times.
fn request_size(events: &[Outgoing], now: DateTime<Utc>) -> usize {
    let (mut bytes, mut last) = (0, None);
    let first = events.first().map(|event| stamp(event, now));
    let fits = |event: &&Outgoing| {
        bytes += event.json.len() + OVERHEAD;
        let at = stamp(event, now);
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
        Outgoing { entry, json: vec![b' '; bytes].into(), reading: None }
    }

    fn sizes(events: &[Outgoing], now: &str) -> usize {
        request_size(events, now.parse().unwrap())
    }

    #[test]
    fn a_request_is_bounded_by_bytes_span_and_order() {
        let now = "2018-01-01T00:00:00Z";
        let (a, b) = (event("2017-12-30/020000000000", 10), event("2017-12-30/030000000000", 10));
        assert_eq!(sizes(&[a.clone(), b.clone()], now), 2);
        assert_eq!(sizes(&[b.clone(), a.clone()], now), 1);
        assert_eq!(sizes(&[a.clone(), event("2017-12-31/030000000000", 10)], now), 1);
        assert_eq!(sizes(&[event("2017-12-30/020000000000", BYTES_MAX - 2 * OVERHEAD - 10), b.clone()], now), 2);
        assert_eq!(sizes(&[event("2017-12-30/020000000000", BYTES_MAX - 2 * OVERHEAD - 9), b], now), 1);
        assert_eq!(sizes(&[event("2017-12-30/020000000000", BYTES_MAX)], now), 0);
    }

    #[test]
    fn what_waited_too_long_is_logged_under_the_first_time_that_is_taken() {
        let events = [event("2017-12-30/020000000000", 10), event("2018-01-05/030000000000", 10)];
        assert_eq!(sizes(&events, "2018-02-14T00:00:00Z"), 2);
        assert_eq!(stamp(&events[0], "2018-02-14T00:00:00Z".parse().unwrap()).to_rfc3339(), "2018-02-01T00:00:00+00:00");
    }

    #[test]
    fn what_is_of_a_time_to_come_is_logged_under_the_present() {
        let events = [event("2017-12-30/020000000000", 10), event("2018-01-05/030000000000", 10)];
        assert_eq!(sizes(&events, "2017-12-30T03:00:00Z"), 2);
        assert_eq!(stamp(&events[1], "2017-12-30T03:00:00Z".parse().unwrap()).to_rfc3339(), "2017-12-30T03:00:00+00:00");
    }

    #[test]
    fn what_is_too_old_for_a_group_is_told_from_what_it_took() {
        let of = |old: Option<i32>, expired: Option<i32>, new: Option<i32>| {
            let rejected = RejectedLogEventsInfo::builder().set_too_old_log_event_end_index(old);
            let rejected = rejected.set_expired_log_event_end_index(expired).set_too_new_log_event_start_index(new);
            too_old(&rejected.build(), 5)
        };
        assert_eq!(of(None, Some(2), None), Some(2));
        assert_eq!(of(Some(3), Some(2), None), Some(3));
        assert_eq!(of(None, Some(5), None), Some(5));
        assert_eq!([of(None, None, None), of(None, Some(6), None), of(Some(0), None, None)], [None; 3]);
        assert_eq!(of(Some(1), None, Some(4)), None, "a clock that is wrong is not mended by another time");
    }

    #[test]
    fn a_number_is_counted_for_its_own_time_or_not_at_all() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let now = at("2018-01-14T00:00:00Z");
        assert_eq!(counted(at("2018-01-01T00:00:00Z"), now), Some(at("2018-01-01T00:00:00Z")));
        assert_eq!(counted(at("2017-12-31T23:59:59Z"), now), None);
        assert_eq!(counted(at("2018-01-14T01:00:00Z"), now), Some(now));
    }

    #[test]
    fn groups_of_one_name_in_two_regions_are_two_receivers() {
        assert_ne!(receiver_name(Some("eu-west-1"), "g", "s"), receiver_name(Some("us-east-1"), "g", "s"));
    }
}
