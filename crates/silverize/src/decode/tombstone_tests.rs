//! JSON inside columns, and rows that say that the source has deleted the thing.

use crate::{
    decode::{Decoded, InputPlan},
    leftover::Reason,
    testing,
    testing_keyed::{State, days_later, noted, people},
};
use lake_core::Ledger;

const GOOD: &[u8] = br#"{"properties":{"email":" Ada@X.org ","income":"12.50","age":"n/a"},"at":"2017-12-30T01:00:00Z"}"#;
const WEEK: i64 = 7 * 24 * 60;

fn decode(table: &str, batch: &arrow::array::RecordBatch) -> Decoded {
    let contracts = testing::contracts();
    let plans = InputPlan::all(contracts.table(table).unwrap(), &contracts).unwrap();
    plans[0].decode(batch, 3).unwrap()
}

fn left(decoded: &Decoded) -> Vec<(Reason, &str)> {
    decoded.leftovers.iter().map(|left| (left.reason, left.rules.as_str())).collect()
}

/// Columns of the only row that reached the table.
fn row(decoded: &Decoded, columns: &[&str]) -> Vec<String> {
    let batch = &decoded.routed[0].batch;
    assert_eq!(batch.num_rows(), 1);
    columns.iter().map(|column| testing::texts(batch, column).remove(0)).collect()
}

const COLUMNS: [&str; 10] =
    ["id", "seen_at", "email", "email_masked", "income", "age", "note", "source", "is_late", "deleted_at"];

#[test]
fn fields_inside_json_are_read_by_the_same_rules() {
    let decoded = decode("silver_people", &noted(&[("a", "present", 0, Some(GOOD))], Some(r#" {"text":"hi","more":[1]} "#)));
    assert_eq!(decoded.leftovers, []);
    let expected = ["a", "2017-12-30T00:00:00Z", "ada@x.org", "[redacted]", "12.50", "-", "hi", "crm", "false", "-"];
    assert_eq!(row(&decoded, &COLUMNS), expected);
    let odd = br#"{"properties":{"email":7,"income":1.2e1,"age":"old"},"at":null}"#;
    let decoded = decode("silver_people", &people(&[("a", "present", 0, Some(odd))]));
    assert_eq!(row(&decoded, &["email", "income", "age", "note"]), ["7", "12.00", "-", "-"]);
}

#[test]
fn a_column_without_json_is_null_in_all_its_fields() {
    let decoded = decode("silver_people", &people(&[("a", "present", 0, None), ("b", "present", 0, Some(GOOD))]));
    assert_eq!(left(&decoded), [(Reason::Quarantined, "email_missing")]);
    assert_eq!(row(&decoded, &["id", "note"]), ["b", "-"]);
}

#[test]
fn a_payload_that_is_no_json_object_breaks_its_row_and_no_other_rule() {
    let no_objects: [&[u8]; 7] = [b"", b"{", b"[1]", b"null", b"\"x\"", b"{\"properties\":{\"email\":\"\xe9\"}}", b"{\"a\":1}}"];
    for payload in no_objects {
        let decoded = decode("silver_people", &people(&[("a", "present", 0, Some(payload)), ("b", "present", 0, Some(GOOD))]));
        assert_eq!(left(&decoded), [(Reason::Quarantined, "payload_undecodable")], "{payload:?}");
        assert_eq!((row(&decoded, &["id"]), decoded.ledger), (vec!["b".to_owned()], Ledger { read: 2, ..Ledger::default() }));
    }
    let both = decode("silver_people", &noted(&[("a", "present", 0, Some(b"{"))], Some("no JSON")));
    assert_eq!(left(&both), [(Reason::Quarantined, "payload_undecodable")]);
    let other =
        decode("silver_people", &noted(&[("a", "present", 0, Some(br#"{"properties":{"income":-1}}"#))], Some("no JSON")));
    assert_eq!(left(&other), [(Reason::Quarantined, "email_missing,payload_undecodable,income_negative")]);
    let kept = |decoded: &Decoded| -> serde_json::Value {
        serde_json::from_slice(decoded.leftovers[0].payload.as_deref().unwrap()).unwrap()
    };
    assert_eq!((&kept(&both)["PAYLOAD"], &kept(&both)["NOTE"]), (&"{".into(), &"no JSON".into()));
    let bytes = decode("silver_people", &people(&[("a", "present", 0, Some(b"\xff{"))]));
    assert_eq!(kept(&bytes)["PAYLOAD"], "ff7b");
}

#[test]
fn a_tombstone_has_key_sequence_and_the_time_of_the_deletion() {
    let expected = ["a", "2017-12-30T00:05:00Z", "-", "-", "-", "-", "-", "-", "-", "2017-12-30T00:05:00Z"];
    let broken = br#"{"properties":{"income":-1,"age":{}},"at":"never"}"#;
    for (change, payload, note) in [
        ("absent", None, None),
        ("archived", Some(GOOD), Some(r#"{"text":"hi"}"#)),
        ("archived", Some(&broken[..]), None),
        (" absent ", Some(&b"no JSON"[..]), Some("no JSON")),
    ] {
        let decoded = decode("silver_people", &noted(&[("a", change, 5, payload)], note));
        assert_eq!(left(&decoded), [], "{change} {payload:?}");
        assert_eq!(row(&decoded, &COLUMNS), expected, "{change} {payload:?}");
        assert!(row(&decoded, &["$version"])[0].contains("|d"), "{change} {payload:?}");
    }
}

#[test]
fn living_rows_beside_tombstones_are_asked_for_everything() {
    let states: [State<'_>; 5] = [
        ("a", "present", 0, Some(b"{}")),
        ("b", "absent", 0, None),
        ("c", "present", 0, Some(GOOD)),
        ("", "absent", 0, None),
        ("e", "gone", 0, Some(GOOD)),
    ];
    let decoded = decode("silver_people", &people(&states));
    let rules = ["email_missing", "id_missing", "change_invalid"];
    assert_eq!(left(&decoded), rules.map(|rule| (Reason::Quarantined, rule)));
    let batch = &decoded.routed[0].batch;
    let texts = |column: &str| testing::texts(batch, column);
    assert_eq!((texts("id"), texts("email")), (vec!["b".into(), "c".into()], vec!["-".into(), "ada@x.org".to_owned()]));
    assert_eq!(texts("deleted_at"), ["2017-12-30T00:00:00Z", "-"]);
    let versions = texts("$version");
    assert!(versions[0].contains("|d") && versions[1].contains("|c"), "{versions:?}");
}

#[test]
fn what_tells_tombstones_may_stand_inside_the_json() {
    let link = |more: &str| {
        format!(r#"{{"firm":"f","since":"2017-12-30T00:01:00Z","types":[{{"category":"DEFINED","typeId":1}}]{more}}}"#)
            .into_bytes()
    };
    let (living, gone) = (link(""), link(r#","state":"gone","gone_at":"2017-12-30T00:03:00Z""#));
    let (timeless, odd) = (link(r#","state":"gone""#), link(r#","state":"gone","gone_at":"soon""#));
    let states: [State<'_>; 7] = [
        ("a", "", 1, Some(&living)),
        ("b", "", 2, Some(&gone)),
        ("c", "", 2, Some(&timeless)),
        ("d", "", 2, Some(&odd)),
        ("e", "", 2, Some(br#"{"state":"gone","gone_at":"2017-12-30T00:03:00Z"}"#)),
        ("f", "", 2, Some(b"gone")),
        ("g", "", 2, Some(br#"{"firm":"f","since":"2017-12-30T00:01:00Z"}"#)),
    ];
    let decoded = decode("silver_links", &people(&states));
    let rules = ["gone_at_missing", "gone_at_invalid", "firm_missing", "payload_undecodable", "primary_missing"];
    assert_eq!(left(&decoded), rules.map(|rule| (Reason::Quarantined, rule)));
    let batch = &decoded.routed[0].batch;
    for (column, values) in [
        ("person", ["a", "b"]),
        ("firm", ["f", "f"]),
        ("is_primary", ["true", "-"]),
        ("linked_at", ["2017-12-30T00:01:00Z", "-"]),
        ("seen_at", ["2017-12-30T00:01:00Z", "2017-12-30T00:02:00Z"]),
        ("deleted_at", ["-", "2017-12-30T00:03:00Z"]),
    ] {
        assert_eq!(testing::texts(batch, column), values, "{column}");
    }
}

#[test]
fn how_late_a_tombstone_is_its_sequence_tells() {
    let states = [
        ("a", "archived", 24 * 60 - WEEK - 1, Some(GOOD)),
        ("b", "absent", 24 * 60 - WEEK, None),
        ("c", "present", -WEEK * 2, Some(GOOD)),
    ];
    let decoded = decode("silver_people", &people(&states));
    assert_eq!(left(&decoded), [(Reason::Held, "late_window")]);
    assert_eq!(testing::texts(&decoded.routed[0].batch, "id"), ["b", "c"]);
    let later = decode("silver_people", &days_later(&people(&[("c", "present", 0, Some(GOOD))]), 2));
    assert_eq!(row(&later, &["is_late"]), ["true"]);
}
