use crate::{Edge, HasRun, RunArgs};
use lake_core::{
    Fault, RunId, Summary,
    lineage::{Measure, RunEvent, outbox},
    summary::Outcome,
};
use std::{
    collections::BTreeMap,
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

/// Takes the end of the last run out of the outbox, as a crash between its decision and its telling would have.
fn lose_the_telling(lake: &Path) {
    std::fs::remove_file(&events(lake).last().unwrap().0).unwrap();
}

/// Takes the end of the last run out of the lake, as a crash before it would have.
fn lose_the_end(lake: &Path) {
    lose_the_telling(lake);
    std::fs::remove_dir_all(lake.join("ops/lineage_ends")).unwrap();
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

/// Lag of a stream, as an event tells it.
fn lag(seconds: f64) -> BTreeMap<Measure, f64> {
    BTreeMap::from([(Measure::StreamLagSeconds, seconds)])
}

#[test]
fn a_run_that_goes_on_tells_what_it_measures_and_has_one_end() {
    let lake = tempfile::tempdir().unwrap();
    let code = run(lake.path(), 1, async |edge| {
        edge.notes.running(lag(3.0)).await.unwrap();
        edge.notes.measured(lag(1.0));
        Ok(did(&edge, Outcome::Committed))
    });
    assert_eq!(code, ExitCode::SUCCESS);
    assert_eq!(told(lake.path()), ["1 start", "1 running", "1 complete"]);
    let all = events(lake.path());
    let told = |event: &RunEvent| event.run.facets.get("sluice_run").unwrap()["measures"]["streamLagSeconds"].as_f64();
    assert_eq!((told(&all[1].1), told(&all[2].1)), (Some(3.0), Some(1.0)));
    assert_eq!(all[0].1.run.run_id, all[1].1.run.run_id);
}

#[test]
fn what_a_run_measures_while_it_goes_on_is_no_end() {
    let lake = tempfile::tempdir().unwrap();
    run(lake.path(), 1, async |edge| {
        edge.notes.running(lag(3.0)).await.unwrap();
        Ok(did(&edge, Outcome::Committed))
    });
    lose_the_end(lake.path());
    run(lake.path(), 2, async |edge| Ok(did(&edge, Outcome::Committed)));
    assert_eq!(told(lake.path()), ["1 start", "1 running", "2 start", "1 abort", "2 complete"]);
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
fn a_failure_is_told_also_when_ends_of_earlier_tries_cannot_be() {
    let lake = tempfile::tempdir().unwrap();
    let (outbox, endless) = (lake.path().join("ops/lineage"), lake.path().join("ops/lineage/endless"));
    let code = run(lake.path(), 2, async |_| {
        // A folder that holds itself cannot be listed.
        std::os::unix::fs::symlink(&outbox, &endless).unwrap();
        Err(anyhow::anyhow!("failed to think").context(Fault::Data))
    });
    std::fs::remove_file(&endless).unwrap();
    assert_eq!(code, ExitCode::from(65));
    assert_eq!(told(lake.path()), ["2 start", "2 fail"]);
}

#[test]
fn an_end_that_was_decided_is_the_one_that_is_told() {
    let lake = tempfile::tempdir().unwrap();
    run(lake.path(), 1, async |_| Err(anyhow::anyhow!("failed to think").context(Fault::Data)));
    lose_the_telling(lake.path());
    run(lake.path(), 2, async |edge| Ok(did(&edge, Outcome::Committed)));
    assert_eq!(told(lake.path()), ["1 start", "1 fail", "2 start", "2 complete"]);
}

#[test]
fn an_end_that_was_decided_long_ago_comes_after_what_receivers_have() {
    let lake = tempfile::tempdir().unwrap();
    run(lake.path(), 1, async |_| Err(anyhow::anyhow!("failed to think").context(Fault::Data)));
    let (path, mut end) = events(lake.path()).pop().unwrap();
    std::fs::remove_file(path).unwrap();
    let decided = lake.path().join(outbox::decided(end.run.run_id, events(lake.path())[0].1.event_time));
    end.event_time -= chrono::Duration::hours(2);
    std::fs::write(decided, serde_json::to_vec(&end).unwrap()).unwrap();
    run(lake.path(), 2, async |edge| Ok(did(&edge, Outcome::Committed)));
    assert_eq!(told(lake.path()), ["1 start", "2 start", "1 fail", "2 complete"]);
}

#[test]
fn a_run_that_was_taken_for_lost_has_one_end() {
    let lake = tempfile::tempdir().unwrap();
    let code = run(lake.path(), 1, async |edge| {
        // The scheduler has given it up, and its next attempt ends before it does.
        let folder = lake.path().to_path_buf();
        let next = std::thread::spawn(move || run(&folder, 2, async |edge| Ok(did(&edge, Outcome::Committed))));
        assert_eq!(next.join().unwrap(), ExitCode::SUCCESS);
        Ok(did(&edge, Outcome::Committed))
    });
    assert_eq!(code, ExitCode::SUCCESS);
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
