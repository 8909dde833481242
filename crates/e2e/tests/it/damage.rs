//! A log with a broken or missing entry: 65, with the file's name and the way to mend it, and both ways do mend it.

use crate::{
    data::{on_topic, records, renamed},
    support::{Ran, Variables, pinned, run, sources, with},
};
use std::path::{Path, PathBuf};

const ENTRY: &str = "00000000000000000001.json";

/// A lake whose Bronze table of one topic has three commits, of which the second is going to be damaged.
struct Damaged {
    topic: String,
    variables: Variables,
    directory: tempfile::TempDir,
    whole: String,
}

impl Damaged {
    fn new(sources: &Variables) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (topic, variables) = on_topic(sources, directory.path(), "damage");
        let mut new = Self { topic, variables, directory, whole: String::new() };
        records(sources, &["create", &new.topic, "5"]);
        assert_eq!(new.run("ingest-kafka", "bronze_kafka_orders").code, 0);
        records(sources, &["produce", &new.topic, "4"]);
        for (program, table) in [("ingest-kafka", "bronze_kafka_orders"), ("dq-check", "bronze_kafka_orders")] {
            let ran = new.run(program, table);
            assert_eq!(ran.code, 0, "{ran}");
        }
        new.whole = std::fs::read_to_string(new.entry()).unwrap();
        new
    }

    fn table(&self) -> PathBuf {
        self.directory.path().join("lake/bronze/kafka_orders")
    }

    fn entry(&self) -> PathBuf {
        self.table().join("_delta_log").join(ENTRY)
    }

    fn run(&self, program: &str, table: &str) -> Ran {
        renamed(&run(&[program, table, "--window", "2017-12-30"], &self.variables), &self.topic)
    }

    /// Who writes the table, who judges it and who reads it.
    fn all(&self) -> [Ran; 3] {
        [
            self.run("ingest-kafka", "bronze_kafka_orders"),
            self.run("dq-check", "bronze_kafka_orders"),
            self.run("silverize", "silver_order_movements"),
        ]
    }

    /// Every file of the lake but what failed runs leave behind, with its size.
    fn files(&self) -> Vec<(PathBuf, u64)> {
        let mut found = Vec::new();
        let mut folders = vec![self.directory.path().join("lake")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                match entry.path() {
                    // A run that is refused is told all the same, and silverize makes its table, without rows, before it reads.
                    path if ["ops/attempts", "ops/lineage", "ops/lineage_ends", "lake/silver"]
                        .iter()
                        .any(|told| path.ends_with(told)) => {}
                    path if path.is_dir() => folders.push(path),
                    path => found.push((path, entry.metadata().unwrap().len())),
                }
            }
        }
        found.sort();
        found
    }
}

fn written(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[test]
fn a_damaged_log_names_the_file_and_the_way_to_mend_it() {
    let sources = sources();
    let lake = Damaged::new(&sources);
    let beginning = &lake.whole[..20];
    for (name, text) in [("cut-off", Some(beginning)), ("no-json", Some("<html>\n")), ("empty", Some("")), ("gone", None)] {
        match text {
            Some(text) => written(&lake.entry(), text),
            None => std::fs::remove_file(lake.entry()).unwrap(),
        }
        let before = lake.files();
        for ran in lake.all() {
            assert_eq!(ran.code, 65, "{name}: {ran}");
            assert!(ran.stderr.contains(&lake.entry().display().to_string()), "{name} does not name the file: {ran}");
            assert!(ran.stderr.contains("hint: put that file back"), "{name}: {ran}");
            assert!(!ran.stderr.contains("panicked"), "{name}: {ran}");
        }
        assert_eq!(lake.files(), before, "{name}: a refused run has written");
        pinned(&format!("log-entry-{name}"), &lake.run("dq-check", "bronze_kafka_orders"), lake.directory.path());
    }

    written(&lake.entry(), &lake.whole);
    for ran in lake.all() {
        assert_eq!(ran.code, 0, "the entry is back: {ran}");
    }

    // Without a backup: a lake of its own, from the same source.
    let elsewhere = with(lake.variables.clone(), &[("LAKE_URI", lake.directory.path().join("anew").display().to_string())]);
    let landed = run(&["ingest-kafka", "bronze_kafka_orders", "--window", "2017-12-30"], &elsewhere);
    records(&sources, &["drop", &lake.topic]);
    assert!(landed.stdout.contains("read 9, accepted 9"), "{landed}");
}
