use super::*;
use crate::columns::tests::column;
use arrow::array::Array as _;
use arrow::datatypes::{Decimal128Type, TimestampMicrosecondType};

#[test]
fn rows_become_columns_and_nulls_stay_nulls() {
    let columns = [
        column("id", ColumnType::String),
        column("at", ColumnType::Timestamp),
        column("paid", ColumnType::Decimal(18, 2)),
        column("ok", ColumnType::Boolean),
    ];
    let mut rows = Rows::new(&columns);
    assert!(rows.take().unwrap().is_none());
    for row in [[Some("a"), Some("2017-12-30 00:00:00.5"), Some("1.50"), Some("t")], [Some(""), None, None, None]] {
        rows.push(|at| Ok::<_, ()>(row[at])).unwrap();
    }
    let batch = rows.take().unwrap().unwrap();
    assert_eq!(batch.num_rows(), 2);
    assert_eq!((batch.column(0).null_count(), batch.column(0).as_string::<i32>().value(1)), (0, ""));
    assert_eq!(batch.column(1).as_primitive::<TimestampMicrosecondType>().value(0), 1_514_592_000_500_000);
    assert_eq!(batch.column(2).as_primitive::<Decimal128Type>().value(0), 150);
    assert!((1..4).all(|at| batch.column(at).is_null(1)));
    assert!(rows.take().unwrap().is_none());
}

#[test]
fn a_value_that_does_not_fit_is_told_by_its_column_only() {
    let mut rows = Rows::new(&[column("paid", ColumnType::Decimal(18, 2))]);
    let error = rows.push(|_| Ok::<_, ()>(Some("12.345"))).unwrap_err();
    let told = "match the contract: column `paid` holds a value that does not fit DECIMAL(18,2)";
    assert_eq!(error.to_string(), told);
    assert_eq!(rows.push(|_| Err("no UTF-8")).unwrap_err().to_string(), told, "what is no text is no null");
}

#[test]
fn a_batch_is_bounded_by_rows_and_by_bytes() {
    let mut rows = Rows::new(&[column("id", ColumnType::String)]);
    let large = "x".repeat(BYTES / 2);
    rows.push(|_| Ok::<_, ()>(Some(large.as_str()))).unwrap();
    assert!(!rows.full());
    rows.push(|_| Ok::<_, ()>(Some(large.as_str()))).unwrap();
    assert!(rows.full());
    rows.take().unwrap();
    (0..ROWS).for_each(|_| rows.push(|_| Ok::<_, ()>(None)).unwrap());
    assert!(rows.full());
}
