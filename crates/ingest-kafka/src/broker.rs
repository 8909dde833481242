//! The brokers: how to connect, and what a topic holds. Kept apart from consuming, so that no watermark is ever asked for on
//! the connection that fetches records.

use crate::{Args, Security, error::KafkaFault};
use lake_core::Secret;
use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    metadata::MetadataPartition,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// One wait for metadata; a longer one would hide a refused login for as long.
const ANSWER: Duration = Duration::from_millis(500);

/// How long connections may take to end.
const CLOSE: Duration = Duration::from_secs(1);

/// Remembers what librdkafka says of itself: the cause of a refused login shows nowhere else.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    refused: Option<String>,
    last: Option<String>,
}

impl Watch {
    fn note(&self, refused: bool, reason: &str) {
        // librdkafka's messages name broker and cause, never the secret; how long it tried is cut off.
        let reason = reason.split(" (after ").next().unwrap_or(reason);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if refused {
            seen.refused.get_or_insert_with(|| reason.to_owned());
        }
        seen.last = Some(reason.to_owned());
    }

    /// Returns the error that librdkafka's own messages amount to.
    pub(crate) fn fault(&self, seconds: u64) -> KafkaFault {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match &seen.refused {
            Some(reason) => KafkaFault::Refused(reason.clone()),
            None => KafkaFault::Silent { seconds, reason: seen.last.clone() },
        }
    }

    /// Forgets what was seen: a broker has answered since, so that what comes later has causes of its own.
    fn forget(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen::default();
    }

    /// Forgets a refusal but as what was heard last: whether it still holds is asked anew.
    fn ask_anew(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(refused) = seen.refused.take() {
            seen.last = Some(refused);
        }
    }

    /// Whether a login or a certificate was refused.
    pub(crate) fn refused(&self) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).refused.is_some()
    }
}

impl ClientContext for Watch {
    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        let refused = matches!(
            code,
            Some(
                RDKafkaErrorCode::Authentication
                    | RDKafkaErrorCode::SaslAuthenticationFailed
                    | RDKafkaErrorCode::SSL
                    | RDKafkaErrorCode::TopicAuthorizationFailed
            )
        );
        // That all brokers are down follows from the causes, which are what a person needs.
        if code != Some(RDKafkaErrorCode::AllBrokersDown) {
            self.note(refused, reason);
        }
    }

    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "librdkafka");
        // A listener of another protocol shows only here; `[thrd:...]: ` before the text is librdkafka's own.
        if facility == "FAIL" {
            self.note(false, message.split_once("]: ").map_or(message, |(_, text)| text));
        }
    }
}

impl ConsumerContext for Watch {}

/// How to reach the brokers.
#[derive(Debug, Clone)]
pub(crate) struct Broker {
    config: ClientConfig,
    /// How long an answer may take.
    pub(crate) timeout: Duration,
    /// Held until the last thread with a connection is gone, see [`Connections`].
    _open: Option<tokio::sync::mpsc::Sender<()>>,
}

/// The connections of a broker: each of its threads holds a copy of it.
#[derive(Debug)]
pub(crate) struct Connections(tokio::sync::mpsc::Receiver<()>);

impl Connections {
    /// Waits for their end, so that the process does not go from under them; one that a dead broker keeps does not keep the process.
    pub(crate) async fn ended(mut self) {
        // Nothing is ever sent: this is answered when all copies are gone.
        drop(tokio::time::timeout(CLOSE, self.0.recv()).await);
    }
}

/// Per partition: first offset, and the one after the last.
pub(crate) type Watermarks = BTreeMap<i32, (i64, i64)>;

/// What a topic holds.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    /// Name.
    pub(crate) name: String,
    cluster: String,
    /// What each partition holds.
    pub(crate) watermarks: Watermarks,
}

impl Topic {
    /// Application id of a partition's progress.
    pub(crate) fn application(&self, partition: i32) -> String {
        format!("kafka/{}/{}/{partition}", self.cluster, self.name)
    }

    /// Partition of an application id; `None` for one of another topic or cluster.
    pub(crate) fn partition(&self, application: &str) -> Option<i32> {
        let partition = application.rsplit('/').next()?.parse().ok()?;
        (self.application(partition) == application).then_some(partition)
    }

    #[cfg(test)]
    pub(crate) fn of(watermarks: &[(i32, i64, i64)]) -> Self {
        let watermarks = watermarks.iter().map(|(p, low, high)| (*p, (*low, *high))).collect();
        Self { name: "t".into(), cluster: "c".into(), watermarks }
    }
}

impl Broker {
    /// Puts options and secret together.
    pub(crate) fn new(args: &Args, password: Option<Secret>, table: &str) -> Self {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &args.bootstrap)
            // Needed for `assign`; nothing is ever committed to the group.
            .set("group.id", format!("sluice-{table}"))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "error")
            .set("allow.auto.create.topics", "false")
            .set("check.crcs", "true")
            // Without it a client whose queue was full once waits a second before it fetches again.
            .set("fetch.queue.backoff.ms", "10")
            .set("queued.max.messages.kbytes", "65536")
            .set("socket.timeout.ms", "10000")
            .set("log.connection.close", "false");
        if args.security == Security::SaslSsl {
            config.set("security.protocol", "sasl_ssl").set("sasl.mechanism", "SCRAM-SHA-512");
            config.set("sasl.username", args.user.as_deref().unwrap_or_default());
            config.set("sasl.password", password.as_ref().map(Secret::expose).unwrap_or_default());
            if let Some(file) = &args.ca_file {
                config.set("ssl.ca.location", file.to_string_lossy());
            }
        }
        Self { config, timeout: Duration::from_secs(args.timeout_seconds), _open: None }
    }

    /// Watches the connections that are made from here on.
    pub(crate) fn watched(self) -> (Self, Connections) {
        let (open, connections) = tokio::sync::mpsc::channel(1);
        (Self { _open: Some(open), ..self }, Connections(connections))
    }

    /// Makes a consumer.
    pub(crate) fn consumer(&self) -> Result<(BaseConsumer<Watch>, Watch), KafkaFault> {
        let watch = Watch::default();
        let consumer =
            self.config.create_with_context(watch.clone()).map_err(|e: KafkaError| KafkaFault::Options(e.to_string()))?;
        Ok((consumer, watch))
    }

    /// Asks for a topic's partitions and watermarks, on a connection of its own.
    pub(crate) async fn topic(&self, name: &str) -> Result<Topic, KafkaFault> {
        let (broker, name, seconds) = (self.clone(), name.to_owned(), self.timeout.as_secs());
        // A thread that a dead broker keeps must not keep the process.
        let (answer, found) = tokio::sync::oneshot::channel();
        // The connection has ended when the answer is there.
        std::thread::spawn(move || drop(answer.send(broker.asker().and_then(|asker| asker.ask(&name)))));
        found.await.unwrap_or(Err(KafkaFault::Silent { seconds, reason: None }))
    }

    /// Keeps a connection on which a topic can be asked for again and again.
    pub(crate) fn asking(&self, name: &str) -> Asking {
        let (questions, asked) = std::sync::mpsc::channel::<Answer>();
        let (broker, name, seconds) = (self.clone(), name.to_owned(), self.timeout.as_secs());
        std::thread::spawn(move || {
            let asker = broker.asker();
            for answer in asked {
                // Who has stopped waiting needs no answer.
                drop(answer.send(asker.as_ref().map_err(Clone::clone).and_then(|asker| asker.ask(&name))));
            }
            // The connection ends before its broker goes.
            drop(asker);
            drop(broker);
        });
        Asking { questions, seconds }
    }

    /// Asks for a topic's watermarks on a connection of its own, and on the caller's thread.
    pub(crate) fn watermarks(&self, name: &str) -> Result<Watermarks, KafkaFault> {
        Ok(self.asker()?.ask(name)?.watermarks)
    }

    fn asker(&self) -> Result<Asker, KafkaFault> {
        let (consumer, watch) = self.consumer()?;
        Ok(Asker { consumer, watch, timeout: self.timeout })
    }
}

/// Where an answer goes.
type Answer = tokio::sync::oneshot::Sender<Result<Topic, KafkaFault>>;

/// A connection on which a topic is asked for.
#[derive(Debug)]
pub(crate) struct Asking {
    questions: std::sync::mpsc::Sender<Answer>,
    seconds: u64,
}

impl Asking {
    /// Asks for the topic's partitions and watermarks.
    pub(crate) async fn topic(&self) -> Result<Topic, KafkaFault> {
        let (answer, found) = tokio::sync::oneshot::channel();
        // A thread that is gone drops the question, and so answers.
        drop(self.questions.send(answer));
        found.await.unwrap_or(Err(KafkaFault::Silent { seconds: self.seconds, reason: None }))
    }
}

/// Asks on its own thread.
struct Asker {
    consumer: BaseConsumer<Watch>,
    watch: Watch,
    timeout: Duration,
}

impl Asker {
    fn ask(&self, name: &str) -> Result<Topic, KafkaFault> {
        let (consumer, watch) = (&self.consumer, &self.watch);
        watch.ask_anew();
        let deadline = Instant::now() + self.timeout;
        let partitions = loop {
            let metadata = consumer.fetch_metadata(Some(name), ANSWER);
            serve(consumer);
            match metadata.as_ref().ok().and_then(|m| m.topics().first()) {
                Some(topic) if topic.error().is_none() && !topic.partitions().is_empty() => {
                    break topic.partitions().iter().map(MetadataPartition::id).collect::<Vec<_>>();
                }
                Some(topic) if topic.error().map(RDKafkaErrorCode::from).is_some_and(absent) => {
                    return Err(KafkaFault::NoTopic(name.to_owned()));
                }
                _ if watch.refused() || Instant::now() >= deadline => return Err(watch.fault(self.timeout.as_secs())),
                _ => {}
            }
        };
        let left = || deadline.saturating_duration_since(Instant::now()).max(ANSWER);
        let silent = || {
            serve(consumer);
            watch.fault(self.timeout.as_secs())
        };
        let cluster = consumer.client().fetch_cluster_id(left()).ok_or_else(silent)?;
        let mut watermarks = BTreeMap::new();
        for partition in partitions {
            let found = consumer.fetch_watermarks(name, partition, left()).map_err(|error| {
                watch.note(false, &error.to_string());
                silent()
            });
            watermarks.insert(partition, found?);
        }
        watch.forget();
        Ok(Topic { name: name.to_owned(), cluster, watermarks })
    }
}

/// Whether no later answer will bring the topic: it is not there, cannot be, or is not this user's to read.
const fn absent(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::InvalidTopic | RDKafkaErrorCode::TopicAuthorizationFailed
    )
}

/// Lets librdkafka's messages reach the context, which they do only while somebody polls.
fn serve(consumer: &BaseConsumer<Watch>) {
    // A poll ends with each message that is an event of ours, so it is polled until nothing more comes.
    while consumer.poll(Duration::from_millis(20)).is_some() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_names_cluster_topic_and_partition() {
        let topic = Topic::of(&[(0, 0, 1)]);
        assert_eq!(topic.application(7), "kafka/c/t/7");
        assert_eq!(topic.partition("kafka/c/t/7"), Some(7));
        for other in ["kafka/c/u/7", "kafka/d/t/7", "kafka/c/t/x", "kafka/c/t/07", ""] {
            assert_eq!(topic.partition(other), None, "{other}");
        }
    }

    #[test]
    fn connections_have_ended_when_nobody_holds_their_broker() {
        use tokio::sync::mpsc::error::TryRecvError;
        let broker = Broker { config: ClientConfig::new(), timeout: Duration::ZERO, _open: None };
        let (broker, mut connections) = broker.watched();
        let thread = broker.clone();
        drop(broker);
        assert_eq!(connections.0.try_recv(), Err(TryRecvError::Empty));
        drop(thread);
        assert_eq!(connections.0.try_recv(), Err(TryRecvError::Disconnected));
    }

    #[test]
    fn a_refused_login_outweighs_what_comes_after_it() {
        let watch = Watch::default();
        watch.error(
            KafkaError::Global(RDKafkaErrorCode::Authentication),
            "b/1: SASL authentication error: no (after 3ms in state AUTH_REQ)",
        );
        watch.error(KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure), "b/1: Disconnected (after 1ms in state X)");
        watch.error(KafkaError::Global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        assert_eq!(watch.fault(3).to_string(), "connect to Kafka: b/1: SASL authentication error: no");
    }

    #[test]
    fn a_login_that_was_refused_before_an_answer_is_no_cause_of_what_comes_after_it() {
        let watch = Watch::default();
        watch.error(KafkaError::Global(RDKafkaErrorCode::SaslAuthenticationFailed), "b/2: starting (after 1ms in state X)");
        assert!(watch.refused());
        watch.forget();
        assert!(!watch.refused());
        assert_eq!(watch.fault(3).to_string(), "connect to Kafka: no answer for 3 s");
    }

    #[test]
    fn a_broker_that_does_not_answer_is_reported_with_its_cause() {
        let watch = Watch::default();
        watch.error(
            KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure),
            "b/1: Connect failed: Connection refused (after 0ms in state CONNECT)",
        );
        watch.error(KafkaError::Global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        assert_eq!(watch.fault(3).to_string(), "connect to Kafka: no answer for 3 s (b/1: Connect failed: Connection refused)");
    }
}
