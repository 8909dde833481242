//! The whole program on a lake in a temporary directory.

use crate::{
    testing,
    testing_lake::{World, code},
};
use lake_core::{Ledger, summary::Outcome};
use lake_table::{Table, TableSpec};
use std::process::ExitCode;

const LINES: &str =
    r#""lines":[{"line":1,"quantity":1,"gross":1,"discount":0,"net":1},{"line":2,"quantity":2,"gross":2,"discount":0,"net":2}]"#;

fn ledger(read: u64, accepted: u64, quarantined: u64, duplicate: u64, superseded: u64, filtered: u64) -> Ledger {
    Ledger { read, accepted, quarantined, duplicate, superseded, filtered, held: 0 }
}

fn event(id: &str, order: &str, kind: &str, minute: u32, more: &str) -> String {
    format!(r#"{{"id":"{id}","kind":"{kind}","order_id":"{order}","at":"2017-12-30T12:{minute:02}:00Z",{more}}}"#)
}

fn placed(id: &str, order: &str, minute: u32) -> String {
    event(id, order, "PLACED", minute, &format!(r#""customer_id":"c{minute}","currency":"USD",{LINES}"#))
}

fn paid(id: &str, order: &str, minute: u32) -> String {
    event(id, order, "PAID", minute, r#""payment":{"method":"card"}"#)
}

#[test]
fn what_is_new_is_merged_once() {
    let world = World::new();
    world.events(&[&placed("a", "o1", 1), &placed("b", "o2", 2), &paid("c", "o1", 3), "broken"]);
    let first = world.good("silver_orders", &[]);
    assert_eq!((first.ledger, first.outcome, first.inputs["bronze_events"]), (ledger(4, 3, 1, 0, 0, 0), Outcome::Committed, 1));
    assert_eq!(first.facts["ledger_by_input"]["bronze_events"]["accepted"], 3);
    assert_eq!((&first.facts["consumed"]["bronze_events"], first.facts.get("rebuilt")), (&4.into(), None));
    world.events(&[&paid("d", "o2", 4), &paid("c", "o1", 3), &paid("e", "o1", 0), &event("f", "o3", "RETURNED", 1, LINES)]);
    let second = world.good("silver_orders", &[]);
    assert_eq!(second.ledger, ledger(4, 1, 0, 1, 1, 1));
    let (run1, run2) = (first.run_id.to_string(), second.run_id.to_string());
    let columns = ["order_id", "customer_id", "status", "paid_at", "_run_id"];
    assert_eq!(
        world.silver("silver_orders", &columns),
        [format!("o1 c1 PAID 2017-12-30T12:03:00Z {run1}"), format!("o2 c2 PAID 2017-12-30T12:04:00Z {run2}")]
    );
    let spec = TableSpec::of(&testing::orders());
    let before = world.version(&spec);
    let third = world.good("silver_orders", &[]);
    assert_eq!((third.outcome, third.ledger, world.version(&spec)), (Outcome::Unchanged, Ledger::default(), before));
    let again = world.good("silver_orders", &["--run-id", &run2]);
    assert_eq!((again.outcome, again.ledger), (Outcome::AlreadyDone, second.ledger));
    assert_eq!(world.run("silver_orders", &["--skip-when-empty"]).0, code(ExitCode::from(99)));
}

/// Beside a day's run a stream may have brought one of its tables further than the day's run was to go.
#[test]
fn a_summary_says_how_far_its_table_has_read() {
    let world = World::new();
    for (version, payload) in [(1, placed("a", "o1", 1)), (2, placed("b", "o2", 2))] {
        world.events(&[&payload]);
        world.judge("bronze_events", version, true);
    }
    assert_eq!(world.good("silver_orders", &[]).inputs["bronze_events"], 2);
    let earlier = ["--input", "bronze_events@1"];
    let orders = world.good("silver_orders", &earlier);
    assert_eq!((orders.outcome, orders.inputs["bronze_events"]), (Outcome::Unchanged, 2));
    assert_eq!(world.good("silver_items", &earlier).inputs["bronze_events"], 1);
}

#[test]
fn both_inputs_meet_in_one_row() {
    let world = World::new();
    world.events(&[&paid("a", "7", 3)]);
    let rows = testing::bronze_orders(&[(7, "usd", "PLACED", testing::WINDOW_FROM), (8, "XXX", "PLACED", testing::WINDOW_FROM)]);
    world.land("bronze_orders", &rows, false);
    let done = world.good("silver_orders", &[]);
    assert_eq!((done.ledger, done.inputs.len()), (ledger(3, 2, 1, 0, 0, 0), 2));
    assert_eq!(
        world.silver("silver_orders", &["order_id", "currency", "source", "status", "method"]),
        ["7 USD snowflake PAID card"]
    );
    assert_eq!(world.quarantine("silver_orders"), [format!("1 8@{} - currency_invalid", testing::WINDOW_FROM)]);
}

#[test]
fn a_fixed_version_is_the_last_that_is_read() {
    let world = World::new();
    world.events(&[&placed("a", "o1", 1)]);
    world.events(&[&placed("b", "o2", 1)]);
    world.judge("bronze_events", 1, true);
    world.judge("bronze_events", 2, true);
    world.good("silver_orders", &["--input", "bronze_events@1"]);
    assert_eq!(world.silver("silver_orders", &["order_id"]), ["o1"]);
    assert_eq!(world.good("silver_orders", &["--input", "bronze_events@1"]).outcome, Outcome::Unchanged);
    world.good("silver_orders", &["--input", "bronze_events@2"]);
    assert_eq!(world.silver("silver_orders", &["order_id"]), ["o1", "o2"]);
    assert_eq!(world.run("silver_orders", &["--input", "bronze_events@9"]).0, code(ExitCode::from(65)));
    assert_eq!(world.run("silver_orders", &["--input", "bronze_fx@1"]).0, code(ExitCode::from(2)));
    assert_eq!(world.run("bronze_events", &[]).0, code(ExitCode::from(2)));
}

#[test]
fn nothing_is_read_that_has_not_passed() {
    let world = World::new();
    world.events(&[&placed("a", "o1", 1)]);
    let fixed = ["--input", "bronze_events@1"];
    assert_eq!(world.run("silver_orders", &fixed).0, code(ExitCode::from(65)), "nobody has looked at it");
    world.judge("bronze_events", 1, false);
    assert_eq!(world.run("silver_orders", &fixed).0, code(ExitCode::from(65)), "it failed");
    assert_eq!(world.run("silver_orders", &[]).0, code(ExitCode::from(65)));
    assert_eq!(world.version(&TableSpec::of(&testing::orders())), Some(0), "something was committed");
    world.judge("bronze_events", 1, true);
    world.good("silver_orders", &fixed);
    world.events(&[&placed("b", "o2", 1)]);
    assert_eq!(world.good("silver_orders", &[]).outcome, Outcome::Unchanged);
}

#[test]
fn a_slice_that_removes_rows_needs_a_full_refresh() {
    let world = World::new();
    world.events(&[&placed("a", "o1", 1), "broken", &placed("old", "o9", 1)]);
    world.good("silver_orders", &[]);
    let corrected = placed("b", "o2", 1);
    world.land("bronze_events", &testing::bronze_from(0, &[Some(corrected.as_bytes()), Some(b"also broken")]), true);
    assert_eq!(world.run("silver_orders", &[]).0, code(ExitCode::from(65)));
    assert_eq!(world.silver("silver_orders", &["order_id"]), ["o1", "o9"]);
    let done = world.good("silver_orders", &["--full-refresh"]);
    assert_eq!(done.ledger, ledger(2, 1, 1, 0, 0, 0));
    assert_eq!(world.silver("silver_orders", &["order_id"]), ["o2"]);
    assert_eq!(world.quarantine("silver_orders"), ["2 events/0/1 - payload_undecodable"]);
    assert_eq!(world.good("silver_orders", &[]).outcome, Outcome::Unchanged);
    world.good("silver_orders", &["--full-refresh"]);
    assert_eq!((world.silver("silver_orders", &["order_id"]).len(), world.quarantine("silver_orders").len()), (1, 1));
}

#[test]
fn a_rebuild_reads_no_less_than_what_was_read() {
    let world = World::new();
    world.events(&[&placed("a", "o1", 1)]);
    world.events(&[&placed("b", "o2", 1)]);
    world.good("silver_orders", &[]);
    // Progress cannot go back, so what comes after this version would never be read again.
    world.judge("bronze_events", 1, true);
    assert_eq!(world.run("silver_orders", &["--full-refresh"]).0, code(ExitCode::from(65)));
    assert_eq!(world.silver("silver_orders", &["order_id"]), ["o1", "o2"]);
    world.judge("bronze_events", 2, true);
    world.good("silver_orders", &["--full-refresh"]);
    assert_eq!(world.silver("silver_orders", &["order_id"]), ["o1", "o2"]);
}

#[test]
fn a_compaction_of_the_input_is_no_news_and_a_rebuild_reads_all_rows() {
    let world = World::new();
    world.events(&[&placed("a", "o1", 1), "broken"]);
    world.events(&[&placed("b", "o2", 1)]);
    world.good("silver_orders", &[]);
    let compacted = world.compact("bronze_events");
    assert_eq!((compacted.files_before, compacted.files_after, compacted.rows, compacted.version), (2, 1, 3, 3));
    assert_eq!(world.good("silver_orders", &[]).outcome, Outcome::Unchanged);
    world.events(&[&placed("c", "o3", 1)]);
    assert_eq!(world.good("silver_orders", &[]).ledger, ledger(1, 1, 0, 0, 0, 0));
    assert_eq!(world.good("silver_orders", &["--full-refresh"]).ledger, ledger(4, 3, 1, 0, 0, 0));
    assert_eq!(world.silver("silver_orders", &["order_id"]), ["o1", "o2", "o3"]);
    assert_eq!(world.quarantine("silver_orders"), ["1 events/0/1 - payload_undecodable"], "the version that brought it");
}

#[test]
fn many_runs_leave_few_files() {
    let world = World::new();
    let spec = TableSpec::of(&testing::orders());
    let files = || {
        let table = world.runtime.block_on(Table::open(&world.lake(), &spec)).unwrap();
        table.unwrap().files().len()
    };
    let runs = crate::SMALL_FILES_MAX + 3;
    let mut again = 0;
    for number in 0..runs {
        world.events(&[&placed(&format!("e{number}"), &format!("o{number:03}"), 1)]);
        let done = world.good("silver_orders", &[]);
        assert_eq!((done.ledger.accepted, done.table_version), (1, world.version(&spec)), "its commit is the newest");
        assert!(files() <= crate::SMALL_FILES_MAX + 1, "{} files after {number} runs", files());
        if files() > crate::SMALL_FILES_MAX {
            again += 1;
            assert_eq!(world.good("silver_orders", &[]).outcome, Outcome::Unchanged);
            assert_eq!(world.version(&spec), done.table_version, "the same command again commits nothing");
        }
    }
    assert_eq!(again, 1);
    assert!(files() <= 3, "{} files", files());
    assert_eq!(world.silver("silver_orders", &["order_id"]).len(), runs);
}

#[test]
fn a_rebuild_is_done_with_what_a_generation_took_away() {
    let world = World::new();
    world.events(&[&placed("a", "o1", 1), "broken"]);
    world.good("silver_orders", &[]);
    world.good("silver_items", &[]);
    // The next generation of the window found nothing: all rows go and none come.
    world.land("bronze_events", &testing::bronze_from(0, &[]), true);
    for table in ["silver_orders", "silver_items"] {
        assert_eq!(world.run(table, &[]).0, code(ExitCode::from(65)));
        world.good(table, &["--full-refresh"]);
        assert_eq!(world.silver(table, &["order_id"]), Vec::<String>::new());
        assert_eq!(world.good(table, &[]).outcome, Outcome::Unchanged);
    }
    assert_eq!(world.quarantine("silver_orders"), Vec::<String>::new());
    // Siblings that hold the same rows name the same version, whether they were rebuilt before or after the next rows came.
    world.good("silver_orders", &["--full-refresh"]);
    world.events(&[&placed("b", "o2", 1)]);
    world.good("silver_orders", &[]);
    world.good("silver_items", &["--full-refresh"]);
    assert_eq!(world.silver("silver_orders", &["order_id"]), ["o2"]);
    let progress = |contract: &lake_core::Contract| {
        world.runtime.block_on(async {
            let table = Table::open(&world.lake(), &TableSpec::of(contract)).await.unwrap().unwrap();
            table.txns().await.unwrap()
        })
    };
    let orders = progress(&testing::orders());
    assert_eq!(orders.values().copied().collect::<Vec<_>>(), [3]);
    assert_eq!(progress(&testing::items()), orders);
}

#[test]
fn a_crash_between_leftovers_and_data_loses_and_doubles_nothing() {
    let world = World::new();
    world.events(&["broken", &placed("a", "o1", 1)]);
    world.good("silver_items", &[]);
    let bad_line = event("b", "o2", "PLACED", 1, r#""customer_id":"c","currency":"USD","lines":[{"line":1},{"line":2}]"#);
    world.events(&[&bad_line, &placed("c", "o3", 1)]);
    let done = world.good("silver_items", &[]);
    assert_eq!(done.ledger, ledger(4, 2, 2, 0, 0, 0));
    let (rows, left) = (world.silver("silver_items", &["order_id", "line"]), world.quarantine("silver_items"));
    assert_eq!((rows.len(), left.len()), (4, 3));
    // The data's commit never happened.
    std::fs::remove_file(world.log("silver/items", done.table_version.unwrap())).unwrap();
    assert_eq!(world.silver("silver_items", &["order_id"]).len(), 2);
    world.events(&["broken, too"]);
    let resumed = world.good("silver_items", &[]);
    assert_eq!(resumed.ledger, ledger(5, 2, 3, 0, 0, 0));
    assert_eq!(world.silver("silver_items", &["order_id", "line"]), rows);
    let again = world.quarantine("silver_items");
    assert_eq!((&again[..3], again.len(), again[3].as_str()), (&left[..], 4, "3 events/0/4 - payload_undecodable"));
    // The same, with nothing new: the leftovers' progress cannot grow, and still they stand once.
    std::fs::remove_file(world.log("silver/items", resumed.table_version.unwrap())).unwrap();
    world.good("silver_items", &[]);
    assert_eq!((world.quarantine("silver_items"), world.silver("silver_items", &["order_id", "line"])), (again, rows));
}

#[test]
fn a_slow_run_leaves_the_leftovers_of_a_faster_one_alone() {
    let world = World::new();
    world.events(&[&placed("a", "o1", 1)]);
    world.good("silver_orders", &[]);
    world.events(&["broken"]);
    world.events(&["broken, too"]);
    [2, 3].iter().for_each(|version| world.judge("bronze_events", *version, true));
    let fast = world.good("silver_orders", &["--input", "bronze_events@3"]);
    // As if the slow one had planned, and committed its leftovers, while the fast one stood between its two commits.
    let log = world.log("silver/orders", fast.table_version.unwrap());
    let commit = std::fs::read(&log).unwrap();
    std::fs::remove_file(&log).unwrap();
    let slow = world.good("silver_orders", &["--input", "bronze_events@2"]);
    assert_eq!((slow.ledger, slow.table_version), (ledger(1, 0, 1, 0, 0, 0), fast.table_version));
    std::fs::write(&log, commit).unwrap();
    let left = world.quarantine("silver_orders");
    assert_eq!(left, ["2 events/0/1 - payload_undecodable", "3 events/0/2 - payload_undecodable"]);
}

#[test]
fn events_are_kept_once_across_runs() {
    let world = World::new();
    let returned = |id: &str| event(id, "o1", "RETURNED", 1, LINES);
    world.events(&[&returned("a"), &event("x", "o1", "CANCELLED", 5, r#""x":1"#), &placed("p", "o1", 1), &returned("b")]);
    let first = world.good("silver_movements", &[]);
    assert_eq!(first.ledger, ledger(6, 3, 0, 2, 0, 1));
    world.events(&[&returned("c"), &event("x", "o1", "CANCELLED", 6, r#""x":1"#), &event("y", "o1", "CANCELLED", 7, r#""x":1"#)]);
    let second = world.good("silver_movements", &[]);
    assert_eq!(second.ledger, ledger(4, 1, 0, 3, 0, 0));
    let rows = world.silver("silver_movements", &["id", "movement", "line", "quantity"]);
    assert_eq!(rows, ["a return 1 1", "a return 2 2", "x cancellation - -", "y cancellation - -"]);
}

#[test]
fn a_history_is_closed_across_files() {
    let world = World::new();
    let day = 86_400_000_000;
    world.land("bronze_customers", &testing::bronze_customers(&[(1, "Ada", day), (2, "Bob", day)]), false);
    world.good("silver_customers_history", &[]);
    world.land("bronze_customers", &testing::bronze_customers(&[(1, "Eve", 3 * day), (1, "Ada", day)]), false);
    let second = world.good("silver_customers_history", &[]);
    assert_eq!(second.ledger, ledger(2, 1, 0, 1, 0, 0));
    world.land("bronze_customers", &testing::bronze_customers(&[(1, "Cyd", 2 * day)]), false);
    let third = world.good("silver_customers_history", &[]).run_id.to_string();
    let rows = world.silver("silver_customers_history", &["id", "name", "valid_to"]);
    assert_eq!(rows, ["1 Ada 1970-01-03T00:00:00Z", "1 Cyd 1970-01-04T00:00:00Z", "1 Eve -", "2 Bob -"]);
    let changed =
        world.silver("silver_customers_history", &["name", "_run_id"]).into_iter().filter(|row| row.ends_with(&third)).count();
    assert_eq!(changed, 2);
}

#[test]
fn rates_keep_what_was_published_first() {
    let world = World::new();
    let history = [
        ("2017-12-28", "USD", "1.2"),
        ("2017-12-28", "GBP", "0.9"),
        ("2017-12-28", "cad", "N/A"),
        ("2017-12-27", "GBP", "0.8"),
        ("2017-12-28", "CHF", "-1"),
    ];
    world.land("bronze_fx", &testing::bronze_fx(&history), false);
    let first = world.good("silver_fx_rates", &[]);
    assert_eq!(first.ledger, ledger(5, 3, 1, 0, 0, 1));
    assert_eq!(world.good("silver_fx_revisions", &[]).ledger, ledger(5, 0, 1, 0, 0, 4));
    let gbp = || {
        world
            .silver("silver_fx_rates", &["currency", "date", "usd_rate", "observation_date"])
            .into_iter()
            .filter(|row| row.starts_with("GBP"))
    };
    let expected = ["28", "29", "30"].map(|day| format!("GBP 2017-12-{day} 1.3333333333 2017-12-28"));
    assert_eq!(gbp().collect::<Vec<_>>(), expected);
    let next = [
        ("2017-12-28", "USD", "1.2"),
        ("2017-12-28", "GBP", "0.91"),
        ("2017-12-28", "CAD", "1.5"),
        ("2017-12-28", "GBP", "0.91"),
    ];
    world.land("bronze_fx", &testing::bronze_fx(&next), false);
    let second = world.good("silver_fx_rates", &[]);
    assert_eq!(second.ledger, ledger(4, 1, 0, 1, 2, 0));
    assert_eq!(gbp().collect::<Vec<_>>(), expected);
    let runs = world.silver("silver_fx_rates", &["currency", "_run_id"]);
    assert!(runs.contains(&format!("GBP {}", first.run_id)) && runs.contains(&format!("CAD {}", second.run_id)), "{runs:?}");
    assert_eq!(world.good("silver_fx_revisions", &[]).ledger, ledger(4, 1, 0, 1, 0, 2));
    let revisions = world.silver(
        "silver_fx_revisions",
        &["currency", "observation_date", "first_units_per_eur", "revised_units_per_eur", "revised_on"],
    );
    assert_eq!(revisions, ["GBP 2017-12-28 0.9000000000 0.9100000000 2017-12-30"]);
    world.land("bronze_fx", &testing::bronze_fx(&next[1..2]), false);
    assert_eq!(world.good("silver_fx_revisions", &[]).ledger, ledger(1, 0, 0, 1, 0, 0));
}

#[test]
fn held_rows_stand_in_a_table_of_their_own() {
    let world = World::new();
    let old = placed("a", "o1", 1).replace("2017-12-30T", "2017-12-20T");
    world.events(&[&old, &placed("b", "o2", 1)]);
    let done = world.good("silver_items", &[]);
    assert_eq!(done.ledger, Ledger { read: 4, accepted: 2, held: 2, ..Ledger::default() });
    let held = world.rows(&TableSpec::held(&testing::items()), &["_input_table", "_line", "_rules", "_contract"]);
    assert_eq!(held, ["bronze_events 1 late_window silver_items@1.0.0", "bronze_events 2 late_window silver_items@1.0.0"]);
    assert_eq!(world.version(&TableSpec::quarantine(&testing::items())), None);
}

#[test]
fn the_help_shows_examples_and_exit_codes() {
    let help = <crate::Args as clap::CommandFactory>::command().render_long_help().to_string();
    for part in ["Examples:", "--full-refresh", "Exit codes:", "65"] {
        assert!(help.contains(part), "{help}");
    }
}
