//! What a run leaves behind when it commits nothing: `ops/attempts/<run_id>/<attempt>.json`.

use crate::{Attach as _, fail, file::write_file};
use lake_core::{Run, Summary, run::attempt_path, summary::Outcome};
use std::path::Path;

/// Writes the attempt of a run that failed or changed nothing; a committed run's proof is its commit.
///
/// Best effort: a lake that cannot be written must not hide the error that is reported anyway.
pub(crate) async fn record(lake: &lake_table::Lake, run: &Run, outcome: &anyhow::Result<Summary>) {
    let value = match outcome {
        Ok(summary) if summary.outcome == Outcome::Committed => return,
        Ok(summary) => serde_json::json!({ "exit": 0, "summary": summary }),
        Err(error) => serde_json::json!({
            "exit": fail::exit_of(error).code(),
            "error": fail::text_of(error),
            "run_id": run.id, "attempt": run.attempt, "program": run.program, "table": run.table, "window": run.window,
        }),
    };
    let path = attempt_path(run.id, run.attempt);
    if let Err(error) = lake.put(&path, value.to_string().into()).await {
        tracing::warn!(%error, "attempt not recorded");
    }
}

/// Writes the summary to a file, whole or not at all.
pub(crate) fn write_summary(target: &str, json: &str) -> anyhow::Result<()> {
    write_file("write the summary to", Path::new(target), &format!("{json}\n")).attach()
}
