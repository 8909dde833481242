//! Replays on a lake in a temporary directory.

use crate::{
    testing,
    testing_lake::{World, code},
};
use lake_core::{Ledger, summary::Outcome};
use lake_table::TableSpec;
use std::process::ExitCode;

const ALLOWED: &str = "allowed: [USD, EUR]";
const MENDED: &str = "allowed: [USD, EUR, GBP]";
const REPLAY: [&str; 1] = ["--replay"];

fn event(id: &str, order: &str, kind: &str, minute: u32, more: &str) -> String {
    format!(r#"{{"id":"{id}","kind":"{kind}","order_id":"{order}","at":"2017-12-30T12:{minute:02}:00Z",{more}}}"#)
}

fn line(number: u32, net: u32) -> String {
    format!(r#"{{"line":{number},"quantity":1,"gross":1,"discount":0,"net":{net}}}"#)
}

/// An order of two lines.
fn placed(order: &str, minute: u32, currency: &str) -> String {
    let lines = format!("{},{}", line(1, 1), line(2, 1));
    let more = format!(r#""customer_id":"c{minute}","currency":"{currency}","lines":[{lines}]"#);
    event(&format!("{order}-{minute}"), order, "PLACED", minute, &more)
}

/// An order whose line does not add up.
fn wrong(order: &str, minute: u32, currency: &str) -> String {
    placed(order, minute, currency).replace(r#""net":1"#, r#""net":2"#)
}

fn held(world: &World, table: &str) -> usize {
    world.rows(&TableSpec::held(world.contracts.get(table).unwrap()), &["_position"]).len()
}

/// Versions of the table and of what is left over of it.
fn versions(world: &World, table: &str) -> [Option<i64>; 3] {
    let contract = world.contracts.get(table).unwrap();
    [TableSpec::of(contract), TableSpec::quarantine(contract), TableSpec::held(contract)].map(|spec| world.version(&spec))
}

/// The log entry of the newest version of a table of leftovers.
fn last_entry(world: &World, table: &str, spec: fn(&lake_core::Contract) -> TableSpec) -> std::path::PathBuf {
    let spec = spec(world.contracts.get(table).unwrap());
    world.log(&spec.location, world.version(&spec).unwrap())
}

/// Orders in pounds and orders that do not add up, under a contract that knows no pounds; then the contract is mended.
fn mended(table: &str) -> World {
    let world = World::new();
    world.events(&[&placed("o1", 1, "USD"), &placed("o2", 2, "GBP"), &wrong("o3", 3, "USD"), &wrong("o4", 4, "GBP")]);
    world.good(table, &[]);
    world.events(&[&placed("o5", 5, "GBP"), "broken", &placed("o6", 6, "CHF")]);
    world.good(table, &[]);
    world.mend("bronze_events", ALLOWED, MENDED);
    world
}

#[test]
fn a_mended_contract_brings_back_exactly_the_right_rows() {
    let world = mended("silver_items");
    assert_eq!((world.silver("silver_items", &["order_id"]).len(), world.quarantine("silver_items").len()), (2, 11));
    let done = world.good("silver_items", &REPLAY);
    assert_eq!(done.outcome, Outcome::Committed);
    assert_eq!(done.ledger, Ledger { read: 11, accepted: 4, quarantined: 7, ..Ledger::default() });
    assert_eq!(
        world.silver("silver_items", &["order_id", "line", "at"]),
        [("o1", 1), ("o2", 2), ("o5", 5)]
            .iter()
            .flat_map(|(order, minute)| (1..=2).map(move |line| format!("{order} {line} 2017-12-30T12:{minute:02}:00Z")))
            .collect::<Vec<_>>()
    );
    // What breaks the contract still stays once, as it stood.
    assert_eq!(
        world.quarantine("silver_items"),
        [
            "1 events/0/2 1 net_disagrees",
            "1 events/0/2 2 net_disagrees",
            "1 events/0/3 1 currency_invalid,net_disagrees",
            "1 events/0/3 2 currency_invalid,net_disagrees",
            "2 events/0/5 - payload_undecodable",
            "2 events/0/6 1 currency_invalid",
            "2 events/0/6 2 currency_invalid"
        ]
    );
    // Twice is once.
    let before = versions(&world, "silver_items");
    let again = world.good("silver_items", &REPLAY);
    assert_eq!((again.outcome, again.ledger.accepted, again.ledger.quarantined), (Outcome::Unchanged, 0, 7));
    assert_eq!(world.run("silver_items", &["--replay", "--skip-when-empty"]).0, code(ExitCode::from(99)));
    let copy = world.good("silver_items", &["--replay", "--run-id", &done.run_id.to_string()]);
    assert_eq!((copy.outcome, copy.ledger), (Outcome::AlreadyDone, done.ledger));
    assert_eq!(versions(&world, "silver_items"), before);
    // What comes next is consumed as ever.
    world.events(&[&placed("o7", 7, "GBP")]);
    assert_eq!(world.good("silver_items", &[]).ledger, Ledger { read: 2, accepted: 2, ..Ledger::default() });
}

#[test]
fn a_replay_leaves_the_tables_of_a_contract_that_was_always_right() {
    let world = World::new();
    let days = [
        vec![placed("o1", 1, "GBP"), placed("o2", 5, "GBP"), wrong("o3", 3, "USD")],
        vec![placed("o1", 9, "USD"), placed("o2", 2, "EUR"), event("p", "o1", "PAID", 4, r#""payment":{"method":"card"}"#)],
    ];
    let right = World::new();
    right.mend("bronze_events", ALLOWED, MENDED);
    for day in &days {
        let events: Vec<&str> = day.iter().map(String::as_str).collect();
        for world in [&world, &right] {
            world.events(&events);
            world.good("silver_orders", &[]);
        }
    }
    world.mend("bronze_events", ALLOWED, MENDED);
    let done = world.good("silver_orders", &REPLAY);
    // The order of minute 1 was placed anew in minute 9; that of minute 5 is newer than what stands there.
    assert_eq!(done.ledger, Ledger { read: 3, accepted: 1, superseded: 1, quarantined: 1, ..Ledger::default() });
    let columns = ["order_id", "customer_id", "currency", "status", "method", "placed_at", "_header_version", "_payment_version"];
    assert_eq!(world.silver("silver_orders", &columns), right.silver("silver_orders", &columns));
    assert_eq!(world.quarantine("silver_orders"), right.quarantine("silver_orders"));
}

#[test]
fn events_that_are_replayed_are_kept_once() {
    let world = World::new();
    let returned = |id: &str, net: u32| event(id, "o1", "RETURNED", 1, &format!(r#""lines":[{}]"#, line(1, net)));
    world.events(&[&returned("a", 2), &returned("b", 2), &returned("c", 1)]);
    world.good("silver_movements", &[]);
    world.mend("bronze_events", "result: net, left: gross", "result: gross, left: gross");
    let done = world.good("silver_movements", &REPLAY);
    // Two of them say the same.
    assert_eq!(done.ledger, Ledger { read: 2, accepted: 1, duplicate: 1, ..Ledger::default() });
    assert_eq!(world.silver("silver_movements", &["id"]), ["a", "c"]);
    assert_eq!(world.quarantine("silver_movements"), Vec::<String>::new());
    assert_eq!(world.good("silver_movements", &REPLAY).outcome, Outcome::Unchanged);
}

#[test]
fn a_crash_between_data_and_leftovers_is_made_up_for() {
    let world = mended("silver_items");
    let done = world.good("silver_items", &REPLAY);
    let (rows, left, end) = (
        world.silver("silver_items", &["order_id", "_run_id"]),
        world.quarantine("silver_items"),
        versions(&world, "silver_items"),
    );
    // The leftovers were never taken out.
    std::fs::remove_file(last_entry(&world, "silver_items", TableSpec::quarantine)).unwrap();
    assert_eq!(world.quarantine("silver_items").len(), 11);
    // Not even a contract that would refuse these rows again makes a difference: they are in.
    world.mend("bronze_events", MENDED, ALLOWED);
    let retried = world.good("silver_items", &REPLAY);
    assert_eq!((retried.outcome, retried.ledger.read, done.ledger.read), (Outcome::Unchanged, 7, 11));
    assert_eq!((world.silver("silver_items", &["order_id", "_run_id"]), world.quarantine("silver_items")), (rows, left));
    assert_eq!(versions(&world, "silver_items"), end);
}

#[test]
fn a_crash_before_the_data_changes_nothing() {
    let world = mended("silver_items");
    let left = world.quarantine("silver_items");
    let done = world.good("silver_items", &REPLAY);
    let (rows, after) = (world.silver("silver_items", &["order_id", "line"]), world.quarantine("silver_items"));
    std::fs::remove_file(last_entry(&world, "silver_items", TableSpec::quarantine)).unwrap();
    std::fs::remove_file(world.log("silver/items", done.table_version.unwrap())).unwrap();
    assert_eq!((world.silver("silver_items", &["order_id"]).len(), world.quarantine("silver_items")), (2, left));
    assert_eq!(world.good("silver_items", &REPLAY).ledger, done.ledger);
    assert_eq!((world.silver("silver_items", &["order_id", "line"]), world.quarantine("silver_items")), (rows, after));
}

#[test]
fn what_a_rebuild_leaves_over_again_is_not_taken_out() {
    let world = mended("silver_items");
    let left = world.quarantine("silver_items");
    world.good("silver_items", &REPLAY);
    std::fs::remove_file(last_entry(&world, "silver_items", TableSpec::quarantine)).unwrap();
    world.mend("bronze_events", MENDED, ALLOWED);
    world.good("silver_items", &["--full-refresh"]);
    assert_eq!((world.silver("silver_items", &["order_id"]).len(), world.quarantine("silver_items")), (2, left.clone()));
    assert_eq!(world.good("silver_items", &REPLAY).outcome, Outcome::Unchanged);
    assert_eq!((world.silver("silver_items", &["order_id"]).len(), world.quarantine("silver_items")), (2, left));
}

#[test]
fn leftovers_of_data_that_is_not_in_are_left_alone() {
    let world = World::new();
    world.events(&[&placed("o1", 1, "USD")]);
    world.good("silver_orders", &[]);
    world.events(&[&placed("o2", 2, "GBP")]);
    let done = world.good("silver_orders", &[]);
    // A run stands between its two commits.
    std::fs::remove_file(world.log("silver/orders", done.table_version.unwrap())).unwrap();
    world.mend("bronze_events", ALLOWED, MENDED);
    let replayed = world.good("silver_orders", &REPLAY);
    assert_eq!((replayed.outcome, replayed.ledger), (Outcome::Unchanged, Ledger::default()));
    assert_eq!(world.good("silver_orders", &[]).ledger, Ledger { read: 1, accepted: 1, ..Ledger::default() });
    assert_eq!((world.silver("silver_orders", &["order_id"]).len(), world.quarantine("silver_orders").len()), (2, 0));
}

#[test]
fn rows_at_one_position_are_told_apart() {
    let world = World::new();
    let at = testing::WINDOW_FROM;
    let rows = [(8, "XXX", "PLACED", at), (8, "USD", "PLACED", at), (8, "YYY", "PLACED", at), (8, "XXX", "PLACED", at)];
    world.land("bronze_orders", &testing::bronze_orders(&rows), false);
    world.good("silver_orders", &[]);
    assert_eq!(world.quarantine("silver_orders").len(), 3);
    world.mend("silver_orders", ALLOWED, "allowed: [USD, EUR, XXX]");
    let done = world.good("silver_orders", &REPLAY);
    // Of the same instant the first stays, as ever; what matters here is which rows were read.
    assert_eq!((done.ledger.read, done.ledger.quarantined), (3, 1));
    let left = world.rows(&TableSpec::quarantine(&testing::orders()), &["_position", "_payload"]);
    assert_eq!(left.len(), 1);
    assert_eq!(world.good("silver_orders", &REPLAY).outcome, Outcome::Unchanged);
    world.mend("silver_orders", "allowed: [USD, EUR, XXX]", "allowed: [USD, EUR, YYY]");
    assert_eq!(world.good("silver_orders", &REPLAY).ledger.read, 1);
    assert_eq!(world.quarantine("silver_orders"), Vec::<String>::new());
}

#[test]
fn held_rows_come_in_when_the_window_is_wider_or_a_person_says_so() {
    let old = |order: &str| placed(order, 1, "USD").replace("2017-12-30T", "2017-12-20T");
    let world = World::new();
    world.events(&[&old("o1"), &placed("o2", 2, "USD")]);
    world.good("silver_items", &[]);
    let still = world.good("silver_items", &REPLAY);
    assert_eq!((still.outcome, still.ledger), (Outcome::Unchanged, Ledger { read: 2, held: 2, ..Ledger::default() }));
    let done = world.good("silver_items", &["--replay", "--rule", "late_window", "--held"]);
    assert_eq!(done.ledger, Ledger { read: 2, accepted: 2, ..Ledger::default() });
    assert_eq!((world.silver("silver_items", &["order_id", "is_late"]).len(), held(&world, "silver_items")), (4, 0));
    assert_eq!(world.silver("silver_items", &["order_id", "is_late"])[0], "o1 true");
    world.events(&[&old("o3")]);
    world.good("silver_items", &[]);
    assert_eq!(held(&world, "silver_items"), 2);
    world.mend("silver_items", "lateWindow: 7d", "lateWindow: 30d");
    assert_eq!(world.good("silver_items", &REPLAY).ledger.accepted, 2);
    assert_eq!((world.silver("silver_items", &["order_id"]).len(), held(&world, "silver_items")), (6, 0));
    // A crash after the data: the held rows go at the next try.
    std::fs::remove_file(last_entry(&world, "silver_items", TableSpec::held)).unwrap();
    assert_eq!(held(&world, "silver_items"), 2);
    assert_eq!(world.good("silver_items", &REPLAY).outcome, Outcome::Unchanged);
    assert_eq!((world.silver("silver_items", &["order_id"]).len(), held(&world, "silver_items")), (6, 0));
}

#[test]
fn a_broken_row_that_came_late_stays_until_a_person_lets_it_in() {
    let world = World::new();
    world.events(&[&placed("o1", 1, "GBP").replace("2017-12-30T", "2017-12-20T")]);
    world.good("silver_items", &[]);
    world.mend("bronze_events", ALLOWED, MENDED);
    assert_eq!(world.good("silver_items", &REPLAY).ledger, Ledger { read: 2, held: 2, ..Ledger::default() });
    assert_eq!((world.quarantine("silver_items").len(), held(&world, "silver_items")), (2, 0));
    assert_eq!(world.good("silver_items", &["--replay", "--held"]).ledger.accepted, 2);
    assert_eq!((world.quarantine("silver_items").len(), world.silver("silver_items", &["order_id"]).len()), (0, 2));
}

#[test]
fn only_what_is_asked_for_is_replayed() {
    let world = mended("silver_items");
    world.mend("silver_items", "version: 1.0.0", "version: 1.1.0");
    world.events(&[&placed("o7", 7, "CHF")]);
    world.good("silver_items", &[]);
    world.mend("bronze_events", "GBP]", "GBP, CHF]");
    let read = |more: &[&str]| {
        let asked: Vec<&str> = REPLAY.iter().chain(more).copied().collect();
        world.good("silver_items", &asked).ledger.read
    };
    assert_eq!(read(&["--rule", "payload_undecodable"]), 1);
    assert_eq!(read(&["--rule", "net_disagrees"]), 4);
    assert_eq!((read(&["--since", "2999-01-01"]), read(&["--until", "2000-01-01T00:00:00Z"])), (0, 0));
    assert_eq!((read(&["--rule", "late_window"]), read(&["--contract", "9.9.9"])), (0, 0));
    assert_eq!(world.silver("silver_items", &["order_id"]).len(), 2);
    assert_eq!(read(&["--contract", "1.1.0"]), 2);
    assert_eq!(world.silver("silver_items", &["order_id"]), ["o1", "o1", "o7", "o7"]);
    assert_eq!(read(&["--rule", "currency_invalid", "--since", "2020-01-01", "--until", "2999-01-01"]), 8);
    assert_eq!(world.silver("silver_items", &["order_id"]).len(), 10);
    assert_eq!(world.quarantine("silver_items").len(), 5);
}

#[test]
fn a_replay_that_cannot_be_is_refused() {
    let world = mended("silver_items");
    for more in [&["--rule", "x"][..], &["--held"], &["--replay", "--full-refresh"], &["--replay", "--since", "then"]] {
        assert_eq!(world.run("silver_items", more).0, code(ExitCode::from(2)), "{more:?}");
    }
    assert_eq!(world.run("silver_fx_rates", &REPLAY).0, code(ExitCode::from(2)));
    assert_eq!(world.run("bronze_events", &REPLAY).0, code(ExitCode::from(2)));
    // Nothing was ever left over, or even made.
    assert_eq!(world.good("silver_movements", &REPLAY).outcome, Outcome::Unchanged);
    // The next generation of the window took the rows away.
    world.land("bronze_events", &testing::bronze_from(0, &[]), true);
    let before = versions(&world, "silver_items");
    assert_eq!(world.run("silver_items", &REPLAY).0, code(ExitCode::from(65)));
    assert_eq!(versions(&world, "silver_items"), before);
}

#[test]
fn two_replays_at_once_are_one() {
    let world = mended("silver_items");
    let other = std::thread::spawn(world.prepared("silver_items", &REPLAY, "other"));
    let own = world.prepared("silver_items", &REPLAY, "own")();
    assert_eq!([own, other.join().unwrap()], [code(ExitCode::SUCCESS), code(ExitCode::SUCCESS)]);
    assert_eq!((world.silver("silver_items", &["order_id"]).len(), world.quarantine("silver_items").len()), (6, 7));
    assert_eq!(world.good("silver_items", &REPLAY).outcome, Outcome::Unchanged);
}
