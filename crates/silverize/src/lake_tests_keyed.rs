//! The whole program on things that are deleted, on pairs that are parted, and on rows that take values from others.

use crate::{
    testing_keyed::{Visit, bronze_of, days_later, deletion, people, visit},
    testing_lake::World,
};
use lake_core::{Ledger, Summary, summary::Outcome};

fn ledger(accepted: u64, duplicate: u64, superseded: u64) -> Ledger {
    Ledger { read: accepted + duplicate + superseded, accepted, duplicate, superseded, ..Ledger::default() }
}

fn payload(email: &str) -> Vec<u8> {
    format!(r#"{{"properties":{{"email":"{email}"}}}}"#).into_bytes()
}

/// Lands states of people (id, change, minute, e-mail) and brings a table up to date.
fn land(world: &World, table: &str, states: &[(&str, &str, i64, &str)]) -> Ledger {
    let payloads: Vec<Option<Vec<u8>>> = states.iter().map(|state| (!state.3.is_empty()).then(|| payload(state.3))).collect();
    let rows: Vec<_> = states.iter().zip(&payloads).map(|(state, own)| (state.0, state.1, state.2, own.as_deref())).collect();
    world.land("bronze_people", &people(&rows), false);
    world.good(table, &[]).ledger
}

fn at(minute: i64) -> String {
    format!("2017-12-30T00:{minute:02}:00Z")
}

#[test]
fn a_deleted_thing_stays_as_a_tombstone() {
    let world = World::new();
    let table = "silver_people";
    let rows = || world.silver(table, &["id", "email", "email_masked", "source", "seen_at", "deleted_at"]);
    assert_eq!(land(&world, table, &[("a", "present", 1, "a1"), ("b", "present", 1, "b1")]), ledger(2, 0, 0));
    assert_eq!(land(&world, table, &[("a", "archived", 10, "a1")]), ledger(1, 0, 0));
    let b = format!("b b1 [redacted] crm {} -", at(1));
    let gone = format!("a - - - {} {}", at(10), at(10));
    assert_eq!(rows(), [gone.clone(), b.clone()]);
    // A late update does not bring it back, and the same deletion again is nothing new.
    assert_eq!(land(&world, table, &[("a", "present", 5, "a5"), ("a", "archived", 10, "")]), ledger(0, 1, 1));
    assert_eq!(rows(), [gone, b.clone()]);
    // A later one does.
    assert_eq!(land(&world, table, &[("a", "present", 20, "a20"), ("a", "absent", 15, "")]), ledger(2, 0, 0));
    assert_eq!(land(&world, table, &[("a", "absent", 15, ""), ("a", "present", 20, "a20")]), ledger(0, 1, 1));
    // What was never seen alive can be gone, too.
    assert_eq!(land(&world, table, &[("c", "absent", 3, "")]), ledger(1, 0, 0));
    assert_eq!(land(&world, table, &[("c", "present", 2, "c2")]), ledger(0, 0, 1));
    let expected = [format!("a a20 [redacted] crm {} -", at(20)), b, format!("c - - - {} {}", at(3), at(3))];
    assert_eq!(rows(), expected);
    assert_eq!(world.good(table, &[]).outcome, Outcome::Unchanged);
    let rebuilt = world.good(table, &["--full-refresh"]);
    assert_eq!((rows(), rebuilt.ledger.read, rebuilt.ledger.quarantined), (expected.to_vec(), 11, 0));
}

#[test]
fn a_tombstone_is_a_version_of_a_history() {
    let world = World::new();
    let table = "silver_people_history";
    let rows = || world.silver(table, &["id", "email", "valid_from", "valid_to", "deleted_at"]);
    assert_eq!(land(&world, table, &[("a", "absent", 10, ""), ("b", "present", 1, "b1")]), ledger(2, 0, 0));
    assert_eq!(land(&world, table, &[("a", "present", 20, "a20"), ("a", "present", 1, "a1")]), ledger(2, 0, 0));
    assert_eq!(land(&world, table, &[("a", "present", 5, "a5"), ("a", "absent", 10, "")]), ledger(1, 1, 0));
    let expected = [
        format!("a - {} {} {}", at(10), at(20), at(10)),
        format!("a a1 {} {} -", at(1), at(5)),
        format!("a a20 {} - -", at(20)),
        format!("a a5 {} {} -", at(5), at(10)),
        format!("b b1 {} - -", at(1)),
    ];
    assert_eq!(rows(), expected);
    world.good(table, &["--full-refresh"]);
    assert_eq!(rows(), expected);
}

#[test]
fn at_the_instant_of_a_deletion_nothing_else_happens() {
    for table in ["silver_people", "silver_people_history"] {
        let rows = |world: &World| world.silver(table, &["id", "email", "deleted_at"]);
        let gone = [format!("a - {}", at(10))];
        let together = World::new();
        land(&together, table, &[("a", "absent", 10, ""), ("a", "present", 10, "a10")]);
        assert_eq!(rows(&together), gone);
        let apart = World::new();
        assert_eq!(land(&apart, table, &[("a", "present", 10, "a10")]), ledger(1, 0, 0));
        assert_eq!(land(&apart, table, &[("a", "archived", 10, "")]), ledger(1, 0, 0));
        assert_eq!(land(&apart, table, &[("a", "present", 10, "a10")]), ledger(0, 0, 1));
        // The next window finds the living row again, since its lookback holds the instant.
        let again = payload("a10");
        apart.land("bronze_people", &days_later(&people(&[("a", "present", 10, Some(&again))]), 1), false);
        assert_eq!(apart.good(table, &[]).ledger, ledger(0, 0, 1));
        assert_eq!(rows(&apart), gone);
    }
}

#[test]
fn a_tombstone_is_held_or_quarantined_as_other_rows_are() {
    let world = World::new();
    let week = 7 * 24 * 60;
    let states = [("a", "absent", -week, None), ("", "absent", 1, None), ("c", "absent", 1, None)];
    world.land("bronze_people", &people(&states), false);
    let done = world.good("silver_people", &[]);
    assert_eq!(done.ledger, Ledger { read: 3, accepted: 1, quarantined: 1, held: 1, ..Ledger::default() });
    assert_eq!(world.quarantine("silver_people"), ["1 /1 - id_missing"]);
}

/// A pair as it stands: primary or not, and since when.
fn link(type_id: u32, since: i64) -> Vec<u8> {
    let since = at(since);
    format!(r#"{{"firm":"f","types":[{{"category":"DEFINED","typeId":{type_id}}}],"since":"{since}"}}"#).into_bytes()
}

#[test]
fn what_outlasts_a_tombstone_says_since_when_and_how_the_thing_was_there() {
    let world = World::new();
    let rows = || world.silver("silver_links", &["person", "is_primary", "linked_at", "seen_at", "deleted_at"]);
    let land = |person: &str, minute: i64, payload: Vec<u8>| {
        world.land("bronze_people", &people(&[(person, "", minute, Some(&payload))]), false);
        world.good("silver_links", &[]).ledger
    };
    let gone = |minute: i64| format!(r#"{{"firm":"f","state":"gone","gone_at":"{}"}}"#, at(minute)).into_bytes();
    let row = |person: &str, rest: [&str; 4]| format!("{person} {}", rest.join(" "));
    assert_eq!(land("p", 2, link(1, 2)), ledger(1, 0, 0));
    assert_eq!(land("p", 5, link(2, 2)), ledger(1, 0, 0));
    assert_eq!(rows(), [row("p", ["false", &at(2), &at(5), "-"])]);
    assert_eq!(land("p", 6, link(1, 2)), ledger(1, 0, 0));
    // The pair is parted, and told of once more, and later.
    assert_eq!(land("p", 9, gone(9)), ledger(1, 0, 0));
    assert_eq!(rows(), [row("p", ["true", &at(2), &at(9), &at(9)])]);
    assert_eq!(land("p", 9, gone(9)), ledger(0, 1, 0));
    assert_eq!(land("p", 11, gone(11)), ledger(1, 0, 0));
    let parted = row("p", ["true", &at(2), &at(11), &at(11)]);
    assert_eq!(rows(), std::slice::from_ref(&parted));
    // A late row takes no place; a pair that was only ever seen parted has nothing to keep.
    assert_eq!(land("p", 7, link(1, 7)), ledger(0, 0, 1));
    assert_eq!(land("q", 3, gone(3)), ledger(1, 0, 0));
    assert_eq!(rows(), [parted, row("q", ["-", "-", &at(3), &at(3)])]);
    // Together again.
    assert_eq!(land("p", 12, link(2, 12)), ledger(1, 0, 0));
    assert_eq!(land("p", 13, link(1, 12)), ledger(1, 0, 0));
    assert_eq!(land("q", 4, link(1, 4)), ledger(1, 0, 0));
    let expected = [row("p", ["true", &at(12), &at(13), "-"]), row("q", ["true", &at(4), &at(4), "-"])];
    assert_eq!(rows(), expected);
    world.good("silver_links", &["--full-refresh"]);
    assert_eq!(rows(), expected);
}

fn visits(world: &World, visits: &[Visit]) -> Summary {
    world.land("bronze_visits", &bronze_of(visits), false);
    world.good("silver_visits", &[])
}

fn found(world: &World) -> Vec<String> {
    world.silver("silver_visits", &["id", "customer", "customer_found"])
}

#[test]
fn a_session_is_named_by_its_first_named_row() {
    let world = World::new();
    let first = visits(&world, &[visit("a", "s", None, 1, 1), visit("b", "s", None, 2, 2), visit("z", "t", None, 1, 1)]);
    assert_eq!((first.ledger, first.facts.get("resolved_rows")), (ledger(3, 0, 0), None));
    assert_eq!(found(&world), ["a - -", "b - -", "z - -"]);
    // The name comes later, in another file: the two rows before it follow, in the same commit, and no ledger counts them.
    let second = visits(&world, &[visit("c", "s", Some("7"), 3, 3), visit("d", "s", None, 4, 4)]);
    assert_eq!((second.ledger, second.facts["resolved_rows"].as_u64()), (ledger(2, 0, 0), Some(2)));
    assert_eq!(found(&world), ["a - 7", "b - 7", "c 7 7", "d - 7", "z - -"]);
    let written = |run: &Summary| {
        let rows = world.silver("silver_visits", &["id", "_run_id"]).into_iter();
        rows.filter(|row| row.ends_with(&run.run_id.to_string())).map(|row| row[..1].to_owned()).collect::<String>()
    };
    assert_eq!((written(&first), written(&second)), ("z".to_owned(), "abcd".to_owned()));
    // An earlier one takes the session over; a named row keeps its own name. Equal times are told apart by the id as bytes.
    let third = visits(&world, &[visit("e", "s", Some("9"), 2, 5), visit("D", "s", Some("8"), 2, 5)]);
    assert_eq!(third.facts["resolved_rows"].as_u64(), Some(3));
    assert_eq!(found(&world), ["D 8 8", "a - 8", "b - 8", "c 7 7", "d - 8", "e 9 9", "z - -"]);
    // Again: nothing follows.
    let again = visits(&world, &[visit("e", "s", Some("9"), 2, 5), visit("e", "s", Some("6"), 1, 4)]);
    assert_eq!((again.ledger, again.facts.get("resolved_rows")), (ledger(0, 1, 1), None));
    let expected = found(&world);
    world.good("silver_visits", &["--full-refresh"]);
    assert_eq!(found(&world), expected);
}

#[test]
fn a_row_that_changes_or_goes_takes_its_name_along() {
    let world = World::new();
    let rows = [
        visit("a", "s", None, 1, 1),
        visit("b", "s", Some("7"), 2, 1),
        visit("c", "s", Some("8"), 3, 1),
        visit("x", "t", None, 1, 1),
        ("n".to_owned(), None, None, 1, 1),
        ("m".to_owned(), None, Some("5".to_owned()), 1, 1),
    ];
    visits(&world, &rows);
    assert_eq!(found(&world), ["a - 7", "b 7 7", "c 8 8", "m 5 5", "n - -", "x - -"]);
    // It moves to another session: both follow.
    visits(&world, &[visit("b", "t", Some("7"), 2, 2)]);
    assert_eq!(found(&world), ["a - 8", "b 7 7", "c 8 8", "m 5 5", "n - -", "x - 7"]);
    // It loses its name, and the other is deleted: nobody names the sessions any more.
    visits(&world, &[visit("b", "t", None, 2, 3), deletion("c", 3)]);
    assert_eq!(found(&world), ["a - -", "b - -", "c - -", "m 5 5", "n - -", "x - -"]);
    assert_eq!(world.silver("silver_visits", &["id", "session", "deleted_at"])[2], format!("c - {}", at(3)));
    // What was anonymous names itself late.
    visits(&world, &[visit("a", "s", Some("4"), 1, 4), visit("c", "s", None, 1, 4)]);
    assert_eq!(found(&world), ["a 4 4", "b - -", "c - 4", "m 5 5", "n - -", "x - -"]);
    let expected = found(&world);
    world.good("silver_visits", &["--full-refresh"]);
    assert_eq!(found(&world), expected);
}

#[test]
fn only_files_with_a_touched_session_are_written_again() {
    let world = World::new();
    let spec = lake_table::TableSpec::of(&crate::testing_keyed::visits());
    let files = || {
        world.runtime.block_on(async {
            let table = lake_table::Table::open(&world.lake(), &spec).await.unwrap().unwrap();
            table.files().iter().map(|file| file.path.clone()).collect::<std::collections::BTreeSet<_>>()
        })
    };
    assert!(spec.statistics.contains(&"session".to_owned()), "sessions are looked for by it: {:?}", spec.statistics);
    visits(&world, &[visit("a", "s", None, 1, 1)]);
    let named = files();
    visits(&world, &[visit("b", "t", None, 1, 1)]);
    visits(&world, &[visit("c", "u", Some("1"), 1, 1)]);
    let before = files();
    visits(&world, &[visit("d", "s", Some("2"), 2, 2)]);
    let after = files();
    let gone: Vec<_> = before.difference(&after).collect();
    assert_eq!((gone, after.len()), (named.iter().collect(), 4));
}
