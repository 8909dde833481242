//! Every program in one executable: `all-clis <program> ...`, or a link with the program's name.
//!
//! Called by its own name it also tells what is public about all of them: the exit codes, and in a test build the fault
//! points and operators, which register themselves.

mod own;

use std::{ffi::OsString, path::Path, process::ExitCode};

type Main = fn(Vec<OsString>) -> ExitCode;

const PROGRAMS: [(&str, Main); 11] = [
    ("ingest-fx", |argv| ingest_fx::main(argv)),
    ("ingest-hubspot", |argv| ingest_hubspot::main(argv)),
    ("ingest-kafka", |argv| ingest_kafka::main(argv)),
    ("ingest-redshift", |argv| ingest_redshift::main(argv)),
    ("ingest-snowflake", |argv| ingest_snowflake::main(argv)),
    ("silverize", |argv| silverize::main(argv)),
    ("goldify", |argv| goldify::main(argv)),
    ("dq-check", |argv| dq_check::main(argv)),
    ("lineage-emit", |argv| lineage_emit::main(argv)),
    ("catalog-sync", |argv| catalog_sync::main(argv)),
    ("run-pipeline", |argv| run_pipeline::main(argv)),
];

fn main() -> ExitCode {
    let argv: Vec<OsString> = std::env::args_os().collect();
    let called = argv.first().and_then(|path| Path::new(path).file_name()).and_then(|name| name.to_str());
    if let Some(program) = called.and_then(find) {
        return program(argv);
    }
    match argv.get(1).and_then(|name| name.to_str()).and_then(find) {
        Some(program) => program(argv[1..].to_vec()),
        None => own::main(argv),
    }
}

fn find(name: &str) -> Option<Main> {
    PROGRAMS.iter().find(|(known, _)| *known == name).map(|(_, main)| *main)
}
