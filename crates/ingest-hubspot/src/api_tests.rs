//! The account's answers and refusals, from a server on loopback.

use super::*;
use crate::testserver::{Account, Server, respond};
use lake_core::{Fault, fault::Faulty as _};

fn failing(failures: &[String]) -> (Server, Api) {
    let server = Server::start(Account { failures: failures.iter().cloned().map(Some).collect(), ..Account::default() });
    let api = Api::quick(&server.url, "file:/nowhere");
    (server, api)
}

#[tokio::test]
async fn failures_that_pass_are_tried_again() {
    let torn = "HTTP/1.1 200 x\r\nContent-Length: 900\r\nConnection: close\r\n\r\n{\"results\":[".to_owned();
    let cut = respond(200, "", "{\"results\":[");
    let limit = respond(429, "Retry-After: 0\r\n", r#"{"policyName":"TEN_SECONDLY_ROLLING"}"#);
    for (first, second) in [(torn, cut), (limit, respond(429, "", "")), (respond(423, "", ""), respond(477, "", ""))] {
        let (server, api) = failing(&[first, second]);
        assert!(api.properties("contacts").await.unwrap().contains("email"));
        assert_eq!((server.account().asked.len(), api.sent()), (3, (3, 0)));
    }
}

#[tokio::test]
async fn tries_are_bounded() {
    let busy = respond(503, "", "");
    let (server, api) = failing(&[busy.clone(), busy.clone(), busy.clone(), busy]);
    let error = api.properties("contacts").await.unwrap_err();
    assert_eq!((error.fault(), error.to_string().as_str()), (Fault::Transient, "read contacts"));
    assert_eq!(server.account().asked.len(), 3);
}

#[tokio::test]
async fn refusals_end_at_once_and_never_show_the_token() {
    let daily = respond(429, "", r#"{"status":"error","errorType":"RATE_LIMIT","policyName":"DAILY"}"#);
    let last =
        respond(200, "X-HubSpot-RateLimit-Daily-Remaining: 0\r\nX-HubSpot-RateLimit-Remaining: 9\r\n", r#"{"results":[]}"#);
    let cases = [
        (respond(401, "", "{}"), Fault::Config, "authenticate to HubSpot: the token is refused (401)"),
        (respond(403, "", "{}"), Fault::Config, "read contacts: the token may not (403)"),
        (respond(400, "", "{}"), Fault::Config, "read contacts: HubSpot answers 400"),
        (daily, Fault::Transient, "read contacts: the account's allowance of requests for this day is spent"),
        (respond(200, "", "{}"), Fault::Data, "read contacts: the answer is not of the documented form (line 1, column 2)"),
    ];
    for (failure, fault, text) in cases {
        let (server, api) = failing(&[failure]);
        let error = api.properties("contacts").await.unwrap_err();
        assert_eq!((error.fault(), error.to_string().as_str()), (fault, text));
        assert!(!format!("{error:?} {error} {:?} {api:?}", error.hint()).contains("hunter2"));
        assert_eq!(server.account().asked.len(), 1);
    }
    let (server, api) = failing(&[last]);
    assert!(api.properties("contacts").await.unwrap().is_empty());
    let error = api.properties("contacts").await.unwrap_err();
    assert!(matches!(error, HubspotError::Daily { .. }), "{error}");
    assert_eq!(server.account().asked.len(), 1, "nothing is asked on a day that is spent");
}

#[tokio::test]
async fn a_token_that_was_replaced_meanwhile_is_read_again() {
    let secrets = tempfile::tempdir().unwrap();
    std::fs::create_dir(secrets.path().join("hubspot")).unwrap();
    std::fs::write(secrets.path().join(TOKEN), "hunter3\n").unwrap();
    let refused = || Some(respond(401, "", "{}"));
    let of = |failures: [Option<String>; 2]| Server::start(Account { failures: failures.into(), ..Account::default() });
    let api = |server: &Server| Api::quick(&server.url, &format!("file:{}", secrets.path().display()));

    let server = of([refused(), None]);
    let api_of_server = api(&server);
    assert!(api_of_server.properties("contacts").await.unwrap().contains("email"));
    assert!(api_of_server.properties("contacts").await.is_ok());
    assert_eq!(server.account().tokens, ["hunter2", "hunter3", "hunter3"]);

    let server = of([refused(), refused()]);
    let error = api(&server).properties("contacts").await.unwrap_err();
    assert!(matches!(error, HubspotError::Token), "{error}");
    assert_eq!(server.account().asked.len(), 2, "once more and no more");
}

#[tokio::test]
async fn ids_of_which_an_answer_says_nothing_are_asked_for_again() {
    let (server, api) = failing(&[]);
    {
        let mut account = server.account();
        account.live.extend([(7, (0, "{}".to_owned())), (8, (0, "{}".to_owned()))]);
        account.pairs.extend([(7, vec![r#"{"toObjectId":1}"#.to_owned()]), (8, vec![r#"{"toObjectId":"2"}"#.to_owned()])]);
        account.forgotten = vec![7];
    }
    let mut ids: Vec<u64> = api.read("contacts", &[7, 8, 9], &[]).await.unwrap().iter().map(|object| object.id).collect();
    ids.sort_unstable();
    assert_eq!((ids, server.account().asked.len()), (vec![7, 8], 2), "9 is said to be missing");

    server.account().forgotten = vec![8];
    let pair = HubspotAssociation::new("contacts".into(), "companies".into());
    let inputs = [7, 8, 9].map(|id| Input { id, after: None });
    let read = api.associations(&pair, &inputs).await.unwrap();
    let pairs: Vec<_> = read.pairs.iter().map(|pair| (pair.from, pair.to)).collect();
    assert_eq!((pairs, server.account().asked.len()), (vec![(7, 1), (8, 2)], 4));
}

#[tokio::test]
async fn a_merged_object_is_not_there_although_another_one_is_answered_for_it() {
    let winner =
        |also: &str| respond(200, "", &format!(r#"{{"results":[{{"id":"9","updatedAt":"2017-12-30T00:00:00Z"}}{also}]}}"#));
    let (server, api) = failing(&[winner(""), winner(r#",{"id":7,"updatedAt":"2017-12-30T00:00:00Z"}"#), winner("")]);
    assert!(api.read("contacts", &[8], &[]).await.unwrap().is_empty());
    let ids = |objects: Vec<Object>| objects.iter().map(|object| object.id).collect::<Vec<_>>();
    assert_eq!(ids(api.read("contacts", &[7, 8], &[]).await.unwrap()), [7]);
    assert_eq!(ids(api.read("contacts", &[9], &[]).await.unwrap()), [9]);
    assert_eq!(server.account().asked.len(), 3, "each was asked for once");
}

#[tokio::test]
async fn what_is_never_spoken_of_is_not_there() {
    let silent = respond(200, "", r#"{"results":[]}"#);
    let (server, api) = failing(&[silent.clone(), silent.clone(), silent.clone(), silent]);
    assert!(api.read("contacts", &[7], &[]).await.unwrap().is_empty());
    assert_eq!(server.account().asked.len(), 3);
}

#[tokio::test]
async fn addresses_are_those_of_the_dated_version() {
    let (server, api) = failing(&[respond(200, "", r#"{"results":[]}"#)]);
    api.list("contacts", true, &["email".into(), "city".into()], Some("51=")).await.unwrap();
    api.read("2-345", &[7, 8], &["email".into()]).await.unwrap();
    api.read_archived("2-345", &[7], &["email".into()]).await.unwrap();
    let pair = HubspotAssociation::new("contacts".into(), "companies".into());
    let inputs = [Input { id: 7, after: None }, Input { id: 8, after: Some("2".into()) }];
    api.associations(&pair, &inputs).await.unwrap();
    let account = server.account();
    assert_eq!(
        account.asked[..4],
        [
            "GET /crm/objects/2026-09/contacts?limit=100&archived=true&properties=email%2Ccity&after=51%3D ",
            "POST /crm/objects/2026-09/2-345/batch/read {\"inputs\":[{\"id\":\"7\"},{\"id\":\"8\"}],\"properties\":[\"email\"],\
             \"propertiesWithHistory\":[]}",
            "POST /crm/objects/2026-09/2-345/batch/read?archived=true {\"inputs\":[{\"id\":\"7\"}],\"properties\":[\"email\"],\
             \"propertiesWithHistory\":[]}",
            "POST /crm/associations/2026-09/contacts/companies/batch/read {\"inputs\":[{\"id\":\"7\"},{\"id\":\"8\",\"after\":\"2\"}]}",
        ]
    );
}

#[tokio::test]
async fn a_list_whose_properties_are_too_long_for_an_address_is_one_of_ids() {
    let (server, api) = failing(&[]);
    let many: Vec<String> = (0..200).map(|at| format!("property_{at}")).collect();
    api.list("contacts", true, &many, None).await.unwrap();
    assert!(server.account().asked[0].ends_with("&properties=hs_object_id "));
    let of_length = |length: usize| vec!["p".repeat(length - 4), "abc".to_owned()];
    assert!(in_address(&of_length(ADDRESS_PROPERTIES_MAX)) && !in_address(&of_length(ADDRESS_PROPERTIES_MAX + 1)));
}

#[tokio::test]
async fn answers_that_were_not_asked_for_are_transient() {
    let pair = HubspotAssociation::new("contacts".into(), "companies".into());
    let (_server, api) = failing(&[respond(200, "", r#"{"results":[{"from":{"id":"9"},"to":[{"toObjectId":1}]}]}"#)]);
    let error = api.associations(&pair, &[Input { id: 7, after: None }]).await.unwrap_err();
    let text =
        "read all associations of contacts with companies: an answer repeats an id or is out of order, so others may be missing";
    assert_eq!((error.to_string().as_str(), error.fault()), (text, Fault::Transient));
    let loops = r#"{"results":[{"from":{"id":"7"},"to":[{"toObjectId":1}],"paging":{"next":{"after":"2"}}}]}"#;
    let leads_on = r#"{"results":[{"from":{"id":"7"},"to":[],"paging":{"next":{"after":"4"}}}]}"#;
    for body in [loops, leads_on] {
        let (_server, api) = failing(&[respond(200, "", body)]);
        let error = api.associations(&pair, &[Input { id: 7, after: Some("2".into()) }]).await.unwrap_err();
        assert_eq!(error.to_string(), "read all associations of contacts with companies: a page leads nowhere");
        assert_eq!(error.fault(), Fault::Transient);
    }
}

#[test]
fn custom_types_have_one_scope() {
    assert_eq!(scope("companies"), "crm.objects.companies.read");
    assert_eq!(scope("2-345"), "crm.objects.custom.read");
    assert_eq!(scope("p_boats"), "crm.objects.custom.read");
}
