//! The whole program on a lake in a temporary directory, with the project's own contracts.

mod cte;
mod rotation;
mod snapshot;
mod world;

use arrow::{
    array::{AsArray as _, RecordBatch},
    compute::cast,
    datatypes::Int64Type,
};
use lake_core::summary::Outcome;
use lake_table::{Plan, Proposal, Table, TableSpec};
use std::{collections::BTreeMap, process::ExitCode};

use world::*;

const SOUP: &str = "product_id=p1 changed_at=2017-01-02T12:00:00Z list_price=1.00 category=SOUP is_active=true";
const DEARER: &str = "product_id=p1 changed_at=2017-06-02T12:00:00Z list_price=2.00 category=SOUP is_active=true";

#[test]
fn the_same_inputs_are_done_already() {
    let world = World::new();
    world.products(&[SOUP]);
    let first = world.done("gold_dim_products", &[]);
    assert_eq!((first.outcome, first.ledger.read, first.ledger.accepted), (Outcome::Committed, 1, 1));
    assert_eq!(first.inputs, BTreeMap::from([("silver_products_history".to_owned(), 1)]));
    let again = world.done("gold_dim_products", &[]);
    assert_eq!((again.outcome, again.run_id, again.table_version), (Outcome::AlreadyDone, first.run_id, first.table_version));
    let refreshed = world.done("gold_dim_products", &["--full-refresh"]);
    assert_eq!(refreshed.outcome, Outcome::Unchanged);
    assert_eq!(world.version(&TableSpec::of(&world.contract("gold_dim_products"))), first.table_version);
}

#[test]
fn newer_inputs_with_an_equal_result_move_the_versions_only() {
    let world = World::new();
    let spec = TableSpec::of(&world.contract("gold_dim_products"));
    world.products(&[SOUP]);
    let first = world.done("gold_dim_products", &[]);
    world.products(&[SOUP]);
    let second = world.done("gold_dim_products", &[]);
    assert_eq!((second.outcome, second.table_version), (Outcome::Committed, first.table_version.map(|v| v + 1)));
    assert_eq!(second.bytes_written, 0);
    let runs = world.rows(&spec, &["_run_id"]);
    assert!(runs.iter().all(|run| *run == first.run_id.to_string()), "{runs:?}");
    assert_eq!(world.done("gold_dim_products", &[]).outcome, Outcome::AlreadyDone);
}

#[test]
fn a_change_replaces_the_table_and_older_inputs_do_not_bring_it_back() {
    let world = World::new();
    let spec = TableSpec::of(&world.contract("gold_dim_products"));
    world.products(&[SOUP]);
    world.done("gold_dim_products", &[]);
    world.products(&[SOUP, DEARER]);
    world.done("gold_dim_products", &[]);
    let columns = ["product_id", "valid_from", "valid_to", "list_price"];
    let mut rows = world.rows(&spec, &columns);
    rows.sort();
    assert_eq!(rows, ["p1 1900-01-01 2017-06-02 1.00", "p1 2017-06-02 - 2.00", "unknown 1900-01-01 - -"]);
    let fixed = ["--input", "silver_products_history@1"];
    assert_eq!(world.goldify("gold_dim_products", &fixed).0, ExitCode::from(65), "nobody has looked at it");
    world.judge("silver_products_history", 1, false);
    assert_eq!(world.goldify("gold_dim_products", &fixed).0, ExitCode::from(65), "it failed");
    world.judge("silver_products_history", 1, true);
    let older = world.done("gold_dim_products", &fixed);
    assert_eq!(older.outcome, Outcome::AlreadyDone);
    assert_eq!(world.rows(&spec, &columns).len(), 3);
}

#[test]
fn rows_that_break_a_rule_stand_in_quarantine_and_leave_it_again() {
    let world = World::new();
    let contract = world.contract("gold_fact_sales");
    world.sales("CHF");
    // Audits refuse an empty table, so a second order in dollars keeps it from being empty.
    world.put("silver_orders", &[&order("o1", "c1", "CHF"), &order("o2", "nobody", "USD")], &[]);
    let version = world.put("silver_order_items", &[&format!("order_id=o1 {LINE}"), &format!("order_id=o2 {LINE}")], &[]);
    let first = world.done("gold_fact_sales", &[]);
    assert_eq!((first.ledger.read, first.ledger.accepted, first.ledger.quarantined), (2, 1, 1));
    let quarantine = TableSpec::quarantine(&contract);
    let columns = ["_input_table", "_input_version", "_contract", "_rules", "_line", "_payload"];
    let left = world.rows(&quarantine, &columns);
    assert_eq!(left.len(), 1);
    assert!(
        left[0].starts_with(&format!("silver_order_items {version} gold_fact_sales@1.0.0 rate_missing 1 {{\"order_id\":\"o1\"")),
        "{left:?}"
    );
    assert!(left[0].contains("\"net_amount\":\"1.50\",\"usd_rate\":null"), "{left:?}");

    world.put("silver_fx_rates", &["currency=CHF date=2017-12-20 usd_rate=1.0100000000 observation_date=2017-12-20"], &[]);
    let second = world.done("gold_fact_sales", &[]);
    assert_eq!((second.ledger.accepted, second.ledger.quarantined), (2, 0));
    assert_eq!(world.rows(&quarantine, &columns), Vec::<String>::new());
    assert_eq!(world.rows(&TableSpec::of(&contract), &["order_id", "net_usd"]), ["o1 1.5150", "o2 1.5000"]);
}

#[test]
fn a_quarantine_that_is_ahead_of_its_table_is_not_taken_for_an_older_one() {
    let world = World::new();
    let contract = world.contract("gold_fact_sales");
    world.sales("USD");
    world.done("gold_fact_sales", &[]);
    // A run over newer inputs dies between its two commits.
    let (lake, spec) = (world.lake(), TableSpec::of(&world.contract("silver_order_items")));
    let id = run(Table::open(&lake, &spec)).unwrap().unwrap().id().to_owned();
    run(async {
        let mut quarantine = Table::open(&world.lake(), &TableSpec::quarantine(&contract)).await.unwrap().unwrap();
        let last = quarantine.last_summary().await.unwrap().unwrap();
        let ahead = async |_: &Table| -> anyhow::Result<Plan> {
            let (txns, summary) = (vec![(id.clone(), 9)], last.clone());
            Ok(Plan::Commit(Proposal { add: Vec::new(), remove: Vec::new(), txns, inserted: 0, removed: 0, summary }))
        };
        quarantine.commit(ahead).await.unwrap();
    });
    assert_eq!(world.goldify("gold_fact_sales", &["--full-refresh"]).0, ExitCode::from(75));
}

#[test]
fn a_result_that_breaks_its_contract_is_never_committed() {
    for (file, from, to, what) in [
        ("gold/dim_products/model.sql", "FROM members", "FROM members WHERE product_id <> 'unknown'", "a rule"),
        (
            "gold/dim_products/model.sql",
            "FROM members",
            "FROM (SELECT * FROM members UNION ALL SELECT * FROM members) AS members",
            "the key",
        ),
        (
            "gold/dim_products/model.sql",
            "    list_price,\n",
            "    CAST(list_price AS DECIMAL(18, 2)) / 3 AS list_price,\n",
            "a type",
        ),
        (
            "gold/dim_products/model.sql",
            "    FROM starts\n",
            "    FROM starts WHERE valid_from = DATE '1900-01-01'\n",
            "the ledger",
        ),
        (
            "gold/dim_products/balance.sql",
            "(SELECT COUNT(DISTINCT product_id) FROM silver_products_history) AS expected",
            "2 AS expected",
            "a sum",
        ),
    ] {
        let world = World::with_own_contracts();
        world.products(&[SOUP, DEARER]);
        world.edit(file, from, to);
        let (exit, summary) = world.goldify("gold_dim_products", &[]);
        assert_eq!((exit, summary), (ExitCode::from(65), None), "{what}");
        assert_eq!(
            world.rows(&TableSpec::of(&world.contract("gold_dim_products")), &["product_id"]),
            Vec::<String>::new(),
            "{what}"
        );
    }
}

#[test]
fn wrong_models_and_arguments_are_configuration_errors() {
    for (model, what) in [
        ("SELECT 1; SELECT 2", "two statements"),
        ("DROP TABLE silver_products_history", "no query"),
        ("SELECT * FROM silver_orders", "an undeclared table"),
        ("SELECT product_id FROM silver_products_history", "other columns"),
    ] {
        let world = World::with_own_contracts();
        world.products(&[SOUP]);
        std::fs::write(world.contracts.join("gold/dim_products/model.sql"), model).unwrap();
        assert_eq!(world.goldify("gold_dim_products", &[]).0, ExitCode::from(2), "{what}");
    }
    let world = World::new();
    world.products(&[SOUP]);
    assert_eq!(world.goldify("gold_dim_products", &["--input", "silver_orders@1"]).0, ExitCode::from(2));
    assert_eq!(world.goldify("silver_products", &[]).0, ExitCode::from(2));
    std::fs::remove_file(world.root.path().join("secrets/masking/token-key")).unwrap();
    world.put("silver_customers_history", &["customer_id=c1 changed_at=2017-01-02T12:00:00Z"], &[]);
    world.empty_crm();
    assert_eq!(world.goldify("gold_dim_customers", &[]).0, ExitCode::from(2));
}

#[test]
fn inputs_that_do_not_belong_together_are_refused() {
    let world = World::new();
    assert_eq!(world.goldify("gold_dim_products", &[]).0, ExitCode::from(75), "no input yet");
    world.sales("USD");
    let bronze = run(async {
        let spec = TableSpec::of(&world.contract("bronze_kafka_orders"));
        Table::open_or_create(&world.lake(), &spec).await.unwrap().id().to_owned()
    });
    world.put("silver_orders", &[&order("o1", "c1", "USD")], &[(&bronze, 3)]);
    assert_eq!(world.goldify("gold_fact_sales", &[]).0, ExitCode::from(75), "the items have not seen version 3");
    world.put("silver_order_items", &[&format!("order_id=o1 {LINE}")], &[(&bronze, 3)]);
    world.put("silver_order_movements", &[], &[(&bronze, 3)]);
    assert_eq!(world.done("gold_fact_sales", &[]).outcome, Outcome::Committed);
}

#[test]
fn every_customer_has_a_token_and_no_address() {
    let world = World::new();
    world.sales("USD");
    let spec = TableSpec::of(&world.contract("gold_dim_customers"));
    let rows = world.rows(&spec, &["customer_id", "email_token", "email_domain_class", "token_key_id", "region"]);
    let key =
        lake_core::mask::TokenKey::parse(&lake_core::Secret::new(format!(r#"{{"key_id":"k1","key":"{}"}}"#, "0f".repeat(32))))
            .unwrap();
    assert!(rows.contains(&format!("c1 {} company k1 suppressed", key.token("a@b.example"))), "{rows:?}");
}

#[test]
fn a_calendar_needs_no_input() {
    let world = World::new();
    let summary = world.done("gold_dim_date", &[]);
    assert_eq!((summary.ledger.read, summary.ledger.accepted), (13_514, 13_514));
    assert_eq!(world.done("gold_dim_date", &[]).outcome, Outcome::AlreadyDone);
    let keys = run(async {
        let spec = TableSpec::of(&world.contract("gold_dim_date"));
        Table::open(&world.lake(), &spec).await.unwrap().unwrap().read(Some(&["date_key"])).await.unwrap()
    });
    let count: usize = keys.iter().map(RecordBatch::num_rows).sum();
    let first = cast(keys[0].column(0), &arrow::datatypes::DataType::Int64).unwrap().as_primitive::<Int64Type>().value(0);
    assert_eq!((count, first), (13_514, 19_990_101));
}
