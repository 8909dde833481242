//! `dq-check --input FILE` as people meet it: what it prints, and how it ends.

use crate::support::{contracts_with, lake, pinned, run, with};

const GOOD: &str = "contracts/silver/products/tests/quality/good.csv";
const BAD: &str = "contracts/silver/products/tests/quality/bad_values.csv";

#[test]
fn findings_about_files_are_told_to_people_and_to_programs() {
    let directory = tempfile::tempdir().unwrap();
    let variables = lake(directory.path());
    for (name, file, more) in [
        ("files-good", GOOD, &["--window", "2017-12-30"][..]),
        ("files-bad", BAD, &[][..]),
        ("files-json", BAD, &["--output", "json"][..]),
        ("files-none", "contracts/none.csv", &[][..]),
        ("files-unknown-format", "contracts/policy.yaml", &[][..]),
    ] {
        let ran = run(&[&["dq-check", "silver_products", "--input", file][..], more].concat(), &variables);
        // Log lines are left out of what is compared, and JSON lines on stdout look like them.
        let shown = crate::support::Ran { stdout: ran.stdout.replace("{\"", "| {\""), ..ran };
        pinned(name, &shown, directory.path());
    }
    assert!(!directory.path().join("lake").exists());
}

#[test]
fn hostile_sql_in_a_rule_is_refused() {
    for (name, sql) in [
        ("rule-writes", "DELETE FROM {object}"),
        ("rule-two-statements", "SELECT 1; SELECT 2"),
        ("rule-reads-a-file", "SELECT COUNT(*) FROM ''/etc/passwd''"),
        ("rule-undeclared-table", "SELECT COUNT(*) FROM silver_orders"),
        ("rule-personal-column", "SELECT COUNT(*) FROM {object} WHERE email LIKE ''a%''"),
        ("rule-no-number", "SELECT country FROM {object}"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let from = "      - {id: table_empty, metric: rowCount, mustBeGreaterThan: 0,";
        let rule = format!("      - {{id: hostile, type: sql, query: '{sql}', mustBe: 0}}\n{from}");
        let contracts = contracts_with(directory.path(), "silver/customers/contract.odcs.yaml", from, &rule);
        let file = format!("{contracts}/silver/customers/tests/quality/good.csv");
        let variables = with(lake(directory.path()), &[("LAKE_CONTRACTS", contracts)]);
        let ran = run(&["dq-check", "silver_customers", "--input", &file, "--window", "2017-12-30"], &variables);
        assert_eq!(ran.code, 2, "{ran}");
        pinned(name, &ran, directory.path());
    }
}
