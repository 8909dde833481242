//! The launcher of a scheduler's jobs with the real programs: what it starts, what it leaves, and that both sides agree.

use crate::support::{Ran, Variables, lake, root, run};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, Stdio},
};

const RUN: &str = "6f0e3ef0-4a3e-5c62-9a53-0d1f6a1c0001";

fn programs() -> Vec<String> {
    run(&["programs"], &Variables::new()).stdout.lines().map(str::to_owned).collect()
}

fn job(directory: &Path, attempt: u32) -> Value {
    let place = |name: &str| directory.join(name).display().to_string();
    json!({
        "schema_version": 1, "job": "gold", "run_id": RUN, "attempt": attempt, "release": "abc", "lake": place("lake"),
        "window": "2017-12-30", "programs": place("bin"), "contracts": root().join("contracts"),
    })
}

fn step(program: &str, table: &str, inputs: &[&str]) -> Value {
    json!({ "program": program, "table": table, "inputs": inputs, "timeout_seconds": 300 })
}

/// Starts the launcher as a scheduler's machine does: every program is a link to the one executable.
fn launch(directory: &Path, job: &Value, steps: &[Value], more: &[&str]) -> Ran {
    let bin = directory.join("bin");
    if !bin.exists() {
        std::fs::create_dir(&bin).unwrap();
        for program in programs() {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_all-clis"), bin.join(program)).unwrap();
        }
    }
    let mut command = Command::new("python3");
    command.arg(root().join("dags/jobs/launcher.py")).args(["--job", &job.to_string()]).args(more);
    for step in steps {
        command.args(["--step", &step.to_string()]);
    }
    command.env("LAKE_SECRETS", &lake(directory)["LAKE_SECRETS"]).stdin(Stdio::null());
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn attempt(directory: &Path, number: u32) -> Value {
    let path = directory.join(format!("lake/ops/attempts/{RUN}/{number}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_job_leaves_what_became_of_it_and_a_second_copy_does_not_change_it() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let steps = [step("goldify", "gold_dim_date", &[]), step("dq-check", "gold_dim_date", &["gold_dim_date"])];
    let ran = launch(directory, &job(directory, 1), &steps, &[]);
    assert_eq!(ran.code, 0, "{ran}");
    let left = attempt(directory, 1);
    assert_eq!((&left["exit"], &left["fault"], &left["release"]), (&json!(0), &Value::Null, &json!("abc")));
    let version = &left["versions"]["gold_dim_date"];
    assert!(version.as_i64().unwrap() > 0, "{left}");
    for (at, program) in ["goldify", "dq-check"].into_iter().enumerate() {
        let step = &left["steps"][at];
        assert_eq!((&step["state"], &step["summary"]["program"]), (&json!("ok"), &json!(program)), "{left}");
        assert_eq!((&step["summary"]["table_version"], &step["summary"]["run_id"]), (version, &step["run_id"]), "{left}");
    }

    let copy = launch(directory, &job(directory, 1), &steps, &[]);
    assert_eq!((copy.code, attempt(directory, 1)), (2, left), "{copy}");
    assert!(copy.stderr.contains("holds another one, which stays"), "{copy}");
    let again = launch(directory, &job(directory, 2), &steps, &[]);
    assert_eq!(again.code, 0, "{again}");
    assert_eq!(attempt(directory, 2)["steps"][0]["summary"]["outcome"], json!("already_done"));
}

#[test]
fn a_step_that_fails_is_the_last_one_and_the_job_ends_as_it_did() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let steps = [step("goldify", "gold_fact_sales", &[]), step("dq-check", "gold_fact_sales", &["gold_fact_sales"])];
    let ran = launch(directory, &job(directory, 1), &steps, &[]);
    let left = attempt(directory, 1);
    assert!(ran.code != 0 && left["exit"] == json!(ran.code), "{ran}");
    assert_eq!((&left["steps"][0]["state"], &left["steps"][1]["state"]), (&json!("failed"), &json!("not_run")));
    assert_eq!(left["versions"], json!({}));
}

#[test]
fn the_launcher_starts_the_programs_that_there_are_and_no_others() {
    let text = std::fs::read_to_string(root().join("dags/jobs/launcher_order.py")).unwrap();
    let list = text.split_once("PROGRAMS = frozenset({").unwrap().1.split_once("})").unwrap().0;
    let listed: BTreeSet<String> = list.split(',').map(|name| name.trim().trim_matches('"').to_owned()).collect();
    let there: BTreeSet<String> = programs().into_iter().chain([String::new()]).collect();
    assert_eq!(listed, there, "PROGRAMS of dags/jobs/launcher_order.py, with a comma after the last one");
}

/// A step that sends is told by the scheduler where to; that alarms are one place needs no word.
fn with_receiver(step: &Value) -> Value {
    let mut step = step.clone();
    let words = step["arguments"].as_array().cloned().unwrap_or_default();
    if step["work"] == "send" && !words.contains(&json!("--alarms")) {
        let receiver = ["--log-group", "/sluice/lineage", "--log-stream", "lake"].map(|word| json!(word));
        step["arguments"] = words.into_iter().chain(receiver).collect();
    }
    step
}

/// Whatever the graph holds, the launcher's command for it is one that the program understands.
#[test]
fn every_command_of_the_graph_is_understood() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let graph: Value = serde_json::from_slice(&std::fs::read(root().join("dags/graph.json")).unwrap()).unwrap();
    let jobs = graph["dags"].as_object().unwrap().values().flat_map(|dag| dag["jobs"].as_array().unwrap());
    let (mut steps, mut more) = (Vec::new(), vec!["--show".to_owned(), "--turn-seconds".to_owned(), "20".to_owned()]);
    for job in jobs {
        steps.extend(job["steps"].as_array().unwrap().iter().map(with_receiver));
        for turn in job["turns"]["steps"].as_array().into_iter().flatten() {
            more.extend(["--turn".to_owned(), turn.to_string()]);
        }
    }
    let turns = more.iter().filter(|word| *word == "--turn").count();
    assert!(turns > 0, "the stream has turns");
    let mut description = job(directory, 3);
    description["versions"] = json!({ "silver_orders": 3 });
    let shown = launch(directory, &description, &steps, &more.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((shown.code, shown.stdout.lines().count()), (0, steps.len() + turns), "{shown}");
    // Where the sources are is told by the environment.
    let variables: Variables = [
        ("KAFKA_BOOTSTRAP", "127.0.0.1:9"),
        ("LAKE_URI", "s3://lake/prod"),
        ("REDSHIFT_DATABASE", "warehouse"),
        ("SNOWFLAKE_ACCOUNT", "local"),
        ("SNOWFLAKE_USER", "loader"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    for line in shown.stdout.lines() {
        let command: Vec<String> = serde_json::from_str(line).unwrap();
        let words: Vec<&str> = command.iter().map(String::as_str).chain(["--check-args"]).collect();
        let ran = run(&words, &variables);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{line}\n{ran}");
    }
    assert!(!directory.join("lake").exists(), "arguments were to be checked, and nothing done");
}

#[test]
fn every_program_checks_its_arguments_without_doing_anything() {
    let directory = tempfile::tempdir().unwrap();
    let variables = lake(directory.path());
    for program in programs() {
        let ran = run(&[&program, "--check-args", "--nonsense"], &variables);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{program}\n{ran}");
        assert!(ran.stderr.contains("--nonsense"), "{program}\n{ran}");
    }
    for line in [
        "ingest-fx bronze_fx_rates --window 2017-12-30 --check-args",
        "goldify rotate-key --to masking/token-key-2 --check-args",
        "goldify show-cte gold_fact_sales sales --to sales.parquet --check-args",
        "lineage-emit show gold_fact_sales --check-args",
        "run-pipeline day --window 2017-12-30 --check-args",
        "run-pipeline report --to report.html --check-args",
        "exit-codes --check-args",
    ] {
        let ran = run(&line.split(' ').collect::<Vec<_>>(), &variables);
        assert_eq!((ran.code, ran.to_string().as_str()), (0, "exit 0\n"), "{line}");
    }
    assert!(!directory.path().join("lake").exists());
}
