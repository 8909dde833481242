//! What a sync does, on lakes with real Delta logs and a catalog in memory.

use crate::{
    args::LayerName,
    entry::{CONTRACT, Entry, VERSION},
    error::SyncError,
    report::{Outcome, Report, Told},
    sync::LakeSync,
    testing::{Memory, contracts, schema},
};
use lake_core::{Contract, Fault, contract::ContractSet, fault::Faulty as _};
use lake_table::{Lake, Table, TableSpec};
use serde_json::{Value, json};

/// Database and name of the table that most tests look at.
const SILVER: &str = "sluice_silver";
const RATES: &str = "silver_fx_rates";

/// A lake of one test's own, with contracts and a catalog.
struct World {
    lake: Lake,
    contracts: ContractSet,
    catalog: Memory,
    directory: tempfile::TempDir,
}

/// What a sync is told.
#[derive(Clone, Copy, Default)]
struct How {
    prune: bool,
    dry_run: bool,
}

const PRUNE: How = How { prune: true, dry_run: false };

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let lake = Lake::open(directory.path().to_str().unwrap()).unwrap();
        Self { lake, contracts: contracts(), catalog: Memory::default(), directory }
    }

    /// A world in which some tables are there, empty as they are made.
    async fn with(tables: &[&str]) -> Self {
        let world = Self::new();
        for table in tables {
            Table::open_or_create(&world.lake, &world.spec(table)).await.unwrap();
        }
        world
    }

    fn spec(&self, table: &str) -> TableSpec {
        TableSpec::of(self.contracts.get(table).unwrap())
    }

    fn log(&self, table: &str, version: u64) -> String {
        format!("{}/_delta_log/{version:020}.json", self.spec(table).location)
    }

    /// Commits another schema of a table as the next version.
    async fn evolve(&self, table: &str, version: u64, fields: &[(&str, Value)]) {
        let first = self.lake.get(&self.log(table, 0)).await.unwrap().unwrap();
        let lines = std::str::from_utf8(&first).unwrap().lines();
        let mut metadata =
            lines.map(|line| serde_json::from_str::<Value>(line).unwrap()).find(|line| line.get("metaData").is_some()).unwrap();
        metadata["metaData"]["schemaString"] = schema(fields).to_string().into();
        // It names columns that have statistics.
        metadata["metaData"]["configuration"] = json!({});
        assert!(self.lake.create(&self.log(table, version), metadata.to_string().into()).await.unwrap());
    }

    async fn sync(&self, layer: LayerName, how: How) -> (Report, Result<(), SyncError>) {
        let own = self.contracts.iter().filter(|contract| contract.layer.name() == layer.name()).collect();
        let sync = LakeSync {
            catalog: &self.catalog,
            lake: &self.lake,
            database_prefix: "sluice_",
            prune: how.prune,
            dry_run: how.dry_run,
            whole: true,
        };
        let mut report = Report::new(how.dry_run);
        let ended = sync.layers(&[(layer, own)], &mut report).await;
        (report, ended)
    }

    /// Syncs Silver and returns what became of one table.
    async fn silver(&self, table: &str, how: How) -> Told {
        let (report, ended) = self.sync(LayerName::Silver, how).await;
        ended.unwrap();
        let told = report.tables().iter().find(|told| told.table == table).unwrap().clone();
        report.failure().unwrap();
        told
    }

    fn writes(&self) -> Vec<String> {
        self.catalog.writes.take()
    }

    fn columns(&self, table: &str) -> Vec<String> {
        let entry = self.catalog.entry(SILVER, table).unwrap();
        entry.columns.iter().map(|column| format!("{} {}", column.name, column.kind)).collect()
    }

    fn version(&self, table: &str) -> String {
        self.catalog.entry(SILVER, table).unwrap().parameters[VERSION].clone()
    }
}

#[tokio::test]
async fn a_log_that_was_put_back_is_followed() {
    let world = World::with(&[RATES]).await;
    world.silver(RATES, How::default()).await;
    let before = world.columns(RATES);
    world.evolve(RATES, 1, &[("first_day", json!("date"))]).await;
    world.silver(RATES, PRUNE).await;
    std::fs::remove_file(world.directory.path().join(world.log(RATES, 1))).unwrap();
    let told = world.silver(RATES, PRUNE).await;
    assert_eq!((told.outcome, told.version), (Outcome::Updated, Some(0)));
    assert_eq!((world.version(RATES), world.columns(RATES)), ("0".to_owned(), before));
    assert_eq!(world.silver(RATES, PRUNE).await.outcome, Outcome::Unchanged);
}

#[tokio::test]
async fn a_database_and_an_entry_are_made_and_a_second_sync_writes_nothing() {
    let world = World::with(&[RATES]).await;
    let told = world.silver(RATES, How::default()).await;
    assert_eq!((told.outcome, told.version), (Outcome::Created, Some(0)));
    assert_eq!(world.writes(), ["database sluice_silver", "create silver_fx_rates"]);
    let entry = world.catalog.entry(SILVER, RATES).unwrap();
    assert_eq!(entry.location, format!("{}silver/fx_rates", world.lake.uri()));
    let declared = world.contracts.get(RATES).unwrap().columns.iter();
    let declared: Vec<_> = declared.map(|column| format!("{} {}", column.name, column.kind.to_string().to_lowercase())).collect();
    assert_eq!(world.columns(RATES), declared);
    assert_eq!(world.silver(RATES, How::default()).await.outcome, Outcome::Unchanged);
    assert_eq!(world.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_contract_without_a_table_is_told_and_left_out() {
    let world = World::with(&[RATES]).await;
    assert_eq!(world.silver("silver_orders", How::default()).await.outcome, Outcome::Skipped);
    assert!(world.catalog.entry(SILVER, "silver_orders").is_none());
}

#[tokio::test]
async fn a_contract_more_is_an_entry_more_with_no_other_edit() {
    let mut world = World::new();
    let silver = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/silver");
    let text = std::fs::read_to_string(silver.join("campaign_targets/contract.odcs.yaml")).unwrap();
    // Made of the same Bronze table.
    let text = text.replace("campaign_targets", "goals").replace("bronze_snowflake_goals", "bronze_snowflake_campaign_targets");
    let more = Contract::parse(&silver.join("goals/contract.odcs.yaml"), &text, None).unwrap();
    let all: Vec<Contract> = world.contracts.iter().cloned().chain([more]).collect();
    world.contracts = ContractSet::new(all).unwrap();
    Table::open_or_create(&world.lake, &world.spec("silver_goals")).await.unwrap();
    assert_eq!(world.silver("silver_goals", How::default()).await.outcome, Outcome::Created);
    let entry = world.catalog.entry(SILVER, "silver_goals").unwrap();
    assert_eq!((entry.owner.as_str(), entry.parameters[CONTRACT].as_str()), ("data-team", "silver_goals@1.0.0"));
    assert_eq!(world.columns("silver_goals")[..3], ["campaign_id string", "customer_id string", "updated_at timestamp"]);
}

#[tokio::test]
async fn bronze_has_a_database_of_its_own_and_its_partitions_are_keys() {
    let world = World::with(&["bronze_fx_rates"]).await;
    world.sync(LayerName::Bronze, How::default()).await.1.unwrap();
    let entry = world.catalog.entry("sluice_bronze", "bronze_fx_rates").unwrap();
    let keys: Vec<_> = entry.partition_keys.iter().map(|key| (key.name.as_str(), key.kind.as_str())).collect();
    assert_eq!(keys, [("_ingest_date", "date"), ("_source", "string")]);
    assert!(!entry.columns.iter().any(|column| column.name == "_source"));
}

#[tokio::test]
async fn an_evolved_table_is_followed_although_its_contract_is_not() {
    let world = World::with(&[RATES]).await;
    world.silver(RATES, How::default()).await;
    let fields = [("date", json!("date")), ("extra", json!({"type": "array", "elementType": "long", "containsNull": true}))];
    world.evolve(RATES, 1, &fields).await;
    world.writes();
    let told = world.silver(RATES, PRUNE).await;
    assert_eq!((told.outcome, told.version, told.why), (Outcome::Updated, Some(1), Some("columns")));
    assert_eq!(world.writes(), ["update silver_fx_rates"]);
    assert_eq!(world.columns(RATES), ["date date", "extra array<bigint>"]);
}

#[tokio::test]
async fn a_column_goes_only_when_it_is_pruned() {
    let world = World::with(&[RATES]).await;
    world.silver(RATES, How::default()).await;
    let before = world.columns(RATES).len();
    world.evolve(RATES, 1, &[("date", json!("date"))]).await;
    let told = world.silver(RATES, How::default()).await;
    assert_eq!((told.columns_left.len(), world.columns(RATES).len()), (before - 1, before));
    world.writes();
    let again = world.silver(RATES, How::default()).await;
    assert_eq!((again.outcome, again.columns_left.len()), (Outcome::Unchanged, before - 1));
    assert_eq!(world.writes(), Vec::<String>::new());
    world.silver(RATES, PRUNE).await;
    assert_eq!(world.columns(RATES), ["date date"]);
}

#[tokio::test]
async fn an_entry_without_a_contract_goes_only_when_it_is_pruned() {
    let mut world = World::with(&[RATES]).await;
    world.silver(RATES, How::default()).await;
    let mut orphan = world.catalog.entry(SILVER, RATES).unwrap();
    orphan.name = "silver_old".into();
    let mut others = orphan.clone();
    (others.name, others.location) = ("silver_others".into(), "s3://another/silver/fx_rates".into());
    let mut by_hand = orphan.clone();
    by_hand.name = "silver_by_hand".into();
    by_hand.parameters.remove(CONTRACT);
    // Another lake stands in a folder of this one's bucket.
    let mut inside = orphan.clone();
    (inside.name, inside.location) = ("silver_inside".into(), format!("{}dev/silver/old", world.lake.uri()));
    for entry in [orphan, others, by_hand, inside] {
        world.catalog.put(SILVER, entry);
    }
    world.writes();
    assert_eq!(world.silver("silver_old", How::default()).await.outcome, Outcome::Left);
    assert_eq!(world.silver("silver_old", How { dry_run: true, ..PRUNE }).await.outcome, Outcome::Dropped);
    assert_eq!(world.writes(), Vec::<String>::new());
    assert_eq!(world.silver("silver_old", PRUNE).await.outcome, Outcome::Dropped);
    assert_eq!(world.writes(), ["drop silver_old"]);
    // The lake is another one in which the table is not there: its entry is not dropped from there.
    let elsewhere = tempfile::tempdir().unwrap();
    world.lake = Lake::open(elsewhere.path().to_str().unwrap()).unwrap();
    assert_eq!(world.silver(RATES, PRUNE).await.outcome, Outcome::Skipped);
    assert_eq!(world.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn an_entry_whose_table_is_gone_goes_only_when_it_is_pruned() {
    let world = World::with(&[RATES]).await;
    world.silver(RATES, How::default()).await;
    std::fs::remove_dir_all(world.directory.path().join("silver/fx_rates")).unwrap();
    let told = world.silver(RATES, How::default()).await;
    assert_eq!((told.outcome, told.why), (Outcome::Left, Some("its Delta table is gone")));
    assert_eq!(world.silver(RATES, PRUNE).await.outcome, Outcome::Dropped);
    assert!(world.catalog.entry(SILVER, RATES).is_none());
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let world = World::with(&[RATES]).await;
    assert_eq!(world.silver(RATES, How { dry_run: true, prune: true }).await.outcome, Outcome::Created);
    assert_eq!(world.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn who_is_overtaken_looks_again_and_two_end_as_one() {
    for careless in [false, true] {
        let mut world = World::with(&[RATES]).await;
        world.silver(RATES, How::default()).await;
        let old = world.catalog.entry(SILVER, RATES).unwrap();
        world.evolve(RATES, 1, &[("date", json!("date"))]).await;
        world.catalog.careless = careless;
        world.writes();
        // Another sync writes between our look and our write: another entry than ours, of the version before.
        *world.catalog.before_write.borrow_mut() = Some(Box::new(move |catalog: &Memory| {
            catalog.put(SILVER, Entry { owner: "another".into(), ..old.clone() });
        }));
        let told = world.silver(RATES, PRUNE).await;
        assert_eq!((told.outcome, told.version), (Outcome::Updated, Some(1)), "careless: {careless}");
        assert_eq!(world.columns(RATES), ["date date"]);
        let tries = if careless { 1 } else { 2 };
        assert_eq!(world.writes().len(), tries, "careless: {careless}");
    }
}

#[tokio::test]
async fn who_has_written_an_older_version_over_a_newer_one_mends_it() {
    let mut world = World::with(&[RATES]).await;
    world.silver(RATES, How::default()).await;
    world.catalog.careless = true;
    // We have read version 1; version 2 is committed and synced by another before our write lands.
    world.evolve(RATES, 1, &[("first_day", json!("date"))]).await;
    let earlier = world.lake.get(&world.log(RATES, 1)).await.unwrap().unwrap();
    let newer = std::str::from_utf8(&earlier).unwrap().replace("first_day", "other_day");
    let file = world.directory.path().join(world.log(RATES, 2));
    *world.catalog.before_write.borrow_mut() = Some(Box::new(move |catalog: &Memory| {
        std::fs::write(&file, &newer).unwrap();
        let mut entry = catalog.entry(SILVER, RATES).unwrap();
        entry.parameters.insert(VERSION.into(), "2".into());
        catalog.put(SILVER, entry);
    }));
    let told = world.silver(RATES, PRUNE).await;
    assert_eq!((told.outcome, told.version), (Outcome::Updated, Some(2)));
    assert_eq!((world.version(RATES), world.columns(RATES)), ("2".to_owned(), vec!["other_day date".to_owned()]));
}

#[tokio::test]
async fn two_that_make_the_same_entry_end_as_one() {
    let world = World::with(&[RATES]).await;
    let other = World { lake: world.lake.clone(), ..World::new() };
    other.silver(RATES, How::default()).await;
    let made = other.catalog.entry(SILVER, RATES).unwrap();
    world.catalog.databases.borrow_mut().push(SILVER.to_owned());
    *world.catalog.before_write.borrow_mut() = Some(Box::new(move |catalog: &Memory| catalog.put(SILVER, made)));
    assert_eq!(world.silver(RATES, How::default()).await.outcome, Outcome::Unchanged);
    assert_eq!(world.writes(), ["create silver_fx_rates"]);
}

#[tokio::test]
async fn a_catalog_that_does_not_keep_what_is_written_is_given_up() {
    let world = World::with(&[RATES]).await;
    world.silver(RATES, How::default()).await;
    let entry = world.catalog.entry(SILVER, RATES).unwrap();
    let catalog = Memory { databases: world.catalog.databases.clone(), forgetful: true, ..Memory::default() };
    catalog.put(SILVER, Entry { owner: "another".into(), ..entry });
    let world = World { catalog, ..world };
    let (report, ended) = world.sync(LayerName::Silver, How::default()).await;
    ended.unwrap();
    let error = report.failure().unwrap_err();
    assert_eq!(error.fault(), Fault::Transient);
    assert!(error.to_string().contains("the catalog still differs in description after 6 tries"), "{error}");
}

#[tokio::test]
async fn a_table_that_cannot_be_described_does_not_keep_the_others_back() {
    let world = World::with(&[RATES, "silver_orders"]).await;
    let unnamed = schema(&[("a:b", json!("string"))]);
    world.evolve(RATES, 1, &[("date", unnamed)]).await;
    let (report, ended) = world.sync(LayerName::Silver, How::default()).await;
    ended.unwrap();
    assert!(report.tables().iter().any(|told| told.table == "silver_orders" && told.outcome == Outcome::Created));
    let error = report.failure().unwrap_err();
    assert_eq!(error.fault(), Fault::Data);
    assert!(error.to_string().contains("column `date` of `silver_fx_rates`"), "{error}");
}

#[tokio::test]
async fn an_entry_that_the_catalog_refuses_does_not_keep_the_others_back() {
    let mut world = World::with(&[RATES, "silver_orders"]).await;
    world.catalog.refuses = Some(RATES);
    let (report, ended) = world.sync(LayerName::Silver, How::default()).await;
    ended.unwrap();
    assert!(report.tables().iter().any(|told| told.table == "silver_orders" && told.outcome == Outcome::Created));
    let error = report.failure().unwrap_err();
    assert_eq!(error.fault(), Fault::Data);
    assert!(error.to_string().contains("`silver_fx_rates` in the catalog: InvalidInputException"), "{error}");
}

#[tokio::test]
async fn a_broken_log_is_one_tables_matter() {
    let world = World::with(&[RATES, "silver_orders"]).await;
    assert!(world.lake.create(&world.log(RATES, 1), "torn".into()).await.unwrap());
    let (report, ended) = world.sync(LayerName::Silver, How::default()).await;
    ended.unwrap();
    assert!(report.tables().iter().any(|told| told.table == "silver_orders" && told.outcome == Outcome::Created));
    assert_eq!(report.failure().unwrap_err().fault(), Fault::Data);
}
