//! HubSpot refuses, breaks off, or is away: 2, 65 and 75 with what to do, and never the token. The server stands in the test.

use crate::support::{Variables, lake, pinned, run, with};
use std::{
    collections::HashMap,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
};

const TOKEN: &str = "pat-not-to-be-seen";

/// Starts a server; it is told the address of a question, and how often that was asked before.
fn server(answer: impl Fn(&str, usize) -> String + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut asked = HashMap::<String, usize>::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let target = question(&mut stream);
            let before = asked.entry(target.clone()).or_default();
            let _ = stream.write_all(answer(&target, *before).as_bytes());
            *before += 1;
        }
    });
    url
}

fn question(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
        seen.push(byte[0]);
    }
    let head = String::from_utf8(seen).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    stream.read_exact(&mut vec![0; length.unwrap_or(0)]).unwrap();
    head.split(' ').nth(1).unwrap_or_default().to_owned()
}

fn respond(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// An account with one contact, which changed in the window.
fn account(target: &str) -> String {
    let contact = r#"{"id":"512","properties":{"email":"ada@example.com"},"updatedAt":"2017-12-30T10:00:00Z","archived":false}"#;
    if target.contains("/crm/properties/") {
        let contract = include_str!("../../../../contracts/bronze/hubspot_contacts.odcs.yaml");
        let names = contract.lines().filter_map(|line| line.strip_prefix("            - "));
        let names: Vec<String> = names.map(|name| format!("{{\"name\":\"{name}\"}}")).collect();
        return respond(200, &format!("{{\"results\":[{}]}}", names.join(",")));
    }
    if target.contains("archived=true") {
        return respond(200, r#"{"results":[]}"#);
    }
    respond(200, &format!("{{\"total\":1,\"results\":[{contact}]}}"))
}

/// Runs the window against a server.
fn ingest(directory: &Path, url: String) -> (Variables, crate::support::Ran) {
    let secret = directory.join("secrets/hubspot/token");
    std::fs::create_dir_all(secret.parent().unwrap()).unwrap();
    std::fs::write(secret, TOKEN).unwrap();
    let variables = with(lake(directory), &[("HUBSPOT_URL", url)]);
    let options = ["--window", "2017-12-30", "--retries-max", "2", "-vvv"];
    let ran = run(&[&["ingest-hubspot", "bronze_hubspot_contacts"][..], &options].concat(), &variables);
    assert!(!ran.stderr.contains(TOKEN) && !ran.stdout.contains(TOKEN), "the token is shown");
    assert!(!ran.stderr.contains("ada@example.com"), "a value is shown");
    (variables, ran)
}

fn attempted(name: &str, code: i32, answer: impl Fn(&str, usize) -> String + Send + 'static) {
    let directory = tempfile::tempdir().unwrap();
    let (_, ran) = ingest(directory.path(), server(answer));
    assert_eq!(ran.code, code, "{ran}");
    pinned(name, &ran, directory.path());
}

#[test]
fn a_wrong_token_is_a_configuration_error() {
    let body = r#"{"status":"error","message":"The OAuth token used to make this call is invalid.","category":"INVALID_AUTHENTICATION"}"#;
    attempted("hubspot-wrong-token", 2, move |_, _| respond(401, body));
}

#[test]
fn a_missing_scope_is_named() {
    let body = r#"{"status":"error","category":"MISSING_SCOPES","errors":[{"message":"One or more of the following scopes are required.",
        "context":{"requiredGranularScopes":["crm.objects.contacts.read"]}}]}"#;
    attempted("hubspot-missing-scope", 2, move |_, _| respond(403, body));
}

#[test]
fn a_day_whose_allowance_is_spent_is_transient() {
    let body =
        r#"{"status":"error","errorType":"RATE_LIMIT","message":"You have reached your daily limit.","policyName":"DAILY"}"#;
    attempted("hubspot-daily-limit", 75, move |target, before| {
        assert_eq!(before, 0, "{target} is not asked for again");
        if target.contains("/crm/properties/") { account(target) } else { respond(429, body) }
    });
}

#[test]
fn a_cursor_that_the_type_does_not_have_stops_the_run() {
    attempted("hubspot-property-missing", 65, |target, _| account(target).replace("lastmodifieddate", "hs_lastmodified_"));
}

#[test]
fn an_account_that_is_down_is_transient() {
    let directory = tempfile::tempdir().unwrap();
    let (_, ran) = ingest(directory.path(), "http://127.0.0.1:9".into());
    assert_eq!(ran.code, 75, "{ran}");
    assert_eq!(ran.stderr.matches("request failed").count(), 3, "the tries are bounded\n{}", ran.stderr);
    pinned("hubspot-down", &ran, directory.path());
}

#[test]
fn torn_answers_are_asked_for_again() {
    let directory = tempfile::tempdir().unwrap();
    // The connection breaks, then the body is as long as it says and ends all the same.
    let torn = |answer: String, before: usize| match before {
        0 => answer[..answer.len() - 7].to_owned(),
        1 => respond(200, "{\"total\":1,\"results\":[{\"id\":"),
        _ => answer,
    };
    let (variables, ran) = ingest(directory.path(), server(move |target, before| torn(account(target), before)));
    assert_eq!(ran.code, 0, "{ran}");
    pinned("hubspot-torn-then-fine", &ran, directory.path());
    let again = run(&["ingest-hubspot", "bronze_hubspot_contacts", "--window", "2017-12-30"], &variables);
    assert!(again.code == 0 && again.stdout.contains("already done"), "{again}");
}
