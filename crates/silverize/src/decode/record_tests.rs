use crate::{
    decode::{Decoded, InputPlan},
    leftover::Reason,
    testing,
};
use lake_core::{Contract, Ledger};

const HEAD: &str = r#""id":"e1","order_id":"o1","at":"2017-12-30T12:00:00Z""#;
const LINE: &str = r#"{"line":1,"quantity":2,"gross":"10.00","discount":1,"net":9.0}"#;

fn placed(lines: &str) -> String {
    format!(r#"{{{HEAD},"kind":"PLACED","customer_id":7,"currency":"usd","lines":{lines}}}"#)
}

fn decode(contract: &Contract, payloads: &[Option<&[u8]>]) -> Decoded {
    let plans = InputPlan::all(contract, &testing::contracts()).unwrap();
    plans[0].decode(&testing::bronze(payloads), 3).unwrap()
}

fn one(contract: &Contract, payload: &str) -> Decoded {
    decode(contract, &[Some(payload.as_bytes())])
}

fn rules(decoded: &Decoded) -> Vec<(Reason, Option<i32>, &str)> {
    decoded.leftovers.iter().map(|left| (left.reason, left.line, left.rules.as_str())).collect()
}

fn column(decoded: &Decoded, name: &str) -> Vec<String> {
    decoded.routed.iter().flat_map(|routed| testing::texts(&routed.batch, name)).collect()
}

#[test]
fn an_event_becomes_a_row_of_its_route() {
    let decoded = one(&testing::orders(), &placed(&format!("[{LINE}]")));
    assert_eq!(decoded.ledger, Ledger { read: 1, ..Ledger::default() });
    assert_eq!(decoded.routed[0].route, 0);
    for (name, value) in [
        ("order_id", "o1"),
        ("status", "PLACED"),
        ("customer_id", "7"),
        ("currency", "USD"),
        ("source", "kafka"),
        ("placed_at", "2017-12-30T12:00:00Z"),
        ("is_late", "false"),
        ("$version", "8005618d7d0f7000|r00000/0000000000000000|e1"),
    ] {
        assert_eq!(column(&decoded, name), [value], "{name}");
    }
}

#[test]
fn lines_become_rows_of_their_own() {
    let lines = format!(r#"[{LINE},{{"line":2,"quantity":0,"gross":0,"discount":0,"net":"-0.00"}}]"#);
    let decoded = one(&testing::items(), &placed(&lines));
    assert_eq!(decoded.ledger.read, 2);
    assert_eq!(
        (column(&decoded, "line"), column(&decoded, "net")),
        (vec!["1".to_owned(), "2".into()], vec!["9.00".to_owned(), "0.00".into()])
    );
    assert_eq!(column(&decoded, "order_id"), ["o1", "o1"]);
}

#[test]
fn bytes_that_are_no_record_are_quarantined_as_a_whole() {
    let payloads: [Option<&[u8]>; 9] = [
        None,
        Some(b""),
        Some(b"{\"id\":"),
        Some(b"caf\xe9"),
        Some(b"[1,2]"),
        Some(b"42"),
        Some(b"\0\0\0\0\x07"),
        Some(b"\0\0\0"),
        Some(b"{} {}"),
    ];
    for contract in [testing::orders(), testing::items(), testing::movements()] {
        let decoded = decode(&contract, &payloads);
        assert_eq!((decoded.ledger.read, decoded.ledger.filtered, decoded.routed.len()), (9, 0, 0));
        assert!(rules(&decoded).iter().all(|left| *left == (Reason::Quarantined, None, "payload_undecodable")));
        assert_eq!(decoded.leftovers[0].payload, None);
        assert_eq!(
            (decoded.leftovers[2].payload.as_deref(), decoded.leftovers[2].position.as_str()),
            (payloads[2], "events/0/2")
        );
    }
}

#[test]
fn what_bronze_saw_broken_is_quarantined_with_bronzes_rules() {
    let batch = testing::bronze(&[Some(placed(&format!("[{LINE}]")).as_bytes())]);
    let mut columns: Vec<(String, arrow::array::ArrayRef)> =
        batch.schema().fields().iter().map(|f| f.name().clone()).zip(batch.columns().iter().cloned()).collect();
    columns.last_mut().unwrap().1 = std::sync::Arc::new(arrow::array::StringArray::from(vec!["payload_undecodable"]));
    let batch = arrow::array::RecordBatch::try_from_iter(columns).unwrap();
    let plans = InputPlan::all(&testing::items(), &testing::contracts()).unwrap();
    let decoded = plans[0].decode(&batch, 3).unwrap();
    assert_eq!(rules(&decoded), [(Reason::Quarantined, None, "payload_undecodable")]);
    assert_eq!(decoded.leftovers[0].version, 3);
}

#[test]
fn the_registrys_prefix_is_cut() {
    let payload = [b"\0\0\0\0\x07", placed(&format!("[{LINE}]")).as_bytes()].concat();
    assert_eq!(column(&decode(&testing::orders(), &[Some(&payload)]), "order_id"), ["o1"]);
}

#[test]
fn a_broken_envelope_is_quarantined_before_kinds_are_filtered() {
    for (payload, rule) in [
        (r#"{"id":"e","kind":"PAID","at":"2017-12-30T12:00:00Z"}"#, "order_id_missing"),
        (r#"{"id":"e","kind":"PAID","order_id":"n/a","at":"2017-12-30T12:00:00Z"}"#, "order_id_missing"),
        (r#"{"id":"e","kind":"PAID","order_id":"o","at":"2017-13-01T00:00:00Z"}"#, "at_invalid"),
        (r#"{"id":"e","kind":"REFUNDED","order_id":"o","at":"2017-12-30T12:00:00Z"}"#, "kind_invalid"),
        (r#"{"kind":null,"order_id":"o","at":"2017-12-30T12:00:00Z"}"#, "kind_missing,id_missing"),
    ] {
        for contract in [testing::orders(), testing::items(), testing::movements()] {
            assert_eq!(rules(&one(&contract, payload)), [(Reason::Quarantined, None, rule)], "{payload}");
        }
    }
}

#[test]
fn kinds_without_a_route_are_filtered_whatever_is_wrong_with_them() {
    let broken = format!(r#"{{{HEAD},"kind":"PLACED","currency":"XXX"}}"#);
    let decoded = one(&testing::movements(), &broken);
    assert_eq!(decoded.ledger, Ledger { read: 1, filtered: 1, ..Ledger::default() });
    assert_eq!(
        rules(&one(&testing::orders(), &broken)),
        [(Reason::Quarantined, None, "customer_id_missing,currency_invalid,lines_missing")]
    );
}

#[test]
fn a_broken_line_quarantines_the_event_one_row_per_line() {
    for (line, rule) in [
        (r#"{"line":2,"quantity":-4,"gross":1,"discount":0,"net":1}"#, "quantity_negative"),
        (r#"{"line":2,"quantity":4,"gross":1,"discount":0,"net":1.01}"#, "net_disagrees"),
        (r#"{"line":2,"quantity":4,"gross":0.125,"discount":0,"net":0.125}"#, "gross_invalid,net_invalid"),
        (r#"{"line":0,"quantity":4,"gross":1,"discount":0,"net":1}"#, "line_below_1"),
        (r#"{"line":2,"gross":1,"discount":0,"net":1}"#, "quantity_missing"),
        (r#"{"line":1,"quantity":3,"gross":"10.00","discount":1,"net":9}"#, "lines_conflict"),
        ("7", "lines_invalid"),
    ] {
        let payload = placed(&format!("[{LINE},{line}]"));
        let items = one(&testing::items(), &payload);
        assert_eq!(rules(&items), [(Reason::Quarantined, Some(1), rule), (Reason::Quarantined, Some(2), rule)], "{line}");
        assert_eq!((items.ledger.read, items.routed.len()), (2, 0));
        let orders = one(&testing::orders(), &payload);
        assert_eq!((rules(&orders), orders.ledger.read), (vec![(Reason::Quarantined, None, rule)], 1));
    }
}

#[test]
fn events_that_must_have_lines_have_some() {
    for lines in ["[]", "null"] {
        assert_eq!(rules(&one(&testing::items(), &placed(lines))), [(Reason::Quarantined, None, "lines_missing")], "{lines}");
    }
    assert_eq!(rules(&one(&testing::items(), &placed("{}"))), [(Reason::Quarantined, None, "lines_invalid")]);
}

#[test]
fn identical_repeated_lines_count_once() {
    let again = r#"{"net":"9","discount":"1.0","line":"1","gross":10,"quantity":"2","other":true}"#;
    let second = LINE.replace(r#""line":1"#, r#""line":2"#);
    let payload = placed(&format!("[{second},{LINE},{again},{second}]"));
    let items = one(&testing::items(), &payload);
    assert_eq!(items.ledger, Ledger { read: 4, duplicate: 2, ..Ledger::default() });
    assert_eq!(column(&items, "line"), ["2", "1"]);
    assert_eq!(one(&testing::orders(), &payload).ledger, Ledger { read: 1, ..Ledger::default() });
}

#[test]
fn checks_of_one_kind_spare_the_others() {
    let nothing = r#"[{"line":1,"quantity":0,"gross":0,"discount":0,"net":0}]"#;
    assert!(one(&testing::items(), &placed(nothing)).leftovers.is_empty());
    let returned = format!(r#"{{{HEAD},"kind":"RETURNED","lines":{nothing}}}"#);
    assert_eq!(rules(&one(&testing::movements(), &returned)), [(Reason::Quarantined, Some(1), "returned_nothing")]);
}

#[test]
fn lines_of_a_kind_that_has_none_are_not_looked_at() {
    let payload = format!(r#"{{{HEAD},"kind":"CANCELLED","lines":[{{"line":"x"}}]}}"#);
    let decoded = one(&testing::movements(), &payload);
    assert_eq!((decoded.ledger.read, column(&decoded, "movement")), (1, vec!["cancellation".to_owned()]));
}

#[test]
fn events_behind_the_late_window_are_held_one_row_per_line() {
    let at = |at: &str, lines: &str| placed(lines).replace("2017-12-30T12:00:00Z", at);
    let edge = at("2017-12-24T00:00:00Z", &format!("[{LINE}]"));
    assert_eq!(column(&one(&testing::items(), &edge), "is_late"), ["true"]);
    let behind = at("2017-12-23T23:59:59.999999Z", &format!("[{LINE},{LINE}]"));
    let items = one(&testing::items(), &behind);
    assert_eq!(rules(&items), [(Reason::Held, Some(1), "late_window"), (Reason::Held, Some(2), "late_window")]);
    assert_eq!(items.ledger, Ledger { read: 2, ..Ledger::default() });
    assert_eq!(rules(&one(&testing::orders(), &behind)), [(Reason::Held, None, "late_window")]);
    let broken_and_behind = at("2017-12-23T00:00:00Z", "[]");
    assert_eq!(rules(&one(&testing::orders(), &broken_and_behind)), [(Reason::Quarantined, None, "lines_missing")]);
}

#[test]
fn a_day_before_the_window_is_not_late_and_more_is() {
    let late =
        |at: &str| column(&one(&testing::orders(), &placed(&format!("[{LINE}]")).replace("2017-12-30T12:00:00Z", at)), "is_late");
    assert_eq!(
        (late("2017-12-29T00:00:00Z"), late("2017-12-28T23:59:59.999999Z")),
        (vec!["false".to_owned()], vec!["true".to_owned()])
    );
}

#[test]
fn equal_events_have_equal_fingerprints() {
    let event = |id: &str, lines: &str| {
        format!(r#"{{"order_id":"o1","at":"2017-12-30T12:00:00Z","kind":"RETURNED","id":"{id}","lines":{lines}}}"#)
    };
    let second = LINE.replace(r#""line":1"#, r#""line":2"#);
    let hash = |payload: &str| column(&one(&testing::movements(), payload), "$event_hash")[0].clone();
    let first = hash(&event("a", &format!("[{LINE},{second}]")));
    assert_eq!(
        first,
        hash(&event("b", &format!("[{second},{LINE},{LINE}]")).replace("2017-12-30T12:00:00Z", "2017-12-30T13:00:00+01:00"))
    );
    assert_ne!(first, hash(&event("a", &format!("[{LINE}]"))));
    assert_ne!(first, hash(&event("a", &format!("[{LINE},{second}]")).replace("o1", "o2")));
}

#[test]
fn contracts_that_cannot_be_executed_are_refused() {
    let text = r#"{"id":"e"}"#;
    assert!(!one(&testing::orders(), text).leftovers.is_empty());
    let plans = InputPlan::all(&testing::bronze_events(), &testing::contracts());
    assert!(format!("{:#}", plans.unwrap_err()).contains("Silver"));
}
