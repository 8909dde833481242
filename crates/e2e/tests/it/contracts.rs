//! What people write wrong: contracts, SQL, windows, names. All end with 2 and say where.

use crate::support::{contracts_with, lake, pinned, run, with};

#[test]
fn a_typo_in_a_contract_key_names_file_line_and_the_nearest_key() {
    let directory = tempfile::tempdir().unwrap();
    let contracts = contracts_with(directory.path(), "silver/orders/contract.odcs.yaml", "logicalType: ", "logicaltype: ");
    let ran = run(&["run-pipeline", "check", "--contracts", &contracts], &lake(directory.path()));
    pinned("typo-in-a-contract-key", &ran, directory.path());
}

#[test]
fn an_input_without_contract_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let from = "table: bronze_snowflake_customers";
    let contracts =
        contracts_with(directory.path(), "silver/customers/contract.odcs.yaml", from, "table: bronze_snowflake_custmers");
    let ran = run(&["run-pipeline", "check", "--contracts", &contracts], &lake(directory.path()));
    assert_eq!(ran.code, 2);
    pinned("input-without-contract", &ran, directory.path());
}

#[test]
fn the_repositorys_contracts_hold() {
    let directory = tempfile::tempdir().unwrap();
    let ran = run(&["run-pipeline", "check"], &lake(directory.path()));
    assert_eq!(ran.code, 0, "{ran}");
}

#[test]
fn an_unknown_window_is_a_usage_error() {
    let directory = tempfile::tempdir().unwrap();
    pinned(
        "unknown-window",
        &run(&["silverize", "silver_orders", "--window", "yesterday"], &lake(directory.path())),
        directory.path(),
    );
    pinned(
        "empty-window",
        &run(&["run-pipeline", "day", "--window", "2017-12-30/2017-12-30"], &lake(directory.path())),
        directory.path(),
    );
}

#[test]
fn an_unknown_table_suggests_the_nearest() {
    let directory = tempfile::tempdir().unwrap();
    let ran = run(&["silverize", "silver_order", "--window", "2017-12-30"], &lake(directory.path()));
    pinned("unknown-table", &ran, directory.path());
}

#[test]
fn sql_that_is_not_one_select_or_names_an_undeclared_table_is_refused() {
    let models = [
        ("sql-ddl", "DROP TABLE gold_dim_date"),
        ("sql-two-statements", "SELECT 1 AS date_key; SELECT 2"),
        ("sql-undeclared-table", "SELECT order_id FROM silver_orders"),
        ("sql-reads-a-file", "SELECT * FROM '/etc/passwd'"),
    ];
    for (name, model) in models {
        let directory = tempfile::tempdir().unwrap();
        let contracts = contracts_with(directory.path(), "gold/dim_date/model.sql", "", model);
        let ran = run(
            &["goldify", "gold_dim_date", "--window", "2017-12-30"],
            &with(lake(directory.path()), &[("LAKE_CONTRACTS", contracts)]),
        );
        assert_eq!(ran.code, 2, "{ran}");
        pinned(name, &ran, directory.path());
    }
}
