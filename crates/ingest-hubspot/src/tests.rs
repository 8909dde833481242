//! Windows of a small account, landed in a table in a directory.

use crate::{
    api::Api,
    associations,
    landed::Landed,
    objects,
    question::Question,
    rows::Plan,
    testserver::{Account, Server, respond},
};
use arrow::{array::AsArray as _, datatypes::TimestampMicrosecondType};
use lake_bronze::Landing;
use lake_core::{
    Contract, Ledger, Run, Summary,
    contract::{
        ColumnType,
        column::{BRONZE_META, HUBSPOT_META, PAIR_META},
        layer::HubspotSource,
    },
    summary::Outcome,
};
use lake_edge::Console;
use lake_table::Lake;
use std::{collections::BTreeMap, path::Path};

mod pairs;

const CONTACTS: &str = "{object: contacts, cursor: changed, lookback: 1h, properties: [email, city], sweep: true}";
const PAIRS: &str = "{association: {from: contacts, to: companies}, sweep: true}";
/// More properties than a search takes.
fn wide() -> String {
    let names: Vec<String> = (0..300).map(|at| format!("property_{at}")).collect();
    CONTACTS.replace("[email, city]", &format!("[email, {}]", names.join(", ")))
}

const DAY: i64 = 86_400_000;
/// 2017-12-30T00:00:00Z in milliseconds.
const START: i64 = 1_514_592_000_000;

fn contract(source: &str) -> Contract {
    let column = |(name, kind): (&str, ColumnType)| {
        let logical = match kind {
            ColumnType::Date => "date",
            ColumnType::Timestamp => "timestamp",
            _ => "string",
        };
        let key = if name == "_key" { ", primaryKey: true" } else { "" };
        format!("      - {{name: {name}, description: x, logicalType: {logical}, physicalType: '{kind}'{key}}}\n")
    };
    let (own, since) =
        if source.contains("association") { (&HubspotSource::PAIR_COLUMNS[..], &PAIR_META[..]) } else { (&[][..], &[][..]) };
    let own = own.iter().map(|name| (*name, ColumnType::String)).chain(since.iter().copied());
    let columns: String = own.chain(HUBSPOT_META).chain(BRONZE_META).map(column).collect();
    let text = format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: bronze_crm_things\nname: things\nversion: 1.0.0\nstatus: active\n\
         description: {{purpose: test}}\nschema:\n  - name: crm_things\n    physicalName: bronze_crm_things\n\
         \x20   dataGranularityDescription: test\n    properties:\n{columns}\
         customProperties:\n  - property: bronze\n    value:\n      source:\n        hubspot: {source}\n"
    );
    Contract::parse(Path::new("crm_things.odcs.yaml"), &text, None).unwrap()
}

/// A lake, an account and a contract.
struct World {
    directory: tempfile::TempDir,
    server: Server,
    contract: Contract,
}

/// What a table holds of a key: what became of it, and the milliseconds since the start at which it was observed.
type Seen = Vec<(String, String, i64)>;

impl World {
    fn new(source: &str, account: Account) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory, server: Server::start(account), contract: contract(source) }
    }

    fn lake(&self) -> Lake {
        Lake::open(self.directory.path().to_str().unwrap()).unwrap()
    }

    fn run(&self, window: &str, generation: i64) -> Run {
        Run {
            id: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
            attempt: 1,
            program: "test",
            table: "bronze_crm_things".into(),
            window: window.parse().unwrap(),
            generation,
            started_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        }
    }

    /// Reads a window, up to the commit.
    async fn read(&self, run: &Run, landing: &Landing) -> anyhow::Result<Landed> {
        let api = Api::quick(&self.server.url, "file:/nowhere");
        let plan = Plan::of(run, &self.contract).unwrap();
        let bar = Console::new(0).progress("", None);
        match &plan.source {
            HubspotSource::Object(object) => {
                let question = Question::new(object, &run.window);
                objects::Reading { api: &api, plan: &plan, landing, object, question, sweep: object.sweep, bar }.land().await
            }
            HubspotSource::Association(pair) => associations::Reading { api: &api, plan: &plan, landing, pair, bar }.land().await,
        }
    }

    /// Lands a window and returns what the summary tells and the rows that came.
    async fn land(&self, window: &str, generation: i64) -> (Landed, Seen) {
        let run = self.run(window, generation);
        let landing = Landing::open(&self.lake(), &self.contract, &run).await.unwrap();
        let landed = self.read(&run, &landing).await.unwrap();
        let accepted = landed.files.iter().map(|file| file.rows).sum();
        let summary = Summary {
            outcome: Outcome::Committed,
            ledger: Ledger { read: landed.read, accepted, ..Ledger::default() },
            ..Summary::begun(run.id, "test", &run.table, run.window)
        };
        landing.commit_unmoved(landed.files.clone(), landed.handed, summary).await.unwrap().unwrap();
        let window = run.window;
        (landed, self.rows(Some(window.from())).await.into_keys().collect())
    }

    /// The rows of a window, or all, in the order of their keys, with their payloads.
    async fn rows(&self, from: Option<chrono::DateTime<chrono::Utc>>) -> BTreeMap<(String, String, i64), Option<String>> {
        let landing = Landing::open(&self.lake(), &self.contract, &self.run("2019-01-01", 1)).await.unwrap();
        let columns = ["_key", "_change", "_observed_at", "_payload", "_window_from"];
        let mut found = BTreeMap::new();
        for batch in landing.table().read(Some(&columns)).await.unwrap() {
            let text = |at: usize, row: usize| batch.column(at).as_string::<i32>().value(row).to_owned();
            let time = |at: usize, row: usize| batch.column(at).as_primitive::<TimestampMicrosecondType>().value(row);
            for row in (0..batch.num_rows()).filter(|row| from.is_none_or(|from| time(4, *row) == from.timestamp_micros())) {
                let payload = batch.column(3).as_binary::<i32>().iter().nth(row).unwrap();
                let payload = payload.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
                let key = (text(0, row), text(1, row), time(2, row) / 1_000 - START);
                let twice = found.insert(key.clone(), payload).is_some();
                assert!(from.is_none() || !twice, "{key:?} stands twice in one window");
            }
        }
        found
    }

    /// Since when each association of a window is there, in days since the start.
    async fn present_since(&self, window: &str) -> BTreeMap<String, i64> {
        let run = self.run(window, 1);
        let landing = Landing::open(&self.lake(), &self.contract, &run).await.unwrap();
        let mut found = BTreeMap::new();
        for batch in landing.table().read(Some(&["_key", "_present_since", "_window_from"])).await.unwrap() {
            let time = |at: usize, row: usize| batch.column(at).as_primitive::<TimestampMicrosecondType>().value(row);
            for row in (0..batch.num_rows()).filter(|row| time(2, *row) == run.window.from().timestamp_micros()) {
                found.insert(batch.column(0).as_string::<i32>().value(row).to_owned(), (time(1, row) / 1_000 - START) / DAY);
            }
        }
        found
    }
}

fn seen(rows: &[(&str, &str, i64)]) -> Seen {
    rows.iter().map(|(key, change, at)| ((*key).to_owned(), (*change).to_owned(), *at)).collect()
}

/// Six contacts of the day before, of which three share a millisecond, and one that was archived.
fn account() -> Account {
    let live = [(1, -5_000), (2, -7_000), (3, -7_000), (4, -7_000), (5, -1), (11, -DAY)];
    Account {
        live: live.into_iter().map(|(id, at)| (id, (START + at, format!("{{\"email\": \"{id}@gr\\u00fcn.de\"}}")))).collect(),
        archived: BTreeMap::from([(9, START - 60_000)]),
        ..Account::default()
    }
}

const BEFORE: &str = "2017-12-29";
const FIRST: &str = "2017-12-30";

#[tokio::test]
async fn a_window_lands_what_changed_and_what_is_gone() {
    let world = World::new(CONTACTS, account());
    let (landed, rows) = world.land(BEFORE, 1).await;
    assert_eq!(
        rows,
        seen(&[
            ("1", "present", -5_000),
            ("11", "present", -DAY),
            ("2", "present", -7_000),
            ("3", "present", -7_000),
            ("4", "present", -7_000),
            ("5", "present", -1),
            ("9", "archived", -60_000),
        ])
    );
    assert_eq!((landed.read, landed.facts["announced"].as_u64(), landed.facts["live"].as_u64()), (7, Some(6), Some(6)));
    for ((key, change, _), payload) in world.rows(None).await {
        let account = world.server.account();
        assert_eq!(payload, Some(account.object(key.parse().unwrap())), "{key} {change}: byte for byte");
    }

    {
        let mut account = world.server.account();
        account.live.insert(2, (START + 10, "{}".into()));
        account.live.insert(12, (START + DAY - 1, "{}".into()));
        account.live.insert(13, (START + DAY, "{}".into()));
        account.live.remove(&3);
        account.archived.insert(3, START + 20);
        account.live.remove(&4);
    }
    let expected = seen(&[
        ("1", "present", -5_000),
        ("12", "present", DAY - 1),
        ("2", "present", 10),
        ("3", "archived", 20),
        ("4", "absent", DAY),
        ("5", "present", -1),
    ]);
    let (landed, rows) = world.land(FIRST, 1).await;
    assert_eq!(rows, expected, "with the hour before the window, without the first instant after it");
    assert_eq!((landed.read, landed.facts["absent"].as_u64()), (6, Some(1)));
    assert!(!landed.facts.contains_key("behind"));
    assert_eq!(world.rows(None).await.iter().filter(|(_, payload)| payload.is_none()).count(), 1);

    let (_, rows) = world.land("2017-12-31", 1).await;
    assert_eq!(rows, seen(&[("12", "present", DAY - 1), ("13", "present", DAY)]), "what is known does not land again");
    assert_eq!(world.land(FIRST, 2).await.1, expected, "a generation forgets what it replaces");
}

#[tokio::test]
async fn every_failure_that_passes_changes_nothing() {
    let world = World::new(CONTACTS, account());
    let torn = "HTTP/1.1 200 x\r\nContent-Length: 900\r\nConnection: close\r\n\r\n{\"results\":[".to_owned();
    let failures = [
        respond(503, "", ""),
        torn,
        respond(429, "Retry-After: 0\r\n", r#"{"policyName":"TEN_SECONDLY_ROLLING"}"#),
        respond(429, "", r#"{"policyName":"TEN_SECONDLY_ROLLING"}"#),
        respond(200, "", "{\"results\":[{\"id\":\"1\","),
        respond(423, "", ""),
    ];
    world.server.account().failures = failures.into_iter().map(Some).collect();
    // A question is tried three times.
    world.server.account().failures_of_a_question = Some(2);
    assert_eq!(world.land(BEFORE, 1).await.1.len(), 7);
    assert!(world.server.account().failures.is_empty());
}

#[tokio::test]
async fn an_object_that_a_list_misses_is_not_gone() {
    let world = World::new(CONTACTS, account());
    world.land(BEFORE, 1).await;
    world.server.account().hidden = vec![1, 11];
    world.server.account().live.remove(&11);
    let (_, rows) = world.land("2017-12-31", 1).await;
    assert_eq!(rows, seen(&[("11", "absent", 2 * DAY)]));
}

#[tokio::test]
async fn an_object_is_not_gone_because_the_question_for_it_fails() {
    let world = World::new(CONTACTS, account());
    world.land(BEFORE, 1).await;
    {
        let mut account = world.server.account();
        account.hidden = vec![1];
        account.live.remove(&11);
        // Properties, a search, two pages of live objects and one of archived ones come before the reading by id.
        account.failures.resize(5, None);
        let cut = respond(200, "", "{\"results\":[");
        account.failures.extend([Some(respond(503, "", "")), Some(cut)]);
        account.asked.clear();
    }
    let (_, rows) = world.land("2017-12-31", 1).await;
    assert_eq!(rows, seen(&[("11", "absent", 2 * DAY)]));
    let account = world.server.account();
    assert_eq!(account.asked.iter().filter(|asked| asked.contains("/batch/read ")).count(), 3, "{:?}", account.asked);
}

#[tokio::test]
async fn a_live_object_that_no_search_shows_is_counted() {
    let world = World::new(CONTACTS, account());
    let (landed, _) = world.land("2017-12-30", 1).await;
    assert_eq!(landed.facts["behind"].as_u64(), Some(1), "11 changed a day before");
}

#[tokio::test]
async fn more_properties_than_a_search_takes_are_read_by_id() {
    let world = World::new(&wide(), account());
    let (landed, rows) = world.land(BEFORE, 1).await;
    assert_eq!((rows.len(), landed.facts["properties_by"].as_str()), (7, Some("id")));
    let account = world.server.account();
    let reading = account.asked.iter().find(|asked| asked.contains("/batch/read ")).unwrap();
    assert!(reading.contains("\"property_0\"") && reading.contains("\"property_299\""), "{reading}");
    assert!(account.asked.iter().any(|asked| asked.contains("/search ") && asked.contains("\"properties\":[\"hs_object_id\"]")));
}

#[tokio::test]
async fn archived_objects_with_more_properties_than_an_address_takes_are_read_by_id() {
    for (vanished, whole) in [(vec![], true), (vec![9], false)] {
        let world = World::new(&wide(), Account { vanished, ..account() });
        world.land(BEFORE, 1).await;
        let wanted = {
            let account = world.server.account();
            if whole { account.archived_whole(9) } else { account.object(9) }
        };
        assert_eq!(world.rows(None).await[&("9".into(), "archived".into(), -60_000)], Some(wanted));
        world.land(FIRST, 1).await;
        let account = world.server.account();
        let readings: Vec<_> = account.asked.iter().filter(|asked| asked.contains("/batch/read?archived=true ")).collect();
        assert_eq!(readings.len(), 1, "what is known is not read again");
        assert!(readings[0].contains("[{\"id\":\"9\"}]") && readings[0].contains("\"property_299\""), "{}", readings[0]);
    }
}

#[tokio::test]
async fn what_vanishes_between_search_and_reading_is_gone() {
    let world = World::new(&wide(), account());
    world.land(BEFORE, 1).await;
    world.server.account().live.insert(2, (START + 10, "{}".into()));
    world.server.account().vanished = vec![2];
    let (landed, rows) = world.land(FIRST, 1).await;
    let expected = [
        ("1", "present", -5_000),
        ("2", "absent", DAY),
        ("3", "present", -7_000),
        ("4", "present", -7_000),
        ("5", "present", -1),
    ];
    assert_eq!(rows, seen(&expected));
    assert_eq!((landed.read, landed.facts["vanished"].as_u64(), landed.facts["absent"].as_u64()), (5, Some(1), Some(1)));
}

#[tokio::test]
async fn a_cursor_that_the_type_does_not_have_stops_the_run() {
    let world = World::new(&CONTACTS.replace("changed", "hs_lastmodifieddate").replace("city", "citty"), account());
    let run = world.run(BEFORE, 1);
    let landing = Landing::open(&world.lake(), &world.contract, &run).await.unwrap();
    let error = world.read(&run, &landing).await.unwrap_err();
    assert!(format!("{error:#}").contains("contacts have no property `citty`, `hs_lastmodifieddate`"), "{error:#}");
    assert_eq!(error.downcast_ref(), Some(&lake_core::Fault::Data));
}
