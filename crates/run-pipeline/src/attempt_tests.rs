use super::*;
use lake_core::Window;
use serde_json::{Value, json};

const RUN: &str = "6f0e3ef0-4a3e-5c62-9a53-0d1f6a1c0001";

fn run_id() -> RunId {
    RUN.parse().unwrap()
}

fn record() -> Value {
    let window: Window = "2017-12-30".parse().unwrap();
    let summary = Summary::begun(run_id(), "ingest-kafka", "bronze_kafka_orders", window);
    let step = |program: &str, state: &str, exit: Value, summary: Value| {
        json!({
            "program": program, "table": "bronze_kafka_orders", "run_id": RUN, "state": state, "exit": exit, "fault": null,
            "why": null, "started_at": null, "ended_at": null, "duration_ms": null, "summary": summary,
        })
    };
    json!({
        "schema_version": 1, "job": "bronze_kafka", "run_id": RUN, "attempt": 2, "release": "abc", "window": window.to_string(),
        "started_at": "2026-01-01T02:00:00.000Z", "ended_at": "2026-01-01T02:01:00.000Z",
        "exit": 65, "fault": "data", "why": "it says so", "signal": null,
        "steps": [
            step("ingest-kafka", "ok", json!(0), json!(summary)),
            step("dq-check", "failed", json!(65), Value::Null),
            step("silverize", "not_run", Value::Null, Value::Null),
        ],
        "versions": {"bronze_kafka_orders": 7},
    })
}

fn checked(record: &Value) -> Result<(), String> {
    check(record.to_string().as_bytes(), run_id(), 2)
}

fn with(pointer: &str, value: Value) -> Value {
    let mut changed = record();
    *changed.pointer_mut(pointer).unwrap() = value;
    changed
}

#[test]
fn a_record_is_of_its_run_and_does_not_contradict_itself() {
    assert_eq!(checked(&record()), Ok(()));
    for (pointer, value, said) in [
        ("/schema_version", json!(2), "`schema_version` is 2, and only 1 is known"),
        ("/attempt", json!(1), "it is of attempt 1 of run 6f0e3ef0-4a3e-5c62-9a53-0d1f6a1c0001"),
        (
            "/run_id",
            json!("6f0e3ef0-4a3e-5c62-9a53-0d1f6a1c0002"),
            "it is of attempt 2 of run 6f0e3ef0-4a3e-5c62-9a53-0d1f6a1c0002",
        ),
        ("/fault", Value::Null, "exit 65 goes with fault `data`"),
        ("/exit", json!(0), "exit 0 goes with fault `null`"),
        ("/exit", json!(143), "exit 143 goes with fault `transient`"),
        ("/exit", json!(134), "exit 134 goes with fault `bug`"),
        ("/steps/0/exit", json!(75), "a step of `ingest-kafka` ended with Some(75) and is said to be Ok"),
        ("/steps/2/state", json!("skipped"), "a step of `silverize` ended with None and is said to be Skipped"),
    ] {
        assert_eq!(checked(&with(pointer, value)), Err(said.to_owned()), "{pointer}");
    }
}

#[test]
fn a_record_without_what_readers_rely_on_is_refused() {
    for (pointer, value) in [("/steps/0/summary", json!({})), ("/started_at", json!("today")), ("/steps", Value::Null)] {
        assert!(checked(&with(pointer, value)).is_err(), "{pointer}");
    }
    for key in ["release", "versions", "exit"] {
        let mut short = record();
        short.as_object_mut().unwrap().remove(key);
        assert!(checked(&short).unwrap_err().contains(key), "{key}");
    }
    assert!(check(b"{", run_id(), 2).is_err());
}

#[tokio::test]
async fn the_first_word_stands_and_the_same_one_again_is_as_good() {
    let directory = tempfile::tempdir().unwrap();
    let lake = Lake::open(directory.path().to_str().unwrap()).unwrap();
    let path = attempt_path(run_id(), 2);
    leave(&lake, &path, b"first".to_vec()).await.unwrap();
    leave(&lake, &path, b"first".to_vec()).await.unwrap();
    let error = leave(&lake, &path, b"second".to_vec()).await.unwrap_err();
    assert_eq!(error.downcast_ref::<Fault>(), Some(&Fault::Config));
    assert!(format!("{error:#}").contains("holds another one, which stays"), "{error:#}");
    let left = std::fs::read(directory.path().join(format!("ops/attempts/{RUN}/2.json"))).unwrap();
    assert_eq!(left, b"first");
}

#[test]
fn a_write_that_met_another_and_left_nothing_is_tried_again() {
    let fault = |there: Option<&[u8]>| met("p", there, b"own").map_err(|error| *error.downcast_ref::<Fault>().unwrap());
    assert_eq!(fault(Some(b"own".as_slice())), Ok(()));
    assert_eq!(fault(Some(b"another".as_slice())), Err(Fault::Config));
    assert_eq!(fault(None), Err(Fault::Transient));
}

#[test]
fn a_record_that_is_too_long_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("record.json");
    std::fs::File::create(&path).unwrap().set_len(BYTES_MAX + 1).unwrap();
    let error = read(&path).unwrap_err();
    assert_eq!(error.downcast_ref::<Fault>(), Some(&Fault::Config));
    assert_eq!(read(&directory.path().join("none")).unwrap_err().downcast_ref::<Fault>(), Some(&Fault::Config));
}
