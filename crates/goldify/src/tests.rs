//! The whole program on a lake in a temporary directory, with the project's own contracts.

use arrow::{
    array::{Array as _, ArrayRef, AsArray as _, RecordBatch, StringArray, new_null_array},
    compute::cast,
    datatypes::{Field, Int64Type},
};
use lake_core::{Contract, Ledger, RunId, Summary, summary::Outcome};
use lake_table::{Lake, Plan, Proposal, Table, TableSpec};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

const CONTRACTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contracts");
const MAIN: [&str; 2] = ["--window", "2017-12-30"];

/// A lake, its contracts and its secrets.
struct World {
    root: tempfile::TempDir,
    contracts: PathBuf,
}

impl World {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let secret = root.path().join("secrets/masking");
        std::fs::create_dir_all(&secret).unwrap();
        std::fs::write(secret.join("token-key"), format!(r#"{{"key_id":"k1","key":"{}"}}"#, "0f".repeat(32))).unwrap();
        Self { root, contracts: CONTRACTS.into() }
    }

    /// A world whose contracts can be changed.
    fn with_own_contracts() -> Self {
        let mut world = Self::new();
        world.contracts = world.root.path().join("contracts");
        copy(Path::new(CONTRACTS), &world.contracts);
        world
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.contracts.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no `{from}`");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    fn goldify(&self, table: &str, more: &[&str]) -> (ExitCode, Option<Summary>) {
        let root = self.root.path();
        let target = root.join("summary.json");
        let _ = std::fs::remove_file(&target);
        let mut argv: Vec<String> = ["goldify", table, MAIN[0], MAIN[1]].map(str::to_owned).to_vec();
        argv.extend(["--lake".to_owned(), root.join("lake").display().to_string()]);
        argv.extend(["--contracts".to_owned(), self.contracts.display().to_string()]);
        argv.extend(["--secrets".to_owned(), format!("file:{}", root.join("secrets").display())]);
        argv.extend(["--summary-to".to_owned(), target.display().to_string()]);
        argv.extend(more.iter().map(|arg| (*arg).to_owned()));
        let exit = crate::main(argv.into_iter().map(Into::into));
        (exit, std::fs::read_to_string(target).ok().map(|text| serde_json::from_str(&text).unwrap()))
    }

    fn done(&self, table: &str, more: &[&str]) -> Summary {
        let (exit, summary) = self.goldify(table, more);
        assert_eq!(exit, ExitCode::SUCCESS);
        summary.unwrap()
    }

    fn contract(&self, table: &str) -> Contract {
        let (contracts, _) = lake_edge::load_contracts(&self.contracts).unwrap();
        contracts.table(table).unwrap().clone()
    }

    fn lake(&self) -> Lake {
        Lake::open(&self.root.path().join("lake").display().to_string()).unwrap()
    }

    /// Replaces a table's rows, given as one text per row, `column=value` separated by blanks.
    fn put(&self, table: &str, rows: &[&str], txns: &[(&str, i64)]) -> i64 {
        let spec = TableSpec::of(&self.contract(table));
        let batch = batch(&spec, rows);
        run(async {
            let mut table = Table::open_or_create(&self.lake(), &spec).await.unwrap();
            let mut writer = table.writer();
            writer.write(&batch).await.unwrap();
            let add = writer.finish().await.unwrap();
            let rows = batch.num_rows() as u64;
            let plan = async |table: &Table| -> anyhow::Result<Plan> {
                Ok(Plan::Commit(Proposal {
                    add: add.clone(),
                    remove: table.files().to_vec(),
                    txns: txns.iter().map(|(id, version)| ((*id).to_owned(), *version)).collect(),
                    inserted: rows,
                    removed: table.rows(),
                    summary: summary(&table.spec().name, rows),
                }))
            };
            table.commit(plan).await.unwrap();
            table.version()
        })
    }

    fn rows(&self, spec: &TableSpec, columns: &[&str]) -> Vec<String> {
        let batches = run(async { Table::open(&self.lake(), spec).await.unwrap().unwrap().read(Some(columns)).await.unwrap() });
        let mut rows = Vec::new();
        for batch in batches {
            let texts: Vec<ArrayRef> =
                batch.columns().iter().map(|c| cast(c, &arrow::datatypes::DataType::Utf8).unwrap()).collect();
            for row in 0..batch.num_rows() {
                let value = |text: &ArrayRef| {
                    if text.is_null(row) { "-".to_owned() } else { text.as_string::<i32>().value(row).to_owned() }
                };
                rows.push(texts.iter().map(value).collect::<Vec<_>>().join(" "));
            }
        }
        rows
    }

    fn version(&self, spec: &TableSpec) -> Option<i64> {
        run(async { Table::open(&self.lake(), spec).await.unwrap().map(|table| table.version()) })
    }

    fn products(&self, rows: &[&str]) -> i64 {
        self.put("silver_products_history", rows, &[])
    }

    /// One order with one line, and what it needs.
    fn sales(&self, currency: &str) {
        self.put("silver_orders", &[&order("o1", "c1", currency)], &[]);
        self.put("silver_order_items", &[&format!("order_id=o1 {LINE}")], &[]);
        self.put("silver_order_movements", &[], &[]);
        self.put("silver_fx_rates", &[], &[]);
        self.put(
            "silver_customers_history",
            &["customer_id=c1 changed_at=2017-01-02T12:00:00Z country=US email=a@b.example"],
            &[],
        );
        self.products(&["product_id=p1 changed_at=2017-01-02T12:00:00Z list_price=1.00 category=SOUP is_active=true"]);
        self.done("gold_dim_customers", &[]);
        self.done("gold_dim_products", &[]);
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn batch(spec: &TableSpec, rows: &[&str]) -> RecordBatch {
    let value =
        |row: &str, name: &str| row.split(' ').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=').map(str::to_owned));
    let column = |field: &Arc<Field>| -> ArrayRef {
        let texts: ArrayRef = Arc::new(rows.iter().map(|row| value(row, field.name())).collect::<StringArray>());
        if texts.null_count() == texts.len() {
            new_null_array(field.data_type(), rows.len())
        } else {
            cast(&texts, field.data_type()).unwrap()
        }
    };
    RecordBatch::try_new(spec.schema.clone(), spec.schema.fields().iter().map(column).collect()).unwrap()
}

fn summary(table: &str, rows: u64) -> Summary {
    Summary {
        schema_version: 1,
        outcome: Outcome::Committed,
        run_id: "00000000-0000-7000-8000-000000000000".parse::<RunId>().unwrap(),
        attempt: 1,
        program: "test".into(),
        program_version: "0".into(),
        table: table.into(),
        window: "2017-12-30".parse().unwrap(),
        inputs: BTreeMap::new(),
        ledger: Ledger { read: rows, accepted: rows, ..Ledger::default() },
        table_version: None,
        contract: String::new(),
        contract_hash: String::new(),
        duration_ms: 0,
        bytes_written: 0,
        peak_rss_bytes: 0,
        facts: BTreeMap::new(),
    }
}

/// One line of an order.
const LINE: &str = "line_number=1 product_id=p1 quantity=1 gross_amount=2.00 discount_amount=0.50 net_amount=1.50 \
                    manufacturer_coupon_amount=0.00 source=kafka is_late=false";

/// The header of an order.
fn order(id: &str, customer: &str, currency: &str) -> String {
    let rest = "ordered_at=2017-12-20T12:00:00Z status=PLACED source=kafka is_late=false";
    format!("order_id={id} customer_id={customer} currency={currency} {rest}")
}

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
    let older = world.done("gold_dim_products", &["--input", "silver_products_history@1"]);
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
