//! The report: one file, whole whatever the lake holds.

use crate::support::{Variables, lake, pinned, run};
use serde_json::Value;
use std::path::Path;

const EVIL: &str = "</script><script>alert(1)</script>";

/// Writes the report and returns the data in it.
fn reported(directory: &Path, variables: &Variables) -> Value {
    let file = directory.join("out/report.html");
    let ran = run(&["run-pipeline", "report", "--to", &file.display().to_string()], variables);
    assert_eq!(ran.code, 0, "{ran}");
    assert_eq!(ran.stdout.trim_end(), format!("report written to {}", file.display()));
    let page = std::fs::read_to_string(&file).unwrap();
    assert!(page.contains("default-src 'none'") && page.matches("<script").count() == 3);
    let written: Vec<_> = std::fs::read_dir(file.parent().unwrap()).unwrap().collect();
    assert_eq!(written.len(), 1, "nothing but the report is left");
    let data = page.split_once("id=\"data\">").unwrap().1.split_once("</script>").unwrap().0;
    serde_json::from_str(data).unwrap()
}

#[test]
fn a_report_about_an_empty_lake_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("lake")).unwrap();
    let shown = reported(directory.path(), &lake(directory.path()));
    assert_eq!((&shown["run"], &shown["gold"]["sales"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_report_says_which_steps_failed_and_which_were_not_started() {
    let directory = tempfile::tempdir().unwrap();
    let programs = directory.path().join("programs");
    std::fs::create_dir(&programs).unwrap();
    for name in
        ["ingest-fx", "ingest-hubspot", "ingest-kafka", "ingest-redshift", "ingest-snowflake", "silverize", "goldify", "dq-check"]
    {
        std::fs::write(programs.join(name), format!("#!/bin/sh\necho 'error: {EVIL}' >&2\nexit 65\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(programs.join(name), mode).unwrap();
    }
    let shown = |path: &Path| path.display().to_string();
    let (programs, logs) = (shown(&programs), shown(&directory.path().join("logs")));
    let variables = lake(directory.path());
    let day = ["run-pipeline", "day", "--window", "2017-12-30", "--programs", &programs, "--logs", &logs, "--output", "json"];
    let ran = run(&day, &variables);
    assert_eq!(ran.code, 65, "{ran}");

    let shown = reported(directory.path(), &variables)["run"].clone();
    let steps = shown["steps"].as_array().unwrap();
    // Whatever has no input fails by itself; all others wait for it.
    let begun: Vec<&Value> = steps.iter().filter(|step| step["state"] == "failed").collect();
    assert_eq!((shown["state"].as_str(), shown["exit"].as_str()), (Some("failed"), Some("data")));
    assert_eq!(shown["failed"].as_u64().unwrap() as usize, begun.len());
    assert_eq!((shown["ok"].as_u64(), shown["not_run"].as_u64().unwrap() as usize), (Some(0), steps.len() - begun.len()));
    assert!(begun.iter().all(|step| step["why"] == EVIL && step["exit"] == 65 && step["work"] == "build"), "{begun:?}");
    let gate = steps.iter().find(|step| step["table"] == "bronze_fx_rates" && step["work"] == "check").unwrap();
    assert_eq!((&gate["state"], &gate["why"]), (&"not_run".into(), &"ingest-fx bronze_fx_rates".into()));
    let said: Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((&shown["id"], &shown["duration_ms"]), (&said["run_id"], &said["duration_ms"]));
}

#[test]
fn a_lake_that_is_not_there_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("report.html").display().to_string();
    let ran = run(&["run-pipeline", "report", "--to", &file], &lake(directory.path()));
    pinned("report-without-lake", &ran, directory.path());
    assert!(!directory.path().join("lake").exists() && !Path::new(&file).exists());
}

#[test]
fn a_run_that_nobody_noted_cannot_be_shown() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("lake")).unwrap();
    let file = directory.path().join("report.html").display().to_string();
    let ran = run(&["run-pipeline", "report", "--to", &file, "--window", "2017-12-30"], &lake(directory.path()));
    pinned("report-without-run", &ran, directory.path());
}
