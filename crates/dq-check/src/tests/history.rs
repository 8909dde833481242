//! What a window brought, beside what earlier windows brought.

use super::*;
use lake_core::{
    contract::{
        history::{History, Trend},
        layer::CustomProperty,
        odcs::Severity,
    },
    summary::Outcome,
};
use lake_quality::State;
use serde_json::{Value, json};

const RATES: &str = "bronze_rates";
const VOLUME: &str = "volume:rows";

fn day(number: u32) -> String {
    format!("2017-12-{number:02}")
}

/// Lands rows on a day, each of its own currency, and judges the day.
async fn landed(world: &World, number: u32, rows: u32) -> Judged {
    let codes: Vec<String> = (0..rows).map(|row| format!("A{}{}", letter(row / 26), letter(row % 26))).collect();
    let codes: Vec<Option<&str>> = codes.iter().map(|code| Some(code.as_str())).collect();
    world.put(RATES, &rates(&day(number), &codes), false).await;
    world.ask(RATES).window(&day(number)).judge().await.unwrap()
}

fn letter(number: u32) -> char {
    char::from_u32(u32::from('A') + number).unwrap()
}

/// Records the verdict about the first day as if the thirteen days after it had brought the same.
async fn repeated(world: &World, first: &Judged) {
    let days = (2..=14).map(|number| {
        let mut verdict = first.verdict.clone();
        verdict.key.window = day(number).parse().unwrap();
        verdict.to_batch().unwrap()
    });
    let batches: Vec<RecordBatch> = days.collect();
    let mut verdicts = Table::open(&world.lake, &verdict::spec()).await.unwrap().unwrap();
    let summary = world.summary(&first.verdict.key.table);
    let committed = verdicts.commit(async |table: &Table| {
        let mut writer = table.writer();
        for batch in &batches {
            writer.write(batch).await.unwrap();
        }
        let (inserted, add) = (writer.rows(), writer.finish().await.unwrap());
        let summary = summary.clone();
        Ok(Plan::Commit(Proposal { add, remove: Vec::new(), txns: Vec::new(), inserted, removed: 0, summary }))
    });
    committed.await.unwrap();
}

/// A lake in which fourteen days brought 20 rows each.
async fn fortnight() -> World {
    let world = World::new();
    let first = landed(&world, 1, 20).await;
    let volume = finding(&first, VOLUME);
    assert_eq!((volume.state, volume.measured, first.verdict.passed), (State::Learning, Some(20.0), true));
    assert_eq!((first.summary.facts["learning"].as_u64(), first.verdict.score), (Some(1), 100.0));
    repeated(&world, &first).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_window_are_compared_with_those_of_earlier_ones() {
    let world = fortnight().await;
    let usual = landed(&world, 15, 22).await;
    assert_eq!((finding(&usual, VOLUME).held(), finding(&usual, VOLUME).measured), (true, Some(22.0)));
    // The tested window is not in its own baseline, and a warning lets it pass.
    let many = landed(&world, 16, 60).await;
    let volume = finding(&many, VOLUME);
    assert_eq!((failed(&many), volume.severity, many.verdict.passed), (vec![VOLUME], Severity::Warning, true));
    assert_eq!(volume.expected, "<= 5 deviations of 1 from 20, the median of 15 windows");
    assert_eq!(volume.message, "60 rows were added since the window began, 40.0 deviations from the median of earlier windows");
    // A dead source brings nothing, although no version is new.
    let nothing = world.ask(RATES).window(&day(17)).judge().await.unwrap();
    assert_eq!((failed(&nothing), finding(&nothing, VOLUME).measured), (vec![VOLUME], Some(0.0)));
    let version = Table::open(&world.lake, &verdict::spec()).await.unwrap().unwrap().version();
    let again = world.ask(RATES).window(&day(16)).run(2).at(RATES, many.verdict.key.version).judge().await.unwrap();
    assert_eq!((&again.verdict, again.summary.outcome), (&many.verdict, Outcome::AlreadyDone));
    assert_eq!(Table::open(&world.lake, &verdict::spec()).await.unwrap().unwrap().version(), version);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_may_stop_what_is_unusual_and_say_what_is() {
    let world = fortnight().await;
    let trend = |deviations_max, severity| {
        let volume = Trend { deviations_max, severity };
        CustomProperty::History(History { volume, ..History::default() })
    };
    world.put(RATES, &rates(&day(15), &[Some("ZZZ")]), false).await;
    let stopped = world.ask(RATES).window(&day(15)).with_property(trend(5, Severity::Error)).judge().await.unwrap();
    assert_eq!((failed(&stopped), stopped.verdict.passed), (vec![VOLUME], false));
    // What is usual is a matter of other windows, so it does not block the next one.
    let next = landed(&world, 16, 20).await;
    assert_eq!((failed(&next), next.summary.ledger.read, finding(&next, VOLUME).measured), (vec![], 21, Some(20.0)));
    world.put(RATES, &rates(&day(17), &[Some("ZZZ")]), false).await;
    let roomy = world.ask(RATES).window(&day(17)).with_property(trend(20, Severity::Error)).judge().await.unwrap();
    assert_eq!(failed(&roomy), Vec::<&str>::new());
}

/// Adds a column to a table as an operator does: a commit that says what the table is, and nothing else.
async fn widened(world: &World, table: &str, column: &str) {
    let (spec, version) = (TableSpec::of(world.contract(table)), world.table(table).await.version() + 1);
    let entry = |version: i64| format!("{}/_delta_log/{version:020}.json", spec.location);
    let created = world.lake.get(&entry(0)).await.unwrap().unwrap();
    let actions: Vec<Value> = created.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let mut metadata = actions.into_iter().find(|action| action.get("metaData").is_some()).unwrap();
    let mut schema: Value = serde_json::from_str(metadata["metaData"]["schemaString"].as_str().unwrap()).unwrap();
    schema["fields"].as_array_mut().unwrap().push(json!({ "name": column, "type": "string", "nullable": true, "metadata": {} }));
    metadata["metaData"]["schemaString"] = schema.to_string().into();
    assert!(world.lake.create(&entry(version), metadata.to_string().into()).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_behind_a_new_column_is_compared_with_what_was_there_without_it() {
    let world = World::new();
    landed(&world, 1, 20).await;
    world.put(RATES, &rates(&day(2), &[Some("ZZY"), Some("ZZZ")]), false).await;
    widened(&world, RATES, "note").await;
    let ask = world.ask(RATES).window(&day(2)).with_column("note", "currency");
    assert_eq!(finding(&ask.judge().await.unwrap(), VOLUME).measured, Some(2.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_out_of_their_order_are_not_compared() {
    let world = World::new();
    landed(&world, 1, 20).await;
    assert_eq!(finding(&landed(&world, 3, 20).await, VOLUME).measured, Some(20.0));
    let made_up = landed(&world, 2, 20).await;
    assert!(made_up.verdict.report.findings.iter().all(|f| f.rule != VOLUME), "{made_up:?}");
    let next = landed(&world, 4, 20).await;
    assert_eq!(finding(&next, VOLUME).measured, Some(20.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn nulls_of_a_column_are_compared_with_those_of_earlier_windows() {
    let world = World::new();
    world.put("gold_owners", &[("id", texts(&[Some("o1")]))], false).await;
    let judged = async |number: u32, sizes: &[Option<i64>]| {
        let ids: Vec<String> = (0..sizes.len()).map(|row| row.to_string()).collect();
        let ids: Vec<Option<&str>> = ids.iter().map(|id| Some(id.as_str())).collect();
        let owners = vec![Some("o1"); sizes.len()];
        world.put("gold_things", &[("id", texts(&ids)), ("owner", texts(&owners)), ("size", longs(sizes))], true).await;
        world.ask("gold_things").window(&day(number)).judge().await.unwrap()
    };
    let learning = judged(1, &[Some(1), Some(2), Some(3), Some(4)]).await;
    assert_eq!(finding(&learning, "nulls:size").measured, Some(0.0));
    assert_eq!(learning.summary.facts["learning"].as_u64(), Some(3));
    repeated(&world, &learning).await;
    let usual = judged(15, &[Some(1), Some(2), Some(3), Some(4)]).await;
    assert!(finding(&usual, "nulls:size").held() && finding(&usual, "nulls:owner").held());
    let holes = judged(16, &[Some(1), Some(2), Some(3), None]).await;
    assert_eq!((failed(&holes), holes.verdict.passed), (vec!["size_missing", "nulls:size"], true), "{holes:#?}");
    let nulls = finding(&holes, "nulls:size");
    assert_eq!(nulls.message, "size: 25.00 percent of the rows are null, 50.0 deviations from the median of earlier windows");
    // Gold is rebuilt as a whole: what a window adds is what there is more.
    assert_eq!(finding(&holes, VOLUME).measured, Some(0.0));
}
