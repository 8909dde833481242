use super::*;
use arrow::array::Decimal128Array;
use lake_core::contract::ColumnType;

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

fn shape(mode: Mode, key: &[&str]) -> Shape {
    Shape {
        columns: vec![column("ID", ColumnType::Decimal(38, 0)), column("AT", ColumnType::Timestamp)],
        key: key.iter().map(|name| (*name).to_owned()).collect(),
        cursor: "AT".into(),
        mode,
        prefix: "2017-12-30T00:00:00.000000Z".into(),
    }
}

fn compared(mode: Mode, found: &[&str]) -> Result<Vec<String>, ShapeError> {
    shape(mode, &["ID"]).compare(found, |_, _| Ok(()))
}

#[test]
fn a_missing_column_is_named() {
    let missing = compared(Mode::Evolve, &["AT"]).unwrap_err();
    assert_eq!(missing.to_string(), "match the contract: the source has no column `ID`");
}

#[test]
fn the_type_of_each_column_is_judged_at_its_place_in_the_source() {
    let changed = shape(Mode::Evolve, &["ID"]).compare(&["AT", "ID"], |column, at| match (column.name.as_str(), at) {
        ("ID", 1) => Err(ShapeError::kind(column, "text".into())),
        _ => Ok(()),
    });
    let told = "match the contract: column `ID` is DECIMAL(38,0) in the contract and text in the source";
    assert_eq!(changed.unwrap_err().to_string(), told);
}

#[test]
fn a_new_column_is_reported_or_refused_by_mode() {
    let wider = ["ID", "NEW", "AT"];
    assert_eq!(compared(Mode::Evolve, &wider).unwrap(), ["NEW"]);
    assert_eq!(compared(Mode::Quarantine, &wider).unwrap(), ["NEW"]);
    assert_eq!(compared(Mode::Freeze, &wider), Err(ShapeError::New("NEW".into())));
}

#[test]
fn keys_are_plain_and_positions_sort_as_text() {
    let numbers: ArrayRef = Arc::new(Decimal128Array::from(vec![7, 10]).with_precision_and_scale(38, 0).unwrap());
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["b", "a"]));
    let (keys, positions) = shape(Mode::Evolve, &["ID", "T"]).keys(&[("ID", numbers), ("T", texts)], 2).unwrap();
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
