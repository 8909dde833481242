use crate::{Edge, HasRun, RunArgs};
use lake_core::{Fault, RunId, Summary, lineage::RunEvent, summary::Outcome};
use std::{
    future::Future,
    path::{Path, PathBuf},
    process::ExitCode,
};

const RUN: &str = "0191d9a0-0000-7000-8000-000000000001";

#[derive(Debug, clap::Parser)]
struct Args {
    #[command(flatten)]
    run: RunArgs,
}

impl HasRun for Args {
    fn run(&self) -> &RunArgs {
        &self.run
    }
}

/// Runs a program that does nothing but `work`.
fn run<F>(lake: &Path, attempt: u32, work: impl FnOnce(Edge) -> F) -> ExitCode
where
    F: Future<Output = anyhow::Result<Summary>>,
{
    let contracts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts");
    let (attempt, lake, contracts) = (attempt.to_string(), lake.to_str().unwrap(), contracts.to_str().unwrap());
    let argv = ["silverize", "silver_orders", "--window", "2017-12-30", "--run-id", RUN, "--attempt", &attempt];
    let argv = argv.into_iter().chain(["--lake", lake, "--contracts", contracts]).map(Into::into);
    crate::main(argv.collect::<Vec<std::ffi::OsString>>(), "silverize", "0.1.0", |_: Args, edge: Edge| work(edge))
}

fn did(edge: &Edge, outcome: Outcome) -> Summary {
    let mut summary = edge.summary();
    summary.outcome = outcome;
    summary.table_version = Some(3);
    summary
}

/// All events, in the order of their names.
fn events(lake: &Path) -> Vec<(PathBuf, RunEvent)> {
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in std::fs::read_dir(lake.join("ops/lineage")).unwrap() {
        files.extend(std::fs::read_dir(folder.unwrap().path()).unwrap().map(|entry| entry.unwrap().path()));
    }
    files.sort();
    let read = |file: PathBuf| {
        let event = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        (file, event)
    };
    files.into_iter().map(read).collect()
}

/// `attempt kind` of all events.
fn told(lake: &Path) -> Vec<String> {
    let attempt = |event: &RunEvent| event.run.facets.get("sluice_run").unwrap()["attempt"].clone();
    events(lake).iter().map(|(_, event)| format!("{} {}", attempt(event), event.event_type.name())).collect()
}

/// Takes the end of the last run out of the outbox, as a crash would have.
fn lose_the_end(lake: &Path) {
    std::fs::remove_file(&events(lake).last().unwrap().0).unwrap();
}

#[test]
fn a_run_tells_its_beginning_and_its_end() {
    let lake = tempfile::tempdir().unwrap();
    let code = run(lake.path(), 1, async |edge| Ok(did(&edge, Outcome::Committed)));
    assert_eq!(code, ExitCode::SUCCESS);
    assert_eq!(told(lake.path()), ["1 start", "1 complete"]);
    let all = events(lake.path());
    assert_eq!(all[0].1.run.run_id, all[1].1.run.run_id);
}

#[test]
fn a_run_that_fails_says_why_and_keeps_its_exit() {
    let lake = tempfile::tempdir().unwrap();
    let code = run(lake.path(), 1, async |_| Err(anyhow::anyhow!("failed to think").context(Fault::Data)));
    assert_eq!(code, ExitCode::from(65));
    assert_eq!(told(lake.path()), ["1 start", "1 fail"]);
    let end = &events(lake.path())[1].1;
    assert_eq!(end.run.facets.get("errorMessage").unwrap()["message"], "failed to think");
    assert_eq!(end.run.facets.get("sluice_run").unwrap()["outcome"], "data");
}

#[test]
fn what_cannot_tell_that_it_begins_does_not_begin() {
    let lake = tempfile::tempdir().unwrap();
    std::fs::write(lake.path().join("ops"), "in the way").unwrap();
    let code = run(lake.path(), 1, async |_| unreachable!("the work has begun"));
    assert_eq!(code, ExitCode::from(75));
}

#[test]
fn an_end_that_cannot_be_told_is_told_by_the_retry() {
    let lake = tempfile::tempdir().unwrap();
    let (ops, aside) = (lake.path().join("ops"), lake.path().join("aside"));
    let code = run(lake.path(), 1, async |edge| {
        std::fs::rename(&ops, &aside).unwrap();
        std::fs::write(&ops, "in the way").unwrap();
        Ok(did(&edge, Outcome::Committed))
    });
    assert_eq!(code, ExitCode::from(75));
    std::fs::remove_file(&ops).unwrap();
    std::fs::rename(&aside, &ops).unwrap();
    assert_eq!(told(lake.path()), ["1 start"]);
    let code = run(lake.path(), 2, async |edge| Ok(Summary { attempt: 1, ..did(&edge, Outcome::AlreadyDone) }));
    assert_eq!(code, ExitCode::SUCCESS);
    assert_eq!(told(lake.path()), ["1 start", "2 start", "1 complete", "2 complete"]);
    let all = events(lake.path());
    assert_eq!(all[0].1.run.run_id, all[2].1.run.run_id);
    assert!(all[2].1.outputs[0].output_facets.get("outputStatistics").is_some());
    assert!(all[3].1.outputs[0].output_facets.is_empty());
}

#[test]
fn an_attempt_that_was_killed_is_aborted_by_the_next() {
    let lake = tempfile::tempdir().unwrap();
    run(lake.path(), 1, async |edge| Ok(did(&edge, Outcome::Committed)));
    lose_the_end(lake.path());
    run(lake.path(), 2, async |edge| Ok(did(&edge, Outcome::Committed)));
    assert_eq!(told(lake.path()), ["1 start", "2 start", "1 abort", "2 complete"]);
}

#[test]
fn a_run_of_somebody_else_is_left_alone() {
    let lake = tempfile::tempdir().unwrap();
    run(lake.path(), 1, async |edge| Ok(did(&edge, Outcome::Committed)));
    lose_the_end(lake.path());
    let other = RunId(uuid::Uuid::from_u128(9));
    let code = run(lake.path(), 1, async |edge| Ok(Summary { run_id: other, ..did(&edge, Outcome::AlreadyDone) }));
    assert_eq!(code, ExitCode::SUCCESS);
    assert_eq!(told(lake.path()), ["1 start", "1 start", "1 complete"]);
}
