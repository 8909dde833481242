//! A lake in a temporary directory, for tests of the whole program.

use crate::testing;
use arrow::array::{Array as _, ArrayRef, RecordBatch, new_null_array};
use lake_core::{
    Contract, RunId, Summary, Window,
    contract::{ContractSet, odcs::Severity},
    summary::Outcome,
};
use lake_quality::{Finding, Report, Verdict, verdict::VerdictKey};
use lake_table::{Lake, Plan, Proposal, Table, TableSpec};
use std::{collections::BTreeMap, path::PathBuf, process::ExitCode, str::FromStr as _};

const POLICY: &str = "{businessTimeZone: UTC, fiscalYearFirstMonth: 1, consumerEmailDomains: [], suppressionThreshold: 5, \
    tokenKeySecret: k, roles: [{name: data_engineer, description: d, layers: [bronze, silver, gold, quarantine, held, ops], pii: true}]}";

/// A lake, the contracts, and what Kafka has given out.
pub(crate) struct World {
    dir: tempfile::TempDir,
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) contracts: ContractSet,
    offset: std::cell::Cell<i64>,
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let contracts = dir.path().join("contracts");
        std::fs::create_dir_all(contracts.join("bronze")).unwrap();
        std::fs::write(contracts.join("policy.yaml"), POLICY).unwrap();
        for (number, text) in testing::texts_of_contracts().iter().enumerate() {
            let folder = contracts.join(format!("silver/{number}"));
            let bronze = text.contains("- property: bronze");
            std::fs::create_dir_all(&folder).unwrap();
            let path =
                if bronze { contracts.join(format!("bronze/{number}.odcs.yaml")) } else { folder.join("contract.odcs.yaml") };
            std::fs::write(path, text).unwrap();
        }
        Self { dir, runtime: testing::runtime(), contracts: testing::contracts(), offset: std::cell::Cell::new(0) }
    }

    pub(crate) fn lake(&self) -> Lake {
        Lake::open(&self.dir.path().join("lake").display().to_string()).unwrap()
    }

    /// Edits the contract of a table; what programs of later runs read.
    pub(crate) fn mend(&self, table: &str, from: &str, to: &str) {
        let name = format!("physicalName: {table}\n");
        let texts = testing::texts_of_contracts();
        let number = texts.iter().position(|text| text.contains(&name)).unwrap();
        let contracts = self.dir.path().join("contracts");
        let path = if table.starts_with("bronze") {
            contracts.join(format!("bronze/{number}.odcs.yaml"))
        } else {
            contracts.join(format!("silver/{number}/contract.odcs.yaml"))
        };
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Runs the program; returns its exit, as text, and its summary.
    pub(crate) fn run(&self, table: &str, more: &[&str]) -> (String, Option<Summary>) {
        let summary = self.dir.path().join("summary");
        let _ = std::fs::remove_file(&summary);
        let exit = self.prepared(table, more, "summary")();
        let summary = std::fs::read_to_string(summary).ok().map(|text| serde_json::from_str(&text).unwrap());
        (exit, summary)
    }

    /// A run that can be started on another thread; returns its exit, as text.
    pub(crate) fn prepared(&self, table: &str, more: &[&str], summary: &str) -> impl FnOnce() -> String + Send + use<> {
        let path = |name: &str| self.dir.path().join(name).display().to_string();
        let (lake, contracts, summary) = (path("lake"), path("contracts"), path(summary));
        let mut argv: Vec<String> = ["silverize", table, "--window", "2017-12-30"].map(str::to_owned).to_vec();
        argv.extend(["--lake".to_owned(), lake, "--contracts".to_owned(), contracts, "--summary-to".to_owned(), summary]);
        argv.extend(more.iter().map(|word| (*word).to_owned()));
        move || code(crate::main(argv.into_iter().map(Into::into)))
    }

    pub(crate) fn good(&self, table: &str, more: &[&str]) -> Summary {
        let (exit, summary) = self.run(table, more);
        assert_eq!(exit, code(ExitCode::SUCCESS));
        summary.unwrap()
    }

    /// Appends rows to a Bronze table in a commit; in place of all its rows when `replace` is set.
    pub(crate) fn land(&self, table: &str, rows: &RecordBatch, replace: bool) {
        let contract = self.contracts.get(table).unwrap();
        let rows = complete(contract, rows);
        self.runtime.block_on(async {
            let mut bronze = Table::open_or_create(&self.lake(), &TableSpec::of(contract)).await.unwrap();
            let plan = async |bronze: &Table| {
                let mut writer = bronze.writer();
                writer.write(&rows).await?;
                let add = writer.finish().await?;
                let remove = if replace { bronze.files().to_vec() } else { Vec::new() };
                let removed = if replace { bronze.rows() } else { 0 };
                let inserted = rows.num_rows() as u64;
                Ok(Plan::Commit(Proposal { add, remove, txns: Vec::new(), inserted, removed, summary: summary(table) }))
            };
            bronze.commit(plan).await.unwrap();
        });
    }

    /// Puts the files of a Bronze table together.
    pub(crate) fn compact(&self, table: &str) -> lake_table::Compacted {
        let spec = TableSpec::of(self.contracts.get(table).unwrap());
        self.runtime.block_on(async {
            let mut bronze = Table::open(&self.lake(), &spec).await.unwrap().unwrap();
            bronze.compact(1).await.unwrap().unwrap()
        })
    }

    /// Records what was decided about a version of a Bronze table; a pass is decided after a failure.
    pub(crate) fn judge(&self, table: &str, version: i64, passed: bool) {
        let contract = self.contracts.get(table).unwrap();
        let key = VerdictKey {
            table: table.to_owned(),
            version,
            contract_hash: contract.hash.clone(),
            window: Window::from_str("2017-12-30").unwrap(),
            references: BTreeMap::new(),
        };
        let finding = Finding {
            rule: "r".into(),
            severity: Severity::Error,
            dimension: "conformity".into(),
            state: lake_quality::State::Judged,
            passed,
            measured: None,
            expected: String::new(),
            message: String::new(),
        };
        let report = Report { rows: 1, findings: vec![finding] };
        let run_id = RunId::from_str("00000000-0000-7000-8000-000000000001").unwrap();
        let decided_at = chrono::DateTime::UNIX_EPOCH + chrono::Duration::hours(i64::from(passed));
        let batch = Verdict::of(key, contract.reference(), report, decided_at, run_id).to_batch().unwrap();
        self.runtime.block_on(async {
            let mut verdicts = Table::open_or_create(&self.lake(), &lake_quality::verdict::spec()).await.unwrap();
            let plan = async |verdicts: &Table| {
                let mut writer = verdicts.writer();
                writer.write(&batch).await?;
                let add = writer.finish().await?;
                let summary = summary("ops_dq_verdicts");
                Ok(Plan::Commit(Proposal { add, remove: Vec::new(), txns: Vec::new(), inserted: 1, removed: 0, summary }))
            };
            verdicts.commit(plan).await.unwrap();
        });
    }

    pub(crate) fn events(&self, payloads: &[&str]) {
        let bytes: Vec<Option<&[u8]>> = payloads.iter().map(|payload| Some(payload.as_bytes())).collect();
        self.land("bronze_events", &testing::bronze_from(self.offset.get(), &bytes), false);
        self.offset.set(self.offset.get() + i64::try_from(payloads.len()).unwrap());
    }

    /// Some columns of a table, sorted; nothing where there is no table.
    pub(crate) fn rows(&self, spec: &TableSpec, columns: &[&str]) -> Vec<String> {
        self.runtime.block_on(async {
            let Some(table) = Table::open(&self.lake(), spec).await.unwrap() else { return Vec::new() };
            let mut rows = Vec::new();
            for batch in table.read(None).await.unwrap() {
                let texts: Vec<Vec<String>> = columns.iter().map(|column| testing::texts(&batch, column)).collect();
                rows.extend(
                    (0..batch.num_rows()).map(|row| texts.iter().map(|text| text[row].as_str()).collect::<Vec<_>>().join(" ")),
                );
            }
            rows.sort();
            rows
        })
    }

    pub(crate) fn silver(&self, table: &str, columns: &[&str]) -> Vec<String> {
        self.rows(&TableSpec::of(self.contracts.get(table).unwrap()), columns)
    }

    pub(crate) fn quarantine(&self, table: &str) -> Vec<String> {
        self.rows(&TableSpec::quarantine(self.contracts.get(table).unwrap()), &["_input_version", "_position", "_line", "_rules"])
    }

    pub(crate) fn version(&self, spec: &TableSpec) -> Option<i64> {
        self.runtime.block_on(Table::open(&self.lake(), spec)).unwrap().map(|table| table.version())
    }

    pub(crate) fn log(&self, location: &str, version: i64) -> PathBuf {
        self.dir.path().join("lake").join(location).join(format!("_delta_log/{version:020}.json"))
    }
}

/// An exit as text: exits themselves cannot be compared.
pub(crate) fn code(exit: ExitCode) -> String {
    format!("{exit:?}")
}

pub(crate) fn summary(table: &str) -> Summary {
    Summary {
        outcome: Outcome::Committed,
        ..Summary::begun("00000000-0000-7000-8000-000000000001".parse().unwrap(), "test", table, "2017-12-30".parse().unwrap())
    }
}

/// Bronze rows with all columns of their contract.
fn complete(contract: &Contract, rows: &RecordBatch) -> RecordBatch {
    let columns = contract.columns.iter().map(|column| {
        let kind = lake_table::arrow_type(column.kind);
        let found = rows.column_by_name(&column.name).cloned();
        let text = |value| lake_table::columns::constant_string(value, rows.num_rows());
        let array: ArrayRef = match column.name.as_str() {
            "_source" => text("s"),
            _ => found.unwrap_or_else(|| new_null_array(&kind, rows.num_rows())),
        };
        assert_eq!(array.data_type(), &kind, "{}", column.name);
        (column.name.clone(), array)
    });
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
}
