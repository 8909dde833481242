//! The client against a server that answers from a script, one answer per connection.

use super::*;
use lake_core::{Fault, Secret, fault::Faulty as _};
use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// Serves the answers in turn and hands over what was asked.
fn server(answers: Vec<&'static str>) -> (Url, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://user:secret@{}/rates.csv?token=secret", listener.local_addr().unwrap());
    let (asked, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let request = read_request(&mut stream);
            let _ = asked.send(request);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (url.parse().unwrap(), requests)
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
        seen.push(byte[0]);
    }
    let head = String::from_utf8(seen).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

fn client() -> Client {
    let quick = Duration::from_millis(5);
    Client::new("test", Limits { timeout: Duration::from_secs(2), retries_max: 2, pause: quick, pause_max: quick, bytes_max: 8 })
        .unwrap()
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
const BUSY: &str = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const TORN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nok";
const ABSENT: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const LONG: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n123456789";
const LATER: &str = "HTTP/1.1 429 Slow\r\nRetry-After: 3600\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_busy_server_and_a_torn_body_are_tried_again() {
    let (url, count) = server(vec![BUSY, TORN, OK]);
    assert_eq!(client().get(&url).await.unwrap(), "ok");
    assert_eq!(count.try_iter().count(), 3);
}

#[tokio::test]
async fn tries_are_bounded_and_then_transient() {
    let (url, count) = server(vec![BUSY; 5]);
    let error = client().get(&url).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Transient);
    assert!(error.to_string().ends_with("/rates.csv, tried 3 times"), "{error}");
    assert_eq!(count.try_iter().count(), 3);
}

#[tokio::test]
async fn an_absent_file_is_not_asked_for_again() {
    let (url, count) = server(vec![ABSENT, OK]);
    let error = client().get(&url).await.unwrap_err();
    assert!(matches!(error, HttpError::Refused { status: 404, .. }), "{error}");
    assert_eq!(error.fault(), Fault::Config);
    assert_eq!(count.try_iter().count(), 1);
}

#[tokio::test]
async fn a_body_is_never_larger_than_the_limit() {
    let (url, _count) = server(vec![LONG]);
    let error = client().get(&url).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Data);
    assert!(error.to_string().contains("more than 8 bytes"), "{error}");
}

#[tokio::test]
async fn a_server_that_asks_for_an_hour_is_given_up() {
    let (url, count) = server(vec![LATER, OK]);
    let error = client().get(&url).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Transient);
    assert_eq!(count.try_iter().count(), 1);
}

#[tokio::test]
async fn errors_show_neither_credentials_nor_query() {
    let (url, _count) = server(vec![ABSENT]);
    let refused = client().get(&url).await.unwrap_err();
    let closed: Url = "http://user:secret@127.0.0.1:1/rates.csv?token=secret".parse().unwrap();
    let unreachable = client().get(&closed).await.unwrap_err();
    for error in [refused, unreachable] {
        let text = format!("{error:?} {error}");
        assert!(!text.contains("secret"), "{text}");
    }
}

const SPENT: &str = "HTTP/1.1 429 Slow\r\nContent-Length: 5\r\nConnection: close\r\n\r\nDAILY";
const SLOW: &str = "HTTP/1.1 429 Slow\r\nContent-Length: 4\r\nConnection: close\r\n\r\nSLOW";
const LAST: &str = "HTTP/1.1 200 OK\r\nx-left: 3\r\nx-day: 0\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

#[tokio::test]
async fn a_question_carries_its_json_and_the_token() {
    let (url, asked) = server(vec![OK]);
    let token = Secret::new("hunter2".into());
    let request = Request::ask(&url, "{\"a\":1}").bearer(&token);
    assert!(!format!("{request:?}").contains("hunter2"));
    assert_eq!(client().fetch(&request, |body| Some(body.len())).await.unwrap(), 2);
    let asked = asked.recv().unwrap();
    assert!(asked.starts_with("post /rates.csv?token=secret http/1.1\r\n"), "{asked}");
    assert!(asked.contains("authorization: bearer hunter2\r\n"), "{asked}");
    assert!(asked.contains("content-type: application/json\r\n") && asked.ends_with("\r\n\r\n{\"a\":1}"), "{asked}");
}

const MOVED: &str = "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn what_is_posted_is_never_answered_by_another_page() {
    let (url, asked) = server(vec![MOVED, OK]);
    let error = client().fetch(&Request::ask(&url, "{}"), |_| Some(())).await.unwrap_err();
    assert!(matches!(error, HttpError::Refused { status: 302, .. }) && error.fault() == Fault::Config, "{error:?}");
    assert_eq!(asked.try_iter().count(), 1);
    let (url, asked) = server(vec![MOVED, OK]);
    assert_eq!(client().get(&url).await.unwrap(), "ok");
    assert_eq!(asked.try_iter().count(), 2);
}

#[tokio::test]
async fn a_damaged_body_is_asked_for_again() {
    let (url, asked) = server(vec![OK; 5]);
    let readings = std::cell::Cell::new(0);
    let read = |_: &Bytes| {
        readings.set(readings.get() + 1);
        (readings.get() == 2).then_some("read")
    };
    assert_eq!(client().fetch(&Request::get(&url), read).await.unwrap(), "read");
    let error = client().fetch(&Request::get(&url), |_| None::<()>).await.unwrap_err();
    assert!(matches!(error, HttpError::Unavailable { tries: 3, source: Cause::Damaged, .. }), "{error:?}");
    assert_eq!(asked.try_iter().count(), 5);
}

#[tokio::test]
async fn a_refusal_that_lasts_is_final() {
    let (url, asked) = server(vec![SLOW, SPENT, OK]);
    let request = Request::get(&url).lasting(|status, body| status == 429 && body == b"DAILY");
    let error = client().fetch(&request, |body| Some(body.clone())).await.unwrap_err();
    assert!(matches!(&error, HttpError::Refused { status: 429, body, .. } if body.0 == "DAILY"), "{error:?}");
    assert!(!format!("{error:?}").contains("DAILY"), "a body may quote what it refuses");
    assert_eq!(asked.try_iter().count(), 2);
}

#[tokio::test]
async fn a_day_that_is_spent_sends_nothing_more() {
    let (url, asked) = server(vec![LAST, OK]);
    let headers = Headers { max: "x-max", remaining: "x-left", interval_ms: "x-ms", day_remaining: "x-day" };
    let budget = Budget::announced(Allowance { requests: 10, interval: Duration::from_secs(1) }, headers);
    let request = Request::get(&url).within(&budget);
    assert_eq!(client().fetch(&request, |body| Some(body.clone())).await.unwrap(), "ok");
    let error = client().fetch(&request, |body| Some(body.clone())).await.unwrap_err();
    assert!(matches!(error, HttpError::Spent { .. }), "{error:?}");
    assert_eq!((error.fault(), budget.sent()), (Fault::Transient, 1));
    assert_eq!(asked.try_iter().count(), 1);
}

#[tokio::test]
async fn a_token_that_no_header_can_hold_is_not_tried_again() {
    let url: Url = "http://127.0.0.1:1/".parse().unwrap();
    let token = Secret::new("two\nlines".into());
    let error = client().fetch(&Request::get(&url).bearer(&token), |body| Some(body.clone())).await.unwrap_err();
    assert!(matches!(error, HttpError::Start(_)) && error.fault() == Fault::Config, "{error:?}");
    assert!(!format!("{error:?} {error}").contains("lines"));
}

#[tokio::test]
async fn who_is_told_to_wait_waits_within_both_allowances() {
    let (url, _asked) = server(vec![SLOW, OK, OK]);
    let headers = Headers { max: "x-max", remaining: "x-left", interval_ms: "x-ms", day_remaining: "x-day" };
    let allowance = Allowance { requests: 10, interval: Duration::from_millis(1) };
    let general = Budget::announced(allowance, headers);
    let search = Budget::documented(allowance).beside(&general);
    let pause = Duration::from_millis(80);
    let client = Client::new("test", Limits { pause, pause_max: pause, ..Limits::default() }).unwrap();
    let started = std::time::Instant::now();
    client.fetch(&Request::get(&url).within(&general), |body| Some(body.clone())).await.unwrap();
    assert!(started.elapsed() >= pause);
    search.pause(pause);
    let started = std::time::Instant::now();
    client.fetch(&Request::get(&url).within(&general), |body| Some(body.clone())).await.unwrap();
    assert!(started.elapsed() >= pause - Duration::from_millis(1));
}
