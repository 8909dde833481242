use super::*;
use crate::columns::tests::column;
use arrow::array::Array as _;
use arrow::datatypes::{Decimal128Type, TimestampMicrosecondType};

#[test]
fn instants_are_exact_to_the_microsecond() {
    let at = |text: &str| timestamp(text);
    assert_eq!(at("2017-12-30 00:00:00"), Some(1_514_592_000_000_000));
    assert_eq!(at("2017-12-30 00:00:00.000001"), Some(1_514_592_000_000_001));
    assert_eq!(at("2017-12-30 23:59:59.5+00"), Some(1_514_678_399_500_000));
    assert_eq!(at("1969-12-31 23:59:59.999999"), Some(-1));
    assert_eq!(at("0001-01-01 00:00:00"), Some(-62_135_596_800_000_000));
    assert_eq!(at("2016-02-29 12:00:00").map(|micros| micros % 1_000_000), Some(0));
    for wrong in [
        "infinity",
        "-infinity",
        "2017-12-30",
        "2017-12-30 24:00:00",
        "2017-02-29 00:00:00",
        "2017-12-30 00:00:00+01",
        "2017-12-30 00:00:00.0000001",
        "2017-12-30 00:00:00 BC",
        "12017-12-30 00:00:00",
        "2017-12-30T00:00:00",
        "",
    ] {
        assert_eq!(at(wrong), None, "{wrong}");
    }
}

#[test]
fn decimals_are_exact() {
    assert_eq!(decimal("12.34", 18, 2), Some(1_234));
    assert_eq!(decimal("-0.01", 18, 2), Some(-1));
    assert_eq!(decimal("7", 18, 2), Some(700));
    assert_eq!(decimal("99999999999999999999999999999999999999", 38, 0), Some(10_i128.pow(38) - 1));
    for (wrong, digits, after) in
        [("12.345", 18, 2), ("100.00", 4, 2), ("NaN", 18, 2), ("1e3", 18, 2), ("", 18, 2), (".5", 18, 2)]
    {
        assert_eq!(decimal(wrong, digits, after), None, "{wrong}");
    }
}

#[test]
fn other_values_are_read_or_refused() {
    assert_eq!((boolean("t"), boolean("f"), boolean("yes")), (Some(true), Some(false), None));
    assert_eq!((date("1970-01-02"), date("2017-13-01"), date("infinity")), (Some(1), None, None));
    assert_eq!((number::<i32>("-7"), number::<i32>("2147483648"), number::<i64>("7.0")), (Some(-7), None, None));
    assert_eq!(number::<f64>("0.30000000000000004"), Some(0.1 + 0.2));
    assert_eq!((bytes("00ffA0"), bytes("0"), bytes("zz"), bytes("")), (Some(vec![0, 255, 160]), None, None, Some(Vec::new())));
}

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
