use super::*;
use arrow::array::{Decimal128Array, Int64Array, TimestampMicrosecondArray};

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

#[test]
fn a_changed_type_is_named_as_contracts_name_types() {
    let number = column("ID", ColumnType::Decimal(38, 0));
    let changed = fits(&number, &DataType::Utf8).unwrap_err();
    assert_eq!(changed.to_string(), "match the contract: column `ID` is DECIMAL(38,0) in the contract and STRING in the source");
    let scaled = fits(&number, &DataType::Decimal128(38, 2)).unwrap_err();
    assert!(matches!(scaled, ShapeError::Kind { found, .. } if found == "DECIMAL(38,2)"));
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
