//! Scans: partition columns, subsets and orders of columns, and files that cannot be read.

use super::*;
use crate::Shape;
use arrow::{array::ArrayRef, compute::cast, util::pretty::pretty_format_batches};
use rstest::rstest;

fn partitioned() -> TableSpec {
    let column = |name: &str, kind| Field::new(name, kind, true);
    let columns = vec![
        column("id", DataType::Int64),
        column("day", DataType::Date32),
        column("amount", DataType::Int64),
        column("source", DataType::Utf8),
    ];
    TableSpec {
        name: "bronze_sales".into(),
        location: "bronze/sales".into(),
        schema: Arc::new(Schema::new(columns)),
        partition_columns: vec!["day".into(), "source".into()],
        statistics: vec!["id".into()],
        checkpoint_interval: None,
    }
}

const SOURCES: [Option<&str>; 8] =
    [Some("plain"), Some("a b"), Some("x/y"), Some("50%"), Some("c:d=e&f#g?"), Some("%20"), Some("Zürich ✓"), None];

fn shops() -> RecordBatch {
    let ids = Int64Array::from_iter_values(0..SOURCES.len() as i64);
    let days: ArrayRef =
        Arc::new(arrow::array::Int32Array::from_iter_values((0..SOURCES.len() as i32).map(|at| 17_000 + at % 2)));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(ids.clone()),
        cast(&days, &DataType::Date32).unwrap(),
        Arc::new(ids),
        Arc::new(StringArray::from_iter(SOURCES)),
    ];
    RecordBatch::try_new(partitioned().schema, columns).unwrap()
}

fn sorted(batches: &[RecordBatch]) -> Vec<String> {
    let mut lines: Vec<String> = pretty_format_batches(batches).unwrap().to_string().lines().map(str::to_owned).collect();
    lines.retain(|line| line.starts_with('|'));
    let mut cells: Vec<String> = lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    cells.sort();
    cells
}

async fn filled(world: &World) -> Table {
    let mut table = world.table(&partitioned()).await;
    let add = written(&table, &shops()).await;
    assert_eq!(add.len(), SOURCES.len(), "one file for each partition");
    table.commit(async |_: &Table| Ok(Plan::Commit(addition(add.clone(), &[])))).await.unwrap();
    table
}

#[tokio::test]
async fn partition_columns_come_back_whatever_is_in_them() {
    let world = World::new();
    let table = filled(&world).await;
    assert_eq!(sorted(&table.read(None).await.unwrap()), sorted(&[shops()]));
    let slice = table.slice(None, 1).await.unwrap().files.into_iter().map(|file| file.file).collect();
    assert_eq!(sorted(&stream(&table, slice, None).await.unwrap()), sorted(&[shops()]), "by the log's own entries");
    let days: std::collections::BTreeSet<_> = table.files().iter().filter_map(|file| file.partition_value("day")).collect();
    assert_eq!(days.into_iter().collect::<Vec<_>>(), ["2016-07-18", "2016-07-19"]);
}

#[tokio::test]
async fn each_partition_can_be_rewritten() {
    let world = World::new();
    let mut table = filled(&world).await;
    for _ in 0..2 {
        let plan = async |table: &Table| {
            let mut writer = table.writer();
            for batch in table.read(None).await? {
                writer.write(&batch).await?;
            }
            let remove = table.files().to_vec();
            let add = writer.finish().await?;
            Ok(Plan::Commit(Proposal { remove, inserted: 0, ..addition(add, &[]) }))
        };
        table.commit(plan).await.unwrap();
    }
    assert_eq!(table.rows(), SOURCES.len() as u64);
    assert_eq!(sorted(&table.read(None).await.unwrap()), sorted(&[shops()]));
}

#[rstest]
#[case::all_in_order(&["id", "day", "amount", "source"])]
#[case::partition_columns_in_between(&["source", "amount", "day", "id"])]
#[case::subset(&["amount"])]
#[case::only_partition_columns(&["source", "day"])]
#[tokio::test]
async fn a_scan_gives_the_columns_asked_for_in_their_order(#[case] columns: &[&str]) {
    let world = World::new();
    let table = filled(&world).await;
    let batches = table.read(Some(columns)).await.unwrap();
    let names: Vec<String> = batches[0].schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, columns);
    let wanted: Vec<usize> = columns.iter().map(|name| shops().schema().index_of(name).unwrap()).collect();
    assert_eq!(sorted(&batches), sorted(&[shops().project(&wanted).unwrap()]));
}

#[tokio::test]
async fn a_scan_of_no_columns_counts_rows() {
    let world = World::new();
    let table = world.sales(&[(1, 1), (2, 2)]).await;
    assert_eq!(table.read(Some(&[])).await.unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
}

#[tokio::test]
async fn an_unknown_column_is_named() {
    let world = World::new();
    let table = world.sales(&[(1, 1)]).await;
    let error = table.read(Some(&["id", "colour"])).await.unwrap_err();
    assert!(chain(&error).contains("colour"), "{}", chain(&error));
    assert_eq!(lake_core::fault::Faulty::fault(&error), Fault::Data);
}

#[tokio::test]
async fn a_missing_data_file_is_named() {
    let world = World::new();
    let table = world.sales(&[(1, 1)]).await;
    let file = table.files()[0].path.clone();
    delete(&table, &file).await;
    let error = table.read(None).await.unwrap_err();
    assert!(error.to_string().contains(&file) && error.to_string().contains("silver_sales"), "{error}");
    assert_eq!(lake_core::fault::Faulty::fault(&error), Fault::Data);
}

#[tokio::test]
async fn a_broken_data_file_is_named() {
    let world = World::new();
    let table = world.sales(&[(1, 1)]).await;
    let file = table.files()[0].clone();
    overwrite(&table, &file.path, &"x".repeat(usize::try_from(file.bytes).unwrap())).await;
    let error = table.read(None).await.unwrap_err();
    assert!(matches!(&error, TableError::DataFile { file: named, .. } if *named == file.path), "{error}");
}

#[test]
fn a_store_that_does_not_answer_is_transient_and_a_missing_file_is_not() {
    use deltalake::{ObjectStoreError, parquet::errors::ParquetError};
    let fault = |source: ObjectStoreError| {
        let source = Box::new(ParquetError::External(Box::new(source)));
        lake_core::fault::Faulty::fault(&TableError::DataFile { table: "t".into(), file: "f".into(), source })
    };
    assert_eq!(fault(ObjectStoreError::Generic { store: "S3", source: "timed out".into() }), Fault::Transient);
    assert_eq!(fault(ObjectStoreError::NotFound { path: "f".into(), source: "404".into() }), Fault::Data);
}

#[rstest]
#[case::a_column_more(|spec: &mut TableSpec| spec.schema = schema(&[("id", DataType::Int64), ("owner", DataType::Utf8), ("amount", DataType::Int64), ("colour", DataType::Utf8)]), "column `colour` of the contract is not in the table")]
#[case::a_column_less(|spec: &mut TableSpec| spec.schema = schema(&[("id", DataType::Int64), ("owner", DataType::Utf8)]), "column `amount` of the table is not in the contract")]
#[case::another_type(|spec: &mut TableSpec| spec.schema = schema(&[("id", DataType::Int64), ("owner", DataType::Utf8), ("amount", DataType::Int32)]), "column `amount` is Int32 in the contract and Int64 in the table")]
#[case::other_partitions(|spec: &mut TableSpec| spec.partition_columns = vec!["owner".into()], "partitioned by `owner`")]
#[tokio::test]
async fn a_table_that_is_not_the_contracts_is_refused(#[case] change: fn(&mut TableSpec), #[case] expected: &str) {
    let world = World::new();
    world.sales(&[(1, 1)]).await;
    let mut spec = sales();
    change(&mut spec);
    let error = Table::open_or_create(&world.lake, &spec).await.unwrap_err();
    assert!(matches!(error, TableError::Schema { .. }), "{error}");
    assert!(error.to_string().contains(expected), "{error}");
}

fn schema(columns: &[(&str, DataType)]) -> arrow::datatypes::SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect::<Vec<_>>()))
}

#[tokio::test]
async fn a_shape_is_what_the_log_says_whatever_the_contract_says() {
    let world = World::new();
    assert!(Shape::read(&world.lake, &sales()).await.unwrap().is_none());
    let table = world.sales(&[(1, 10)]).await;
    let narrow = Arc::new(Schema::new(vec![Field::new("id", DataType::Int32, true)]));
    let other = TableSpec { schema: narrow, partition_columns: vec!["id".into()], ..sales() };
    assert!(Table::open(&world.lake, &other).await.is_err());
    let shape = Shape::read(&world.lake, &other).await.unwrap().unwrap();
    assert_eq!((shape.version, shape.id.as_str()), (table.version(), table.id()));
    assert_eq!(shape.partition_columns, Vec::<String>::new());
    let fields = shape.schema["fields"].as_array().unwrap();
    let told: Vec<_> = fields.iter().map(|field| (field["name"].as_str().unwrap(), field["type"].as_str().unwrap())).collect();
    assert_eq!(told, [("id", "long"), ("owner", "string"), ("amount", "long")]);
}

#[tokio::test]
async fn a_shape_has_the_partition_columns_in_their_order() {
    let world = World::new();
    world.table(&partitioned()).await;
    let shape = Shape::read(&world.lake, &partitioned()).await.unwrap().unwrap();
    assert_eq!(shape.partition_columns, ["day", "source"]);
}
