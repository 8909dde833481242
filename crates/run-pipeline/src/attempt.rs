//! `attempt`: leaves what became of a job below the lake, for the scheduler that started it.
//!
//! What starts the job (`dags/jobs/launcher.py`) writes the record and cannot write to every lake; what the record holds is told
//! in `dags/README.md`. It is created and never replaced: of two copies of an attempt the first one's word stands, whoever reads
//! it when.

use crate::args::AttemptArgs;
use anyhow::{Context as _, anyhow};
use chrono::{DateTime, Utc};
use lake_core::{Exit, Fault, RunId, Summary, run::attempt_path};
use lake_edge::{Attach as _, Console};
use lake_table::Lake;
use serde::Deserialize;
use std::{collections::BTreeMap, path::Path};

/// A reader takes a record into memory whole; a hundred steps do not make a tenth of this.
const BYTES_MAX: u64 = 4 << 20;
/// Codes of a process that was ended by SIGINT, SIGKILL or SIGTERM, as shells tell them: nobody has to mend anything.
const KILLED: [u8; 3] = [130, 137, 143];

/// What became of a job.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "a reader relies on all of it being there, and this program checks that it is")]
struct Record {
    schema_version: u32,
    job: String,
    run_id: RunId,
    attempt: u32,
    release: String,
    window: String,
    started_at: DateTime<Utc>,
    ended_at: DateTime<Utc>,
    exit: u8,
    fault: Option<String>,
    why: Option<String>,
    signal: Option<String>,
    steps: Vec<StepRecord>,
    versions: BTreeMap<String, i64>,
}

/// What became of a step.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "as with the record")]
struct StepRecord {
    program: String,
    table: Option<String>,
    run_id: Option<RunId>,
    state: State,
    exit: Option<u8>,
    fault: Option<String>,
    why: Option<String>,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    duration_ms: Option<u64>,
    summary: Option<Summary>,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// With 0.
    Ok,
    /// With 99.
    Skipped,
    /// With anything else.
    Failed,
    /// It was not started.
    NotRun,
}

/// Leaves the record.
pub(crate) async fn run(args: &AttemptArgs, console: &Console) -> anyhow::Result<Exit> {
    let bytes = read(&args.record)?;
    check(&bytes, args.run_id, args.attempt)
        .map_err(|problem| anyhow!("failed to use the record {}: {problem}", args.record.display()).context(Fault::Config))?;
    let lake = Lake::open(&args.lake).attach()?;
    leave(&lake, &attempt_path(args.run_id, args.attempt), bytes).await?;
    console.line(&attempt_path(args.run_id, args.attempt));
    Ok(Exit::Ok)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let failed = || format!("failed to read the record {}", path.display());
    let length = std::fs::metadata(path).with_context(failed).context(Fault::Config)?.len();
    if length > BYTES_MAX {
        return Err(anyhow!("{}: {length} bytes are more than {BYTES_MAX}", failed()).context(Fault::Config));
    }
    std::fs::read(path).with_context(failed).context(Fault::Config)
}

/// Says what is wrong with a record.
fn check(bytes: &[u8], run_id: RunId, attempt: u32) -> Result<(), String> {
    let record: Record = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if record.schema_version != 1 {
        return Err(format!("`schema_version` is {}, and only 1 is known", record.schema_version));
    }
    if (record.run_id, record.attempt) != (run_id, attempt) {
        return Err(format!("it is of attempt {} of run {}", record.attempt, record.run_id));
    }
    let expected = fault(record.exit);
    if record.fault.as_deref() != expected {
        return Err(format!("exit {} goes with fault `{}`", record.exit, expected.unwrap_or("null")));
    }
    for step in &record.steps {
        let state = match step.exit {
            None => State::NotRun,
            Some(0) => State::Ok,
            Some(code) if code == Exit::Nothing.code() => State::Skipped,
            Some(_) => State::Failed,
        };
        if step.state != state {
            return Err(format!("a step of `{}` ended with {:?} and is said to be {:?}", step.program, step.exit, step.state));
        }
    }
    Ok(())
}

/// Who has to act on a job that ended with a code.
fn fault(code: u8) -> Option<&'static str> {
    match Exit::from_code(code.into()) {
        Exit::Ok | Exit::Nothing => None,
        _ if KILLED.contains(&code) => Some(Exit::Transient.name()),
        exit => Some(exit.name()),
    }
}

/// Creates the record; the same one there already is as good.
async fn leave(lake: &Lake, path: &str, bytes: Vec<u8>) -> anyhow::Result<()> {
    if lake.create(path, bytes.clone().into()).await.attach()? {
        return Ok(());
    }
    met(path, lake.get(path).await.attach()?.as_deref(), &bytes)
}

/// What it comes to that the store did not create the record, by what is there now.
fn met(path: &str, there: Option<&[u8]>, own: &[u8]) -> anyhow::Result<()> {
    match there {
        // A store that answered late has met its own first try.
        Some(there) if there == own => Ok(()),
        Some(_) => {
            let text =
                format!("failed to leave the record: `{path}` holds another one, which stays; give a new try the next --attempt");
            Err(anyhow!(text).context(Fault::Config))
        }
        // S3 answers so while two writes of one name are under way, our own first try among them; it may keep neither.
        None => {
            let text = format!("failed to leave the record: `{path}` is being written, and is not there");
            Err(anyhow!(text).context(Fault::Transient))
        }
    }
}

#[cfg(test)]
#[path = "attempt_tests.rs"]
mod tests;
