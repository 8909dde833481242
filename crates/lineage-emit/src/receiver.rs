//! Where events go, and what of them.

use crate::{
    alarms::Alarms,
    args::{DeliverArgs, MetricsArgs},
    cloudwatch::{LogStream, counted},
    error::EmitError,
    http::Endpoint,
};
use anyhow::Context as _;
use bytes::Bytes;
use lake_core::{
    Fault,
    lineage::{EventType, RunEvent, metrics::Reading, outbox::Entry},
};
use lake_edge::Attach as _;

/// An event on its way.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) entry: Entry,
    /// What a receiver of texts gets.
    pub(crate) json: Bytes,
    /// What a receiver of numbers gets.
    pub(crate) reading: Option<Reading>,
}

/// Where events go.
#[derive(Debug)]
pub(crate) enum Receiver {
    /// Whole events, one per POST.
    Http(Endpoint),
    /// Whole events, one per log event.
    Logs(LogStream),
    /// Numbers under a namespace, one log event per event.
    Metrics(LogStream, String),
    /// The numbers at which alarms look.
    Alarms(Alarms),
}

impl Receiver {
    /// Who wants whole events.
    pub(crate) async fn of_events(args: &DeliverArgs) -> anyhow::Result<Self> {
        match (&args.http, &args.log_group, &args.log_stream) {
            (Some(url), _, _) => Endpoint::new(url.clone(), args).map(Self::Http),
            (None, Some(group), Some(stream)) => LogStream::open(group, stream, &args.delivery.limits).await.map(Self::Logs),
            _ => Err(unnamed()),
        }
    }

    /// Who wants their numbers.
    pub(crate) async fn of_metrics(args: &MetricsArgs) -> anyhow::Result<Self> {
        match (&args.log_group, &args.log_stream) {
            (Some(group), Some(stream)) => {
                let stream = LogStream::open(group, stream, &args.delivery.limits).await?;
                Ok(Self::Metrics(stream, args.namespace.clone()))
            }
            _ if args.alarms => Ok(Self::Alarms(Alarms::open(&args.namespace, &args.delivery.limits).await)),
            _ => Err(unnamed()),
        }
    }

    /// What tells the receiver from others: its cursor has the name of it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Http(endpoint) => endpoint.name(),
            Self::Logs(stream) => stream.name(),
            // A stream may get events and numbers, and is two receivers then.
            Self::Metrics(stream, namespace) => format!("metrics:{namespace}:{}", stream.name()),
            Self::Alarms(alarms) => alarms.name(),
        }
    }

    /// Whether events of a kind go there: a beginning has no numbers.
    pub(crate) fn wants(&self, kind: EventType) -> bool {
        match self {
            Self::Http(_) | Self::Logs(_) => true,
            Self::Metrics(..) | Self::Alarms(_) => kind != EventType::Start,
        }
    }

    /// Makes of an event what the receiver gets.
    pub(crate) fn form(&self, entry: &Entry, json: Bytes) -> anyhow::Result<Outgoing> {
        let broken = || EmitError::Broken { path: entry.path.clone() };
        let entry = entry.clone();
        match self {
            Self::Http(_) | Self::Logs(_) => {
                serde_json::from_slice::<serde::de::IgnoredAny>(&json).map_err(|_| broken()).attach()?;
                Ok(Outgoing { entry, json, reading: None })
            }
            Self::Metrics(_, namespace) => {
                let reading = read(&entry, &json)?;
                let document = reading.emf(namespace, counted(reading.at, lake_edge::now()));
                let json = serde_json::to_vec(&document).context("failed to write a metric")?.into();
                Ok(Outgoing { entry, json, reading: Some(reading) })
            }
            Self::Alarms(_) => Ok(Outgoing { reading: Some(read(&entry, &json)?), entry, json }),
        }
    }

    /// Sends events in their order and returns how many arrived before the first that did not.
    pub(crate) async fn send(&self, events: &[Outgoing]) -> (usize, anyhow::Result<()>) {
        match self {
            Self::Http(endpoint) => endpoint.send(events).await,
            Self::Logs(stream) | Self::Metrics(stream, _) => stream.send(events).await,
            Self::Alarms(alarms) => alarms.send(events).await,
        }
    }
}

/// clap has refused this already.
fn unnamed() -> anyhow::Error {
    anyhow::anyhow!("failed to deliver: name a receiver").context(Fault::Config)
}

fn read(entry: &Entry, json: &[u8]) -> anyhow::Result<Reading> {
    let event: Result<RunEvent, _> = serde_json::from_slice(json);
    let reading = event.ok().and_then(|event| Reading::of(&event));
    reading.ok_or_else(|| EmitError::NoRun { path: entry.path.clone() }).attach()
}
