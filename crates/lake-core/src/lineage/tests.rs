use super::{
    DatasetName, Derivation, Ending, EventType, Origins, Places, Record, Use, dataset::source_dataset, derivation,
    facet::Assertion, outbox, record::About,
};
use crate::{Contract, Run, RunId, Summary, contract::ContractSet, summary::Outcome};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use uuid::Uuid;

fn files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

pub(super) fn contracts() -> ContractSet {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts");
    let parse = |path: PathBuf| {
        let model = std::fs::read_to_string(path.with_file_name("model.sql")).ok();
        Contract::parse(&path, &std::fs::read_to_string(&path).unwrap(), model).unwrap()
    };
    let bronze = files(&root.join("bronze")).into_iter().filter(|path| path.is_file());
    let others = ["silver", "gold"].into_iter().flat_map(|layer| files(&root.join(layer)));
    let others = others.map(|folder| folder.join("contract.odcs.yaml"));
    ContractSet::new(bronze.chain(others).map(parse).collect()).unwrap()
}

pub(super) fn run(program: &'static str, table: &str, attempt: u32) -> Run {
    Run {
        id: RunId(Uuid::from_u128(7)),
        attempt,
        program,
        table: table.to_owned(),
        window: "2017-12-30".parse().unwrap(),
        generation: 1,
        started_at: "2017-12-31T02:00:00.000001Z".parse().unwrap(),
    }
}

fn places(contract: &Contract) -> Places {
    let source = |source| source_dataset(source, "kafka://broker:9092".to_owned());
    Places {
        lake: "s3://bucket/lake".to_owned(),
        root: DatasetName { namespace: "s3://bucket".to_owned(), name: "lake".to_owned() },
        source: contract.bronze().map(|bronze| source(&bronze.source)),
    }
}

pub(super) fn record(contracts: &ContractSet, run: &Run, judges: bool) -> Record {
    let contract = contracts.get(&run.table).unwrap();
    Record::of(&About {
        run,
        version: "0.1.0",
        judges,
        contract,
        contracts,
        places: &places(contract),
        derivation: derivation(contract, contracts).as_ref(),
        fixed: &BTreeMap::new(),
    })
}

/// `table.column: SUBTYPE part` of each way, sorted.
fn told(origins: &Origins) -> Vec<String> {
    let mut all = Vec::new();
    for (field, ways) in origins.iter() {
        for way in ways {
            let masked = if way.masking { " masked" } else { "" };
            let part = way.part.clone().unwrap_or_default();
            all.push(format!("{}.{}: {}{masked} {part}", field.table, field.column, way.usage.subtype()).trim_end().to_owned());
        }
    }
    all
}

fn made(contracts: &ContractSet, table: &str) -> Derivation {
    derivation(contracts.get(table).unwrap(), contracts).unwrap()
}

#[test]
fn ways_that_follow_each_other_are_one() {
    let way = |first: Use, then: Use| {
        let origins = Origins::part_of("t", "c", first, None).used(then);
        origins.iter().next().unwrap().1.first().unwrap().usage
    };
    for (first, then, together) in [
        (Use::Identity, Use::Identity, Use::Identity),
        (Use::Identity, Use::Filter, Use::Filter),
        (Use::Transformation, Use::Identity, Use::Transformation),
        (Use::Transformation, Use::Aggregation, Use::Aggregation),
        (Use::Aggregation, Use::Transformation, Use::Aggregation),
        (Use::Aggregation, Use::Join, Use::Join),
        (Use::Window, Use::Identity, Use::Window),
        (Use::Window, Use::Filter, Use::Window),
        (Use::Conditional, Use::Aggregation, Use::Conditional),
    ] {
        assert_eq!(way(first, then), together, "{first:?} then {then:?}");
    }
    let masked = Origins::column("t", "c").masked().used(Use::Join);
    assert_eq!(told(&masked), ["t.c: JOIN masked"]);
}

#[test]
fn silver_says_where_in_a_record_or_a_column_a_value_stands() {
    let contracts = contracts();
    let items = made(&contracts, "silver_order_items");
    assert_eq!(
        told(&items.of("quantity")),
        [
            "bronze_kafka_orders._payload: TRANSFORMATION /lines/*/quantity",
            "bronze_snowflake_order_items.QUANTITY: TRANSFORMATION"
        ]
    );
    let customers = made(&contracts, "silver_customers");
    assert_eq!(told(&customers.of("updated_at")), ["bronze_snowflake_customers.UPDATED_AT: IDENTITY"]);
    let contacts = made(&contracts, "silver_contacts");
    assert_eq!(told(&contacts.of("email")), ["bronze_hubspot_contacts._payload: TRANSFORMATION /properties/email"]);
    assert_eq!(told(&contacts.of("_run_id")), Vec::<String>::new());
    assert!(told(&contacts.rows).contains(&"bronze_hubspot_contacts._change: CONDITIONAL".to_owned()));
    assert!(told(&items.rows).iter().any(|line| line.contains("FILTER")), "{:?}", told(&items.rows));
}

#[test]
fn every_masked_twin_says_so_and_nothing_else_does() {
    let contracts = contracts();
    let mut twins = 0;
    for contract in contracts.iter().filter(|contract| contract.silver().is_some()) {
        let made = derivation(contract, &contracts).unwrap();
        for column in &contract.columns {
            let origins = made.of(&column.name);
            let masked = origins.iter().flat_map(|(_, ways)| ways).filter(|way| way.masking).count();
            let ways = origins.iter().map(|(_, ways)| ways.len()).sum::<usize>();
            assert_eq!(masked, if column.mask.is_some() { ways } else { 0 }, "{}.{}", contract.table, column.name);
            twins += usize::from(column.mask.is_some());
        }
    }
    assert!(twins > 10, "{twins}");
}

#[test]
fn every_declared_column_of_bronze_and_silver_has_an_origin_or_is_the_runs_own() {
    let contracts = contracts();
    for contract in contracts.iter().filter(|contract| contract.gold().is_none()) {
        let made = derivation(contract, &contracts).unwrap();
        let routes = contract.silver().into_iter().flat_map(|silver| &silver.inputs).flat_map(|input| &input.routes);
        let constants: Vec<&String> =
            routes.flat_map(|route| &route.columns).filter(|(_, feed)| feed.starts_with('=')).map(|(c, _)| c).collect();
        let declared = contract.columns.iter().filter(|column| !column.name.starts_with('_'));
        for column in declared.filter(|column| !constants.contains(&&column.name)) {
            assert!(!made.of(&column.name).is_empty(), "{}.{} comes from nowhere", contract.table, column.name);
        }
    }
}

#[test]
fn a_run_begins_and_ends_with_what_it_reads_and_writes() {
    let contracts = contracts();
    let record = record(&contracts, &run("silverize", "silver_order_items", 2), false);
    let start = serde_json::to_value(record.started()).unwrap();
    assert_eq!(start["eventType"], "START");
    assert_eq!(start["eventTime"], "2017-12-31T02:00:00.000001Z");
    assert_eq!(start["job"]["name"], "silverize.silver_order_items");
    let names: Vec<&str> = start["inputs"].as_array().unwrap().iter().map(|input| input["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["lake/bronze/kafka_orders", "lake/bronze/snowflake_order_items"]);
    assert_eq!(start["outputs"][0]["name"], "lake/silver/order_items");
    let quantity = &start["outputs"][0]["facets"]["columnLineage"]["fields"]["quantity"]["inputFields"][1];
    assert_eq!((&quantity["namespace"], &quantity["field"]), (&"s3://bucket".into(), &"QUANTITY".into()));

    let mut summary = Summary::begun(record.run().id, "silverize", "silver_order_items", record.run().window);
    summary.outcome = Outcome::Committed;
    summary.table_version = Some(4);
    summary.inputs = BTreeMap::from([("bronze_kafka_orders".to_owned(), 3)]);
    summary.ledger.accepted = 11;
    summary.facts.insert("ledger_by_input".to_owned(), serde_json::json!({"bronze_kafka_orders": {"read": 12}}));
    let end = serde_json::to_value(record.ended(record.run().started_at, Ending::Done(&summary))).unwrap();
    assert_eq!((&end["eventType"], &end["run"]["runId"]), (&"COMPLETE".into(), &start["run"]["runId"]));
    assert!(end["eventTime"].as_str() > start["eventTime"].as_str(), "an end is later, whatever the clock says");
    assert_eq!(end["inputs"][0]["facets"]["version"]["datasetVersion"], "3");
    assert_eq!(end["inputs"][0]["inputFacets"]["inputStatistics"]["rowCount"], 12);
    assert!(end["inputs"][1].get("inputFacets").is_none());
    assert_eq!(end["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"], 11);
    assert_eq!(end["outputs"][0]["facets"]["version"]["datasetVersion"], "4");
}

#[test]
fn what_an_earlier_run_did_is_not_counted_twice() {
    let contracts = contracts();
    let record = record(&contracts, &run("silverize", "silver_order_items", 1), false);
    let mut summary = Summary::begun(RunId(Uuid::from_u128(9)), "silverize", "silver_order_items", record.run().window);
    summary.outcome = Outcome::AlreadyDone;
    summary.ledger.accepted = 11;
    let end = serde_json::to_value(record.ended(record.run().started_at, Ending::Done(&summary))).unwrap();
    assert!(end["outputs"][0].get("outputFacets").is_none());
    assert_eq!(end["run"]["facets"]["sluice_run"]["doneBy"], Uuid::from_u128(9).to_string());
}

#[test]
fn attempts_are_runs_of_their_own_with_one_parent() {
    let contracts = contracts();
    let of =
        |attempt| serde_json::to_value(record(&contracts, &run("ingest-kafka", "bronze_kafka_orders", attempt), false).started());
    let (first, second) = (of(1).unwrap(), of(2).unwrap());
    assert_ne!(first["run"]["runId"], second["run"]["runId"]);
    assert_eq!(first["run"]["facets"]["parent"]["run"], second["run"]["facets"]["parent"]["run"]);
    assert_eq!(first["inputs"][0]["namespace"], "kafka://broker:9092");
    assert_eq!(first["inputs"][0]["name"], "orders.events");
}

#[test]
fn an_end_that_is_made_up_for_is_that_of_the_other_attempt() {
    let contracts = contracts();
    let mut first = run("dq-check", "silver_order_items", 1);
    // Its machine's clock was ahead by an hour.
    first.started_at += chrono::Duration::hours(1);
    let first = record(&contracts, &first, true).started();
    let mut second = record(&contracts, &run("dq-check", "silver_order_items", 2), true);
    let found = Assertion { assertion: "key".into(), success: false, severity: "error".into(), expected: "0 rows".into() };
    second.judged(BTreeMap::from([("silver_order_items".to_owned(), 5)]), vec![found]);
    let lost = second.ended_for(&first, second.run().started_at, Ending::Lost);
    assert_eq!((lost.run.run_id, &lost.inputs), (first.run.run_id, &first.inputs));
    assert!(lost.event_time > first.event_time, "{}", lost.event_time);
    let own = lost.run.facets.get("sluice_run").unwrap();
    assert_eq!((&own["attempt"], &own["outcome"]), (&1.into(), &"lost".into()));
    let mut summary = Summary::begun(second.run().id, "dq-check", "silver_order_items", second.run().window);
    summary.outcome = Outcome::Committed;
    summary.ledger.read = 3;
    let done = second.ended_for(&first, second.run().started_at, Ending::Done(&summary));
    let own = done.run.facets.get("sluice_run").unwrap();
    assert_eq!((&own["attempt"], &own["outcome"], &own["ledger"]["read"]), (&1.into(), &"committed".into(), &3.into()));
}

#[test]
fn a_check_reads_its_table_and_those_it_refers_to_and_writes_none() {
    let contracts = contracts();
    let mut record = record(&contracts, &run("dq-check", "silver_order_items", 1), true);
    let found = Assertion { assertion: "key".into(), success: false, severity: "error".into(), expected: "0 rows".into() };
    record.judged(BTreeMap::from([("silver_order_items".to_owned(), 5)]), vec![found]);
    let end = serde_json::to_value(record.ended(record.run().started_at, Ending::Failed("data", "failed to pass"))).unwrap();
    assert_eq!((&end["eventType"], end["outputs"].as_array().unwrap().len()), (&"FAIL".into(), 0));
    assert_eq!(end["inputs"][0]["name"], "lake/silver/order_items");
    assert_eq!(end["inputs"][0]["facets"]["version"]["datasetVersion"], "5");
    assert_eq!(end["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"][0]["success"], false);
    assert!(end["inputs"].as_array().unwrap().len() > 1);
    assert_eq!(end["run"]["facets"]["errorMessage"]["message"], "failed to pass");
}

#[test]
fn names_in_the_outbox_sort_by_time_and_tell_what_they_are() {
    let contracts = contracts();
    let record = record(&contracts, &run("silverize", "silver_orders", 1), false);
    let start = outbox::path(&record.started());
    let end = outbox::path(&record.ended("2018-01-01T00:00:00Z".parse().unwrap(), Ending::Lost));
    assert!(start < end && start > outbox::since("2017-12-31T02:00:00Z".parse().unwrap()), "{start} {end}");
    let entry = outbox::entry(&end).unwrap();
    assert_eq!((entry.job.as_str(), entry.run, entry.kind), ("silverize.silver_orders", record.id, EventType::Abort));
    assert_eq!(entry.at.to_rfc3339(), "2018-01-01T00:00:00+00:00");
    let decided = outbox::decided(record.id, record.run().started_at);
    assert_eq!(decided, format!("ops/lineage_ends/2017-12-31/{}.json", record.id));
    for other in
        [decided.as_str(), "ops/lineage/x.json", "ops/runs/2018-01-01/a.json", "ops/lineage/2018-01-01/000000000000-a-start.json"]
    {
        assert_eq!(outbox::entry(other), None, "{other}");
    }
}

#[test]
fn a_token_is_followed_as_far_as_values_are_made_from_it() {
    let token = Origins::column("silver_contacts", "email").tokenized();
    assert!(token.has_token() && token.used(Use::Aggregation).has_token() && token.masked().has_token());
    assert!(!token.used(Use::Filter).used(Use::Transformation).has_token());
    let masked = Origins::column("silver_contacts", "email").masked();
    assert!(!masked.has_token() && masked.iter().eq(token.iter()), "of a token lineage tells what it tells of any mask");
    let mut both = masked;
    both.add(token);
    assert!(both.has_token());
}
