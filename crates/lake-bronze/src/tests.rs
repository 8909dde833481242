//! A window lands once, and a later generation replaces it, on a real table in a directory.

use crate::{Landing, Meta, position_prefix, refuse_refresh};
use arrow::array::{ArrayRef, StringArray};
use lake_core::{
    Contract, Ledger, Run, RunId, Summary, Window,
    contract::{
        ColumnType,
        bronze::{EcbSource, KafkaSource},
        column::BRONZE_META,
    },
    fault::{Fault, Faulty as _},
    summary,
};
use lake_table::{Lake, NewFile};
use std::{path::Path, sync::Arc};

fn contract() -> Contract {
    let logical = |kind: ColumnType| match kind {
        ColumnType::Date => "date",
        ColumnType::Timestamp => "timestamp",
        _ => "string",
    };
    let column = |(name, kind): &(&str, ColumnType)| {
        format!("      - {{name: {name}, description: meta, logicalType: {}, physicalType: '{kind}'}}\n", logical(*kind))
    };
    let meta: String = BRONZE_META.iter().map(column).collect();
    let text = format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: bronze_fx_rates\nname: rates\nversion: 1.2.0\nstatus: active\n\
         description: {{purpose: test}}\nschema:\n  - name: fx_rates\n    physicalName: bronze_fx_rates\n\
         \x20   dataGranularityDescription: test\n    properties:\n\
         \x20     - {{name: rate, description: rate, logicalType: string, physicalType: STRING, required: true, primaryKey: true}}\n{meta}\
         customProperties:\n  - property: bronze\n    value:\n      source:\n        ecb:\n          lookback: 1d\n"
    );
    Contract::parse(Path::new("fx_rates.odcs.yaml"), &text, None).unwrap()
}

fn run(window: &str, generation: i64) -> Run {
    Run {
        id: RunId(uuid::Uuid::new_v4()),
        attempt: 1,
        program: "test",
        table: "bronze_fx_rates".into(),
        window: window.parse().unwrap(),
        generation,
        started_at: "2026-01-01T00:00:00Z".parse().unwrap(),
    }
}

fn summary(run: &Run, rows: u64) -> Summary {
    Summary {
        outcome: summary::Outcome::Committed,
        ledger: Ledger { read: rows, accepted: rows, ..Ledger::default() },
        ..Summary::begun(run.id, "test", &run.table, run.window)
    }
}

/// Writes rows for a run, uncommitted.
async fn written(landing: &Landing, run: &Run, rates: &[&str]) -> Vec<NewFile> {
    let (meta, _) = Meta::new(run, &contract()).unwrap();
    let texts = |text: &dyn Fn(&&str) -> String| -> ArrayRef { Arc::new(StringArray::from_iter_values(rates.iter().map(text))) };
    let own: [(&str, ArrayRef); 4] = [
        ("rate", texts(&|rate| (*rate).to_owned())),
        ("_key", texts(&|rate| (*rate).to_owned())),
        ("_position", texts(&|rate| format!("{}/{rate}", position_prefix(run)))),
        ("_violations", Arc::new(StringArray::new_null(rates.len()))),
    ];
    let batch = meta.assemble(&landing.table().spec().schema, &own, rates.len()).unwrap();
    let mut writer = landing.table().writer();
    writer.write(&batch).await.unwrap();
    writer.finish().await.unwrap()
}

async fn land(lake: &Lake, run: &Run, rates: &[&str]) -> Summary {
    let landing = Landing::open(lake, &contract(), run).await.unwrap();
    if let Some(done) = landing.already_done().await.unwrap() {
        return done;
    }
    let files = written(&landing, run, rates).await;
    landing.commit(files, rates.len() as u64, summary(run, rates.len() as u64)).await.unwrap()
}

async fn rows(lake: &Lake) -> u64 {
    Landing::open(lake, &contract(), &run("2018-01-01", 1)).await.unwrap().table().rows()
}

#[tokio::test]
async fn a_window_lands_once() {
    let directory = tempfile::tempdir().unwrap();
    let lake = Lake::open(directory.path().to_str().unwrap()).unwrap();
    let first = run("2017-12-30", 1);
    let committed = land(&lake, &first, &["1", "2"]).await;
    assert_eq!((committed.outcome, committed.table_version), (summary::Outcome::Committed, Some(1)));
    let again = land(&lake, &run("2017-12-30", 1), &["3"]).await;
    assert_eq!((again.outcome, again.run_id, again.ledger.read), (summary::Outcome::AlreadyDone, first.id, 2));
    land(&lake, &run("2017-12-31", 1), &["3"]).await;
    assert_eq!(rows(&lake).await, 3);
}

#[tokio::test]
async fn a_window_without_rows_is_in_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let lake = Lake::open(directory.path().to_str().unwrap()).unwrap();
    assert_eq!(land(&lake, &run("2017-12-30", 1), &[]).await.outcome, summary::Outcome::Committed);
    assert_eq!(land(&lake, &run("2017-12-30", 1), &["1"]).await.outcome, summary::Outcome::AlreadyDone);
    assert_eq!(rows(&lake).await, 0);
}

#[tokio::test]
async fn the_next_generation_replaces_the_rows_of_its_window_only() {
    let directory = tempfile::tempdir().unwrap();
    let lake = Lake::open(directory.path().to_str().unwrap()).unwrap();
    land(&lake, &run("2017-12-30", 1), &["1", "2"]).await;
    land(&lake, &run("2017-12-31", 1), &["3"]).await;
    land(&lake, &run("2017-12-30", 2), &["1", "2", "2b"]).await;
    assert_eq!(rows(&lake).await, 4);
    land(&lake, &run("2017-12-30", 3), &[]).await;
    assert_eq!(rows(&lake).await, 1);
    land(&lake, &run("2017-12-30", 4), &["1"]).await;
    assert_eq!(rows(&lake).await, 2);
    assert_eq!(land(&lake, &run("2017-12-30", 1), &["9"]).await.outcome, summary::Outcome::AlreadyDone);
}

#[tokio::test]
async fn of_two_copies_one_commits_and_the_other_is_done() {
    let directory = tempfile::tempdir().unwrap();
    let lake = Lake::open(directory.path().to_str().unwrap()).unwrap();
    let (one, two) = (run("2017-12-30", 1), run("2017-12-30", 1));
    let first = Landing::open(&lake, &contract(), &one).await.unwrap();
    let second = Landing::open(&lake, &contract(), &two).await.unwrap();
    let (first_files, second_files) = (written(&first, &one, &["1"]).await, written(&second, &two, &["1"]).await);
    assert_eq!(first.commit(first_files, 1, summary(&one, 1)).await.unwrap().outcome, summary::Outcome::Committed);
    let done = second.commit(second_files, 1, summary(&two, 1)).await.unwrap();
    assert_eq!((done.outcome, done.run_id), (summary::Outcome::AlreadyDone, one.id));
    assert_eq!(rows(&lake).await, 1);
}

#[tokio::test]
async fn files_that_were_decided_by_an_older_version_are_not_committed() {
    let directory = tempfile::tempdir().unwrap();
    let lake = Lake::open(directory.path().to_str().unwrap()).unwrap();
    let (day, next) = (run("2017-12-30", 1), run("2017-12-31", 1));
    let opened = async |run: &Run| Landing::open(&lake, &contract(), run).await.unwrap();
    let (first, second) = (opened(&day).await, opened(&next).await);
    let files = written(&first, &day, &["1"]).await;
    assert_eq!(
        first.commit_unmoved(files, 1, summary(&day, 1)).await.unwrap().map(|s| s.outcome),
        Some(summary::Outcome::Committed)
    );
    let files = written(&second, &next, &["2"]).await;
    assert!(second.commit_unmoved(files, 1, summary(&next, 1)).await.unwrap().is_none(), "the table moved");
    let again = opened(&next).await;
    let files = written(&again, &next, &["2"]).await;
    assert!(again.commit_unmoved(files, 1, summary(&next, 1)).await.unwrap().is_some());
    assert_eq!(rows(&lake).await, 2);
}

#[tokio::test]
async fn what_a_generation_replaces_does_not_stay() {
    let directory = tempfile::tempdir().unwrap();
    let lake = Lake::open(directory.path().to_str().unwrap()).unwrap();
    land(&lake, &run("2017-12-30", 1), &["1", "2"]).await;
    land(&lake, &run("2017-12-31", 1), &["3"]).await;
    let staying = async |run: &Run| {
        let landing = Landing::open(&lake, &contract(), run).await.unwrap();
        landing.staying().await.unwrap().iter().map(|file| file.rows).sum::<u64>()
    };
    assert_eq!(staying(&run("2017-12-30", 2)).await, 1);
    assert_eq!(staying(&run("2018-01-01", 1)).await, 3);
}

#[test]
fn a_column_that_nobody_gives_is_named() {
    let run = run("2017-12-30", 1);
    let contract = contract();
    let (meta, bronze) = Meta::new(&run, &contract).unwrap();
    assert_eq!(bronze.source.name(), "ecb");
    let schema = lake_table::TableSpec::of(&contract).schema;
    let error = meta.assemble(&schema, &[], 0).unwrap_err();
    assert_eq!(error.to_string(), "fill column `rate` of `bronze_fx_rates`: the source does not give it");
}

#[test]
fn a_window_that_has_not_ended_is_refused() {
    let run = |started_at: &str| Run { started_at: started_at.parse().unwrap(), ..run("2017-12-30", 1) };
    let error = Meta::new(&run("2017-12-30T23:59:59.999999Z"), &contract()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "land a window of `bronze_fx_rates` that ends at 2017-12-31T00:00:00+00:00, which is still to come"
    );
    assert_eq!(error.fault(), Fault::Transient);
    assert!(Meta::new(&run("2017-12-31T00:00:00Z"), &contract()).is_ok());
}

#[test]
fn positions_sort_by_window() {
    let of = |window: &str| position_prefix(&Run { window: window.parse::<Window>().unwrap(), ..run("2017-12-30", 1) });
    assert!(of("2017-12-30T00:00:00Z/2018-01-01") < of("2017-12-30T00:00:00.5Z/2018-01-01"));
    assert_eq!(of("2017-12-30"), "2017-12-30T00:00:00.000000Z");
}

#[test]
fn a_program_lands_its_own_source_and_never_rebuilds() {
    let (run, contract) = (run("2017-12-30", 1), contract());
    let (_, _, source) = Meta::of_source::<EcbSource>(&run, &contract).unwrap();
    assert!(source.currencies.is_empty());
    let other = Meta::of_source::<KafkaSource>(&run, &contract).unwrap_err();
    assert_eq!((other.to_string().as_str(), other.fault()), ("the source of `bronze_fx_rates` is not `kafka`", Fault::Config));
    assert!(refuse_refresh(false).is_ok());
    assert_eq!(refuse_refresh(true).unwrap_err().fault(), Fault::Config);
}
