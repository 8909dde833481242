//! A small HubSpot for tests: objects, archived ones and associations that a test can change, in pages of two, with failures on demand.

use lake_http::Url;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, VecDeque},
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
};

/// Objects of one page of a list and associations of one page.
const PAGE: usize = 2;

/// What the account holds.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// Live objects: last change in milliseconds, and the text of their properties.
    pub(crate) live: BTreeMap<u64, (i64, String)>,
    /// Archived objects: when, in milliseconds.
    pub(crate) archived: BTreeMap<u64, i64>,
    /// Associations by object: the elements of `to`.
    pub(crate) pairs: BTreeMap<u64, Vec<String>>,
    /// Live objects that a list does not show.
    pub(crate) hidden: Vec<u64>,
    /// What the next requests are answered with: head and body as they are sent, or what the account holds.
    pub(crate) failures: VecDeque<Option<String>>,
    /// Failures that one question meets at most, where several are asked side by side: all could else meet the same one.
    pub(crate) failures_of_a_question: Option<usize>,
    /// Objects that a reading by id does not find.
    pub(crate) vanished: Vec<u64>,
    /// Objects that a reading by id leaves out without a word, once.
    pub(crate) forgotten: Vec<u64>,
    /// What was asked: method, path and body.
    pub(crate) asked: Vec<String>,
    /// Tokens that were shown.
    pub(crate) tokens: Vec<String>,
}

/// A running server.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) url: Url,
    account: Arc<Mutex<Account>>,
}

impl Server {
    /// Starts a server on an account.
    pub(crate) fn start(account: Account) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let server = Self { url, account: Arc::new(Mutex::new(account)) };
        let own = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let own = own.clone();
                std::thread::spawn(move || own.answer(stream.unwrap()));
            }
        });
        server
    }

    /// The account, to look at and to change.
    pub(crate) fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap()
    }

    fn answer(&self, mut stream: TcpStream) {
        let (head, body) = request(&mut stream);
        let target = head.split(' ').nth(1).unwrap().to_owned();
        let mut account = self.account();
        let asked = format!("{} {target} {body}", head.split(' ').next().unwrap());
        let before = account.asked.iter().filter(|other| **other == asked).count();
        account.asked.push(asked);
        account.tokens.extend(head.lines().find_map(|line| line.strip_prefix("authorization: Bearer ")).map(str::to_owned));
        let spared = account.failures_of_a_question.is_some_and(|most| before >= most);
        let failure = if spared { None } else { account.failures.pop_front().flatten() };
        let answer = failure.unwrap_or_else(|| {
            let url = self.url.join(&target).unwrap();
            let body = serde_json::from_str(&body).unwrap_or(Value::Null);
            respond(200, "", &account.question(&url, &body).to_string())
        });
        drop(account);
        let _ = stream.write_all(answer.as_bytes());
    }
}

/// An answer as it is sent.
pub(crate) fn respond(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} x\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

fn request(stream: &mut TcpStream) -> (String, String) {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
        seen.push(byte[0]);
    }
    let head = String::from_utf8(seen).unwrap();
    let length = head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

fn time(ms: i64) -> String {
    chrono::DateTime::from_timestamp_millis(ms).unwrap().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

impl Account {
    /// Text of an object, in a spelling that no JSON writer would choose.
    pub(crate) fn object(&self, id: u64) -> String {
        match (self.live.get(&id), self.archived.get(&id)) {
            (Some((ms, properties)), _) => {
                let at = time(*ms);
                format!("{{ \"id\":\"{id}\", \"properties\" : {properties},\"updatedAt\":\"{at}\",\"archived\":false}}")
            }
            (None, Some(ms)) => {
                let at = time(*ms);
                format!("{{\"id\":\"{id}\",\"updatedAt\":\"{at}\",\"archived\":true,\"archivedAt\":\"{at}\"}}")
            }
            _ => panic!("no object {id}"),
        }
    }

    /// Text of an archived object with its properties.
    pub(crate) fn archived_whole(&self, id: u64) -> String {
        self.object(id).replacen('{', "{\"properties\":{\"city\":\"Graz\"},", 1)
    }

    fn question(&mut self, url: &Url, body: &Value) -> Raw {
        let path = url.path();
        if path.starts_with("/crm/properties/2026-09/") {
            let own = ["email", "city", "changed", "hs_object_id"].map(str::to_owned);
            let names = own.into_iter().chain((0..300).map(|at| format!("property_{at}")));
            return Raw::results(&names.map(|name| json!({ "name": name }).to_string()).collect::<Vec<_>>());
        }
        if path.starts_with("/crm/associations/2026-09/") {
            return self.associations(body);
        }
        match path.rsplit('/').next() {
            Some("search") => self.search(body),
            Some("read") => {
                let forgotten = std::mem::take(&mut self.forgotten);
                let ids = ids(body).filter(|id| !forgotten.contains(id));
                let archived = url.query_pairs().any(|(name, value)| name == "archived" && value == "true");
                let stands = |id: &u64| if archived { self.archived.contains_key(id) } else { self.live.contains_key(id) };
                let (there, missing): (Vec<u64>, Vec<u64>) = ids.partition(|id| stands(id) && !self.vanished.contains(id));
                let text = |id| if archived { self.archived_whole(id) } else { self.object(id) };
                let objects: Vec<_> = there.into_iter().rev().map(text).collect();
                Raw::part(&objects, "ids", &missing)
            }
            _ => self.list(url),
        }
    }

    fn search(&self, body: &Value) -> Raw {
        let filter =
            |at: usize, key: &str| -> i64 { body["filterGroups"][0]["filters"][at][key].as_str().unwrap().parse().unwrap() };
        assert_eq!((body["sorts"][0].as_str(), body["after"].as_str()), (Some("hs_object_id"), Some("0")));
        let limit = usize::try_from(body["limit"].as_u64().unwrap()).unwrap();
        let inside = |(id, (ms, _)): &(&u64, &(i64, String))| {
            (filter(0, "value")..=filter(0, "highValue")).contains(ms) && i64::try_from(**id).unwrap() > filter(1, "value")
        };
        let found: Vec<u64> = self.live.iter().filter(inside).map(|(id, _)| *id).collect();
        let page: Vec<String> = found.iter().take(limit).map(|id| self.object(*id)).collect();
        Raw(format!("{{\"total\":{},\"results\":[{}]}}", found.len(), page.join(",")))
    }

    fn list(&self, url: &Url) -> Raw {
        let query: BTreeMap<_, _> = url.query_pairs().collect();
        let after = query.get("after").map_or(0, |after| after.parse().unwrap());
        let all: Vec<u64> = match query["archived"].as_ref() {
            "true" => self.archived.keys().copied().collect(),
            _ => self.live.keys().copied().filter(|id| !self.hidden.contains(id)).collect(),
        };
        let rest: Vec<u64> = all.into_iter().filter(|id| *id > after).collect();
        let page: Vec<String> = rest.iter().take(PAGE).map(|id| self.object(*id)).collect();
        let next = rest.get(PAGE - 1).filter(|_| rest.len() > PAGE);
        let paging = next.map_or(String::new(), |id| format!(",\"paging\":{{\"next\":{{\"after\":\"{id}\"}}}}"));
        Raw(format!("{{\"results\":[{}]{paging}}}", page.join(",")))
    }

    fn associations(&mut self, body: &Value) -> Raw {
        let forgotten = std::mem::take(&mut self.forgotten);
        let (mut results, mut missing) = (Vec::new(), Vec::new());
        for input in body["inputs"].as_array().unwrap() {
            let id: u64 = input["id"].as_str().unwrap().parse().unwrap();
            let start = input["after"].as_str().map_or(0, |after| after.parse().unwrap());
            if forgotten.contains(&id) {
                continue;
            }
            let Some(all) = self.pairs.get(&id) else {
                missing.push(id);
                continue;
            };
            let rest = &all[start..];
            let end = start + PAGE;
            let next = (rest.len() > PAGE).then(|| format!(",\"paging\":{{\"next\":{{\"after\":\"{end}\"}}}}"));
            let to = rest.iter().take(PAGE).cloned().collect::<Vec<_>>().join(" , ");
            results.push(format!("{{\"from\":{{\"id\":\"{id}\"}},\"to\":[{to}]{}}}", next.unwrap_or_default()));
        }
        Raw::part(&results, "fromObjectId", &missing)
    }
}

fn ids(body: &Value) -> std::vec::IntoIter<u64> {
    let inputs = body["inputs"].as_array().unwrap().iter();
    inputs.map(|input| input["id"].as_str().unwrap().parse().unwrap()).collect::<Vec<_>>().into_iter()
}

/// Text of an answer.
struct Raw(String);

impl Raw {
    fn results(results: &[String]) -> Self {
        Self(format!("{{\"results\":[{}]}}", results.join(",")))
    }

    /// An answer that says which ids it has nothing for.
    fn part(results: &[String], what: &str, missing: &[u64]) -> Self {
        let ids: Vec<String> = missing.iter().map(u64::to_string).collect();
        let errors = json!([{ "status": "error", "category": "OBJECT_NOT_FOUND", "context": { what: ids } }]);
        let errors = if missing.is_empty() { json!([]) } else { errors };
        Self(format!("{{\"results\":[{}],\"numErrors\":{},\"errors\":{errors}}}", results.join(","), missing.len()))
    }
}

impl std::fmt::Display for Raw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
