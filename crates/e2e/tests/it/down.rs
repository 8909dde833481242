//! Sources that do not answer: 75 after bounded tries. Port 9 (discard) of loopback refuses connections.

use crate::support::{lake, pinned, run, with};
use std::path::Path;

#[test]
fn rates_that_cannot_be_fetched_are_transient() {
    let directory = tempfile::tempdir().unwrap();
    let variables = with(lake(directory.path()), &[("FX_URL", "http://127.0.0.1:9/".into())]);
    let ran = run(&["ingest-fx", "bronze_fx_rates", "--window", "2017-12-30"], &variables);
    assert_eq!(ran.code, 75);
    assert_eq!(ran.stderr.matches("request failed").count(), 4, "the tries are bounded\n{}", ran.stderr);
    pinned("fx-down", &ran, directory.path());
}

#[test]
fn brokers_that_do_not_answer_are_transient() {
    let directory = tempfile::tempdir().unwrap();
    let variables = with(lake(directory.path()), &[("KAFKA_BOOTSTRAP", "127.0.0.1:9".into())]);
    let ran = run(&["ingest-kafka", "bronze_kafka_orders", "--window", "2017-12-30", "--timeout-seconds", "2"], &variables);
    assert_eq!(ran.code, 75);
    pinned("kafka-down", &ran, directory.path());
}

#[test]
fn a_warehouse_that_does_not_answer_is_transient() {
    let directory = tempfile::tempdir().unwrap();
    let sources = crate::support::sources();
    secret(directory.path(), "snowflake/password", "made-up");
    let changed = [("SNOWFLAKE_URL", "http://127.0.0.1:9".into()), ("SNOWFLAKE_DRIVER", sources["SNOWFLAKE_DRIVER"].clone())];
    let account = [("SNOWFLAKE_ACCOUNT", "local".into()), ("SNOWFLAKE_USER", "SLUICE".into())];
    let variables = with(with(lake(directory.path()), &changed), &account);
    let limits = ["--timeout-seconds", "2", "--retries-max", "1"];
    let ran =
        run(&[&["ingest-snowflake", "bronze_snowflake_orders", "--window", "2017-12-30"][..], &limits].concat(), &variables);
    assert_eq!(ran.code, 75, "{ran}");
    assert!(!ran.stderr.contains("made-up"));
}

#[test]
fn a_step_that_stays_transient_is_tried_a_bounded_number_of_times() {
    let directory = tempfile::tempdir().unwrap();
    let programs = directory.path().join("programs");
    std::fs::create_dir(&programs).unwrap();
    for name in
        ["ingest-fx", "ingest-hubspot", "ingest-kafka", "ingest-redshift", "ingest-snowflake", "silverize", "goldify", "dq-check"]
    {
        let path = programs.join(name);
        std::fs::write(
            &path,
            "#!/bin/sh\necho \"$@\" >> \"$(dirname \"$0\")/calls\"\necho 'error: failed to reach the source' >&2\nexit 75\n",
        )
        .unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).unwrap();
    }
    let shown = |path: &Path| path.display().to_string();
    let (programs_text, logs) = (shown(&programs), shown(&directory.path().join("logs")));
    let options = ["--programs", &programs_text, "--logs", &logs, "--retries", "2", "--retry-seconds", "0", "--jobs", "1"];
    let ran = run(&[&["run-pipeline", "day", "--window", "2017-12-30"][..], &options].concat(), &lake(directory.path()));
    assert_eq!(ran.code, 75, "{ran}");
    assert!(ran.stderr.contains("ingest-fx bronze_fx_rates: FAILED with 75 (transient): failed to reach the source"), "{ran}");
    assert!(ran.stdout.contains("blocked by ingest-fx bronze_fx_rates"), "{ran}");
    let calls = std::fs::read_to_string(programs.join("calls")).unwrap();
    let of_rates: Vec<_> = calls.lines().filter(|line| line.starts_with("bronze_fx_rates")).collect();
    assert_eq!(of_rates.len(), 3);
    let run_id = |line: &str| line.split_whitespace().skip_while(|word| *word != "--run-id").nth(1).map(str::to_owned);
    assert!(of_rates.iter().all(|line| run_id(line) == run_id(of_rates[0])), "a new try keeps the run id");
    assert!(of_rates[2].contains("--attempt 3"));
}

fn secret(directory: &Path, name: &str, value: &str) {
    let path = directory.join("secrets").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, value).unwrap();
}
