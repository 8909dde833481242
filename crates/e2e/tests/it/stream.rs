//! `ingest-kafka --continuous`: lands what comes, ends well on SIGTERM, and loses and doubles nothing when it is killed.

use crate::{
    data::{on_topic, records},
    support::{Ran, Variables, run, sources},
};
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    time::Duration,
};

/// A window that holds the present, whenever that is: its partition does not end at midnight.
const WINDOW: &str = "2026-01-01/2126-01-01";
const TABLE: &str = "bronze_kafka_orders";
/// No commit takes so long, not even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Log lines of some streams on one table.
struct Log {
    sender: Sender<Value>,
    lines: Receiver<Value>,
}

impl Log {
    fn new() -> Self {
        let (sender, lines) = channel();
        Self { sender, lines }
    }

    /// Waits for a message and returns its fields.
    fn next(&self, message: &str) -> Value {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("nobody said `{message}`"));
            if line["fields"]["message"] == message {
                return line["fields"].clone();
            }
        }
    }

    /// Waits until exactly so many records more were committed.
    fn committed(&self, records: u64) {
        let mut seen = 0;
        while seen < records {
            seen += self.next("records committed")["rows"].as_u64().unwrap();
        }
        assert_eq!(seen, records);
    }
}

/// A process that streams.
struct Stream(Child);

impl Stream {
    fn start(variables: &Variables, log: &Log, more: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_all-clis"));
        command.args(["ingest-kafka", TABLE, "--window", WINDOW, "--continuous", "--flush-seconds", "1", "-v"]).args(more);
        command.env_clear().envs(variables).current_dir(crate::support::root());
        command.env("PATH", std::env::var("PATH").unwrap());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (errors, sender) = (child.stderr.take().unwrap(), log.sender.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self(child)
    }

    /// Ends it as a scheduler does.
    fn terminated(mut self) -> Ran {
        let sent = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let mut stdout = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        let code = self.0.wait().unwrap().code().unwrap_or(-1);
        Ran { code, stdout, stderr: String::new() }
    }

    fn killed(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Sums what the commits of the table say that they accepted.
fn accepted(directory: &Path) -> u64 {
    let log = directory.join("lake/bronze/kafka_orders/_delta_log");
    let entries = std::fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path());
    let entries = entries.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let lines: Vec<Value> = entries
        .flat_map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
        })
        .collect();
    lines.iter().filter_map(|line| line.pointer("/commitInfo/sluice/ledger/accepted")?.as_u64()).sum()
}

/// Every record is there once: by the commits, by the rows, and by the rule that no offset comes twice.
fn holds_each_once(variables: &Variables, directory: &Path, records: u64) {
    assert_eq!(accepted(directory), records);
    let checked = run(&["dq-check", TABLE, "--window", WINDOW, "--output", "json"], variables);
    assert_eq!(checked.code, 0, "{checked}");
    let summary: Value = serde_json::from_str(checked.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(summary["ledger"]["read"], records, "{checked}");
}

#[test]
fn a_stream_lands_what_comes_until_sigterm() {
    let (sources, directory, log) = (sources(), tempfile::tempdir().unwrap(), Log::new());
    let (topic, variables) = on_topic(&sources, directory.path(), "stream");
    records(&sources, &["create", &topic, "5"]);
    let stream = Stream::start(&variables, &log, &[]);
    log.committed(5);
    records(&sources, &["produce", &topic, "4", "--partition", "1"]);
    log.committed(4);
    // A run of the same window beside it finds nothing to do, and does not answer in the name of a stream that goes on.
    let beside = run(&["ingest-kafka", TABLE, "--window", WINDOW], &variables);
    assert!(beside.code == 0 && beside.stdout.contains("unchanged: read 0"), "{beside}");
    let ended = stream.terminated();
    assert_eq!(ended.code, 0, "{ended}");
    assert!(ended.stdout.contains("committed: read 9, accepted 9"), "{ended}");
    let gauges = std::fs::read_to_string(directory.path().join("lake/ops/gauges/bronze_kafka_orders.json")).unwrap();
    let reading: Value = serde_json::from_str(&gauges).unwrap();
    assert_eq!((&reading["gauges"][0]["name"], &reading["gauges"][0]["value"]), (&"lag_records".into(), &0.into()));

    // A run on its own goes on where the stream ended, and the other way round.
    records(&sources, &["produce", &topic, "3"]);
    let alone = run(&["ingest-kafka", TABLE, "--window", "2017-12-30"], &variables);
    assert!(alone.stdout.contains("read 3, accepted 3"), "{alone}");
    records(&sources, &["produce", &topic, "2"]);
    let stream = Stream::start(&variables, &log, &[]);
    log.committed(2);
    assert_eq!(stream.terminated().code, 0);
    records(&sources, &["drop", &topic]);
    holds_each_once(&variables, directory.path(), 14);
}

#[test]
fn a_stream_that_is_killed_loses_and_doubles_nothing() {
    let (sources, directory, log) = (sources(), tempfile::tempdir().unwrap(), Log::new());
    let (topic, variables) = on_topic(&sources, directory.path(), "killed");
    records(&sources, &["create", &topic, "5"]);
    let first = Stream::start(&variables, &log, &[]);
    log.committed(5);
    records(&sources, &["produce", &topic, "700"]);
    // Whatever it is doing now.
    first.killed();
    let second = Stream::start(&variables, &log, &[]);
    records(&sources, &["produce", &topic, "300", "--partition", "1"]);
    second.killed();
    Stream::start(&variables, &log, &[]).killed();
    let last = Stream::start(&variables, &log, &[]);
    records(&sources, &["produce", &topic, "1"]);
    while accepted(directory.path()) < 1_006 {
        log.next("records committed");
    }
    assert_eq!(last.terminated().code, 0);
    records(&sources, &["drop", &topic]);
    holds_each_once(&variables, directory.path(), 1_006);
}

#[test]
fn of_two_streams_on_one_table_each_record_is_landed_by_one() {
    let (sources, directory, log) = (sources(), tempfile::tempdir().unwrap(), Log::new());
    let (topic, variables) = on_topic(&sources, directory.path(), "twice");
    records(&sources, &["create", &topic, "5"]);
    let streams = [Stream::start(&variables, &log, &[]), Stream::start(&variables, &log, &[])];
    log.committed(5);
    for _ in 0..3 {
        records(&sources, &["produce", &topic, "20"]);
        log.committed(20);
    }
    for stream in streams {
        let ended = stream.terminated();
        assert_eq!(ended.code, 0, "{ended}");
    }
    records(&sources, &["drop", &topic]);
    holds_each_once(&variables, directory.path(), 65);
}

#[test]
fn the_small_files_of_a_stream_are_put_together() {
    let (sources, directory, log) = (sources(), tempfile::tempdir().unwrap(), Log::new());
    let (topic, variables) = on_topic(&sources, directory.path(), "small");
    records(&sources, &["create", &topic, "5"]);
    let stream = Stream::start(&variables, &log, &["--small-files-max", "2"]);
    log.committed(5);
    for _ in 0..2 {
        records(&sources, &["produce", &topic, "5"]);
        log.committed(5);
    }
    let compacted = log.next("files compacted");
    assert_eq!((&compacted["files_before"], &compacted["files_after"], &compacted["rows"]), (&3.into(), &1.into(), &15.into()));
    assert_eq!(stream.terminated().code, 0);
    records(&sources, &["drop", &topic]);
    holds_each_once(&variables, directory.path(), 15);
}

#[test]
fn options_of_a_stream_are_refused_without_it() {
    let directory = tempfile::tempdir().unwrap();
    let variables = crate::support::lake(directory.path());
    let base = ["ingest-kafka", TABLE, "--window", WINDOW, "--bootstrap", "127.0.0.1:1"];
    let ran = run(&[&base[..], &["--flush-rows", "5000"]].concat(), &variables);
    assert_eq!(ran.code, 2, "{ran}");
    assert!(ran.stderr.contains("--continuous"), "{ran}");
}
