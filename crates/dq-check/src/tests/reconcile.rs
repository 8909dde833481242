//! What Bronze accepted, Silver accounts for: by the logs of both.

use super::*;
use lake_quality::State;
use serde_json::json;

const BRONZE: &str = "bronze_rates";
const SILVER: &str = "silver_rates";
const RULE: &str = "reconciled:bronze_rates";

/// What a commit of `silver_rates` says.
struct Consumed {
    /// Version of `bronze_rates` that is in.
    version: i64,
    /// Rows that were read; none: the commit does not say.
    rows: Option<u64>,
    rebuilt: bool,
}

/// Rows of another day, in Bronze.
async fn land(world: &World, day: &str, rows: usize) -> i64 {
    let codes = ["AAA", "BBB", "CCC", "DDD", "EEE"].map(Some);
    world.put(BRONZE, &rates(day, &codes[..rows]), false).await
}

/// Commits a row of a currency with the progress that a run of `silverize` would leave.
async fn consume(world: &World, currency: &str, consumed: Consumed) {
    let source = world.table(BRONZE).await.id().to_owned();
    let mut table = world.table(SILVER).await;
    let schema = table.spec().schema.clone();
    let column = |field: &arrow::datatypes::FieldRef| match field.name().as_str() {
        "currency" => texts(&[Some(currency)]),
        _ => new_null_array(field.data_type(), 1),
    };
    let batch = RecordBatch::try_new(schema.clone(), schema.fields().iter().map(column).collect()).unwrap();
    let mut summary = world.summary(SILVER);
    summary.facts.insert("ledger_by_input".to_owned(), json!({BRONZE: {}}));
    if let Some(rows) = consumed.rows {
        summary.facts.insert("consumed".to_owned(), json!({BRONZE: rows}));
    }
    if consumed.rebuilt {
        summary.facts.insert("rebuilt".to_owned(), json!(true));
    }
    let committed = table.commit(async |table: &Table| {
        let remove = if consumed.rebuilt { table.files().to_vec() } else { Vec::new() };
        let removed = remove.iter().map(|file| file.rows).sum();
        let mut writer = table.writer();
        writer.write(&batch).await.unwrap();
        let (inserted, add) = (writer.rows(), writer.finish().await.unwrap());
        let txns = vec![(source.clone(), consumed.version)];
        Ok(Plan::Commit(Proposal { add, remove, txns, inserted, removed, summary: summary.clone() }))
    });
    committed.await.unwrap();
}

async fn judged(world: &World, day: &str) -> Judged {
    world.ask(SILVER).window(day).judge().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_that_bronze_accepted_is_accounted_for() {
    let world = World::new();
    let first = land(&world, "2017-12-30", 3).await;
    consume(&world, "AAA", Consumed { version: first, rows: Some(3), rebuilt: false }).await;
    let all = judged(&world, "2017-12-30").await;
    assert_eq!((failed(&all), finding(&all, RULE).measured), (vec![], Some(0.0)));
    assert_eq!(finding(&all, RULE).message, "of 3 rows that bronze_rates accepted, 3 are accounted for");
    // Rows that are not consumed yet are nobody's loss.
    let second = land(&world, "2017-12-31", 2).await;
    let third = land(&world, "2018-01-01", 1).await;
    let waiting = world.ask(SILVER).window("2017-12-31").judge().await.unwrap();
    assert!(waiting.verdict.passed && waiting.verdict.report.findings.iter().all(|f| f.rule != RULE));
    consume(&world, "BBB", Consumed { version: second, rows: Some(2), rebuilt: false }).await;
    consume(&world, "CCC", Consumed { version: third, rows: Some(1), rebuilt: false }).await;
    let next = judged(&world, "2018-01-01").await;
    // Only what came since the last pass is added up.
    assert_eq!(finding(&next, RULE).message, "of 3 rows that bronze_rates accepted, 3 are accounted for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_skipped_or_read_twice_is_an_error() {
    for (read, message) in [
        (1, "of 5 rows that bronze_rates accepted, 4 are accounted for"),
        (5, "of 5 rows that bronze_rates accepted, 8 are accounted for"),
    ] {
        let world = World::new();
        let first = land(&world, "2017-12-30", 3).await;
        consume(&world, "AAA", Consumed { version: first, rows: Some(3), rebuilt: false }).await;
        land(&world, "2017-12-31", 1).await;
        let last = land(&world, "2018-01-01", 1).await;
        consume(&world, "BBB", Consumed { version: last, rows: Some(read), rebuilt: false }).await;
        let torn = judged(&world, "2018-01-01").await;
        assert_eq!((failed(&torn), torn.verdict.passed), (vec![RULE], false));
        assert_eq!(finding(&torn, RULE).message, message);
        // Nobody mends it by running on.
        let more = land(&world, "2018-01-02", 1).await;
        consume(&world, "CCC", Consumed { version: more, rows: Some(1), rebuilt: false }).await;
        assert_eq!(failed(&judged(&world, "2018-01-02").await), [RULE]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_reads_everything_again() {
    let world = World::new();
    let first = land(&world, "2017-12-30", 3).await;
    consume(&world, "AAA", Consumed { version: first, rows: Some(2), rebuilt: false }).await;
    assert_eq!(failed(&judged(&world, "2017-12-30").await), [RULE]);
    let second = land(&world, "2017-12-31", 2).await;
    consume(&world, "BBB", Consumed { version: second, rows: Some(5), rebuilt: true }).await;
    let rebuilt = judged(&world, "2017-12-31").await;
    assert_eq!((failed(&rebuilt), rebuilt.verdict.passed), (vec![], true));
    assert_eq!(finding(&rebuilt, RULE).message, "of 5 rows that bronze_rates accepted, 5 are accounted for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_did_not_say_what_it_read_is_not_judged() {
    let world = World::new();
    let first = land(&world, "2017-12-30", 3).await;
    consume(&world, "AAA", Consumed { version: first, rows: None, rebuilt: false }).await;
    let old = judged(&world, "2017-12-30").await;
    assert_eq!((finding(&old, RULE).state, finding(&old, RULE).failed(), old.verdict.passed), (State::NotJudged, false, true));
    let second = land(&world, "2017-12-31", 2).await;
    consume(&world, "BBB", Consumed { version: second, rows: Some(2), rebuilt: false }).await;
    assert!(finding(&judged(&world, "2017-12-31").await, RULE).held());
}
