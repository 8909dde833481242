//! Every number of the report, from a small lake whose numbers are known.

use super::{Asked, Island, island};
use crate::{
    graph::{Graph, Work},
    projection::{self, Author},
    resume::{self, Note, StepNote, StepState},
    scores,
};
use arrow::array::{ArrayRef, Date32Array, Decimal128Array, RecordBatch, StringArray};
use lake_core::{Ledger, Policy, RunId, Summary, Window, contract::ContractSet, contract::odcs::Severity};
use lake_quality::{
    Finding, Report, State, Verdict,
    score::TableScore,
    verdict::{self, VerdictKey},
};
use lake_table::{Lake, Plan, Proposal, Table, TableSpec, columns};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path, sync::Arc};

const EVIL: &str = "<script>alert(1)</script>";

/// A lake and the contracts of this repository.
pub(super) struct World {
    _directory: tempfile::TempDir,
    lake: Lake,
    contracts: ContractSet,
    pub(super) policy: Policy,
}

fn window(text: &str) -> Window {
    text.parse().unwrap()
}

fn author(text: &str) -> Author {
    Author { run_id: RunId(uuid::Uuid::nil()), attempt: 1, window: window(text) }
}

impl World {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let lake = Lake::open(directory.path().to_str().unwrap()).unwrap();
        let contracts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts");
        let (contracts, policy) = lake_edge::load_contracts(&contracts).unwrap();
        Self { _directory: directory, lake, contracts, policy }
    }

    async fn island(&self, of: Option<&str>) -> Island {
        let asked = Asked {
            title: EVIL.into(),
            made_at: "2018-01-02T03:04:05.678Z".parse().unwrap(),
            window: of.map(window),
            run_id: None,
            windows_max: 60,
        };
        let graph = Graph::of(&self.contracts).unwrap();
        island(&self.lake, (&self.contracts, &self.policy), &graph, &asked).await.unwrap()
    }

    pub(super) async fn shown(&self, of: Option<&str>) -> Value {
        serde_json::to_value(self.island(of).await).unwrap()
    }

    fn spec(&self, table: &str) -> TableSpec {
        TableSpec::of(self.contracts.get(table).unwrap())
    }

    /// Commits rows, or none, with a summary.
    async fn commit(&self, spec: &TableSpec, batch: Option<RecordBatch>, summary: Summary) {
        let mut table = Table::open_or_create(&self.lake, spec).await.unwrap();
        let plan = async |table: &Table| {
            let mut writer = table.writer();
            if let Some(batch) = &batch {
                writer.write(batch).await?;
            }
            let inserted = writer.rows();
            let txns = vec![("test".to_owned(), table.version() + 1)];
            let add = writer.finish().await?;
            Ok(Plan::Commit(Proposal { add, remove: Vec::new(), txns, inserted, removed: 0, summary: summary.clone() }))
        };
        table.commit(plan).await.unwrap();
    }

    /// Commits what a program says of a run, without rows.
    async fn ran(&self, program: &str, spec: &TableSpec, of: &str, duration_ms: u64, ledger: Ledger) {
        let begun = Summary::begun(RunId(uuid::Uuid::nil()), program, &spec.name, window(of));
        self.commit(spec, None, Summary { duration_ms, ledger, ..begun }).await;
    }

    /// Commits rows; columns that are not given are null.
    pub(super) async fn rows(&self, table: &str, given: Vec<(&str, ArrayRef)>) {
        let (spec, rows) = (self.spec(table), given[0].1.len());
        let given: BTreeMap<&str, ArrayRef> = given.into_iter().collect();
        let array = |field: &Arc<arrow::datatypes::Field>| {
            given.get(field.name().as_str()).cloned().unwrap_or_else(|| columns::nulls(field.data_type(), rows))
        };
        let batch = RecordBatch::try_new(spec.schema.clone(), spec.schema.fields().iter().map(array).collect()).unwrap();
        self.commit(&spec, Some(batch), Summary::begun(RunId(uuid::Uuid::nil()), "goldify", table, window("2017-12-01"))).await;
    }

    async fn judged(&self, table: &str, of: &str, second: u32, findings: Vec<Finding>) -> Verdict {
        let key = VerdictKey {
            table: table.into(),
            version: second.into(),
            contract_hash: "h".into(),
            window: window(of),
            references: BTreeMap::new(),
        };
        let at = format!("2018-01-01T00:00:{second:02}Z").parse().unwrap();
        let verdict = Verdict::of(key, "c@1".into(), Report { rows: 7, findings }, at, RunId(uuid::Uuid::nil()));
        self.verdict(&verdict).await;
        verdict
    }

    async fn verdict(&self, verdict: &Verdict) {
        let begun = Summary::begun(verdict.run_id, "dq-check", &verdict.key.table, verdict.key.window);
        let summary = Summary { duration_ms: 30, ..begun };
        self.commit(&verdict::spec(), Some(verdict.to_batch().unwrap()), summary).await;
    }
}

pub(super) fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

pub(super) fn dates(values: &[&str]) -> ArrayRef {
    Arc::new(values.iter().map(|text| Some(columns::days(text.parse().unwrap()))).collect::<Date32Array>())
}

pub(super) fn amounts(values: &[Option<i128>], scale: i8) -> ArrayRef {
    Arc::new(values.iter().copied().collect::<Decimal128Array>().with_precision_and_scale(18, scale).unwrap())
}

fn finding(rule: &str, severity: Severity, passed: bool, state: State) -> Finding {
    let (dimension, expected, message) = ("accuracy".into(), "= 0 rows".into(), "2 rows".into());
    Finding { rule: rule.into(), severity, dimension, state, passed, measured: Some(2.0), expected, message }
}

fn ledger(accepted: u64, quarantined: u64, duplicate: u64, held: u64) -> Ledger {
    Ledger { read: accepted + quarantined + duplicate + held, accepted, quarantined, duplicate, held, ..Ledger::default() }
}

#[tokio::test]
async fn an_empty_lake_shows_that_nothing_is_there_yet() {
    let world = World::new();
    let shown = world.shown(None).await;
    assert_eq!((&shown["title"], &shown["made_at"]), (&json!(EVIL), &json!("2018-01-02T03:04:05Z")));
    assert_eq!((&shown["run"], &shown["window"], &shown["schema_version"]), (&Value::Null, &Value::Null, &json!(1)));
    assert_eq!(shown["flow"], json!({ "layers": [], "tables": [], "windows": [] }));
    assert_eq!(shown["durations"], json!({ "programs": [], "windows": [] }));
    assert_eq!(shown["gold"], json!({ "sales": null, "segments": null, "attribution": null }));
    for part in ["tables", "failures", "trend", "rules"] {
        assert_eq!(shown["quality"][part], json!([]), "{part}");
    }
    assert_eq!(
        shown["quality"]["day"],
        json!({ "name": "day", "score": null, "judged": 0, "tables": world.contracts.iter().count() })
    );
}

#[tokio::test]
async fn the_graph_is_that_of_the_contracts() {
    let world = World::new();
    let shown = world.shown(None).await;
    let nodes = shown["lineage"]["tables"].as_array().unwrap();
    assert_eq!(nodes.len(), world.contracts.iter().count());
    for node in nodes {
        let contract = world.contracts.get(node["name"].as_str().unwrap()).unwrap();
        assert_eq!((&node["inputs"], &node["layer"]), (&json!(contract.inputs()), &json!(contract.layer.name())));
    }
    let orders = nodes.iter().find(|node| node["name"] == "bronze_kafka_orders").unwrap();
    assert_eq!((&orders["program"], &orders["source"]), (&json!("ingest-kafka"), &json!("kafka")));
    let layers: Vec<&str> = nodes.iter().map(|node| node["layer"].as_str().unwrap()).collect();
    assert!(layers.is_sorted_by_key(|layer| super::LAYERS.iter().position(|known| known == layer)));
}

#[tokio::test]
async fn the_run_is_that_of_the_newest_window_unless_another_is_asked_for() {
    let world = World::new();
    let step = |program: &str, work, state, why: Option<&str>| StepNote {
        program: program.into(),
        table: "silver_orders".into(),
        work,
        state,
        outcome: (state == StepState::Ok).then(|| "committed".into()),
        exit: (state != StepState::NotRun).then_some(if state == StepState::Ok { 0 } else { 65 }),
        why: why.map(str::to_owned),
        duration_ms: (state != StepState::NotRun).then_some(1_500),
    };
    let steps = vec![
        step("silverize", Work::Build, StepState::Ok, None),
        step("dq-check", Work::Check, StepState::Failed, Some(EVIL)),
        step("goldify", Work::Build, StepState::NotRun, Some("dq-check silver_orders")),
    ];
    let note = |of: &str, exit: Option<&str>, steps| Note {
        run_id: RunId(uuid::Uuid::nil()),
        attempt: 2,
        window: window(of),
        exit: exit.map(str::to_owned),
        duration_ms: exit.map(|_| 9_000),
        steps,
    };
    for one in
        [note("2017-12-31", Some("data"), Some(steps)), note("2017-12-30", None, None), note("2017-12-29", Some("ok"), None)]
    {
        resume::leave(&world.lake, &one).await.unwrap();
    }
    let shown = world.shown(None).await;
    let run = &shown["run"];
    let counts = ["ok", "failed", "not_run", "duration_ms", "attempt"].map(|name| run[name].as_u64().unwrap());
    assert_eq!((counts, &shown["window"], &run["state"]), ([1, 1, 1, 9_000, 2], &json!("2017-12-31"), &json!("failed")));
    let failed = json!({ "program": "dq-check", "table": "silver_orders", "work": "check", "state": "failed", "outcome": null,
        "exit": 65, "why": EVIL, "duration_ms": 1_500 });
    assert_eq!(run["steps"][1], failed);
    assert_eq!(run["steps"][2]["why"], "dq-check silver_orders");
    let run = world.shown(Some("2017-12-30")).await["run"].clone();
    assert_eq!((&run["state"], &run["steps"], &run["duration_ms"]), (&json!("unfinished"), &json!([]), &Value::Null));
    assert_eq!(world.shown(Some("2017-12-29")).await["run"]["state"], "done");
}

async fn noted(world: &World, of: &str) {
    let note = Note {
        run_id: RunId(uuid::Uuid::nil()),
        attempt: 1,
        window: window(of),
        exit: Some("ok".into()),
        duration_ms: Some(1),
        steps: Some(Vec::new()),
    };
    resume::leave(&world.lake, &note).await.unwrap();
}

#[tokio::test]
async fn rows_and_times_are_those_of_the_commits() {
    let world = World::new();
    let orders = world.contracts.get("silver_orders").unwrap();
    let (bronze, silver, gold) = (world.spec("bronze_kafka_orders"), world.spec("silver_orders"), world.spec("gold_fact_sales"));
    world.ran("ingest-kafka", &bronze, "2017-12-30", 400, ledger(10, 0, 0, 0)).await;
    world.ran("silverize", &silver, "2017-12-30", 50, ledger(6, 1, 2, 1)).await;
    world.ran("ingest-kafka", &bronze, "2017-12-31", 100, ledger(20, 0, 0, 0)).await;
    world.ran("silverize", &silver, "2017-12-31", 60, ledger(9, 2, 3, 4)).await;
    // Run again after more had come: Silver took the rest, Gold was made anew.
    world.ran("silverize", &silver, "2017-12-31", 40, ledger(1, 0, 0, 1)).await;
    world.ran("goldify", &gold, "2017-12-31", 70, ledger(15, 1, 0, 0)).await;
    world.ran("goldify", &gold, "2017-12-31", 80, ledger(17, 1, 0, 0)).await;
    // What was put aside repeats its run; another length is no comparison.
    world.ran("silverize", &TableSpec::quarantine(orders), "2017-12-31", 60, ledger(0, 2, 0, 0)).await;
    world.ran("ingest-kafka", &bronze, "2017-01-01/2017-12-30", 7_000, ledger(5_000, 0, 0, 0)).await;
    projection::write(&world.lake, &world.contracts, author("2017-12-31")).await.unwrap();
    world.judged("silver_orders", "2017-12-31", 1, Vec::new()).await;
    noted(&world, "2017-12-31").await;

    let shown = world.shown(None).await;
    let row = |ledger: Ledger| serde_json::to_value(ledger).unwrap();
    let with = |mut value: Value, more: Value| {
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        value
    };
    let tables = json!([
        with(row(ledger(20, 0, 0, 0)), json!({ "name": "bronze_kafka_orders", "layer": "bronze" })),
        with(row(ledger(10, 2, 3, 5)), json!({ "name": "silver_orders", "layer": "silver" })),
        with(row(ledger(17, 1, 0, 0)), json!({ "name": "gold_fact_sales", "layer": "gold" })),
    ]);
    assert_eq!(shown["flow"]["tables"], tables);
    let layers = json!([
        with(row(ledger(20, 0, 0, 0)), json!({ "name": "bronze", "tables": 1 })),
        with(row(ledger(10, 2, 3, 5)), json!({ "name": "silver", "tables": 1 })),
        with(row(ledger(17, 1, 0, 0)), json!({ "name": "gold", "tables": 1 })),
    ]);
    assert_eq!(shown["flow"]["layers"], layers);
    let earlier = json!([
        with(row(ledger(10, 0, 0, 0)), json!({ "name": "bronze", "tables": 1 })),
        with(row(ledger(6, 1, 2, 1)), json!({ "name": "silver", "tables": 1 })),
    ]);
    assert_eq!(
        shown["flow"]["windows"],
        json!([{ "window": "2017-12-30", "layers": earlier }, { "window": "2017-12-31", "layers": layers }])
    );
    let times = json!({
        "programs": ["ingest-kafka", "silverize", "goldify", "dq-check"],
        "windows": [
            { "window": "2017-12-30", "milliseconds": { "ingest-kafka": 400, "silverize": 50 } },
            { "window": "2017-12-31", "milliseconds": { "dq-check": 30, "goldify": 150, "ingest-kafka": 100, "silverize": 100 } },
        ],
    });
    assert_eq!(shown["durations"], times);
}

#[tokio::test]
async fn a_day_that_another_scheduler_ran_is_shown_without_its_steps() {
    let world = World::new();
    let (bronze, gold) = (world.spec("bronze_kafka_orders"), world.spec("gold_fact_sales"));
    world.ran("ingest-kafka", &bronze, "2017-01-01/2017-12-30", 100, ledger(20, 0, 0, 0)).await;
    world.ran("goldify", &gold, "2017-01-01/2017-12-30", 70, ledger(15, 1, 0, 0)).await;
    noted(&world, "2017-01-01/2017-12-30").await;
    world.ran("ingest-kafka", &bronze, "2017-12-30", 100, ledger(2, 0, 0, 0)).await;
    world.ran("goldify", &gold, "2017-12-30", 80, ledger(17, 1, 0, 0)).await;
    // A window that ends before Gold is no day, however new it is.
    world.ran("ingest-kafka", &bronze, "2017-12-31", 100, ledger(3, 0, 0, 0)).await;
    projection::write(&world.lake, &world.contracts, author("2017-12-31")).await.unwrap();
    let shown = world.shown(None).await;
    assert_eq!((&shown["window"], &shown["run"]), (&json!("2017-12-30"), &Value::Null));
    assert_eq!(shown["flow"]["tables"][0]["accepted"], 2);
    assert_eq!(shown["durations"]["windows"][0]["milliseconds"], json!({ "ingest-kafka": 100, "goldify": 80 }));
    let shown = world.shown(Some("2017-12-31")).await;
    assert_eq!((&shown["window"], &shown["run"]), (&json!("2017-12-31"), &Value::Null));
    assert_eq!(shown["flow"]["tables"][0]["accepted"], 3);
    let shown = world.shown(Some("2017-01-01/2017-12-30")).await;
    assert_eq!((&shown["run"]["state"], &shown["flow"]["tables"][0]["accepted"]), (&json!("done"), &json!(20)));
}

#[tokio::test]
async fn quality_is_what_was_decided_last() {
    let world = World::new();
    let (error, warning, info) = (Severity::Error, Severity::Warning, Severity::Info);
    world.judged("silver_orders", "2017-12-30", 1, vec![finding("a", error, true, State::Judged)]).await;
    world.judged("silver_orders", "2017-12-31", 2, vec![finding("a", error, true, State::Judged)]).await;
    let failed = world
        .judged(
            "silver_orders",
            "2017-12-31",
            3,
            vec![
                finding("a", error, false, State::Judged),
                finding("b", warning, true, State::Judged),
                finding("volume:rows", warning, true, State::Learning),
                finding("files", warning, false, State::NotJudged),
            ],
        )
        .await;
    let by = "someone@company.com";
    world.verdict(&failed.waived(by, "known", "2018-01-01T00:00:04Z".parse().unwrap(), failed.run_id)).await;
    let notes = vec![finding(EVIL, info, false, State::Judged), finding("d", warning, false, State::Judged)];
    world.judged("bronze_kafka_orders", "2017-12-31", 5, notes).await;
    let score = |table: &str, score, of: &str| {
        let layer = table.split('_').next().unwrap().to_owned();
        TableScore { table: table.into(), layer, score, passed: true, version: 1, window_to: window(of).to() }
    };
    for (of, all) in
        [("2017-12-30", vec![("silver_orders", 80.0)]), ("2017-12-31", vec![("silver_orders", 90.5), ("gold_fact_sales", 100.0)])]
    {
        let judged = all.into_iter().map(|(table, value)| score(table, value, of)).collect();
        scores::record(&world.lake, &world.contracts, author(of), judged).await.unwrap();
    }
    noted(&world, "2017-12-31").await;

    let quality = world.shown(None).await["quality"].clone();
    let tables = json!([
        { "name": "bronze_kafka_orders", "layer": "bronze", "score": 0.0, "passed": true, "waived": false, "rows": 7, "held": 0,
          "failed": 2, "learning": 0, "not_judged": 0 },
        { "name": "silver_orders", "layer": "silver", "score": 25.0, "passed": true, "waived": true, "rows": 7, "held": 1,
          "failed": 1, "learning": 1, "not_judged": 1 },
    ]);
    assert_eq!(quality["tables"], tables);
    let failure = |table: &str, rule: &str, severity: &str| json!({ "table": table, "rule": rule, "severity": severity, "measured": 2.0, "expected": "= 0 rows", "message": "2 rows" });
    let failures = [
        failure("silver_orders", "a", "error"),
        failure("bronze_kafka_orders", "d", "warning"),
        failure("bronze_kafka_orders", EVIL, "info"),
    ];
    assert_eq!(quality["failures"], json!(failures));
    assert_eq!(quality["day"]["score"], 95.25);
    let scores: Vec<&Value> = quality["layers"].as_array().unwrap().iter().map(|layer| &layer["score"]).collect();
    assert_eq!(scores, [&Value::Null, &json!(90.5), &json!(100.0)]);
    let trend = json!([
        { "day": "2017-12-30", "scores": { "day": 80.0, "silver": 80.0 } },
        { "day": "2017-12-31", "scores": { "day": 95.25, "gold": 100.0, "silver": 90.5 } },
    ]);
    assert_eq!(quality["trend"], trend);
    let rules = json!([
        { "window": "2017-12-30", "held": 1, "error": 0, "warning": 0, "info": 0, "learning": 0, "not_judged": 0 },
        { "window": "2017-12-31", "held": 1, "error": 1, "warning": 1, "info": 1, "learning": 1, "not_judged": 1 },
    ]);
    assert_eq!(quality["rules"], rules);
    assert!(!quality.to_string().contains(by), "who let a version pass stays in the table of verdicts");
}
