//! The client against a server that answers from a script, one answer per connection.

use super::*;
use lake_core::{Fault, fault::Faulty as _};
use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// Serves the answers in turn and reports how many were asked for.
fn server(answers: Vec<&'static str>) -> (Url, mpsc::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://user:secret@{}/rates.csv?token=secret", listener.local_addr().unwrap());
    let (asked, count) = mpsc::channel();
    std::thread::spawn(move || {
        for (at, answer) in answers.into_iter().enumerate() {
            let (mut stream, _) = listener.accept().unwrap();
            read_request(&mut stream);
            let _ = asked.send(at + 1);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (url.parse().unwrap(), count)
}

fn read_request(stream: &mut TcpStream) {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
        seen.push(byte[0]);
    }
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
    assert_eq!(count.iter().last(), Some(3));
}

#[tokio::test]
async fn tries_are_bounded_and_then_transient() {
    let (url, count) = server(vec![BUSY; 5]);
    let error = client().get(&url).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Transient);
    assert!(error.to_string().ends_with("/rates.csv, tried 3 times"), "{error}");
    assert_eq!(count.try_iter().last(), Some(3));
}

#[tokio::test]
async fn an_absent_file_is_not_asked_for_again() {
    let (url, count) = server(vec![ABSENT, OK]);
    let error = client().get(&url).await.unwrap_err();
    assert!(matches!(error, HttpError::Refused { status: 404, .. }), "{error}");
    assert_eq!(error.fault(), Fault::Config);
    assert_eq!(count.try_iter().last(), Some(1));
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
    assert_eq!(count.try_iter().last(), Some(1));
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
