//! What runs tell of themselves, and what is shown of tables and columns.

use crate::support::{Variables, lake, pinned, run, with};
use std::path::{Path, PathBuf};

fn outbox(directory: &Path) -> Vec<serde_json::Value> {
    let folders = std::fs::read_dir(directory.join("lake/ops/lineage")).unwrap();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()).collect()
}

#[test]
fn a_run_whose_source_is_down_tells_beginning_and_failure_and_nothing_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let variables = with(lake(directory.path()), &[("FX_URL", "http://127.0.0.1:9/".into())]);
    let ran = run(&["ingest-fx", "bronze_fx_rates", "--window", "2017-12-30", "--retries-max", "0"], &variables);
    assert_eq!(ran.code, 75, "{ran}");
    let events = outbox(directory.path());
    let kinds: Vec<_> = events.iter().map(|event| event["eventType"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["START", "FAIL"]);
    assert_eq!(events[1]["inputs"][0]["namespace"], "http://127.0.0.1:9");
    assert!(events[1]["run"]["facets"]["errorMessage"]["message"].as_str().unwrap().starts_with("failed to"));
    let deliver = ["lineage-emit", "deliver", "--http", "http://127.0.0.1:9/lineage", "--retries-max", "0"];
    let ran = run(&deliver, &variables);
    assert_eq!(ran.code, 75, "{ran}");
    assert!(ran.stdout.contains("0 events delivered") && ran.stdout.contains("2 wait"), "{ran}");
    // Metrics are made from the end alone. Nobody asked for any until here, and none was sent.
    let cloud = with(
        variables,
        &[
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:9".into()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_ACCESS_KEY_ID", "test".into()),
            ("AWS_SECRET_ACCESS_KEY", "test".into()),
        ],
    );
    let ran = run(&["lineage-emit", "metrics", "--alarms", "--retries-max", "0"], &cloud);
    assert_eq!(ran.code, 75, "{ran}");
    assert!(ran.stdout.contains("0 events delivered") && ran.stdout.contains("1 wait"), "{ran}");
    let ran = run(&["lineage-emit", "metrics", "--log-group", "g", "--log-stream", "s", "--retries-max", "0"], &cloud);
    assert!(ran.code == 75 && ran.stderr.contains("make the log stream"), "{ran}");
}

#[test]
fn nothing_is_sent_where_the_cursor_cannot_be_kept() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = directory.path().join("lake/ops/lineage/2017-12-30");
    std::fs::create_dir_all(&outbox).unwrap();
    let event = "020000000000-silverize.silver_orders-0191d9a0-0000-7000-8000-000000000001-start.json";
    std::fs::write(outbox.join(event), "{}").unwrap();
    // A folder has the cursor's name: it counts as no cursor, and none can be written.
    std::fs::create_dir_all(directory.path().join("lake/ops/lineage_cursors/c.json")).unwrap();
    let deliver = ["lineage-emit", "deliver", "--http", "http://127.0.0.1:9/lineage", "--retries-max", "0", "--cursor", "c"];
    let ran = run(&deliver, &lake(directory.path()));
    // Had it tried to send, it would say that nobody listens.
    assert!(ran.code == 75 && ran.stderr.contains("failed to write `ops/lineage_cursors/c.json`"), "{ran}");
}

#[test]
fn a_column_that_the_table_does_not_have_is_named() {
    let ran = run(&["lineage-emit", "show", "gold_dim_customers", "--column", "email_tokn"], &lake(Path::new("/nowhere")));
    pinned("lineage-unknown-column", &ran, Path::new("/nowhere"));
}

#[test]
fn help_of_every_command_is_pinned() {
    for command in ["deliver", "metrics", "show"] {
        let ran = run(&["lineage-emit", command, "--help"], &Variables::new());
        pinned(&format!("help-lineage-emit-{command}"), &ran, Path::new("/nowhere"));
    }
}
