//! `catalog-sync` where it cannot do its work. What it does with a catalog is shown by `proofs.catalog`.

use crate::support::{Variables, pinned, run, with};
use std::path::Path;

/// An account that nobody can reach: nothing of this machine's own AWS settings is read.
fn unreachable() -> Variables {
    let set = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "/nowhere/config"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials"),
        ("LAKE_URI", "s3://lake/prod"),
    ];
    set.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn with_credentials() -> Variables {
    with(unreachable(), &[("AWS_ACCESS_KEY_ID", "test".into()), ("AWS_SECRET_ACCESS_KEY", "test".into())])
}

#[test]
fn a_lake_that_only_this_machine_knows_is_not_put_into_a_catalog() {
    let variables = with(unreachable(), &[("LAKE_URI", ".sluice/lake".into())]);
    pinned("catalog-directory", &run(&["catalog-sync"], &variables), Path::new("/nowhere"));
}

#[test]
fn a_catalog_that_is_down_is_transient() {
    let ran = run(&["catalog-sync", "--retries-max", "0", "--timeout-seconds", "5"], &with_credentials());
    assert_eq!(ran.code, 75, "{ran}");
    assert!(ran.stderr.contains("failed to list the tables of database `sluice_bronze`"), "{ran}");
}

#[test]
fn without_credentials_a_person_must_act() {
    let ran = run(&["catalog-sync", "--retries-max", "0"], &unreachable());
    assert_eq!(ran.code, 2, "{ran}");
    assert!(ran.stderr.contains("credentials") && ran.stderr.contains("hint: "), "{ran}");
}

#[test]
fn a_table_without_a_contract_is_named_before_anything_is_asked() {
    let ran = run(&["catalog-sync", "silver_order"], &with_credentials());
    assert!(ran.code == 2 && ran.stderr.contains("did you mean `silver_orders`"), "{ran}");
}
