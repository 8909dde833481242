//! Wrong credentials and a missing driver: 2, with what to do, and never the secret.

use crate::support::{Variables, endpoint, lake, pinned, run, sources, with};
use std::path::Path;

/// The sources' secrets in which one is another.
fn secrets_with(sources: &Variables, directory: &Path, name: &str, value: &str) -> Variables {
    let target = directory.join("secrets");
    for secret in ["snowflake/password", "redshift/password", "kafka/alice"] {
        let path = target.join(secret);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::copy(Path::new(&sources["HOME_OF_SOURCES"]).join("secrets").join(secret), &path).unwrap();
    }
    std::fs::write(target.join(name), value).unwrap();
    with(with(sources.clone(), &[]), &lake(directory).iter().map(|(n, v)| (n.as_str(), v.clone())).collect::<Vec<_>>())
}

fn secure(sources: &Variables) -> Vec<(&'static str, String)> {
    vec![
        ("KAFKA_BOOTSTRAP", endpoint(sources, "/kafka/secure")),
        ("KAFKA_SECURITY", "sasl-ssl".into()),
        ("KAFKA_USER", endpoint(sources, "/kafka/user")),
        ("KAFKA_CA_FILE", endpoint(sources, "/kafka/ca")),
    ]
}

#[test]
fn a_wrong_kafka_password_is_a_configuration_error() {
    let (sources, directory) = (sources(), tempfile::tempdir().unwrap());
    let variables = with(secrets_with(&sources, directory.path(), "kafka/alice", "not-the-password"), &secure(&sources));
    let ran = run(&["ingest-kafka", "bronze_kafka_orders", "--window", "2017-12-30"], &variables);
    assert!(!ran.stderr.contains("not-the-password"));
    pinned("kafka-wrong-password", &ran, directory.path());
}

#[test]
fn the_right_kafka_password_works_over_tls() {
    let (sources, directory) = (sources(), tempfile::tempdir().unwrap());
    let alice = std::fs::read_to_string(Path::new(&sources["HOME_OF_SOURCES"]).join("secrets/kafka/alice")).unwrap();
    let variables = with(secrets_with(&sources, directory.path(), "kafka/alice", &alice), &secure(&sources));
    let ran = run(&["ingest-kafka", "bronze_kafka_orders", "--window", "2017-12-30"], &variables);
    assert_eq!(ran.code, 0, "{ran}");
}

#[test]
fn a_refused_snowflake_login_is_a_configuration_error() {
    let (sources, directory) = (sources(), tempfile::tempdir().unwrap());
    let refusing = format!("http://127.0.0.1:{}", endpoint(&sources, "/snowflake_refusing/port"));
    let variables =
        with(secrets_with(&sources, directory.path(), "snowflake/password", "not-the-password"), &[("SNOWFLAKE_URL", refusing)]);
    let ran = run(&["ingest-snowflake", "bronze_snowflake_orders", "--window", "2017-12-30"], &variables);
    assert!(!ran.stderr.contains("not-the-password"));
    pinned("snowflake-refused", &ran, directory.path());
}

#[test]
fn a_wrong_redshift_password_is_a_configuration_error() {
    let (sources, directory) = (sources(), tempfile::tempdir().unwrap());
    let variables = secrets_with(&sources, directory.path(), "redshift/password", "not-the-password");
    let ran = run(&["ingest-redshift", "bronze_redshift_events", "--window", "2017-12-30"], &variables);
    assert!(!ran.stderr.contains("not-the-password"));
    assert_eq!(ran.code, 2);
    pinned("redshift-wrong-password", &ran, directory.path());
}

#[test]
fn a_missing_driver_says_how_to_get_it() {
    let (sources, directory) = (sources(), tempfile::tempdir().unwrap());
    let variables = secrets_with(&sources, directory.path(), "snowflake/password", "made-up");
    let variables = with(variables, &[("SNOWFLAKE_DRIVER", "/nonexistent/libadbc_driver_snowflake.so".into())]);
    pinned(
        "snowflake-driver-missing",
        &run(&["ingest-snowflake", "bronze_snowflake_orders", "--window", "2017-12-30"], &variables),
        directory.path(),
    );
}

#[test]
fn a_missing_secret_is_a_configuration_error() {
    let (sources, directory) = (sources(), tempfile::tempdir().unwrap());
    let variables = with(with(sources.clone(), &secure(&sources)), &[("LAKE_URI", lake(directory.path())["LAKE_URI"].clone())]);
    let variables = with(variables, &[("LAKE_SECRETS", format!("file:{}", directory.path().display()))]);
    pinned(
        "secret-missing",
        &run(&["ingest-kafka", "bronze_kafka_orders", "--window", "2017-12-30"], &variables),
        directory.path(),
    );
}
