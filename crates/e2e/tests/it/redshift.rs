//! Redshift over its wire: what is not trusted, not there, or late.

use crate::support::{Ran, Variables, contracts_with, endpoint, lake, pinned, root, run, sources, with};
use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

const CONTRACT: &str = "bronze/redshift_events.odcs.yaml";

fn on_lake(sources: &Variables, directory: &Path) -> Variables {
    with(sources.clone(), &[("LAKE_URI", lake(directory)["LAKE_URI"].clone())])
}

fn ingest(variables: &Variables, window: &str, more: &[&str]) -> Ran {
    run(&[&["ingest-redshift", "bronze_redshift_events", "--window", window][..], more].concat(), variables)
}

/// Runs SQL at the source as its administrator.
fn at_source(sources: &Variables, sql: &str) {
    let mut command = Command::new(root().join("ci/sources/redshift-sql"));
    command.env("SLUICE_HOME", &sources["HOME_OF_SOURCES"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A table of a test's own beside the events, and the variables that lead to its lake and to contracts that name it.
fn own_table(sources: &Variables, directory: &Path, name: &str) -> (String, Variables) {
    let table = format!("{name}_{}", std::process::id());
    at_source(
        sources,
        &format!(
            "DROP TABLE IF EXISTS behavior.{table};\nCREATE TABLE behavior.{table} (LIKE behavior.events);\n\
             GRANT SELECT ON behavior.{table} TO sluice;\n"
        ),
    );
    let contracts = contracts_with(directory, CONTRACT, "table: events", &format!("table: {table}"));
    (table, with(on_lake(sources, directory), &[("LAKE_CONTRACTS", contracts)]))
}

/// A database of a test's own that passes for Redshift as far as SUPER goes, and the variables that lead to it and to a lake.
fn service(sources: &Variables, directory: &Path, name: &str) -> (String, Variables) {
    let database = format!("service_{name}_{}", std::process::id());
    let script = std::fs::read_to_string(root().join("ci/sources/redshift/service.sql")).unwrap();
    let fresh = format!("DROP DATABASE IF EXISTS {database};\nCREATE DATABASE {database};\n\\connect {database}\n{script}");
    at_source(sources, &fresh);
    let variables = with(on_lake(sources, directory), &[("REDSHIFT_DATABASE", database.clone())]);
    (database, variables)
}

/// The last line of what a lake answers to a query.
fn asked(variables: &Variables, sql: &str) -> String {
    let mut command = Command::new(root().join("ci/query"));
    command.env("SLUICE_HOME", &variables["HOME_OF_SOURCES"]).args(["--lake", &variables["LAKE_URI"], sql]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().trim().to_owned()
}

fn renamed(ran: &Ran, table: &str) -> Ran {
    let plain = |text: &str| text.replace(table, "[table]");
    Ran { code: ran.code, stdout: plain(&ran.stdout), stderr: plain(&ran.stderr) }
}

fn insert(sources: &Variables, table: &str, loaded_at: &[&str]) {
    let row = |at: &&str| format!("INSERT INTO behavior.{table} (event_id, loaded_at) VALUES ('{at}', '{at}');\n");
    at_source(sources, &loaded_at.iter().map(row).collect::<String>());
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    let (sources, directory) = (sources(), tempfile::tempdir().unwrap());
    let variables = with(on_lake(&sources, directory.path()), &[("REDSHIFT_CA_FILE", endpoint(&sources, "/redshift/wrong_ca"))]);
    let ran = ingest(&variables, "2017-12-30", &[]);
    assert_eq!(ran.code, 2);
    pinned("redshift-wrong-ca", &ran, directory.path());
}

#[test]
fn a_trusted_certificate_for_another_name_is_refused() {
    let (sources, directory) = (sources(), tempfile::tempdir().unwrap());
    let (table, variables) = own_table(&sources, directory.path(), "named");
    insert(&sources, &table, &["2017-12-30 12:00:00"]);
    // The server is there too, but its certificate is for localhost.
    let refused = ingest(&with(variables.clone(), &[("REDSHIFT_HOST", "127.0.0.1".into())]), "2017-12-30", &[]);
    let landed = ingest(&variables, "2017-12-30", &[]);
    at_source(&sources, &format!("DROP TABLE behavior.{table};"));
    assert_eq!(refused.code, 2, "{refused}");
    assert!(landed.code == 0 && landed.stdout.contains("read 1, accepted 1"), "the window was not in\n{landed}");
    assert_eq!(asked(&variables, "SELECT COUNT(*) AS found FROM bronze_redshift_events"), "1");
    pinned("redshift-other-name", &renamed(&refused, &table), directory.path());
}

#[test]
fn a_null_of_super_lands_as_null_and_a_null_of_json_as_text() {
    let (sources, directory) = (sources(), tempfile::tempdir().unwrap());
    let (database, variables) = service(&sources, directory.path(), "null");
    let described = "as JSON text (SUPER in Redshift).\n";
    let contracts = contracts_with(directory.path(), CONTRACT, described, &format!("{described}        required: true\n"));
    let variables = with(variables, &[("LAKE_CONTRACTS", contracts)]);
    let row = |(id, value): &(&str, &str)| {
        format!("INSERT INTO behavior.events (event_id, loaded_at, metadata) VALUES ('{id}', '2017-12-30 12:00', {value});\n")
    };
    let values = [("absent", "NULL"), ("empty", "'null'"), ("filled", r#"'{"a": null}'"#)];
    at_source(&sources, &format!("\\connect {database}\n{}", values.iter().map(row).collect::<String>()));
    let ran = ingest(&variables, "2017-12-30", &[]);
    at_source(&sources, &format!("DROP DATABASE {database} WITH (FORCE);"));
    assert_eq!(ran.code, 0, "{ran}");
    let shown = "event_id || '=' || coalesce(metadata, 'none') || coalesce(' ' || _violations, '')";
    let sql = format!("SELECT string_agg({shown}, '; ' ORDER BY event_id) AS found FROM bronze_redshift_events");
    assert_eq!(asked(&variables, &sql), r#"absent=none required:metadata; empty=null; filled={"a": null}"#);
}

#[test]
fn a_super_that_is_too_long_for_varchar_is_not_tried_again() {
    let (sources, directory) = (sources(), tempfile::tempdir().unwrap());
    let (database, variables) = service(&sources, directory.path(), "long");
    let value = r#"('["' || repeat('x', 70000) || '"]')::service.super"#;
    let insert = "INSERT INTO behavior.events (event_id, loaded_at, metadata)";
    at_source(&sources, &format!("\\connect {database}\n{insert} VALUES ('long', '2017-12-30 12:00', {value});\n"));
    let ran = ingest(&variables, "2017-12-30", &[]);
    at_source(&sources, &format!("DROP DATABASE {database} WITH (FORCE);"));
    assert_eq!(ran.code, 65, "{ran}");
    pinned("redshift-long-value", &ran, directory.path());
}

#[test]
fn a_database_that_does_not_answer_is_transient() {
    let (sources, directory) = (sources(), tempfile::tempdir().unwrap());
    let variables = with(on_lake(&sources, directory.path()), &[("REDSHIFT_PORT", "9".into())]);
    let ran = ingest(&variables, "2017-12-30", &["--timeout-seconds", "2", "--retries-max", "1"]);
    assert_eq!(ran.code, 75);
    assert_eq!(ran.stderr.matches("login failed").count(), 1, "the tries are bounded\n{}", ran.stderr);
    pinned("redshift-down", &ran, directory.path());
}

#[test]
fn a_table_that_is_not_there_is_a_configuration_error() {
    let (sources, directory) = (sources(), tempfile::tempdir().unwrap());
    let contracts = contracts_with(directory.path(), CONTRACT, "table: events", "table: event");
    let ran = ingest(&with(on_lake(&sources, directory.path()), &[("LAKE_CONTRACTS", contracts)]), "2017-12-30", &[]);
    assert_eq!(ran.code, 2);
    pinned("redshift-no-table", &ran, directory.path());
}

#[test]
fn a_column_that_the_table_lacks_stops_the_run() {
    let (sources, directory) = (sources(), tempfile::tempdir().unwrap());
    let (table, variables) = own_table(&sources, directory.path(), "narrow");
    at_source(&sources, &format!("ALTER TABLE behavior.{table} DROP COLUMN referrer;"));
    let ran = ingest(&variables, "2017-12-30", &[]);
    at_source(&sources, &format!("DROP TABLE behavior.{table};"));
    assert_eq!(ran.code, 65);
    pinned("redshift-unknown-column", &renamed(&ran, &table), directory.path());
}

#[test]
fn rows_that_become_visible_late_land_by_the_lookback() {
    let (sources, directory) = (sources(), tempfile::tempdir().unwrap());
    let (table, variables) = own_table(&sources, directory.path(), "late");
    let accepted = |ran: &Ran, rows: u64| {
        assert_eq!(ran.code, 0, "{ran}");
        assert!(ran.stdout.contains(&format!("read {rows}, accepted {rows}")), "{ran}");
    };
    insert(&sources, &table, &["2017-12-30 23:30:00", "2017-12-31 00:00:00"]);
    accepted(&ingest(&variables, "2017-12-30", &[]), 1);
    // The first two were there all the time for who looked later; the third is a microsecond too late.
    insert(&sources, &table, &["2017-12-30 22:00:00", "2017-12-30 23:59:59.999999", "2017-12-30 21:59:59.999999"]);
    accepted(&ingest(&variables, "2017-12-31", &[]), 4);
    let again = ingest(&variables, "2017-12-31", &[]);
    assert!(again.code == 0 && again.stdout.contains("already done"), "{again}");
    // A generation reads the window as it is now.
    accepted(&ingest(&variables, "2017-12-30", &["--generation", "2"]), 4);
    at_source(&sources, &format!("DROP TABLE behavior.{table};"));
}

#[test]
fn a_new_column_is_reported_or_refused_by_mode() {
    let (sources, directory) = (sources(), tempfile::tempdir().unwrap());
    let (table, variables) = own_table(&sources, directory.path(), "wider");
    at_source(&sources, &format!("ALTER TABLE behavior.{table} ADD COLUMN consent boolean;"));
    insert(&sources, &table, &["2017-12-30 12:00:00"]);
    let ran = ingest(&variables, "2017-12-30", &["--output", "json"]);
    let summary: serde_json::Value = serde_json::from_str(ran.stdout.lines().last().unwrap_or_default()).unwrap();
    assert_eq!(summary.pointer("/facts/columns_not_landed"), Some(&serde_json::json!(["consent"])), "{ran}");
    let path = Path::new(&variables["LAKE_CONTRACTS"]).join(CONTRACT);
    let frozen = std::fs::read_to_string(&path)
        .unwrap()
        .replace("    value:\n      source:", "    value:\n      mode: freeze\n      source:");
    std::fs::write(&path, frozen).unwrap();
    let ran = ingest(&variables, "2017-12-31", &[]);
    assert_eq!(ran.code, 65);
    at_source(&sources, &format!("DROP TABLE behavior.{table};"));
    pinned("redshift-frozen", &renamed(&ran, &table), directory.path());
}
