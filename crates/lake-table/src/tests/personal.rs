//! Personal data and payloads have no smallest and largest value anywhere: not in the log, not in a file's footer.

use super::*;
use arrow::{
    array::{ArrayRef, BinaryArray},
    compute::cast,
};
use deltalake::parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use lake_core::{
    Contract,
    contract::{ColumnType, Layer},
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

const CONTRACTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contracts");

fn contracts() -> Vec<Contract> {
    let mut folders = vec![PathBuf::from(CONTRACTS)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(".odcs.yaml") {
                let model = std::fs::read_to_string(path.with_file_name("model.sql")).ok();
                let text = std::fs::read_to_string(&path).unwrap();
                found.push(Contract::parse(path.strip_prefix(Path::new(CONTRACTS)).unwrap(), &text, model).unwrap());
            }
        }
    }
    found
}

/// Two rows whose texts name their column, so that a leak tells where it is from.
fn marked(spec: &TableSpec) -> RecordBatch {
    let column = |field: &Arc<Field>| -> ArrayRef {
        let texts = StringArray::from(vec![format!("LEAK-{}-a", field.name()), format!("LEAK-{}-b", field.name())]);
        match field.data_type() {
            DataType::Utf8 => Arc::new(texts),
            DataType::Binary => Arc::new(BinaryArray::from_iter_values(texts.iter().flatten().map(str::as_bytes))),
            DataType::Boolean => Arc::new(arrow::array::BooleanArray::from(vec![true, false])),
            DataType::Timestamp(..) => {
                cast(&Int64Array::from(vec![1_514_592_000_123_456, 1_514_592_000_123_457]), field.data_type()).unwrap()
            }
            DataType::Date32 => cast(&arrow::array::Int32Array::from(vec![17_530, 17_531]), field.data_type()).unwrap(),
            other => cast(&arrow::array::Int32Array::from(vec![4, 5]), other).unwrap(),
        }
    };
    let columns = spec.schema.fields().iter().map(column).collect();
    RecordBatch::try_new(spec.schema.clone(), columns).unwrap()
}

async fn footers(table: &Table) -> Vec<ParquetMetaData> {
    let mut all = Vec::new();
    for file in table.files() {
        let path = format!("{}/{}", table.spec().location, file.path);
        let bytes = table.lake().get(&path).await.unwrap().unwrap_or_else(|| panic!("{path}"));
        let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional);
        all.push(reader.parse_and_finish(&bytes).unwrap());
    }
    all
}

/// Columns with a smallest or largest value in a footer or in a page index.
fn in_footers(footers: &[ParquetMetaData]) -> BTreeSet<String> {
    let mut shown = BTreeSet::new();
    for footer in footers {
        for (at, group) in footer.row_groups().iter().enumerate() {
            for (place, column) in group.columns().iter().enumerate() {
                let name = column.column_path().string();
                let index = footer.column_index().map(|groups| &groups[at][place]);
                let pages = index.is_some_and(|index| !format!("{index:?}").eq("NONE"));
                let bounds = column.statistics().is_some_and(|s| s.min_bytes_opt().is_some() || s.max_bytes_opt().is_some());
                assert!(column.bloom_filter_offset().is_none(), "{name} has a bloom filter");
                if bounds || pages {
                    shown.insert(name);
                }
            }
        }
    }
    shown
}

/// Columns with a smallest or largest value in the log.
async fn in_log(table: &Table) -> BTreeSet<String> {
    let mut shown = BTreeSet::new();
    for entry in table.commits(None).await.unwrap() {
        for file in entry.files {
            let columns = table.spec().schema.fields().iter().map(|field| field.name());
            shown.extend(columns.filter(|c| file.minimum(c).is_some() || file.maximum(c).is_some()).cloned());
        }
    }
    shown
}

async fn log_text(world: &World, table: &Table) -> String {
    let mut text = String::new();
    for path in world.lake.list(&format!("{}/_delta_log", table.spec().location)).await.unwrap() {
        text += &String::from_utf8_lossy(&world.lake.get(&path).await.unwrap().unwrap());
    }
    text
}

async fn fill(world: &World, spec: &TableSpec) -> Table {
    let mut table = world.table(spec).await;
    let add = written(&table, &marked(spec)).await;
    table.commit(async |_: &Table| Ok(Plan::Commit(addition(add.clone(), &[("a", 1)])))).await.unwrap();
    table
}

#[tokio::test]
async fn only_columns_that_may_have_bounds_have_them() {
    let world = World::new();
    let contracts = contracts();
    assert!(contracts.iter().any(|contract| contract.columns.iter().any(|column| column.pii())));
    for contract in contracts {
        let spec = TableSpec::of(&contract);
        let table = fill(&world, &spec).await;
        let allowed: BTreeSet<String> = spec.statistics.iter().cloned().collect();
        assert_eq!(in_log(&table).await, allowed, "{}", spec.name);
        assert_eq!(in_footers(&footers(&table).await), allowed, "{}", spec.name);
        let text = log_text(&world, &table).await;
        // Another engine that writes to the table keeps to the table's own properties.
        let property = match spec.statistics.as_slice() {
            [] => r#""delta.dataSkippingNumIndexedCols":"0""#.to_owned(),
            names => format!(r#""delta.dataSkippingStatsColumns":"{}""#, names.join(",")),
        };
        assert!(text.contains(&property), "{}: {property}", spec.name);
        for column in &contract.columns {
            let hidden = column.pii() || column.kind == ColumnType::Binary;
            assert!(!hidden || !allowed.contains(&column.name), "{}: {}", spec.name, column.name);
            assert!(!hidden || !text.contains(&format!("LEAK-{}-", column.name)), "{}: {}", spec.name, column.name);
            // The log keeps bounds of decimals as floats, so decimals have none.
            let decimal = matches!(column.kind, ColumnType::Decimal(..));
            let silver_key = matches!(contract.layer, Layer::Silver(_)) && column.key_position.is_some() && !decimal;
            assert!(!silver_key || hidden || allowed.contains(&column.name), "{}: {} has no bounds", spec.name, column.name);
        }
    }
}

#[tokio::test]
async fn quarantined_and_held_rows_show_nothing_but_their_version() {
    let world = World::new();
    let contract = contracts().into_iter().find(|contract| contract.table == "silver_customers").unwrap();
    for spec in [TableSpec::quarantine(&contract), TableSpec::held(&contract)] {
        let table = fill(&world, &spec).await;
        let allowed = BTreeSet::from(["_input_version".to_owned()]);
        assert_eq!(in_log(&table).await, allowed);
        assert_eq!(in_footers(&footers(&table).await), allowed);
        assert!(!log_text(&world, &table).await.contains("LEAK"), "{}", spec.name);
    }
}

#[tokio::test]
async fn a_table_without_statistics_shows_nothing() {
    let world = World::new();
    let spec = TableSpec { statistics: Vec::new(), ..sales() };
    let table = fill(&world, &spec).await;
    assert_eq!(table.rows(), 2, "rows are counted all the same");
    assert!(in_log(&table).await.is_empty() && in_footers(&footers(&table).await).is_empty());
    assert!(!log_text(&world, &table).await.contains("LEAK"));
}

#[tokio::test]
async fn a_column_that_becomes_personal_loses_its_bounds_in_new_files() {
    let world = World::new();
    let before = TableSpec { statistics: vec!["id".into(), "owner".into()], ..sales() };
    fill(&world, &before).await;
    let after = TableSpec { statistics: vec!["id".into()], ..sales() };
    let mut table = world.table(&after).await;
    let add = written(&table, &marked(&after)).await;
    let plan = async |table: &Table| {
        let remove = table.files().to_vec();
        Ok(Plan::Commit(Proposal { remove, inserted: 2, removed: 2, ..addition(add.clone(), &[]) }))
    };
    table.commit(plan).await.unwrap();
    let newest = &table.files()[0];
    assert!(newest.minimum("id").is_some() && newest.minimum("owner").is_none(), "{newest:?}");
    assert_eq!(in_footers(&footers(&table).await), BTreeSet::from(["id".to_owned()]));
}
