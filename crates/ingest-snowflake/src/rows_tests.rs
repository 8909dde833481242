use super::*;
use arrow::{
    array::{Decimal128Array, Int64Array, TimestampMicrosecondArray},
    datatypes::Field,
};

fn column(name: &str, kind: ColumnType) -> Column {
    Column {
        name: name.into(),
        kind,
        required: true,
        key_position: None,
        classification: None,
        mask: None,
        gold_views: Vec::new(),
    }
}

fn shape(mode: Mode) -> Shape {
    let columns = vec![column("ID", ColumnType::Decimal(38, 0)), column("AT", ColumnType::Timestamp)];
    Shape { columns, cursor: "AT".into(), mode }
}

fn source(fields: &[(&str, DataType)]) -> Schema {
    Schema::new(fields.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect::<Vec<_>>())
}

const MICROS: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

#[test]
fn a_missing_or_changed_column_is_named() {
    let missing = shape(Mode::Evolve).compare(&source(&[("AT", MICROS)])).unwrap_err();
    assert_eq!(missing.to_string(), "match the contract: the source has no column `ID`");
    let changed = shape(Mode::Evolve).compare(&source(&[("ID", DataType::Utf8), ("AT", MICROS)])).unwrap_err();
    assert_eq!(changed.to_string(), "match the contract: column `ID` is DECIMAL(38,0) in the contract and STRING in the source");
    let scaled = shape(Mode::Evolve).compare(&source(&[("ID", DataType::Decimal128(38, 2)), ("AT", MICROS)])).unwrap_err();
    assert!(matches!(scaled, ShapeError::Kind { found, .. } if found == "DECIMAL(38,2)"));
}

#[test]
fn a_new_column_is_reported_or_refused_by_mode() {
    let wider = source(&[("ID", DataType::Decimal128(38, 0)), ("NEW", DataType::Utf8), ("AT", MICROS)]);
    assert_eq!(shape(Mode::Evolve).compare(&wider).unwrap(), ["NEW"]);
    assert_eq!(shape(Mode::Quarantine).compare(&wider).unwrap(), ["NEW"]);
    assert_eq!(shape(Mode::Freeze).compare(&wider), Err(ShapeError::New("NEW".into())));
}

#[test]
fn representations_change_without_loss() {
    let micros: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![Some(1_514_592_000_000_001), None]));
    let zoned = fitted(&column("AT", ColumnType::Timestamp), &micros).unwrap();
    assert_eq!(zoned.data_type(), &arrow_type(ColumnType::Timestamp));
    assert_eq!(zoned.as_primitive::<TimestampMicrosecondType>().value(0), 1_514_592_000_000_001);
    let paris: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![7]).with_timezone("+01:00"));
    assert_eq!(
        fitted(&column("AT", ColumnType::Timestamp), &paris).unwrap().as_primitive::<TimestampMicrosecondType>().value(0),
        7
    );
    let narrow: ArrayRef = Arc::new(Decimal128Array::from(vec![12_345]).with_precision_and_scale(10, 2).unwrap());
    assert_eq!(fitted(&column("A", ColumnType::Decimal(18, 2)), &narrow).unwrap().data_type(), &DataType::Decimal128(18, 2));
    let whole: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX]));
    assert!(fitted(&column("A", ColumnType::Decimal(38, 0)), &whole).is_ok());
    assert!(matches!(fitted(&column("A", ColumnType::Long), &narrow), Err(ShapeError::Kind { .. })));
}

#[test]
fn keys_are_plain_and_positions_sort_as_text() {
    let numbers: ArrayRef = Arc::new(Decimal128Array::from(vec![7, 10]).with_precision_and_scale(38, 0).unwrap());
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["b", "a"]));
    let (keys, positions) =
        keys(&["ID".into(), "T".into()], "2017-12-30T00:00:00.000000Z", &[("ID", numbers), ("T", texts)], 2).unwrap();
    assert_eq!(keys.as_string::<i32>().value(1), "10|a");
    assert_eq!(positions.as_string::<i32>().value(0), "2017-12-30T00:00:00.000000Z/00000000000000000007|b");
    assert!(positions.as_string::<i32>().value(0) < positions.as_string::<i32>().value(1));
}

#[test]
fn a_null_where_a_value_is_required_is_a_violation_that_names_the_column() {
    let columns = [column("A", ColumnType::String), column("B", ColumnType::String)];
    let a: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), None, None]));
    let b: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), Some("x"), None]));
    let violations = violations(&columns, &[("A", a), ("B", b)], 3);
    let found: Vec<_> = violations.as_string::<i32>().iter().collect();
    assert_eq!(found, [None, Some("required:A"), Some("required:A,required:B")]);
}
