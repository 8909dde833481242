//! `dq-check --input` on the fixtures beside the contracts, `tests/quality/`: a good file keeps every rule, a bad one fails
//! exactly the rules that `expect.json` names, and every rule that can be judged without a lake is failed by some file.
//!
//! `given.<table>.csv` are the rows of other tables. Ages are measured at the end of [`WINDOW`].

use crate::support::{Ran, Variables, lake, root, run};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

const WINDOW: &str = "2017-12-30";
const THREADS: usize = 2;

#[test]
fn fixtures_of_every_contract_fail_exactly_the_rules_that_they_name() {
    let directory = tempfile::tempdir().unwrap();
    let variables = lake(directory.path());
    let listed = run(&["run-pipeline", "check", "--output", "json"], &variables);
    assert_eq!(listed.code, 0, "{listed}");
    let tables: Vec<Value> = listed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let chunk = tables.len().div_ceil(THREADS);
    let problems: Vec<String> = std::thread::scope(|scope| {
        let work = |some: &[Value]| some.iter().flat_map(|table| of_table(table, &variables)).collect::<Vec<_>>();
        let threads: Vec<_> = tables.chunks(chunk).map(|some| scope.spawn(move || work(some))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    assert!(!directory.path().join("lake").exists(), "files are judged without a lake");
}

/// Returns what is wrong with the fixtures of a table.
fn of_table(table: &Value, variables: &Variables) -> Vec<String> {
    let (table, place) = (table["table"].as_str().unwrap(), table["place"].as_str().unwrap());
    let (layer, short) = place.split_once('/').unwrap();
    let folder = match layer {
        "bronze" => root().join("contracts/bronze/tests/quality").join(short),
        _ => root().join("contracts").join(place).join("tests/quality"),
    };
    let Ok(text) = std::fs::read_to_string(folder.join("expect.json")) else {
        return vec![format!("{table}: no fixtures in {}", folder.display())];
    };
    let expected: BTreeMap<String, BTreeSet<String>> = serde_json::from_str(&text).unwrap();
    let mut problems = Vec::new();
    let (inputs, references) = files(&folder);
    let named: Vec<&str> = expected.keys().map(String::as_str).collect();
    if inputs != named {
        problems.push(format!("{table}: the files are {inputs:?} and expect.json names {named:?}"));
    }
    let (mut held, mut fails) = (BTreeSet::new(), BTreeSet::new());
    for (file, rules) in &expected {
        match judged(table, &folder.join(file), &references, variables) {
            Ok(found) => {
                problems.extend(found.problems(table, file, rules));
                held.extend(found.held);
                fails.extend(rules.iter().cloned());
            }
            Err(ran) => problems.push(format!("{table} {file}: {ran}")),
        }
    }
    if !expected.values().any(BTreeSet::is_empty) {
        problems.push(format!("{table}: no good file"));
    }
    problems.extend(held.difference(&fails).map(|rule| format!("{table}: no bad file fails `{rule}`")));
    problems
}

/// Returns the names of the files to judge, and the references for the command line.
fn files(folder: &Path) -> (Vec<String>, Vec<String>) {
    let (mut inputs, mut references) = (Vec::new(), Vec::new());
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        match name.strip_prefix("given.").and_then(|rest| rest.strip_suffix(".csv")) {
            Some(table) => references.push(format!("{table}={}", path.display())),
            None if name == "expect.json" => {}
            None => inputs.push(name),
        }
    }
    inputs.sort();
    (inputs, references)
}

/// What the rules said of a file.
struct Judged {
    code: i32,
    held: BTreeSet<String>,
    /// Failed rules, and whether one of them is an error.
    failed: BTreeSet<String>,
    stops: bool,
    /// Rules that were not judged for another reason than that files cannot tell.
    silent: Vec<String>,
}

fn judged(table: &str, file: &Path, references: &[String], variables: &Variables) -> Result<Judged, Ran> {
    let file: PathBuf = file.strip_prefix(root()).unwrap().to_owned();
    let file = file.to_str().unwrap();
    let mut arguments = vec!["dq-check", table, "--input", file, "--window", WINDOW, "--output", "json"];
    references.iter().for_each(|reference| arguments.extend(["--reference", reference.as_str()]));
    let ran = run(&arguments, variables);
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let Some((_, findings)) = lines.split_last() else { return Err(ran) };
    let mut judged = Judged { code: ran.code, held: BTreeSet::new(), failed: BTreeSet::new(), stops: false, silent: Vec::new() };
    for finding in findings {
        let rule = finding["rule"].as_str().unwrap().to_owned();
        let message = finding["message"].as_str().unwrap();
        match finding["passed"].as_bool() {
            Some(true) => drop(judged.held.insert(rule)),
            Some(false) => {
                judged.stops |= finding["severity"] == "error";
                judged.failed.insert(rule);
            }
            None if EXCUSES.iter().any(|excuse| message.contains(excuse)) => {}
            None => judged.silent.push(format!("`{rule}` {message}")),
        }
    }
    Ok(judged)
}

/// Why a rule may be silent about a fixture.
const EXCUSES: [&str; 1] = [", which Sluice adds, is not in the files"];

impl Judged {
    fn problems(&self, table: &str, file: &str, expected: &BTreeSet<String>) -> Vec<String> {
        let mut problems: Vec<String> = self.silent.iter().map(|rule| format!("{table} {file}: {rule}")).collect();
        problems.extend(expected.difference(&self.failed).map(|rule| format!("{table} {file}: `{rule}` does not fail")));
        problems.extend(self.failed.difference(expected).map(|rule| format!("{table} {file}: `{rule}` fails")));
        let code = if self.stops { 65 } else { 0 };
        if self.code != code {
            problems.push(format!("{table} {file}: exit {} instead of {code}", self.code));
        }
        let good = file.starts_with("good");
        if good != expected.is_empty() || !(good || file.starts_with("bad_")) {
            problems.push(format!("{table} {file}: a file that fails nothing is good, any other is bad_<what>"));
        }
        problems
    }
}
