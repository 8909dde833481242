use super::*;
use arrow::array::{ArrayRef, BinaryArray, StringArray, TimestampMicrosecondArray};
use std::{collections::HashSet, sync::Arc};

fn state(at: i64, change: Change) -> State {
    State { at, change, types: 0, since: 0 }
}

/// Object 1 is present since 10, 2 archived since 20, 3 absent since 30.
fn states() -> States {
    let mut states = States::default();
    states.observe(Key::Object(1), state(5, Change::Present));
    states.observe(Key::Object(1), state(10, Change::Present));
    states.observe(Key::Object(2), state(20, Change::Archived));
    states.observe(Key::Object(2), state(15, Change::Present));
    states.observe(Key::Object(3), state(30, Change::Present));
    states.observe(Key::Object(3), state(30, Change::Absent));
    states
}

#[test]
fn the_newest_state_is_known_whatever_the_order() {
    let states = states();
    let of = |id| states.0[&Key::Object(id)];
    assert_eq!([of(1), of(2), of(3)], [state(10, Change::Present), state(20, Change::Archived), state(30, Change::Absent)]);
}

#[test]
fn an_archival_is_landed_once() {
    let states = states();
    assert!(states.archival_is_new(1, 11) && states.archival_is_new(1, 10), "it was present before");
    assert!(!states.archival_is_new(1, 9), "what happened later is known");
    assert!(!states.archival_is_new(2, 20), "it is known");
    assert!(states.archival_is_new(2, 21), "it was restored in between, and archived again");
    assert!(states.archival_is_new(9, 1), "nothing is known");
}

#[test]
fn an_object_that_is_known_as_present_and_not_live_is_gone() {
    let states = states();
    let live = |ids: &[u64]| ids.iter().map(|id| (*id, 0)).collect::<HashMap<_, _>>();
    assert_eq!(states.gone(&live(&[]), 40), [1]);
    assert_eq!(states.gone(&live(&[1, 2]), 40), [0; 0]);
    assert_eq!(states.gone(&live(&[]), 10), [0; 0], "a later window has seen it");
}

#[test]
fn live_objects_that_no_search_has_shown_are_counted() {
    let states = states();
    let live = HashMap::from([(1, 10), (2, 20), (7, 25), (8, 40)]);
    assert_eq!(states.behind(&live, 40), 2, "2 was restored, 7 was never seen; 8 is a later window's");
    assert_eq!(states.behind(&HashMap::from([(1, 11)]), 40), 1, "its last change was not seen");
}

#[test]
fn an_association_is_news_when_it_is_new_or_changed() {
    let mut states = States::default();
    states.observe(Key::Pair(1, 7), State { at: 10, change: Change::Present, types: 5, since: 4 });
    states.observe(Key::Pair(2, 7), State { at: 10, change: Change::Absent, types: 0, since: 4 });
    assert_eq!(states.pair_is_new(Key::Pair(1, 7), 5, 20), None);
    assert_eq!(states.pair_is_new(Key::Pair(1, 7), 6, 20), Some(4), "other types, and there since before");
    assert_eq!(states.pair_is_new(Key::Pair(1, 7), 6, 10), None, "a later window has seen it");
    assert_eq!(states.pair_is_new(Key::Pair(2, 7), 0, 20), Some(20), "it was removed before, and begins anew");
    assert_eq!(states.pair_is_new(Key::Pair(3, 7), 5, 1), Some(1));
    assert_eq!(states.unseen(&HashSet::new(), 20), [(Key::Pair(1, 7), 4)]);
    assert_eq!(states.unseen(&HashSet::from([Key::Pair(1, 7)]), 20), []);
    assert_eq!(states.unseen(&HashSet::new(), 10), []);
}

fn rows(keys: &[&str], changes: &[&str], payloads: &[Option<&str>]) -> RecordBatch {
    let times: Vec<i64> = (0..keys.len()).map(|row| i64::try_from(row).unwrap()).collect();
    let begun: Vec<i64> = times.iter().map(|at| at - 100).collect();
    let columns: [(&str, ArrayRef); 5] = [
        ("_key", Arc::new(StringArray::from(keys.to_vec()))),
        ("_change", Arc::new(StringArray::from(changes.to_vec()))),
        ("_observed_at", Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"))),
        ("_present_since", Arc::new(TimestampMicrosecondArray::from(begun).with_timezone("UTC"))),
        ("_payload", Arc::new(BinaryArray::from_iter(payloads.iter().map(|text| text.map(str::as_bytes))))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

#[test]
fn rows_of_bronze_are_states() {
    let payload = r#"{"toObjectId":7,"associationTypes":[{"category":"C","typeId":1}]}"#;
    let mut states = States::default();
    let batch = rows(&["1/7", "2/7", "2/7"], &["present", "present", "absent"], &[Some(payload), Some(payload), None]);
    assert!(states.take(&batch).is_some());
    let types = crate::decode::target(payload.as_bytes()).unwrap().1;
    assert_eq!(states.pair_is_new(Key::Pair(1, 7), types, 9), None);
    assert_eq!(states.pair_is_new(Key::Pair(1, 7), !types, 9), Some(-100), "since when it is there stands in Bronze");
    assert_eq!(states.pair_is_new(Key::Pair(2, 7), types, 9), Some(9));
    let mut objects = States::default();
    assert!(objects.take(&rows(&["512"], &["archived"], &[None])).is_some());
    assert!(!objects.archival_is_new(512, 0) && objects.archival_is_new(512, 1));
    for (key, change) in [("ada", "present"), ("1/x", "present"), ("1", "gone")] {
        assert!(States::default().take(&rows(&[key], &[change], &[None])).is_none(), "{key} {change}");
    }
}
