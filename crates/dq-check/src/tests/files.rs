//! Files instead of a lake: what is read, what is judged, and what is not.

use super::*;
use crate::files::{Question, ReferenceFile, judge};
use lake_core::Fault;
use lake_quality::{Report, State};
use std::path::PathBuf;

/// Files beside the contracts of `testdata`.
struct Folder {
    directory: tempfile::TempDir,
    contracts: ContractSet,
    policy: Policy,
}

impl Folder {
    fn new() -> Self {
        let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/testdata/contracts");
        let (contracts, policy) = lake_edge::load_contracts(&testdata).unwrap();
        Self { directory: tempfile::tempdir().unwrap(), contracts, policy }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Judges `gold_things`; owners stand in a file unless there is none.
    async fn things(&self, inputs: &[PathBuf], owners: Option<PathBuf>) -> anyhow::Result<Report> {
        let references = owners.map(|file| ReferenceFile { table: "gold_owners".into(), file });
        self.ask("gold_things", inputs, references.as_slice(), None).await
    }

    async fn ask(
        &self,
        table: &str,
        inputs: &[PathBuf],
        references: &[ReferenceFile],
        window: Option<&str>,
    ) -> anyhow::Result<Report> {
        let question = Question {
            contracts: &self.contracts,
            contract: self.contracts.get(table).unwrap(),
            policy: &self.policy,
            inputs,
            references,
            window: window.map(|window| window.parse().unwrap()),
            bar: &bar(),
        };
        judge(&question).await
    }
}

fn failed(report: &Report) -> Vec<&str> {
    report.findings.iter().filter(|f| f.failed()).map(|f| f.rule.as_str()).collect()
}

fn silent(report: &Report) -> Vec<&str> {
    report.findings.iter().filter(|f| f.state == State::NotJudged).map(|f| f.rule.as_str()).collect()
}

fn message<'a>(report: &'a Report, rule: &str) -> &'a str {
    &report.findings.iter().find(|f| f.rule == rule).unwrap().message
}

const OWNERS: &str = "id\no1\no2\n";

#[tokio::test(flavor = "multi_thread")]
async fn every_format_says_the_same() {
    let folder = Folder::new();
    let rows = parquet(&[
        ("id", texts(&[Some("a"), Some("b")])),
        ("owner", texts(&[Some("o1"), None])),
        ("size", longs(&[Some(3), Some(4)])),
    ]);
    let inputs = [
        folder.file("things.csv", "id,owner,size\na,o1,3\nb,,4\n"),
        folder.file("marked.CSV", b"\xef\xbb\xbfsize,id,owner\r\n3,a,o1\r\n4,b,\r\n"),
        folder.file("things.json", r#" [ {"id": "a", "owner": "o1", "size": 3}, {"id": "b", "owner": null, "size": "4"} ]"#),
        folder.file("lines.json", "{\"id\": \"a\", \"owner\": \"o1\", \"size\": 3}\n\n{\"id\": \"b\", \"size\": 4}"),
        folder.file("things.ndjson", "{\"id\": \"a\", \"owner\": \"o1\", \"size\": 3}\n{\"id\": \"b\", \"size\": 4}\n"),
        folder.file("things.parquet", rows),
    ];
    for input in inputs {
        let report = folder.things(std::slice::from_ref(&input), Some(folder.file("owners.csv", OWNERS))).await.unwrap();
        assert_eq!((failed(&report), silent(&report), report.rows), (vec![], vec![], 2), "{}", input.display());
        assert!(report.passed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_files_are_one_table() {
    let folder = Folder::new();
    let first = folder.file("a.csv", "id,owner,size\na,o1,3\n");
    let second = folder.file("b.json", r#"[{"id": "a", "owner": "o9", "size": -1}]"#);
    let report = folder.things(&[first, second], Some(folder.file("owners.csv", OWNERS))).await.unwrap();
    let rules = ["sizes_negative", "primary-key:id", "reference:owner:gold_owners.id"];
    assert_eq!((failed(&report), report.rows), (rules.to_vec(), 2));
    assert!(!report.passed());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_given_is_not_judged() {
    let folder = Folder::new();
    let report = folder.things(&[folder.file("a.csv", "id,owner,size\na,o9,3\n")], None).await.unwrap();
    assert_eq!((failed(&report), silent(&report)), (vec![], vec!["reference:owner:gold_owners.id"]));
    assert_eq!(message(&report, "reference:owner:gold_owners.id"), "not judged: give --reference gold_owners=FILE");
    assert!(report.passed());

    let rates = folder.file("rates.csv", "currency\nUSD\n");
    let report = folder.ask("bronze_rates", &[rates], &[], None).await.unwrap();
    assert_eq!(silent(&report), ["violations_most", "primary-key:currency,_run_id", "latency:_ingest_date"]);
    assert_eq!(failed(&report), Vec::<&str>::new());
    let rates = folder.file("rates.csv", "currency,_ingest_date,_run_id\nUSD,2017-12-28,r\nGBP,2017-12-01,r\n");
    for (window, fails) in [(None, vec![]), (Some("2017-12-29"), vec![]), (Some("2017-12-30"), vec!["latency:_ingest_date"])] {
        let report = folder.ask("bronze_rates", std::slice::from_ref(&rates), &[], window).await.unwrap();
        assert_eq!(failed(&report), fails, "{window:?}");
        assert_eq!(silent(&report).contains(&"latency:_ingest_date"), window.is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_a_finding() {
    let folder = Folder::new();
    let owners = || Some(folder.file("owners.csv", OWNERS));
    let mut said = String::new();
    let bad = folder.file("bad.csv", b"id,owner,size\na,o1,three\nb,o1\n\xff,o1,5\nc,o1,5,6\n");
    let report = folder.things(&[bad], owners()).await.unwrap();
    let rules = ["records:sound", "readable:id", "readable:size", "size_missing", "required:id"];
    assert_eq!((failed(&report), report.rows), (rules.to_vec(), 2));
    assert_eq!(message(&report, "records:sound"), "2 records cannot be read");
    assert_eq!(message(&report, "readable:size"), "size: 1 of 2 rows hold no BIGINT");
    said.push_str(&format!("{report:?}"));

    let lines = "{\"id\": \"a\", \"size\": 1}\nnot json\n[1]\n{\"id\": 7, \"size\": {\"x\": 1}}\n{\"id\": \"b\", \"size\": 1.5}\n{\"id\": \"c\"";
    let report = folder.things(&[folder.file("bad.jsonl", lines)], owners()).await.unwrap();
    assert_eq!((message(&report, "records:sound"), report.rows), ("3 records cannot be read", 3));
    assert_eq!(
        (message(&report, "readable:id"), message(&report, "readable:size")),
        ("id: 1 of 3 rows hold no STRING", "size: 2 of 3 rows hold no BIGINT")
    );
    said.push_str(&format!("{report:?}"));
    let torn = folder.file("torn.json", r#"[{"id": "a", "size": 1}, {"id": "b", "size": 2}, {"id": "#);
    let report = folder.things(&[torn], owners()).await.unwrap();
    assert_eq!((failed(&report), report.rows), (vec!["records:sound"], 2));

    let other = parquet(&[("id", longs(&[Some(1)])), ("owner", texts(&[Some("o1")])), ("size", texts(&[Some("x")]))]);
    let report = folder.things(&[folder.file("bad.parquet", other)], owners()).await.unwrap();
    assert_eq!(failed(&report), ["readable:id", "readable:size", "size_missing", "required:id"]);
    said.push_str(&format!("{report:?}"));
    for value in ["three", "1.5", "not json"] {
        assert!(!said.contains(value), "a finding holds no value: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_those_of_the_contract() {
    let folder = Folder::new();
    let owners = || Some(folder.file("owners.csv", OWNERS));
    let strange = folder.file("strange.csv", "id,size,ada@example.com,colour,colour\na,1,x,y,z\n");
    let report = folder.things(&[strange], owners()).await.unwrap();
    assert_eq!(failed(&report), ["columns:present", "columns:known"]);
    assert_eq!(message(&report, "columns:present"), "columns of the contract are not in a file: `owner`");
    assert_eq!(
        message(&report, "columns:known"),
        "columns are not in the contract: `colour`, `colour` twice, one whose name is no name"
    );
    let headless = folder.things(&[folder.file("headless.csv", "Ada Lovelace,4111111111111111,7\n")], owners()).await.unwrap();
    assert_eq!(
        message(&headless, "columns:known"),
        "columns are not in the contract: none of those in the first line, which may be no header"
    );
    assert!(!format!("{headless:?}").contains("Lovelace") && !format!("{headless:?}").contains("4111"), "values are not told");
    let repeated = folder.file("repeated.csv", "id,size,owner,ada@example.com,ada@example.com\na,1,x,y,z\n");
    assert!(
        !format!("{:?}", folder.things(&[repeated], owners()).await.unwrap()).contains("ada@"),
        "nor a name that is no name, twice"
    );
    let empty = folder.things(&[folder.file("empty.csv", "")], owners()).await.unwrap();
    assert_eq!(message(&empty, "columns:present"), "columns of the contract are not in a file: `id`, `owner`, `size`");
    let none = folder.things(&[folder.file("empty.json", "")], owners()).await.unwrap();
    assert_eq!((failed(&none), none.rows), (vec![], 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_used_say_who_has_to_act() {
    let folder = Folder::new();
    let good = folder.file("a.csv", "id,owner,size\na,o1,3\n");
    let fault = |result: anyhow::Result<Report>| {
        let error = result.unwrap_err();
        (error.downcast_ref::<Fault>().copied(), format!("{error:#}"))
    };
    let (who, said) = fault(folder.things(&[folder.directory.path().join("none.csv")], None).await);
    assert!(who == Some(Fault::Config) && said.contains("none.csv: No such file"), "{said}");
    let (who, said) = fault(folder.things(&["silver_orders".into()], None).await);
    assert!(who == Some(Fault::Config) && said.contains("a version is TABLE@VERSION"), "{said}");
    let (who, said) = fault(folder.things(&[folder.file("a.parquet", "PAR1 no")], None).await);
    assert!(who == Some(Fault::Data) && said.contains("read Parquet file"), "{said}");
    let stranger = [ReferenceFile { table: "gold_owner".into(), file: good.clone() }];
    let (who, said) = fault(folder.ask("gold_things", std::slice::from_ref(&good), &stranger, None).await);
    assert!(who == Some(Fault::Config) && said.contains("did you mean `gold_owners`?"), "{said}");
    let (who, said) = fault(folder.things(std::slice::from_ref(&good), Some(folder.file("bad.jsonl", "nothing"))).await);
    assert!(who == Some(Fault::Data) && said.contains("1 records cannot be read"), "{said}");
    let report = folder.things(&[good], Some(folder.file("other.csv", "name\no1\n"))).await.unwrap();
    assert_eq!(failed(&report), ["reference:owner:gold_owners.id"]);
    assert!(message(&report, "reference:owner:gold_owners.id").contains("`gold_owners.id` is not in"), "{report:?}");
}

/// A Parquet file, by way of a table that holds nothing else.
fn parquet(columns: &[(&str, ArrayRef)]) -> Vec<u8> {
    let fields: Vec<_> =
        columns.iter().map(|(name, array)| arrow::datatypes::Field::new(*name, array.data_type().clone(), true)).collect();
    let schema = Arc::new(arrow::datatypes::Schema::new(fields));
    let batch = RecordBatch::try_new(schema.clone(), columns.iter().map(|(_, array)| array.clone()).collect()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let lake = Lake::open(directory.path().to_str().unwrap()).unwrap();
    let write = async {
        let mut table = Table::open_or_create(&lake, &TableSpec::ops("file", schema)).await.unwrap();
        let summary = Summary::begun(RunId(uuid::Uuid::nil()), "tests", "ops_file", "2017-12-30".parse().unwrap());
        let plan = async |table: &Table| -> anyhow::Result<Plan> {
            let mut writer = table.writer();
            writer.write(&batch).await?;
            let (inserted, add) = (writer.rows(), writer.finish().await?);
            Ok(Plan::Commit(Proposal {
                add,
                remove: Vec::new(),
                txns: Vec::new(),
                inserted,
                removed: 0,
                summary: summary.clone(),
            }))
        };
        table.commit(plan).await.unwrap();
        table.reload().await.unwrap();
        std::fs::read(directory.path().join("ops/file").join(&table.files()[0].path)).unwrap()
    };
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(write))
}
