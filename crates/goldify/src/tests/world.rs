//! A lake in a temporary directory, with the project's own contracts.

use arrow::{
    array::{Array as _, ArrayRef, AsArray as _, RecordBatch, StringArray, new_null_array},
    compute::cast,
    datatypes::Field,
};
use lake_core::{Contract, Ledger, Summary, summary::Outcome};
use lake_quality::{Verdict, verdict::VerdictKey};
use lake_table::{Lake, Plan, Proposal, Table, TableSpec};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

pub(super) const CONTRACTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contracts");
pub(super) const MAIN: [&str; 2] = ["--window", "2017-12-30"];

/// A lake, its contracts and its secrets.
pub(super) struct World {
    pub(super) root: tempfile::TempDir,
    pub(super) contracts: PathBuf,
}

impl World {
    pub(super) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let secret = root.path().join("secrets/masking");
        std::fs::create_dir_all(&secret).unwrap();
        std::fs::write(secret.join("token-key"), format!(r#"{{"key_id":"k1","key":"{}"}}"#, "0f".repeat(32))).unwrap();
        Self { root, contracts: CONTRACTS.into() }
    }

    /// A world whose contracts can be changed.
    pub(super) fn with_own_contracts() -> Self {
        let mut world = Self::new();
        world.contracts = world.root.path().join("contracts");
        copy(Path::new(CONTRACTS), &world.contracts);
        world
    }

    pub(super) fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.contracts.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no `{from}`");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    pub(super) fn goldify(&self, table: &str, more: &[&str]) -> (ExitCode, Option<Summary>) {
        self.goldify_in(MAIN[1], table, more)
    }

    /// Runs a window of its own.
    pub(super) fn goldify_in(&self, window: &str, table: &str, more: &[&str]) -> (ExitCode, Option<Summary>) {
        let root = self.root.path();
        let target = root.join("summary.json");
        let _ = std::fs::remove_file(&target);
        let mut argv: Vec<String> = ["goldify", table, MAIN[0], window].map(str::to_owned).to_vec();
        argv.extend(["--lake".to_owned(), root.join("lake").display().to_string()]);
        argv.extend(["--contracts".to_owned(), self.contracts.display().to_string()]);
        argv.extend(["--secrets".to_owned(), format!("file:{}", root.join("secrets").display())]);
        argv.extend(["--summary-to".to_owned(), target.display().to_string()]);
        argv.extend(more.iter().map(|arg| (*arg).to_owned()));
        let exit = crate::main(argv.into_iter().map(Into::into));
        (exit, std::fs::read_to_string(target).ok().map(|text| serde_json::from_str(&text).unwrap()))
    }

    pub(super) fn done(&self, table: &str, more: &[&str]) -> Summary {
        let (exit, summary) = self.goldify(table, more);
        assert_eq!(exit, ExitCode::SUCCESS);
        summary.unwrap()
    }

    pub(super) fn done_in(&self, window: &str, table: &str) -> Summary {
        let (exit, summary) = self.goldify_in(window, table, &[]);
        assert_eq!(exit, ExitCode::SUCCESS);
        summary.unwrap()
    }

    pub(super) fn contract(&self, table: &str) -> Contract {
        let (contracts, _) = lake_edge::load_contracts(&self.contracts).unwrap();
        contracts.table(table).unwrap().clone()
    }

    pub(super) fn lake(&self) -> Lake {
        Lake::open(&self.root.path().join("lake").display().to_string()).unwrap()
    }

    /// Replaces a table's rows, given as one text per row, `column=value` separated by blanks.
    pub(super) fn put(&self, table: &str, rows: &[&str], txns: &[(&str, i64)]) -> i64 {
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

    /// Records what was decided about a version; a pass is decided after a failure.
    pub(super) fn judge(&self, table: &str, version: i64, passed: bool) {
        let contract = self.contract(table);
        let key = VerdictKey {
            table: table.to_owned(),
            version,
            contract_hash: contract.hash.clone(),
            window: MAIN[1].parse().unwrap(),
            references: BTreeMap::new(),
        };
        let report = lake_quality::Report { rows: 1, findings: Vec::new() };
        let run_id = "00000000-0000-7000-8000-000000000000".parse().unwrap();
        let decided_at = chrono::DateTime::UNIX_EPOCH + chrono::Duration::hours(i64::from(passed));
        let verdict = Verdict::of(key, contract.reference(), report, decided_at, run_id);
        let batch = Verdict { passed, ..verdict }.to_batch().unwrap();
        run(async {
            let mut verdicts = Table::open_or_create(&self.lake(), &lake_quality::verdict::spec()).await.unwrap();
            let plan = async |verdicts: &Table| -> anyhow::Result<Plan> {
                let mut writer = verdicts.writer();
                writer.write(&batch).await?;
                let (add, summary) = (writer.finish().await?, summary("ops_dq_verdicts", 1));
                Ok(Plan::Commit(Proposal { add, remove: Vec::new(), txns: Vec::new(), inserted: 1, removed: 0, summary }))
            };
            verdicts.commit(plan).await.unwrap();
        });
    }

    pub(super) fn rows(&self, spec: &TableSpec, columns: &[&str]) -> Vec<String> {
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

    pub(super) fn version(&self, spec: &TableSpec) -> Option<i64> {
        run(async { Table::open(&self.lake(), spec).await.unwrap().map(|table| table.version()) })
    }

    pub(super) fn products(&self, rows: &[&str]) -> i64 {
        self.put("silver_products_history", rows, &[])
    }

    /// A CRM that knows nobody.
    pub(super) fn empty_crm(&self) {
        for table in ["silver_contacts_history", "silver_contact_companies", "silver_companies"] {
            self.put(table, &[], &[]);
        }
    }

    /// One order with one line, and what it needs.
    pub(super) fn sales(&self, currency: &str) {
        self.put("silver_orders", &[&order("o1", "c1", currency)], &[]);
        self.put("silver_order_items", &[&format!("order_id=o1 {LINE}")], &[]);
        self.put("silver_order_movements", &[], &[]);
        self.put("silver_fx_rates", &[], &[]);
        self.put(
            "silver_customers_history",
            &["customer_id=c1 changed_at=2017-01-02T12:00:00Z country=US email=a@b.example"],
            &[],
        );
        self.empty_crm();
        self.products(&["product_id=p1 changed_at=2017-01-02T12:00:00Z list_price=1.00 category=SOUP is_active=true"]);
        self.done("gold_dim_customers", &[]);
        self.done("gold_dim_products", &[]);
    }
}

pub(super) fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work)
}

pub(super) fn copy(from: &Path, to: &Path) {
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

pub(super) fn batch(spec: &TableSpec, rows: &[&str]) -> RecordBatch {
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

pub(super) fn summary(table: &str, rows: u64) -> Summary {
    Summary {
        outcome: Outcome::Committed,
        ledger: Ledger { read: rows, accepted: rows, ..Ledger::default() },
        ..Summary::begun("00000000-0000-7000-8000-000000000000".parse().unwrap(), "test", table, "2017-12-30".parse().unwrap())
    }
}

/// One line of an order.
pub(super) const LINE: &str = "line_number=1 product_id=p1 quantity=1 gross_amount=2.00 discount_amount=0.50 net_amount=1.50 \
                    manufacturer_coupon_amount=0.00 source=kafka is_late=false";

/// The header of an order.
pub(super) fn order(id: &str, customer: &str, currency: &str) -> String {
    let rest = "ordered_at=2017-12-20T12:00:00Z status=PLACED source=kafka is_late=false";
    format!("order_id={id} customer_id={customer} currency={currency} {rest}")
}
