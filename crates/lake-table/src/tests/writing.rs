//! Writers: how files are cut, and that a value either fits as it is or is an error.

use super::*;
use arrow::{
    array::{
        ArrayRef, Decimal128Array, Float64Array, Int32Array, LargeStringArray, StringViewArray, TimestampMicrosecondArray,
        TimestampNanosecondArray,
    },
    datatypes::TimeUnit,
};
use rstest::rstest;

#[tokio::test]
async fn a_writer_rolls_files() {
    const BATCH: i64 = 100_000;
    let world = World::new();
    let mut table = world.table(&sales()).await;
    let mut writer = table.writer();
    for at in 0..6 {
        let rows: Vec<(i64, i64)> = (at * BATCH..(at + 1) * BATCH).map(|id| (id, 1)).collect();
        writer.write(&batch(&rows)).await.unwrap();
    }
    assert_eq!(writer.rows(), 600_000);
    let add = writer.finish().await.unwrap();
    assert_eq!(add.iter().map(|file| file.rows).collect::<Vec<_>>(), [300_000, 300_000]);
    table.commit(async |_: &Table| Ok(Plan::Commit(addition(add.clone(), &[])))).await.unwrap();
    let read = pairs(&table.read(None).await.unwrap());
    assert!(read.iter().map(|row| row.0).eq(0..600_000), "in the order in which they were written");
    let bounds: Vec<_> = table.files().iter().map(|file| (file.minimum("id").cloned(), file.maximum("id").cloned())).collect();
    assert!(bounds.contains(&(Some(0.into()), Some(299_999.into()))), "{bounds:?}");
}

#[tokio::test]
async fn pending_files_can_be_read_before_their_commit() {
    let world = World::new();
    let table = world.table(&sales()).await;
    let add = written(&table, &batch(&[(1, 10)])).await;
    let files = add.iter().map(NewFile::data_file).collect();
    assert_eq!(pairs(&stream(&table, files, None).await.unwrap()), [(1, 10)]);
    assert!(content(&world).await.is_empty(), "no reader sees them");
}

#[tokio::test]
async fn no_rows_are_no_file() {
    let world = World::new();
    let table = world.table(&sales()).await;
    assert!(written(&table, &batch(&[])).await.is_empty());
}

fn one(kind: DataType) -> TableSpec {
    TableSpec {
        name: "silver_one".into(),
        location: "silver/one".into(),
        schema: Arc::new(Schema::new(vec![Field::new("value", kind, true)])),
        partition_columns: Vec::new(),
        statistics: Vec::new(),
        checkpoint_interval: None,
    }
}

async fn cast_through(kind: DataType, array: ArrayRef) -> Result<ArrayRef, TableError> {
    let world = World::new();
    let mut table = world.table(&one(kind)).await;
    let batch = RecordBatch::try_from_iter([("value", array)]).unwrap();
    let mut writer = table.writer();
    writer.write(&batch).await?;
    let add = writer.finish().await?;
    table.commit(async |_: &Table| Ok(Plan::Commit(addition(add.clone(), &[])))).await.unwrap();
    Ok(table.read(None).await?.remove(0).column(0).clone())
}

fn decimals(values: &[i128], precision: u8, scale: i8) -> ArrayRef {
    Arc::new(Decimal128Array::from_iter_values(values.iter().copied()).with_precision_and_scale(precision, scale).unwrap())
}

fn texts(text: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![text]))
}

const UTC: Option<&str> = Some("UTC");

fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, UTC.map(Into::into))
}

#[rstest]
#[case::long_out_of_range(DataType::Int32, Arc::new(Int64Array::from(vec![1 << 31])))]
#[case::fraction_to_int(DataType::Int32, Arc::new(Float64Array::from(vec![1.5])))]
#[case::long_to_double(DataType::Float64, Arc::new(Int64Array::from(vec![(1 << 53) + 1])))]
#[case::not_a_number_to_int(DataType::Int64, Arc::new(Float64Array::from(vec![f64::NAN])))]
#[case::text_to_int(DataType::Int32, texts("twelve"))]
#[case::text_to_date(DataType::Date32, texts("2017-13-01"))]
#[case::text_with_time_to_date(DataType::Date32, texts("2017-12-30T10:00:00"))]
#[case::decimal_with_too_many_digits(DataType::Decimal128(4, 2), decimals(&[12_345], 10, 2))]
#[case::decimal_with_a_finer_scale(DataType::Decimal128(18, 2), decimals(&[1_005], 18, 3))]
#[case::decimal_to_int(DataType::Int64, decimals(&[150], 18, 2))]
#[case::double_to_decimal(DataType::Decimal128(18, 2), Arc::new(Float64Array::from(vec![2.675])))]
#[case::text_to_decimal_with_a_finer_scale(DataType::Decimal128(18, 2), texts("1.005"))]
#[case::text_to_decimal_out_of_range(DataType::Decimal128(4, 2), texts("123.45"))]
#[case::text_to_decimal(DataType::Decimal128(18, 2), texts("1,50"))]
#[case::nanoseconds(instant(), Arc::new(TimestampNanosecondArray::from(vec![1_001]).with_timezone("UTC")))]
#[case::instant_to_date(DataType::Date32, Arc::new(TimestampMicrosecondArray::from(vec![1])))]
#[case::bytes_that_are_no_text(DataType::Utf8, Arc::new(arrow::array::BinaryArray::from_iter_values([b"\xff\xfe"])))]
#[tokio::test]
async fn a_value_that_does_not_fit_is_an_error(#[case] kind: DataType, #[case] array: ArrayRef) {
    let error = cast_through(kind, array).await.unwrap_err();
    assert!(matches!(error, TableError::Shape { .. }), "{error}");
    assert!(chain(&error).contains("`value`"), "{}", chain(&error));
    assert_eq!(lake_core::fault::Faulty::fault(&error), Fault::Data);
}

#[rstest]
#[case::int_to_long(DataType::Int64, Arc::new(Int32Array::from(vec![Some(-7), None])), Arc::new(Int64Array::from(vec![Some(-7), None])))]
#[case::long_to_int(DataType::Int32, Arc::new(Int64Array::from(vec![7])), Arc::new(Int32Array::from(vec![7])))]
#[case::whole_double_to_long(DataType::Int64, Arc::new(Float64Array::from(vec![7.0])), Arc::new(Int64Array::from(vec![7])))]
#[case::decimal_to_a_finer_scale(DataType::Decimal128(20, 4), decimals(&[-150], 10, 2), decimals(&[-15_000], 20, 4))]
#[case::decimal_that_fits(DataType::Decimal128(4, 2), decimals(&[99_990], 38, 3), decimals(&[9_999], 4, 2))]
#[case::text_to_decimal(DataType::Decimal128(18, 2), texts("-1.5"), decimals(&[-150], 18, 2))]
#[case::text_to_date(DataType::Date32, texts("2017-12-30"), Arc::new(arrow::array::Date32Array::from(vec![17_530])))]
#[case::text_view(DataType::Utf8, Arc::new(StringViewArray::from(vec![Some("é, long enough not to be inlined"), None])),
    Arc::new(StringArray::from(vec![Some("é, long enough not to be inlined"), None])))]
#[case::large_text(DataType::Utf8, Arc::new(LargeStringArray::from(vec!["x"])), texts("x"))]
#[case::instant_without_zone(instant(), Arc::new(TimestampMicrosecondArray::from(vec![1_514_592_000_123_456])),
    Arc::new(TimestampMicrosecondArray::from(vec![1_514_592_000_123_456]).with_timezone("UTC")))]
#[case::whole_nanoseconds(instant(), Arc::new(TimestampNanosecondArray::from(vec![1_000])),
    Arc::new(TimestampMicrosecondArray::from(vec![1]).with_timezone("UTC")))]
#[case::nothing(DataType::Decimal128(18, 2), Arc::new(arrow::array::NullArray::new(2)), arrow::array::new_null_array(&DataType::Decimal128(18, 2), 2))]
#[tokio::test]
async fn a_value_that_fits_is_kept(#[case] kind: DataType, #[case] array: ArrayRef, #[case] expected: ArrayRef) {
    assert_eq!(&cast_through(kind, array).await.unwrap(), &expected);
}

#[tokio::test]
async fn the_largest_decimal_and_instant_come_back() {
    let largest = decimals(&[10_i128.pow(38) - 1, -(10_i128.pow(38) - 1)], 38, 10);
    assert_eq!(&cast_through(DataType::Decimal128(38, 10), largest.clone()).await.unwrap(), &largest);
    let instants: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![-1, 253_402_300_799_999_999]).with_timezone("UTC"));
    assert_eq!(&cast_through(instant(), instants.clone()).await.unwrap(), &instants);
}

#[tokio::test]
async fn columns_are_matched_by_name_and_a_missing_one_is_an_error() {
    let world = World::new();
    let table = world.table(&sales()).await;
    let turned = batch(&[(1, 10)]).project(&[2, 1, 0]).unwrap();
    let files = written(&table, &turned).await.iter().map(NewFile::data_file).collect();
    assert_eq!(pairs(&stream(&table, files, None).await.unwrap()), [(1, 10)]);
    let error = table.writer().write(&batch(&[(1, 10)]).project(&[0, 1]).unwrap()).await.unwrap_err();
    assert!(chain(&error).contains("amount"), "{}", chain(&error));
    assert_eq!(lake_core::fault::Faulty::fault(&error), Fault::Data);
}
